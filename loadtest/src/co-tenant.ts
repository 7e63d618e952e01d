// The co-tenant of a bench: a visitor with a process of its own, as each has a machine of its own, who types line after line into a session.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BenchClient } from './client.js';
import { openSession, untilMs } from './scenario.js';

/** A fast typist's pace, several times over; what would be faster met the sandbox's CPU quota instead. */
const PACE_MS = 20;
const ECHO_TIMEOUT_MS = 20_000;

export interface CoTenant {
  /** Echo times since the last call, ms. */
  samples(): Promise<number[]>;
  /** Ends the session and the process. */
  close(): void;
}

/** Starts the process, and waits until its program has answered. */
export async function startCoTenant(url: string, token: string): Promise<CoTenant> {
  const child = fork(fileURLToPath(import.meta.url), [url, token]);
  const answer = async () => {
    const gone = once(child, 'exit').then(([code]) => {
      throw new Error(`the co-tenant is gone, with ${code}`);
    });
    return (await Promise.race([once(child, 'message'), gone]))[0] as number[];
  };
  await answer();
  return {
    samples: () => {
      child.send('samples');
      return answer();
    },
    close: () => child.kill(),
  };
}

async function live(url: string, token: string): Promise<void> {
  try {
    // Its machine has nothing else to do; this one has.
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    // Not for everybody.
  }
  const client = await BenchClient.open(url);
  const run = await openSession(client, token);
  let samples: number[] = [];
  process.on('message', () => {
    process.send?.(samples);
    samples = [];
  });
  process.send?.(samples);
  for (let i = 0; process.connected; i++) {
    const text = `n${i}\n`;
    samples.push(await client.echo(run, { text, answer: text, timeoutMs: ECHO_TIMEOUT_MS }));
    await untilMs(performance.now() + PACE_MS);
  }
}

const [, script, url, token] = process.argv;
if (script === fileURLToPath(import.meta.url) && url !== undefined && token !== undefined) {
  await live(url, token);
  process.exit(0);
}
