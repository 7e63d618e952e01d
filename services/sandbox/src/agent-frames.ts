// Encoder and decoder of the agent protocol (agent/PROTOCOL.md) for the worker's side.

/** Frame types from the worker to the agent. */
export const ToAgent = { START: 1, STDIN: 2, STDIN_CLOSE: 3, RESIZE: 4, SIGNAL: 5, KILL: 6, FILE: 7 } as const;
export type ToAgent = (typeof ToAgent)[keyof typeof ToAgent];

/** Frame types from the agent to the worker. */
export const FromAgent = {
  READY: 129,
  STDOUT: 130,
  STDERR: 131,
  EXIT: 132,
  COMPILE: 133,
  STARTED: 134,
  STDIN_ACK: 135,
  COMPILE_FAILED: 136,
  FAULT: 137,
  ARTIFACT: 138,
  COMPILED: 139,
} as const;
export type FromAgent = (typeof FromAgent)[keyof typeof FromAgent];

export const AGENT_HEADER_BYTES = 5;
/** Largest START payload, in bytes. */
export const START_MAX_BYTES = 1 << 20;
/** Largest STDIN payload, and the most bytes that may be sent without a STDIN_ACK. */
export const STDIN_WINDOW_BYTES = 65_536;
/** Most bytes of a file's content in one FILE frame. */
const FILE_PIECE_BYTES = 65_536;
/** All arguments, commands and environment entries of one START together, each with its terminating NUL, in bytes. */
const START_STRINGS_MAX_BYTES = 65_536;
/** Most entries of one kind (arguments together with the run command, environment, compile command) in one START. */
const START_STRINGS_MAX_COUNT = 1024;

type AgentProtocolErrorCode =
  | 'bad_start' // the request breaks a rule of START: name, size, number of strings
  | 'unknown_type' // a frame type that the agent does not have
  | 'bad_length' // a length that the type does not allow
  | 'after_last'; // bytes after a last frame

/** The peer, or the caller, broke the agent protocol. */
export class AgentProtocolError extends Error {
  readonly code: AgentProtocolErrorCode;

  constructor(code: AgentProtocolErrorCode, message: string) {
    super(message);
    this.name = 'AgentProtocolError';
    this.code = code;
  }
}

export interface AgentFile {
  /** 1-64 of `A-Z a-z 0-9 . _ -`, not starting with `.` or `-`. */
  readonly name: string;
  readonly content: string | Uint8Array;
}

export interface AgentStart {
  /** Written to /tmp in this order. */
  readonly files: readonly AgentFile[];
  /** In a sandbox that compiles: the command; absent: the warm process compiles. */
  readonly compile?: readonly string[] | undefined;
  /** In a sandbox that compiles: the file in /tmp that is sent when the compile step ends with 0. */
  readonly artifact?: string | undefined;
  /** Run command; absent: the warm process runs the program. */
  readonly run?: readonly string[] | undefined;
  readonly args?: readonly string[] | undefined;
  /** On top of the container's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** First size of the terminal; absent: 80 by 24. Ignored without a terminal. */
  readonly terminal?: TerminalSize | undefined;
}

/** Size of a terminal in characters, 1 to 65535 each. */
export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/;
const NO_BYTES = new Uint8Array(0);

/** One frame. The caller bounds the payload: the agent refuses a larger one. */
export function encodeFrame(type: ToAgent, payload: Uint8Array = NO_BYTES): Buffer {
  const frame = Buffer.allocUnsafe(AGENT_HEADER_BYTES + payload.length);
  frame[0] = type;
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, AGENT_HEADER_BYTES);
  return frame;
}

/** Payload of RESIZE. */
export function encodeSize({ cols, rows }: TerminalSize): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt16BE(cols, 0);
  payload.writeUInt16BE(rows, 2);
  return payload;
}

/**
 * The FILE frames that write one file to /tmp before START, as pieces to send one after the other: views of `content`, which is not copied.
 * Throws AgentProtocolError `bad_start` for a name that the agent would refuse.
 */
