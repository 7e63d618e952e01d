// The few engine calls that are used, on dockerode: each with a deadline, each failure an EngineError.
import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { type DockerBody, LABELS } from '@rungrid/sandbox/docker-body';
import Docker from 'dockerode';
import { EngineError } from '../run/ports.js';
import { engineAddress, type ResolvedDockerOptions } from './options.js';
import type { StatsAnswer } from './stats.js';

/** What a listing says about a container. */
export interface ListedContainer {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly fleet: string;
  /** NaN without the label. */
  readonly uid: number;
}

/** One line of the event stream, as far as it is used. */
export interface EngineEvent {
  readonly action: string;
  readonly containerId: string;
  readonly exitCode: number | undefined;
}

/** docker-modem inspects its whole request on every call, for a debug line that is off; an agent full of sockets would cost milliseconds. */
class OpaqueAgent extends Agent {
  [inspect.custom](): string {
    return 'Agent';
  }
}

interface DialRequest {
  method: 'GET' | 'POST';
  path: string;
  statusCodes: Record<number, boolean | string>;
  abortSignal: AbortSignal;
  options?: { _query: Record<string, string | number>; _body?: DockerBody };
  headers?: Record<string, string>;
  file?: Buffer;
  isStream?: boolean;
  hijack?: boolean;
}

interface Dialer {
  dial(request: DialRequest, callback: (error: unknown, reply: unknown) => void): void;
}

/** Deadline of calls whose answers the last event of a run waits for, ms. Past it the run ends without them, because its client is waiting. */
const LAST_CALLS_MS = 1_500;
/** CPU quota of a container that is killed, in billionths of a CPU: the least that every machine has. */
const KILL_NANO_CPUS = 1e9;

interface CallOptions {
  /** Default: the deadline of all calls. */
  readonly timeoutMs?: number;
  readonly by?: Connections;
}

interface Connections {
  readonly docker: Docker;
  readonly agent: Agent;
}

export class DockerApi {
  readonly #calls: Connections;
  /** For pings alone: a ping behind sixteen slow calls would make the engine look unreachable. */
  readonly #pings: Connections;
  readonly #timeoutMs: number;

  constructor(options: ResolvedDockerOptions) {
    this.#calls = connections(options.host, options.maxSockets);
    this.#pings = connections(options.host, 1);
    this.#timeoutMs = options.callTimeoutMs;
  }

  async ping(options: { timeoutMs?: number } = {}): Promise<void> {
    const request = { method: 'GET', path: '/_ping', statusCodes: { 200: true } } as const;
    await this.#dial('ping', request, { ...options, by: this.#pings });
  }

  async info(): Promise<{
    cgroupDriver: string;
    cgroupVersion: string;
    identity: string;
    runtimes: readonly string[];
  }> {
    const request = { method: 'GET', path: '/info', statusCodes: { 200: true } } as const;
    const info = (await this.#dial('info', request)) as {
      CgroupDriver?: string;
      CgroupVersion?: string;
      ID?: string;
      ServerVersion?: string;
      KernelVersion?: string;
      DefaultRuntime?: string;
      RuncCommit?: { ID?: string };
      SecurityOptions?: string[];
      Runtimes?: Record<string, unknown>;
    };
    const { ID, ServerVersion, KernelVersion, DefaultRuntime, RuncCommit, SecurityOptions = [], Runtimes = {} } = info;
    // Engines before 20.10 do not report it, and support version 1 only.
    return {
      cgroupDriver: info.CgroupDriver ?? 'cgroupfs',
      cgroupVersion: info.CgroupVersion ?? '1',
      runtimes: Object.keys(Runtimes),
      identity: [
        ID,
        ServerVersion,
        KernelVersion,
        DefaultRuntime,
        RuncCommit?.ID,
        info.CgroupVersion,
        ...SecurityOptions,
        // Paths and arguments: a runtime with another configuration is another runtime.
        JSON.stringify(Runtimes),
      ].join(' '),
    };
  }

