// Docker's own rate on this machine: creates, starts and removes containers configured exactly like a sandbox.
import Docker from 'dockerode';

const OWNER_LABEL = 'sandbox.owner';

/** The create options of a warm sandbox of that language, read back from the engine. */
export async function copySandbox(language: string): Promise<Docker.ContainerCreateOptions> {
  const docker = new Docker();
  const label = [OWNER_LABEL, `sandbox.language=${language}`];
  for (const entry of await docker.listContainers({ filters: { label } })) {
    const { Config, HostConfig } = await docker.getContainer(entry.Id).inspect();
    const { Labels, Hostname: _hostname, ...rest } = Config;
    // Without the labels no worker reaps the container, and no test counts it.
    const labels = Object.fromEntries(Object.entries(Labels).filter(([name]) => !name.startsWith('sandbox.')));
    return { ...rest, Labels: labels, HostConfig };
  }
  throw new Error(`no warm ${language} sandbox to copy`);
}

/** Containers a second, each created, started and removed, `concurrency` at a time. */
export async function measureBare(
  container: Docker.ContainerCreateOptions,
  options: { concurrency: number; durationMs: number },
): Promise<number> {
  const docker = new Docker();
  const startMs = performance.now();
  let done = 0;
  let lastMs = startMs;
  const loop = async () => {
    while (performance.now() - startMs < options.durationMs) {
      const created = await docker.createContainer(container);
      await created.start();
      await created.remove({ force: true, v: true });
      done++;
      lastMs = performance.now();
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, loop));
  return (done * 1000) / (lastMs - startMs);
}
