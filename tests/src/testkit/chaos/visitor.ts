// A visitor as a good client is: one socket to any gateway, a run after another on it, and when it is lost, another socket and resume.
import { Buffer } from 'node:buffer';
import { outputOf, seenUpTo } from './checker.js';
import { isRetriedResume, type Leg, RESUME_GAP, type RunHistory } from './history.js';
import { askedFor, type Program } from './program.js';
import type { Seeded } from './seeded.js';
import { Client } from '../client.js';
import { isEnd, type RunFrame, type RunHandle } from '../run-handle.js';
import { quietFor, until } from '@rungrid/testkit/until';

/** What the protocol promises as the longest life of a run, with the limits of the chaos tests, and some more, ms. */
const PATIENCE_MS = 150_000;
/** How long a gateway may take to answer a new socket before another one is tried, ms. */
const CONNECT_MS = 3_000;
/** Pause before a lost socket is replaced, ms, at most. */
const RECONNECT_MS = 500;
/** How often a visitor looks and types, ms. */
const LOOK_MS = 15;

export interface Habits {
  /** How likely a run is one to be kept (on_disconnect), 0 to 1. */
  readonly keeps: number;
  /** How likely the visitor's own network fails in a run that is kept, and the gateway hears of it. */
  readonly drops: number;
  /** How likely it fails and the gateway does not: the old socket looks alive while the visitor comes back on another. */
  readonly fades: number;
}

/** Where a visitor goes. */
export interface Town {
  /** The gateways that are there just now. */
  gateways(): readonly { readonly url: string }[];
  /** A token for `origin`. */
  mint(origin: string): string;
}

export interface Visit extends RunHistory {
  /** When run_code was sent, ms of performance.now(). */
  readonly clickMs: number;
  /** From the click to the first byte, ms; undefined when that came on a later socket, or never. */
  readonly firstByteMs: number | undefined;
  /** From the click to a refusal, ms. */
  readonly refusedMs: number | undefined;
}

interface LiveLeg extends Omit<Leg, 'frames'> {
  frames: readonly RunFrame[];
  readonly client: Client;
  readonly handle: RunHandle;
  readonly sentMs: number;
}

interface LiveVisit {
  readonly program: Program;
  readonly keep: boolean;
  readonly legs: LiveLeg[];
  /** The visitor's network fails once so many events are seen; undefined: never. */
  failsAfter: number | undefined;
  readonly fades: boolean;
  /** Bytes of stdin that this socket has sent, or that an earlier one is known to have. */
  typed: number;
}

export class Visitor {
  readonly #town: Town;
  readonly #random: Seeded;
  readonly #habits: Habits;
  #client: Client | undefined;
  #gateway = '';
  #visit: LiveVisit | undefined;
  readonly #faded = new Set<Client>();

  /** `town`: its gateways are asked for anew with each socket. */
  constructor(town: Town, options: { random: Seeded; habits: Habits }) {
    this.#town = town;
    this.#random = options.random;
    this.#habits = options.habits;
  }

  /** The last seq that it has seen of the run that it looks at, over all sockets; 0 without one. */
  get seen(): number {
    return this.#visit === undefined ? 0 : seenUpTo(this.#visit.legs);
  }

  /** Runs it to its end, whatever that is; what was seen of it is for the checker. */
  async run(program: Program): Promise<Visit> {
    const keep = this.#random.chance(this.#habits.keeps);
    const drops = keep && this.#random.chance(this.#habits.drops);
    const fades = keep && !drops && this.#random.chance(this.#habits.fades);
    const visit: LiveVisit = {
      program,
      keep,
      legs: [],
      failsAfter: drops || fades ? this.#random.int(1, 10) : undefined,
      fades,
      typed: 0,
    };
    this.#visit = visit;
    const client = await this.#connected();
    const onDisconnect = keep ? 'keep' : 'kill';
    this.#addLeg(visit, client.run(program.code, 'python', { run: nameOf(program), on_disconnect: onDisconnect }));
    // A run that never ends is the checker's to find.
    await until(() => this.#step(visit), {
      what: 'the end of a run',
      timeoutMs: PATIENCE_MS,
      everyMs: LOOK_MS,
    }).catch(() => undefined);
    const seen = seenOf(visit);
    for (const faded of this.#faded) faded.vanish();
    this.#faded.clear();
    return seen;
  }

  async leave(): Promise<void> {
    await this.#client?.close();
  }

