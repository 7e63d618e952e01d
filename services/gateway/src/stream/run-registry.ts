// Routing's registry on Redis: adds what all runs of this gateway share to the kit's scripts.
import type { RunRegistry } from '@rungrid/bus/run-registry';
import type { Registry } from '../routing/types.js';

export interface RegistryOptions {
  readonly runs: RunRegistry;
  readonly gatewayId: string;
  /** Runs of one address in the window, over all gateways. */
  readonly rateLimit: number;
  readonly rateWindowMs: number;
  /** Runs waiting, per language. */
  readonly maxQueue: number;
  readonly maxWaitMs: number;
  readonly addressShare: number;
  readonly siteShare: number;
  readonly queueTtlMs: number;
}

/** A run's registry hash outlives its stay in the queue by this, ms, so that a late claim or cancel still finds its state. */
const RUN_TTL_MARGIN_MS = 60_000;

export function createRegistry(options: RegistryOptions): Registry {
  return {
    submit: (spec) =>
      options.runs.submit({
        nonceKey: spec.nonceKey,
        nonceTtlMs: spec.nonceTtlMs,
        address: spec.addressHash,
        site: spec.siteHash,
        rateLimit: options.rateLimit,
        rateWindowMs: options.rateWindowMs,
        maxQueue: options.maxQueue,
        maxWaitMs: options.maxWaitMs,
        addressShare: options.addressShare,
        siteShare: options.siteShare,
        language: spec.request.language,
        runId: spec.request.run,
        request: JSON.stringify(spec.request),
        gatewayId: options.gatewayId,
        runTtlMs: options.queueTtlMs + RUN_TTL_MARGIN_MS,
      }),
    requeue: (spec, epoch) =>
      options.runs.requeue({
        language: spec.request.language,
        runId: spec.request.run,
        request: JSON.stringify(spec.request),
        gatewayId: options.gatewayId,
        runTtlMs: options.queueTtlMs + RUN_TTL_MARGIN_MS,
        epoch,
      }),
    find: (runId) => options.runs.find(runId),
    deadLetter: (spec) => options.runs.deadLetter(spec.request.run, spec.request.language),
    cancel: (runId, language) => options.runs.cancel(runId, language),
  };
}
