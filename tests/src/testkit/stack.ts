// A whole Rungrid of its own: private Redis, gateways and workers as processes, clients, and what they leave behind.
import { randomBytes } from 'node:crypto';
import { signToken, type SignOptions } from '@rungrid/proto/token';
import { Client, type ClientOptions } from './client.js';
import { listSandboxes, removeSandboxes, type SandboxInfo } from './docker.js';
import { type PrivateRedis, startRedis } from './redis.js';
import { type EngineProxy, startEngineProxy } from './engine-proxy.js';
import { ServiceProcess } from './service-process.js';

export const GATEWAY_MAIN = 'services/gateway/dist/main.js';
export const WORKER_MAIN = 'services/worker/dist/main.js';
/** The first key signs, both verify. */
export const KEYS = { first: 'first-key-of-the-tests', second: 'second-key-of-the-tests' } as const;
/** The origin that stacks allow by default. */
export const ORIGIN = 'http://page.test';

export interface StackOptions {
  /** Default 1 each. */
  readonly gateways?: number;
  readonly workers?: number;
  /** Languages of the workers. Default python. */
  readonly languages?: readonly string[];
  readonly gatewayEnv?: Readonly<Record<string, string>>;
  readonly workerEnv?: Readonly<Record<string, string>>;
  /** DOCKER_HOST of the workers' engine. Default: that of this process. */
  readonly engine?: string;
  /** Workers get the socket of an engine proxy, and the engine's own is nowhere in their environment. Default false. */
  readonly engineProxy?: boolean;
}

export interface Gateway {
  readonly process: ServiceProcess;
  /** http://host:port of clients, and of operators. */
  readonly url: string;
  readonly internal: string;
}
export interface Worker {
  readonly process: ServiceProcess;
  readonly id: string;
  readonly grpc: string;
  readonly metrics: string;
}
export type ConnectOptions = Partial<Omit<ClientOptions, 'url' | 'mint'>> & { readonly gateway?: Gateway };

/** Far above what a test needs, so that only the tests of a cap meet it. */
const GATEWAY_ENV = {
  GATEWAY_PORT: '0',
  GATEWAY_INTERNAL_PORT: '0',
  GATEWAY_TOKEN_KEYS: `first:${KEYS.first},second:${KEYS.second}`,
  GATEWAY_ALLOWED_ORIGINS: ORIGIN,
  GATEWAY_RUNS_PER_ADDRESS: '100000',
  GATEWAY_TOKENS_PER_ADDRESS: '100000',
  GATEWAY_SOCKETS_PER_ADDRESS: '1000',
  // All clients have one address and mostly one site here: each may have the whole queue.
  GATEWAY_ADDRESS_SHARE: '1',
  GATEWAY_SITE_SHARE: '1',
  // Beside other tests a run may wait for longer than a visitor would.
  GATEWAY_MAX_WAIT_MS: '60000',
  GATEWAY_QUEUE_TTL_MS: '60000',
  GATEWAY_DRAIN_MS: '1000',
} as const;
/** Warm sandboxes of each language, where a test does not say: each costs a container, so that many languages have one each. */
const minIdleOf = (languages: number) => (languages > 2 ? '1' : '2');

export class Stack {
  readonly prefix: string;
  /** What its gateways show to its workers. */
  readonly grpcSecret = randomBytes(32).toString('hex');
  readonly gateways: Gateway[] = [];
  readonly workers: Worker[] = [];
  /** Ids of all workers that ever were. */
  readonly owners: string[] = [];
  readonly #clients: Client[] = [];
  #engineProxy: EngineProxy | undefined;
  readonly redis: PrivateRedis;
  readonly options: StackOptions;

  private constructor(prefix: string, redis: PrivateRedis, options: StackOptions) {
    this.prefix = prefix;
    this.redis = redis;
    this.options = options;
  }

  static async start(options: StackOptions = {}): Promise<Stack> {
    const prefix = `t${randomBytes(5).toString('hex')}`;
    const stack = new Stack(prefix, await startRedis(prefix), options);
    try {
      if (options.engineProxy === true) stack.#engineProxy = await startEngineProxy({ prefix, engine: options.engine });
      await Promise.all(Array.from({ length: options.workers ?? 1 }, () => stack.addWorker()));
      await Promise.all(Array.from({ length: options.gateways ?? 1 }, () => stack.addGateway()));
    } catch (error) {
      await stack.close();
      throw error;
    }
    return stack;
  }

  get gateway(): Gateway {
    const [first] = this.gateways;
    if (first === undefined) throw new Error('the stack has no gateway');
    return first;
  }
  /** Undefined unless the stack was started with one. */
  get engineProxy(): EngineProxy | undefined {
    return this.#engineProxy;
  }
  get worker(): Worker {
    const [first] = this.workers;
    if (first === undefined) throw new Error('the stack has no worker');
    return first;
  }

  async addGateway(env: Readonly<Record<string, string>> = {}): Promise<Gateway> {
    const process = this.#spawn('gateway', { ...GATEWAY_ENV, ...this.options.gatewayEnv, ...env });
    const ready = await process.ready();
    const gateway = { process, url: String(ready['url']), internal: String(ready['internal']) };
    this.gateways.push(gateway);
    return gateway;
  }