  /** Looks at the run once and does what is to be done. Returns whether it is over. */
  async #step(visit: LiveVisit): Promise<boolean> {
    const leg = visit.legs.at(-1);
    if (leg === undefined) return true;
    const last = leg.frames.findLast((frame) => isEnd(frame));
    if (last !== undefined) {
      if (last.event === 'error' && last.data.code === RESUME_GAP) return true;
      if (!isRetriedResume(leg, last)) return true;
      return this.#comeBack(visit);
    }
    if (leg.lost) return this.#comeBack(visit);
    this.#type(visit, leg);
    if (visit.failsAfter !== undefined && seenUpTo(visit.legs) >= visit.failsAfter) {
      visit.failsAfter = undefined;
      if (visit.fades) this.#fade(leg);
      else leg.client.vanish();
    }
    return false;
  }

  /** Nothing of the socket is read any more, and it stays open until the run is over. */
  #fade(leg: LiveLeg): void {
    leg.client.socket.pause();
    leg.frames = [...leg.frames];
    this.#faded.add(leg.client);
    this.#client = undefined;
  }

  /** Types what the program has asked for and was not sent yet. */
  #type(visit: LiveVisit, leg: LiveLeg): void {
    if (visit.program.typed.length === 0) return;
    if (leg.resumedAfter !== undefined) {
      const [answer] = leg.frames;
      if (answer?.event !== 'resumed') return;
      visit.typed = Math.max(visit.typed, answer.data.stdin_bytes);
    }
    const asked = askedFor(visit.program, outputOf(visit.legs));
    if (asked <= visit.typed) return;
    const text = Buffer.from(visit.program.typed.join('')).subarray(visit.typed, asked).toString();
    visit.typed = asked;
    leg.handle.stdin(text);
  }

  /** Resumes on another socket. Returns true when there is nothing that could be resumed. */
  async #comeBack(visit: LiveVisit): Promise<boolean> {
    const key = resumeKeyOf(visit);
    if (key === undefined) return true;
    await quietFor(this.#random.int(0, RECONNECT_MS));
    const client = await this.#connected();
    const after = seenUpTo(visit.legs);
    // What the last socket sent and the program did not get is lost with it: the answer tells.
    visit.typed = 0;
    this.#addLeg(visit, client.resume({ run: nameOf(visit.program), key, after }), after);
    return false;
  }

  #addLeg(visit: LiveVisit, handle: RunHandle, resumedAfter?: number): void {
    const client = this.#client;
    if (client === undefined) throw new Error('no socket');
    const isFaded = () => this.#faded.has(client);
    const leg: LiveLeg = {
      gateway: this.#gateway,
      client,
      handle,
      sentMs: performance.now(),
      resumedAfter,
      frames: handle.events,
      get lost() {
        return (client.closeInfo !== undefined || isFaded()) && !leg.frames.some((frame) => isEnd(frame));
      },
    };
    visit.legs.push(leg);
  }

  /** The socket that it has, or another one to any gateway; asks until one answers. */
  async #connected(): Promise<Client> {
    if (this.#client !== undefined && isUsable(this.#client)) return this.#client;
    this.#client?.vanish();
    return until(() => this.#connect(), { what: 'a gateway that answers', timeoutMs: PATIENCE_MS, everyMs: 100 });
  }

  async #connect(): Promise<Client | undefined> {
    const gateways = this.#town.gateways();
    if (gateways.length === 0) return undefined;
    const { url } = this.#random.pick(gateways);
    const client = new Client({ url: `${url.replace(/^http/, 'ws')}/ws`, mint: (origin) => this.#town.mint(origin) });
    const answered = () => client.events.some((frame) => frame.event === 'hello');
    await until(() => answered() || client.closeInfo !== undefined, { what: 'hello', timeoutMs: CONNECT_MS }).catch(
      () => undefined,
    );
    if (!answered() || !isUsable(client)) {
      client.vanish();
      return undefined;
    }
    this.#client = client;
    this.#gateway = url;
    return client;
  }
}

/** Open, and not about to go. */
function isUsable(client: Client): boolean {
  return client.closeInfo === undefined && !client.events.some((frame) => frame.event === 'draining');
}

function nameOf(program: Program): string {
  return `n${program.number}`;
}

/** Of a run that its gateway keeps: one that is to be kept, or whose gateway said that it is going away. */
function resumeKeyOf(visit: LiveVisit): string | undefined {
  const leaving = visit.legs.some(({ client }) => client.events.some((frame) => frame.event === 'draining'));
  if (!visit.keep && !leaving) return undefined;
  for (const frame of visit.legs.flatMap((leg) => leg.frames)) {
    if (frame.event === 'started') return frame.data.resume_key;
  }
  return undefined;
}

function seenOf(visit: LiveVisit): Visit {
  const [first] = visit.legs;
  const at = (wanted: string) => {
    const index = first?.frames.findIndex((frame) => frame.event === wanted) ?? -1;
    const time = first?.handle.timesMs[index];
    return time === undefined || first === undefined ? undefined : time - first.sentMs;
  };
  const refused = first?.frames[0]?.event === 'error';
  return {
    program: visit.program,
    keep: visit.keep,
    legs: visit.legs.map(({ gateway, resumedAfter, frames, lost }) => ({
      gateway,
      resumedAfter,
      frames: [...frames],
      lost,
    })),
    clickMs: first?.sentMs ?? 0,
    firstByteMs: at('stdout'),
    refusedMs: refused ? at('error') : undefined,
  };
}
