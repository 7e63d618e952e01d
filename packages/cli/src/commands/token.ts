// `token`: signs a run token on the command line.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { signToken, type TokenClaims } from '@rungrid/proto/token';
import { resolveLanguage } from '@rungrid/sandbox/languages';
import type { CommandInput, CommandModule, Options } from '../command.js';
import { CliError, EXIT_USAGE, messageOf } from '../errors.js';
import { pickKey, readKeys } from '../keys.js';
import { resolvePaths } from '../paths.js';

const USER = /^[A-Za-z0-9._@-]{1,64}$/;

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  const ring = readKeys(resolvePaths());
  if (ring === undefined)
    throw new CliError('there is no key yet: ./rungrid up creates one, or set GATEWAY_TOKEN_KEYS.');
  const picked = pickKey(ring, input.options.text('key-id'));
  const claims = claimsOf(input.options);
  const token = signToken({
    ...picked,
    origin: originOf(input.options.text('origin')),
    ...(Object.keys(claims).length === 0 ? {} : { claims }),
  });
  process.stdout.write(`${token}\n`);
  return 0;
}

/** An origin as browsers send it: scheme, host and port only. Throws CliError for anything else. */
function originOf(text: string | undefined): string {
  if (text === undefined || text === '') return '';
  const origin = URL.canParse(text) ? new URL(text).origin : 'null';
  if (origin === 'null' || origin !== text.replace(/\/$/, '')) {
    throw new CliError(
      `"${text}" is not an origin: scheme://host, with a port when it is not the default, such as https://example.org`,
      { exitCode: EXIT_USAGE },
    );
  }
  return origin;
}

function claimsOf(options: Options): TokenClaims {
  const user = options.text('user');
  if (user !== undefined && !USER.test(user))
    throw new CliError('--user takes 1 to 64 of A-Z a-z 0-9 . _ @ -', { exitCode: EXIT_USAGE });
  const languages = options.list('languages')?.map((name) => resolveLanguage(name)?.name ?? name);
  const file = options.text('code-file');
  const limits = definedOnly({
    wall_ms: options.integer('wall-ms'),
    cpu_ms: options.integer('cpu-ms'),
    output_bytes: options.integer('output-bytes'),
  });
  return definedOnly({
    user,
    languages,
    limits: Object.keys(limits).length === 0 ? undefined : limits,
    sha256: file === undefined ? undefined : createHash('sha256').update(readProgram(file)).digest('hex'),
  });
}

/** The text of a program. Throws CliError when it cannot be read. */
export function readProgram(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(`cannot read ${file}: ${messageOf(error)}`, { exitCode: EXIT_USAGE, cause: error });
  }
}

function definedOnly<T extends Record<string, unknown>>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
