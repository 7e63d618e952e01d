// Judges what the probe (agent/probe) found inside a sandbox: each promise by name, what was found instead, and what to do.
import { SANDBOX_RLIMITS } from './rlimits.js';
import { type RuntimeName, runtimeOf } from './runtimes.js';

/** Where the probe lies in every image. */
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
  /** What runs it: some checks come out otherwise on some (runtimes.ts). */
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
class Facts {
  readonly #lines = new Map<string, string[]>();

  constructor(report: string) {
    for (const line of report.split('\n')) {
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
  /** What is wrong; undefined when nothing is. */
  readonly fault: (facts: Facts, promise: SandboxPromise) => string | undefined;
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
    fault: (facts) => (facts.one('done') === 'yes' ? undefined : 'its report is cut short'),
  },
  {
    name: 'no network interface but lo',
    hint: HARDENING_HINT,
    fault: (facts) => except(facts.all('interface'), ['lo']),
  },
  {
    name: 'local sockets only',
    hint: HARDENING_HINT,
    ownFilter: true,
    fault: (facts) => except(facts.all('socket'), ['1'], 'families '),
  },
  {
    name: 'root file system read-only',
    hint: HARDENING_HINT,
    fault: (facts) =>
      facts.one('root') === 'read-only' ? undefined : `it is ${facts.one('root') ?? 'not to be seen'}`,
  },
  { name: 'nothing writable but /tmp', hint: IMAGE_HINT, fault: (facts) => except(facts.all('writable'), ['/tmp']) },
  { name: '/tmp within its size and inodes', hint: HARDENING_HINT, fault: tmpFault },
  {
    name: 'no capabilities',
    hint: HARDENING_HINT,
    fault: (facts) =>
      listed(
        ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].filter((name) => !/^0+$/.test(facts.one(name) ?? 'unknown')),
      ),
  },
  { name: 'no_new_privs', hint: HARDENING_HINT, fault: (facts) => unlike(facts.one('NoNewPrivs'), '1') },
  {
    name: 'system call filter loaded',
    hint: 'The engine was built or started without seccomp (docker info, Security Options; runsc: --oci-seccomp). Use one that has it.',
    fault: (facts) => unlike(facts.one('Seccomp'), '2'),
  },
  { name: 'dangerous system calls refused', hint: HARDENING_HINT, ownFilter: true, fault: syscallFault },
  {
    name: 'no 32-bit and x32 system calls',
    hint: HARDENING_HINT,
    ownFilter: true,
    fault: (facts) => listed(facts.all('abi')),
  },
  { name: 'user and group of nobody else', hint: HARDENING_HINT, fault: identityFault },
  {
    name: 'memory limit',
    hint: CGROUP_HINT,
    fault: (facts, { memoryBytes }) => unlike(facts.one('memory'), String(memoryBytes)),
  },
  {
    name: 'no swap',
    hint: 'Turn the host’s swap off (swapoff -a), or let the engine limit it (kernel parameter swapaccount=1).',
    fault: swapFault,
  },
  { name: 'process limit', hint: CGROUP_HINT, fault: (facts, { pids }) => unlike(facts.one('pids'), String(pids)) },
  { name: 'CPU quota', hint: CGROUP_HINT, fault: quotaFault },
  { name: 'resource limits', hint: HARDENING_HINT, fault: rlimitFault },
  {
    name: 'PID 1 out of reach',
    hint: 'A program could take over the agent. Build the images again with ./rungrid up.',
    fault: (facts) => listed(facts.all('pid1')),
  },
  { name: 'no other processes in sight', hint: HARDENING_HINT, fault: (facts) => listed(facts.all('process')) },
  {
    name: 'own control group namespace',
    hint: HARDENING_HINT,
    fault: (facts) => except(facts.all('group_path'), ['/']),
  },
  { name: 'no socket of a daemon', hint: IMAGE_HINT, fault: (facts) => listed(facts.all('daemon_socket')) },
  { name: 'host files of /proc and /sys masked', hint: HARDENING_HINT, fault: (facts) => listed(facts.all('shown')) },
  { name: 'kernel settings not writable', hint: HARDENING_HINT, fault: (facts) => listed(facts.all('setting')) },
  { name: 'no device of the host', hint: HARDENING_HINT, fault: (facts) => listed(facts.all('device')) },
  { name: 'pseudo terminals', hint: HARDENING_HINT, fault: terminalFault },
  { name: 'no inherited descriptor', hint: HARDENING_HINT, fault: (facts) => listed(facts.all('descriptor')) },
  {
    name: 'environment and folder as planned',
    hint: 'The image or the engine’s configuration adds to it.',
    fault: environmentFault,
  },
];

