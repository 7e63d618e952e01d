// The rules that hold after every test: no socket, no run, no container and no queue entry is left.
import { destroyRawSockets } from './raw-socket.js';
import { scrape, sumOf } from './metrics.js';
import type { Stack } from './stack.js';
import { until } from '@rungrid/testkit/until';

/** Gauges that must be back at 0 when nothing runs. */
const GATEWAY_GAUGES = ['rungrid_gateway_live_runs', 'rungrid_gateway_sockets', 'rungrid_gateway_grpc_streams'];
const WORKER_GAUGES = ['rungrid_worker_live_runs'];
/** How long the last refill and the last removal may take by default, ms. */
const SETTLE_MS = 20_000;

/** Resolves when nothing leaks; rejects, naming each leak, when something still does after a while. */
export async function assertNoLeaks(stack: Stack, options: { settleMs?: number } = {}): Promise<void> {
  destroyRawSockets();
  const forgotten = stack.takeClients();
  await Promise.all(forgotten.map((client) => client.close()));
  let leaks: string[] = [];
  await until(
    async () => {
      leaks = await findLeaks(stack);
      return leaks.length === 0;
    },
    {
      what: () => `everything to be given back; still there: ${leaks.join('; ')}`,
      timeoutMs: options.settleMs ?? SETTLE_MS,
      everyMs: 50,
    },
  );
  for (const client of forgotten) for (const run of client.runs) run.check();
}

async function findLeaks(stack: Stack): Promise<string[]> {
  const dead = [...stack.gateways, ...stack.workers].filter((service) => service.process.exit !== undefined);
  if (dead.length > 0) return dead.map((service) => `a service ended by itself:\n${service.process.log}`);
  const leaks = await stack.redis.queueLeaks(stack.prefix);
  const sandboxes = await stack.sandboxes();
  for (const sandbox of sandboxes) if (sandbox.running) leaks.push(`container ${sandbox.name}`);
  const warm = sandboxes.filter((sandbox) => !sandbox.running);
  if (warm.length > stack.warmCeiling) {
    const names = warm.map(({ name, owner, alive }) => `${name} of ${owner}${alive ? '' : ', dead'}`);
    leaks.push(`${warm.length} warm containers, where ${stack.warmCeiling} may be (${names.join('; ')})`);
  }
  for (const gateway of stack.gateways) leaks.push(...(await gaugesLeft(gateway.internal, GATEWAY_GAUGES)));
  for (const worker of stack.workers) leaks.push(...(await gaugesLeft(worker.metrics, WORKER_GAUGES)));
  return leaks;
}

async function gaugesLeft(url: string, names: readonly string[]): Promise<string[]> {
  const samples = await scrape(url);
  return names.flatMap((name) => {
    const value = sumOf(samples, name);
    if (value === undefined) return [`${url} has no metric ${name}`];
    return value === 0 ? [] : [`${name} is ${value}`];
  });
}
