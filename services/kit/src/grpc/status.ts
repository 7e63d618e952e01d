// gRPC's status codes, and how they travel: in trailers, as HTTP/2 reset codes, as HTTP statuses.
import { Buffer } from 'node:buffer';
import { constants, type IncomingHttpHeaders } from 'node:http2';

/** The closed list of gRPC. */
export const STATUS = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** How a call ended. */
export interface Status {
  /** One of STATUS; a peer may send another number. */
  readonly code: number;
  readonly details: string;
}

/** Longest details that are sent or kept, characters: they are for a log line. */
const MAX_DETAILS = 1024;
const NAMES = new Map<number, string>(Object.entries(STATUS).map(([name, code]) => [code, name]));

/** `NOT_FOUND: no such run`, for logs. */
export function statusText({ code, details }: Status): string {
  return `${NAMES.get(code) ?? `status ${code}`}: ${details}`;
}

/** As header fields; the details are percent-encoded, as the protocol asks for. */
export function statusHeaders({ code, details }: Status): Record<string, string> {
  const headers = { 'grpc-status': String(code) };
  return details === '' ? headers : { ...headers, 'grpc-message': encodeDetails(details) };
}

/** Out of header fields; undefined: there is none in them. */
export function readStatus(headers: IncomingHttpHeaders): Status | undefined {
  const code = headers['grpc-status'];
  if (code === undefined) return undefined;
  const details = decodeDetails([headers['grpc-message'] ?? ''].flat().join());
  return typeof code === 'string' && /^\d{1,3}$/.test(code)
    ? { code: Number(code), details }
    : { code: STATUS.UNKNOWN, details: 'not a grpc-status' };
}

/** What a reset of the stream means, by the table of gRPC over HTTP/2. */
export function statusOfReset(code: number): Status {
  return { code: RESETS.get(code) ?? STATUS.INTERNAL, details: `the stream was reset with HTTP/2 code ${code}` };
}

/** What an answer means that some other server than a gRPC one gave. */
export function statusOfHttp(http: number): Status {
  return { code: HTTP.get(http) ?? STATUS.UNKNOWN, details: `the answer was HTTP status ${http}` };
}

export function encodeDetails(details: string): string {
  return details
    .slice(0, MAX_DETAILS)
    .replaceAll(/[^\x20-\x24\x26-\x7e]+/g, (part) =>
      Buffer.from(part).toString('hex').toUpperCase().replaceAll(/../g, '%$&'),
    );
}

/** Never throws: what is not an escape stays as it is. */
export function decodeDetails(text: string): string {
  return text
    .replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (part) => Buffer.from(part.replaceAll('%', ''), 'hex').toString())
    .slice(0, MAX_DETAILS);
}

const RESETS: ReadonlyMap<number, number> = new Map([
  [constants.NGHTTP2_REFUSED_STREAM, STATUS.UNAVAILABLE],
  [constants.NGHTTP2_CANCEL, STATUS.CANCELLED],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, STATUS.RESOURCE_EXHAUSTED],
  [constants.NGHTTP2_INADEQUATE_SECURITY, STATUS.PERMISSION_DENIED],
]);

const HTTP: ReadonlyMap<number, number> = new Map([
  [400, STATUS.INTERNAL],
  [401, STATUS.UNAUTHENTICATED],
  [403, STATUS.PERMISSION_DENIED],
  [404, STATUS.UNIMPLEMENTED],
  [429, STATUS.UNAVAILABLE],
  [502, STATUS.UNAVAILABLE],
  [503, STATUS.UNAVAILABLE],
  [504, STATUS.UNAVAILABLE],
]);
