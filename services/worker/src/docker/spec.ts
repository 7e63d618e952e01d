// From what a sandbox is asked to be, and how the engine is configured, to the body of Docker's create call.
import { type DockerBody, dockerBody } from '@rungrid/sandbox/docker-body';
import type { SandboxSpec } from '../run/ports.js';
import type { ResolvedDockerOptions } from './options.js';

/** `uid` is this sandbox's own, unshared while it lives. */
export function createBody(
  { limits, ...spec }: SandboxSpec,
  { uid, options }: { uid: number; options: ResolvedDockerOptions },
): DockerBody {
  const { needs } = options;
  return dockerBody({
    ...spec,
    kind: spec.class === 'compile' ? 'compile' : spec.mode,
    uid,
    // The host's group holds the runtime too, where that is more than the program.
    memoryBytes: limits.memoryBytes + needs.memoryAllowanceBytes,
    cpus: limits.cpus,
    tasks: needs.hostTasks(limits.pids),
    tmpBytes: limits.tmpBytes,
    tmpInodes: limits.tmpInodes,
    openFiles: options.openFiles,
    oomScoreAdj: options.oomScoreAdj,
    seccompProfile: options.seccompProfile,
    cgroupParent: options.cgroupParent,
    owner: options.workerId,
    fleet: options.fleet,
    runtime: options.runtime,
  });
}
