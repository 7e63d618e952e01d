// For tests: the create body as a worker sends it, written out, so that a change of the specification shows here.
import { SECCOMP_PROFILE } from '@rungrid/sandbox/seccomp';
import type { CreatePolicy } from '../policy/create-body.js';

export const IMAGE = `sha256:${'1'.repeat(64)}`;
const TMP_BYTES = 10_485_760;

export const POLICY: CreatePolicy & { images: readonly string[] } = {
  fleets: ['rungrid', 'rungrid-selftest'],
  images: ['rungrid/'],
  seccomp: 'default',
  runtimes: [],
  cgroupParent: undefined,
  maxLimits: {
    memoryBytes: 536_870_912,
    cpus: 1,
    pids: 256,
    tmpBytes: 67_108_864,
    tmpInodes: 4096,
    openFiles: 1024,
  },
};

export type Body = Record<string, unknown> & { HostConfig: Record<string, unknown> };

export function sandboxBody(): Body {
  return {
    Image: IMAGE,
    Cmd: ['--warm', 'python3'],
    Env: ['PYTHONUNBUFFERED=1'],
    User: '20001:20001',
    Hostname: 'sandbox',
    WorkingDir: '/tmp',
    Labels: {
      'sandbox.owner': 'w-1',
      'sandbox.fleet': 'rungrid',
      'sandbox.language': 'python',
      'sandbox.kind': 'pipe',
      'sandbox.uid': '20001',
    },
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    StdinOnce: true,
    Tty: false,
    StopTimeout: 0,
    NetworkDisabled: true,
    HostConfig: {
      AutoRemove: true,
      RestartPolicy: { Name: 'no' },
      NetworkMode: 'none',
      Memory: 134_217_728,
      MemorySwap: 134_217_728,
      NanoCpus: 200_000_000,
      PidsLimit: 64,
      OomScoreAdj: 500,
      ReadonlyRootfs: true,
      Tmpfs: {
        '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${TMP_BYTES},nr_inodes=1024`,
        '/dev/pts': 'ro,noexec,nosuid,nodev,mode=555,size=4k,nr_inodes=1',
      },
      IpcMode: 'none',
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges', `seccomp=${SECCOMP_PROFILE}`],
      Privileged: false,
      CgroupnsMode: 'private',
      LogConfig: { Type: 'none', Config: {} },
      Ulimits: [
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'nofile', Soft: 256, Hard: 256 },
        { Name: 'memlock', Soft: 65_536, Hard: 65_536 },
        { Name: 'msgqueue', Soft: 0, Hard: 0 },
        { Name: 'sigpending', Soft: 256, Hard: 256 },
        { Name: 'rtprio', Soft: 0, Hard: 0 },
        { Name: 'nice', Soft: 0, Hard: 0 },
        { Name: 'fsize', Soft: TMP_BYTES, Hard: TMP_BYTES },
      ],
      Init: false,
    },
  };
}
