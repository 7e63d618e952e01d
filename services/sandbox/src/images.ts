// Which images must exist, named by the content that goes into them, and what `docker build` needs to make each.
import { createHash, type Hash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Language } from './languages.js';

const PACKAGE_DIR = join(dirname(fileURLToPath(import.meta.url)), '..');
const DOCKERFILES_DIR = join(PACKAGE_DIR, '..', '..', 'deploy', 'images');
const AGENT_DIR = join(PACKAGE_DIR, 'agent');
const AGENT_SOURCES = /\.(?:c|h|sh)$/;

/** The only image that is pulled. */
export const BASE_IMAGE = 'debian:trixie-slim';

export interface ImageStep {
  /** `rungrid/<name>:<12 hex digits of the sha256 of everything that goes in>`: present means up to date. */
  readonly tag: string;
  /** Absolute path; lies outside the build context (`docker build --file`). */
  readonly dockerfile: string;
  /** Absolute path. */
  readonly contextDir: string;
  readonly buildArgs: Readonly<Record<string, string>>;
}

/** Everything to build for these languages, in order: a step needs only BASE_IMAGE and the steps before it. */
export function imagePlan(languages: readonly Language[]): ImageStep[] {
  const agent = agentStep();
  return [agent, ...languages.map((language) => languageStep(language, agent.tag))];
}

/** The image a sandbox of this language is made from. */
export function languageImage(language: Language): string {
  return languageStep(language, agentStep().tag).tag;
}

/** Arguments of `docker` that build a step. `network`: of the build containers (`host` where the engine has no bridge). */
export function buildCommand(step: ImageStep, options: { network?: string } = {}): string[] {
  const network = options.network === undefined ? [] : ['--network', options.network];
  const args = Object.entries(step.buildArgs).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
  return ['build', ...network, '--file', step.dockerfile, '--tag', step.tag, ...args, step.contextDir];
}

function agentStep(): ImageStep {
  return makeStep('agent', {
    dockerfile: join(DOCKERFILES_DIR, 'agent.Dockerfile'),
    contextDir: AGENT_DIR,
    buildArgs: {},
    included: (path) => AGENT_SOURCES.test(path),
  });
}

function languageStep(language: Language, agentTag: string): ImageStep {
  return makeStep(language.name, {
    dockerfile: join(DOCKERFILES_DIR, 'language.Dockerfile'),
    contextDir: join(language.dir, 'image'),
    buildArgs: { AGENT: agentTag, PACKAGES: language.image.packages.join(' ') },
    included: () => true,
  });
}

function makeStep(name: string, input: Omit<ImageStep, 'tag'> & { included: (path: string) => boolean }): ImageStep {
  const { included, ...rest } = input;
  const hash = createHash('sha256');
  add(hash, readFileSync(input.dockerfile));
  for (const [key, value] of Object.entries(input.buildArgs)) add(hash, `${key}=${value}`);
  for (const path of filesUnder(input.contextDir).filter(included)) {
    const full = join(input.contextDir, path);
    add(hash, path);
    add(hash, (statSync(full).mode & 0o111) === 0 ? 'plain' : 'executable');
    add(hash, readFileSync(full));
  }
  return { tag: `rungrid/${name}:${hash.digest('hex').slice(0, 12)}`, ...rest };
}

// Lengths are hashed too: two different lists of pieces never make the same stream.
function add(hash: Hash, piece: string | Uint8Array): void {
  const bytes = Buffer.from(piece);
  hash.update(`${bytes.length}\n`).update(bytes);
}

function filesUnder(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .toSorted();
}
