// The configured engine: one place where configuration becomes engine options.
import type { SandboxPromise } from '@rungrid/sandbox/selftest';
import type { WorkerConfig } from './config.js';
import { DockerEngine } from './docker/engine.js';
import type { DockerOptions } from './docker/options.js';

/**
 * Age at which any worker may reap a sandbox of the self-test, ms: a probe takes seconds, and nothing else removes one that an engine
 * failure orphaned.
 */
const PROBE_DEADLINE_MS = 120_000;

/**
 * An engine whose sandboxes serve runs; other workers of this installation reap them once their owner is dead. `onDisconnect` as in
 * DockerEngine.
 */
export function servingEngine(
  config: WorkerConfig,
  owner: { workerId: string; onDisconnect: () => void },
): DockerEngine {
  const { workerId, onDisconnect } = owner;
  return new DockerEngine(engineOptions(config, { workerId, fleet: config.RUNGRID_PREFIX }), { onDisconnect });
}

/** An engine for the self-test: a separate fleet, so that no worker takes its sandboxes for those of a dead one. */
export function selfTestEngine(config: WorkerConfig, workerId: string): DockerEngine {
  const options = engineOptions(config, { workerId, fleet: `${config.RUNGRID_PREFIX}-selftest` });
  return new DockerEngine({ ...options, idleDeadlineMs: PROBE_DEADLINE_MS });
}

/** The system call filter and the runtime of this configuration's sandboxes. */
export function sandboxKind(config: WorkerConfig): Pick<SandboxPromise, 'systemCalls' | 'runtime'> {
  return { systemCalls: config.WORKER_SECCOMP === 'engine' ? 'engine' : 'own', runtime: config.SANDBOX_RUNTIME };
}

function engineOptions(config: WorkerConfig, owner: { workerId: string; fleet: string }): DockerOptions {
  return {
    ...owner,
    host: config.DOCKER_HOST,
    // runc is every engine's own: leaving it out keeps an engine that knows it by another name.
    ...(config.SANDBOX_RUNTIME === 'runc' ? {} : { runtime: config.SANDBOX_RUNTIME }),
    ...(config.WORKER_SECCOMP === 'engine' ? { seccompProfile: 'engine' } : {}),
    ...(config.WORKER_CGROUP_PARENT === undefined ? {} : { cgroupParent: config.WORKER_CGROUP_PARENT }),
  };
}
