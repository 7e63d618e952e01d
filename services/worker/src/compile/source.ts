// Turns a run request into a compile job: its key, its pool key, its START frame, its bounds.
import type { RunRequest } from '@rungrid/proto/stream-entries';
import type { Language } from '@rungrid/sandbox/languages';
import type { ArtifactSource } from '../run/artifacts.js';
import { type SandboxSpec, poolKeyOf } from '../run/ports.js';
import { compileFrame, filesOf } from '../run/programs.js';
import type { Compilations, CompileJob } from './compilations.js';
import { artifactKey } from './key.js';

export interface CompiledLanguage {
  /** Its compile sandbox. */
  readonly compile: SandboxSpec;
  /** The sandbox that runs the artifact. */
  readonly pipe: SandboxSpec;
}

/** `languages`: those with a compile step, by name. `wallMs`: of a compile step whose manifest says nothing. */
export function artifactSource(parts: {
  readonly compilations: Compilations;
  readonly languages: ReadonlyMap<string, CompiledLanguage>;
  readonly wallMs: number;
}): ArtifactSource {
  const { compilations, languages, wallMs } = parts;
  return {
    find(request, language) {
      const specs = languages.get(language.name);
      if (specs === undefined) throw new RangeError(`${language.name} has no compile sandbox`);
      const job = jobOf(request, { language, specs, wallMs });
      return { kept: compilations.kept(job), follow: (follower) => compilations.follow(job, follower) };
    },
  };
}

function jobOf(
  request: RunRequest,
  given: { language: Language; specs: CompiledLanguage; wallMs: number },
): CompileJob {
  const { language, specs, wallMs } = given;
  const { compile } = language;
  if (compile === undefined) throw new RangeError(`${language.name} has no compile step`);
  const { image, env } = specs.compile;
  return {
    key: artifactKey({ language: language.name, image, env, compile, files: filesOf(request, language) }),
    language: language.name,
    poolKey: poolKeyOf(specs.compile),
    start: () => compileFrame(request, language),
    // It must fit the /tmp it runs from.
    maxBytes: specs.pipe.limits.tmpBytes,
    wallMs: compile.limits?.wallMs ?? wallMs,
  };
}
