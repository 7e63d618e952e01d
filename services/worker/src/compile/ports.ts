// What compiling needs of the world: sandboxes, and a store that outlives this process.
import type { Artifact } from '../run/artifacts.js';
import type { Lease } from '../run/options.js';

/** Compiler diagnostics that are passed on and kept, bytes; the rest is dropped: nobody reads that many. */
export const DIAGNOSTICS_MAX_BYTES = 65_536;

/** Artifacts that other workers see, too. Both verbs have deadlines of their own. */
export interface ArtifactStore {
  /** Undefined when it is not there, is damaged, or the store does not answer. Never rejects. */
  get(key: string): Promise<Artifact | undefined>;
  /** In the background. */
  put(key: string, artifact: Artifact): void;
}

/** Where compile sandboxes come from: the next one of a shelf to be ready. Rejects when none can be made, or on the signal. */
export interface CompileSandboxes {
  acquireCold(shelf: string, signal: AbortSignal): Promise<Lease>;
}
