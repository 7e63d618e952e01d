// What a caller asks for: a new run, or one to resume. Limits are those of PROTOCOL.md; what is past them is answered with an `error` event.
import type { RunLimits } from '@rungrid/proto/frames';
import type { SignalName } from '@rungrid/proto/limits';

export type { SignalName };

/** Size of a terminal, characters, 1 to 1000 each. */
export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/** One more file of a run: it lies in /tmp beside the program. */
export interface RunFile {
  /** 1 to 64 of `A-Z a-z 0-9 . _ -`; it starts with none of `.` and `-`. */
  readonly name: string;
  readonly content: string;
}

/** A new run. */
export interface RunRequest {
  /** The program's text. Together with `files` and `stdin` at most 128 KB of UTF-8: else `code_too_large`. */
  readonly code: string;
  /** Name or alias, as `hello` lists them: else `unknown_language`. */
  readonly language: string;
  /** Version or a prefix of it (`3.13` fits `3.13.5`). Default: the one that is there. Else `unknown_version`. */
  readonly version?: string;
  /** At most 16. Default: none. */
  readonly files?: readonly RunFile[];
  /** Arguments of the program: at most 64, of 4096 bytes each and 48 KB together. Default: none. */
  readonly args?: readonly string[];
  /** All of stdin; EOF follows it. Default: stdin comes through `write`, and EOF through `closeStdin`. */
  readonly stdin?: string;
  /** Runs it on a terminal of that size. Default: on pipes. */
  readonly tty?: TerminalSize;
  /** Lower limits than the server's. Default: the server's. */
  readonly limits?: RunLimits;
  /**
   * What a lost connection does to the started run: `kill` ends it, `keep` lets it go on for the resume window, in which the client resumes it
   * by itself. Default `kill`.
   */
  readonly on_disconnect?: 'kill' | 'keep';
  /** A token for this run only. Default: the next one of the client's token source. */
  readonly token?: string;
  /** Its name on the connection: 1 to 64 of `A-Z a-z 0-9 _ -`, of no other live run. null: the unnamed run. Default: a fresh name. */
  readonly run?: string | null;
}

/** A run that started on another connection, of this client or any. */
export interface ResumeRequest {
  /** Its `started.resume_key`. */
  readonly key: string;
  /** `seq` of the last event that was seen of it; 0: none. */
  readonly after: number;
  /** Its name on this connection, as in `RunRequest`. */
  readonly run?: string | null;
}
