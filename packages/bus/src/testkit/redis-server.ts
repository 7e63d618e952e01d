// A real redis-server of a test's own, on a free port and in a folder of its own, that can be killed, stalled and started again.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export interface RedisServerOptions {
  /** Arguments after those that every server has, given its port and folder. */
  readonly args?: (server: { readonly port: number; readonly folder: string }) => readonly string[];
  /** A line that it prints when it can be used. Default: that it accepts connections. */
  readonly ready?: RegExp;
}

export class RedisServer {
  readonly port: number;
  /** Its working directory, removed with it. */
  readonly folder = mkdtempSync(join(tmpdir(), 'rungrid-redis-'));
  readonly #options: RedisServerOptions;
  #child: ChildProcess | undefined;

  private constructor(port: number, options: RedisServerOptions) {
    this.port = port;
    this.#options = options;
  }

  /** Without persistence, unless `args` say otherwise. Resolves when it can be used. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), options);
    await server.start();
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts it again after kill(): same port, same folder. */
  async start(): Promise<void> {
    const { args, ready = /eady to accept connections/ } = this.#options;
    const common = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.folder, '--save', ''];
    const child = spawn('redis-server', [...(args?.(this) ?? []), ...common], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(child);
    this.#child = child;
    const lines = createInterface({ input: child.stdout });
    const printed: string[] = [];
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        printed.push(line);
        if (ready.test(line)) resolve();
      });
      child.once('exit', () => reject(new Error(`redis-server ended before it was ready:\n${printed.join('\n')}`)));
      child.once('error', reject);
    });
    lines.removeAllListeners('line');
    lines.on('line', () => undefined);
  }

  /** As a crash would: no goodbye to anybody. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    children.delete(child);
  }

  /** SIGSTOP makes the server hang with its connections open; SIGCONT ends that. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name);
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * A port that was free a moment ago: below those that connections get by themselves (from 32768 on, net.ipv4.ip_local_port_range), so that none
 * takes it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = randomInt(12_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new Error('no port is free');
}
