// Language folders: the built-in ones are valid, and a bad one is refused by name and field.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  agentCommand,
  builtInLanguages,
  LANGUAGE_SCHEMA,
  LANGUAGES_DIR,
  loadLanguages,
  resolveLanguage,
} from './languages.js';
import { loadSamples, SAMPLE_SCHEMA } from './samples.js';

const readJson = (name: string): unknown => JSON.parse(readFileSync(join(LANGUAGES_DIR, name), 'utf8'));
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('the built-in languages', () => {
  it('are python, javascript, bash and c', () => {
    expect(builtInLanguages().map((language) => language.name)).toEqual(['bash', 'c', 'javascript', 'python']);
  });

  it('are found by name and alias in any case', () => {
    expect(resolveLanguage('Python3')?.name).toBe('python');
    expect(resolveLanguage('js')?.name).toBe('javascript');
    expect(resolveLanguage('../python')).toBeUndefined();
    expect(resolveLanguage('constructor')).toBeUndefined();
  });

  it('give the agent a warm command only in warm mode', () => {
    const command = (name: string): string[] =>
      builtInLanguages()
        .filter((l) => l.name === name)
        .flatMap(agentCommand);
    expect(command('python')).toEqual(['--warm', 'python3', '/tmp/main.py']);
    expect(command('bash')).toEqual([]);
  });

  it.each(builtInLanguages().map((language) => [language.name, language] as const))(
    '%s has the common samples',
    (_name, language) => {
      const names = loadSamples(language.dir).map((sample) => sample.name);
      expect(names).toEqual(
        expect.arrayContaining([
          'hello',
          'prompt',
          'eof',
          'stderr',
          'exit-code',
          'uncaught-error',
          'unicode',
          'ticking',
          'infinite-loop',
          'big-allocation',
        ]),
      );
    },
  );
});

describe('schema files', () => {
  it('equal the schemas in the code', () => {
    expect(readJson('language.schema.json')).toEqual(plain(LANGUAGE_SCHEMA));
    expect(readJson('sample.schema.json')).toEqual(plain(SAMPLE_SCHEMA));
  });
});

describe('a language folder', () => {
  const valid = {
    name: 'x',
    title: 'X',
    aliases: ['ex'],
    version: '1',
    fileName: 'main.x',
    image: { packages: [] },
    mode: 'start',
    run: ['x', '/tmp/main.x'],
    env: {},
  };
  const hello = { title: 'says hello', program: ['hi'], end: { reason: 'exited', code: 0 } };
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'languages-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  function add(folder: string, manifest: object): void {
    mkdirSync(join(dir, folder, 'samples'), { recursive: true });
    writeFileSync(join(dir, folder, 'language.json'), JSON.stringify(manifest));
    writeFileSync(join(dir, folder, 'samples', 'hello.json'), JSON.stringify(hello));
  }

  it('is loaded with its hello program', () => {
    add('x', valid);
    expect(loadLanguages(dir)).toEqual([{ ...valid, hello: 'hi\n', dir: join(dir, 'x') }]);
  });

  it.each([
    ['an unknown field', { ...valid, extra: 1 }],
    ['a run command in warm mode', { ...valid, mode: 'warm', warm: ['x'] }],
    ['a compile mode without a compile command', { ...valid, mode: 'compile' }],
    ['a package that is an option', { ...valid, image: { packages: ['-y'] } }],
    ['a package with a shell character', { ...valid, image: { packages: ['a;b'] } }],
    ['a path as file name', { ...valid, fileName: '../main' }],
    ["a name other than its folder's", { ...valid, name: 'y' }],
    ['a limit of zero processes', { ...valid, limits: { pids: 0 } }],
  ])('is refused with %s', (_what, manifest) => {
    add('x', manifest);
    expect(() => loadLanguages(dir)).toThrow(/x\/language\.json: /);
  });

  it('is refused when its alias is taken', () => {
    add('x', valid);
    add('z', { ...valid, name: 'z' });
    expect(() => loadLanguages(dir)).toThrow('"ex" names both x and z');
  });
});
