// Builds missing images: the Debian base from a registry or from Debian's packages, then the images of the plan.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BASE_IMAGE, type ImageStep, imagePlan } from '@rungrid/sandbox/images';
import type { Language } from '@rungrid/sandbox/languages';
import type Docker from 'dockerode';
import { CliError, messageOf } from '../errors.js';
import { runLogged, tail } from '../exec.js';
import type { Paths } from '../paths.js';
import { say, step } from '../progress.js';
import { requireProgram } from './apt.js';
import { engineClient, followProgress, hasImage } from './engine-client.js';

/** A pull fails when the registry sends nothing for this long, ms. */
const PULL_SILENCE_MS = 15_000;
const DEBIAN_RELEASE = 'trixie';
/** Left out of a slim image, as in Debian's own: manual pages, translations and documents except licenses. */
const SLIM_OPTIONS = ['/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*', '/usr/share/doc/*'].map(
  (path) => `--dpkgopt=path-exclude=${path}`,
);

/** The same content yields the same archive on every machine, so that the engine's build cache applies. */
const REPRODUCIBLE_TAR = [
  '--create',
  '--file=-',
  '--sort=name',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--mtime=@0',
];

const MMDEBSTRAP = {
  programs: ['mmdebstrap'],
  packages: ['mmdebstrap'],
  otherwise: `It builds ${BASE_IMAGE} where no registry is reachable; with one, run \`docker pull ${BASE_IMAGE}\`.`,
};

/** Builds every missing image of these languages. */
export async function ensureImages(
  languages: readonly Language[],
  options: { host: string; paths: Paths },
): Promise<void> {
  const docker = engineClient(options.host);
  const missing: ImageStep[] = [];
  for (const each of imagePlan(languages)) {
    if (!(await hasImage(docker, each.tag))) missing.push(each);
  }
  if (missing.length === 0) {
    say('  images: up to date');
    return;
  }
  await ensureBase(docker, options.paths);
  const make = (image: ImageStep) => build(docker, { image, paths: options.paths });
  const [agent, ...others] = missing[0]?.tag.startsWith('rungrid/agent:') === true ? missing : [undefined, ...missing];
  if (agent !== undefined) await step(`building image ${agent.tag}`, () => make(agent));
  // Two in parallel: one unpacks while the other downloads.
  for (let at = 0; at < others.length; at += 2) {
    const pair = others.slice(at, at + 2).filter((image) => image !== undefined);
    const names = pair.map(({ tag }) => tag).join(' and ');
    const left = others.length - at - pair.length;
    await step(`building image ${names}${left > 0 ? ` (${left} more)` : ''}`, () => Promise.all(pair.map(make)));
  }
}

async function ensureBase(docker: Docker, paths: Paths): Promise<void> {
  if (await hasImage(docker, BASE_IMAGE)) return;
  const why = await step(`pulling ${BASE_IMAGE}`, () => pull(docker, BASE_IMAGE));
  if (why === undefined) return;
  say(`    no registry is available (${why}): building it from Debian's packages`);
  if (process.getuid?.() !== 0) {
    throw new CliError(
      `${BASE_IMAGE} is missing and cannot be pulled. Run this once as root, or run docker pull ${BASE_IMAGE} yourself.`,
    );
  }
  await requireProgram(MMDEBSTRAP, paths);
  await step(`building ${BASE_IMAGE} with mmdebstrap`, () => importBase(docker, paths));
}

/** Undefined on success, else the reason of the failure. */
async function pull(docker: Docker, image: string): Promise<string | undefined> {
  const abort = new AbortController();
  let silence = setTimeout(() => abort.abort(), PULL_SILENCE_MS);
  try {
    const stream = await docker.pull(image, { abortSignal: abort.signal });
    await followProgress(stream, () => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), PULL_SILENCE_MS);
    });
    return undefined;
  } catch (error) {
    return abort.signal.aborted ? 'it does not respond' : messageOf(error);
  } finally {
    clearTimeout(silence);
  }
}

async function importBase(docker: Docker, paths: Paths): Promise<void> {
  // To a file first: an archive truncated by a failure would be imported as a broken image.
  const archive = join(paths.tmp, 'base.tar');
  try {
    await runLogged(
      [
        'mmdebstrap',
        '--variant=minbase',
        ...SLIM_OPTIONS,
        '--dpkgopt=path-include=/usr/share/doc/*/copyright',
        DEBIAN_RELEASE,
        archive,
      ],
      { paths, log: 'mmdebstrap' },
    );
    const [repo, tag] = BASE_IMAGE.split(':');
    await followProgress(await docker.importImage(archive, { repo, tag }), () => undefined);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(
      `the engine cannot import ${BASE_IMAGE}: ${messageOf(error)}. ./rungrid logs dockerd may say more.`,
      {
        cause: error,
      },
    );
  } finally {
    rmSync(archive, { force: true });
  }
}

async function build(docker: Docker, options: { image: ImageStep; paths: Paths }): Promise<void> {
  const { image, paths } = options;
  const logPath = join(paths.logs, `build-${image.tag.replace(/[^a-z0-9-]+/g, '-')}.log`);
  const log = createWriteStream(logPath, { mode: 0o600 });
  const context = packContext(image, paths);
  try {
    const stream = await docker.buildImage(context.archive, {
      t: image.tag,
      dockerfile: context.dockerfile,
      buildargs: image.buildArgs,
      // The private engine has no bridge, and other engines accept this too.
      networkmode: 'host',
      rm: true,
      forcerm: true,
    });
    await followProgress(stream, (text) => log.write(text));
    if ((await context.exited) !== 0) throw new Error('tar failed');
  } catch (error) {
    await new Promise<void>((resolve) => log.end(resolve));
    throw new CliError(`cannot build image ${image.tag}: ${messageOf(error)}\n${tail(logPath)}\nFull log: ${logPath}`, {
      cause: error,
    });
  } finally {
    log.end();
    rmSync(context.folder, { recursive: true, force: true });
  }
}

/** The build context as a tar stream. The Dockerfile is elsewhere: it is added under a name that .dockerignore excludes. */
function packContext(
  image: ImageStep,
  paths: Paths,
): { archive: NodeJS.ReadableStream; dockerfile: string; folder: string; exited: Promise<number | null> } {
  const dockerfile = '.rungrid.Dockerfile';
  const folder = join(paths.tmp, `context-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '.dockerignore'), `.dockerignore\n${dockerfile}\n`);
  const name = basename(image.dockerfile);
  const tar = spawn(
    'tar',
    [
      ...REPRODUCIBLE_TAR,
      `--transform=s,^${name}$,${dockerfile},`,
      `--directory=${dirname(image.dockerfile)}`,
      name,
      `--directory=${folder}`,
      '.dockerignore',
      `--directory=${image.contextDir}`,
      '.',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = new Promise<number | null>((resolve) => {
    tar.once('error', () => resolve(-1));
    tar.once('close', resolve);
  });
  return { archive: tar.stdout, dockerfile, folder, exited };
}
