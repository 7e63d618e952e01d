// One run's gRPC stream: translates calls and status codes into what routing asks for.
import { type ClientDuplexStream, status, type StatusObject } from '@grpc/grpc-js';
import type { RunEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import type { RunStream, RunStreamHandlers, StreamFault } from '../routing/types.js';
import { fromWire, toWire } from './messages.js';

/** How long a worker may take to end the stream after the terminal event, ms. */
const FINISH_WAIT_MS = 5000;

export type RunCall = ClientDuplexStream<RunInput, RunEvent>;

export interface RunStreamOptions {
  readonly handlers: RunStreamHandlers;
  /** The call is over, from either side. Called once. */
  readonly onClosed: (status: StatusObject) => void;
}

/** Wraps a fresh call. */
export function wrapCall(call: RunCall, options: RunStreamOptions): RunStream {
  let handlers: RunStreamHandlers | undefined = options.handlers;
  let ended: StatusObject | undefined;
  let closed = false;
  let finishTimer: NodeJS.Timeout | undefined;

  call.on('data', (message: RunEvent) => {
    const event = fromWire(message);
    if (event !== undefined) handlers?.event(event);
  });
  call.on('status', (given) => {
    ended = given;
  });
  // Events that came before the status may still wait in a paused stream; 'end' follows them.
  call.on('end', () => {
    if (ended === undefined) return;
    closed = true;
    clearTimeout(finishTimer);
    const listening = handlers;
    handlers = undefined;
    options.onClosed(ended);
    listening?.end(ended.code === status.OK ? undefined : faultOf(ended));
  });

  return {
    send: (input) => {
      // Not awaited: what may be under way is bounded by the stdin window.
      if (!closed) call.write({ input: toWire(input) });
    },
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    finish: () => {
      handlers = undefined;
      if (closed) return;
      call.end();
      finishTimer = setTimeout(() => call.cancel(), FINISH_WAIT_MS);
      call.resume();
    },
    cancel: () => {
      handlers = undefined;
      if (closed) return;
      call.cancel();
      call.resume();
    },
  };
}

function faultOf({ code, details }: StatusObject): StreamFault {
  return { kind: FAULT_KINDS.get(code) ?? 'lost', message: `${status[code]}: ${details}`.slice(0, 200) };
}

const FAULT_KINDS: ReadonlyMap<number, StreamFault['kind']> = new Map([
  [status.NOT_FOUND, 'not_found'],
  [status.OUT_OF_RANGE, 'out_of_range'],
  [status.PERMISSION_DENIED, 'denied'],
  [status.ABORTED, 'taken_over'],
  [status.UNAUTHENTICATED, 'refused'],
]);
