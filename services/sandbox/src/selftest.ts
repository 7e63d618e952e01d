// Judges the report of the probe (agent/probe) from inside a sandbox: each promise by name, what was found instead, and what to do.
import { type RuntimeName, runtimeOf } from './runtimes.js';
import { SANDBOX_UIDS, sandboxRlimits } from './sandbox-spec.js';

/** Path of the probe in every image. */
export const PROBE_PATH = '/rungrid/probe';

/** What the sandbox was asked to be. */
export interface SandboxPromise {
  readonly memoryBytes: number;
  /** Quota in CPUs. */
  readonly cpus: number;
  readonly pids: number;
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  /** Open files. */
  readonly openFiles: number;
  /** Whether programs in it may make pseudo terminals. */
  readonly terminals: boolean;
  /** Names of environment variables beside PATH, HOME, LANG and HOSTNAME. */
  readonly env: readonly string[];
  /** Whose filter holds: ours, or the engine's own (weaker). */
  readonly systemCalls: 'own' | 'engine';
  /** What runs it: some checks differ on some runtimes (runtimes.ts). */
  readonly runtime: RuntimeName;
}

export interface Verdict {
  /** The promise, in words: `network interfaces`. */
  readonly name: string;
  /** `differs`: not as on runc, in exactly the way that is known of the runtime. */
  readonly state: 'ok' | 'failed' | 'skipped' | 'differs';
  /** What was found, or why it was skipped or differs; empty when all is as it must be. */
  readonly found: string;
  /** What to do about a failure. */
  readonly hint: string;
}

/** The probe's lines by their first word. */
class ProbeReport {
  readonly #lines = new Map<string, string[]>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [name = '', ...rest] = line.trim().split(/\s+/);
      if (name === '') continue;
      const values = this.#lines.get(name) ?? [];
      this.#lines.set(name, values);
      values.push(rest.join(' '));
    }
  }

  all(name: string): readonly string[] {
    return this.#lines.get(name) ?? [];
  }

  one(name: string): string | undefined {
    return this.all(name)[0];
  }
}

interface Check {
  readonly name: string;
  readonly hint: string;
  /** Judged only where our own system call filter is loaded. */
  readonly ownFilter?: true;
  /** What was found instead; undefined when the promise holds. */
  readonly violation: (report: ProbeReport, promise: SandboxPromise) => string | undefined;
}

const HARDENING_HINT =
  'The engine or its runtime does not do what the create call asks for. Update it, or set DOCKER_HOST to another one.';
const CGROUP_HINT =
  'The engine cannot limit it: enable that control group controller (cgroup v1: on the kernel command line) and restart the engine.';
const IMAGE_HINT =
  'Something is mounted or built into the image that does not belong there: build the images again with ./rungrid up.';

