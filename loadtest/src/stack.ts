// The bench's own stack: a private Redis, one worker and one gateway as processes, on the engine in DOCKER_HOST.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Key } from './client.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;

/** What scenarios act on: the bench's own stack, or a running installation of which only the address is known. */
export interface Target {
  readonly url: string;
  readonly key: Key;
  /** URLs of /metrics; none for a foreign target. */
  readonly metrics: readonly string[];
  /** By service; none for a foreign target. */
  readonly pids: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

export interface StackOptions {
  readonly languages: readonly string[];
  readonly workerEnv?: Readonly<Record<string, string>>;
  /** Aborts the start. */
  readonly signal: AbortSignal;
}

/** Starts the stack. Stops the started processes when one fails, or when the start is aborted. */
export async function startStack(options: StackOptions): Promise<Target> {
  const children: ChildProcess[] = [];
  const { signal } = options;
  const close = async () => {
    // Gateway, worker, Redis: each may need the ones that started before it.
    for (const child of children.toReversed()) await stop(child);
  };
  try {
    // A unix socket, as in `rungrid up`.
    const folder = mkdtempSync(join(tmpdir(), 'rungrid-bench-'));
    const socket = join(folder, 'redis.sock');
    const redis = launch(['redis-server', '--port', '0', '--unixsocket', socket, '--save', ''], { signal });
    redis.child.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    children.push(redis.child);
    await redis.line((line) => /eady to accept connections/.test(line));
    const shared = {
      RUNGRID_REDIS_URL: `unix://${socket}`,
      // A fleet of its own: workers reap only the orphans of their fleet, and the engine may be shared.
      RUNGRID_PREFIX: `bench-${randomBytes(4).toString('hex')}`,
      RUNGRID_LOG_LEVEL: 'info',
      RUNGRID_GRPC_SECRET: randomBytes(32).toString('hex'),
    };
    const key = { keyId: 'bench', key: randomBytes(24).toString('hex') };
    const workerEnv = {
      ...shared,
      ...inherited('DOCKER_HOST', 'WORKER_CGROUP_PARENT'),
      WORKER_LANGUAGES: options.languages.join(','),
      WORKER_POOL_MIN_IDLE_TTY: '0',
      ...options.workerEnv,
    };
    const worker = launch([process.execPath, 'services/worker/dist/main.js'], { signal, env: workerEnv });
    children.push(worker.child);
    const workerReady = await worker.line(isReady);
    const gatewayEnv = {
      ...shared,
      GATEWAY_PORT: '0',
      GATEWAY_INTERNAL_PORT: '0',
      GATEWAY_TOKEN_KEYS: `${key.keyId}:${key.key}`,
      GATEWAY_RUNS_PER_ADDRESS: '1000000',
      GATEWAY_SOCKETS_PER_ADDRESS: '2000',
    };
    const gateway = launch([process.execPath, 'services/gateway/dist/main.js'], { signal, env: gatewayEnv });
    children.push(gateway.child);
    const gatewayReady = await gateway.line(isReady);
    await poolFilled(field(workerReady, 'metrics'), signal);
    return {
      url: field(gatewayReady, 'url'),
      key,
      metrics: [field(gatewayReady, 'internal'), field(workerReady, 'metrics')],
      pids: { gateway: gateway.child.pid ?? 0, worker: worker.child.pid ?? 0 },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Waits until the pool starts no more sandboxes: scenarios measure a pool at rest. */
async function poolFilled(metricsUrl: string, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  let quiet = 0;
  while (quiet < 3) {
    if (performance.now() > deadlineMs) throw new Error('timed out waiting for the pool to fill');
    await delay(500, undefined, { signal });
    const text = await (await fetch(`${metricsUrl}/metrics`)).text();
    const starting = [...text.matchAll(/^rungrid_worker_starting_sandboxes\S* (\d+)$/gm)];
    quiet = starting.length > 0 && starting.every((match) => match[1] === '0') ? quiet + 1 : 0;
  }
}

/** Resident memory of a process, bytes. */
export function rssBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

function launch(command: readonly string[], options: { env?: Readonly<Record<string, string>>; signal: AbortSignal }) {
  const { env, signal } = options;
  signal.throwIfAborted();
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    cwd: ROOT,
    // A session of its own, as in `rungrid up`.
    detached: true,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const tail: string[] = [];
  const watchers = new Set<(line: string | undefined) => void>();
  const onLine = (line: string) => {
    tail.push(line);
    if (tail.length > 40) tail.shift();
    for (const watch of watchers) watch(line);
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
  child.on('error', (error) => onLine(error.message));
  child.on('close', () => {
    for (const watch of watchers) watch(undefined);
  });
  const line = (matches: (line: string) => boolean) =>
    new Promise<string>((resolve, reject) => {
      const settle = (found: string | undefined) => {
        clearTimeout(timer);
        watchers.delete(watch);
        signal.removeEventListener('abort', aborted);
        if (found === undefined) reject(new Error(`${command.join(' ')} was not ready in time:\n${tail.join('\n')}`));
        else resolve(found);
      };
      const watch = (text: string | undefined) => {
        if (text === undefined || matches(text)) settle(text);
      };
      const timer = setTimeout(() => settle(undefined), READY_TIMEOUT_MS);
      const aborted = () => settle(undefined);
      signal.addEventListener('abort', aborted);
      watchers.add(watch);
    });
  return { child, line };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

function inherited(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

function isReady(line: string): boolean {
  return line.startsWith('{') && (JSON.parse(line) as { msg?: unknown }).msg === 'ready';
}

function field(line: string, name: string): string {
  const value = (JSON.parse(line) as Record<string, unknown>)[name];
  if (typeof value !== 'string') throw new Error(`the ready line lacks ${name}: ${line}`);
  return value;
}
