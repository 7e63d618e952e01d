// `up`: starts engine, Redis, images, workers and gateways, prints the address, and in the foreground watches the processes.
import { DEFAULT_PREFIX } from '@rungrid/kit/config';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Language } from '@rungrid/sandbox/languages';
import { DEFAULT_LANGUAGES } from '@rungrid/sandbox/tested-languages';
import type { CommandInput, CommandModule } from '../command.js';
import { CliError } from '../errors.js';
import { abandonStarts, tail } from '../exec.js';
import { ensureEngine } from '../infra/engine.js';
import { ensureImages } from '../infra/images.js';
import { ensureRedis, redisUrlOf, type RedisState } from '../infra/redis.js';
import { ensureGrpcSecret, ensureKeys } from '../keys.js';
import { pickLanguages } from '../languages.js';
import { installationId, makeFolders, type Paths, resolvePaths } from '../paths.js';
import { isAlive } from '../process-ref.js';
import { say } from '../progress.js';
import { ensureEngineProxy, wantsEngineProxy } from '../services/engine-proxy.js';
import { converge, type Wanted } from '../services/processes.js';
import { readState, type State, takeLock, updateState, withLock, withoutTheDead } from '../state.js';
import { stopEverything } from './down.js';

/** How often the foreground checks that every process still runs, ms. */
const WATCH_MS = 500;

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  if (process.platform !== 'linux') throw new CliError('Rungrid runs on Linux only: its sandboxes are containers.');
  const paths = resolvePaths();
  makeFolders(paths);
  const unlock = takeLock(paths);
  const interrupted = () => {
    abandonStarts();
    unlock();
    say('\ninterrupted; ./rungrid down stops the processes started so far');
    process.exit(130);
  };
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  let state: State;
  try {
    state = await bringUp(input, paths);
  } finally {
    unlock();
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  }
  printAddress(state);
  if (input.options.flag('detach')) return 0;
  say('Ctrl-C stops it.');
  return watch(paths);
}

async function bringUp(input: CommandInput, paths: Paths): Promise<State> {
  const before = updateState(paths, (state) => withoutTheDead(state));
  const { wanted, languages } = decide(input, before);
  if (isComplete(before, wanted)) {
    say('Rungrid is already up.');
    return before;
  }
  say(
    before.gateways.length + before.workers.length === 0 ? 'Rungrid is starting' : 'Rungrid is already up; adapting it',
  );
  const engine = await ensureEngine(paths);
  await ensureImages(languages, { host: engine.host, paths });
  const redis = await ensureRedis(paths);
  const prefix = prefixOf(redis, paths);
  const dockerHost = wantsEngineProxy(before) ? await ensureEngineProxy({ paths, engine, prefix }) : engine.host;
  const state = readState(paths);
  return converge(state, wanted, {
    paths,
    dockerHost,
    cgroupParent: engine.cgroupParent,
    redisUrlOf: (service) => redisUrlOf(service, { redis, paths }),
    prefix,
    tokenKeys: ensureKeys(paths),
    grpcSecret: ensureGrpcSecret(paths),
  });
}

/** What to run: the options of this command, else of the last one, else the defaults. */
function decide(input: CommandInput, state: State): { wanted: Wanted; languages: Language[] } {
  const names = input.options.list('languages') ?? state.wanted?.languages ?? DEFAULT_LANGUAGES;
  const languages = pickLanguages(names);
  const canonical = languages.map((language) => language.name);
  const live = state.workers.length > 0;
  if (live && state.wanted !== undefined && state.wanted.languages.toSorted().join() !== canonical.toSorted().join()) {
    throw new CliError(
      `Rungrid is up with the languages ${state.wanted.languages.join(', ')}. Run ./rungrid down first to change them.`,
    );
  }
  const port = input.options.integer('port') ?? state.wanted?.port;
  const running = state.gateways[0];
  if (
    running !== undefined &&
    input.options.integer('port') !== undefined &&
    new URL(running.url).port !== String(port)
  ) {
    throw new CliError(`Rungrid is already up at ${running.url}. Run ./rungrid down first to change the port.`);
  }
  return {
    wanted: {
      gateways: input.options.integer('gateways') ?? state.wanted?.gateways ?? 1,
      workers: input.options.integer('workers') ?? state.wanted?.workers ?? 1,
      languages: canonical,
      ...(port === undefined ? {} : { port }),
    },
    languages,
  };
}

/** With a private Redis every installation has its own prefix, so that workers on a shared engine reap only their own sandboxes. */
function prefixOf(redis: RedisState, paths: Paths): string {
  const given = process.env['RUNGRID_PREFIX'];
  if (given !== undefined && given !== '') return given;
  if (redis.process === undefined) return DEFAULT_PREFIX;
  return `${DEFAULT_PREFIX}-${installationId(paths.state)}`;
}

function isComplete(state: State, wanted: Wanted): boolean {
  const proxy = state.engineProxy !== undefined || !wantsEngineProxy(state);
  const parts = state.engine !== undefined && state.redis !== undefined && proxy;
  return parts && state.gateways.length === wanted.gateways && state.workers.length === wanted.workers;
}

function printAddress(state: State): void {
  const url = state.gateways[0]?.url ?? '';
  process.stdout.write(`\nRungrid is up: ${url}\n`);
  say(`
  Open it in a browser, or run a program here:
    printf 'name = input("Name: ")\\nprint("Hello " + name)\\n' > hello.py
    ./rungrid run hello.py
  ./rungrid status shows the processes, ./rungrid logs their logs; ./rungrid down stops them.
`);
}

/** Runs until a signal, or until `down` is called elsewhere. */
async function watch(paths: Paths): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('SIGHUP', onSignal);
  const reported = new Set<string>();
  while (!stop.signal.aborted) {
    const state = readState(paths);
    if (state.gateways.length + state.workers.length === 0) {
      say('Rungrid was stopped.');
      return 0;
    }
    for (const service of [...state.gateways, ...state.workers]) {
      const key = `${service.name} ${service.process.start}`;
      if (reported.has(key) || isAlive(service.process)) continue;
      reported.add(key);
      say(
        `${service.name} (pid ${service.process.pid}) has ended; ./rungrid up starts it again. Its last log lines:\n${tail(`${paths.logs}/${service.name}.log`, 8)}`,
      );
    }
    await sleep(WATCH_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  say('\nstopping');
  await withLock(paths, () => stopEverything(paths));
  return 0;
}
