// The worker's metrics, each documented where it is declared, and the core's metrics ports on top of them.
import { Counter, Gauge, Histogram, LATENCY_BUCKETS, type Registry } from '@rungrid/kit/metrics';
import type { DispatchMetrics } from './dispatch/ports.js';
import type { EngineMetrics } from './health/supervisor.js';
import type { PoolStats } from './pool/pool.js';
import type { SandboxSpec } from './run/ports.js';

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;

export function createWorkerMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter({ name: `rungrid_worker_${name}_total`, help, labelNames, registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge({ name: `rungrid_worker_${name}`, help, labelNames, registers });
  const duration = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Histogram({
      name: `rungrid_worker_${name}_duration_seconds`,
      help,
      labelNames,
      buckets: LATENCY_BUCKETS,
      registers,
    });
  return {
    /** Runs that ended here. `reason`: an end reason or an error code, both closed lists. */
    runs: counter('runs', 'Runs that ended, by end reason or error code', ['language', 'reason']),
    /** Runs from the claim to the end. */
    liveRuns: gauge('live_runs', 'Runs that are claimed and have not ended'),
    /** Requests that another worker claimed, or that were cancelled, first. */
    lostClaims: counter('lost_claims', 'Requests whose claim was refused'),
    /** Queue entries that are not valid requests. */
    badEntries: counter('bad_entries', 'Queue entries that could not be parsed'),
    /** Stage: the gateway accepted the click until this worker read the request. Needs one clock, or synchronized clocks. */
    queueDuration: duration('queue', 'Time from the click to the read of its request', ['language']),
    /** Stage: the claim's round trip. */
    claimDuration: duration('claim', 'Round trip of a claim', ['language']),
    /** Stage: the program was submitted to the sandbox until the agent reported its start. */
    handoffDuration: duration('handoff', 'Time from submitting a program to its start', ['language']),
    /** Stage: the program was submitted until its first byte of output arrived. */
    firstOutputDuration: duration('first_output', 'Time from submitting a program to its first output', ['language']),
    /** Ready and idle. `kind`, here and below: what a sandbox is for, `pipe`, `tty` or `compile`. */
    warmSandboxes: gauge('warm_sandboxes', 'Idle sandboxes that wait for a program', ['language', 'kind']),
    /** Being created, or not READY yet. */
    startingSandboxes: gauge('starting_sandboxes', 'Sandboxes that are being started', ['language', 'kind']),
    /** Callers of the pool. */
    waitingRuns: gauge('waiting_runs', 'Runs and compile steps that wait for a sandbox', ['language', 'kind']),
    /** Leased to a run or a compile step. */
    liveSandboxes: gauge('live_sandboxes', 'Sandboxes that serve a run'),
    /** Used, and not yet removed. */
    destroyingSandboxes: gauge('destroying_sandboxes', 'Sandboxes that are being removed'),
    /** From the request to the engine to READY. */
    sandboxStartDuration: duration('sandbox_start', 'Time to start a sandbox until it is ready', ['language', 'kind']),
    /** Removal of a used sandbox. */
    sandboxDestroyDuration: duration('sandbox_destroy', 'Time to remove a sandbox', ['language', 'kind']),
    /** `warm`: whether the sandbox was ready before. */
    checkouts: counter('checkouts', 'Sandboxes acquired for a run', ['language', 'warm']),
    /** From submitting the sources to the end of the compile step, whatever its result. */
    compileDuration: duration('compile', 'Time of a compile step', ['language']),
    /** `source`: `memory`, `store` (Redis), `compiled`, `joined` (another run's compile step), `refused` (by compiler or limit), `abandoned` (its last run left) or `fault`. */
    compiledPrograms: counter('compiled_programs', 'Programs of compiled languages, by source', ['language', 'source']),
    /** Compiled programs held in this process. */
    compileCacheBytes: gauge('compile_cache_bytes', 'Compiled programs in memory, bytes'),
    /** Entries in Redis whose digest did not match; each was compiled again. */
    corruptArtifacts: counter('corrupt_artifacts', 'Corrupt compiled programs found in Redis'),
    /** 1 while the engine answers and its sandboxes are verified; 0: nothing is claimed. */
    engineUp: gauge('engine_up', 'Whether the engine is up and verified'),
    /** Sandboxes of dead workers, and overdue ones, that this worker removed. */
    reaped: counter('reaped_sandboxes', 'Orphaned sandboxes that were removed'),
  };
}

/** Labels of the metrics by pool key. */
export function poolLabels(spec: Pick<SandboxSpec, 'language' | 'class' | 'mode'>): { language: string; kind: string } {
  return { language: spec.language, kind: spec.class === 'compile' ? 'compile' : spec.mode };
}

export function dispatchMetrics(metrics: WorkerMetrics): DispatchMetrics {
  return {
    queued: (language, us) => metrics.queueDuration.observe({ language }, us / 1e6),
    claimed: (language, us) => metrics.claimDuration.observe({ language }, us / 1e6),
    claimLost: () => metrics.lostClaims.inc(),
    live: () => metrics.liveRuns.inc(),
    checkout: (language, warm) => metrics.checkouts.inc({ language, warm: String(warm) }),
    started: (language, us) => metrics.handoffDuration.observe({ language }, us / 1e6),
    firstOutput: (language, us) => metrics.firstOutputDuration.observe({ language }, us / 1e6),
    ended: (language, reason) => {
      metrics.runs.inc({ language, reason });
      metrics.liveRuns.dec();
    },
  };
}

export function engineMetrics(metrics: WorkerMetrics): EngineMetrics {
  return { up: (up) => metrics.engineUp.set(up ? 1 : 0), reaped: (count) => metrics.reaped.inc(count) };
}

/** Copies the pool's counts to the gauges. */
export function observePool(metrics: WorkerMetrics, { keyPools, live, destroying }: PoolStats): void {
  for (const { spec, warm, starting, waiting } of keyPools) {
    const labels = poolLabels(spec);
    metrics.warmSandboxes.set(labels, warm);
    metrics.startingSandboxes.set(labels, starting);
    metrics.waitingRuns.set(labels, waiting);
  }
  metrics.liveSandboxes.set(live);
  metrics.destroyingSandboxes.set(destroying);
}
