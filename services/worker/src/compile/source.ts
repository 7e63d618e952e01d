// Turns a run request into a compile job: its key, its pool key, its START frame, its bounds.
import type { RunRequest } from '@rungrid/proto/stream-entries';
import type { Language } from '@rungrid/sandbox/languages';
import type { ArtifactSource } from '../run/artifacts.js';
import { type SandboxSpec, poolKeyOf } from '../run/ports.js';
import { compileFrame, filesOf } from '../run/programs.js';
import type { Compilations, CompileJob } from './compilations.js';
import { artifactKey } from './key.js';

interface CompiledLanguage {
  /** Its compile sandbox; undefined: it is not compiled. */
  readonly compile: SandboxSpec | undefined;
  /** The sandbox that runs the artifact. */
  readonly pipe: SandboxSpec;
}

/** `specs`: by language. `wallMs`: of a compile step whose manifest sets none. */
export function artifactSource(parts: {
  readonly compilations: Compilations;
  readonly specs: ReadonlyMap<string, CompiledLanguage>;
  readonly wallMs: number;
}): ArtifactSource {
  const { compilations, wallMs } = parts;
  return {
    find(request, language) {
      const { pipe, compile } = parts.specs.get(language.name) ?? {};
      if (pipe === undefined || compile === undefined) throw new RangeError(`${language.name} has no compile sandbox`);
      const job = jobOf(request, { language, pipe, compileSpec: compile, wallMs });
      return { kept: compilations.kept(job), follow: (follower) => compilations.follow(job, follower) };
    },
  };
}

function jobOf(
  request: RunRequest,
  given: { language: Language; pipe: SandboxSpec; compileSpec: SandboxSpec; wallMs: number },
): CompileJob {
  const { language, pipe, compileSpec, wallMs } = given;
  const { compile } = language;
  if (compile === undefined) throw new RangeError(`${language.name} has no compile step`);
  const { image, env } = compileSpec;
  return {
    key: artifactKey({ language: language.name, image, env, compile, files: filesOf(request, language) }),
    language: language.name,
    poolKey: poolKeyOf(compileSpec),
    start: () => compileFrame(request, language),
    // It must fit the /tmp it runs from.
    maxBytes: pipe.limits.tmpBytes,
    wallMs: compile.limits?.wallMs ?? wallMs,
  };
}
