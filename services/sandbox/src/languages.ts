// Languages are data: loads and checks every languages/<name>/language.json, and finds a language by name or alias.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { loadSample } from './samples.js';

/** The folder that holds one folder per language. */
export const LANGUAGES_DIR = join(dirname(fileURLToPath(import.meta.url)), '..', 'languages');

// Also a part of an image tag.
const NAME = '^[a-z][a-z0-9-]{0,31}$';
const ALIAS = '^[a-z][a-z0-9+#._-]{0,31}$';
const closed = { additionalProperties: false } as const;

const Argv = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 64 });

const Limits = Type.Object(
  {
    memoryBytes: Type.Optional(Type.Integer({ minimum: 6_291_456, description: 'Memory, swap included.' })),
    cpus: Type.Optional(Type.Number({ minimum: 0.01, description: 'Share of one CPU.' })),
    pids: Type.Optional(Type.Integer({ minimum: 2, description: 'Processes and threads.' })),
    tmpBytes: Type.Optional(Type.Integer({ minimum: 4096, description: 'Size of /tmp.' })),
    cpuTimeMs: Type.Optional(
      Type.Integer({ minimum: 1, description: 'CPU time of a run, its compile step included.' }),
    ),
    wallMs: Type.Optional(Type.Integer({ minimum: 1, description: 'Time from START to the end.' })),
    idleMs: Type.Optional(Type.Integer({ minimum: 1, description: 'Time without input and output.' })),
    outputBytes: Type.Optional(Type.Integer({ minimum: 1, description: 'stdout and stderr together.' })),
  },
  { ...closed, description: 'Where this language differs from the defaults of the worker.' },
);

const common = {
  $schema: Type.Optional(Type.String()),
  name: Type.String({ pattern: NAME, description: 'The folder name; what run_code names.' }),
  title: Type.String({ minLength: 1, maxLength: 64, description: 'Shown to people.' }),
  aliases: Type.Array(Type.String({ pattern: ALIAS }), { maxItems: 16, description: 'Other names run_code may use.' }),
  version: Type.String({ minLength: 1, maxLength: 64, description: 'Announced until a warm sandbox reports its own.' }),
  fileName: Type.String({
    pattern: '^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$',
    description: 'The program is written to /tmp/<fileName>.',
  }),
  image: Type.Object(
    {
      packages: Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9+.-]*$' }), {
        maxItems: 64,
        description: 'Debian packages.',
      }),
    },
    { ...closed, description: 'The image: debian:trixie-slim, these packages, and what the folder image/ adds.' },
  ),
  env: Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), Type.String({ maxLength: 1024 }), {
    description: 'Environment of the container, so of the warm process, the compile step and the program.',
  }),
  limits: Type.Optional(Limits),
};

const WarmManifest = Type.Object(
  {
    ...common,
    mode: Type.Literal('warm'),
    warm: { ...Argv, description: 'Started with the sandbox, before any program is known.' },
  },
  { ...closed, description: 'An interpreter is started with the sandbox and waits for the program.' },
);
const StartManifest = Type.Object(
  { ...common, mode: Type.Literal('start'), run: { ...Argv, description: 'Started when the program is known.' } },
  { ...closed, description: 'The interpreter is started with the program.' },
);
const CompileManifest = Type.Object(
  {
    ...common,
    mode: Type.Literal('compile'),
    compile: { ...Argv, description: 'Writes the executable.' },
    run: { ...Argv, description: 'Runs it.' },
  },
  { ...closed, description: 'The program is compiled, then run.' },
);

const Manifest = Type.Union([WarmManifest, StartManifest, CompileManifest]);

/** JSON Schema of language.json; languages/language.schema.json is this object. */
export const LANGUAGE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'A language of Rungrid',
  ...Manifest,
};

const checkManifest = Compile(Manifest);

export type LanguageLimits = Static<typeof Limits>;
type WithoutSchema<T> = T extends unknown ? Omit<T, '$schema'> : never;

/** A language as its folder describes it. Every command runs in /tmp. */
export type Language = WithoutSchema<Static<typeof Manifest>> & {
  /** The program of samples/hello.json. */
  readonly hello: string;
  /** Absolute path of the language's folder. */
  readonly dir: string;
};

/** A language folder that can't be used. The message names the file and the field. */
export class LanguageError extends Error {
  override readonly name = 'LanguageError';
}

/** Reads one folder. Throws LanguageError. */
export function loadLanguage(dir: string): Language {
  const path = join(dir, 'language.json');
  const value = readJson(path);
  if (!checkManifest.Check(value)) {
    const why = checkManifest.Errors(value).map((error) => `${error.instancePath || '/'} ${error.message}`);
    throw new LanguageError(`${path}: ${[...new Set(why)].slice(0, 5).join('; ')}`);
  }
  if (value.name !== dir.split('/').at(-1)) throw new LanguageError(`${path}: /name is not the folder's name`);
  const { $schema: _schema, ...manifest } = value;
  return { ...manifest, hello: loadSample(join(dir, 'samples', 'hello.json')).program, dir };
}

/** Reads every folder, sorted by name. Throws LanguageError, also when two languages share a name or alias. */
export function loadLanguages(dir: string = LANGUAGES_DIR): Language[] {
  const names = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const languages = names
    .map((entry) => entry.name)
    .toSorted()
    .map((name) => loadLanguage(join(dir, name)));
  const owners = new Map<string, string>();
  for (const language of languages) {
    for (const name of [language.name, ...language.aliases]) {
      const owner = owners.get(name);
      if (owner !== undefined) throw new LanguageError(`"${name}" names both ${owner} and ${language.name}`);
      owners.set(name, language.name);
    }
  }
  return languages;
}

let builtIn: { list: readonly Language[]; byName: ReadonlyMap<string, Language> } | undefined;

/** The languages of this package, read once. */
export function builtInLanguages(): readonly Language[] {
  return index().list;
}

/** The language with this name or alias (case-insensitive), or undefined. */
export function resolveLanguage(nameOrAlias: string): Language | undefined {
  return index().byName.get(nameOrAlias.toLowerCase());
}

/** The command line of the agent in this language's sandbox (the container's Cmd). */
export function agentCommand(language: Language): string[] {
  return language.mode === 'warm' ? ['--warm', ...language.warm] : [];
}

function index(): NonNullable<typeof builtIn> {
  if (builtIn === undefined) {
    const list = loadLanguages();
    builtIn = {
      list,
      byName: new Map(list.flatMap((each) => [each.name, ...each.aliases].map((name) => [name, each]))),
    };
  }
  return builtIn;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new LanguageError(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
