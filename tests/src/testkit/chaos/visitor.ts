// A visitor as a good client is: one run after another over the project's client, which replaces lost connections and resumes.
import { Buffer } from 'node:buffer';
import { Client } from '@rungrid/client/client';
import type { RunEvent } from '@rungrid/client/frames';
import type { Run } from '@rungrid/client/run';
import { until } from '@rungrid/testkit/until';
import { WebSocket } from 'ws';
import { isEnd, type RunFrame } from '../run-handle.js';
import { outputOf, seenUpTo } from './checker.js';
import { type Leg, RESUME_GAP, type RunHistory } from './history.js';
import { askedFor, type Program } from './program.js';
import type { Seeded } from './seeded.js';

/** What the protocol promises as the longest life of a run, with the limits of the chaos tests, and some more, ms. */
const PATIENCE_MS = 150_000;
/** How often a visitor looks whether its run is over, ms. */
const LOOK_MS = 15;
/** Nothing listens here: without a gateway, the client fails to connect and tries again. */
const NOWHERE = 'http://127.0.0.1:1';

export interface Habits {
  /** How likely a run is one to be kept (on_disconnect), 0 to 1. */
  readonly keeps: number;
  /** How likely the visitor's own network fails in a run that is kept, and the gateway notices. */
  readonly drops: number;
  /** How likely it fails and the gateway does not: the old socket looks alive while the visitor resumes on another. */
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

interface LiveLeg extends Leg {
  gateway: string;
  readonly frames: RunFrame[];
  lost: boolean;
}

interface LiveVisit {
  readonly program: Program;
  readonly keep: boolean;
  readonly legs: LiveLeg[];
  readonly clickMs: number;
  /** The visitor's network fails once so many events are seen; undefined: never. */
  failsAfter: number | undefined;
  readonly fades: boolean;
  /** Bytes of stdin that were typed. */
  typed: number;
  firstByteMs: number | undefined;
  refusedMs: number | undefined;
  isOver: boolean;
}

export class Visitor {
  readonly #town: Town;
  readonly #random: Seeded;
  readonly #habits: Habits;
  readonly #client: Client;
  #socket: WebSocket | undefined;
  #gateway = NOWHERE;
  #visit: LiveVisit | undefined;
  readonly #faded: WebSocket[] = [];

  /** `town`: its gateways are asked for anew with each socket. */
  constructor(town: Town, options: { random: Seeded; habits: Habits }) {
    this.#town = town;
    this.#random = options.random;
    this.#habits = options.habits;
    this.#client = new Client({
      url: () => this.#pickGateway(),
      socket: (url) => (this.#socket = new WebSocket(url, { perMessageDeflate: false })),
    });
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
      legs: [newLeg(undefined)],
      clickMs: performance.now(),
      failsAfter: drops || fades ? this.#random.int(1, 10) : undefined,
      fades,
      typed: 0,
      firstByteMs: undefined,
      refusedMs: undefined,
      isOver: false,
    };
    this.#visit = visit;
    const run: Run = this.#client.run(
      {
        code: program.code,
        language: 'python',
        run: `n${program.number}`,
        token: this.#town.mint(''),
        on_disconnect: keep ? 'keep' : 'kill',
      },
      { onEvent: (event, atMs) => this.#see({ visit, run, event, atMs }) },
    );
    // A run that never ends is the checker's to find.
    await until(() => visit.isOver, { what: 'the end of a run', timeoutMs: PATIENCE_MS, everyMs: LOOK_MS }).catch(
      () => undefined,
    );
    for (const socket of this.#faded.splice(0)) socket.terminate();
    return { ...visit, legs: visit.legs.map((leg) => ({ ...leg, frames: [...leg.frames] })) };
  }

  leave(): void {
    this.#client.close();
  }

  #see({ visit, run, event, atMs }: { visit: LiveVisit; run: Run; event: RunEvent; atMs: number }): void {
    const leg = visit.legs.at(-1);
    if (leg === undefined || visit.isOver) return;
    switch (event.event) {
      case 'interrupted':
        leg.lost = true;
        visit.legs.push(newLeg(run.seq));
        return;
      case 'lost':
        leg.lost = true;
        visit.isOver = true;
        return;
      case 'gap':
        leg.frames.push({ event: 'error', data: { code: RESUME_GAP, message: '', retryable: false } });
        visit.isOver = true;
        return;
      case 'error':
        if (visit.legs.length === 1 && leg.frames.length === 0) visit.refusedMs = atMs - (run.sentMs ?? atMs);
        break;
      case 'stdout':
        if (visit.legs.length === 1) visit.firstByteMs ??= atMs - (run.sentMs ?? atMs);
        break;
      case 'queued':
      case 'resumed':
      case 'started':
      case 'compile':
      case 'stderr':
      case 'exit':
        break;
    }
    if (leg.frames.length === 0) leg.gateway = this.#gateway;
    leg.frames.push(event);
    visit.isOver = isEnd(event);
    if (visit.isOver) return;
    this.#type(visit, run);
    this.#fail(visit);
  }

  /** Types what the program has asked for and was not typed yet. */
  #type(visit: LiveVisit, run: Run): void {
    const asked = askedFor(visit.program, outputOf(visit.legs));
    if (asked <= visit.typed) return;
    void run.write(Buffer.from(visit.program.typed.join('')).subarray(visit.typed, asked).toString());
    visit.typed = asked;
  }

  /** The visitor's network fails, when it is time. */
  #fail(visit: LiveVisit): void {
    const socket = this.#socket;
    if (socket === undefined || visit.failsAfter === undefined || seenUpTo(visit.legs) < visit.failsAfter) return;
    visit.failsAfter = undefined;
    if (!visit.fades) return socket.terminate();
    // The client takes it for closed. It stays open, unread, until the run is over.
    socket.pause();
    this.#faded.push(socket);
    socket.emit('close', 1006, Buffer.alloc(0));
  }

  #pickGateway(): string {
    const gateways = this.#town.gateways();
    this.#gateway = gateways.length === 0 ? NOWHERE : this.#random.pick(gateways).url;
    return `${this.#gateway.replace(/^http/, 'ws')}/ws`;
  }
}

function newLeg(resumedAfter: number | undefined): LiveLeg {
  return { gateway: NOWHERE, resumedAfter, frames: [], lost: false };
}
