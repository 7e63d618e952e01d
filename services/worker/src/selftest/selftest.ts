// Proves on real sandboxes that they are what the spec says, before the worker joins and again when the engine changes.
import { ConfigError } from '@rungrid/kit/config';
import { SANDBOX_RLIMITS } from '@rungrid/sandbox/rlimits';
import { judgeSandbox, type SandboxPromise, type Verdict } from '@rungrid/sandbox/selftest';
import { type Engine, type SandboxSpec, poolKeyOf } from '../run/ports.js';
import { probeSandbox } from './probe.js';

export interface Verification {
  /** poolKeyOf() of what was probed. */
  readonly poolKey: string;
  readonly verdicts: readonly Verdict[];
}

export interface VerificationParts {
  /** Makes the engine that the probes run on; it is closed afterwards. */
  readonly makeEngine: () => Engine;
  readonly specs: readonly SandboxSpec[];
  /** Whose system call filter the sandboxes have, and what runs them. */
  readonly kind: Pick<SandboxPromise, 'systemCalls' | 'runtime'>;
}

/** Probes one sandbox of each spec, one after the other: it runs while the node may serve others. Rejects with EngineError. */
export async function verifySandboxes({ makeEngine, specs, kind }: VerificationParts): Promise<Verification[]> {
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

/** The table for a person: one line a check, sandboxes together where they agree. */
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
  return `The self-test failed: a sandbox is not what it must be, so this worker runs nothing.\n${lines.join('\n')}`;
}

/** Holds what was proved to the engine it was proved on. Images need no second look: sandboxes are made from immutable ids. */
export class SelfTest {
  readonly #parts: VerificationParts & { readonly identity: () => Promise<string> };
  #identity: string | undefined;
  #running: Promise<readonly Verification[] | undefined> | undefined;

  constructor(parts: VerificationParts & { identity: () => Promise<string> }) {
    this.#parts = parts;
  }

  /**
   * Proves unless nothing has changed since the last time. Returns the verifications, or undefined when there was nothing to do. Throws
   * ConfigError when a check fails, EngineError when the engine does. A call while one is under way joins it.
   */
  check(): Promise<readonly Verification[] | undefined> {
    this.#running ??= this.#check().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** The engine was away: the next check proves anew, whatever the engine says of itself. */
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

function promiseOf({ limits, env, mode }: SandboxSpec): Omit<SandboxPromise, keyof VerificationParts['kind']> {
  const names = env.map((entry) => entry.slice(0, entry.indexOf('=')));
  return { ...limits, openFiles: SANDBOX_RLIMITS.nofile, terminals: mode === 'tty', env: names };
}

interface Spoken {
  readonly poolKey: string;
  readonly verdict: Verdict;
}

function verdictsOf(verifications: readonly Verification[], name: string): Spoken[] {
  return verifications.flatMap(({ poolKey, verdicts }) =>
    verdicts.filter((verdict) => verdict.name === name).map((verdict) => ({ poolKey, verdict })),
  );
}

function linesOf(name: string, spoken: readonly Spoken[]): string[] {
  const groups = new Map<string, Spoken[]>();
  for (const each of spoken) {
    const key = `${each.verdict.state} ${each.verdict.found}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()].map((group) => {
    const { state, found = '', hint = '' } = group[0]?.verdict ?? { state: 'failed' };
    const where = groups.size > 1 ? `  (${group.map(({ poolKey }) => poolKey).join(', ')})` : '';
    return `${`${state.padEnd(8)}${name}  ${found}`.trimEnd()}${where}\n${hint === '' ? '' : `        ${hint}\n`}`;
  });
}
