// The gateway's process.
import { raisePriority } from '@rungrid/kit/priority';
import { runService } from '@rungrid/kit/service';
import { startGateway } from './app.js';
import { readGatewayConfig } from './config.js';

await runService({
  name: 'gateway',
  readConfig: readGatewayConfig,
  start: (config, parts) => {
    raisePriority();
    return startGateway(config, parts);
  },
});
