// The judge of the self-test: a good report passes, each deviation fails by its name, and a missing line fails.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runtimeOf } from './runtimes.js';
import { SYSCALL_GROUPS } from './seccomp-groups.js';
import { judgeSandbox, type SandboxPromise } from './selftest.js';

const PROMISE: SandboxPromise = {
  memoryBytes: 134_217_728,
  cpus: 0.2,
  pids: 64,
  tmpBytes: 10_485_760,
  tmpInodes: 1024,
  openFiles: 256,
  terminals: false,
  env: ['PYTHONUNBUFFERED'],
  systemCalls: 'own',
  runtime: 'runc',
};

const GOOD = `Uid 20001\t20001\t20001\t20001
Gid 20001\t20001\t20001\t20001
Groups 20001
CapInh 0000000000000000
CapPrm 0000000000000000
CapEff 0000000000000000
CapBnd 0000000000000000
CapAmb 0000000000000000
NoNewPrivs 1
Seccomp 2
rlimit core 0 0
rlimit nofile 256 256
rlimit fsize 10485760 10485760
rlimit memlock 65536 65536
rlimit msgqueue 0 0
rlimit sigpending 256 256
rlimit rtprio 0 0
rlimit nice 0 0
cwd /tmp
env PATH
env PYTHONUNBUFFERED
memory 134217728
memory_swap_v1 134217728
pids 64
cpu_quota 20000
cpu_period 100000
swap_total 4096
group_path /
writable /tmp
tmp 10485760 1024 nosuid nodev
root read-only
interface lo
terminals none
socket 1
syscalls_tried 77
done yes
`;

function failures(report: string, promise: SandboxPromise = PROMISE): string[] {
  return judgeSandbox(report, promise)
    .filter((verdict) => verdict.state === 'failed')
    .map((verdict) => verdict.name);
}

