// A worker without sandboxes, for tests: claims runs from Redis as a real one does, and does with each what its script says.
import { Buffer } from 'node:buffer';
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Keys } from '@rungrid/bus/keys';
import { WORKER_GROUP } from '@rungrid/bus/keys';
import type { Logger } from '@rungrid/kit/logger';
import { RunClaims } from '@rungrid/bus/run-claims';
import { connectRedis, type Redis } from '@rungrid/bus/connection';
import { announceWorker, HEARTBEAT_MS, retractWorker } from '@rungrid/bus/workers';
import { RunEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import { RUN_METHOD } from '@rungrid/proto/method';
import { parseRunRequest, type RunRequest, type WorkerInfo } from '@rungrid/proto/stream-entries';
import { until } from '@rungrid/testkit/until';

type Call = ServerDuplexStream<RunInput, RunEvent>;
type Body = NonNullable<RunEvent['event']>;
type Input = NonNullable<RunInput['input']>;

/** The secret that it asks gateways for. */
export const GRPC_SECRET = 'a-grpc-secret-of-the-gateway-tests';

/** One claimed run, as a script sees it. */
export class ScriptedRun {
  readonly request: RunRequest;
  readonly inputs: Input[] = [];
  epoch = 1;
  cancelled = false;
  #seq = 0;
  readonly #call: Call;

  constructor(request: RunRequest, call: Call) {
    this.request = request;
    this.#call = call;
    call.on('cancelled', () => {
      this.cancelled = true;
    });
  }

  get stdin(): string {
    return this.inputs.flatMap((input) => (input.$case === 'stdin' ? [input.value.toString()] : [])).join('');
  }

  /** Sends the next event; false: the stream does not take more for now. */
  send(event: Body, seq?: number): boolean {
    this.#seq = seq ?? (event.$case === 'stdinConsumed' ? this.#seq : this.#seq + 1);
    return this.#call.write(RunEvent.fromPartial({ seq: event.$case === 'stdinConsumed' ? 0 : this.#seq, event }));
  }

  output(stream: 'stdout' | 'compile', text: string, seq?: number): boolean {
    return this.send({ $case: stream, value: Buffer.from(text) }, seq);
  }

  onceDrained(then: () => void): void {
    this.#call.once('drain', then);
  }

  started(): void {
    this.send({ $case: 'started', value: { language: this.request.language, version: '1.2.3', warm: true, atUs: 1 } });
  }

  exit(reason = 'exited', code: number | null = 0): void {
    const usage = { wallMs: 12, cpuMs: 3, memoryBytes: 4096, outputBytes: 5 };
    this.send({ $case: 'exit', value: { ...(code === null ? {} : { code }), reason, usage, truncated: false } });
    this.#call.end();
  }

  fail(code: status): void {
    this.#call.emit('error', { code, details: 'as scripted' });
  }
}

export interface Script {
  attached(run: ScriptedRun): void;
  input?(run: ScriptedRun, input: Input): void;
}

export const SCRIPTED_LANGUAGE = {
  name: 'scripted',
  title: 'Scripted',
  version: '1.2.3',
  aliases: ['sc'],
  file_name: 'main.sc',
  mode: 'warm' as const,
  hello: 'echo',
};

export interface ScriptedWorkerOptions {
  readonly url: string;
  readonly keys: Keys;
  readonly logger: Logger;
  readonly script: Script;
}

export class ScriptedWorker {
  readonly runs: ScriptedRun[] = [];
  #pulling = true;
  #idle = false;
  readonly #requests = new Map<string, { request: RunRequest; epoch: number }>();
  readonly #options: ScriptedWorkerOptions;
  readonly #redis: Redis;
  readonly #blocking: Redis;
  readonly #server = new Server();
  readonly #id = `scripted-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  #address = '';
  #stopped = false;
  #heartbeat: NodeJS.Timeout | undefined;
  #pulled: Promise<void> | undefined;

  private constructor(options: ScriptedWorkerOptions) {
    this.#options = options;
    this.#redis = connectRedis({ url: options.url, logger: options.logger, name: 'scripted' });
    this.#blocking = connectRedis({
      url: options.url,
      logger: options.logger,
      name: 'scripted-blocking',
      blocking: true,
    });
  }

  static async start(options: ScriptedWorkerOptions): Promise<ScriptedWorker> {
    const worker = new ScriptedWorker(options);
    await worker.#listen();
    await worker.announce();
    worker.#heartbeat = setInterval(() => void worker.announce().catch(() => undefined), HEARTBEAT_MS);
    worker.#pulled = worker.#pull();
    return worker;
  }

  async announce(changes: Partial<WorkerInfo> = {}): Promise<void> {
    await announceWorker(this.#redis, this.#options.keys, {
      id: this.#id,
      grpc: this.#address,
      metrics: 'http://127.0.0.1:1',
      pid: process.pid,
      draining: false,
      languages: [SCRIPTED_LANGUAGE],
      ...changes,
    });
  }

  /** Leaves runs in the queue from now on; resolves when no read is under way. */
  async pause(): Promise<void> {
    this.#pulling = false;
    await until(() => this.#idle, { what: 'the worker to pause' });
  }

  resume(): void {
    this.#pulling = true;
  }

  /** Drops all connections at once, as a machine that dies. */
  die(): void {
    this.#server.forceShutdown();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#heartbeat);
    this.#server.forceShutdown();
    await retractWorker(this.#redis, this.#options.keys, this.#id);
    this.#blocking.disconnect();
    await this.#pulled;
    this.#redis.disconnect();
  }

  async #listen(): Promise<void> {
    this.#server.addService({ run: RUN_METHOD }, { run: (call: Call) => this.#serve(call) });
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    this.#address = `127.0.0.1:${port}`;
  }

  #serve(call: Call): void {
    let run: ScriptedRun | undefined;
    call.on('error', () => undefined);
    if (call.metadata.get('authorization')[0] !== `Bearer ${GRPC_SECRET}`) {
      call.emit('error', { code: status.UNAUTHENTICATED, details: 'not our secret' });
      return;
    }
    call.on('data', ({ input }: RunInput) => {
      if (input === undefined) return;
      if (run !== undefined) {
        run.inputs.push(input);
        this.#options.script.input?.(run, input);
        return;
      }
      const known = input.$case === 'attach' ? this.#requests.get(input.value.runId) : undefined;
      if (input.$case !== 'attach' || known === undefined || ![0, input.value.epoch].includes(known.epoch)) {
        call.emit('error', { code: status.NOT_FOUND, details: 'no such run' });
      } else if (!Buffer.from(known.request.key).equals(Buffer.from(input.value.key))) {
        call.emit('error', { code: status.PERMISSION_DENIED, details: 'wrong key' });
      } else {
        run = new ScriptedRun(known.request, call);
        this.runs.push(run);
        this.#options.script.attached(run);
      }
    });
  }

  async #pull(): Promise<void> {
    const { keys } = this.#options;
    const claims = new RunClaims(this.#redis, keys);
    const queue = keys.queue(SCRIPTED_LANGUAGE.name);
    await this.#createGroup(queue);
    while (!this.#stopped) {
      this.#idle = !this.#pulling;
      if (this.#idle) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      const streams = await this.#read(queue);
      for (const [entryId, fields] of streams) {
        const request = parseRunRequest(fields[1] ?? '');
        if (request === undefined) throw new Error('not a run request');
        await this.#claim(claims, { request, entryId });
      }
    }
  }

  async #read(queue: string): Promise<[string, string[]][]> {
    try {
      const reply = (await this.#blocking.xreadgroup(
        ...(['GROUP', WORKER_GROUP, this.#id, 'COUNT', 1, 'BLOCK', 50, 'STREAMS', queue, '>'] as const),
      )) as [string, [string, string[]][]][] | null;
      return reply?.[0]?.[1] ?? [];
    } catch (error) {
      // Redis is unreachable, or has restarted without its data.
      if (String(error).includes('NOGROUP')) await this.#createGroup(queue).catch(() => undefined);
      else await new Promise((resolve) => setTimeout(resolve, 50));
      return [];
    }
  }

  async #createGroup(queue: string): Promise<void> {
    await this.#redis.xgroup('CREATE', queue, WORKER_GROUP, '0', 'MKSTREAM');
  }

  async #claim(claims: RunClaims, given: { request: RunRequest; entryId: string }): Promise<void> {
    const { request, entryId } = given;
    // As a worker: the gateway may get the notice before the claim's answer is here.
    this.#requests.set(request.run, { request, epoch: 0 });
    const epoch = await claims.claim({
      runId: request.run,
      language: request.language,
      entryId,
      gatewayId: request.gateway,
      workerId: this.#id,
      address: this.#address,
      notify: true,
      heldTtlMs: 60_000,
    });
    if (epoch === 0) this.#requests.delete(request.run);
    else this.#requests.set(request.run, { request, epoch });
  }
}
