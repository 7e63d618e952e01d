// What every engine must do, as one suite over real sandboxes: an implementation's test calls engineBehavior().
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { until as untilHolds } from '@rungrid/testkit/until';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Engine, Sandbox, SandboxLimits, SandboxSpec } from '../run/ports.js';

interface EngineSubject {
  readonly name: string;
  /** An engine that owns its sandboxes under `workerId` and writes a run's deadline down at once. */
  make(workerId: string): Engine;
  /** An image with a POSIX shell and coreutils, without an entry point. */
  readonly image: string;
  /** Program text (ES module) that makes one sandbox of `spec` under `workerId`, prints `made\n` and stays. */
  ownerProgram(owner: { workerId: string; spec: SandboxSpec }): string;
  /** How many sandboxes of this worker exist, as seen from outside. */
  count(workerId: string): Promise<number>;
}

const LIMITS: SandboxLimits = { memoryBytes: 33_554_432, cpus: 0.5, pids: 16, tmpBytes: 1_048_576, tmpInodes: 64 };
const FLOOD_BYTES = 8_000_000;

/** Prints what hardening looks like from inside, `name=value` a line, then stays. Reads whichever cgroup version there is. */
const LOOK_AROUND = `
status() { grep "^$1:" /proc/self/status | cut -f2; }
group() { cat "/sys/fs/cgroup/$1" 2>/dev/null || cat "/sys/fs/cgroup/$2"; }
echo "caps=$(status CapEff)$(status CapBnd)"; echo "nnp=$(status NoNewPrivs)"; echo "seccomp=$(status Seccomp)"
echo "uid=$(id -u)"; echo "gid=$(id -g)"; echo "nofile=$(ulimit -n)"; echo "core=$(ulimit -c)"
echo "memory=$(group memory/memory.limit_in_bytes memory.max)"; echo "pids=$(group pids/pids.max pids.max)"
touch /root-file 2>/dev/null && echo root=writable || echo root=read-only
touch /dev/x 2>/dev/null && echo dev=writable || echo dev=read-only
[ -e /dev/shm ] && echo shm=there || echo shm=none
echo "tmp=$(df -B1 --output=size,itotal /tmp | tail -1 | xargs)"
cp /bin/true /tmp/t && /tmp/t && echo tmpexec=yes
echo "net=$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | tr '\\n' ',')"
echo "group=$(cut -d: -f3 /proc/self/cgroup | sort -u | tr '\\n' ',')"
echo done; cat`;

