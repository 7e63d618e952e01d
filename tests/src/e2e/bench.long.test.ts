// A bench that is ended from outside prints what it measured, and ends what it started.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../../loadtest/dist/main.js', import.meta.url));

test('a signal ends the bench: it prints the figures until then, and its services end', async () => {
  const bench = spawn(process.execPath, [MAIN, '--quick', '--scenario', 'echo,sessions-50'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = text(bench.stdout);
  const said: string[] = [];
  for await (const line of createInterface({ input: bench.stderr })) {
    said.push(line);
    if (!line.startsWith('sessions-50')) continue;
    const services = childrenOf(bench.pid ?? 0);
    expect(services).toHaveLength(3);
    const exit = once(bench, 'exit');
    bench.kill('SIGTERM');
    expect((await exit)[0]).toBe(1);
    expect(services.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  }
  expect(said.at(-1)).toMatch(/ended before its end/);
  expect(await printed).toMatch(/stdin -> echo, python, sequential/);
});

/** Redis, a worker and a gateway. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}
