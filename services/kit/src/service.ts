// The life of a service's process: configuration in, a ready line out, an orderly end on a signal or a fatal error.
import { ConfigError } from './config.js';
import { Lifecycle } from './lifecycle.js';
import { createLogger, type Logger, type LogLevel } from './logger.js';

export interface ServiceParts {
  readonly logger: Logger;
  /** Owns what the service starts. */
  readonly lifecycle: Lifecycle;
  /** Closes everything and ends the process with 1. */
  readonly onFatal: (error: Error) => void;
}

interface Service<Config> {
  readonly name: string;
  readonly readConfig: () => Config;
  /** Resolves with the fields of the ready line. */
  readonly start: (config: Config, parts: ServiceParts) => Promise<object>;
}

/** Starts the service; a failure is printed to stderr, and ends the process with 1. */
export async function runService<Config extends { readonly RUNGRID_LOG_LEVEL: LogLevel }>(
  service: Service<Config>,
): Promise<void> {
  let lifecycle: Lifecycle | undefined;
  const fail = async (error: unknown): Promise<never> => {
    process.stderr.write(`${describe(error)}\n`);
    await lifecycle?.close();
    return process.exit(1);
  };
  try {
    const config = service.readConfig();
    const logger = createLogger({ service: service.name, level: config.RUNGRID_LOG_LEVEL });
    lifecycle = new Lifecycle(logger);
    lifecycle.closeOnSignals();
    const onFatal = (error: Error): void => {
      logger.fatal({ err: error }, 'service failed');
      void fail(error);
    };
    const ready = await service.start(config, { logger, lifecycle, onFatal });
    // The process that started this one waits for the line, so it is logged at every level.
    logger.child({}, { level: 'info' }).info(ready, 'ready');
  } catch (error) {
    await fail(error);
  }
}

/** A ConfigError says what to do; for any other error the stack helps. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof ConfigError ? error.message : (error.stack ?? error.message);
}
