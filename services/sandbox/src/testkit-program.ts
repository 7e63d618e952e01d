// For tests: a program of any language in sandboxes of its own, compiled first where the language asks for it.
import { type AgentFile, encodeFile, FromAgent } from './agent-frames.js';
import type { Language } from './languages.js';
import type { SampleMode } from './samples.js';
import { Box } from './testkit.js';

export interface Program {
  readonly files: readonly AgentFile[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Compiled {
  /** The artifact; undefined: the compile step failed. */
  readonly artifact: Buffer | undefined;
  readonly diagnostics: string;
  readonly box: Box;
}

/** Runs the compile step in a sandbox of its class. Rejects when the sandbox ends in another way than a compile step does. */
export async function compileProgram(language: Language, files: readonly AgentFile[]): Promise<Compiled> {
  const { compile } = language;
  if (compile === undefined) throw new Error(`${language.name} has no compile step`);
  const box = await Box.open(language, { kind: { class: 'compile', mode: 'pipe' } });
  const { artifact } = compile;
  box.start({ files, artifact, compile: 'command' in compile ? compile.command : undefined });
  await box.until(() => box.ended);
  const diagnostics = box.bytes(FromAgent.COMPILE).toString();
  if (box.has(FromAgent.COMPILED)) return { artifact: box.bytes(FromAgent.ARTIFACT), diagnostics, box };
  if (!box.has(FromAgent.COMPILE_FAILED)) throw new Error(`the compile step failed: ${box.fault}${diagnostics}`);
  return { artifact: undefined, diagnostics, box };
}

/** Starts a program that needs no compile step, or whose artifact is given. */
export async function startProgram(
  language: Language,
  program: Program,
  options: { mode: SampleMode; artifact?: Buffer | undefined },
): Promise<Box> {
  const box = await Box.open(language, { kind: { class: 'run', mode: options.mode } });
  if (options.artifact !== undefined && language.compile !== undefined) {
    const frames = encodeFile(language.compile.artifact, options.artifact, { executable: true });
    for (const frame of frames) box.raw(frame);
  }
  box.start({ ...program, run: language.run });
  return box;
}
