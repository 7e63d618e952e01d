// The engine proxy's process.
import { runService } from '@rungrid/kit/service';
import { startProxy } from './app.js';
import { readProxyConfig } from './config.js';

await runService({ name: 'engine-proxy', readConfig: readProxyConfig, start: startProxy });
