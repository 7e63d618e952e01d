// Rules of artifact keys: equal inputs have equal keys, different inputs different ones.
import { expect, test } from 'vitest';
import { artifactKey, type CompileInput } from './key.js';

const input: CompileInput = {
  language: 'c',
  image: 'sha256:1',
  env: ['TMPDIR=/tmp'],
  compile: { command: ['gcc', '-O1'], artifact: 'main' },
  files: [
    { name: 'a.h', content: '' },
    { name: 'main.c', content: 'int main(){}' },
  ],
};

test('the same program has the same key', () => {
  expect(artifactKey(structuredClone(input))).toBe(artifactKey(input));
  expect(artifactKey(input)).toMatch(/^[0-9a-f]{64}$/);
});

test.each<[string, Partial<CompileInput>]>([
  ['language', { language: 'cpp' }],
  ['image', { image: 'sha256:2' }],
  ['environment', { env: ['TMPDIR=/tmp', 'A=b'] }],
  ['flags', { compile: { command: ['gcc', '-O2'], artifact: 'main' } }],
  ['source', { files: [{ name: 'main.c', content: 'int main(){ }' }] }],
  [
    'place where a file begins',
    {
      files: [
        { name: 'a.h', content: 'm' },
        { name: 'ain.c', content: 'int main(){}' },
      ],
    },
  ],
])('another %s has another key', (_what, change) => {
  expect(artifactKey({ ...input, ...change })).not.toBe(artifactKey(input));
});