  async imageId(image: string): Promise<string | undefined> {
    try {
      const path = `/images/${encodeURIComponent(image)}/json`;
      const statusCodes = { 200: true, 404: 'no such image' };
      return ((await this.#dial('inspect image', { method: 'GET', path, statusCodes })) as { Id: string }).Id;
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  /** Creates a container and returns its id. dockerode's own method repeats the whole body in the address. */
  async create(name: string, body: DockerBody): Promise<string> {
    const reply = await this.#dial('create', {
      method: 'POST',
      path: '/containers/create?',
      statusCodes: { 201: true, 400: 'bad parameter', 404: 'no such image', 409: 'conflict', 500: 'server error' },
      options: { _query: { name }, _body: body },
    });
    return (reply as { Id: string }).Id;
  }

  /**
   * The container's hijacked stdin and stdout. The request has an empty body: a body, as dockerode's own method
   * sends it, reaches the container's stdin when the engine reads it after the headers.
   */
  async attach(id: string): Promise<Socket> {
    const socket = await this.#dial('attach', {
      method: 'POST',
      path: `/containers/${id}/attach?`,
      statusCodes: { 101: true, 200: true, 404: 'no such container', 409: 'conflict', 500: 'server error' },
      options: { _query: { stream: 1, stdin: 1, stdout: 1, stderr: 1 } },
      headers: { 'Content-Type': 'text/plain' },
      file: Buffer.alloc(0),
      isStream: true,
      hijack: true,
    });
    return socket as Socket;
  }

  async start(id: string): Promise<void> {
    await this.#call('start', (abortSignal) => this.#calls.docker.getContainer(id).start({ abortSignal }));
  }

  async rename(id: string, name: string): Promise<void> {
    await this.#call('rename', (abortSignal) => this.#calls.docker.getContainer(id).rename({ name, abortSignal }));
  }

  /** Kills a container and lifts its CPU quota, so that it dies at the machine's speed. Never rejects. */
  async killFast(id: string): Promise<void> {
    const container = this.#calls.docker.getContainer(id);
    const killed = this.#call('kill', (abortSignal) => container.kill({ signal: 'SIGKILL', abortSignal }));
    const lifted = this.#call('update', (abortSignal) => container.update({ NanoCpus: KILL_NANO_CPUS, abortSignal }));
    // The removal that follows reports whether the container still exists.
    await Promise.allSettled([killed, lifted]);
  }

  /** Kills and removes a container; resolves once it does not exist, whatever removed it. */
  async remove(id: string): Promise<void> {
    const container = this.#calls.docker.getContainer(id);
    try {
      await this.#call('remove', (abortSignal) => container.remove({ force: true, v: true, abortSignal }));
    } catch (error) {
      if (statusOf(error) === 404) return;
      // The engine is removing it already, because PID 1 has ended.
      if (statusOf(error) !== 409) throw error;
      await this.#waitRemoved(id);
    }
  }

