// Whether the end of an attack's run is a safe one: what came, compared with the checks at the program's top.
import { constants } from 'node:os';
import type { ServerEvents } from '@rungrid/proto/frames';
import type { RunHandle } from '../testkit/run-handle.js';
import type { Attack, Pattern, Status } from './attack.js';

export interface Ended {
  readonly handle: RunHandle;
  readonly exit: ServerEvents['exit'];
  readonly tookMs: number;
}

/** The first thing that is wrong; undefined: it was held off. */
export function verdictOn({ handle, exit, tookMs }: Ended, attack: Attack): string | undefined {
  const status = statusOf(exit);
  if (status === undefined || !attack.statuses.includes(status))
    return `it ended as ${status ?? exit.reason}, not ${attack.statuses.join(' or ')}`;
  if (attack.exitCode !== undefined && exit.code !== attack.exitCode) return `exit code ${exit.code}`;
  if (attack.signal !== undefined && exit.signal !== signalName(attack.signal)) return `signal ${exit.signal}`;
  if (tookMs > attack.maxWallMs) return `it took ${Math.round(tookMs)} ms`;
  if (attack.livesOn && exit.reason !== 'wall_limit' && exit.reason !== 'idle_limit')
    return `it ended by ${exit.reason}`;
  if (handle.events.length > attack.maxFrames) return `${handle.events.length} events came`;
  if (handle.compileText.length > attack.maxCompileBytes) return `${handle.compileText.length} of compiler output`;
  return attack.patterns.map((pattern) => mismatch(textOf(handle, pattern.stream), pattern)).find(Boolean);
}

export function statusOf(exit: ServerEvents['exit']): Status | undefined {
  switch (exit.reason) {
    case 'exited':
      return exit.code === 0 ? 'ok' : 'nonzero';
    case 'signaled':
      return 'signalled';
    case 'wall_limit':
    case 'cpu_limit':
    case 'idle_limit':
      return 'time_limit';
    case 'memory_limit':
    case 'process_limit':
    case 'output_limit':
    case 'compile_error':
      return exit.reason;
    case 'stopped':
    case 'disconnected':
      return undefined;
  }
}

function textOf(handle: RunHandle, stream: Pattern['stream']): string {
  return { stdout: handle.stdout, stderr: handle.stderr, compile: handle.compileText }[stream];
}

function mismatch(text: string, { stream, pattern, wanted }: Pattern): string | undefined {
  if (wanted) return pattern.test(text) ? undefined : `${stream} has no ${pattern}: ${text.slice(0, 2000)}`;
  const lines = text.split('\n').filter((line) => pattern.test(line));
  return lines.length === 0 ? undefined : `${stream} has ${pattern}:\n${lines.slice(0, 20).join('\n')}`;
}

function signalName(signal: number): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
}
