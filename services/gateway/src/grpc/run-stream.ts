// One run's gRPC stream: translates calls and status codes into what routing asks for.
import type { Call } from '@rungrid/kit/grpc/client-call';
import { STATUS, type Status, statusText } from '@rungrid/kit/grpc/status';
import type { RunEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import type { RunStream, RunStreamHandlers, StreamFault } from '../routing/types.js';
import { fromWire, toWire } from './messages.js';

/** How long a worker may take to end the stream after the terminal event, ms. */
const FINISH_WAIT_MS = 5000;

export type RunCall = Call<RunInput, RunEvent>;

export interface RunStreamOptions {
  readonly handlers: RunStreamHandlers;
  /** The call is over, whoever ended it. Called once. */
  readonly onClosed: (status: Status) => void;
}

/** Wraps a fresh call. */
export function wrapCall(call: RunCall, options: RunStreamOptions): RunStream {
  let handlers: RunStreamHandlers | undefined = options.handlers;
  let closed = false;
  let finishTimer: NodeJS.Timeout | undefined;

  call.listen({
    message: (message) => {
      const event = fromWire(message);
      if (event !== undefined) handlers?.event(event);
    },
    end: (status) => {
      closed = true;
      clearTimeout(finishTimer);
      const listening = handlers;
      handlers = undefined;
      options.onClosed(status);
      listening?.end(status.code === STATUS.OK ? undefined : faultOf(status));
    },
  });

  return {
    send: (input) => {
      // Not awaited: what may be under way is bounded by the stdin window.
      if (!closed) call.write({ input: toWire(input) });
    },
    pause: () => call.pause(),
    resume: () => call.resume(),
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

function faultOf(status: Status): StreamFault {
  return { kind: FAULT_KINDS.get(status.code) ?? 'lost', message: statusText(status).slice(0, 200) };
}

const FAULT_KINDS: ReadonlyMap<number, StreamFault['kind']> = new Map([
  [STATUS.NOT_FOUND, 'not_found'],
  [STATUS.OUT_OF_RANGE, 'out_of_range'],
  [STATUS.PERMISSION_DENIED, 'denied'],
  [STATUS.ABORTED, 'taken_over'],
  [STATUS.UNAUTHENTICATED, 'refused'],
]);
