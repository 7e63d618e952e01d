// The rules that hold when tests are over: no socket, no run, no container and no queue entry is left.
import { destroyRawSockets } from './raw-socket.js';
import { scrape, sumOf } from './metrics.js';
import type { Stack } from './stack.js';
import { until } from '@rungrid/testkit/until';

/** Gauges that must be back at 0 when nothing runs. */
const GATEWAY_GAUGES = ['rungrid_gateway_live_runs', 'rungrid_gateway_sockets', 'rungrid_gateway_grpc_streams'];
const WORKER_GAUGES = ['rungrid_worker_live_runs'];
/** How long the last refill and the last removal may take by default, ms. */
const SETTLE_MS = 30_000;

/** Resolves when nothing leaks; rejects, naming each leak, when something still does after a while. */
export function assertNoLeaks(stack: Stack, options: { settleMs?: number } = {}): Promise<void> {
  return assertNone(stack, {
    ...options,
    find: async () => [...(await busyParts(stack)), ...(await containers(stack))],
  });
}

/** The same without a look at the containers, which takes the engine's time. */
export function assertIdle(stack: Stack): Promise<void> {
  return assertNone(stack, { find: () => busyParts(stack) });
}

async function assertNone(stack: Stack, options: { find: () => Promise<string[]>; settleMs?: number }): Promise<void> {
  const { find, settleMs = SETTLE_MS } = options;
  destroyRawSockets();
  const forgotten = stack.takeClients();
  await Promise.all(forgotten.map((client) => client.close()));
  let leaks: string[] = [];
  await until(
    async () => {
      leaks = await find();
      return leaks.length === 0;
    },
    { what: () => `everything to be released; still there: ${leaks.join('; ')}`, timeoutMs: settleMs, everyMs: 50 },
  );
  for (const client of forgotten) for (const run of client.runs) run.check();
}

/** Services that ended, entries of queues, and gauges that are not at 0. */
async function busyParts(stack: Stack): Promise<string[]> {
  const dead = [...stack.gateways, ...stack.workers].filter((service) => service.process.exit !== undefined);
  if (dead.length > 0) return dead.map((service) => `a service ended by itself:\n${service.process.log}`);
  const found = await Promise.all([
    stack.redis.queueLeaks(stack.prefix),
    ...stack.gateways.map((gateway) => nonZero(gateway.internal, GATEWAY_GAUGES)),
    ...stack.workers.map((worker) => nonZero(worker.metrics, WORKER_GAUGES)),
  ]);
  return found.flat();
}

/** Sandboxes of this stack's workers that serve a run, and warm ones past what may be kept. */
async function containers(stack: Stack): Promise<string[]> {
  const sandboxes = await stack.sandboxes();
  const leaks = sandboxes.filter(({ running }) => running).map(({ name }) => `container ${name}`);
  const warm = sandboxes.filter((sandbox) => !sandbox.running);
  if (warm.length > stack.mostWarm) {
    const names = warm.map(({ name, owner, alive }) => `${name} of ${owner}${alive ? '' : ', dead'}`);
    leaks.push(`${warm.length} warm containers, where ${stack.mostWarm} may be (${names.join('; ')})`);
  }
  return leaks;
}

async function nonZero(url: string, names: readonly string[]): Promise<string[]> {
  const samples = await scrape(url);
  return names.flatMap((name) => {
    const value = sumOf(samples, name);
    if (value === undefined) return [`${url} has no metric ${name}`];
    return value === 0 ? [] : [`${name} is ${value}`];
  });
}
