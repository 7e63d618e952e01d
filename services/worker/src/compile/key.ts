// The cache key of an artifact: a hash of every input of its compile step.
import { createHash } from 'node:crypto';
import type { AgentFile } from '@rungrid/sandbox/agent-frames';
import type { CompileStep } from '@rungrid/sandbox/languages';

export interface CompileInput {
  readonly language: string;
  /** The image's immutable id: compiler, libraries, launcher. */
  readonly image: string;
  readonly env: readonly string[];
  readonly compile: CompileStep;
  /** Every source and file of the run, in the order in which they are written. */
  readonly files: readonly AgentFile[];
}

/** SHA-256 in hex (64 digits). Each piece is hashed with its length, so that no two inputs make the same stream. */
export function artifactKey(input: CompileInput): string {
  const hash = createHash('sha256');
  const add = (piece: string | Uint8Array): void => {
    const bytes = Buffer.from(piece);
    hash.update(`${bytes.length}\n`).update(bytes);
  };
  add(input.language);
  add(input.image);
  add(JSON.stringify([input.env, input.compile]));
  for (const { name, content } of input.files) {
    add(name);
    add(content);
  }
  return hash.digest('hex');
}
