// The languages that a worker serves, and the sandbox specs of each: for pipes, for terminals, for compile steps.
import { ConfigError } from '@rungrid/kit/config';
import { languageImage } from '@rungrid/sandbox/images';
import { agentCommand, builtInLanguages, type Language, type SandboxKind } from '@rungrid/sandbox/languages';
import type { WorkerConfig } from './config.js';
import type { Engine, SandboxLimits, SandboxSpec } from './run/ports.js';

export interface LanguageSpecs {
  readonly language: Language;
  /** Runs programs on pipes. */
  readonly pipe: SandboxSpec;
  /** Runs them on a terminal. */
  readonly tty: SandboxSpec;
  /** Compiles them. */
  readonly compile: SandboxSpec | undefined;
}

/** The configured languages, or all whose image exists, by name. Throws ConfigError that says what to build. */
export async function languageSpecs(config: WorkerConfig, engine: Engine): Promise<Map<string, LanguageSpecs>> {
  const asked = config.WORKER_LANGUAGES.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const known = new Map(builtInLanguages().map((language) => [language.name, language]));
  const unknown = asked.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new ConfigError(`WORKER_LANGUAGES: unknown: ${unknown.join(', ')}. Known: ${[...known.keys()].join(', ')}.`);
  const specs = new Map<string, LanguageSpecs>();
  for (const [name, language] of known) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const image = await engine.imageId(languageImage(language));
    if (image !== undefined) specs.set(name, specsOf({ config, language, image }));
    else if (asked.length > 0)
      throw new ConfigError(
        `The image of ${name} is missing: ${languageImage(language)}. Build it with ./rungrid up --languages ${name}.`,
      );
  }
  if (specs.size === 0) throw new ConfigError('No language image exists. Build some with ./rungrid up.');
  return specs;
}

/**
 * What the self-test verifies: every language's image, and one sandbox of each other kind. Whatever the language, a terminal and a compile
 * step differ from the rest by their limits and one mount only.
 */
export function specsToVerify(languages: readonly LanguageSpecs[]): SandboxSpec[] {
  const compiling = languages.find(({ compile }) => compile !== undefined)?.compile;
  const kinds = [languages[0]?.tty, compiling].filter((spec) => spec !== undefined);
  return [...languages.map(({ pipe }) => pipe), ...kinds];
}

interface Parts {
  readonly config: WorkerConfig;
  readonly language: Language;
  readonly image: string;
}

function specsOf(parts: Parts): LanguageSpecs {
  const { language } = parts;
  return {
    language,
    pipe: sandboxSpec(parts, { class: 'run', mode: 'pipe' }),
    tty: sandboxSpec(parts, { class: 'run', mode: 'tty' }),
    compile: language.compile === undefined ? undefined : sandboxSpec(parts, { class: 'compile', mode: 'pipe' }),
  };
}

function sandboxSpec({ config, language, image }: Parts, kind: SandboxKind): SandboxSpec {
  return {
    ...kind,
    language: language.name,
    image,
    command: agentCommand(language, kind),
    env: Object.entries(language.env).map(([key, value]) => `${key}=${value}`),
    limits: { ...limitsOf({ config, language }, kind), tmpInodes: config.WORKER_TMP_INODES },
  };
}

function limitsOf({ config, language }: Omit<Parts, 'image'>, kind: SandboxKind): Omit<SandboxLimits, 'tmpInodes'> {
  const own = kind.class === 'run' ? language.limits : language.compile?.limits;
  const base =
    kind.class === 'run'
      ? {
          memoryBytes: config.WORKER_MEMORY_BYTES,
          cpus: config.WORKER_CPUS,
          pids: config.WORKER_PIDS,
          tmpBytes: config.WORKER_TMP_BYTES,
        }
      : {
          memoryBytes: config.WORKER_COMPILE_MEMORY_BYTES,
          cpus: config.WORKER_COMPILE_CPUS,
          pids: config.WORKER_COMPILE_PIDS,
          tmpBytes: config.WORKER_COMPILE_TMP_BYTES,
        };
  return {
    memoryBytes: own?.memoryBytes ?? base.memoryBytes,
    cpus: own?.cpus ?? base.cpus,
    pids: own?.pids ?? base.pids,
    tmpBytes: own?.tmpBytes ?? base.tmpBytes,
  };
}
