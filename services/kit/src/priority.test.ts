// Priority of a service: its process, and its session only where it leads one.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MODULE = fileURLToPath(new URL('../dist/priority.js', import.meta.url));
/** The file is missing on a kernel without autogroups, and empty where no session was begun since it came up. */
const LOOK = `import { getPriority } from 'node:os';
import { existsSync, readFileSync } from 'node:fs';
const autogroup = existsSync('/proc/self/autogroup') ? readFileSync('/proc/self/autogroup', 'utf8') : '';
console.log(JSON.stringify({ own: getPriority(), session: /nice (-?\\d+)/.exec(autogroup)?.[1] ?? 'none' }));`;

/** Own niceness and the session's of a new process that does `act`. */
async function niceness(act: string, options: { detached: boolean }): Promise<{ own: number; session: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${act}\n${LOOK}`], {
    detached: options.detached,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(child.stdout)) as { own: number; session: string };
}

const RAISE = `import { raisePriority } from ${JSON.stringify(MODULE)}; raisePriority();`;
/** The same by plain calls, as far as this machine allows it. */
const PLAIN_CALLS = `import { setPriority } from 'node:os';
import { writeFileSync } from 'node:fs';
for (const act of [() => setPriority(-10), () => writeFileSync('/proc/self/autogroup', '-10')]) try { act() } catch {}`;

test('raises the process and the session that it leads, where the machine allows it', async () => {
  const possible = await niceness(PLAIN_CALLS, { detached: true });
  expect(await niceness(RAISE, { detached: true })).toEqual(possible);
});

test('does not change a session that it does not lead', async () => {
  const before = await niceness('', { detached: false });
  const taken = await niceness(RAISE, { detached: false });
  expect(taken.session).toBe(before.session);
});