const CHECKS: readonly Check[] = [
  {
    name: 'probe ran to its end',
    hint: 'Build the images again with ./rungrid up; they may be older than this worker.',
    violation: (report) => (report.one('done') === 'yes' ? undefined : 'its report is cut short'),
  },
  {
    name: 'no network interface but lo',
    hint: HARDENING_HINT,
    violation: (report) => except(report.all('interface'), ['lo']),
  },
  {
    name: 'local sockets only',
    hint: HARDENING_HINT,
    ownFilter: true,
    violation: (report) => except(report.all('socket'), ['1'], 'families '),
  },
  {
    name: 'root file system read-only',
    hint: HARDENING_HINT,
    violation: (report) =>
      report.one('root') === 'read-only' ? undefined : `it is ${report.one('root') ?? 'not visible'}`,
  },
  {
    name: 'nothing writable but /tmp',
    hint: IMAGE_HINT,
    violation: (report) => except(report.all('writable'), ['/tmp']),
  },
  { name: '/tmp within its size and inodes', hint: HARDENING_HINT, violation: tmpViolation },
  {
    name: 'no capabilities',
    hint: HARDENING_HINT,
    violation: (report) =>
      listed(
        ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].filter(
          (name) => !/^0+$/.test(report.one(name) ?? 'unknown'),
        ),
      ),
  },
  { name: 'no_new_privs', hint: HARDENING_HINT, violation: (report) => unlike(report.one('NoNewPrivs'), '1') },
  {
    name: 'system call filter loaded',
    hint: 'The engine was built or started without seccomp (docker info, Security Options; runsc: --oci-seccomp). Use one that has it.',
    violation: (report) => unlike(report.one('Seccomp'), '2'),
  },
  { name: 'dangerous system calls refused', hint: HARDENING_HINT, ownFilter: true, violation: syscallViolation },
  {
    name: 'no 32-bit and x32 system calls',
    hint: HARDENING_HINT,
    ownFilter: true,
    violation: (report) => listed(report.all('abi')),
  },
  { name: 'user and group of its own', hint: HARDENING_HINT, violation: identityViolation },
  {
    name: 'memory limit',
    hint: CGROUP_HINT,
    violation: (report, { memoryBytes }) => unlike(report.one('memory'), String(memoryBytes)),
  },
  {
    name: 'no swap',
    hint: 'Turn the host’s swap off (swapoff -a), or let the engine limit it (kernel parameter swapaccount=1).',
    violation: swapViolation,
  },
  {
    name: 'process limit',
    hint: CGROUP_HINT,
    violation: (report, { pids }) => unlike(report.one('pids'), String(pids)),
  },
  { name: 'CPU quota', hint: CGROUP_HINT, violation: quotaViolation },
  { name: 'resource limits', hint: HARDENING_HINT, violation: rlimitViolation },
  {
    name: 'PID 1 out of reach',
    hint: 'A program could take over the agent. Build the images again with ./rungrid up.',
    violation: (report) => listed(report.all('pid1')),
  },
  { name: 'no other process visible', hint: HARDENING_HINT, violation: (report) => listed(report.all('process')) },
  {
    name: 'own control group namespace',
    hint: HARDENING_HINT,
    violation: (report) => except(report.all('group_path'), ['/']),
  },
  { name: 'no socket of a daemon', hint: IMAGE_HINT, violation: (report) => listed(report.all('daemon_socket')) },
  {
    name: 'host files of /proc and /sys masked',
    hint: HARDENING_HINT,
    violation: (report) => listed(report.all('shown')),
  },
  { name: 'kernel settings not writable', hint: HARDENING_HINT, violation: (report) => listed(report.all('setting')) },
  { name: 'no device of the host', hint: HARDENING_HINT, violation: (report) => listed(report.all('device')) },
  { name: 'pseudo terminals', hint: HARDENING_HINT, violation: terminalViolation },
  { name: 'no inherited descriptor', hint: HARDENING_HINT, violation: (report) => listed(report.all('descriptor')) },
  {
    name: 'environment and folder as planned',
    hint: 'The image or the engine’s configuration adds to it.',
    violation: environmentViolation,
  },
];

/** Every check with its outcome, in a fixed order. */
export function judgeSandbox(probeOutput: string, promise: SandboxPromise): Verdict[] {
  const report = new ProbeReport(probeOutput);
  const { differences } = runtimeOf(promise.runtime);
  return CHECKS.map(({ name, hint, violation, ownFilter }) => {
    if (ownFilter === true && promise.systemCalls === 'engine')
      return { name, state: 'skipped', found: 'WORKER_SECCOMP=engine: the engine’s own filter is weaker', hint: '' };
    const found = violation(report, promise);
    if (found === undefined) return { name, state: 'ok', found: '', hint: '' };
    const known = differences[name];
    if (known?.found.test(found) === true) return { name, state: 'differs', found: known.reason, hint: '' };
    return { name, state: 'failed', found, hint };
  });
}

