// The Docker engine through the engine proxy, reached by its address only: the suite of all engines, over sandboxes that it let through.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { LABELS } from '@rungrid/sandbox/docker-body';
import { BASE_IMAGE } from '@rungrid/sandbox/images';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EngineError } from '../run/ports.js';
import { DockerEngine } from './engine.js';
import { engineBehavior } from './engine-behavior.js';

const docker = new Docker();
const fleet = `proxied-${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'rungrid-proxy-'));
const socket = join(folder, 'engine.sock');
const host = `unix://${socket}`;
// Services meet on the wire: the proxy is a process here as well.
let proxy: ChildProcessByStdio<null, Readable, null>;
// Sandboxes are made from immutable ids, and the proxy takes nothing else.
let image: string;
beforeAll(async () => {
  proxy = spawn(process.execPath, [fileURLToPath(new URL('../../../engine-proxy/dist/main.js', import.meta.url))], {
    env: {
      RUNGRID_PREFIX: fleet,
      ENGINE_PROXY_SOCKET: socket,
      ENGINE_PROXY_ENGINE: enginePath(),
      ENGINE_PROXY_IMAGES: `rungrid/,rungrid-test/,${BASE_IMAGE}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await ready();
  image = (await docker.getImage(BASE_IMAGE).inspect()).Id;
});
afterAll(async () => {
  const ended = once(proxy, 'exit');
  proxy.kill('SIGTERM');
  const [code] = await ended;
  rmSync(folder, { recursive: true, force: true });
  expect(code).toBe(0);
});

engineBehavior({
  name: 'proxied docker',
  get image() {
    return image;
  },
  make: (workerId) => new DockerEngine({ workerId, fleet, host, assignDelayMs: 0 }),
  count: async (workerId) =>
    (await docker.listContainers({ all: true, filters: { label: [`${LABELS.owner}=${workerId}`] } })).length,
  ownerProgram: ({ workerId, spec }) => `
    import { DockerEngine } from ${JSON.stringify(new URL('../../dist/docker/engine.js', import.meta.url).href)};
    await new DockerEngine(${JSON.stringify({ workerId, fleet, host })}).create(${JSON.stringify(spec)});
    process.stdout.write('made\\n');`,
});

it('finds an image by name, reads counters, and makes no sandbox of another fleet', async () => {
  const engine = new DockerEngine({ workerId: 'w', fleet, host, cgroupRoot: '/not/a/cgroup/mount' });
  const foreign = new DockerEngine({ workerId: 'w', fleet: `${fleet}-other`, host });
  const limits = { memoryBytes: 33_554_432, cpus: 0.2, pids: 16, tmpBytes: 1_048_576, tmpInodes: 64 };
  const spec = { language: 'c++', class: 'run', mode: 'pipe', image, command: ['cat'], env: ['A=b'], limits } as const;
  try {
    expect(await engine.imageId(BASE_IMAGE)).toBe(image);
    const sandbox = await engine.create(spec);
    expect((await sandbox.finalUsage())?.cpuMs).toBeGreaterThan(0);
    await sandbox.destroy();
    await expect(foreign.create(spec)).rejects.toThrow(/sandbox\.fleet/);
    await expect(foreign.create(spec)).rejects.toBeInstanceOf(EngineError);
  } finally {
    await Promise.all([engine.close(), foreign.close()]);
  }
});

async function ready(): Promise<void> {
  for await (const line of createInterface({ input: proxy.stdout })) {
    if (!line.includes('"msg":"ready"')) continue;
    // The proxy keeps logging refusals: an unread pipe would block it.
    proxy.stdout.resume();
    return;
  }
  throw new Error('the engine proxy ended before it was ready');
}

function enginePath(): string {
  return (process.env['DOCKER_HOST'] || 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '');
}
