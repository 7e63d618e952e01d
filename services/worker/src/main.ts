// The worker's process: configuration in, ready line out, clean end on a signal.
import { ConfigError } from '@rungrid/kit/config';
import { Lifecycle } from '@rungrid/kit/lifecycle';
import { createLogger } from '@rungrid/kit/logger';
import { raisePriority } from '@rungrid/kit/priority';
import { startWorker } from './app.js';
import { readWorkerConfig } from './config.js';

try {
  const config = readWorkerConfig();
  raisePriority();
  const logger = createLogger({ service: 'worker', level: config.RUNGRID_LOG_LEVEL });
  const lifecycle = new Lifecycle(logger);
  lifecycle.closeOnSignals();
  const onFatal = (error: Error): void => {
    logger.fatal({ err: error }, 'this worker must not go on');
    process.stderr.write(`${error.message}\n`);
    void closeAndFail(lifecycle);
  };
  try {
    const { id, grpc, metrics } = await startWorker(config, { logger, lifecycle, onFatal });
    logger.child({}, { level: 'info' }).info({ id, grpc, metrics }, 'ready');
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

async function closeAndFail(lifecycle: Lifecycle): Promise<never> {
  await lifecycle.close();
  return process.exit(1);
}
