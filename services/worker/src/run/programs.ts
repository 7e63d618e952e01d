// From a request to agent frames: those of the run, and of the compile step before it.
import type { RunRequest } from '@rungrid/proto/stream-entries';
import { type AgentFile, encodeFile, encodeStart } from '@rungrid/sandbox/agent-frames';
import type { Language } from '@rungrid/sandbox/languages';

/** All files in the order in which they are written: the program last, so that no other file replaces it. */
export function filesOf(request: RunRequest, language: Language): AgentFile[] {
  return [...request.files, { name: language.fileName, content: request.code }];
}

/** The frames that start it. `artifact`: what its compile step made. */
export function runFrames(request: RunRequest, language: Language, artifact?: Uint8Array): Uint8Array[] {
  const { compile, run } = language;
  const name = artifact === undefined ? undefined : compile?.artifact;
  // A file of that name would replace the artifact.
  const files = filesOf(request, language).filter((file) => file.name !== name);
  const start = encodeStart({ files, run, args: request.args, terminal: request.tty });
  if (name === undefined || artifact === undefined) return [start];
  return [...encodeFile(name, artifact, { executable: true }), start];
}

/** The START frame of its compile step. Throws RangeError for a language without one. */
export function compileFrame(request: RunRequest, language: Language): Buffer {
  const { compile } = language;
  if (compile === undefined) throw new RangeError(`${language.name} has no compile step`);
  const command = 'command' in compile ? compile.command : undefined;
  return encodeStart({ files: filesOf(request, language), artifact: compile.artifact, compile: command });
}

/** A note for the user when the artifact replaces one of the run's files. */
export function replacedFile(request: RunRequest, language: Language): string | undefined {
  const name = language.compile?.artifact;
  if (!request.files.some((file) => file.name === name)) return undefined;
  return `note: the file ${name} is replaced by the compiled program\n`;
}
