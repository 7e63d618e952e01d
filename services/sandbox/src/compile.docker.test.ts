// Sandboxes that compile (agent/PROTOCOL.md, --compile): diagnostics, the artifact, and every way in which it is missing.
import { createHash } from 'node:crypto';
import { aroundEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type AgentStart, encodeFile, FromAgent, ToAgent } from './agent-frames.js';
import { decodeCompiled, decodeEnd } from './agent-status.js';
import type { Language } from './languages.js';
import { Box, ensureLanguage } from './testkit.js';

// Its container is most of a test's time.
const it = test.concurrent;
vi.setConfig({ testTimeout: 120_000 });

const MIB = 1 << 20;
const SIGKILL = 9;
let python: Language;

beforeAll(async () => {
  python = await ensureLanguage('python');
}, 600_000);

aroundEach(Box.scope);

async function compiling(start: Partial<AgentStart>, command: readonly string[] = []): Promise<Box> {
  const box = await Box.open(python, { command: ['--compile', ...command] });
  box.start({ files: [], ...start });
  return box;
}

const shell = (script: string): Partial<AgentStart> => ({ compile: ['sh', '-c', script], artifact: 'main' });

describe('a compile step that succeeds', () => {
  it('sends diagnostics in their order, then the artifact, then COMPILED', async () => {
    const box = await compiling({
      ...shell('echo note; echo warning >&2; echo more; tr a-z A-Z < source > main'),
      files: [{ name: 'source', content: 'content' }],
    });
    await box.until(() => box.ended);
    expect(box.bytes(FromAgent.COMPILE).toString()).toBe('note\nwarning\nmore\n');
    expect(box.bytes(FromAgent.ARTIFACT).toString()).toBe('CONTENT');
    expect(decodeCompiled(box.bytes(FromAgent.COMPILED)).bytes).toBe(7);
    expect(box.order).toEqual([FromAgent.READY, FromAgent.COMPILE, FromAgent.ARTIFACT, FromAgent.COMPILED]);
  });

  it('sends an artifact of megabytes whole, also to a reader that pauses', async () => {
    const box = await compiling(shell('head -c 5000000 /dev/urandom > main; sha256sum < main'));
    await box.until(() => box.has(FromAgent.ARTIFACT));
    box.pause();
    await new Promise((resolve) => setImmediate(resolve));
    box.resume();
    await box.until(() => box.ended);
    const digest = createHash('sha256').update(box.bytes(FromAgent.ARTIFACT)).digest('hex');
    expect(box.bytes(FromAgent.COMPILE).toString()).toContain(digest);
  });

  it('sends no ARTIFACT frame for an empty artifact', async () => {
    const box = await compiling(shell(': > main'));
    await box.until(() => box.ended);
    expect(decodeCompiled(box.bytes(FromAgent.COMPILED)).bytes).toBe(0);
    expect(box.has(FromAgent.ARTIFACT)).toBe(false);
  });

  it('can be done by a warm compiler', async () => {
    const launcher = 'echo 9.1 >&3; cat <&3; exec 3<&-; echo compiled; cat source source > main';
    const box = await Box.open(python, { command: ['--compile', '--warm', 'sh', '-c', launcher] });
    expect(box.bytes(FromAgent.READY).toString()).toBe('9.1');
    box.start({ files: [{ name: 'source', content: 'ab' }], artifact: 'main' });
    await box.until(() => box.ended);
    expect(box.bytes(FromAgent.COMPILE).toString()).toBe('compiled\n');
    expect(box.bytes(FromAgent.ARTIFACT).toString()).toBe('abab');
  });

  it('has no input: a compiler that reads gets EOF', async () => {
    const box = await compiling(shell('cat > main; echo end'));
    box.type('ignored');
    await box.until(() => box.ended);
    expect(decodeCompiled(box.bytes(FromAgent.COMPILED)).bytes).toBe(0);
  });
});

describe('a compile step that fails', () => {
  it('ends with COMPILE_FAILED and no artifact, without waiting for leftover processes', async () => {
    const box = await compiling(shell('echo x > main; sleep 1000 & echo no >&2; exit 4'));
    await box.until(() => box.ended);
    expect(decodeEnd(box.bytes(FromAgent.COMPILE_FAILED))).toEqual({ kind: 'exited', code: 4 });
    expect(box.has(FromAgent.ARTIFACT)).toBe(false);
  });

  it('can be killed', async () => {
    const box = await compiling(shell('echo on; sleep 1000'));
    await box.until(() => box.has(FromAgent.COMPILE));
    box.send(ToAgent.KILL);
    await box.until(() => box.ended);
    expect(decodeEnd(box.bytes(FromAgent.COMPILE_FAILED))).toEqual({ kind: 'signaled', signo: SIGKILL });
  });

  it.each([
    ['leaves no artifact', 'true'],
    ['leaves a link to a file that it may read', 'ln -s /etc/passwd main'],
    ['leaves a pipe', 'mkfifo main'],
    ['leaves a folder', 'mkdir main'],
  ])('is a FAULT when it %s', async (_what, script) => {
    const box = await compiling(shell(script));
    await box.until(() => box.ended);
    expect(box.fault).toContain('the compile step left no main');
  });
});

describe('a sandbox that compiles refuses', () => {
  it.each([
    ['a run command', { run: ['echo'], artifact: 'main' }],
    ['no artifact', { compile: ['true'] }],
    ['no command', { artifact: 'main' }],
  ])('%s', async (_what, start) => {
    const box = await compiling(start);
    await box.until(() => box.ended);
    expect(box.fault).not.toBe('');
    expect(box.order).toEqual([FromAgent.READY, FromAgent.FAULT]);
  });

  it('FILE after START', async () => {
    const box = await compiling(shell('sleep 1000'));
    box.send(ToAgent.FILE, Buffer.from('\0late\0x'));
    await box.until(() => box.ended);
    expect(box.fault).toContain('FILE');
  });
});

it('a file larger than /tmp is a FAULT, not a truncated file', async () => {
  const box = await Box.open(python, { command: [] });
  for (const frame of encodeFile('big', Buffer.alloc(11 * MIB), { executable: false })) box.raw(frame);
  await box.until(() => box.ended);
  expect(box.fault).toContain('does not fit');
});
