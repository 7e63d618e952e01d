// The interfaces that compiling needs: sandboxes, and a store that outlives this process.
import type { Artifact } from '../run/artifacts.js';
import type { Lease } from '../run/options.js';

/** Compiler diagnostics that are forwarded and kept, bytes; the rest is dropped. */
export const DIAGNOSTICS_MAX_BYTES = 65_536;

/** Artifacts shared by all workers. Both methods have their own deadlines. */
export interface ArtifactStore {
  /** Undefined when it is missing or corrupt, or the store does not answer. Never rejects. */
  get(key: string): Promise<Artifact | undefined>;
  /** In the background. */
  put(key: string, artifact: Artifact): void;
}

/** Where compile sandboxes come from: the next one of a pool key to be ready. Rejects when none can be made, or on the signal. */
export interface CompileSandboxes {
  acquireCold(poolKey: string, signal: AbortSignal): Promise<Lease>;
}
