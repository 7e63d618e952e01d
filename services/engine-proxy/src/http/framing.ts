// Whether a request is framed the way a worker frames it, and its whole body within a bound.
import type { IncomingMessage } from 'node:http';
import { quoted, Refusal } from '../policy/refusal.js';

/** Headers that two parsers could read as two different requests, or that make the server answer early. */
const NEVER = ['transfer-encoding', 'trailer', 'te', 'expect', 'upgrade', 'x-http-method-override'];

/** Throws Refusal for framing that a worker never uses. `upgrade`: the request may ask for an upgrade. */
export function checkFraming(request: IncomingMessage, options: { upgrade: boolean }): void {
  if (request.httpVersion !== '1.1') throw new Refusal('bad_framing', `HTTP/${request.httpVersion} is not spoken here`);
  if (request.headers.host === undefined) throw new Refusal('bad_framing', 'there is no host');
  for (const name of NEVER) {
    if (request.headers[name] === undefined || (name === 'upgrade' && options.upgrade)) continue;
    throw new Refusal('bad_framing', `the header ${name} is not used here`);
  }
  const length = request.headers['content-length'];
  if (length !== undefined && !/^(0|[1-9][0-9]{0,9})$/.test(length))
    throw new Refusal('bad_framing', `the length ${quoted(length)} is not a plain number`);
  if (request.method !== 'POST' && Number(length ?? 0) > 0)
    throw new Refusal('bad_framing', 'only a POST has a body here');
}

/** Rejects with Refusal past the bound; the rest is left unread. */
export async function readBody(request: IncomingMessage, mostBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > mostBytes)
    throw new Refusal('body_too_large', `a body may have ${mostBytes} bytes`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Refusal('body_too_large', `a body may have ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
