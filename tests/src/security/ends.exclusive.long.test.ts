// The CPU limit at its default, by the wall.
import { expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';

const CPU_MS = 3_000;
const WALL_MS = 15_000;
const stack = useStack({ languages: ['python', 'c'] });

test.each([
  ['python', 'while True: pass'],
  ['python', 'import os\nfor _ in range(6): os.fork()\nwhile True: pass'],
  ['c', 'int main(void) { for (;;) ; }'],
])(
  'a loop in %s ends at 3 s of CPU, within a fifth of the 15 s that 0.2 CPU make of it: %s',
  async (language, code) => {
    const client = await stack().connect();
    const { reason, usage } = await client.run(code, language).exit(60_000);
    // oxlint-disable-next-line no-console -- figures for people
    console.log(`cpu ${usage.cpu_ms} ms, wall ${usage.wall_ms} ms`);
    expect(reason).toBe('cpu_limit');
    expect(usage.cpu_ms).toBeGreaterThanOrEqual(CPU_MS);
    expect(Math.abs(usage.wall_ms - WALL_MS)).toBeLessThan(WALL_MS / 5);
  },
);
