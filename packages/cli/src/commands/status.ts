// `status`: the running processes and their addresses, as text or as one JSON object.
import { shownRedisUrl } from '@rungrid/bus/url';
import type { CommandInput, CommandModule } from '../command.js';
import { describeEngine, type EngineInfo } from '../infra/engine-client.js';
import { resolvePaths } from '../paths.js';
import { readState, type State, withoutTheDead } from '../state.js';

export interface Status {
  readonly gateways: readonly { readonly pid: number; readonly url: string }[];
  readonly workers: readonly { readonly pid: number; readonly grpc: string; readonly metrics: string }[];
  readonly redis: { readonly url: string } | null;
  /** What the engine reports about itself; null: none in use, or it does not answer. */
  readonly engine: EngineInfo | null;
}

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  const state = withoutTheDead(readState(resolvePaths()));
  const status = statusOf(state, await engineOf(state));
  const up = status.gateways.length > 0 && status.workers.length > 0;
  process.stdout.write(input.options.flag('json') ? `${JSON.stringify(status, null, 2)}\n` : describe(status, state));
  return up ? 0 : 1;
}

export function statusOf(state: State, engine: EngineInfo | null): Status {
  return {
    gateways: state.gateways.map(({ process: { pid }, url }) => ({ pid, url })),
    workers: state.workers.map(({ process: { pid }, grpc, metrics }) => ({ pid, grpc, metrics })),
    redis: state.redis === undefined ? null : { url: state.redis.url },
    engine,
  };
}

async function engineOf(state: State): Promise<EngineInfo | null> {
  if (state.engine === undefined) return null;
  try {
    return await describeEngine(state.engine.host);
  } catch {
    // `engine: null` says that it does not answer.
    return null;
  }
}

function describe(status: Status, state: State): string {
  if (status.gateways.length + status.workers.length === 0) return 'Rungrid is not up. Start it with ./rungrid up\n';
  const lines = [
    ...state.gateways.map(
      (gateway) => `${gateway.name}  pid ${gateway.process.pid}  ${gateway.url}  (metrics ${gateway.internal}/metrics)`,
    ),
    ...state.workers.map(
      (worker) =>
        `${worker.name}   pid ${worker.process.pid}  grpc ${worker.grpc}  (metrics ${worker.metrics}/metrics)`,
    ),
    ...(state.engineProxy === undefined
      ? []
      : [`proxy      unix://${state.engineProxy.socket}  pid ${state.engineProxy.process.pid}`]),
    `redis      ${status.redis === null ? 'none' : `${shownRedisUrl(status.redis.url)}${owner(state.redis)}`}`,
    `engine     ${status.engine === null ? 'does not answer' : `${status.engine.name} ${status.engine.version}  ${status.engine.host}${owner(state.engine)}`}`,
    `languages  ${state.wanted?.languages.join(', ') ?? ''}`,
  ];
  return `${lines.join('\n')}\n`;
}

function owner(part: { process?: { pid: number } | undefined } | undefined): string {
  return part?.process === undefined ? '  (not started by Rungrid)' : `  pid ${part.process.pid}`;
}