function tmpViolation(report: ProbeReport, { tmpBytes, tmpInodes }: SandboxPromise): string | undefined {
  const [bytes = '', inodes = '', ...flags] = report.one('tmp')?.split(' ') ?? [];
  // The kernel counts whole pages.
  const sizeFits = Math.abs(Number(bytes || Number.NaN) - tmpBytes) < 4096 && inodes === String(tmpInodes);
  const flagsFit = flags.includes('nosuid') && flags.includes('nodev') && !flags.includes('noexec');
  if (sizeFits && flagsFit && report.all('writable').includes('/tmp')) return undefined;
  return report.one('tmp') ?? 'it is not there';
}

function syscallViolation(report: ProbeReport): string | undefined {
  if (!(Number(report.one('syscalls_tried')) > 0)) return 'none was tried';
  return listed(report.all('syscall').map((line) => line.replace(/ \d+$/, '')));
}

function identityViolation(report: ProbeReport): string | undefined {
  const uids = report.one('Uid')?.split(' ') ?? [];
  const gids = report.one('Gid')?.split(' ') ?? [];
  const groups = (report.one('Groups') ?? '').split(' ').filter((group) => group !== '');
  const [uid = '0'] = uids;
  const plain =
    Number(uid) >= SANDBOX_UIDS.min &&
    [...uids, ...gids].length === 8 &&
    [...uids, ...gids, ...groups].every((id) => id === uid);
  return plain ? undefined : `uid ${uids.join(' ')}, gid ${gids.join(' ')}, groups ${groups.join(' ')}`;
}

function swapViolation(report: ProbeReport, { memoryBytes }: SandboxPromise): string | undefined {
  if (report.one('swap_total') === '0' || report.one('swap_v2') === '0') return undefined;
  return unlike(report.one('memory_swap_v1'), String(memoryBytes));
}

function quotaViolation(report: ProbeReport, { cpus }: SandboxPromise): string | undefined {
  const [quota, period] = report.one('cpu_v2')?.split(' ') ?? [report.one('cpu_quota'), report.one('cpu_period')];
  const share = Number(quota) / Number(period);
  return Math.abs(share - cpus) <= 0.01 * cpus ? undefined : `${quota ?? 'none'} of ${period ?? 'none'} µs`;
}

function rlimitViolation(report: ProbeReport, promise: SandboxPromise): string | undefined {
  const found = new Map(report.all('rlimit').map((line) => [line.slice(0, line.indexOf(' ')), line]));
  const wanted = Object.entries(sandboxRlimits(promise));
  const wrong = wanted.filter(([name, value]) => found.get(name) !== `${name} ${value} ${value}`);
  return listed(wrong.map(([name, value]) => `${found.get(name) ?? `${name} unknown`} instead of ${value}`));
}

/** The kernel counts them for the whole machine: a program on pipes gets none, and no sandbox sees another's. */
function terminalViolation(report: ProbeReport, promise: SandboxPromise): string | undefined {
  const others = report.all('terminal');
  if (others.length > 0) return `there already: ${others.join(', ')}`;
  const found = report.one('terminals');
  if (found === (promise.terminals ? 'open' : 'none')) return undefined;
  if (found === undefined) return 'not visible';
  return found === 'open' ? 'programs can make them' : 'none can be made';
}

function environmentViolation(report: ProbeReport, promise: SandboxPromise): string | undefined {
  const known = ['PATH', 'HOME', 'LANG', 'HOSTNAME', ...promise.env];
  const extra = report.all('env').filter((name) => !known.includes(name));
  const cwd = report.one('cwd');
  return listed([...extra, ...(cwd === '/tmp' ? [] : [`folder ${cwd ?? 'unknown'}`])]);
}

function unlike(found: string | undefined, wanted: string): string | undefined {
  return found === wanted ? undefined : `${found ?? 'not visible'} instead of ${wanted}`;
}

function except(found: readonly string[], allowed: readonly string[], prefix = ''): string | undefined {
  return listed(
    found.filter((each) => !allowed.includes(each)),
    prefix,
  );
}

function listed(violations: readonly string[], prefix = ''): string | undefined {
  return violations.length === 0 ? undefined : prefix + [...new Set(violations)].join(', ');
}
