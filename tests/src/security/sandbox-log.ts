// What becomes of every sandbox of a stack, from the engine's events: its trace from outside, the run that it serves, and its end.
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { until } from '@rungrid/testkit/until';
import { dockerAt } from '../testkit/docker.js';
import { remainsOf, type Trace, traceOf } from '../testkit/outside.js';
import type { RunHandle } from '../testkit/run-handle.js';
import type { Stack } from '../testkit/stack.js';

/** Label of the installation; the self-test's sandboxes have another. */
const FLEET_LABEL = 'sandbox.fleet';
const RUN_NAME = /^run-(.+)-\d+$/;

interface EngineEvent {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

export class SandboxLog {
  readonly #stream: Readable;
  readonly #traces = new Map<string, Trace>();
  /** Container by run; a run that is over within a fraction of a second never gives its sandbox a name. */
  readonly #byRun = new Map<string, string>();
  readonly #removed = new Set<string>();

  private constructor(stream: Readable) {
    this.#stream = stream;
    void this.#read();
  }

  /** Of sandboxes that start from now on, and of those that are there. */
  static async follow(stack: Stack): Promise<SandboxLog> {
    const filters = { type: ['container'], label: [`${FLEET_LABEL}=${stack.prefix}`] };
    const log = new SandboxLog((await dockerAt().getEvents({ filters: JSON.stringify(filters) })) as Readable);
    await Promise.all((await stack.sandboxes()).map(({ id }) => log.#trace(id)));
    return log;
  }

  stop(): void {
    this.#stream.destroy();
  }

  /** How many were traced, and are removed. */
  get removed(): number {
    return [...this.#traces.keys()].filter((id) => this.#removed.has(id)).length;
  }

  /** Leftovers of removed ones, one line each. */
  remains(): string[] {
    return [...this.#traces.values()].filter(({ id }) => this.#removed.has(id)).flatMap(remainsOf);
  }

  /** What is wrong with the removal of a run's sandbox, which may take so long; undefined: nothing, or it never had a name. */
  async teardownFault(run: RunHandle, withinMs: number): Promise<string | undefined> {
    const id = hasStarted(run) ? this.#byRun.get(run.resumeKey.split('.')[0] ?? '') : undefined;
    if (id === undefined) return undefined;
    const trace = this.#traces.get(id);
    const left = () => [
      ...(this.#removed.has(id) ? [] : [`container ${id}`]),
      ...(trace === undefined ? [] : remainsOf(trace)),
    ];
    return until(() => left().length === 0, { what: () => left().join('; '), timeoutMs: withinMs, everyMs: 100 }).then(
      () => undefined,
      (error: unknown) => `left of its sandbox: ${String(error)}`,
    );
  }

  async #read(): Promise<void> {
    try {
      for await (const line of createInterface({ input: this.#stream })) this.#note(JSON.parse(line) as EngineEvent);
    } catch (error) {
      // The stream's end by stop() is no fault.
      if (!this.#stream.destroyed) throw error;
    }
  }

  #note({ Action: action, Actor: { ID: id, Attributes: attributes } }: EngineEvent): void {
    if (action === 'start') void this.#trace(id);
    else if (action === 'destroy') this.#removed.add(id);
    else if (action === 'rename') {
      const run = RUN_NAME.exec((attributes['name'] ?? '').replace(/^\//, ''))?.[1];
      if (run !== undefined) this.#byRun.set(run, id);
    }
  }

  /** One that ends before it is looked at had nothing to run. */
  async #trace(id: string): Promise<void> {
    await traceOf(id).then(
      (trace) => this.#traces.set(id, trace),
      () => undefined,
    );
  }
}

/** Whether it came past its compile step, and so had a sandbox to run in. */
export function hasStarted(run: RunHandle): boolean {
  return run.events.some(({ event }) => event === 'started');
}
