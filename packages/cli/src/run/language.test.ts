// The language of a file, by its extension.
import { builtInLanguages } from '@rungrid/sandbox/languages';
import { expect, test } from 'vitest';
import { languageOfFile } from './language.js';

test.each([
  ['hello.py', 'python'],
  ['dir.c/hello.PY', 'python'],
  ['a.b.js', 'javascript'],
  ['x.sh', 'bash'],
  ['x.c', 'c'],
])('%s is %s', (file, language) => {
  expect(languageOfFile(file, builtInLanguages())).toBe(language);
});

test.each(['hello', 'hello.', 'hello.xyz', '.py'])('%s is in no language', (file) => {
  expect(languageOfFile(file, builtInLanguages())).toBeUndefined();
});

test('an extension that two languages claim names neither', () => {
  const both = ['one', 'two'].map((name) => ({ name, aliases: [], fileName: 'main.x' }));
  expect(languageOfFile('a.x', both)).toBeUndefined();
});

test('an alias stands in for an extension that no file name has', () => {
  expect(languageOfFile('a.mjs', [{ name: 'javascript', aliases: ['mjs'], fileName: 'main.js' }])).toBe('javascript');
});
