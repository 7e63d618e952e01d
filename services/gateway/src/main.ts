// Entry point: configuration in, a serving gateway out; a fault at start is one line that says what to do.
import { createLogger } from '@rungrid/kit/logger';
import { raisePriority } from '@rungrid/kit/priority';
import { startGateway } from './app.js';
import { readGatewayConfig } from './config.js';

try {
  const config = readGatewayConfig();
  raisePriority();
  const logger = createLogger({ service: 'gateway', level: config.RUNGRID_LOG_LEVEL });
  const gateway = await startGateway(config, logger);
  gateway.lifecycle.closeOnSignals();
  // Whoever started the gateway waits for this line, so that it comes at every log level.
  logger.child({}, { level: 'info' }).info({ url: gateway.url, internal: gateway.internalUrl }, 'ready');
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
