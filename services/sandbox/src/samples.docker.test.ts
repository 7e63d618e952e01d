// Every sample of every language, run through the agent in a hardened container. Limits are the worker's: not judged here.
import { constants } from 'node:os';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type AgentStart, FromAgent, ToAgent } from './agent-frames.js';
import { builtInLanguages, type Language } from './languages.js';
import { loadSamples, type Sample, type SampleOutput } from './samples.js';
import { Box, ensureImages } from './testkit.js';

vi.setConfig({ testTimeout: 60_000 });

beforeAll(() => ensureImages(builtInLanguages()), 900_000);
afterEach(() => Box.closeAll());

function startOf(language: Language, sample: Sample): AgentStart {
  const files = [{ name: language.fileName, content: sample.program }, ...sample.files];
  const compile = language.mode === 'compile' ? language.compile : undefined;
  const run = language.mode === 'warm' ? undefined : language.run;
  return { files, compile, run, args: sample.args ?? [], env: sample.env ?? {} };
}

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

async function talk(box: Box, sample: Sample): Promise<void> {
  let from = 0;
  for (const { expect: prompt, send } of sample.dialogue ?? []) {
    await box.until(() => box.ended || (box.stdout.length > from && box.stdout.endsWith(prompt)));
    from = box.stdout.length;
    box.type(send);
  }
  if (sample.stdin === undefined) return;
  box.type(sample.stdin);
  box.send(ToAgent.STDIN_CLOSE);
}

describe.each(builtInLanguages().map((language) => [language.name, language] as const))('%s', (_name, language) => {
  it.each(loadSamples(language.dir).map((sample) => [sample.name, sample] as const))('%s', async (_sample, sample) => {
    const box = await Box.open(language);
    box.start(startOf(language, sample));
    await talk(box, sample);
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
      case 'compile_error':
        await box.until(() => box.ended);
        expect(box.has(FromAgent.COMPILE_FAILED)).toBe(true);
        break;
      case 'cpu_limit':
      case 'output_limit':
      case 'process_limit':
      case 'stopped':
        await box.until(() => box.has(FromAgent.STARTED));
        box.send(ToAgent.KILL);
        expect((await box.exit()).end).toEqual({ kind: 'signaled', signo: constants.signals.SIGKILL });
        break;
    }
    expectOutput(box.stdout, sample.stdout);
    expectOutput(box.stderr, sample.stderr);
    expectOutput(box.bytes(FromAgent.COMPILE).toString(), sample.compile);
  });
});
