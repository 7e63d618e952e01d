// The engine proxy's process: configuration in, ready line out, clean end on a signal.
import { ConfigError } from '@rungrid/kit/config';
import { Lifecycle } from '@rungrid/kit/lifecycle';
import { createLogger } from '@rungrid/kit/logger';
import { startProxy } from './app.js';
import { readProxyConfig } from './config.js';

try {
  const config = readProxyConfig();
  const logger = createLogger({ service: 'engine-proxy', level: config.RUNGRID_LOG_LEVEL });
  const lifecycle = new Lifecycle(logger);
  lifecycle.closeOnSignals();
  try {
    const { socket, metrics } = await startProxy(config, { logger, lifecycle });
    // The process that started the proxy waits for this line, so it is logged at every level.
    logger.child({}, { level: 'info' }).info({ socket, metrics }, 'ready');
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
} catch (error) {
  process.stderr.write(
    `${error instanceof ConfigError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exit(1);
}