export function encodeFile(name: string, content: Uint8Array, options: { executable: boolean }): Uint8Array[] {
  if (!FILE_NAME.test(name)) throw new AgentProtocolError('bad_start', 'file name not allowed');
  const start = Buffer.from(`${options.executable ? '\x01' : '\0'}${name}\0`, 'latin1');
  const pieces: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < content.length; at += FILE_PIECE_BYTES) {
    const piece = content.subarray(at, at + FILE_PIECE_BYTES);
    const head = Buffer.allocUnsafe(AGENT_HEADER_BYTES);
    head[0] = ToAgent.FILE;
    head.writeUInt32BE(start.length + piece.length, 1);
    pieces.push(Buffer.concat([head, start]), piece);
  }
  return pieces;
}

/** The whole START frame. Throws AgentProtocolError `bad_start` for a START that the agent would refuse. */
export function encodeStart(start: AgentStart): Buffer {
  const fields = new FieldList();
  for (const file of start.files) {
    if (!FILE_NAME.test(file.name)) throw new AgentProtocolError('bad_start', 'file name not allowed');
    fields.addFile(file);
  }
  fields.addStrings('C', start.compile ?? []);
  fields.addStrings('R', start.run ?? []);
  fields.addStrings('A', start.args ?? []);
  fields.addStrings('E', environmentWords(start.env ?? {}));
  if (start.artifact !== undefined) fields.addField('O', Buffer.from(start.artifact, 'latin1'));
  if (start.terminal !== undefined) fields.addField('T', encodeSize(start.terminal));
  if ((start.run?.length ?? 0) + (start.args?.length ?? 0) > START_STRINGS_MAX_COUNT) {
    throw new AgentProtocolError('bad_start', 'too many arguments');
  }
  return fields.frame();
}

function environmentWords(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([key, value]) => {
    if (key === '' || key.includes('=')) throw new AgentProtocolError('bad_start', 'environment key not allowed');
    return `${key}=${value}`;
  });
}

class FieldList {
  readonly #parts: { readonly tag: string; readonly bytes: readonly Uint8Array[]; readonly length: number }[] = [];
  #length = 0;
  #stringBytes = 0;

  addFile(file: AgentFile): void {
    this.#add('F', [Buffer.from(`${file.name}\0`, 'latin1'), Buffer.from(file.content)]);
  }

  addField(tag: string, bytes: Uint8Array): void {
    this.#add(tag, [bytes]);
  }

