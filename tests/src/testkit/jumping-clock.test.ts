// A process whose wall clock jumps on a signal.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLOCK_FILE } from './jumping-clock.js';
import { ServiceProcess } from './service-process.js';

/** Built by tsc -b; what services are given in chaos tests. */
const PRELOAD = 'tests/dist/testkit/jumping-clock.js';
const HOUR_MS = 3_600_000;
/** Prints, again and again, how far each of its wall clocks and its monotonic one went. */
const PROGRAM = `
const start = [Date.now(), Number(new Date()), performance.timeOrigin, performance.now()];
setInterval(() => {
  const now = [Date.now(), Number(new Date()), performance.timeOrigin, performance.now()];
  console.log('hours ' + now.map((time, i) => Math.round((time - start[i]) / ${HOUR_MS})).join(','));
}, 20);
`;

test('the wall clock jumps in all its forms, back too, and the monotonic one goes on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rungrid-clock-'));
  const file = join(folder, 'offset');
  const child = new ServiceProcess([process.execPath, '--import', `./${PRELOAD}`, '-e', PROGRAM], {
    name: 'clock',
    env: { [CLOCK_FILE]: file },
  });
  try {
    await child.line(/^hours 0,0,0,0$/);
    for (const hours of [3, -2]) {
      writeFileSync(file, String(hours * HOUR_MS));
      child.signal('SIGUSR2');
      await child.line(new RegExp(`^hours ${hours},${hours},${hours},0$`));
    }
  } finally {
    await child.stop();
    rmSync(folder, { recursive: true });
  }
  expect(child.exit).toBeDefined();
});
