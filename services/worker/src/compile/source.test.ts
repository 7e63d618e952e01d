// Which runs share an artifact, and what their compile step may take.
import type { RunRequest } from '@rungrid/proto/stream-entries';
import type { Language } from '@rungrid/sandbox/languages';
import { expect, test } from 'vitest';
import type { SandboxSpec } from '../run/ports.js';
import { Compilations } from './compilations.js';
import { artifactSource } from './source.js';

const C: Language = {
  name: 'c',
  title: '',
  aliases: [],
  version: '1',
  fileName: 'main.c',
  image: { packages: [] },
  env: {},
  hello: '',
  dir: '',
  run: ['/tmp/main'],
  compile: { command: ['gcc', 'main.c'], artifact: 'main' },
};
const pipe: SandboxSpec = {
  language: 'c',
  class: 'run',
  mode: 'pipe',
  image: 'sha256:1',
  command: [],
  env: [],
  limits: { memoryBytes: 1, cpus: 1, pids: 1, tmpBytes: 1000, tmpInodes: 1 },
};
const compile: SandboxSpec = { ...pipe, class: 'compile', command: ['--compile'] };
const request: RunRequest = {
  run: 'run-00000001',
  key: 'k'.repeat(22),
  gateway: 'gateway-1',
  language: 'c',
  code: 'int main;',
  files: [],
  args: [],
  limits: {},
  accepted_us: 0,
};

/** The keys of the requested artifacts. */
async function keysOf(requests: readonly RunRequest[], spec = compile): Promise<string[]> {
  const keys: string[] = [];
  const compilations = new Compilations({
    pool: { acquireCold: () => Promise.reject(new Error('none')) },
    store: {
      get: async (key) => {
        keys.push(key);
        return undefined;
      },
      put: () => undefined,
    },
    atOnce: 1,
    cacheBytes: 0,
    observer: { served: () => undefined, compiled: () => undefined, failed: () => undefined },
  });
  const source = artifactSource({
    compilations,
    specs: new Map([['c', { compile: spec, pipe }]]),
    wallMs: 1000,
  });
  for (const each of requests) {
    await new Promise<unknown>((settled) => {
      source.find(each, C).follow({ diagnostics: () => undefined, settled });
    });
  }
  return keys;
}

test('arguments, input, limits and terminal do not change the key', async () => {
  const others: Partial<RunRequest>[] = [
    {},
    { run: 'run-00000002', key: 'q'.repeat(22), gateway: 'gateway-2', accepted_us: 7 },
    { args: ['a'], stdin: 'text', tty: { cols: 80, rows: 24 }, limits: { cpu_ms: 5 } },
  ];
  const keys = await keysOf(others.map((each) => ({ ...request, ...each })));
  expect(new Set(keys).size).toBe(1);
  expect(keys).toHaveLength(3);
});

test('code, files, their order, and the image do', async () => {
  const [a, b] = [
    { name: 'a.h', content: '1' },
    { name: 'b.h', content: '2' },
  ];
  const others: Partial<RunRequest>[] = [{}, { code: 'int main ;' }, { files: [a, b] }, { files: [b, a] }];
  const keys = await keysOf(others.map((each) => ({ ...request, ...each })));
  keys.push(...(await keysOf([request], { ...compile, image: 'sha256:2' })));
  expect(new Set(keys).size).toBe(5);
});

test('a language without a compile sandbox is an internal error', () => {
  const source = artifactSource({ compilations: {} as Compilations, specs: new Map(), wallMs: 1000 });
  expect(() => source.find(request, C)).toThrow(RangeError);
});
