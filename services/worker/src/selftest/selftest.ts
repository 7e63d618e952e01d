// Verifies on real sandboxes that they are what the spec says, before the worker joins and again when the engine changes.
import { ConfigError } from '@rungrid/kit/config';
import { OPEN_FILES } from '@rungrid/sandbox/sandbox-spec';
import { judgeSandbox, type SandboxPromise, type Verdict } from '@rungrid/sandbox/selftest';
import { type Engine, type SandboxSpec, poolKeyOf } from '../run/ports.js';
import { probeSandbox } from './probe.js';

export interface Verification {
  /** poolKeyOf() of what was probed. */
  readonly poolKey: string;
  readonly verdicts: readonly Verdict[];
}

interface SelfTestParts {
  /** Makes the engine that the probes run on; it is closed afterwards. */
  readonly makeEngine: () => Engine;
  readonly specs: readonly SandboxSpec[];
  /** The system call filter and the runtime of the sandboxes. */
  readonly kind: Pick<SandboxPromise, 'systemCalls' | 'runtime'>;
}

/** Probes one sandbox of each spec, one after the other: the node may be serving runs meanwhile. Rejects with EngineError. */
export async function verifySandboxes({ makeEngine, specs, kind }: SelfTestParts): Promise<Verification[]> {
  const verifications: Verification[] = [];
  const engine = makeEngine();
  try {
    for (const spec of specs) {
      const report = await probeSandbox(engine, spec);
      verifications.push({ poolKey: poolKeyOf(spec), verdicts: judgeSandbox(report, { ...promiseOf(spec), ...kind }) });
    }
    return verifications;
  } finally {
    await engine.close();
  }
}

/** The table for an operator: one line per check; sandboxes with the same verdict share it. */
export function verificationTable(verifications: readonly Verification[]): string {
  const names = verifications[0]?.verdicts.map((verdict) => verdict.name) ?? [];
  const width = Math.max(0, ...names.map((name) => name.length));
  return names.flatMap((name) => linesOf(name.padEnd(width), verdictsOf(verifications, name))).join('');
}

/** One message with every failed check, what was found and what to do; undefined when there is none. */
export function failureText(verifications: readonly Verification[]): string | undefined {
  const lines = verifications.flatMap(({ poolKey, verdicts }) =>
    verdicts
      .filter((verdict) => verdict.state === 'failed')
      .map(({ name, found, hint }) => `  ${poolKey}: ${name}: ${found}\n    ${hint}`),
  );
  if (lines.length === 0) return undefined;
  return `The self-test failed: a sandbox breaks a promise, so this worker runs nothing.\n${lines.join('\n')}`;
}

/** Remembers which engine was verified. Images need no second check: sandboxes are made from immutable ids. */
export class SelfTest {
  readonly #parts: SelfTestParts & { readonly identity: () => Promise<string> };
  #identity: string | undefined;
  #running: Promise<readonly Verification[] | undefined> | undefined;

  constructor(parts: SelfTestParts & { identity: () => Promise<string> }) {
    this.#parts = parts;
  }

  /**
   * Verifies, unless the engine is the one that was verified last: then it resolves with undefined. Rejects with ConfigError when a check
   * fails, with EngineError when the engine does. A call during another one joins it.
   */
  check(): Promise<readonly Verification[] | undefined> {
    this.#running ??= this.#check().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** After an outage of the engine: the next check verifies again, even when the engine's identity is unchanged. */
  forget(): void {
    this.#identity = undefined;
  }

  async #check(): Promise<readonly Verification[] | undefined> {
    const identity = await this.#parts.identity();
    if (identity === this.#identity) return undefined;
    const verifications = await verifySandboxes(this.#parts);
    const failure = failureText(verifications);
    if (failure !== undefined) throw new ConfigError(failure);
    this.#identity = identity;
    return verifications;
  }
}

function promiseOf({ limits, env, mode }: SandboxSpec): Omit<SandboxPromise, keyof SelfTestParts['kind']> {
  const names = env.map((entry) => entry.slice(0, entry.indexOf('=')));
  return { ...limits, openFiles: OPEN_FILES, terminals: mode === 'tty', env: names };
}

interface PoolVerdict {
  readonly poolKey: string;
  readonly verdict: Verdict;
}

function verdictsOf(verifications: readonly Verification[], name: string): PoolVerdict[] {
  return verifications.flatMap(({ poolKey, verdicts }) =>
    verdicts.filter((verdict) => verdict.name === name).map((verdict) => ({ poolKey, verdict })),
  );
}

function linesOf(name: string, verdicts: readonly PoolVerdict[]): string[] {
  const groups = new Map<string, PoolVerdict[]>();
  for (const each of verdicts) {
    const key = `${each.verdict.state} ${each.verdict.found}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()].map((group) => {
    const { state, found = '', hint = '' } = group[0]?.verdict ?? { state: 'failed' };
    const where = groups.size > 1 ? `  (${group.map(({ poolKey }) => poolKey).join(', ')})` : '';
    return `${`${state.padEnd(8)}${name}  ${found}`.trimEnd()}${where}\n${hint === '' ? '' : `        ${hint}\n`}`;
  });
}
