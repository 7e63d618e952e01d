// Languages are data: loads and checks every languages/<name>/language.json, and finds a language by name or alias.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { loadSample } from './samples.js';

/** The folder that holds one folder per language. */
export const LANGUAGES_DIR = join(dirname(fileURLToPath(import.meta.url)), '..', 'languages');

/** What `./rungrid language add` copies. */
export const TEMPLATE_DIR = join(LANGUAGES_DIR, '..', 'template');

// Also a part of an image tag.
const NAME = '^[a-z][a-z0-9-]{0,31}$';
const ALIAS = '^[a-z][a-z0-9+#._-]{0,31}$';
const FILE_NAME = '^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$';
const closed = { additionalProperties: false } as const;

const Argv = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 64 });

/** Limits that the kernel enforces on every sandbox. */
const kernelLimits = {
  memoryBytes: Type.Optional(Type.Integer({ minimum: 6_291_456, description: 'Memory, swap and /tmp included.' })),
  cpus: Type.Optional(Type.Number({ minimum: 0.01, description: 'Share of one CPU.' })),
  pids: Type.Optional(Type.Integer({ minimum: 2, description: 'Processes and threads.' })),
  tmpBytes: Type.Optional(Type.Integer({ minimum: 4096, description: 'Size of /tmp.' })),
};

const Limits = Type.Object(
  {
    ...kernelLimits,
    cpuTimeMs: Type.Optional(Type.Integer({ minimum: 1, description: 'CPU time of a run.' })),
    wallMs: Type.Optional(Type.Integer({ minimum: 1, description: 'Time from START to the end.' })),
    idleMs: Type.Optional(Type.Integer({ minimum: 1, description: 'Time without input and output.' })),
    outputBytes: Type.Optional(Type.Integer({ minimum: 1, description: 'stdout and stderr together.' })),
  },
  { ...closed, description: 'Where this language differs from the defaults of the worker.' },
);

const common = {
  $schema: Type.Optional(Type.String()),
  name: Type.String({ pattern: NAME, description: 'The folder name; what run_code names.' }),
  title: Type.String({ minLength: 1, maxLength: 64, description: 'Shown to users.' }),
  aliases: Type.Array(Type.String({ pattern: ALIAS }), { maxItems: 16, description: 'Other names run_code may use.' }),
  version: Type.String({ minLength: 1, maxLength: 64, description: 'Announced until a warm sandbox reports its own.' }),
  fileName: Type.String({
    pattern: FILE_NAME,
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
  leftOut: Type.Optional(
    Type.Record(Type.String(), Type.String({ minLength: 1, maxLength: 200 }), {
      description: 'Common samples that this language has not, by name, each with the reason.',
    }),
  ),
};

/** Samples that every language has, unless its manifest says why not. */
export const COMMON_SAMPLES = [
  'hello',
  'prompt',
  'eof',
  'stderr',
  'exit-code',
  'uncaught-error',
  'unicode',
  'arguments',
  'files',
  'ticking',
  'infinite-loop',
  'big-allocation',
] as const;

const CompileLimits = Type.Object(
  {
    ...kernelLimits,
    wallMs: Type.Optional(Type.Integer({ minimum: 1, description: 'Time from START to the artifact.' })),
  },
  { ...closed, description: 'Where its compile sandbox differs from the defaults of the worker.' },
);
const artifact = Type.String({
  pattern: FILE_NAME,
  description:
    'The one file that the compile step leaves in /tmp; it lies in /tmp of the sandbox that runs it, mode 0755.',
});
const compileCommon = { artifact, limits: Type.Optional(CompileLimits) };
const CompileStep = Type.Union([
  Type.Object(
    { command: { ...Argv, description: 'Started when the program is known.' }, ...compileCommon },
    { ...closed, description: 'A compiler that is started with the program.' },
  ),
  Type.Object(
    { warm: { ...Argv, description: 'A compiler that is started with its sandbox and waits.' }, ...compileCommon },
    { ...closed, description: 'A compiler that waits for the program.' },
  ),
]);

const warm = { ...Argv, description: 'Started with the sandbox, before any program is known.' };
const run = { ...Argv, description: 'Started when the program is known.' };

const WarmManifest = Type.Object(
  { ...common, warm, compile: Type.Optional(CompileStep) },
  {
    ...closed,
    description: 'An interpreter or virtual machine is started with the sandbox and waits for the program.',
  },
);
const ColdManifest = Type.Object(
  {
    ...common,
    run,
    whyCold: Type.String({ minLength: 1, maxLength: 400, description: 'Why no warm process can be honest.' }),
  },
  { ...closed, description: 'The interpreter is started with the program.' },
);
const CompiledManifest = Type.Object(
  { ...common, run, compile: CompileStep },
  { ...closed, description: 'The program is compiled in a sandbox of its own, and runs in another.' },
);

const Manifest = Type.Union([WarmManifest, ColdManifest, CompiledManifest]);

/** JSON Schema of language.json; languages/language.schema.json is this object. */
export const LANGUAGE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'A language of Rungrid',
  ...Manifest,
};

const checkManifest = Compile(Manifest);

export type CompileStep = Static<typeof CompileStep>;
type Common = Omit<Static<typeof ColdManifest>, '$schema' | 'run' | 'whyCold'>;

/** A language as its folder describes it. Every command runs in /tmp. Exactly one of `warm` and `run` is present. */
export type Language = Common & {
  /** Waits in the sandbox, then becomes the program. */
  readonly warm?: readonly string[];
  /** Started once the program, or its artifact, has arrived. */
  readonly run?: readonly string[];
  readonly whyCold?: string;
  readonly compile?: CompileStep;
  /** The program of samples/hello.json. */
  readonly hello: string;
  /** Absolute path of the language's folder. */
  readonly dir: string;
};

/** A language folder that is invalid. The message names the file and the field. */
class LanguageError extends Error {
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

/** How a program of this language begins: in a warm process, in a process started for it, or after a compile step. */
type LanguageMode = 'warm' | 'start' | 'compiled';

export function languageMode(language: Language): LanguageMode {
  if (language.compile !== undefined) return 'compiled';
  return language.warm === undefined ? 'start' : 'warm';
}

/** What a sandbox is for: to run a program, on pipes or on a terminal, or to compile one. */
export interface SandboxKind {
  readonly class: 'run' | 'compile';
  /** Of a compile step always `pipe`. */
  readonly mode: 'pipe' | 'tty';
}

/** The command line of the agent in a sandbox of this kind (the container's Cmd). Throws RangeError for a compile step of a language without one. */
export function agentCommand(language: Language, kind: SandboxKind): string[] {
  const { compile } = language;
  if (kind.class === 'run') return [...(kind.mode === 'tty' ? ['--tty'] : []), ...warmCommand(language.warm)];
  if (compile === undefined) throw new RangeError(`${language.name} has no compile step`);
  return ['--compile', ...warmCommand('warm' in compile ? compile.warm : undefined)];
}

function warmCommand(warm: readonly string[] | undefined): string[] {
  return warm === undefined ? [] : ['--warm', ...warm];
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
