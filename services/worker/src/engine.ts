// The configured engine: one place where configuration becomes engine options.
import type { SandboxPromise } from '@rungrid/sandbox/selftest';
import type { WorkerConfig } from './config.js';
import { DockerEngine } from './docker/engine.js';

/** An engine whose sandboxes serve runs; other workers of this installation sweep them once their owner is gone. */
export function servingEngine(config: WorkerConfig, workerId: string): DockerEngine {
  return makeEngine(config, { workerId, fleet: config.RUNGRID_PREFIX });
}

/** An engine for the self-test: a fleet apart, so that no worker takes its sandboxes for those of one that is gone. */
export function selfTestEngine(config: WorkerConfig, workerId: string): DockerEngine {
  return makeEngine(config, { workerId, fleet: `${config.RUNGRID_PREFIX}-selftest` });
}

/** Whose system call filter the sandboxes of this configuration have, and what runs them. */
export function sandboxKind(config: WorkerConfig): Pick<SandboxPromise, 'systemCalls' | 'runtime'> {
  return { systemCalls: config.WORKER_SECCOMP === 'engine' ? 'engine' : 'own', runtime: config.SANDBOX_RUNTIME };
}

function makeEngine(config: WorkerConfig, owner: { workerId: string; fleet: string }): DockerEngine {
  return new DockerEngine({
    ...owner,
    host: config.DOCKER_HOST,
    // runc is every engine's own: leaving it out keeps an engine that knows it by another name.
    ...(config.SANDBOX_RUNTIME === 'runc' ? {} : { runtime: config.SANDBOX_RUNTIME }),
    ...(config.WORKER_SECCOMP === 'engine' ? { seccompProfile: 'engine' } : {}),
    ...(config.WORKER_CGROUP_PARENT === undefined ? {} : { cgroupParent: config.WORKER_CGROUP_PARENT }),
  });
}
