// What a run of a compiled language needs: its artifact, from wherever it is, or why there is none. The room compile/ provides it.
import type { ErrorCode } from '@rungrid/proto/errors';
import type { RunRequest } from '@rungrid/proto/stream-entries';
import type { Language } from '@rungrid/sandbox/languages';
import type { Outcome } from './outcome.js';

/** What a compile step made. */
export interface Artifact {
  /** The file that runs. */
  readonly content: Buffer;
  /** What the compiler said on the way: warnings. At most 64 KiB. */
  readonly diagnostics: Buffer;
}

/** A result that holds for every run of the same program. */
export type KeptResult =
  | { readonly kind: 'compiled'; readonly artifact: Artifact }
  /** The program is at fault, or a limit ended the compiler. `final`: another try would end the same way. */
  | { readonly kind: 'refused'; readonly outcome: Outcome; readonly diagnostics: Buffer; readonly final: boolean };

export type CompileResult = KeptResult | { readonly kind: 'fault'; readonly code: ErrorCode; readonly message: string };

export interface CompileFollower {
  /** A piece of what the compiler says, in order from the first. */
  diagnostics(bytes: Buffer): void;
  /** Once, after all diagnostics. */
  settled(result: CompileResult): void;
}

/** One program's way to its artifact. */
export interface ArtifactTicket {
  /** What is in memory: no waiting. */
  readonly kept: KeptResult | undefined;
  /** Has it fetched or compiled. Returns how to leave: the compile step is given up with its last follower. */
  follow(follower: CompileFollower): () => void;
}

export interface ArtifactSource {
  /** `language` has a compile step. */
  find(request: RunRequest, language: Language): ArtifactTicket;
}
