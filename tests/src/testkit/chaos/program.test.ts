// Numbered programs: what they ask for, and that a seed decides them.
import { expect, test } from 'vitest';
import { anyProgram, askedFor, counter, dialogue, knownOutput } from './program.js';
import { Seeded } from './seeded.js';

test('a counter writes its numbered lines', () => {
  expect(counter(3, { lines: 2, pauseMs: 10 }).output).toBe('3:@:0\n3:@:1\n');
});

test('a dialogue asks, and writes each answer back', () => {
  const program = dialogue(4, { questions: 2 });
  expect(program.output).toBe('4:@:0?\n4:@:0=line 0 to 4\n4:@:1?\n4:@:1=line 1 to 4\n');
  expect(askedFor(program, '')).toBe(0);
  expect(askedFor(program, '4:@:0?\n4:@:0=')).toBe(program.typed[0]?.length);
  expect(askedFor(program, program.output)).toBe(program.typed.join('').length);
});

test('a seed decides which program a number gets', () => {
  expect(anyProgram(5, new Seeded(1))).toEqual(anyProgram(5, new Seeded(1)));
});

test('the mark of an execution is that of its first line', () => {
  const program = counter(3, { lines: 2, pauseMs: 10 });
  expect(knownOutput(program, '3:0123abcd:0\n')).toBe('3:0123abcd:0\n3:0123abcd:1\n');
  expect(knownOutput(program, '')).toBe(program.output);
});
