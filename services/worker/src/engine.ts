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

/** Whose system call filter the sandboxes of this configuration have. */
export function systemCallsOf(config: WorkerConfig): SandboxPromise['systemCalls'] {
  return config.WORKER_SECCOMP === 'engine' ? 'engine' : 'own';
}

function makeEngine(config: WorkerConfig, owner: { workerId: string; fleet: string }): DockerEngine {
  return new DockerEngine({
    ...owner,
    host: config.DOCKER_HOST,
    ...(config.WORKER_SECCOMP === 'engine' ? { seccompProfile: 'engine' } : {}),
    ...(config.WORKER_CGROUP_PARENT === undefined ? {} : { cgroupParent: config.WORKER_CGROUP_PARENT }),
  });
}
