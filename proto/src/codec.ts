// The only parser of client frames: size, depth, JSON, event name, schema, in that order; a frame is accepted whole or not at all.
import { Buffer } from 'node:buffer';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { CloseName } from './close-codes.js';
import type { ErrorCode } from './errors.js';
import {
  type ClientEvent,
  type ClientFrame,
  ResizeSchema,
  ResumeSchema,
  RunCodeSchema,
  RunOnlySchema,
  SignalSchema,
  StdinSchema,
  RUN_NAME,
} from './frames.js';
import {
  MAX_ARG_BYTES,
  MAX_ARGS_BYTES,
  MAX_CODE_BYTES,
  MAX_FRAME_BYTES,
  MAX_FRAME_DEPTH,
  MAX_STDIN_FRAME_BYTES,
} from './limits.js';
import { argsBytes } from './stream-entries.js';

/** What a refused frame causes: the socket is closed, or one error event is sent. */
export type Refusal =
  | { readonly close: CloseName }
  | { readonly error: ErrorCode; readonly message: string; readonly run?: string };
export type ParseResult = { readonly frame: ClientFrame } | Refusal;

const checks: Record<Exclude<ClientEvent, 'ping'>, ReturnType<typeof compile>> = {
  run_code: compile(RunCodeSchema),
  stdin: compile(StdinSchema),
  stdin_close: compile(RunOnlySchema),
  resize: compile(ResizeSchema),
  signal: compile(SignalSchema),
  stop: compile(RunOnlySchema),
  resume: compile(ResumeSchema),
};
const runName = new RegExp(RUN_NAME);

/** Parses one text frame. `text` is valid UTF-8 already: the socket layer refuses other text (RFC 6455 section 8.1). */
export function parseClientFrame(text: string): ParseResult {
  if (text.length > MAX_FRAME_BYTES) return { close: 'tooLarge' };
  if (isTooDeep(text)) return { close: 'badFrame' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { close: 'badFrame' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { close: 'badFrame' };
  const { event, data } = value as { event?: unknown; data?: unknown };
  if (typeof event !== 'string') return { close: 'badFrame' };
  if (event === 'ping') return { frame: { event, data: data ?? null } };
  if (!Object.hasOwn(checks, event)) return { error: 'unknown_event', message: 'unknown event' };
  return checkData(event as Exclude<ClientEvent, 'ping'>, data ?? {});
}

function checkData(event: Exclude<ClientEvent, 'ping'>, data: unknown): ParseResult {
  const check = checks[event];
  if (!check.Check(data)) {
    const [first] = check.Errors(data);
    const where = first === undefined ? '' : `${first.instancePath || 'data'} ${first.message}`;
    return refuse('invalid_frame', `${event}: ${where}`.slice(0, 200), data);
  }
  const frame = { event, data } as ClientFrame;
  if (frame.event === 'run_code') {
    const files = frame.data.files ?? [];
    const bytes = files.reduce(
      (sum, file) => sum + Buffer.byteLength(file.content),
      Buffer.byteLength(frame.data.code) + Buffer.byteLength(frame.data.stdin ?? ''),
    );
    if (bytes > MAX_CODE_BYTES)
      return refuse('code_too_large', `code, files and stdin exceed ${MAX_CODE_BYTES} bytes`, data);
    if (new Set(files.map((file) => file.name)).size !== files.length)
      return refuse('invalid_frame', 'run_code: two files have the same name', data);
    const args = frame.data.args ?? [];
    if (argsBytes(args) > MAX_ARGS_BYTES || args.some((arg) => Buffer.byteLength(arg) > MAX_ARG_BYTES))
      return refuse(
        'invalid_frame',
        `run_code: args exceed ${MAX_ARG_BYTES} bytes each or ${MAX_ARGS_BYTES} in all`,
        data,
      );
  }
  if (frame.event === 'stdin' && Buffer.byteLength(frame.data.text) > MAX_STDIN_FRAME_BYTES) {
    return refuse('stdin_full', `a stdin frame exceeds ${MAX_STDIN_FRAME_BYTES} bytes`, data);
  }
  return { frame };
}

/** The error event names the run when the client gave a valid name, so that the client knows which run was refused. */
function refuse(error: ErrorCode, message: string, data: unknown): Refusal {
  const run = (data as { run?: unknown } | null)?.run;
  return typeof run === 'string' && runName.test(run) ? { error, message, run } : { error, message };
}

/** Depth of brackets outside strings, before JSON.parse builds anything. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      i = endOfString(text, i);
    } else if (c === 0x7b || c === 0x5b) {
      if (++depth > MAX_FRAME_DEPTH) return true;
    } else if (c === 0x7d || c === 0x5d) {
      depth--;
    }
  }
  return false;
}

/** Index of the quote that ends the string which starts at `start`, or the text's end. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

function compile<S extends TSchema>(schema: S) {
  return Compile(schema);
}
