// `run FILE`: runs a program in a sandbox, with this terminal as its stdin, stdout and stderr.
import { basename } from 'node:path';
import type { RunFile } from '@rungrid/client/requests';
import { signToken } from '@rungrid/proto/token';
import { builtInLanguages, resolveLanguage } from '@rungrid/sandbox/languages';
import type { CommandInput, CommandModule } from '../command.js';
import { CliError, EXIT_USAGE } from '../errors.js';
import { pickKey, readKeys } from '../keys.js';
import { type Paths, resolvePaths } from '../paths.js';
import { languageOfFile } from '../run/language.js';
import { runSession } from '../run/session.js';
import { readState, withoutTheDead } from '../state.js';
import { readProgram } from './token.js';

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  const [file = '', ...args] = input.positionals;
  const paths = resolvePaths();
  const code = readProgram(file);
  const language = pickLanguage(file, input.options.text('language'));
  const given = input.options.text('url');
  return runSession({
    url: given === undefined ? localGateways(paths) : () => given,
    token: input.options.text('token') ?? localToken(paths),
    code,
    language,
    args,
    files: readFiles(input.options.list('file') ?? []),
    tty: wantsTerminal(input),
  });
}

/** On a terminal when this process has one, unless an option says otherwise. */
function wantsTerminal(input: CommandInput): boolean {
  const here = process.stdin.isTTY && process.stdout.isTTY;
  if (input.options.flag('no-tty')) return false;
  if (!input.options.flag('tty')) return here;
  if (here) return true;
  throw new CliError('--tty needs a terminal: stdin and stdout are not both one.', { exitCode: EXIT_USAGE });
}

function readFiles(paths: readonly string[]): RunFile[] {
  return paths.map((path) => ({ name: basename(path), content: readProgram(path) }));
}

function pickLanguage(file: string, asked: string | undefined): string {
  const known = () =>
    builtInLanguages()
      .map((language) => language.name)
      .join(', ');
  // A remote gateway may have other languages: an unknown name is sent as it is.
  if (asked !== undefined) return resolveLanguage(asked)?.name ?? asked;
  const found = languageOfFile(file, builtInLanguages());
  if (found === undefined)
    throw new CliError(`unknown extension: ${file}; name its language with --language, one of ${known()}`, {
      exitCode: EXIT_USAGE,
    });
  return found;
}

/** One gateway of the local stack after the other, of those that live then. Throws CliError when there is none at first. */
function localGateways(paths: Paths): () => string {
  const live = () => withoutTheDead(readState(paths)).gateways.map(({ url }) => `${url.replace(/^http/, 'ws')}/ws`);
  const [first] = live();
  if (first === undefined)
    throw new CliError('Rungrid is not up. Start it with ./rungrid up --detach, or name a gateway with --url.');
  let attempt = 0;
  return () => {
    const urls = live();
    return urls[attempt++ % urls.length] ?? first;
  };
}

function localToken(paths: Paths): string {
  const ring = readKeys(paths);
  if (ring === undefined)
    throw new CliError('there is no key to sign a token with. Start Rungrid with ./rungrid up, or pass --token.');
  return signToken({ ...pickKey(ring), origin: '' });
}
