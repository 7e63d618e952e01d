// Proves on real sandboxes that they are what the spec says, before the worker joins and again when the engine changes.
import { ConfigError } from '@rungrid/kit/config';
import { SANDBOX_RLIMITS } from '@rungrid/sandbox/rlimits';
import { judgeSandbox, type SandboxPromise, type Verdict } from '@rungrid/sandbox/selftest';
import { type Engine, type SandboxSpec, shelfName } from '../run/ports.js';
import { probeSandbox } from './probe.js';

export interface Proof {
  /** shelfName() of what was probed. */
  readonly shelf: string;
  readonly verdicts: readonly Verdict[];
}

export interface ProofParts {
  /** Makes the engine that the probes run on; it is closed afterwards. */
  readonly makeEngine: () => Engine;
  readonly specs: readonly SandboxSpec[];
  /** Whose system call filter the sandboxes have, and what runs them. */
  readonly kind: Pick<SandboxPromise, 'systemCalls' | 'runtime'>;
}

/** Probes one sandbox of each spec, one after the other: it runs while the node may serve others. Rejects with EngineError. */
export async function proveSandboxes({ makeEngine, specs, kind }: ProofParts): Promise<Proof[]> {
  const proofs: Proof[] = [];
  const engine = makeEngine();
  try {
    for (const spec of specs) {
      const report = await probeSandbox(engine, spec);
      proofs.push({ shelf: shelfName(spec), verdicts: judgeSandbox(report, { ...promiseOf(spec), ...kind }) });
    }
    return proofs;
  } finally {
    await engine.close();
  }
}

/** The table for a person: one line a check, sandboxes together where they agree. */
export function proofTable(proofs: readonly Proof[]): string {
  const names = proofs[0]?.verdicts.map((verdict) => verdict.name) ?? [];
  const width = Math.max(0, ...names.map((name) => name.length));
  return names.flatMap((name) => linesOf(name.padEnd(width), verdictsOf(proofs, name))).join('');
}

/** One message with every failed check, what was found and what to do; undefined when there is none. */
export function failureText(proofs: readonly Proof[]): string | undefined {
  const lines = proofs.flatMap(({ shelf, verdicts }) =>
    verdicts
      .filter((verdict) => verdict.state === 'failed')
      .map(({ name, found, hint }) => `  ${shelf}: ${name}: ${found}\n    ${hint}`),
  );
  if (lines.length === 0) return undefined;
  return `The self-test failed: a sandbox is not what it must be, so this worker runs nothing.\n${lines.join('\n')}`;
}

/** Holds what was proved to the engine it was proved on. Images need no second look: sandboxes are made from immutable ids. */
export class SelfTest {
  readonly #parts: ProofParts & { readonly identity: () => Promise<string> };
  #identity: string | undefined;
  #running: Promise<readonly Proof[] | undefined> | undefined;

  constructor(parts: ProofParts & { identity: () => Promise<string> }) {
    this.#parts = parts;
  }

  /**
   * Proves unless nothing has changed since the last time. Returns the proofs, or undefined when there was nothing to do. Throws
   * ConfigError when a check fails, EngineError when the engine does. A call while one is under way joins it.
   */
  check(): Promise<readonly Proof[] | undefined> {
    this.#running ??= this.#check().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** The engine was away: the next check proves anew, whatever the engine says of itself. */
  forget(): void {
    this.#identity = undefined;
  }

  async #check(): Promise<readonly Proof[] | undefined> {
    const identity = await this.#parts.identity();
    if (identity === this.#identity) return undefined;
    const proofs = await proveSandboxes(this.#parts);
    const failure = failureText(proofs);
    if (failure !== undefined) throw new ConfigError(failure);
    this.#identity = identity;
    return proofs;
  }
}

function promiseOf({ limits, env, mode }: SandboxSpec): Omit<SandboxPromise, keyof ProofParts['kind']> {
  const names = env.map((entry) => entry.slice(0, entry.indexOf('=')));
  return { ...limits, openFiles: SANDBOX_RLIMITS.nofile, terminals: mode === 'tty', env: names };
}

interface Spoken {
  readonly shelf: string;
  readonly verdict: Verdict;
}

function verdictsOf(proofs: readonly Proof[], name: string): Spoken[] {
  return proofs.flatMap(({ shelf, verdicts }) =>
    verdicts.filter((verdict) => verdict.name === name).map((verdict) => ({ shelf, verdict })),
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
    const where = groups.size > 1 ? `  (${group.map(({ shelf }) => shelf).join(', ')})` : '';
    return `${`${state.padEnd(8)}${name}  ${found}`.trimEnd()}${where}\n${hint === '' ? '' : `        ${hint}\n`}`;
  });
}
