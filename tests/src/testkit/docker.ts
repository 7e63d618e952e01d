// What a test asks the container engine: which sandboxes exist, for whom, and whether they serve a run.
import { LABELS } from '@rungrid/sandbox/docker-body';
import Docker from 'dockerode';

/** Sandboxes are renamed to run-<id>-<deadline> at checkout. */
const RUN_NAME = /^\/?run-/;

export interface SandboxInfo {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly language: string;
  /** `pipe`, `tty` or `compile`. */
  readonly kind: string;
  /** Whether it serves a run (or did). */
  readonly running: boolean;
  /** Whether it has processes still: an ended one is listed until it is removed. */
  readonly alive: boolean;
}

/** An engine that hangs must fail a test, not hold it. */
const CALL_TIMEOUT_MS = 20_000;

/** The engine at `host`, a DOCKER_HOST of the form unix:///path; default: the one of this process. */
export function dockerAt(host?: string): Docker {
  if (host === undefined) return new Docker();
  return new Docker({ socketPath: host.replace(/^unix:\/\//, ''), timeout: CALL_TIMEOUT_MS });
}

/** All sandboxes of these workers on the engine at `host`, whatever their state; without `owners`, everybody's. */
export async function listSandboxes(owners?: readonly string[], host?: string): Promise<SandboxInfo[]> {
  const list = await dockerAt(host).listContainers({ all: true, filters: { label: [LABELS.owner] } });
  return list
    .map((entry) => ({
      id: entry.Id,
      name: (entry.Names[0] ?? '').replace(/^\//, ''),
      owner: entry.Labels[LABELS.owner] ?? '',
      language: entry.Labels[LABELS.language] ?? '',
      kind: entry.Labels[LABELS.kind] ?? '',
      running: RUN_NAME.test(entry.Names[0] ?? ''),
      alive: entry.State === 'running',
    }))
    .filter((sandbox) => owners === undefined || owners.includes(sandbox.owner));
}

/** Removes what these workers left. Returns the names: a test that did not expect any fails on them. */
export async function removeSandboxes(owners: readonly string[], host?: string): Promise<string[]> {
  const left = await listSandboxes(owners, host);
  const docker = dockerAt(host);
  await Promise.all(
    left.map((sandbox) =>
      docker
        .getContainer(sandbox.id)
        .remove({ force: true })
        .catch((error: { statusCode?: number }) => {
          // 404, 409: it went, or is going, by itself.
          if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
        }),
    ),
  );
  return left.map((sandbox) => sandbox.name);
}

/** Whether an image is there. */
export async function hasImage(name: string): Promise<boolean> {
  const images = await dockerAt().listImages({ filters: { reference: [name] } });
  return images.length > 0;
}

export async function inspectSandbox(id: string, host?: string): Promise<Docker.ContainerInspectInfo> {
  return dockerAt(host).getContainer(id).inspect();
}
