// The whole command over real parts: up, status, run, up again, a crash, down; in a state folder of its own.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Status } from './commands/status.js';
import { ROOT } from './paths.js';
import { identify, isAlive } from './process-ref.js';

const state = mkdtempSync(join(tmpdir(), 'rungrid-cli-'));
/** Every call has this long, ms: past it something hangs. */
const CALL_TIMEOUT_MS = 120_000;

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}
interface Result extends Output {
  readonly code: number | null;
}

/** Starts the built CLI. `GATEWAY_…` and Redis settings of the caller's shell are left out: the defaults are tested. */
function start(args: readonly string[]): {
  child: ChildProcessWithoutNullStreams;
  result: Promise<Result>;
  output: Output;
} {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(GATEWAY|WORKER|RUNGRID)_/.test(name)),
  );
  const child = spawn(process.execPath, [join(ROOT, 'packages', 'cli', 'dist', 'main.js'), ...args], {
    env: { ...env, RUNGRID_STATE: state },
    timeout: CALL_TIMEOUT_MS,
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const result = new Promise<Result>((resolve) => child.once('close', (code) => resolve({ code, ...output })));
  return { child, result, output };
}

/** Calls the built CLI. */
function rungrid(args: readonly string[], stdin = ''): Promise<Result> {
  const { child, result } = start(args);
  child.stdin.end(stdin);
  return result;
}

async function status(): Promise<Status> {
  return JSON.parse((await rungrid(['status', '--json'])).stdout) as Status;
}

function program(name: string, text: string): string {
  const file = join(state, name);
  writeFileSync(file, text);
  return file;
}

describe('rungrid', () => {
  beforeAll(async () => {
    const up = await rungrid(['up', '--detach', '--languages', 'python']);
    expect(up.code, up.stderr).toBe(0);
    expect(up.stdout).toMatch(/^Rungrid is up: http:\/\/127\.0\.0\.1:\d+$/m);
  });
  afterAll(async () => {
    await rungrid(['down']);
    rmSync(state, { recursive: true, force: true });
  });

  test('status --json has exactly the documented fields', async () => {
    const now = await status();
    expect(Object.keys(now).toSorted()).toEqual(['engine', 'gateways', 'redis', 'workers']);
    expect(now.gateways).toEqual([
      { pid: expect.any(Number), url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) },
    ]);
    expect(now.workers).toEqual([
      { pid: expect.any(Number), grpc: expect.stringMatching(/:\d+$/), metrics: expect.stringMatching(/^http:/) },
    ]);
    expect(now.redis).toEqual({ url: expect.stringMatching(/^unix:\/\//) });
    expect(now.engine).toMatchObject({ name: 'docker', host: expect.any(String), version: expect.any(String) });
  });

  test('run: stdin and stdout are the program’s, and so is the exit code', async () => {
    const file = program('hello.py', 'import sys\nname = input("Name: ")\nprint("Hello " + name)\nsys.exit(3)\n');
    expect(await rungrid(['run', file], 'Rajesh\n')).toEqual({ code: 3, stdout: 'Name: Hello Rajesh\n', stderr: '' });
  });

  test('run: more stdin than any buffer on the way holds arrives whole, also when the program reads late', async () => {
    const file = program('late.py', 'import sys, time\ntime.sleep(1)\nprint(len(sys.stdin.read()))\n');
    expect(await rungrid(['run', file], 'é'.repeat(600_000))).toMatchObject({ code: 0, stdout: '600000\n' });
  });

  test('run: arguments after -- reach the program', async () => {
    const file = program('args.py', 'import sys\nprint(sys.argv[1:])\n');
    expect(await rungrid(['run', file, '--', '--help', 'a b'])).toMatchObject({
      code: 0,
      stdout: "['--help', 'a b']\n",
    });
  });

  test('run: a gateway is killed under the program, and another one takes over: nothing is lost, typed or written', async () => {
    const before = await status();
    const file = program('echo.py', 'for _ in range(3):\n    print(f"<{input()}>", flush=True)\n');
    const { child, result, output } = start(['run', file]);
    child.stdin.write('one\n');
    await expect.poll(() => output.stdout, { timeout: 20_000 }).toBe('<one>\n');
    process.kill(before.gateways[0]?.pid ?? -1, 'SIGKILL');
    await expect.poll(() => output.stderr, { timeout: 5_000 }).toContain('lost the connection');
    child.stdin.write('two\n');
    expect((await rungrid(['up', '--detach'])).code).toBe(0);
    await expect.poll(() => output.stdout, { timeout: 20_000 }).toBe('<one>\n<two>\n');
    child.stdin.end('three\n');
    expect(await result).toMatchObject({ code: 0, stdout: '<one>\n<two>\n<three>\n' });
  });

  test('run: a limit ends with its exit code, and its reason on stderr', async () => {
    const file = program('flood.py', 'while True:\n    print("x" * 1000)\n');
    const result = await rungrid(['run', file]);
    expect(result.code).toBe(137);
    expect(result.stderr).toContain('output_limit');
  });

  test('a token of the command line is good once', async () => {
    const token = (await rungrid(['token'])).stdout.trim();
    const file = program('once.py', 'print("once")\n');
    expect(await rungrid(['run', file, '--token', token])).toMatchObject({ code: 0, stdout: 'once\n' });
    const again = await rungrid(['run', file, '--token', token]);
    expect(again.code).toBe(125);
    expect(again.stderr).toContain('token_replayed');
  });

  test('a second up changes nothing and prints the address', async () => {
    const before = await status();
    const again = await rungrid(['up', '--detach']);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining(before.gateways[0]?.url ?? 'no gateway') });
    expect(again.stderr).toContain('already up');
    expect(await status()).toEqual(before);
  });

  test('up starts again what died, and only that', async () => {
    const before = await status();
    const worker = before.workers[0]?.pid ?? -1;
    const ref = identify(worker);
    process.kill(worker, 'SIGKILL');
    await expect.poll(() => ref !== undefined && isAlive(ref), { timeout: 10_000 }).toBe(false);
    expect((await rungrid(['status'])).code).toBe(1);
    expect((await rungrid(['up', '--detach'])).code).toBe(0);
    const after = await status();
    expect(after.gateways).toEqual(before.gateways);
    expect(after.workers[0]?.pid).not.toBe(worker);
    expect(await rungrid(['run', program('back.py', 'print("back")\n')])).toMatchObject({ code: 0, stdout: 'back\n' });
  });

  test('down ends every process and takes the socket away; a second one says so', async () => {
    const before = await status();
    const pids = [...before.gateways, ...before.workers].map(({ pid }) => pid);
    expect((await rungrid(['down'])).code).toBe(0);
    for (const pid of pids) expect(identify(pid)).toBeUndefined();
    expect(JSON.parse(readFileSync(join(state, 'state.json'), 'utf8'))).toMatchObject({ gateways: [], workers: [] });
    expect(existsSync(join(state, 'run', 'redis.sock'))).toBe(false);
    expect((await rungrid(['down'])).stderr).toContain('was not up');
  });
});
