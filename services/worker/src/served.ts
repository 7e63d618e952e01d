// Which languages a worker serves, from which images, and what a sandbox of each is.
import { ConfigError } from '@rungrid/kit/config';
import { languageImage } from '@rungrid/sandbox/images';
import { agentCommand, builtInLanguages, type Language } from '@rungrid/sandbox/languages';
import type { WorkerConfig } from './config.js';
import type { Engine, SandboxSpec } from './run/ports.js';

export interface Served {
  readonly language: Language;
  readonly spec: SandboxSpec;
}

/** The languages asked for, or all whose image is there, by name. Throws ConfigError that says what to build. */
export async function servedLanguages(config: WorkerConfig, engine: Engine): Promise<Map<string, Served>> {
  const asked = config.WORKER_LANGUAGES.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const known = new Map(builtInLanguages().map((language) => [language.name, language]));
  const unknown = asked.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new ConfigError(`WORKER_LANGUAGES: unknown: ${unknown.join(', ')}. Known: ${[...known.keys()].join(', ')}.`);
  const served = new Map<string, Served>();
  for (const [name, language] of known) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    const image = await engine.imageId(languageImage(language));
    if (image !== undefined) served.set(name, { language, spec: sandboxSpec({ config, language, image }) });
    else if (asked.length > 0)
      throw new ConfigError(
        `The image of ${name} is missing: ${languageImage(language)}. Build it with ./rungrid up --languages ${name}.`,
      );
  }
  if (served.size === 0) throw new ConfigError('No language image is there. Build some with ./rungrid up.');
  return served;
}

function sandboxSpec(parts: { config: WorkerConfig; language: Language; image: string }): SandboxSpec {
  const { config, language, image } = parts;
  const { limits = {} } = language;
  return {
    language: language.name,
    mode: 'pipe',
    image,
    command: agentCommand(language, { class: 'run', mode: 'pipe' }),
    env: Object.entries(language.env).map(([key, value]) => `${key}=${value}`),
    limits: {
      memoryBytes: limits.memoryBytes ?? config.WORKER_MEMORY_BYTES,
      cpus: limits.cpus ?? config.WORKER_CPUS,
      pids: limits.pids ?? config.WORKER_PIDS,
      tmpBytes: limits.tmpBytes ?? config.WORKER_TMP_BYTES,
      tmpInodes: config.WORKER_TMP_INODES,
    },
  };
}
