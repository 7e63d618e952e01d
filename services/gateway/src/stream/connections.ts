// The gateway's two Redis connections: one for commands, one that only waits for claims.
import type { Logger } from '@rungrid/kit/logger';
import { checkRedis, connectRedis, type Redis } from '@rungrid/bus/connection';

export interface RedisPair {
  readonly commands: Redis;
  readonly replies: Redis;
  close(): void;
}

/** Rejects with ConfigError when Redis does not answer, does not take the password, or is too old. */
export async function openRedis(options: { url: string; gatewayId: string; logger: Logger }): Promise<RedisPair> {
  const { url, gatewayId, logger } = options;
  const commands = connectRedis({ url, logger, name: `gateway-${gatewayId}` });
  try {
    await checkRedis(commands, url);
  } catch (error) {
    commands.disconnect();
    throw error;
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
