// Which images a worker may ask for and run, and which containers are the fleet's: known ones at once, others by a call to the engine.
import { LABELS } from '@rungrid/sandbox/docker-body';
import { LRUCache } from 'lru-cache';
import { CONTAINER_ID, IMAGE_ID } from './calls.js';
import type { EnginePort } from './ports.js';
import { quoted, Refusal } from './refusal.js';

/** Ids remembered of each kind. A forgotten one costs a call to the engine, nothing else. */
const REMEMBERED = 8192;

export class Images {
  readonly #engine: EnginePort;
  readonly #allowed: readonly string[];
  readonly #known = new LRUCache<string, true>({ max: REMEMBERED });

  /** `allowed`: whole names, or prefixes that end with a slash. */
  constructor(engine: EnginePort, allowed: readonly string[]) {
    this.#engine = engine;
    this.#allowed = allowed;
  }

  /** Throws Refusal for a name that is not on the list. Any id may be inspected: checkId() decides whether it may run. */
  checkName(image: string): void {
    if (!IMAGE_ID.test(image) && !this.#isAllowed(image))
      throw new Refusal('foreign_image', `the image ${quoted(image)} is not one that workers use`);
  }

  /** Remembers the id of a name on the list: it may run from now on, also when the name gets another id. */
  learn(image: string, id: string): void {
    if (!IMAGE_ID.test(image) && IMAGE_ID.test(id)) this.#known.set(id, true);
  }

  /** Rejects with Refusal unless a name of this id is on the list, now or when it was inspected. */
  async checkId(id: string, signal?: AbortSignal): Promise<void> {
    if (this.#known.has(id)) return;
    const { status, body } = await this.#engine.call(
      { method: 'GET', target: `/images/${encodeURIComponent(id)}/json` },
      signal,
    );
    const names = status === 200 ? textsOf(fieldOf(parseAnswer(body), 'RepoTags')) : [];
    if (!names.some((name) => this.#isAllowed(name)))
      throw new Refusal('foreign_image', `the image ${quoted(id)} is not one that workers use`);
    this.#known.set(id, true);
  }

  #isAllowed(name: string): boolean {
    return this.#allowed.some((each) => (each.endsWith('/') ? name.startsWith(each) : name === each));
  }
}

export class Containers {
  readonly #engine: EnginePort;
  readonly #fleets: readonly string[];
  readonly #known = new LRUCache<string, true>({ max: REMEMBERED });

  constructor(engine: EnginePort, fleets: readonly string[]) {
    this.#engine = engine;
    this.#fleets = fleets;
  }

  /** Remembers a container that was created through the proxy. */
  remember(id: string): void {
    if (CONTAINER_ID.test(id)) this.#known.set(id, true);
  }

  /**
   * The id of a container of the fleet. The engine gets the id, because the name could be another container's by then. Rejects with
   * Refusal for any other container.
   */
  async resolve(container: string, signal?: AbortSignal): Promise<string> {
    if (this.#known.has(container)) return container;
    const { status, body } = await this.#engine.call(
      { method: 'GET', target: `/containers/${container}/json` },
      signal,
    );
    if (status === 404) throw new Refusal('no_such_container', `No such container: ${container}`);
    if (status !== 200) throw new Refusal('bad_answer', `the engine answers ${status} when asked about a container`);
    const answer = parseAnswer(body);
    const id = fieldOf(answer, 'Id');
    if (typeof id !== 'string' || !CONTAINER_ID.test(id) || !this.isOurs(fieldOf(fieldOf(answer, 'Config'), 'Labels')))
      throw new Refusal('foreign_container', `the container ${quoted(container)} is not of this fleet`);
    this.#known.set(id, true);
    return id;
  }

  isOurs(labels: unknown): boolean {
    const fleet = fieldOf(labels, LABELS.fleet);
    return typeof fleet === 'string' && this.#fleets.includes(fleet);
  }
}

/** The engine's JSON. Throws Refusal for anything else. */
export function parseAnswer(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new Refusal('bad_answer', 'the engine answers with what is not JSON', { cause: error });
  }
}

/** An own field of an object; undefined for everything else. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
