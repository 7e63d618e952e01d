// Visitors who run one numbered program after another, and the tally of what the checker says about it.
import { type Verdict, judge, type Violation } from '../testkit/chaos/checker.js';
import { anyProgram, type Program } from '../testkit/chaos/program.js';
import { Seeded } from '../testkit/chaos/seeded.js';
import type { Stack } from '../testkit/stack.js';
import { quietFor, until } from '@rungrid/testkit/until';
import { type Habits, type Town, type Visit, Visitor } from '../testkit/chaos/visitor.js';

/** After a refusal a visitor waits this long, ms, at most. */
const AFTER_REFUSAL_MS = 1_000;
/** Histories of violations that are kept whole, to be printed. */
const KEPT_HISTORIES = 10;

export interface LoadOptions {
  readonly seed: number;
  readonly visitors: number;
  readonly habits: Habits;
  /** Which program a number gets. Default: any, by the seed. */
  readonly program?: (number: number) => Program;
}

export class Load {
  readonly violations: Violation[] = [];
  /** Histories of runs with a violation. */
  readonly suspects: Visit[] = [];
  /** By ending. */
  readonly endings = new Map<string, number>();
  /** Errors that ended accepted runs, by code and message. */
  readonly errors = new Map<string, number>();
  /** First bytes of runs, ms, with the moment of the click. */
  readonly firstBytes: { readonly clickMs: number; readonly ms: number }[] = [];
  /** Resumes that were answered with `resumed`. */
  resumes = 0;
  runs = 0;
  accepted = 0;
  readonly #stack: Stack;
  readonly #options: LoadOptions;
  readonly #over: Promise<void>;
  #stopped = false;
  #nextNumber = 1;

  constructor(stack: Stack, options: LoadOptions) {
    this.#stack = stack;
    this.#options = options;
    const seeded = new Seeded(options.seed);
    const visits = Array.from({ length: options.visitors }, (_, index) => this.#visit(seeded.fork(index)));
    this.#over = Promise.all(visits).then(() => undefined);
    // stop() reports a failure.
    this.#over.catch(() => undefined);
  }

  /** Waits until so many runs are over. */
  async reached(runs: number, timeoutMs: number): Promise<void> {
    await until(() => this.runs >= runs, {
      what: () => `${runs} runs; ${this.runs} are over`,
      timeoutMs,
      everyMs: 100,
    });
  }

  /** No run begins any more; resolves when all are over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#over;
  }

  /** Accepted runs that ended by a terminal event. */
  get terminals(): number {
    return [...this.endings].reduce((sum, [ending, count]) => (isTerminal(ending) ? sum + count : sum), 0);
  }

  /** Accepted runs whose client lost its socket and could not resume them. */
  get lostWithSocket(): number {
    return this.endings.get('socket_lost') ?? 0;
  }

  /** The checker's table. */
  table(): Record<string, number> {
    return {
      runs: this.runs,
      accepted: this.accepted,
      'with a terminal event': this.terminals,
      'lost with their socket, not to be resumed': this.lostWithSocket,
      resumes: this.resumes,
      violations: this.violations.length,
      ...Object.fromEntries([...this.endings].map(([ending, count]) => [`ended: ${ending}`, count])),
    };
  }

  async #visit(random: Seeded): Promise<void> {
    const visitor = new Visitor(townOf(this.#stack), { random, habits: this.#options.habits });
    try {
      while (!this.#stopped) {
        const visit = await visitor.run(this.#program());
        if (this.#record(visit).ending.startsWith('refused')) await quietFor(random.int(100, AFTER_REFUSAL_MS));
      }
    } finally {
      visitor.leave();
    }
  }

  #program(): Program {
    const number = this.#nextNumber++;
    return this.#options.program?.(number) ?? anyProgram(number, new Seeded(this.#options.seed).fork(number));
  }

  #record(visit: Visit): Verdict {
    const verdict = judge(visit);
    this.runs += 1;
    if (verdict.accepted) this.accepted += 1;
    this.resumes += verdict.resumes;
    count(this.endings, verdict.ending);
    if (verdict.accepted && verdict.error !== undefined) count(this.errors, verdict.error);
    if (visit.firstByteMs !== undefined) this.firstBytes.push({ clickMs: visit.clickMs, ms: visit.firstByteMs });
    this.violations.push(...verdict.violations);
    if (verdict.violations.length > 0 && this.suspects.length < KEPT_HISTORIES) this.suspects.push(visit);
    return verdict;
  }
}

function count(tally: Map<string, number>, what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1);
}

function townOf(stack: Stack): Town {
  return { gateways: () => stack.gateways, mint: (origin) => stack.mint(origin) };
}

function isTerminal(ending: string): boolean {
  return !ending.startsWith('refused') && !['never_accepted', 'socket_lost', 'missing'].includes(ending);
}
