// Artifacts in Redis, shared by all workers: packed with a digest, and verified when unpacked.
import { createHash } from 'node:crypto';
import { withDeadline } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import type { ArtifactRedis } from '@rungrid/bus/artifacts';
import type { ArtifactStore } from '../compile/ports.js';
import type { Artifact } from '../run/artifacts.js';

/** How long a run waits for Redis before the program is compiled again, ms: far above a read of megabytes, below the fastest compiler. */
const GET_TIMEOUT_MS = 250;
/** Writes in flight at once; past this an artifact is not stored, and only this worker has it. */
const MAX_PUTS = 4;
const DIGEST_BYTES = 32;
const HEAD_BYTES = 1 + DIGEST_BYTES + 4;
/** Version of the packed form; entries of another version are ignored. */
const FORMAT = 1;

export interface ArtifactStoreOptions {
  readonly artifacts: Pick<ArtifactRedis, 'get' | 'put'>;
  readonly logger: Logger;
  /** An entry whose digest does not match. */
  readonly onCorrupt: () => void;
}

export function redisArtifactStore({ artifacts, logger, onCorrupt }: ArtifactStoreOptions): ArtifactStore {
  let puts = 0;
  return {
    async get(key) {
      const packed = await withDeadline(artifacts.get(key), { timeoutMs: GET_TIMEOUT_MS, what: 'artifact read' }).catch(
        (error: unknown) => {
          logger.warn({ err: error }, 'artifact read failed');
          return undefined;
        },
      );
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
        .catch((error: unknown) => logger.warn({ err: error }, 'artifact write failed'))
        .finally(() => (puts -= 1));
    },
  };
}

/** `format u8, digest, length of the diagnostics u32, diagnostics, content`. The digest covers the key, too: an entry is valid under its own key only. */
export function pack(key: string, { content, diagnostics }: Artifact): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = FORMAT;
  head.writeUInt32BE(diagnostics.length, 1 + DIGEST_BYTES);
  const packed = Buffer.concat([head, diagnostics, content]);
  digest(key, packed).copy(packed, 1);
  return packed;
}

/** Undefined when pack() did not make it for this key. */
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
