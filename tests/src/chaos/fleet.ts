// A stack whose parts can be hurt: each place keeps its proxies and its clock, while the process in it is killed and replaced.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLOCK_FILE } from '../testkit/jumping-clock.js';
import { freePort } from '../testkit/redis.js';
import { type Gateway, Stack, type StackOptions, type Worker } from '../testkit/stack.js';
import { TcpProxy } from '../testkit/tcp-proxy.js';

/** Built by tsc -b; services run in the repository's root. */
const CLOCK_PRELOAD = './tests/dist/testkit/jumping-clock.js';
/** How long a part may drain, ms: it finishes its runs first. */
const LEAVE_MS = 60_000;

/** Where one gateway or worker runs, and another one after it. */
export class Place {
  /** Such as `worker 1`. */
  readonly name: string;
  /** Between it and Redis. */
  readonly redis: TcpProxy;
  /** Between it and gateways; a gateway has none. */
  readonly grpc: TcpProxy | undefined;
  readonly #stack: Stack;
  readonly #clockFile: string;
  readonly #start: () => Promise<Gateway | Worker>;
  #service: Gateway | Worker | undefined;

  constructor(given: {
    name: string;
    stack: Stack;
    redis: TcpProxy;
    grpc?: TcpProxy;
    clockFile: string;
    start: () => Promise<Gateway | Worker>;
  }) {
    this.name = given.name;
    this.redis = given.redis;
    this.grpc = given.grpc;
    this.#stack = given.stack;
    this.#clockFile = given.clockFile;
    this.#start = given.start;
  }

  /** A service in it, with the right time. */
  async start(): Promise<void> {
    this.#service = await this.#start();
  }

  signal(name: NodeJS.Signals): void {
    this.#here().process.signal(name);
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    const { process } = this.#takeOut();
    process.signal('SIGKILL');
    await process.exited;
  }

  /** Sends SIGTERM, and no new client. `ended` resolves when it has ended, and rejects when it did not end cleanly. */
  drain(): { ended: Promise<void> } {
    const { process } = this.#takeOut();
    const ended = async () => {
      const { code, signal } = await process.stop(LEAVE_MS);
      if (code !== 0) throw new Error(`${this.name} did not go cleanly (${code ?? signal}):\n${process.log}`);
    };
    return { ended: ended() };
  }

  /** Its wall clock is off by so much from now on, ms. */
  setClock(offsetMs: number): void {
    writeFileSync(this.#clockFile, String(offsetMs));
    this.signal('SIGUSR2');
  }

  async closeProxies(): Promise<void> {
    await Promise.all([this.redis.close(), this.grpc?.close()]);
  }

  #here(): Gateway | Worker {
    if (this.#service === undefined) throw new Error(`there is no ${this.name} just now`);
    return this.#service;
  }

  #takeOut(): Gateway | Worker {
    const service = this.#here();
    this.#stack.forget(service);
    this.#service = undefined;
    return service;
  }
}

export class Fleet {
  readonly stack: Stack;
  readonly gateways: readonly Place[];
  readonly workers: readonly Place[];
  readonly #folder: string;

  private constructor(stack: Stack, given: { gateways: Place[]; workers: Place[]; folder: string }) {
    this.stack = stack;
    this.gateways = given.gateways;
    this.workers = given.workers;
    this.#folder = given.folder;
  }

  /** `size` gateways and as many workers, which reach the engine through a proxy. */
  static async start(size: number, options: Pick<StackOptions, 'gatewayEnv' | 'workerEnv'> = {}): Promise<Fleet> {
    const stack = await Stack.start({ ...options, gateways: 0, workers: 0, engineProxy: true });
    const folder = mkdtempSync(join(tmpdir(), 'rungrid-clocks-'));
    const numbers = Array.from({ length: size }, (_, index) => index + 1);
    const workers = await Promise.all(
      numbers.map((number) => workerPlace(stack, { name: `worker ${number}`, folder })),
    );
    const gateways = await Promise.all(
      numbers.map((number) => gatewayPlace(stack, { name: `gateway ${number}`, folder })),
    );
    const fleet = new Fleet(stack, { gateways, workers, folder });
    try {
      await Promise.all(workers.map((place) => place.start()));
      await Promise.all(gateways.map((place) => place.start()));
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  async close(): Promise<void> {
    try {
      await this.stack.close();
    } finally {
      await Promise.all([...this.gateways, ...this.workers].map((place) => place.closeProxies()));
      rmSync(this.#folder, { recursive: true });
    }
  }
}

interface PlaceOptions {
  readonly name: string;
  readonly folder: string;
}

async function gatewayPlace(stack: Stack, { name, folder }: PlaceOptions): Promise<Place> {
  const common = await commonParts(stack, { user: 'gateway', name, folder });
  return new Place({ ...common, start: () => stack.addGateway(common.env) });
}

async function workerPlace(stack: Stack, { name, folder }: PlaceOptions): Promise<Place> {
  const common = await commonParts(stack, { user: 'worker', name, folder });
  const port = await freePort();
  const grpc = await TcpProxy.start(port);
  const env = { ...common.env, WORKER_GRPC_PORT: String(port), WORKER_ADVERTISE: grpc.address };
  return new Place({ ...common, grpc, start: () => stack.addWorker(env) });
}

async function commonParts(stack: Stack, { user, name, folder }: PlaceOptions & { user: 'gateway' | 'worker' }) {
  const url = new URL(stack.redis.urlOf(user));
  const redis = await TcpProxy.start(Number(url.port));
  url.port = String(redis.port);
  const clockFile = join(folder, name.replace(' ', '-'));
  const env = {
    RUNGRID_REDIS_URL: url.href,
    NODE_OPTIONS: `--import ${CLOCK_PRELOAD}`,
    [CLOCK_FILE]: clockFile,
  };
  return { name, stack, redis, clockFile, env };
}