export function engineBehavior(subject: EngineSubject): void {
  const workerId = `test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const engine = subject.make(workerId);
  const made: Sandbox[] = [];

  describe(`${subject.name} engine`, () => {
    afterEach(async () => {
      const left = await subject.count(workerId);
      // One test's failure must not fail the next.
      await Promise.all(made.splice(0).map((sandbox) => sandbox.destroy()));
      expect(left).toBe(0);
    });
    afterAll(() => engine.close());

    it('answers, and reports which images exist', async () => {
      await engine.ping();
      const id = await engine.imageId(subject.image);
      expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
      // The id is a name too.
      expect(await engine.imageId(id ?? '')).toBe(id);
      expect(await engine.imageId('rungrid-test/not-there:none')).toBeUndefined();
      expect(await engine.identity()).toBe(await engine.identity());
    });

    it('gives PID 1 exactly the bytes that were written, from the first on', async () => {
      const sandboxes = await Promise.all(Array.from({ length: 6 }, () => make(['cat'])));
      for (const sandbox of sandboxes) {
        const output = read(sandbox);
        sandbox.write(Buffer.from([0, 1, 2, 255]));
        sandbox.write(Buffer.from('{}\r\n'));
        await until(() => output.bytes() >= 8);
        expect([...output.all()]).toEqual([0, 1, 2, 255, 123, 125, 13, 10]);
      }
      await Promise.all(sandboxes.map((sandbox) => sandbox.destroy()));
    });

    it('gives a late listener the output from before, and drops stderr', async () => {
      const sandbox = await make(shell('echo early; echo unseen >&2; cat'));
      await until(() => (sandbox.usage()?.cpuMs ?? 0) > 0);
      const output = read(sandbox);
      sandbox.write(Buffer.from('late\n'));
      await until(() => output.text().endsWith('late\n'));
      expect(output.text()).toBe('early\nlate\n');
      await sandbox.destroy();
    });

    it('blocks the program that writes while it is paused, and loses nothing', async () => {
      const sandbox = await make(shell(`read go; head -c ${FLOOD_BYTES} /dev/zero; cat`));
      const output = read(sandbox);
      sandbox.pause();
      sandbox.write(Buffer.from('go\n'));
      await untilIdle(sandbox);
      expect(output.bytes()).toBeLessThan(FLOOD_BYTES);
      sandbox.resume();
      await until(() => output.bytes() === FLOOD_BYTES);
      await sandbox.destroy();
    });

    it('removes a sandbox that is paused in the middle of a flood', async () => {
      const sandbox = await make(shell('exec yes'));
      read(sandbox);
      sandbox.pause();
      await sandbox.destroy();
    });

    it('counts CPU time and memory from outside', async () => {
      const sandbox = await make(shell('read go; head -c 200000000 /dev/zero >/dev/null; echo done; cat'));
      const output = read(sandbox);
      const before = await sandbox.finalUsage();
      sandbox.write(Buffer.from('go\n'));
      await until(() => output.text() === 'done\n');
      const after = sandbox.usage();
      expect(after?.cpuMs).toBeGreaterThan(before?.cpuMs ?? Number.NaN);
      expect(after?.memoryPeakBytes).toBeGreaterThan(100_000);
      expect(after?.memoryPeakBytes).toBeLessThanOrEqual(LIMITS.memoryBytes);
      expect(after).toMatchObject({ oomKills: 0, pidsRefused: 0 });
      await sandbox.destroy();
      expect(sandbox.usage()).toBeUndefined();
      expect(await sandbox.finalUsage()).toBeUndefined();
    });

    it('counts an out-of-memory kill that PID 1 survives', async () => {
      const sandbox = await make(shell('tail /dev/zero; echo survived; cat'));
      const output = read(sandbox);
      await until(() => output.text().includes('survived'));
      expect(sandbox.usage()?.oomKills).toBeGreaterThan(0);
      await sandbox.destroy();
      expect((await sandbox.exited).oom).toBe(true);
    });

    it('reports why PID 1 ended', async () => {
      const [failed, exhausted] = await Promise.all([make(shell('exit 7')), make(['tail', '/dev/zero'])]);
      read(failed);
      read(exhausted);
      expect(await failed.exited).toEqual({ oom: false, status: 7 });
      expect(await exhausted.exited).toEqual({ oom: true, status: 137 });
      await Promise.all([failed.destroy(), exhausted.destroy()]);
    });

    it('counts processes refused by the limit', async () => {
      const sandbox = await make(shell('(for i in $(seq 40); do sleep 60 & done); echo full; cat'));
      const output = read(sandbox);
      await until(() => output.text().includes('full'));
      expect(sandbox.usage()?.pidsRefused).toBeGreaterThan(0);
      await sandbox.destroy();
    });

    it('enforces every limit', async () => {
      const [one, other] = await Promise.all([make(shell(LOOK_AROUND)), make(shell(LOOK_AROUND))]);
      const outputs = [read(one), read(other)];
      await until(() => outputs.every((output) => output.text().endsWith('done\n')));
      const [seen, seenByOther] = outputs.map((output) =>
        Object.fromEntries(
          output
            .text()
            .split('\n')
            .map((line) => line.split('=') as [string, string]),
        ),
      );
      expect(seen).toMatchObject({
        caps: '0'.repeat(32),
        nnp: '1',
        seccomp: '2',
        nofile: '256',
        core: '0',
        memory: String(LIMITS.memoryBytes),
        pids: String(LIMITS.pids),
        root: 'read-only',
        dev: 'read-only',
        shm: 'none',
        tmp: `${LIMITS.tmpBytes} ${LIMITS.tmpInodes}`,
        tmpexec: 'yes',
        net: 'lo,',
        group: '/,',
      });
      expect(Number(seen?.['uid'])).toBeGreaterThan(0);
      expect(seen?.['gid']).toBe(seen?.['uid']);
      expect(seenByOther?.['uid']).not.toBe(seen?.['uid']);
      await Promise.all([one.destroy(), other.destroy()]);
    });

    it('destroys once, however often it is asked', async () => {
      const sandbox = await make(['cat']);
      let ends = 0;
      sandbox.listen({ data: () => undefined, end: () => (ends += 1) });
      await Promise.all([sandbox.destroy(), sandbox.destroy()]);
      await sandbox.destroy();
      await sandbox.exited;
      expect(ends).toBe(1);
      sandbox.write(Buffer.from('no-op'));
    });

    it('reports an image that is missing as final', async () => {
      const created = engine.create({ ...spec(['cat']), image: 'rungrid-test/not-there:none' });
      await expect(created).rejects.toMatchObject({ name: 'EngineError', retryable: false });
    });

    it('leaves no container behind for a command that does not exist', async () => {
      await expect(make(['/no/such/program'])).rejects.toMatchObject({ name: 'EngineError' });
      await until(async () => (await subject.count(workerId)) === 0);
    });

    it('removes the sandboxes of an owner that is killed', async () => {
      const ownerId = `${workerId}-dead`;
      const owner = spawn(process.execPath, ['--input-type=module', '-'], { stdio: ['pipe', 'pipe', 'inherit'] });
      owner.stdin.end(subject.ownerProgram({ workerId: ownerId, spec: spec(['cat']) }));
      await Promise.race([once(owner.stdout, 'data'), once(owner, 'exit')]);
      expect(await subject.count(ownerId)).toBe(1);
      owner.kill('SIGKILL');
      await until(async () => (await subject.count(ownerId)) === 0);
    });

    it('reaps the sandboxes of dead owners, and only those', async () => {
      const ownerId = `${workerId}-dead-2`;
      const deadEngine = subject.make(ownerId);
      // It ignores the end of its input, so only reap() ends it.
      const orphan = await deadEngine.create(spec(shell('sleep 600')));
      const own = await make(['cat']);
      const reaped = await engine.reap(async (id) => id !== ownerId);
      expect(reaped).toBeGreaterThanOrEqual(1);
      expect([await subject.count(ownerId), await subject.count(workerId)]).toEqual([0, 1]);
      await Promise.all([own.destroy(), orphan.destroy()]);
      await deadEngine.close();
    });

    it('reaps a sandbox past its deadline, its own too', async () => {
      const [late, own] = await Promise.all([make(['cat']), make(['cat'])]);
      late.assign({ runId: 'late', deadlineMs: Date.now() - 2000 });
      own.assign({ runId: 'own', deadlineMs: Date.now() + 600_000 });
      await until(async () => {
        await engine.reap(async () => true);
        return (await subject.count(workerId)) === 1;
      });
      await until(() => late.usage() === undefined);
      expect(own.usage()).toBeDefined();
      await own.destroy();
    });

    it('destroys what it made when it closes', async () => {
      const closing = subject.make(`${workerId}-closing`);
      await Promise.all([closing.create(spec(['cat'])), closing.create(spec(['cat']))]);
      await closing.close();
      expect(await subject.count(`${workerId}-closing`)).toBe(0);
      await expect(closing.create(spec(['cat']))).rejects.toMatchObject({ name: 'EngineError' });
    });
  });

  async function make(command: readonly string[]): Promise<Sandbox> {
    const sandbox = await engine.create(spec(command));
    made.push(sandbox);
    return sandbox;
  }

  function spec(command: readonly string[]): SandboxSpec {
    return { language: 'test', class: 'run', mode: 'pipe', image: subject.image, command, env: [], limits: LIMITS };
  }
}

function shell(script: string): string[] {
  return ['sh', '-c', script];
}

function read(sandbox: Sandbox): { bytes: () => number; all: () => Buffer; text: () => string } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  sandbox.listen({
    data: (chunk) => {
      bytes += chunk.length;
      chunks.push(Buffer.from(chunk));
    },
    end: () => undefined,
  });
  const all = (): Buffer => Buffer.concat(chunks);
  return { bytes: () => bytes, all, text: () => all().toString() };
}

/** Its CPU time does not grow from one look to the next, several times over. */
async function untilIdle(sandbox: Sandbox): Promise<void> {
  let last = -1;
  let same = 0;
  await until(() => {
    const { cpuMs } = sandbox.usage() ?? { cpuMs: 0 };
    same = cpuMs > 0 && cpuMs === last ? same + 1 : 0;
    last = cpuMs;
    return same >= 20;
  });
}

/** A loaded node takes seconds to start and remove a sandbox. */
function until(probe: () => boolean | Promise<boolean>): Promise<true> {
  return untilHolds(probe, { timeoutMs: 20_000 });
}
