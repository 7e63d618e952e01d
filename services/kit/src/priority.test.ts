// What a service takes: its own place, and its session's only where the session is its own.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MODULE = fileURLToPath(new URL('../dist/priority.js', import.meta.url));
const LOOK = `import { getPriority } from 'node:os';
import { existsSync, readFileSync } from 'node:fs';
const session = existsSync('/proc/self/autogroup') ? /-?\\d+$/.exec(readFileSync('/proc/self/autogroup', 'utf8').trim())[0] : 'none';
console.log(JSON.stringify({ own: getPriority(), session }));`;

/** Own niceness and the session's of a new process that does `act`. */
async function niceness(act: string, options: { detached: boolean }): Promise<{ own: number; session: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${act}\n${LOOK}`], {
    detached: options.detached,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(child.stdout)) as { own: number; session: string };
}

const GO_AHEAD = `import { goAhead } from ${JSON.stringify(MODULE)}; goAhead();`;
const TRY = "import { setPriority } from 'node:os'; try { setPriority(-10) } catch {}";

test('a service with a session of its own takes it for both, where it may', async () => {
  const may = (await niceness(TRY, { detached: true })).own === -10;
  const taken = await niceness(GO_AHEAD, { detached: true });
  expect(taken.own).toBe(may ? -10 : 0);
  if (existsSync('/proc/self/autogroup')) expect(taken.session).toBe(may ? '-10' : '0');
});

test("somebody else's session stays as it is", async () => {
  const before = await niceness('', { detached: false });
  const taken = await niceness(GO_AHEAD, { detached: false });
  expect(taken.session).toBe(before.session);
});
