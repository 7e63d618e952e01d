// state.json: the processes that `up` started. Written atomically, and validated when it is read.
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type Static, Type } from 'typebox';
import { Check } from 'typebox/value';
import { CliError, codeOf, readIfExists } from './errors.js';
import type { Paths } from './paths.js';
import { identify, isAlive, type ProcessRef } from './process-ref.js';

/** How often a command tries to take the lock while others remove a stale one, and the pause between two tries, ms. */
const LOCK_TRIES = 20;
const LOCK_PAUSE_MS = 10;
/** How old the permit to remove a stale lock may be, ms, before its owner counts as dead. */
const STALE_PERMIT_MS = 10_000;

const ProcessRefSchema = Type.Object({ pid: Type.Integer({ minimum: 2 }), start: Type.String() });
const StateSchema = Type.Object({
  version: Type.Literal(1),
  /** The options of the last `up`. */
  wanted: Type.Optional(
    Type.Object({
      gateways: Type.Integer(),
      workers: Type.Integer(),
      languages: Type.Array(Type.String()),
      port: Type.Optional(Type.Integer()),
    }),
  ),
  /** `process`: present when this installation started it and stops it. */
  engine: Type.Optional(
    Type.Object({
      host: Type.String(),
      process: Type.Optional(ProcessRefSchema),
      cgroupParent: Type.Optional(Type.String()),
    }),
  ),
  /** Between the workers and the engine, when requested. */
  engineProxy: Type.Optional(Type.Object({ socket: Type.String(), process: ProcessRefSchema })),
  redis: Type.Optional(Type.Object({ url: Type.String(), process: Type.Optional(ProcessRefSchema) })),
  gateways: Type.Array(
    Type.Object({ name: Type.String(), process: ProcessRefSchema, url: Type.String(), internal: Type.String() }),
  ),
  workers: Type.Array(
    Type.Object({ name: Type.String(), process: ProcessRefSchema, grpc: Type.String(), metrics: Type.String() }),
  ),
});

export type State = Static<typeof StateSchema>;
export type GatewayState = State['gateways'][number];
export type WorkerState = State['workers'][number];

export const EMPTY_STATE: State = { version: 1, gateways: [], workers: [] };

/** The recorded state; empty when there is none. Throws CliError when the file is malformed. */
export function readState(paths: Paths): State {
  const text = readIfExists(paths.stateFile);
  if (text === undefined) return EMPTY_STATE;
  const value = parseState(text);
  if (value === undefined) {
    throw new CliError(`${paths.stateFile} is malformed. End the processes that it names, then remove the file.`);
  }
  return value;
}

export function parseState(text: string): State | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Check(StateSchema, value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The state without the processes that have ended since. */
export function withoutTheDead(state: State, alive: (process: ProcessRef) => boolean = isAlive): State {
  const { engine, engineProxy, redis, ...rest } = state;
  const keep = (part: { process?: ProcessRef } | undefined) =>
    part !== undefined && (part.process === undefined || alive(part.process));
  return {
    ...rest,
    ...(keep(engine) && engine !== undefined ? { engine } : {}),
    ...(keep(engineProxy) && engineProxy !== undefined ? { engineProxy } : {}),
    ...(keep(redis) && redis !== undefined ? { redis } : {}),
    gateways: state.gateways.filter((gateway) => alive(gateway.process)),
    workers: state.workers.filter((worker) => alive(worker.process)),
  };
}

/** Replaces the file atomically: a reader sees the old state or the new one. */
export function writeState(paths: Paths, state: State): void {
  const temporary = `${paths.stateFile}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, paths.stateFile);
}

/** Reads, changes, writes. The caller holds the lock. */
export function updateState(paths: Paths, change: (state: State) => State): State {
  const state = change(readState(paths));
  writeState(paths, state);
  return state;
}

/** Does `work` while no other command may change the state folder. Throws CliError when another command holds the lock. */
export async function withLock<T>(paths: Paths, work: () => Promise<T>): Promise<T> {
  const unlock = takeLock(paths);
  try {
    return await work();
  } finally {
    unlock();
  }
}

/** Locks the state folder; the returned function unlocks it. The lock of a dead process is taken over. Throws CliError when it is held. */
export function takeLock(paths: Paths): () => void {
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    if (createLock(paths.lockFile)) return () => rmSync(paths.lockFile, { force: true });
    const holder = readHolder(paths);
    if (holder !== undefined && isAlive(holder)) {
      throw new CliError(
        `another rungrid command (pid ${holder.pid}) is using ${paths.state}. Wait for it, or end it, then try again.`,
      );
    }
    removeStaleLock(paths, holder);
  }
  throw new CliError(`cannot lock ${paths.lockFile}. Try again.`);
}

/** Creates the file whole, or not at all: link(2) fails where there is one. */
function createLock(file: string): boolean {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(identify(process.pid)));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Removes the lock of a holder that died. Of several commands that found it one may: otherwise a slow one would remove the lock that a quick one
 * has taken since. The permit of one that died on the way expires.
 */
export function removeStaleLock(paths: Paths, holder: ProcessRef | undefined): void {
  const permit = `${paths.lockFile}.stale`;
  try {
    writeFileSync(permit, '', { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    if (Date.now() - (statSync(permit, { throwIfNoEntry: false })?.mtimeMs ?? 0) > STALE_PERMIT_MS)
      rmSync(permit, { force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_PAUSE_MS);
    return;
  }
  try {
    const now = readHolder(paths);
    if (now?.pid === holder?.pid && now?.start === holder?.start) rmSync(paths.lockFile, { force: true });
  } finally {
    rmSync(permit, { force: true });
  }
}

function readHolder(paths: Paths): ProcessRef | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(paths.lockFile, 'utf8'));
    return Check(ProcessRefSchema, value) ? value : undefined;
  } catch {
    // Removed meanwhile, or its writer died before it wrote the content.
    return undefined;
  }
}