  async addWorker(env: Readonly<Record<string, string>> = {}): Promise<Worker> {
    const process = this.#spawn('worker', {
      WORKER_GRPC_PORT: '0',
      WORKER_INTERNAL_PORT: '0',
      WORKER_LANGUAGES: this.languages.join(','),
      WORKER_POOL_MIN_IDLE: minIdleOf(this.languages.length),
      // Terminals and compile steps start cold: what tests count is what they started.
      WORKER_POOL_MIN_IDLE_TTY: '0',
      WORKER_POOL_MIN_IDLE_COMPILE: '0',
      // Most tests end workers whose runs have no client any more.
      WORKER_DRAIN_MS: '0',
      ...this.options.workerEnv,
      ...env,
    });
    const ready = await process.ready();
    const worker = { process, id: String(ready['id']), grpc: String(ready['grpc']), metrics: String(ready['metrics']) };
    this.workers.push(worker);
    this.owners.push(worker.id);
    return worker;
  }

  /** Takes a service out of the stack's books: a test that ends one itself says so. */
  forget(service: Gateway | Worker): void {
    for (const list of [this.gateways, this.workers] as unknown[][]) {
      const index = list.indexOf(service);
      if (index !== -1) list.splice(index, 1);
    }
  }

  /** A token for `origin`, of the first key. */
  mint(origin: string, options: Partial<Omit<SignOptions, 'origin'>> = {}): string {
    return signToken({ keyId: 'first', key: KEYS.first, ...options, origin });
  }

  /** A client whose socket is open. */
  async connect(options: ConnectOptions = {}): Promise<Client> {
    const { gateway = this.gateway, ...rest } = options;
    const client = new Client({
      url: `${gateway.url.replace(/^http/, 'ws')}/ws`,
      mint: (origin) => this.mint(origin),
      ...rest,
    });
    this.#clients.push(client);
    await client.opened();
    return client;
  }

  /** Clients that connected since the last call. */
  takeClients(): Client[] {
    return this.#clients.splice(0);
  }

  /** Sandboxes of this stack's workers. */
  sandboxes(): Promise<SandboxInfo[]> {
    return listSandboxes(this.owners, this.options.engine);
  }

  /** Sandboxes that serve a run. */
  async running(): Promise<SandboxInfo[]> {
    return (await this.sandboxes()).filter((sandbox) => sandbox.running);
  }

  get languages(): readonly string[] {
    return this.options.languages ?? ['python'];
  }
  /** Warm sandboxes that the live workers may hold. */
  get mostWarm(): number {
    const env = { WORKER_POOL_MIN_IDLE: minIdleOf(this.languages.length), ...this.options.workerEnv };
    return this.workers.length * this.languages.length * Number(env.WORKER_POOL_MIN_IDLE);
  }

  /** Ends everything. Rejects when a service did not end cleanly, or left a container. */
  async close(): Promise<void> {
    const faults: string[] = [];
    await Promise.all(this.gateways.map((gateway) => endCleanly('gateway', gateway.process, faults)));
    await Promise.all(this.workers.map((worker) => endCleanly('worker', worker.process, faults)));
    // After the workers, whose sandboxes are removed through it.
    if (this.#engineProxy !== undefined) {
      await endCleanly('engine proxy', this.#engineProxy.process, faults);
      this.#engineProxy.removeFolder();
    }
    await this.redis.close();
    const left = await removeSandboxes(this.owners, this.options.engine);
    if (left.length > 0) faults.push(`containers left behind: ${left.join(', ')}`);
    if (faults.length > 0) throw new Error(faults.join('\n'));
  }

  #spawn(service: 'gateway' | 'worker', env: Readonly<Record<string, string>>): ServiceProcess {
    const main = service === 'gateway' ? GATEWAY_MAIN : WORKER_MAIN;
    const dockerHost = this.#engineProxy?.host ?? this.options.engine ?? process.env['DOCKER_HOST'];
    return new ServiceProcess([process.execPath, main], {
      name: service,
      env: {
        RUNGRID_REDIS_URL: this.redis.urlOf(service),
        RUNGRID_PREFIX: this.prefix,
        RUNGRID_GRPC_SECRET: this.grpcSecret,
        RUNGRID_LOG_LEVEL: process.env['RUNGRID_LOG_LEVEL'] ?? 'info',
        ...(dockerHost === undefined ? {} : { DOCKER_HOST: dockerHost }),
        // The same tests over another runtime: SANDBOX_RUNTIME=runsc ./rungrid test --only security attacks
        SANDBOX_RUNTIME: process.env['SANDBOX_RUNTIME'] ?? 'runc',
        ...env,
      },
    });
  }
}

async function endCleanly(name: string, process: ServiceProcess, faults: string[]): Promise<void> {
  const early = process.exit;
  const exit = await process.stop();
  if (early !== undefined) faults.push(`the ${name} had ended before the test did:\n${process.log}`);
  else if (exit.code !== 0)
    faults.push(`the ${name} did not end cleanly (${exit.code ?? exit.signal}):\n${process.log}`);
}
