// What a service takes: its own place, and its session's only where the session is its own.
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

const GO_AHEAD = `import { raisePriority } from ${JSON.stringify(MODULE)}; raisePriority();`;
/** The same by plain calls, as far as this machine lets one: that is all that there is to take. */
const ALL_THERE_IS = `import { setPriority } from 'node:os';
import { writeFileSync } from 'node:fs';
for (const act of [() => setPriority(-10), () => writeFileSync('/proc/self/autogroup', '-10')]) try { act() } catch {}`;

test('a service with a session of its own takes it for both, where it may', async () => {
  const possible = await niceness(ALL_THERE_IS, { detached: true });
  expect(await niceness(GO_AHEAD, { detached: true })).toEqual(possible);
});

test("somebody else's session stays as it is", async () => {
  const before = await niceness('', { detached: false });
  const taken = await niceness(GO_AHEAD, { detached: false });
  expect(taken.session).toBe(before.session);
});