/** Every check with its outcome, in a fixed order. */
export function judgeSandbox(report: string, promise: SandboxPromise): Verdict[] {
  const facts = new Facts(report);
  const { differences } = runtimeOf(promise.runtime);
  return CHECKS.map(({ name, hint, fault, ownFilter }) => {
    if (ownFilter === true && promise.systemCalls === 'engine')
      return { name, state: 'skipped', found: 'WORKER_SECCOMP=engine: the engine’s own filter is weaker', hint: '' };
    const found = fault(facts, promise);
    if (found === undefined) return { name, state: 'ok', found: '', hint: '' };
    const known = differences[name];
    if (known?.found.test(found) === true) return { name, state: 'differs', found: known.reason, hint: '' };
    return { name, state: 'failed', found, hint };
  });
}

function tmpFault(facts: Facts, { tmpBytes, tmpInodes }: SandboxPromise): string | undefined {
  const [bytes = '', inodes = '', ...flags] = facts.one('tmp')?.split(' ') ?? [];
  // The kernel counts whole pages.
  const sizeFits = Math.abs(Number(bytes || Number.NaN) - tmpBytes) < 4096 && inodes === String(tmpInodes);
  const flagsFit = flags.includes('nosuid') && flags.includes('nodev') && !flags.includes('noexec');
  if (sizeFits && flagsFit && facts.all('writable').includes('/tmp')) return undefined;
  return facts.one('tmp') ?? 'it is not there';
}

function syscallFault(facts: Facts): string | undefined {
  if (!(Number(facts.one('syscalls_tried')) > 0)) return 'none was tried';
  return listed(facts.all('syscall').map((line) => line.replace(/ \d+$/, '')));
}

function identityFault(facts: Facts): string | undefined {
  const uids = facts.one('Uid')?.split(' ') ?? [];
  const gids = facts.one('Gid')?.split(' ') ?? [];
  const groups = (facts.one('Groups') ?? '').split(' ').filter((group) => group !== '');
  const [uid = '0'] = uids;
  const plain =
    Number(uid) >= 1000 && [...uids, ...gids].length === 8 && [...uids, ...gids, ...groups].every((id) => id === uid);
  return plain ? undefined : `uid ${uids.join(' ')}, gid ${gids.join(' ')}, groups ${groups.join(' ')}`;
}

function swapFault(facts: Facts, { memoryBytes }: SandboxPromise): string | undefined {
  if (facts.one('swap_total') === '0' || facts.one('swap_v2') === '0') return undefined;
  return unlike(facts.one('memory_swap_v1'), String(memoryBytes));
}

function quotaFault(facts: Facts, { cpus }: SandboxPromise): string | undefined {
  const [quota, period] = facts.one('cpu_v2')?.split(' ') ?? [facts.one('cpu_quota'), facts.one('cpu_period')];
  const share = Number(quota) / Number(period);
  return Math.abs(share - cpus) <= 0.01 * cpus ? undefined : `${quota ?? 'none'} of ${period ?? 'none'} µs`;
}

function rlimitFault(facts: Facts, { openFiles, tmpBytes }: SandboxPromise): string | undefined {
  const found = new Map(facts.all('rlimit').map((line) => [line.slice(0, line.indexOf(' ')), line]));
  const wanted = Object.entries({ ...SANDBOX_RLIMITS, nofile: openFiles, fsize: tmpBytes });
  const wrong = wanted.filter(([name, value]) => found.get(name) !== `${name} ${value} ${value}`);
  return listed(wrong.map(([name, value]) => `${found.get(name) ?? `${name} unknown`} instead of ${value}`));
}

/** They are counted for the whole machine: where programs are on pipes they get none, and nobody sees another's. */
function terminalFault(facts: Facts, promise: SandboxPromise): string | undefined {
  const others = facts.all('terminal');
  if (others.length > 0) return `there already: ${others.join(', ')}`;
  const found = facts.one('terminals');
  if (found === (promise.terminals ? 'open' : 'none')) return undefined;
  if (found === undefined) return 'not to be seen';
  return found === 'open' ? 'programs can make them' : 'none can be made';
}

function environmentFault(facts: Facts, promise: SandboxPromise): string | undefined {
  const known = ['PATH', 'HOME', 'LANG', 'HOSTNAME', ...promise.env];
  const extra = facts.all('env').filter((name) => !known.includes(name));
  const cwd = facts.one('cwd');
  return listed([...extra, ...(cwd === '/tmp' ? [] : [`folder ${cwd ?? 'unknown'}`])]);
}

function unlike(found: string | undefined, wanted: string): string | undefined {
  return found === wanted ? undefined : `${found ?? 'not to be seen'} instead of ${wanted}`;
}

function except(found: readonly string[], allowed: readonly string[], prefix = ''): string | undefined {
  return listed(
    found.filter((each) => !allowed.includes(each)),
    prefix,
  );
}

function listed(faults: readonly string[], prefix = ''): string | undefined {
  return faults.length === 0 ? undefined : prefix + [...new Set(faults)].join(', ');
}
