// Language folders: the built-in ones are valid, and a bad one is refused by name and field.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  agentCommand,
  builtInLanguages,
  COMMON_SAMPLES,
  languageMode,
  type SandboxKind,
  LANGUAGE_SCHEMA,
  LANGUAGES_DIR,
  loadLanguages,
  resolveLanguage,
} from './languages.js';
import { loadSamples, SAMPLE_SCHEMA } from './samples.js';

const readJson = (name: string): unknown => JSON.parse(readFileSync(join(LANGUAGES_DIR, name), 'utf8'));
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('the built-in languages', () => {
  it('are found in their folder, python, javascript, bash and c among them', () => {
    const names = builtInLanguages().map((language) => language.name);
    expect(names).toEqual(expect.arrayContaining(['bash', 'c', 'javascript', 'python']));
  });

  it('are found by name and alias in any case', () => {
    expect(resolveLanguage('Python3')?.name).toBe('python');
    expect(resolveLanguage('js')?.name).toBe('javascript');
    expect(resolveLanguage('../python')).toBeUndefined();
    expect(resolveLanguage('constructor')).toBeUndefined();
  });

  it('give the agent the command of each kind of sandbox', () => {
    const command = (name: string, kind: SandboxKind): string[] => {
      const found = resolveLanguage(name);
      return found === undefined ? [] : agentCommand(found, kind);
    };
    expect(command('python', { class: 'run', mode: 'pipe' })).toEqual(['--warm', 'python3', '/tmp/main.py']);
    expect(command('python', { class: 'run', mode: 'tty' })).toEqual(['--tty', '--warm', 'python3', '/tmp/main.py']);
    expect(command('c', { class: 'run', mode: 'pipe' })).toEqual([]);
    expect(command('c', { class: 'compile', mode: 'pipe' })).toEqual(['--compile']);
    expect(() => command('python', { class: 'compile', mode: 'pipe' })).toThrow(RangeError);
  });

  it('say how their programs begin', () => {
    const mode = (name: string): string =>
      builtInLanguages()
        .filter((l) => l.name === name)
        .map(languageMode)
        .join();
    expect([mode('python'), mode('c')]).toEqual(['warm', 'compiled']);
  });

  it.each(builtInLanguages().map((language) => [language.name, language] as const))(
    '%s has the common samples',
    (_name, language) => {
      const names = new Set(loadSamples(language.dir).map((sample) => sample.name));
      const leftOut = Object.keys(language.leftOut ?? {});
      expect(leftOut.filter((name) => names.has(name))).toEqual([]);
      const wanted = [...COMMON_SAMPLES, ...(language.compile === undefined ? [] : ['compile-error'])];
      expect(wanted.filter((name) => !names.has(name) && !leftOut.includes(name))).toEqual([]);
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
    run: ['x', '/tmp/main.x'],
    whyCold: 'x has no hook',
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
    ['a run command beside a warm process', { ...valid, warm: ['x'] }],
    ['no reason why it is not warm', { ...valid, whyCold: undefined }],
    ['a compile step without a command', { ...valid, whyCold: undefined, compile: { artifact: 'main' } }],
    ['an artifact elsewhere', { ...valid, whyCold: undefined, compile: { command: ['x'], artifact: '../main' } }],
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
