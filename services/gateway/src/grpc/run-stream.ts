// One run's gRPC stream: translates the library's stream and status codes into what routing asks for.
import { type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import type { RunEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import type { RunStream, RunStreamHandlers, StreamFault } from '../routing/types.js';

/** How long a worker may take to end the stream after the terminal event, ms. */
const FINISH_WAIT_MS = 5000;

export type RunCall = ClientDuplexStream<RunInput, RunEvent>;

export interface RunStreamOptions {
  readonly handlers: RunStreamHandlers;
  /** The call is over, whoever ended it. Called once. */
  readonly onClosed: () => void;
}

/** Wraps a fresh call. */
export function wrapCall(call: RunCall, options: RunStreamOptions): RunStream {
  let handlers: RunStreamHandlers | undefined = options.handlers;
  let fault: StreamFault | undefined;
  let closed = false;
  let finishTimer: NodeJS.Timeout | undefined;

  const close = () => {
    if (closed) return;
    closed = true;
    clearTimeout(finishTimer);
    const listening = handlers;
    handlers = undefined;
    options.onClosed();
    listening?.end(fault);
  };
  call.on('data', (event: RunEvent) => handlers?.event(event));
  call.on('error', (error: ServiceError) => {
    fault = {
      kind: FAULT_KINDS.get(error.code) ?? 'lost',
      message: `${status[error.code] ?? 'error'}: ${error.details}`.slice(0, 200),
    };
    // Events that came before the fault may still wait in a paused stream; 'end' follows them.
    if (call.readableLength === 0) close();
  });
  call.on('end', close);

  return {
    send: (input) => {
      // Not awaited: what may be under way is bounded by the stdin window.
      if (!closed) call.write({ input });
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

const FAULT_KINDS: ReadonlyMap<number, StreamFault['kind']> = new Map([
  [status.NOT_FOUND, 'not_found'],
  [status.OUT_OF_RANGE, 'out_of_range'],
  [status.PERMISSION_DENIED, 'denied'],
]);
