// Logs at their most talkative never hold code, stdin, output, file names, arguments or tokens; every line is one JSON object.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';
import type { ServiceProcess } from '../testkit/service-process.js';

const secrets = Object.fromEntries(
  ['code', 'stdin', 'typed', 'output', 'file', 'content', 'argument', 'user', 'bad'].map((name) => [
    name,
    `s3cr3t-${name}-${randomBytes(6).toString('hex')}`,
  ]),
) as Record<'code' | 'stdin' | 'typed' | 'output' | 'file' | 'content' | 'argument' | 'user' | 'bad', string>;

const trace = { RUNGRID_LOG_LEVEL: 'trace' };
const stack = useStack({ gatewayEnv: trace, workerEnv: { ...trace, WORKER_OUTPUT_BYTES: '20000' } });
const tokens: string[] = [];

/** A token with a secret in it; all that were made are secrets too. */
function mint(): string {
  const token = stack().mint('', { claims: { user: secrets.user } });
  tokens.push(token);
  return token;
}

describe('the logs', () => {
  test('of runs that end well and badly, and of frames that are none, hold nothing of a stranger', async () => {
    const client = await stack().connect();
    const hello = client.run(
      `# ${secrets.code}\nimport sys\nprint(input(), input(), sys.argv, ''.join(reversed(${JSON.stringify(reversed(secrets.output))})))`,
      'python',
      { token: mint(), args: [secrets.argument], files: [{ name: `${secrets.file}.txt`, content: secrets.content }] },
    );
    hello.stdin(`${secrets.typed}\n${secrets.stdin}\n`);
    expect((await hello.exit()).code).toBe(0);
    for (const seen of [secrets.output, secrets.argument, secrets.typed]) expect(hello.stdout).toContain(seen);
    const given = client.run(`print(input()) # ${secrets.code}`, 'python', {
      token: mint(),
      stdin: `${secrets.stdin}\n`,
    });
    expect((await given.exit()).reason).toBe('exited');
    const flood = client.run(`while True: print("${secrets.output}")`, 'python', { token: mint() });
    expect((await flood.exit()).reason).toBe('output_limit');
    const crash = client.run(`raise ValueError("${secrets.code}")`, 'python', { token: mint() });
    expect((await crash.exit()).code).toBe(1);
    // Refused ones.
    client.sendText(
      `{"event":"run_code","data":{"code":"${secrets.bad}","language":"${secrets.bad}","token":"${secrets.bad}"}}`,
    );
    client.send('stdin', { text: secrets.bad, run: secrets.bad });
    client.send(secrets.bad, { [secrets.bad]: secrets.bad });
    await client.event('error', ({ code }) => code === 'unknown_event');
    await client.close();
    const broken = await stack().connect();
    broken.sendText(`{"event":"stdin","data":{"text":"${secrets.bad}"`);
    await broken.closed;
    await faultyHttp();
    for (const service of [stack().gateway.process, stack().worker.process]) {
      // The whole log is looked at: its first lines are still kept.
      expect(linesOf(service).some(({ msg }) => msg === 'ready')).toBe(true);
      for (const secret of [
        ...Object.values(secrets),
        ...tokens.flatMap((token) => [token, token.split('_').at(-1) ?? token]),
      ])
        expect(service.log).not.toContain(secret);
    }
    expect(linesOf(stack().gateway.process).filter(({ msg }) => msg === 'run ended').length).toBeGreaterThanOrEqual(4);
  });
});

/** Requests with a secret wherever HTTP has room for one. */
async function faultyHttp(): Promise<void> {
  const { url } = stack().gateway;
  const init = { headers: { authorization: secrets.bad, cookie: secrets.bad } };
  await (await fetch(`${url}/${secrets.bad}?token=${secrets.bad}`, init)).text();
  await (await fetch(`${url}/v1/token`, { ...init, method: 'POST', body: secrets.bad })).text();
}

/** Throws on a line that is not one JSON object with a level, a time and a service. */
function linesOf(service: ServiceProcess): { msg?: string }[] {
  return service.log.split('\n').map((line) => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    expect(entry).toMatchObject({
      level: expect.any(Number) as number,
      time: expect.any(String) as string,
      service: expect.any(String) as string,
    });
    return entry;
  });
}

/** The program makes its output itself, so that it is another text than its code. */
function reversed(text: string): string {
  return text.split('').toReversed().join('');
}
