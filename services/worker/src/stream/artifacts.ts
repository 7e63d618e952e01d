// Artifacts in Redis, so that a program which one worker compiled starts at once on all: packed with a digest, unpacked with suspicion.
import { createHash } from 'node:crypto';
import type { Logger } from '@rungrid/kit/logger';
import type { ArtifactRedis } from '@rungrid/bus/artifacts';
import type { ArtifactStore } from '../compile/ports.js';
import type { Artifact } from '../run/artifacts.js';

/** How long a run waits for Redis before the program is compiled anew, ms: far above a read of megabytes, below the fastest compiler. */
const GET_TIMEOUT_MS = 250;
/** Writes under way at once; what comes meanwhile is not stored, this worker has it in memory. */
const MAX_PUTS = 4;
const DIGEST_BYTES = 32;
const HEAD_BYTES = 1 + DIGEST_BYTES + 4;
/** Of the packed form: another one is not understood, and compiled anew. */
const FORMAT = 1;

export interface ArtifactStoreOptions {
  readonly artifacts: Pick<ArtifactRedis, 'get' | 'put'>;
  readonly logger: Logger;
  /** An entry that is not what was put there. */
  readonly onCorrupt: () => void;
}

export function redisArtifactStore({ artifacts, logger, onCorrupt }: ArtifactStoreOptions): ArtifactStore {
  let puts = 0;
  return {
    async get(key) {
      const packed = await within(artifacts.get(key), GET_TIMEOUT_MS).catch((error: unknown) => {
        logger.warn({ err: error }, 'the artifact store does not answer');
        return undefined;
      });
      if (packed === undefined) return undefined;
      const artifact = unpack(key, packed);
      if (artifact === undefined) onCorrupt();
      return artifact;
    },
    put(key, artifact) {
      if (puts >= MAX_PUTS) return;
      puts += 1;
      artifacts
        .put(key, pack(key, artifact))
        .catch((error: unknown) => logger.warn({ err: error }, 'an artifact could not be stored'))
        .finally(() => (puts -= 1));
    },
  };
}

/** `format u8, digest, length of the diagnostics u32, diagnostics, content`. The digest is over the key, too: an entry fits its own key only. */
export function pack(key: string, { content, diagnostics }: Artifact): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = FORMAT;
  head.writeUInt32BE(diagnostics.length, 1 + DIGEST_BYTES);
  const packed = Buffer.concat([head, diagnostics, content]);
  digest(key, packed).copy(packed, 1);
  return packed;
}

/** Undefined when it is not what pack() made for this key. */
export function unpack(key: string, packed: Buffer): Artifact | undefined {
  if (packed.length < HEAD_BYTES || packed[0] !== FORMAT) return undefined;
  if (!digest(key, packed).equals(packed.subarray(1, 1 + DIGEST_BYTES))) return undefined;
  const contentAt = HEAD_BYTES + packed.readUInt32BE(1 + DIGEST_BYTES);
  if (contentAt > packed.length) return undefined;
  return { diagnostics: packed.subarray(HEAD_BYTES, contentAt), content: packed.subarray(contentAt) };
}

function digest(key: string, packed: Buffer): Buffer {
  return createHash('sha256')
    .update(key)
    .update(packed.subarray(1 + DIGEST_BYTES))
    .digest();
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
