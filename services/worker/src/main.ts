// The worker's process.
import { raisePriority } from '@rungrid/kit/priority';
import { runService } from '@rungrid/kit/service';
import { startWorker } from './app.js';
import { readWorkerConfig } from './config.js';

await runService({
  name: 'worker',
  readConfig: readWorkerConfig,
  start: (config, parts) => {
    raisePriority();
    return startWorker(config, parts);
  },
});
