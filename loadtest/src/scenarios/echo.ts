// stdin -> echo: a single session, and fifty that wait on input() at once.
import { BenchClient, type BenchRun, mintTokens } from '../client.js';
import { clickAtRate, failureRow, openSession, type Scenario, untilMs } from '../scenario.js';
import { summarize } from '../summary.js';

const SESSIONS = 50;
const ECHO_TIMEOUT_MS = 20_000;
/** Keystrokes a second over all sessions. */
const TYPING_RATE = 50;

export const echoScenario: Scenario = {
  name: 'echo',
  title: 'stdin -> echo, one python session, one line after the other',
  run: async (target, options) => {
    const n = options.n ?? (options.quick ? 50 : 500);
    const client = await BenchClient.open(target.url);
    const [token = ''] = mintTokens(target.key, 1);
    const run = await openSession(client, token);
    const samples: number[] = [];
    for (let i = -20; i < n; i++) {
      const text = `line ${i}\n`;
      const timeMs = await client.echo(run, { text, answer: text, timeoutMs: ECHO_TIMEOUT_MS });
      if (i >= 0) samples.push(timeMs);
      // Many times a person's pace; without a pause the loop would measure the sandbox's CPU quota instead.
      await untilMs(performance.now() + 10);
    }
    client.close();
    const targets = [{ of: 'p50', under: 1.5 } as const, { of: 'p99', under: 10 } as const];
    return [
      { scenario: 'echo', what: 'stdin -> echo, python, sequential', unit: 'ms', summary: summarize(samples), targets },
    ];
  },
};

export const sessionsScenario: Scenario = {
  name: 'sessions-50',
  title: '50 live sessions on input(): echo, and clicks beside them',
  run: async (target, options) => {
    const sessions = options.quick ? 10 : SESSIONS;
    const rounds = options.quick ? 3 : 20;
    const open: { client: BenchClient; run: BenchRun }[] = [];
    for (const token of mintTokens(target.key, sessions)) {
      const client = await BenchClient.open(target.url);
      open.push({ client, run: await openSession(client, token) });
    }
    const samples: number[] = [];
    const startMs = performance.now();
    const pending: Promise<number>[] = [];
    for (let i = 0; i < rounds * sessions; i++) {
      await untilMs(startMs + (i * 1000) / TYPING_RATE);
      const { client, run } = open[i % sessions] as (typeof open)[number];
      const text = `k${i}\n`;
      pending.push(client.echo(run, { text, answer: text, timeoutMs: ECHO_TIMEOUT_MS }));
    }
    samples.push(...(await Promise.all(pending)));
    const answered = open.filter(({ run }) => run.endMs === undefined).length;
    const n = options.quick ? 10 : 100;
    const clicks = await clickAtRate(target, { language: 'python', rate: 4, n, warmUp: 4 });
    for (const { client } of open) client.close();
    return [
      {
        scenario: 'sessions-50',
        what: 'live sessions that answered',
        unit: '',
        value: answered,
        n: sessions,
        targets: [{ of: 'value', atLeast: sessions }],
      },
      {
        scenario: 'sessions-50',
        what: `stdin -> echo, ${sessions} live sessions`,
        unit: 'ms',
        summary: summarize(samples),
        targets: [{ of: 'p99', under: 30 }],
      },
      {
        scenario: 'sessions-50',
        what: `click -> first byte, 4/s, ${sessions} live sessions`,
        unit: 'ms',
        summary: summarize(clicks.firstByteMs),
      },
      ...failureRow('sessions-50', clicks.failed, n),
    ];
  },
};
