// The worker's settings: what is refused is refused by name, and the runtimes are those of the one table.
import { RUNTIMES } from '@rungrid/sandbox/runtimes';
import { describe, expect, it } from 'vitest';
import { readWorkerConfig } from './config.js';

describe('SANDBOX_RUNTIME', () => {
  it('is runc unless it is set, and takes every runtime of the table', () => {
    expect(readWorkerConfig({}).SANDBOX_RUNTIME).toBe('runc');
    for (const name of RUNTIMES) expect(readWorkerConfig({ SANDBOX_RUNTIME: name }).SANDBOX_RUNTIME).toBe(name);
  });

  it('of another name starts no worker', () => {
    for (const name of ['crun', 'RUNSC', 'runsc ', '../runc'])
      expect(() => readWorkerConfig({ SANDBOX_RUNTIME: name })).toThrow('SANDBOX_RUNTIME');
  });
});
