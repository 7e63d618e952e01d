// Rules of the frames that each sandbox is sent.
import type { RunRequest } from '@rungrid/proto/stream-entries';
import { encodeFile, encodeStart } from '@rungrid/sandbox/agent-frames';
import type { Language } from '@rungrid/sandbox/languages';
import { expect, test } from 'vitest';
import { compileFrame, filesOf, replacedFile, runFrames } from './programs.js';

const common: Language = {
  name: 'x',
  title: 'X',
  aliases: [],
  version: '1',
  fileName: 'main.x',
  image: { packages: [] },
  env: {},
  hello: '',
  dir: '/x',
};
const warm: Language = { ...common, warm: ['x', '/tmp/main.x'] };
const cold: Language = { ...common, run: ['x', '/tmp/main.x'] };
const compiled: Language = { ...common, run: ['/tmp/main'], compile: { command: ['xc', 'main.x'], artifact: 'main' } };
const jit: Language = { ...common, warm: ['vm'], compile: { warm: ['xc'], artifact: 'main.jar' } };

const request: RunRequest = {
  run: 'run-00000001',
  key: 'k'.repeat(22),
  gateway: 'gateway-1',
  language: 'x',
  code: 'the program',
  files: [{ name: 'data.txt', content: 'data' }],
  args: ['one', 'two'],
  limits: {},
  accepted_us: 0,
};
const sources = [
  { name: 'data.txt', content: 'data' },
  { name: 'main.x', content: 'the program' },
];
const artifact = Buffer.from('binary');

test('a file with the name of the program does not replace it', () => {
  const files = filesOf({ ...request, files: [{ name: 'main.x', content: 'another' }] }, cold);
  expect(files.at(-1)).toEqual({ name: 'main.x', content: 'the program' });
});

test('an interpreted program is one START: sources, arguments, and the command unless a process waits', () => {
  expect(runFrames(request, warm)).toEqual([encodeStart({ files: sources, args: ['one', 'two'] })]);
  expect(runFrames(request, cold)).toEqual([encodeStart({ files: sources, run: cold.run, args: ['one', 'two'] })]);
});

test('a terminal comes with its size', () => {
  const terminal = { cols: 132, rows: 43 };
  const [start] = runFrames({ ...request, tty: terminal }, warm);
  expect(start).toEqual(encodeStart({ files: sources, args: request.args, terminal }));
});

test('a compiled program comes before its START, executable, beside its sources', () => {
  for (const language of [compiled, jit]) {
    const name = language.compile?.artifact ?? '';
    expect(runFrames(request, language, artifact)).toEqual([
      ...encodeFile(name, artifact, { executable: true }),
      encodeStart({ files: sources, run: language.run, args: request.args }),
    ]);
  }
});

test('a file with the name of the artifact is left out, with a note', () => {
  const rival = { ...request, files: [...request.files, { name: 'main', content: 'mine' }] };
  expect(runFrames(rival, compiled, artifact)).toEqual(runFrames(request, compiled, artifact));
  expect(replacedFile(rival, compiled)).toBe('note: the file main is replaced by the compiled program\n');
  expect(replacedFile(request, compiled)).toBeUndefined();
  expect(replacedFile(rival, cold)).toBeUndefined();
});

test('a compile step is sent the sources and the artifact’s name, never arguments; the command unless a compiler waits', () => {
  expect(compileFrame(request, compiled)).toEqual(
    encodeStart({ files: sources, artifact: 'main', compile: ['xc', 'main.x'] }),
  );
  expect(compileFrame(request, jit)).toEqual(encodeStart({ files: sources, artifact: 'main.jar' }));
  expect(() => compileFrame(request, cold)).toThrow('no compile step');
});
