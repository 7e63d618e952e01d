// The operator's table, the failure message, and how long a verification holds.
import type { Verdict } from '@rungrid/sandbox/selftest';
import { describe, expect, it } from 'vitest';
import { type Engine, EngineError } from '../run/ports.js';
import { failureText, type Verification, verificationTable, SelfTest } from './selftest.js';

const ok: Verdict = { name: 'no swap', state: 'ok', found: '', hint: '' };
const failed: Verdict = { name: 'no swap', state: 'failed', found: 'max instead of 1', hint: 'Turn it off.' };
const verification = (poolKey: string, verdict: Verdict): Verification => ({ poolKey, verdicts: [verdict] });

describe('the table', () => {
  it('joins languages with the same verdict', () => {
    expect(verificationTable([verification('c', ok), verification('python', ok)])).toBe('ok      no swap\n');
  });

  it('names languages whose verdict differs, with the hint', () => {
    expect(verificationTable([verification('c', ok), verification('python', failed)])).toBe(
      'ok      no swap  (c)\nfailed  no swap  max instead of 1  (python)\n        Turn it off.\n',
    );
  });
});

describe('the message', () => {
  it('names check, finding and hint of every failure, and is absent without one', () => {
    expect(failureText([verification('c', ok)])).toBeUndefined();
    expect(failureText([verification('c', ok), verification('python', failed)])).toMatch(
      /runs nothing\.\n {2}python: no swap: max instead of 1\n {4}Turn it off\.$/,
    );
  });
});

describe('SelfTest', () => {
  it('verifies an engine once, and again after it changed or was away', async () => {
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
    // After an outage, with the same identity.
    selfTest.forget();
    expect(await selfTest.check()).toEqual([]);
    expect(engines).toBe(3);
  });

  it('rejects with the error of an engine that is away, and tries again on the next call', async () => {
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
