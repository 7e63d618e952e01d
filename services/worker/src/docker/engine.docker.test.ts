// The Docker engine against a real one: the suite of all engines, then what is Docker's own.
import { readFileSync } from 'node:fs';
import { LABELS } from '@rungrid/sandbox/docker-body';
import { BASE_IMAGE } from '@rungrid/sandbox/images';
import Docker from 'dockerode';
import { afterAll, expect, it } from 'vitest';
import type { SandboxSpec } from '../run/ports.js';
import { DockerEngine } from './engine.js';
import { engineBehavior } from './engine-behavior.js';
import { resolveDockerOptions } from './options.js';
import { createBody } from './spec.js';

const docker = new Docker();
/** Of these tests alone: no other engine reaps these sandboxes, and these reap no others. */
const fleet = `test-${process.pid}`;

engineBehavior({
  name: 'docker',
  image: BASE_IMAGE,
  make: (workerId) => new DockerEngine({ workerId, fleet, assignDelayMs: 0 }),
  count: async (workerId) => (await own(workerId)).length,
  ownerProgram: ({ workerId, spec }) => `
    import { DockerEngine } from ${JSON.stringify(new URL('../../dist/docker/engine.js', import.meta.url).href)};
    await new DockerEngine({ workerId: ${JSON.stringify(workerId)}, fleet: ${JSON.stringify(fleet)} }).create(${JSON.stringify(spec)});
    process.stdout.write('made\\n');`,
});

const SPEC: SandboxSpec = {
  language: 'c++',
  class: 'run',
  mode: 'pipe',
  image: BASE_IMAGE,
  command: ['cat'],
  env: ['A=b'],
  limits: { memoryBytes: 33_554_432, cpus: 0.2, pids: 16, tmpBytes: 1_048_576, tmpInodes: 64 },
};
const WORKER_ID = `docker-${process.pid}`;
const engine = new DockerEngine({ workerId: WORKER_ID, fleet, cgroupRoot: '/not/a/cgroup/mount', assignDelayMs: 0 });
afterAll(() => engine.close());

it('names and labels a container with its owner and its deadline', async () => {
  const sandbox = await engine.create(SPEC);
  const inspected = await docker.getContainer(sandbox.containerId).inspect();
  expect(inspected.Name).toMatch(new RegExp(`^/warm-c__-${sandbox.id}-\\d{10}$`));
  expect(inspected.Config.Labels).toMatchObject({ 'sandbox.owner': WORKER_ID, 'sandbox.language': 'c++' });
  // The engine made everything as requested.
  const uid = Number(inspected.Config.User.split(':')[0]);
  const { HostConfig, Env, Cmd, ...asked } = createBody(SPEC, {
    uid,
    options: resolveDockerOptions({ workerId: WORKER_ID, fleet }),
  });
  expect(inspected.HostConfig).toMatchObject(HostConfig);
  expect(inspected.Config).toMatchObject({ ...asked, Cmd });
  expect(inspected.Config.Env).toEqual(expect.arrayContaining(Env ?? []));
  expect(inspected.Mounts).toEqual([]);
  // An empty list in the body would have removed it.
  expect(inspected.HostConfig.MaskedPaths).toContain('/proc/kcore');
  sandbox.assign({ runId: 'r/1', deadlineMs: 1_900_000_000_000 });
  await expect
    .poll(async () => (await docker.getContainer(sandbox.containerId).inspect()).Name)
    .toBe('/run-r_1-1900000000');
  await sandbox.destroy();
});

it('reads the counters from the engine where control groups are not readable', async () => {
  const sandbox = await engine.create(SPEC);
  expect(sandbox.usage()).toBeUndefined();
  const usage = await sandbox.finalUsage();
  expect(usage?.cpuMs).toBeGreaterThan(0);
  expect(usage?.memoryPeakBytes).toBeGreaterThan(0);
  await sandbox.destroy();
});

it('gives two workers on one engine separate uids', async () => {
  // The same uids to choose from, which a worker that was here before has some of.
  const lanes = { uidBase: 200_000, uidCount: 4, uidLane: 2 };
  const [first, second] = [lanes, lanes].map(
    (range, index) => new DockerEngine({ workerId: `${WORKER_ID}-${index}`, fleet, ...range }),
  ) as [DockerEngine, DockerEngine];
  try {
    const made = [
      await first.create(SPEC),
      await second.create(SPEC),
      await first.create(SPEC),
      await second.create(SPEC),
    ];
    const uids = await Promise.all(
      made.map(async ({ containerId }) => (await docker.getContainer(containerId).inspect()).Config.User.split(':')[0]),
    );
    expect(new Set(uids).size).toBe(4);
  } finally {
    await Promise.all([first, second].map((each) => each.close()));
  }
});

it('rejects for a runtime that the engine does not know, with what to do', async () => {
  const weird = new DockerEngine({ workerId: WORKER_ID, fleet, runtime: 'kata' });
  await expect(weird.requireRuntime()).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringMatching(/^SANDBOX_RUNTIME=kata: .* does not know it .*runc.*daemon\.json/) as string,
  });
  await expect(weird.create(SPEC)).rejects.toMatchObject({ name: 'EngineError' });
  await weird.close();
  await engine.requireRuntime();
});

it('gives a container a network namespace of its own', async () => {
  const sandbox = await engine.create(SPEC);
  const { State, NetworkSettings } = await docker.getContainer(sandbox.containerId).inspect();
  expect(Object.values(NetworkSettings.Networks ?? {}).filter((network) => network.IPAddress !== '')).toEqual([]);
  // No address, no route: the file lists neither when the engine's processes can be seen from here.
  expect(readRoutes(State.Pid)).toEqual([]);
  await sandbox.destroy();
});

function readRoutes(pid: number): string[] {
  return readFileSync(`/proc/${pid}/net/route`, 'utf8').trim().split('\n').slice(1);
}

async function own(workerId: string): Promise<Docker.ContainerInfo[]> {
  return docker.listContainers({ all: true, filters: { label: [`${LABELS.owner}=${workerId}`] } });
}
