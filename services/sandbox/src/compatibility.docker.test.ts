// Under the system call filter and the resource limits, ordinary programs run as they do outside, and forbidden calls fail.
import { aroundEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { COMPATIBILITY } from './compatibility.js';
import { builtInLanguages, type Language } from './languages.js';
import { judgeSandbox, PROBE_PATH } from './selftest.js';
import { testedLanguages } from './tested-languages.js';
import { Box, ensureImages } from './testkit.js';
import { compileProgram, startProgram } from './testkit-program.js';

// Its container is most of a test's time.
const it = test.concurrent;
vi.setConfig({ testTimeout: 120_000 });

const NEEDED = new Set(COMPATIBILITY.map((each) => each.language));
const tested = testedLanguages();
beforeAll(
  () => ensureImages(builtInLanguages().filter((each) => tested.includes(each) || NEEDED.has(each.name))),
  1_800_000,
);
aroundEach(Box.scope);

function language(name: string): Language {
  const found = builtInLanguages().find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

async function runCode(name: string, code: string): Promise<Box> {
  const it = language(name);
  const files = [{ name: it.fileName, content: code }];
  const artifact = it.compile === undefined ? undefined : (await compileProgram(it, files)).artifact;
  const box = await startProgram(it, { files }, { mode: 'pipe', artifact });
  await box.exit();
  return box;
}

async function runCommand(name: string, run: readonly string[]): Promise<Box> {
  const box = await Box.open(language(name), { command: [] });
  box.start({ files: [], run });
  await box.exit();
  return box;
}

describe('ordinary programs', () => {
  it.each(COMPATIBILITY.map((each) => [each.language, each.title, each.code] as const))(
    '%s: %s',
    async (name, _title, code) => {
      const box = await runCode(name, code);
      expect(box.stderr).toBe('');
      expect(box.stdout).toBe('fine\n');
    },
  );
});

describe.each(tested.map(({ name }) => name))('the image of %s', (name) => {
  it('has no setuid or setgid file', async () => {
    const box = await runCommand(name, ['find', '/', '-xdev', '-type', 'f', '-perm', '/6000']);
    expect(box.stdout).toBe('');
  });

  it('makes a sandbox that passes the self-test', async () => {
    const box = await runCommand(name, [PROBE_PATH]);
    const env = Object.keys(language(name).env);
    const limits = { memoryBytes: 128 << 20, cpus: 0.2, pids: 64, tmpBytes: 10 << 20, tmpInodes: 1024 };
    const kind = { openFiles: 256, terminals: false, systemCalls: 'own', runtime: 'runc' } as const;
    const verdicts = judgeSandbox(box.stdout, { ...limits, ...kind, env });
    expect(
      verdicts.filter(({ state }) => state !== 'ok').map(({ name: check, found }) => `${check}: ${found}`),
    ).toEqual([]);
  });
});

describe('forbidden calls', () => {
  it('32-bit and x32 calls end the program', async () => {
    const call = (text: string): string =>
      `#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts("before"); fflush(stdout); ${text} puts("after"); }`;
    const i386 = 'long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");';
    for (const code of [call(i386), call('syscall(0x40000000L | 39);')])
      expect((await runCode('c', code)).stdout).toBe('before\n');
  });

  it('a program cannot change the limits of the agent', async () => {
    const box = await runCode('python', 'import resource\nresource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))');
    expect(box.stderr).toContain('PermissionError');
  });

  it('clone with a new namespace makes no child', async () => {
    const flags = [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000];
    const code = `import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
for flag in ${JSON.stringify(flags)}:
    result = libc.syscall(ctypes.c_long(56 if os.uname().machine == "x86_64" else 220), ctypes.c_long(flag | 17), 0, 0, 0, 0)
    if result == 0: os._exit(0)
    print(result, errno.errorcode[ctypes.get_errno()])`;
    expect((await runCode('python', code)).stdout).toBe('-1 EPERM\n'.repeat(flags.length));
  });
});
