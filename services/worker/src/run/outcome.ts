// How a run ended, decided from counters taken outside the program; the agent reports only the exit status.
import { constants } from 'node:os';
import type { EndReason } from '@rungrid/proto/limits';
import type { AgentEnd } from '@rungrid/sandbox/agent-status';
import type { SandboxUsage } from './ports.js';

export interface Outcome {
  readonly reason: EndReason;
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/** The counters when the program is over. */
export interface LastCounters {
  /** Out-of-memory kills of any process. */
  readonly oomKills: number;
  /** Processes and threads refused since it began. */
  readonly pidsRefused: number;
}

/**
 * The program ended by itself, or something in the sandbox killed it. An out-of-memory kill of any process is the reason; so is a
 * refused process or thread, unless the program exited with 0: then it coped with the limit.
 */
export function outcomeOfExit(end: AgentEnd, counters: LastCounters): Outcome {
  const code = end.kind === 'exited' ? end.code : undefined;
  const signal = end.kind === 'signaled' ? signalName(end.signo) : undefined;
  if (counters.oomKills > 0) return { reason: 'memory_limit', code, signal };
  if (counters.pidsRefused > 0 && code !== 0) return { reason: 'process_limit', code, signal };
  if (end.kind === 'overrun') return { reason: 'process_limit', code, signal };
  return { reason: end.kind, code, signal };
}

/** The compiler failed: it ran out of memory, or the program does not compile. */
export function outcomeOfCompile(end: AgentEnd, counters: LastCounters): Outcome {
  const code = end.kind === 'exited' ? end.code : undefined;
  return { reason: counters.oomKills > 0 ? 'memory_limit' : 'compile_error', code, signal: undefined };
}

/** One sample of a live run's counters. */
export interface Sample {
  readonly usage: SandboxUsage;
  /** CPU time used before the program began (the interpreter's start), ms. */
  readonly cpuBaseMs: number;
  /** pidsRefused at the two previous samples, oldest first; the baseline where there was none. */
  readonly refusedBefore: readonly [number, number];
}

/**
 * The limit that a running program has passed, if any. The process limit ends a run only when two samples in a row see refusals: a
 * program that hits it once and copes may continue.
 */
export function limitPassed(sample: Sample, limits: { readonly cpuMs: number }): EndReason | undefined {
  const { usage } = sample;
  if (usage.oomKills > 0) return 'memory_limit';
  const [older, old] = sample.refusedBefore;
  if (usage.pidsRefused > old && old > older) return 'process_limit';
  if (usage.cpuMs - sample.cpuBaseMs >= limits.cpuMs) return 'cpu_limit';
  return undefined;
}

const names = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
// These numbers have two names each; we use the one of signal(7).
names.set(6, 'SIGABRT').set(29, 'SIGIO').set(31, 'SIGSYS');

/** Name of a signal number; real-time signals have none of their own and are SIGRT<n>. */
export function signalName(number: number): string {
  return names.get(number) ?? `SIGRT${number}`;
}
