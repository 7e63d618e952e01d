// HTTP over uWebSockets.js: copies what handlers need out of the request, bounds bodies and their time, writes answers.
import { Buffer } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import type { HttpRequest, HttpResponse } from '../http/types.js';
import type { HttpRequest as UwsRequest, HttpResponse as UwsResponse } from './engine.js';

/** How long a body may take to arrive, ms. Half-sent headers are the engine's: it drops them after about 10 s. */
const BODY_TIMEOUT_MS = 10_000;
/** Bodies that are being received at once. Past it: 503. */
const MAX_BODIES = 512;

export interface HttpOptions {
  readonly handle: (request: HttpRequest) => HttpResponse;
  /** The answer to a request that is not handed on. */
  readonly refuse: (why: 'too_large' | 'busy' | 'fault') => HttpResponse;
  /** Largest body of a POST. */
  readonly maxBodyBytes: number;
  readonly addressOf: (given: { remote: Uint8Array; forwarded: string }) => string;
  readonly onFault: (error: unknown) => void;
}

/** The handler for `app.any`. */
export function httpRoute(options: HttpOptions): (response: UwsResponse, request: UwsRequest) => void {
  const state = { receiving: 0 };
  return (response, request) => {
    // The engine ends the process when a handler returns without an answer or this.
    response.onAborted(() => undefined);
    try {
      route(options, { response, request, state });
    } catch (error) {
      options.onFault(error);
      response.close();
    }
  };
}

function route(
  options: HttpOptions,
  given: { response: UwsResponse; request: UwsRequest; state: { receiving: number } },
): void {
  const { response, request, state } = given;
  const head = copyHead(options, response, request);
  const declared = Number(request.getHeader('content-length') || '0');
  if (head.method !== 'POST') return answer(options, { response, request: head });
  if (!(declared <= options.maxBodyBytes)) return write({ response, head, answer: options.refuse('too_large') });
  if (state.receiving >= MAX_BODIES) return write({ response, head, answer: options.refuse('busy') });
  state.receiving += 1;
  receive(response, {
    maxBytes: options.maxBodyBytes,
    done: (result) => {
      state.receiving -= 1;
      if ('body' in result) answer(options, { response, request: { ...head, body: result.body } });
      else if (result.none === 'too_large') write({ response, head, answer: options.refuse('too_large') });
    },
  });
}

function copyHead(options: HttpOptions, response: UwsResponse, request: UwsRequest): HttpRequest {
  return {
    method: request.getMethod().toUpperCase(),
    path: request.getUrl(),
    origin: request.getHeader('origin'),
    ifNoneMatch: request.getHeader('if-none-match'),
    address: options.addressOf({
      remote: new Uint8Array(response.getRemoteAddress()),
      forwarded: request.getHeader('x-forwarded-for'),
    }),
    body: '',
  };
}

type Received = { readonly body: string } | { readonly none: 'too_large' | 'aborted' };

/** Calls back once: with the body, or why there is none. After `aborted` the response must not be touched. */
function receive(response: UwsResponse, options: { maxBytes: number; done: (result: Received) => void }): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  let over = false;
  const finish = (result: Received) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    options.done(result);
  };
  const timer = setTimeout(() => {
    if (!over) response.close();
  }, BODY_TIMEOUT_MS);
  response.onAborted(() => finish({ none: 'aborted' }));
  response.onData((chunk, isLast) => {
    if (over) return;
    bytes += chunk.byteLength;
    if (bytes > options.maxBytes) return finish({ none: 'too_large' });
    // The engine's memory is only good within this call: Buffer.from copies a view.
    parts.push(Buffer.from(new Uint8Array(chunk)));
    if (isLast) finish({ body: Buffer.concat(parts).toString('utf8') });
  });
}

function answer(options: HttpOptions, given: { response: UwsResponse; request: HttpRequest }): void {
  const { response, request } = given;
  let result: HttpResponse;
  try {
    result = options.handle(request);
  } catch (error) {
    options.onFault(error);
    result = options.refuse('fault');
  }
  write({ response, head: request, answer: result });
}

/** An error also ends the connection, so that a client that makes them pays for a new one each time. */
function write(given: { response: UwsResponse; head: HttpRequest; answer: HttpResponse }): void {
  const { response, head, answer: result } = given;
  response.cork(() => {
    response.writeStatus(`${result.status} ${STATUS_CODES[result.status] ?? 'Unknown'}`);
    for (const [name, value] of Object.entries(result.headers)) response.writeHeader(name, value);
    // Without arguments only: with them this engine takes the request for unanswered.
    if (head.method === 'HEAD') {
      response.writeHeader('content-length', String(Buffer.byteLength(result.body))).endWithoutBody();
    } else if (result.status === 204 || result.status === 304) {
      response.endWithoutBody();
    } else {
      response.end(result.body, result.status >= 400);
    }
  });
}
