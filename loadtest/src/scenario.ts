// The interface of a scenario, and what several of them share: pacing, clicks, samples.
import { setTimeout as delay } from 'node:timers/promises';
import { resolveLanguage } from '@rungrid/sandbox/languages';
import { BenchClient, type BenchRun, endOf, mintTokens, type Program } from './client.js';
import type { Row } from './report.js';
import type { Target } from './stack.js';

export interface ScenarioOptions {
  readonly language?: string;
  /** Clicks a second. */
  readonly rate?: number;
  /** Measured clicks or echoes. */
  readonly n?: number;
  /** Small numbers, to check that everything works. */
  readonly quick: boolean;
  /** Aborted when the bench is interrupted. */
  readonly ended: AbortSignal;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Environment of the worker that this scenario needs; absent: the shared stack. */
  readonly workerEnv?: Readonly<Record<string, string>>;
  /** Languages of its programs, besides python. */
  readonly languages?: readonly string[];
  /** Needs the bench's own stack (its pids or its engine). */
  readonly ownStack?: boolean;
  /** Runs once for each language of --language, each time on a stack with only that language. Takes minutes, so it must be named. */
  readonly perLanguage?: boolean;
  run(target: Target, options: ScenarioOptions): Promise<Row[]>;
}

/** The smallest program that writes output. */
export const HELLO: Readonly<Record<string, string>> = {
  python: "print('x')",
  javascript: "console.log('x')",
  bash: 'echo x',
  c: '#include <stdio.h>\nint main(void) { puts("x"); }',
};
/** Echoes lines forever. */
export const ECHO = { language: 'python', code: 'while True:\n    print(input())' };

export interface ClickOptions {
  readonly language: string;
  readonly rate: number;
  readonly n: number;
  /** Clicks before the measured ones. */
  readonly warmUp: number;
  /** Default: the smallest program that writes output. */
  readonly program?: Program;
}

export interface Clicks {
  readonly firstByteMs: number[];
  /** Clicks that found a warm sandbox. */
  readonly warm: number;
  readonly failed: string[];
}

/** Clicks at a steady rate, late or not (open loop), on one socket; first-byte times in ms of those that were measured. */
export async function clickAtRate(target: Target, options: ClickOptions): Promise<Clicks> {
  const { language, rate, n, warmUp } = options;
  const client = await BenchClient.open(target.url);
  const program = options.program ?? { code: HELLO[language] ?? helloOf(language), language };
  const tokens = mintTokens(target.key, n + warmUp);
  const runs: BenchRun[] = [];
  const startMs = performance.now();
  for (const [index, token] of tokens.entries()) {
    await untilMs(startMs + (index * 1000) / rate);
    runs.push(client.click(program, token));
  }
  const measured = (await Promise.all(runs.map((run) => endOf(run)))).slice(warmUp);
  client.close();
  return clicksOf(measured);
}

/** The program that the playground shows first. Throws for an unknown language. */
export function helloOf(language: string): string {
  const found = resolveLanguage(language);
  if (found === undefined) throw new Error(`unknown language "${language}"`);
  return found.hello;
}

/** First-byte times of ended runs, and the reasons of those that failed. */
export function clicksOf(runs: readonly BenchRun[]): Clicks {
  return {
    firstByteMs: runs.flatMap((run) => (run.firstByteMs === undefined ? [] : [run.firstByteMs - run.clickMs])),
    warm: runs.filter((run) => run.warm === true).length,
    failed: runs.flatMap((run) =>
      run.reason === 'exited' && run.firstByteMs !== undefined ? [] : [run.reason ?? '?'],
    ),
  };
}

/** Waits until performance.now() is `timeMs`. */
export async function untilMs(timeMs: number): Promise<void> {
  const leftMs = timeMs - performance.now();
  if (leftMs > 0) await delay(leftMs);
}

/** Opens a session that waits on input(), and waits for its first answer. */
export async function openSession(client: BenchClient, token: string): Promise<BenchRun> {
  const run = client.click(ECHO, token);
  await client.echo(run, { text: 'warm\n', answer: 'warm\n', timeoutMs: 120_000 });
  return run;
}

export function failureRow(scenario: string, failed: readonly string[], n: number): Row[] {
  if (failed.length === 0) return [];
  const reasons = [...new Set(failed)].join(', ');
  return [
    { scenario, what: `FAILED: ${reasons}`, unit: '', value: failed.length, n, targets: [{ of: 'value', under: 1 }] },
  ];
}
