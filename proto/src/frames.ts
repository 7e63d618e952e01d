// The socket's frames: their schemas (the types are derived from them) and the server's events.
import { type Static, Type } from 'typebox';
import type { ErrorCode } from './errors.js';
import { type EndReason, MAX_ARG_BYTES, MAX_ARGS, MAX_FILES, type SignalName, SIGNALS } from './limits.js';

/** A client's name for a run. */
export const RUN_NAME = '^[A-Za-z0-9_-]{1,64}$';
/** A file name in /tmp: no path, no hidden file, no option. */
export const FILE_NAME = '^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$';

/** Resumes a run: its id, its secret, and the epoch of the claim whose events the client has received. */
export const RESUME_KEY = '^[A-Za-z0-9_-]{8,64}[.][A-Za-z0-9_-]{22}[.][0-9]{1,10}$';

const runName = Type.Optional(Type.String({ pattern: RUN_NAME }));
const positive = (maximum: number) => Type.Optional(Type.Integer({ minimum: 1, maximum }));

/** Lower limits for this run; a value above the server's is the server's. */
export const RunLimitsSchema = Type.Object({
  /** Wall clock, ms. */
  wall_ms: positive(86_400_000),
  /** CPU time of all processes, ms. */
  cpu_ms: positive(86_400_000),
  /** stdout and stderr together, bytes. */
  output_bytes: positive(1_073_741_824),
});

const terminalSize = {
  cols: Type.Integer({ minimum: 1, maximum: 1000 }),
  rows: Type.Integer({ minimum: 1, maximum: 1000 }),
};
/** Size of a terminal, characters. */
export const TerminalSizeSchema = Type.Object(terminalSize);

/** How a program starts: in a waiting process, in a process started for it, or after a compile step whose artifact is cached. */
export const LanguageModeSchema = Type.Union([Type.Literal('warm'), Type.Literal('start'), Type.Literal('compiled')]);

export const RunCodeSchema = Type.Object({
  /** The program's text. */
  code: Type.String(),
  /** Name or alias; hello lists them. */
  language: Type.String({ minLength: 1, maxLength: 32 }),
  /** PAYLOAD_SIGNATURE, see PROTOCOL.md. */
  token: Type.String({ minLength: 1, maxLength: 2048 }),
  run: runName,
  version: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
  files: Type.Optional(
    Type.Array(Type.Object({ name: Type.String({ pattern: FILE_NAME }), content: Type.String() }), {
      maxItems: MAX_FILES,
    }),
  ),
  args: Type.Optional(
    Type.Array(Type.String({ maxLength: MAX_ARG_BYTES, pattern: '^[^\\u0000]*$' }), { maxItems: MAX_ARGS }),
  ),
  /** All of stdin; EOF follows it. */
  stdin: Type.Optional(Type.String()),
  /** Runs on a terminal of this size; absent: on pipes. */
  tty: Type.Optional(TerminalSizeSchema),
  limits: Type.Optional(RunLimitsSchema),
  /** When the socket is lost: `kill` (default) ends the run, `keep` lets it continue for the resume window. */
  on_disconnect: Type.Optional(Type.Union([Type.Literal('kill'), Type.Literal('keep')])),
});
export const StdinSchema = Type.Object({ text: Type.String(), run: runName });
export const RunOnlySchema = Type.Object({ run: runName });
export const ResizeSchema = Type.Object({
  run: runName,
  ...terminalSize,
});
export const SignalSchema = Type.Object({
  run: runName,
  name: Type.Union((Object.keys(SIGNALS) as SignalName[]).map((name) => Type.Literal(name))),
});

export const ResumeSchema = Type.Object({
  run: runName,
  /** `started.resume_key` of the run. */
  key: Type.String({ pattern: RESUME_KEY }),
  /** The last `seq` that the client has seen; 0 for none. */
  after: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
});

export type RunLimits = Static<typeof RunLimitsSchema>;
export type RunCode = Static<typeof RunCodeSchema>;
export type Resume = Static<typeof ResumeSchema>;

/** A frame that the parser accepted. */
export type ClientFrame =
  | { readonly event: 'run_code'; readonly data: RunCode }
  | { readonly event: 'stdin'; readonly data: { readonly text: string; readonly run?: string } }
  | { readonly event: 'stdin_close'; readonly data: { readonly run?: string } }
  | { readonly event: 'resize'; readonly data: { readonly run?: string; readonly cols: number; readonly rows: number } }
  | { readonly event: 'signal'; readonly data: { readonly run?: string; readonly name: SignalName } }
  | { readonly event: 'stop'; readonly data: { readonly run?: string } }
  | { readonly event: 'resume'; readonly data: Resume }
  | { readonly event: 'ping'; readonly data: unknown };
export type ClientEvent = ClientFrame['event'];

/** Server limits, as announced in hello. */
export interface HelloLimits {
  frame_bytes: number;
  code_bytes: number;
  frames_per_second: number;
  runs_per_socket: number;
  stdin_buffer_bytes: number;
  stdin_window_bytes: number;
  wall_ms: number;
  cpu_ms: number;
  idle_ms: number;
  output_bytes: number;
  memory_bytes: number;
  /** How long a detached run waits for `resume`, ms. */
  resume_ms: number;
}

export interface HelloLanguage {
  name: string;
  title: string;
  version: string;
  mode: Static<typeof LanguageModeSchema>;
  aliases: string[];
  file_name: string;
  hello: string;
}

export interface UsageData {
  wall_ms: number;
  cpu_ms: number;
  memory_bytes: number;
  output_bytes: number;
}

/** Server events and their data. `run` is present whenever the client named the run. */
export interface ServerEvents {
  hello: { protocol: number; limits: HelloLimits; languages: HelloLanguage[] };
  queued: { run?: string; position: number };
  /** `resume_key`: a client that lost its socket resumes the run with it. It is a secret. */
  started: { run?: string; language: string; version: string; warm: boolean; resume_key: string; seq: number };
  compile: { run?: string; text: string; seq: number };
  stdout: { run?: string; text: string; seq: number };
  stderr: { run?: string; text: string; seq: number };
  exit: {
    run?: string;
    code: number | null;
    signal: string | null;
    reason: EndReason;
    usage: UsageData;
    truncated: boolean;
    seq: number;
  };
  /** `replay_from`: only with resume_gap, the seq of the first event still held. */
  error: {
    run?: string;
    code: ErrorCode;
    message: string;
    retryable: boolean;
    retry_after_ms?: number;
    replay_from?: number;
  };
  /** The run continues here: events from `replayed_from` on follow. `stdin_bytes`: stdin that it has received so far. */
  resumed: { run?: string; replayed_from: number; stdin_bytes: number };
  draining: { reconnect_after_ms: number };
  pong: unknown;
}
export type ServerEvent = keyof ServerEvents;
export type ServerFrame = { [E in ServerEvent]: { event: E; data: ServerEvents[E] } }[ServerEvent];

/** The wire form of a server event. */
export function encodeServerFrame<E extends ServerEvent>(event: E, data: ServerEvents[E]): string {
  return JSON.stringify({ event, data });
}
