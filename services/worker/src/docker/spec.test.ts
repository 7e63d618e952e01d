// The create body, whole: every change to how a sandbox is hardened shows here.
import type { SandboxKind } from '@rungrid/sandbox/languages';
import { SECCOMP_PROFILE, SECCOMP_PROFILE_ABSENT_PASSES } from '@rungrid/sandbox/seccomp';
import { describe, expect, it } from 'vitest';
import type { SandboxSpec } from '../run/ports.js';
import { resolveDockerOptions } from './options.js';
import { createBody } from './spec.js';

interface Profile {
  readonly defaultAction: string;
  readonly syscalls: ReadonlyArray<{ readonly names: readonly string[]; readonly action: string }>;
}

const SPEC: SandboxSpec = {
  language: 'c++',
  class: 'run',
  mode: 'pipe',
  image: 'rungrid/cpp:dev',
  command: ['--warm', 'x'],
  env: ['LANG=C.UTF-8'],
  limits: { memoryBytes: 134_217_728, cpus: 0.2, pids: 64, tmpBytes: 10_485_760, tmpInodes: 1024 },
};

describe('createBody', () => {
  it('makes exactly this body', () => {
    const options = resolveDockerOptions({ workerId: 'w1', host: 'unix:///run/docker.sock' });
    expect(createBody(SPEC, { uid: 20_001, options })).toEqual({
      Image: 'rungrid/cpp:dev',
      Cmd: ['--warm', 'x'],
      Env: ['LANG=C.UTF-8'],
      User: '20001:20001',
      Hostname: 'sandbox',
      WorkingDir: '/tmp',
      Labels: {
        'sandbox.owner': 'w1',
        'sandbox.fleet': 'rungrid',
        'sandbox.language': 'c++',
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
          '/tmp': 'rw,exec,nosuid,nodev,mode=1777,size=10485760,nr_inodes=1024',
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
          { Name: 'fsize', Soft: 10_485_760, Hard: 10_485_760 },
        ],
        Init: false,
      },
    });
  });

  it('shows pseudo terminals only to a program on a terminal', () => {
    const options = resolveDockerOptions({ workerId: 'w1', host: 'unix:///run/docker.sock' });
    const made = (kind: SandboxKind) => createBody({ ...SPEC, ...kind }, { uid: 20_001, options });
    const tty = made({ class: 'run', mode: 'tty' });
    expect(tty.Labels).toMatchObject({ 'sandbox.kind': 'tty' });
    expect(Object.keys(tty.HostConfig.Tmpfs ?? {})).toEqual(['/tmp']);
    const compile = made({ class: 'compile', mode: 'pipe' });
    expect(compile.Labels).toMatchObject({ 'sandbox.kind': 'compile' });
    expect(Object.keys(compile.HostConfig.Tmpfs ?? {})).toEqual(['/tmp', '/dev/pts']);
  });

  it('leaves the filter to the engine only where configured, and never goes without', () => {
    const options = resolveDockerOptions({ workerId: 'w1', seccompProfile: 'engine' });
    expect(createBody(SPEC, { uid: 20_001, options }).HostConfig.SecurityOpt).toEqual(['no-new-privileges']);
    for (const seccompProfile of ['unconfined', '', '{}', 'null', '{"defaultAction":"SCMP_ACT_ALLOW"}', '[1'])
      expect(() => resolveDockerOptions({ workerId: 'w1', seccompProfile })).toThrow('seccompProfile');
  });

  it('names a runtime and a parent cgroup only when they are configured', () => {
    const options = resolveDockerOptions({ workerId: 'w1', runtime: 'runsc', cgroupParent: '/rungrid' });
    const { HostConfig } = createBody(SPEC, { uid: 20_001, options });
    expect(HostConfig).toMatchObject({ Runtime: 'runsc', CgroupParent: '/rungrid' });
    const plain = createBody(SPEC, { uid: 20_001, options: resolveDockerOptions({ workerId: 'w1' }) });
    expect(Object.keys(plain.HostConfig)).not.toContain('Runtime');
    expect(Object.keys(plain.HostConfig)).not.toContain('CgroupParent');
  });

  it('gives gVisor what it needs on top, and its form of our filter, which refuses the same by default', () => {
    const options = resolveDockerOptions({ workerId: 'w1', runtime: 'runsc' });
    const { Entrypoint, HostConfig } = createBody(SPEC, { uid: 20_001, options });
    expect(Entrypoint).toEqual(['/rungrid/agent-readable']);
    expect(HostConfig).toMatchObject({ Memory: 201_326_592, MemorySwap: 201_326_592, PidsLimit: 576 });
    expect(HostConfig.SecurityOpt).toEqual(['no-new-privileges', `seccomp=${SECCOMP_PROFILE_ABSENT_PASSES}`]);
    const { defaultAction, syscalls } = JSON.parse(SECCOMP_PROFILE_ABSENT_PASSES) as Profile;
    expect(defaultAction).toBe('SCMP_ACT_ERRNO');
    const allowed = syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ names }) => names);
    expect(allowed).toContain('clone3');
    for (const name of ['io_uring_setup', 'io_setup', 'ptrace', 'mount', 'setxattr'])
      expect(allowed).not.toContain(name);
  });
});
