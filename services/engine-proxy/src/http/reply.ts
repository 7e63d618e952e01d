// Answers to workers: the engine's, and refusals in the engine's own form.
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EngineAnswer } from '../policy/ports.js';
import type { Refusal } from '../policy/refusal.js';

export function sendAnswer(response: ServerResponse, { status, contentType, body }: EngineAnswer): void {
  if (response.destroyed) return;
  // 204 and 304 have no body and no Content-Length.
  const head = status === 204 || status === 304 ? {} : { 'content-type': contentType, 'content-length': body.length };
  response.writeHead(status, head).end(status === 204 || status === 304 ? undefined : body);
}

export function sendRefusal(response: ServerResponse, refusal: Refusal): void {
  sendAnswer(response, { status: refusal.status, contentType: 'application/json', body: refusalBody(refusal) });
}

/** For a socket detached from the HTTP server; it is closed after the answer. */
export function endWithAnswer(socket: Duplex, { status, contentType, body }: EngineAnswer): void {
  if (socket.destroyed) return;
  const type = contentType.replaceAll(/[^\x20-\x7e]/g, '');
  const head = `HTTP/1.1 ${status} Refused\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  socket.end(Buffer.concat([Buffer.from(head), body]), () => socket.destroy());
}

export function endWithRefusal(socket: Duplex, refusal: Refusal): void {
  endWithAnswer(socket, { status: refusal.status, contentType: 'application/json', body: refusalBody(refusal) });
}

/** JSON escapes the client's text. */
function refusalBody(refusal: Refusal): Buffer {
  return Buffer.from(JSON.stringify({ message: `engine proxy: ${refusal.reason}: ${refusal.message}` }));
}