  addStrings(tag: string, strings: readonly string[]): void {
    if (strings.length > START_STRINGS_MAX_COUNT) throw new AgentProtocolError('bad_start', 'too many arguments');
    for (const text of strings) {
      if (text.includes('\0')) throw new AgentProtocolError('bad_start', 'NUL in an argument');
      const bytes = Buffer.from(text);
      this.#stringBytes += bytes.length + 1;
      if (this.#stringBytes > START_STRINGS_MAX_BYTES) throw new AgentProtocolError('bad_start', 'arguments too long');
      this.#add(tag, [bytes]);
    }
  }

  #add(tag: string, bytes: readonly Uint8Array[]): void {
    const length = bytes.reduce((sum, part) => sum + part.length, 0);
    this.#length += AGENT_HEADER_BYTES + length;
    if (this.#length > START_MAX_BYTES) throw new AgentProtocolError('bad_start', 'program too large');
    this.#parts.push({ tag, bytes, length });
  }

  frame(): Buffer {
    const frame = Buffer.allocUnsafe(AGENT_HEADER_BYTES + this.#length);
    frame[0] = ToAgent.START;
    let at = frame.writeUInt32BE(this.#length, 1);
    for (const { tag, bytes, length } of this.#parts) {
      at = frame.write(tag, at, 'latin1') + at;
      at = frame.writeUInt32BE(length, at);
      for (const part of bytes) {
        frame.set(part, at);
        at += part.length;
      }
    }
    return frame;
  }
}

/** Smallest and largest payload per type; `streamed` payloads may be delivered in pieces. */
const RULES: Readonly<Record<FromAgent, { min: number; max: number; streamed?: true; last?: true }>> = {
  [FromAgent.READY]: { min: 0, max: 256 },
  [FromAgent.STDOUT]: { min: 1, max: 65_536, streamed: true },
  [FromAgent.STDERR]: { min: 1, max: 65_536, streamed: true },
  [FromAgent.COMPILE]: { min: 1, max: 65_536, streamed: true },
  [FromAgent.EXIT]: { min: 26, max: 26, last: true },
  [FromAgent.STARTED]: { min: 0, max: 0 },
  [FromAgent.STDIN_ACK]: { min: 4, max: 4 },
  [FromAgent.COMPILE_FAILED]: { min: 2, max: 2, last: true },
  [FromAgent.FAULT]: { min: 0, max: 1024, last: true },
  [FromAgent.ARTIFACT]: { min: 1, max: 65_536, streamed: true },
  [FromAgent.COMPILED]: { min: 32, max: 32, last: true },
};

/** Called once per frame, except for STDOUT, STDERR, COMPILE and ARTIFACT: as their bytes arrive. The payload is valid during the call. */
type OnAgentFrame = (type: FromAgent, payload: Buffer) => void;

/**
 * Decodes the agent's byte stream. Iterative; it holds at most one small control frame. A payload is a view of the pushed
 * chunk where it arrives in one piece. After an error every later push throws the same error.
 */
export class AgentFrameDecoder {
  readonly #scratch = Buffer.allocUnsafe(1024);
  #scratchUsed = 0;
  #inPayload = false;
  #type: FromAgent = FromAgent.READY;
  #left = 0;
  #ended = false;
  #error: AgentProtocolError | undefined;

  /** Throws AgentProtocolError; frames before the broken one were delivered. */
  push(chunk: Buffer, onFrame: OnAgentFrame): void {
    if (this.#error !== undefined) throw this.#error;
    let at = 0;
    while (at < chunk.length) {
      if (this.#ended) throw this.#fail('after_last', 'bytes after the last frame');
      at = this.#inPayload ? this.#takePayload(chunk, at, onFrame) : this.#takeHeader(chunk, at, onFrame);
    }
  }

  #takeHeader(chunk: Buffer, at: number, onFrame: OnAgentFrame): number {
    if (this.#scratchUsed === 0 && chunk.length - at >= AGENT_HEADER_BYTES) {
      this.#open(chunk[at] ?? 0, chunk.readUInt32BE(at + 1), onFrame);
      return at + AGENT_HEADER_BYTES;
    }
    const next = this.#keep(chunk, at, AGENT_HEADER_BYTES - this.#scratchUsed);
    if (this.#scratchUsed === AGENT_HEADER_BYTES) {
      this.#scratchUsed = 0;
      this.#open(this.#scratch[0] ?? 0, this.#scratch.readUInt32BE(1), onFrame);
    }
    return next;
  }

  #open(type: number, length: number, onFrame: OnAgentFrame): void {
    if (!isFromAgent(type)) throw this.#fail('unknown_type', `unknown frame type ${type}`);
    const rule = RULES[type];
    if (length < rule.min || length > rule.max) {
      throw this.#fail('bad_length', `frame type ${type} with a payload of ${length} bytes`);
    }
    this.#type = type;
    this.#left = length;
    this.#inPayload = true;
    if (length === 0) this.#deliver(this.#scratch.subarray(0, 0), onFrame);
  }

  #takePayload(chunk: Buffer, at: number, onFrame: OnAgentFrame): number {
    const have = Math.min(this.#left, chunk.length - at);
    const whole = this.#scratchUsed === 0 && have === this.#left;
    if (whole || RULES[this.#type].streamed) {
      this.#left -= have;
      this.#deliver(chunk.subarray(at, at + have), onFrame);
      return at + have;
    }
    const next = this.#keep(chunk, at, this.#left);
    this.#left -= next - at;
    if (this.#left === 0) {
      const used = this.#scratchUsed;
      this.#scratchUsed = 0;
      this.#deliver(this.#scratch.subarray(0, used), onFrame);
    }
    return next;
  }

  #deliver(payload: Buffer, onFrame: OnAgentFrame): void {
    // State first: a callback that throws leaves the decoder between two frames, not inside one.
    if (this.#left === 0) {
      this.#inPayload = false;
      this.#ended = RULES[this.#type].last === true;
    }
    onFrame(this.#type, payload);
  }

  #keep(chunk: Buffer, at: number, wanted: number): number {
    const end = Math.min(chunk.length, at + wanted);
    this.#scratchUsed += chunk.copy(this.#scratch, this.#scratchUsed, at, end);
    return end;
  }

  #fail(code: AgentProtocolErrorCode, message: string): AgentProtocolError {
    this.#error = new AgentProtocolError(code, message);
    return this.#error;
  }
}

function isFromAgent(type: number): type is FromAgent {
  return type in RULES;
}
