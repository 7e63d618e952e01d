// The gateway's two Redis connections: one for commands, one that only waits for claims.
import type { Logger } from '@rungrid/kit/logger';
import { withDeadline } from '@rungrid/kit/lifecycle';
import { connectRedis, type Redis } from '@rungrid/kit/redis';
import { shownRedisUrl } from '@rungrid/kit/redis-url';

/** How long Redis may take to answer at start, ms. */
const START_MS = 5000;

export interface RedisPair {
  readonly commands: Redis;
  readonly replies: Redis;
  close(): void;
}

/** Rejects when Redis does not answer. The message says what to do. */
export async function openRedis(options: { url: string; gatewayId: string; logger: Logger }): Promise<RedisPair> {
  const { url, gatewayId, logger } = options;
  const commands = connectRedis({ url, logger, name: `gateway-${gatewayId}` });
  try {
    await withDeadline(commands.ping(), { timeoutMs: START_MS, what: 'PING' });
  } catch (error) {
    commands.disconnect();
    throw new Error(`Redis does not answer at ${shownRedisUrl(url)}: start it, or set RUNGRID_REDIS_URL`, {
      cause: error,
    });
  }
  const replies = connectRedis({ url, logger, name: `gateway-${gatewayId}-replies`, blocking: true });
  return {
    commands,
    replies,
    close: () => {
      commands.disconnect();
      replies.disconnect();
    },
  };
}
