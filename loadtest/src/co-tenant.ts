// The co-tenant of a bench: types lines into a session from a process of its own, as a visitor has a machine of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BenchClient } from './client.js';
import { openSession, untilMs } from './scenario.js';

/** Several times a fast typist's pace; a shorter pause would measure the sandbox's CPU quota instead. */
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
    const exited = once(child, 'exit').then(([code]) => {
      throw new Error(`the co-tenant exited with ${code}`);
    });
    return (await Promise.race([once(child, 'message'), exited]))[0] as number[];
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
    // A visitor's machine has nothing else to do; this one has.
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    // Needs root or CAP_SYS_NICE.
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
