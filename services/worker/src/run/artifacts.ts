// What a run of a compiled language needs: its artifact, or why there is none. compile/ provides it.
import type { ErrorCode } from '@rungrid/proto/errors';
import type { RunRequest } from '@rungrid/proto/stream-entries';
import type { Language } from '@rungrid/sandbox/languages';
import type { Outcome } from './outcome.js';

/** What a compile step made. */
export interface Artifact {
  /** The file that runs. */
  readonly content: Buffer;
  /** The compiler's warnings, at most 64 KiB. */
  readonly diagnostics: Buffer;
}

/** A result that is valid for every run of the same program. */
export type KeptResult =
  | { readonly kind: 'compiled'; readonly artifact: Artifact }
  /** The program does not compile, or a limit ended the compiler. `final`: another try would end the same way. */
  | { readonly kind: 'refused'; readonly outcome: Outcome; readonly diagnostics: Buffer; readonly final: boolean };

export type CompileResult = KeptResult | { readonly kind: 'fault'; readonly code: ErrorCode; readonly message: string };

export interface CompileFollower {
  /** A piece of the compiler's output, in order from the first. */
  diagnostics(bytes: Buffer): void;
  /** Once, after all diagnostics. */
  settled(result: CompileResult): void;
}

/** A handle for one program's artifact. */
export interface ArtifactTicket {
  /** The result in memory, if any: no waiting. */
  readonly kept: KeptResult | undefined;
  /** Fetches or compiles it. Returns how to leave: the compile step is aborted when its last follower leaves. */
  follow(follower: CompileFollower): () => void;
}

export interface ArtifactSource {
  /** `language` has a compile step. */
  find(request: RunRequest, language: Language): ArtifactTicket;
}
