// Loaded into a service before it starts (node --import): its wall clock jumps when a test says so, its monotonic clock does not.
import { readFileSync } from 'node:fs';

/** Environment variable: path of a file that holds how far the clock is off, ms. SIGUSR2 has it read. */
export const CLOCK_FILE = 'RUNGRID_TEST_CLOCK_FILE';

const file = process.env[CLOCK_FILE];
if (file !== undefined) letJump(file);

function letJump(path: string): void {
  const RealDate = globalThis.Date;
  const realOrigin = performance.timeOrigin;
  const realNow = RealDate.now.bind(RealDate);
  let offsetMs = 0;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [realNow() + offsetMs] : args, newTarget) as object,
    apply: () => new RealDate(realNow() + offsetMs).toString(),
  });
  RealDate.now = () => realNow() + offsetMs;
  Object.defineProperty(performance, 'timeOrigin', { get: () => realOrigin + offsetMs, configurable: true });
  process.on('SIGUSR2', () => {
    offsetMs = Number(readFileSync(path, 'utf8'));
  });
}
