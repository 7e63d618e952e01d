// Redis keys: the only place that makes one. A hash tag keeps them in one cluster slot, so that a script may touch several.

/** The consumer group of all workers. */
export const WORKER_GROUP = 'workers';

export interface Keys {
  /** Stream of run requests of one language. */
  queue(language: string): string;
  /** Hash: how many runs of each client address and each site wait in the stream of one language. */
  waiting(language: string): string;
  /** Hash: how many runs of one language were claimed lately. */
  pace(language: string): string;
  /** Registry hash of one run: state, epoch, worker and its address, entry in the stream. */
  run(runId: string): string;
  /** A spent token nonce. */
  nonce(nonceKey: string): string;
  /** Run counter of one client address, in one window. */
  rate(addressHash: string): string;
  /** Reply stream of one gateway. */
  replies(gatewayId: string): string;
  /** Stream of notes of runs that are not tried again. */
  readonly deadLetters: string;
  /** Set of worker ids that may be alive. */
  readonly workers: string;
  /** A worker's announcement; expires when the worker stops renewing it. */
  worker(workerId: string): string;
  /** What stands before a compiled program's name (its artifactKey) in its key. */
  readonly artifactPrefix: string;
  /** Sorted set of their names by last use. */
  readonly artifacts: string;
  /** Hash of their sizes by name, with the sum. */
  readonly artifactSizes: string;
}

/** `prefix` comes from configuration, `[a-z0-9-]{1,32}`. */
export function createKeys(prefix: string): Keys {
  const tag = `{${prefix}}`;
  return {
    queue: (language) => `${tag}:queue:${language}`,
    waiting: (language) => `${tag}:waiting:${language}`,
    pace: (language) => `${tag}:pace:${language}`,
    run: (runId) => `${tag}:run:${runId}`,
    nonce: (nonceKey) => `${tag}:nonce:${nonceKey}`,
    rate: (addressHash) => `${tag}:rate:${addressHash}`,
    replies: (gatewayId) => `${tag}:replies:${gatewayId}`,
    deadLetters: `${tag}:dead-letters`,
    workers: `${tag}:workers`,
    worker: (workerId) => `${tag}:worker:${workerId}`,
    artifactPrefix: `${tag}:artifact:`,
    artifacts: `${tag}:artifacts`,
    artifactSizes: `${tag}:artifact-sizes`,
  };
}