describe('judgeSandbox', () => {
  it('passes a sandbox that keeps every promise, on cgroup v1 and v2', () => {
    expect(failures(GOOD)).toEqual([]);
    const second = GOOD.replace(/^(cpu_quota|cpu_period|memory_swap_v1).*\n/gm, '').concat(
      'cpu_v2 20000 100000\nswap_v2 0\n',
    );
    expect(failures(second)).toEqual([]);
  });

  it.each([
    ['interface eth0', 'no network interface but lo'],
    ['socket 2', 'local sockets only'],
    ['writable /var/tmp', 'nothing writable but /tmp'],
    ['syscall keyctl 22', 'dangerous system calls refused'],
    ['abi i386', 'no 32-bit and x32 system calls'],
    ['pid1 mem', 'PID 1 out of reach'],
    ['process 7', 'no other process visible'],
    ['daemon_socket /run/docker.sock', 'no socket of a daemon'],
    ['shown /proc/kcore', 'host files of /proc and /sys masked'],
    ['setting /proc/sysrq-trigger', 'kernel settings not writable'],
    ['device kvm', 'no device of the host'],
    ['terminal 0', 'pseudo terminals'],
    ['descriptor 7', 'no inherited descriptor'],
    ['env http_proxy', 'environment and folder as planned'],
    ['group_path /docker/abc', 'own control group namespace'],
  ])('an extra line, "%s", fails: %s', (line, name) => {
    expect(failures(`${GOOD}${line}\n`)).toEqual([name]);
  });

  it.each([
    ['Uid 20001\t20001', 'Uid 0\t20001', 'user and group of its own'],
    ['Groups 20001', 'Groups 20001 998', 'user and group of its own'],
    ['CapBnd 0000000000000000', 'CapBnd 0000000000000400', 'no capabilities'],
    ['NoNewPrivs 1', 'NoNewPrivs 0', 'no_new_privs'],
    ['Seccomp 2', 'Seccomp 0', 'system call filter loaded'],
    ['root read-only', 'root writable', 'root file system read-only'],
    ['tmp 10485760 1024', 'tmp 10485760 500000', '/tmp within its size and inodes'],
    ['nosuid nodev', 'nodev', '/tmp within its size and inodes'],
    ['memory 134217728', 'memory 9223372036854771712', 'memory limit'],
    ['memory_swap_v1 134217728', 'memory_swap_v1 268435456', 'no swap'],
    ['pids 64', 'pids max', 'process limit'],
    ['cpu_quota 20000', 'cpu_quota -1', 'CPU quota'],
    ['rlimit core 0 0', 'rlimit core 0 unlimited', 'resource limits'],
    ['cwd /tmp', 'cwd /', 'environment and folder as planned'],
    ['terminals none', 'terminals open', 'pseudo terminals'],
    ['terminals none\n', '', 'pseudo terminals'],
    ['done yes', '', 'probe ran to its end'],
  ])('"%s" changed to "%s" fails: %s', (before, after, name) => {
    expect(GOOD).toContain(before);
    expect(failures(GOOD.replace(before, after))).toEqual([name]);
  });

  it('requires terminals where they are promised, and refuses another sandbox’s', () => {
    const promise = { ...PROMISE, terminals: true };
    const report = GOOD.replace('terminals none', 'terminals open');
    expect(failures(report, promise)).toEqual([]);
    expect(failures(`${report}terminal 0\n`, promise)).toEqual(['pseudo terminals']);
    expect(failures(GOOD, promise)).toEqual(['pseudo terminals']);
  });

  it('fails every check whose line is missing', () => {
    expect(failures('done yes\n').length).toBeGreaterThanOrEqual(13);
  });

  it('skips the checks of our filter under WORKER_SECCOMP=engine, and says why', () => {
    const report = `${GOOD}socket 2\nsyscall keyctl 22\nabi i386\n`;
    expect(failures(report, { ...PROMISE, systemCalls: 'engine' })).toEqual([]);
    expect(failures(report.replace('Seccomp 2', 'Seccomp 0'), { ...PROMISE, systemCalls: 'engine' })).toEqual([
      'system call filter loaded',
    ]);
  });

  it('reports known differences of gVisor by name and reason, and fails on any other deviation', () => {
    const report = GOOD.replace(/^(CapAmb|NoNewPrivs|memory|memory_swap_v1|pids|cpu_quota|cpu_period) .*\n/gm, '')
      .replace('root read-only', 'root writable')
      .replace('swap_total 4096', 'swap_total 0')
      .replace('tmp 10485760 1024 nosuid nodev', 'tmp 10485760 0')
      .concat('device net\ndevice fuse\npid1 environ\npid1 maps\npid1 fd\npid1 auxv\n');
    const onGvisor = { ...PROMISE, runtime: 'runsc' } as const;
    expect(failures(report, onGvisor)).toEqual([]);
    const differing = judgeSandbox(report, onGvisor).filter(({ state }) => state === 'differs');
    expect(differing.map(({ name }) => name).toSorted()).toEqual(
      Object.keys(runtimeOf('runsc').differences).toSorted(),
    );
    for (const { found } of differing) expect(found.length).toBeGreaterThan(20);
    expect(failures(report).length).toBe(differing.length);
    expect(failures(`${report}device kvm\n`, onGvisor)).toEqual(['no device of the host']);
    expect(failures(`${report}pid1 mem\n`, onGvisor)).toEqual(['PID 1 out of reach']);
    expect(failures(report.replace('Seccomp 2', 'Seccomp 0'), onGvisor)).toEqual(['system call filter loaded']);
  });

  it('has a hint for every check', () => {
    for (const verdict of judgeSandbox('', PROMISE)) if (verdict.state === 'failed') expect(verdict.hint).not.toBe('');
  });
});

describe('the probe', () => {
  const folder = fileURLToPath(new URL('../agent/probe/', import.meta.url));
  const source = readFileSync(`${folder}reach.c`, 'utf8');
  const tried = [...source.matchAll(/CALL\((\w+)\)/g)].map((match) => match[1] ?? '').filter((name) => name !== 'name');

  it('tries only system calls that the filter refuses', () => {
    const allowed = SYSCALL_GROUPS.filter((group) => group.action === 'allow').flatMap((group) => group.syscalls);
    expect(tried.length).toBeGreaterThan(60);
    expect(tried.filter((name) => allowed.includes(name))).toEqual([]);
  });

  it('opens every source file with its job', () => {
    for (const file of readdirSync(folder).filter((name) => /\.[ch]$/.test(name)))
      expect(readFileSync(folder + file, 'utf8'), file).toMatch(/^\/\/ \S/);
  });
});
