// What goes through Redis: the run request (gateway -> worker), the claim (worker -> gateway), the worker's announcement.
import { Buffer } from 'node:buffer';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { FILE_NAME, LanguageModeSchema, TerminalSizeSchema } from './frames.js';
import { MAX_ARGS, MAX_ARGS_BYTES, MAX_FILES } from './limits.js';

/** Longest request, bytes of JSON. A client frame yields less, even with every character escaped again. */
const MAX_REQUEST_BYTES = 655_360;

const id = Type.String({ pattern: '^[A-Za-z0-9_-]{8,64}$' });

/** A run as its gateway submits it: field `request` of an entry in the stream of its language. */
export const RunRequestSchema = Type.Object({
  /** Run id, minted by the gateway. */
  run: id,
  /** The secret that attaches to this run over gRPC; only the gateway that accepted the run has it. */
  key: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
  /** Id of the gateway that the claim is sent to. */
  gateway: id,
  /** Canonical language name. */
  language: Type.String({ pattern: '^[a-z0-9+#-]{1,32}$' }),
  code: Type.String(),
  files: Type.Array(Type.Object({ name: Type.String({ pattern: FILE_NAME }), content: Type.String() }), {
    maxItems: MAX_FILES,
  }),
  args: Type.Array(Type.String({ pattern: '^[^\\u0000]*$' }), { maxItems: MAX_ARGS }),
  /** All of stdin, then EOF; absent: interactive. */
  stdin: Type.Optional(Type.String()),
  /** Runs on a terminal of this size; absent: on pipes. */
  tty: Type.Optional(TerminalSizeSchema),
  /** When its client disconnects: absent kills it, `keep` lets it continue for the resume window. */
  on_disconnect: Type.Optional(Type.Literal('keep')),
  /** Lower limits, requested by the client or its token. */
  limits: Type.Object({
    wall_ms: Type.Optional(Type.Integer({ minimum: 1 })),
    cpu_ms: Type.Optional(Type.Integer({ minimum: 1 })),
    output_bytes: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  /** Gateway's clock when the click arrived, microseconds since the Unix epoch. */
  accepted_us: Type.Integer(),
});
export type RunRequest = Static<typeof RunRequestSchema>;

/** A claim notice on the gateway's reply stream: the fields of the entry, all strings on the wire. */
export interface Claim {
  readonly run: string;
  /** Higher than that of every earlier claim of the run; frames of an older epoch are dropped. */
  readonly epoch: number;
  readonly worker: string;
  /** host:port of the worker's gRPC server. */
  readonly address: string;
}

/** A worker's announcement and heartbeat: renewed every few seconds under a key with a TTL. */
export const WorkerInfoSchema = Type.Object({
  id,
  /** host:port of its gRPC server. */
  grpc: Type.String({ pattern: '^[A-Za-z0-9.:\\[\\]-]{3,255}$' }),
  /** http URL of its metrics and health. */
  metrics: Type.String({ maxLength: 255 }),
  pid: Type.Integer(),
  draining: Type.Boolean(),
  languages: Type.Array(
    Type.Object({
      name: Type.String({ pattern: '^[a-z0-9+#-]{1,32}$' }),
      title: Type.String({ maxLength: 64 }),
      version: Type.String({ maxLength: 64 }),
      mode: LanguageModeSchema,
      aliases: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 16 }),
      file_name: Type.String({ maxLength: 64 }),
      hello: Type.String({ maxLength: 4096 }),
    }),
    { maxItems: 128 },
  ),
});
export type WorkerInfo = Static<typeof WorkerInfoSchema>;

const requestCheck = Compile(RunRequestSchema);
const workerCheck = Compile(WorkerInfoSchema);

/** The request; undefined when the entry is malformed, or too large for any sandbox. */
export function parseRunRequest(text: string): RunRequest | undefined {
  if (Buffer.byteLength(text) > MAX_REQUEST_BYTES) return undefined;
  const value = parseJson(text);
  return requestCheck.Check(value) && argsBytes(value.args) <= MAX_ARGS_BYTES ? value : undefined;
}

/** Size of arguments in a sandbox, each with its NUL, bytes. */
export function argsBytes(args: readonly string[]): number {
  return args.reduce((sum, arg) => sum + Buffer.byteLength(arg) + 1, 0);
}

export function parseWorkerInfo(text: string): WorkerInfo | undefined {
  const value = parseJson(text);
  return workerCheck.Check(value) ? value : undefined;
}

/** The claim in an entry's flat field list; undefined when the entry is malformed. */
export function parseClaim(fields: readonly string[]): Claim | undefined {
  const map = new Map<string, string>();
  for (let i = 0; i + 1 < fields.length; i += 2) map.set(fields[i] as string, fields[i + 1] as string);
  const [run, epoch, worker, address] = [
    map.get('run'),
    Number(map.get('epoch')),
    map.get('worker'),
    map.get('address'),
  ];
  // On the gRPC wire it is a uint32.
  const counts = Number.isSafeInteger(epoch) && epoch > 0 && epoch < 2 ** 32;
  if (run === undefined || worker === undefined || address === undefined || !counts) return undefined;
  return { run, epoch, worker, address };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