  /** Rejects when the engine's own removal fails: the engine keeps the container, and the next call tries again. */
  async #waitRemoved(id: string): Promise<void> {
    try {
      const { Error: failure } = (await this.#call('wait', (abortSignal) =>
        this.#calls.docker.getContainer(id).wait({ condition: 'removed', abortSignal }),
      )) as { Error?: { Message?: string } | null };
      if (failure) throw toEngineError('remove', new Error(failure.Message));
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }

  /** Exit status and out-of-memory mark of a container that has ended; undefined when it was removed or still runs. */
  async exitState(id: string): Promise<{ status: number; oom: boolean } | undefined> {
    try {
      const { State } = await this.#call(
        'inspect',
        (abortSignal) => this.#calls.docker.getContainer(id).inspect({ abortSignal }),
        { timeoutMs: LAST_CALLS_MS },
      );
      return State.Running ? undefined : { status: State.ExitCode, oom: State.OOMKilled };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async stats(id: string): Promise<StatsAnswer> {
    const request: Omit<DialRequest, 'abortSignal'> = {
      method: 'GET',
      path: `/containers/${id}/stats?`,
      statusCodes: { 200: true, 404: 'no such container' },
      options: { _query: { stream: 'false', 'one-shot': 'true' } },
    };
    return (await this.#dial('stats', request, { timeoutMs: LAST_CALLS_MS })) as StatsAnswer;
  }

  /** Every sandbox on this engine, of any owner and in any state. */
  async list(): Promise<ListedContainer[]> {
    const listed = await this.#call('list', (abortSignal) =>
      this.#calls.docker.listContainers({ all: true, filters: { label: [LABELS.owner] }, abortSignal }),
    );
    return listed.map((entry) => ({
      id: entry.Id,
      name: entry.Names[0] ?? '',
      owner: entry.Labels[LABELS.owner] ?? '',
      fleet: entry.Labels[LABELS.fleet] ?? '',
      uid: Number(entry.Labels[LABELS.uid] ?? Number.NaN),
    }));
  }

  /** The engine's live events of one owner's containers: JSON, one per line. The caller destroys it. */
  async events(owner: string): Promise<Readable> {
    const filters = {
      type: ['container'],
      event: ['oom', 'die', 'destroy'],
      label: [`${LABELS.owner}=${owner}`],
    };
    return (await this.#dial('events', {
      method: 'GET',
      path: '/events?',
      statusCodes: { 200: true },
      options: { _query: { filters: JSON.stringify(filters) } },
      isStream: true,
    })) as Readable;
  }

  close(): void {
    this.#calls.agent.destroy();
    this.#pings.agent.destroy();
  }

  #dial(verb: string, request: Omit<DialRequest, 'abortSignal'>, options: CallOptions = {}): Promise<unknown> {
    const modem = (options.by ?? this.#calls).docker.modem as Dialer;
    const dial = (abortSignal: AbortSignal): Promise<unknown> => {
      const { promise, settle } = callback<unknown>();
      modem.dial({ ...request, abortSignal }, settle);
      return promise;
    };
    return this.#call(verb, dial, options);
  }

  /** Past its deadline a call is aborted, so that it holds no connection that later calls need. */
  async #call<T>(verb: string, call: (signal: AbortSignal) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const timeoutMs = Math.min(options.timeoutMs ?? this.#timeoutMs, this.#timeoutMs);
    const deadline = new AbortController();
    const { promise: expired, settle } = callback<never>();
    const timer = setTimeout(() => {
      settle(new EngineError(`docker ${verb}: no answer within ${timeoutMs} ms`, { retryable: true }), undefined);
      deadline.abort();
    }, timeoutMs);
    try {
      return await Promise.race([call(deadline.signal), expired]);
    } catch (error) {
      throw toEngineError(verb, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** HTTP status of the engine's answer behind an EngineError; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  const cause = error instanceof EngineError ? error.cause : error;
  const status = cause instanceof Error && 'statusCode' in cause ? cause.statusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** Reads one line of the event stream; undefined when it is not about a container. */
export function parseEvent(line: string): EngineEvent | undefined {
  const event = JSON.parse(line) as { Action?: unknown; Actor?: { ID?: unknown; Attributes?: { exitCode?: unknown } } };
  const containerId = event.Actor?.ID;
  if (typeof event.Action !== 'string' || typeof containerId !== 'string') return undefined;
  const exitCode = Number(event.Actor?.Attributes?.exitCode ?? Number.NaN);
  return { action: event.Action, containerId, exitCode: Number.isInteger(exitCode) ? exitCode : undefined };
}

function connections(host: string, maxSockets: number): Connections {
  const agent = new OpaqueAgent({ keepAlive: true, maxSockets, maxFreeSockets: maxSockets });
  // dockerode's types do not know that docker-modem takes an agent.
  const options: Docker.DockerOptions & { agent: Agent } = { ...engineAddress(host), agent };
  return { docker: new Docker(options), agent };
}

function callback<T>(): { promise: Promise<T>; settle: (error: unknown, value: T | undefined) => void } {
  let settle!: (error: unknown, value: T | undefined) => void;
  const promise = new Promise<T>((resolve, reject) => {
    settle = (error, value) => (error ? reject(error) : resolve(value as T));
  });
  return { promise, settle };
}

/** 4xx is an error of the request and final, except 409; every other error is retryable. */
function toEngineError(verb: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const status = statusOf(error);
  const retryable = status === undefined || status >= 500 || status === 409;
  const reason = error instanceof Error ? error.message.trim().slice(0, 500) : 'unknown failure';
  return new EngineError(`docker ${verb}: ${reason}`, { retryable, cause: error });
}
