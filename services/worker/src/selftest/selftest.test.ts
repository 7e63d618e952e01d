// The table for people, the message of a failure, and when a proof holds.
import type { Verdict } from '@rungrid/sandbox/selftest';
import { describe, expect, it } from 'vitest';
import { type Engine, EngineError } from '../run/ports.js';
import { failureText, type Verification, verificationTable, SelfTest } from './selftest.js';

const ok: Verdict = { name: 'no swap', state: 'ok', found: '', hint: '' };
const failed: Verdict = { name: 'no swap', state: 'failed', found: 'max instead of 1', hint: 'Turn it off.' };
const proof = (poolKey: string, verdict: Verdict): Verification => ({ poolKey, verdicts: [verdict] });

describe('the table', () => {
  it('joins languages that agree', () => {
    expect(verificationTable([proof('c', ok), proof('python', ok)])).toBe('ok      no swap\n');
  });

  it('names those that differ, with what to do', () => {
    expect(verificationTable([proof('c', ok), proof('python', failed)])).toBe(
      'ok      no swap  (c)\nfailed  no swap  max instead of 1  (python)\n        Turn it off.\n',
    );
  });
});

describe('the message', () => {
  it('is there when something failed, and names check, finding and hint', () => {
    expect(failureText([proof('c', ok)])).toBeUndefined();
    expect(failureText([proof('c', ok), proof('python', failed)])).toMatch(
      /runs nothing\.\n {2}python: no swap: max instead of 1\n {4}Turn it off\.$/,
    );
  });
});

describe('SelfTest', () => {
  it('proves once for an engine, and again for another one and for one that was away', async () => {
    let identity = 'one';
    let engines = 0;
    const selfTest = new SelfTest({
      identity: async () => identity,
      makeEngine: () => {
        engines += 1;
        return { close: async () => undefined } as Engine;
      },
      specs: [],
      kind: { systemCalls: 'own', runtime: 'runc' },
    });
    expect(await Promise.all([selfTest.check(), selfTest.check()])).toEqual([[], []]);
    expect(await selfTest.check()).toBeUndefined();
    expect(engines).toBe(1);
    identity = 'two';
    expect(await selfTest.check()).toEqual([]);
    expect(engines).toBe(2);
    // It was away meanwhile, and says the same as before.
    selfTest.forget();
    expect(await selfTest.check()).toEqual([]);
    expect(engines).toBe(3);
  });

  it('says no more than the engine does when that is away, and tries again', async () => {
    let away = true;
    const selfTest = new SelfTest({
      identity: async () => {
        if (away) throw new EngineError('away', { retryable: true });
        return 'back';
      },
      makeEngine: () => ({ close: async () => undefined }) as Engine,
      specs: [],
      kind: { systemCalls: 'own', runtime: 'runc' },
    });
    await expect(selfTest.check()).rejects.toThrow('away');
    away = false;
    expect(await selfTest.check()).toEqual([]);
  });
});
