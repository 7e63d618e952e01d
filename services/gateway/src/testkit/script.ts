// What the scripted worker does with a run: the run's code names one of these.
import { Buffer } from 'node:buffer';
import { status } from '@grpc/grpc-js';
import type { Script, ScriptedRun } from './scripted-worker.js';

/** Bytes that `flood` has got rid of, by run. */
export const flooded = new Map<string, number>();
const CHUNK = 'x'.repeat(16_384);
export const FLOOD_BYTES = 8 * 1024 * 1024;

const attached: Record<string, (run: ScriptedRun) => void> = {
  greet: (run) => {
    run.started();
    run.output('stdout', 'Name: ');
  },
  'early exit': (run) => {
    run.started();
    run.output('stdout', 'é\u0000"\\\u2028');
    run.exit();
  },
  compiler: (run) => {
    run.output('compile', 'line 1: no');
    run.exit('compile_error', null);
  },
  wait: (run) => run.started(),
  flood,
  gap: (run) => {
    run.started();
    run.output('stdout', 'a');
    run.output('stdout', 'c', 4);
  },
  repeat: (run) => {
    run.started();
    run.output('stdout', 'a');
    run.output('stdout', 'again', 2);
    run.output('stdout', 'b', 3);
    run.exit();
  },
  'lost before start': (run) => run.fail(status.UNAVAILABLE),
  'lost after start': (run) => {
    run.started();
    run.fail(status.INTERNAL);
  },
  'no sandbox': (run) => run.send({ $case: 'error', value: { code: 'start_failed', message: 'no sandbox' } }),
  'never starts': () => undefined,
};

export const script: Script = {
  attached: (run) => attached[run.request.code]?.(run),
  input: (run, input) => {
    if (input.$case === 'stop') run.exit(input.value.disconnected ? 'disconnected' : 'stopped', null);
    if (input.$case === 'stdin' && run.request.code === 'greet' && run.stdin.includes('\n')) {
      run.send({ $case: 'stdinConsumed', value: input.value.length });
      run.output('stdout', `Hello ${run.stdin.trim()}\n`);
      run.exit();
    }
  },
};

/** Writes as fast as the stream takes it, and waits where it does not. */
function flood(run: ScriptedRun): void {
  run.started();
  let sent = 0;
  const more = () => {
    while (sent < FLOOD_BYTES && !run.cancelled) {
      sent += Buffer.byteLength(CHUNK);
      flooded.set(run.request.run, sent);
      if (!run.output('stdout', CHUNK)) return run.onceDrained(more);
    }
    if (!run.cancelled) run.exit('output_limit', null);
  };
  more();
}
