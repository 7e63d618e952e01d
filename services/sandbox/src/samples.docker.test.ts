// Every sample of every language, run through the agent in a hardened container. The worker's own limits are tested elsewhere.
import { constants } from 'node:os';
import { aroundEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { FromAgent, ToAgent } from './agent-frames.js';
import type { Language } from './languages.js';
import {
  loadSamples,
  type Sample,
  type SampleMode,
  sampleModes,
  type SampleOutput,
  seenInTerminal,
  terminalOutput,
} from './samples.js';
import { testedLanguages } from './tested-languages.js';
import { Box, ensureImages } from './testkit.js';
import { compileProgram, startProgram } from './testkit-program.js';

// Its container is most of a test's time.
const it = test.concurrent;
vi.setConfig({ testTimeout: 120_000 });

const languages = testedLanguages();
beforeAll(() => ensureImages(languages), 1_800_000);
aroundEach(Box.scope);

function expectOutput(actual: string, expected: SampleOutput | undefined): void {
  if (expected === undefined) return;
  if ('equals' in expected) {
    expect(actual).toBe(expected.equals);
    return;
  }
  let from = 0;
  for (const part of expected.contains) {
    const at = actual.indexOf(part, from);
    if (at < 0) expect(actual).toContain(part);
    from = at + part.length;
  }
  for (const part of expected.excludes ?? []) expect(actual).not.toContain(part);
}

async function talk(box: Box, sample: Sample, shown: () => string): Promise<void> {
  let from = 0;
  for (const { expect: prompt, send } of sample.dialogue ?? []) {
    await box.until(() => box.ended || (shown().length > from && shown().endsWith(prompt)));
    from = shown().length;
    box.type(send);
  }
  if (sample.stdin === undefined) return;
  box.type(sample.stdin);
  box.send(ToAgent.STDIN_CLOSE);
}

async function expectEnd(box: Box, sample: Sample): Promise<void> {
  switch (sample.end.reason) {
    case 'exited':
      expect((await box.exit()).end).toEqual({ kind: 'exited', code: sample.end.code });
      break;
    case 'signaled': {
      const { signal } = sample.end;
      const signo = Object.entries(constants.signals).find(([name]) => name === signal)?.[1];
      expect((await box.exit()).end).toEqual({ kind: 'signaled', signo });
      break;
    }
    case 'memory_limit':
      expect((await box.exit()).end).toEqual({ kind: 'signaled', signo: constants.signals.SIGKILL });
      break;
    case 'cpu_limit':
    case 'output_limit':
    case 'process_limit':
    case 'stopped':
    case 'compile_error':
      await box.until(() => box.has(FromAgent.STARTED));
      box.send(ToAgent.KILL);
      expect((await box.exit()).end).toEqual({ kind: 'signaled', signo: constants.signals.SIGKILL });
      break;
  }
}

async function check(language: Language, sample: Sample, mode: SampleMode): Promise<void> {
  const files = [...sample.files, { name: language.fileName, content: sample.program }];
  const compiled = language.compile === undefined ? undefined : await compileProgram(language, files);
  if (compiled !== undefined) expectOutput(compiled.diagnostics, sample.compile);
  if (sample.end.reason === 'compile_error') {
    expect(compiled?.artifact).toBeUndefined();
    return;
  }
  if (compiled !== undefined && compiled.artifact === undefined) throw new Error(compiled.diagnostics);
  await compiled?.box.close();
  const { args = [], env = {} } = sample;
  const box = await startProgram(language, { files, args, env }, { mode, artifact: compiled?.artifact });
  const shown = mode === 'tty' ? () => seenInTerminal(box.stdout) : () => box.stdout;
  await talk(box, sample, shown);
  await expectEnd(box, sample);
  // Output appears while the program runs, not at its end.
  if (sample.name === 'ticking') expect(box.pieces(FromAgent.STDOUT)).toBeGreaterThanOrEqual(3);
  if (mode === 'tty') {
    for (const output of terminalOutput(sample)) expectOutput(shown(), output);
    return;
  }
  expectOutput(box.stdout, sample.stdout);
  expectOutput(box.stderr, sample.stderr);
}

describe.each(languages.map((language) => [language.name, language] as const))('%s', (_name, language) => {
  const cases = loadSamples(language.dir).flatMap((sample) => {
    // A program that does not compile has neither pipes nor a terminal.
    const modes = sample.end.reason === 'compile_error' ? (['pipe'] as const) : sampleModes(sample);
    return modes.map((mode) => [sample.name, mode, sample] as const);
  });
  it.each(cases)('%s (%s)', (_sample, mode, sample) => check(language, sample, mode));
});
