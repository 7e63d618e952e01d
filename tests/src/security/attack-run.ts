// One attack from submission to aftermath: runs beside a co-tenant, then looks from outside for leftovers.
import type { Client } from '../testkit/client.js';
import { inspectSandbox } from '../testkit/docker.js';
import { type CoTenant, quantile } from '../testkit/co-tenant.js';
import { remainsOf, type Trace, traceOf } from '../testkit/outside.js';
import type { Stack } from '../testkit/stack.js';
import { until } from '@rungrid/testkit/until';
import type { Attack } from './attack.js';
import { changed, coreFiles, hostFiles } from './host.js';
import type { Ledger } from './ledger.js';
import { hasStarted, type SandboxLog } from './sandbox-log.js';
import { type Ended, verdictOn } from './verdict.js';
import { Watch } from './watch.js';

const MIB = 1 << 20;
/** Memory that gateway, worker and engine together may take on for one attack. */
const FLAT_BYTES = 64 * MIB;
/** What a sandbox's folders on the disk may grow by: the engine keeps its own few notes there. */
const DISK_BYTES = MIB;
/** What the machine may have less meanwhile: a sandbox's 128 MiB, those that refill the pool, and what others do beside. */
const HOST_BYTES = 640 * MIB;
/** Wall clock of an attack, ms: its client asks for less than the server's. */
const WALL_MS = 10_000;
/** A co-tenant's echo beside an attack, ms: 99 of 100, and the slowest. How quick it is, the bench says. */
const CO_TENANT_MS = { p99: 400, slowest: 1_500 } as const;
/** How much longer everything may take beside other attacks, and other tests: the times are held by those that run alone. */
const SHARED_PATIENCE = 3;

export interface Scene {
  readonly stack: Stack;
  readonly coTenant: CoTenant;
}

type Before = ReturnType<typeof hostBefore>;

/** What is wrong with the outcome of an attack that goes on beside others; undefined: it was held off. */
export async function faultOf(given: Attack, scene: Scene & { sandboxes: SandboxLog }): Promise<string | undefined> {
  const { stack, coTenant, sandboxes } = scene;
  const attack = {
    ...given,
    maxWallMs: given.maxWallMs * SHARED_PATIENCE,
    teardownMs: given.teardownMs * SHARED_PATIENCE,
  };
  const client = await stack.connect();
  const before = hostBefore();
  try {
    const { fault, ends } = await runAll(client, attack);
    if (fault !== undefined) return fault;
    for (const { handle } of ends) {
      const left = await sandboxes.teardownFault(handle, attack.teardownMs);
      if (left !== undefined) return left;
    }
    return (
      (attack.after.has('run_twice') ? await secondFault(client, attack) : undefined) ??
      hostFault(before) ??
      (await othersFault(client, coTenant))
    );
  } finally {
    await client.close();
  }
}

/** The same of an attack that has the machine for itself: what it costs others is measured, too. */
export async function costlyFaultOf(attack: Attack, scene: Scene & { ledger: Ledger }): Promise<string | undefined> {
  const { stack, coTenant, ledger } = scene;
  const traces = await traceWarm(stack, { language: attack.language, least: 1 });
  const client = await stack.connect();
  const watch = new Watch(stack, traces);
  const echoesBefore = coTenant.timesMs.length;
  const before = hostBefore();
  try {
    const { fault, ends } = await runAll(client, attack);
    const endedMs = performance.now();
    if (fault !== undefined) return fault;
    const echoesMs = coTenant.timesMs.slice(echoesBefore);
    const [{ exit, tookMs }] = ends as [Ended];
    ledger.add({
      name: attack.name,
      end: exit.reason + (exit.code === null ? '' : ` ${exit.code}`) + (exit.signal === null ? '' : ` ${exit.signal}`),
      wallMs: tookMs,
      cpuMs: exit.usage.cpu_ms,
      memoryBytes: exit.usage.memory_bytes,
      echoesMs,
      growthBytes: watch.growthBytes,
    });
    const started = ends.filter(({ handle }) => hasStarted(handle)).length;
    return (
      (await teardownFault(stack, { traces, copies: started, endedMs, withinMs: attack.teardownMs })) ??
      coTenantFault(echoesMs) ??
      costFault(watch, attack) ??
      hostFault(before) ??
      (await othersFault(client, coTenant))
    );
  } finally {
    watch.stop();
    await client.close();
  }
}

/** Runs its copies beside each other. */
async function runAll(client: Client, attack: Attack): Promise<{ fault: string | undefined; ends: readonly Ended[] }> {
  const copies = attack.after.has('run_two_at_once') ? 2 : 1;
  const ends = await Promise.all(Array.from({ length: copies }, () => runOnce(client, attack)));
  for (const end of ends) {
    const fault = verdictOn(end, attack);
    if (fault !== undefined) return { fault: `${fault}; ${end.handle.describe()}`, ends };
  }
  return { fault: undefined, ends };
}

async function runOnce(client: Client, attack: Attack): Promise<Ended> {
  const { code, language, files, args } = attack;
  const startMs = performance.now();
  const handle = client.run(code, language, { files: [...files], args: [...args], limits: { wall_ms: WALL_MS } });
  if (attack.firstOutputMs !== undefined)
    await until(() => handle.stdout !== '', { what: 'the first output', timeoutMs: attack.firstOutputMs });
  const exit = await handle.exit(attack.maxWallMs + 5_000);
  return { handle, exit, tookMs: performance.now() - startMs };
}

