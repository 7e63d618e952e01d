// The worker's metrics, each documented where it is declared.
import { Counter, Gauge, Histogram, LATENCY_BUCKETS, type Registry } from '@rungrid/kit/metrics';
import type { SandboxSpec } from './run/ports.js';

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;

export function createWorkerMetrics(registry: Registry) {
  const registers = [registry];
  const stage = (name: string, help: string) =>
    new Histogram({
      name: `rungrid_worker_${name}_seconds`,
      help,
      labelNames: ['language'],
      buckets: LATENCY_BUCKETS,
      registers,
    });
  /** Per pool key. `kind`: what the sandboxes are for, `pipe`, `tty` or `compile`. */
  const perPoolKey = (name: string, help: string) =>
    new Gauge({ name: `rungrid_worker_${name}`, help, labelNames: ['language', 'kind'], registers });
  const poolDuration = (name: string, help: string) =>
    new Histogram({
      name: `rungrid_worker_${name}_seconds`,
      help,
      labelNames: ['language', 'kind'],
      buckets: LATENCY_BUCKETS,
      registers,
    });
  return {
    /** Runs that ended here. `reason`: an end reason or an error code, both closed lists. */
    runs: new Counter({
      name: 'rungrid_worker_runs_total',
      help: 'Runs that ended, by reason',
      labelNames: ['language', 'reason'],
      registers,
    }),
    /** Runs that are claimed and have not ended. */
    liveRuns: new Gauge({ name: 'rungrid_worker_live_runs', help: 'Runs that live now', registers }),
    /** Requests of which another worker or a cancel was faster. */
    lostClaims: new Counter({
      name: 'rungrid_worker_lost_claims_total',
      help: 'Requests that were not to be had any more',
      registers,
    }),
    /** Queue entries that are not requests. */
    badEntries: new Counter({
      name: 'rungrid_worker_bad_entries_total',
      help: 'Queue entries that could not be read',
      registers,
    }),
    /** Stage: the gateway accepted the click until this worker read the request. Needs one clock, or clocks in step. */
    queueDuration: stage('queue', 'From the click to the read of the request'),
    /** Stage: the claim's round trip. */
    claimDuration: stage('claim', 'Round trip of the claim'),
    /** Stage: the program was handed to the sandbox until the agent said that it runs. */
    handoffDuration: stage('hand_over', 'From the hand-over to the start'),
    /** Stage: the program was handed over until its first byte of output arrived. */
    firstOutputDuration: stage('first_output', 'From the hand-over to the first output'),
    /** Ready and waiting for a program. */
    warmSandboxes: perPoolKey('warm_sandboxes', 'Sandboxes that wait for a program'),
    /** On their way to being ready. */
    startingSandboxes: perPoolKey('starting_sandboxes', 'Sandboxes that are being started'),
    /** Callers that wait for a sandbox. */
    waitingRuns: perPoolKey('waiting_runs', 'Runs and compile steps that wait for a sandbox'),
    /** In the hands of a run. */
    liveSandboxes: new Gauge({ name: 'rungrid_worker_live_sandboxes', help: 'Sandboxes that serve a run', registers }),
    /** Used, and not yet gone. */
    destroyingSandboxes: new Gauge({
      name: 'rungrid_worker_destroying_sandboxes',
      help: 'Sandboxes that are being removed',
      registers,
    }),
    /** From asking the engine to READY. */
    sandboxStartDuration: poolDuration('sandbox_start', 'Start of a sandbox until it is ready'),
    /** Removal of a used sandbox. */
    sandboxDestroyDuration: poolDuration('sandbox_destroy', 'Removal of a sandbox'),
    /** Checkouts by whether the sandbox was warm. */
    checkouts: new Counter({
      name: 'rungrid_worker_checkouts_total',
      help: 'Sandboxes taken for a run',
      labelNames: ['language', 'warm'],
      registers,
    }),
    /** From the sources in their sandbox to its end, whatever it was. */
    compileDuration: stage('compile', 'Compile steps'),
    /** Where runs of compiled languages got their program: `memory`, `store` (Redis), `compiled`, `joined` (another run's compile step), `refused` (by compiler or limit), `abandoned` (nobody waited any more), `fault`. */
    compiledPrograms: new Counter({
      name: 'rungrid_worker_compiled_programs_total',
      help: 'Programs of compiled languages, by where they came from',
      labelNames: ['language', 'source'],
      registers,
    }),
    /** Compiled programs held in this process. */
    compileCacheBytes: new Gauge({
      name: 'rungrid_worker_compile_cache_bytes',
      help: 'Compiled programs in memory, bytes',
      registers,
    }),
    /** Entries in Redis that were not what was put there; each was compiled anew. */
    corruptArtifacts: new Counter({
      name: 'rungrid_worker_corrupt_artifacts_total',
      help: 'Damaged compiled programs in Redis',
      registers,
    }),
    /** 1 while the engine answers and its sandboxes are proved; 0: nothing is claimed. */
    engineUp: new Gauge({ name: 'rungrid_worker_engine_up', help: 'Whether the engine serves', registers }),
    /** Sandboxes of dead workers, and overdue ones, that this worker's janitor removed. */
    reaped: new Counter({ name: 'rungrid_worker_reaped_sandboxes_total', help: 'Orphans removed', registers }),
  };
}

/** Labels of what is counted per pool key. */
export function poolLabels(spec: Pick<SandboxSpec, 'language' | 'class' | 'mode'>): {
  language: string;
  kind: string;
} {
  return { language: spec.language, kind: spec.class === 'compile' ? 'compile' : spec.mode };
}
