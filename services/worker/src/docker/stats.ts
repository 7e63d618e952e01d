// Counters from the engine's stats answer, for workers that cannot read control groups.
import type { SandboxUsage } from '../run/ports.js';

/** The part of the answer that is used. A field is missing when the container has ended, or on the other cgroup version. */
export interface StatsAnswer {
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: { readonly usage?: number; readonly max_usage?: number };
}

/** Undefined when the answer is that of an ended container. The answer has no count of refused processes: 0. */
export function usageFromStats(answer: StatsAnswer, known: { oom: boolean }): SandboxUsage | undefined {
  const cpuNs = answer.cpu_stats?.cpu_usage?.total_usage;
  if (!cpuNs) return undefined;
  const { usage, max_usage: peak } = answer.memory_stats ?? {};
  return { cpuMs: cpuNs / 1e6, memoryPeakBytes: peak ?? usage ?? 0, oomKills: known.oom ? 1 : 0, pidsRefused: 0 };
}
