// Numbered programs whose whole output is known before they run.
import { Buffer } from 'node:buffer';
import type { Seeded } from './seeded.js';

export interface Program {
  /** The run's number; every line of its output starts with it. */
  readonly number: number;
  readonly code: string;
  /** Lines that a visitor types, each after the line of output that asks for it. */
  readonly typed: readonly string[];
  /** All that it writes when it is left to end, with MARK where each execution writes a random mark of its own. */
  readonly output: string;
}

/** Stands for what distinguishes two executions of a program: output of both cannot pass for that of one. */
export const MARK = '@';
const MAKE_MARK = 'import os\nmark = os.urandom(4).hex()';

/** The known output, with the mark that the first line of `seen` has. */
export function knownOutput(program: Program, seen: string): string {
  const mark = /^\d+:([0-9a-f]{8}):/.exec(seen)?.[1];
  return mark === undefined ? program.output : program.output.replaceAll(MARK, mark);
}

/** Prints `lines` lines, `pauseMs` between two. */
export function counter(number: number, shape: { lines: number; pauseMs: number }): Program {
  const code = [
    MAKE_MARK,
    'import time',
    `for i in range(${shape.lines}):`,
    `    print(f"${number}:{mark}:{i}", flush=True)`,
    `    time.sleep(${shape.pauseMs / 1000})`,
  ].join('\n');
  const output = Array.from({ length: shape.lines }, (_, line) => `${number}:${MARK}:${line}\n`).join('');
  return { number, code, typed: [], output };
}

/** Asks `questions` times, and writes each answer back. */
export function dialogue(number: number, shape: { questions: number }): Program {
  const code = [
    MAKE_MARK,
    `for i in range(${shape.questions}):`,
    `    print(f"${number}:{mark}:{i}?", flush=True)`,
    `    print(f"${number}:{mark}:{i}={input()}", flush=True)`,
  ].join('\n');
  const typed = Array.from({ length: shape.questions }, (_, i) => `line ${i} to ${number}\n`);
  const output = typed.map((line, i) => `${number}:${MARK}:${i}?\n${number}:${MARK}:${i}=${line}`).join('');
  return { number, code, typed, output };
}

/** One of either kind, most of them short. */
export function anyProgram(number: number, random: Seeded): Program {
  if (random.chance(0.3)) return dialogue(number, { questions: random.int(1, 12) });
  const lines = random.chance(0.2) ? random.int(40, 80) : random.int(1, 20);
  return counter(number, { lines, pauseMs: random.int(0, 60) });
}

/** How much of `typed` the output so far has asked for, bytes. */
export function askedFor(program: Program, output: string): number {
  const asked = output.split('\n').filter((line) => line.endsWith('?')).length;
  return Buffer.byteLength(program.typed.slice(0, asked).join(''));
}