/**
 * Every sandbox there is, as soon as the co-tenant's has its name (it gets it a little after its start, and looks warm until then), enough of the
 * language are warm and none comes or goes: the attack gets one of these. Those that have ended and are not removed yet do not count.
 */
async function traceWarm(stack: Stack, wanted: { language: string; least: number }): Promise<Trace[]> {
  let seen = '';
  return until(
    async () => {
      const all = (await stack.sandboxes()).filter((sandbox) => sandbox.alive);
      const ids = all.map(({ id }) => id).toSorted();
      const settled = ids.join() === seen;
      seen = ids.join();
      const warm = all.filter((sandbox) => sandbox.language === wanted.language && !sandbox.running);
      const named = all.filter((sandbox) => sandbox.running);
      if (!settled || named.length !== 1 || warm.length < wanted.least) return undefined;
      const traces = await Promise.allSettled(ids.map((id) => traceOf(id)));
      const there = traces.flatMap((trace) => (trace.status === 'fulfilled' ? [trace.value] : []));
      return there.length === ids.length ? there : undefined;
    },
    { what: `${wanted.least} warm sandboxes, and none that comes or goes`, timeoutMs: 20_000, everyMs: 50 },
  );
}

/** In time, as many sandboxes as there were runs are removed, with all of their processes and control groups. */
async function teardownFault(
  stack: Stack,
  run: { traces: readonly Trace[]; copies: number; endedMs: number; withinMs: number },
): Promise<string | undefined> {
  let left: string[] = [];
  const look = async () => {
    const sandboxes = await stack.sandboxes();
    const removed = run.traces.filter((trace) => !sandboxes.some(({ id }) => id === trace.id));
    // Only the co-tenant's may serve a run still.
    const running = sandboxes.filter((sandbox) => sandbox.running).slice(1);
    // None is kept ready here: one that is there compiles, or has.
    const compiling = sandboxes.filter(({ kind, running: named }) => kind === 'compile' && !named);
    left = [...removed.flatMap(remainsOf), ...[...running, ...compiling].map(({ name }) => `container ${name}`)];
    if (removed.length < run.copies) left.push(`${run.copies - removed.length} sandboxes of these runs`);
    return left.length === 0;
  };
  const timeoutMs = Math.max(1, run.withinMs - (performance.now() - run.endedMs));
  try {
    await until(look, { what: () => left.join('; '), timeoutMs });
    return undefined;
  } catch {
    return `left after ${run.withinMs} ms: ${left.join('; ')}`;
  }
}

async function secondFault(client: Client, attack: Attack): Promise<string | undefined> {
  const again = await runOnce(client, attack);
  const fault = verdictOn(again, attack);
  return fault === undefined ? undefined : `the second time: ${fault}; ${again.handle.describe()}`;
}

function coTenantFault(echoesMs: readonly number[]): string | undefined {
  const p99 = quantile(echoesMs, 0.99);
  const slowest = Math.max(0, ...echoesMs);
  if (slowest > CO_TENANT_MS.slowest) return `a co-tenant's echo took ${Math.round(slowest)} ms`;
  // Of fewer than 100 echoes the slowest is the 99th hundredth.
  return echoesMs.length >= 100 && p99 > CO_TENANT_MS.p99
    ? `99 of 100 of the co-tenant's echoes took up to ${Math.round(p99)} ms`
    : undefined;
}

function costFault(watch: Watch, attack: Attack): string | undefined {
  if (watch.growthBytes > FLAT_BYTES)
    return `gateway, worker and engine grew by ${Math.round(watch.growthBytes / MIB)} MiB`;
  if (attack.after.has('disk_flat') && watch.diskBytes > DISK_BYTES) return `the disk lost ${watch.diskBytes} bytes`;
  if (attack.after.has('host_flat') && watch.hostBytes > HOST_BYTES)
    return `the machine lost ${Math.round(watch.hostBytes / MIB)} MiB`;
  return undefined;
}

/** No sandbox may have a log that grows on the machine's disk. */
export async function logFault(stack: Stack): Promise<string | undefined> {
  for (const { id } of await stack.sandboxes()) {
    const info = await inspectSandbox(id).catch((error: { statusCode?: number }) => {
      // Removed since it was listed: the next will do.
      if (error.statusCode !== 404) throw error;
      return undefined;
    });
    if (info === undefined) continue;
    const type = info.HostConfig.LogConfig?.Type;
    return type === 'none' ? undefined : `the log driver is ${type}`;
  }
  return 'no sandbox to look at';
}

function hostBefore() {
  return { cores: coreFiles(), files: hostFiles() };
}

function hostFault(before: Before): string | undefined {
  const cores = coreFiles().filter((name) => !before.cores.includes(name));
  if (cores.length > 0) return `core files on the machine: ${cores.join()}`;
  const files = changed(before.files, hostFiles());
  return files.length === 0 ? undefined : `changed on the machine: ${files.join()}`;
}

/** The co-tenant lives, and the next run is served. */
async function othersFault(client: Client, coTenant: CoTenant): Promise<string | undefined> {
  await coTenant.alive();
  const next = client.run('print("next")', 'python');
  const exit = await next.exit();
  return exit.code === 0 && next.stdout === 'next\n' ? undefined : 'the next run went wrong';
}
