// The self-test over real sandboxes: it passes on what the worker makes, and fails closed on what is weaker.
import { languageImage } from '@rungrid/sandbox/images';
import { ensureLanguage } from '@rungrid/sandbox/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { type DockerOptions } from '../docker/options.js';
import { DockerEngine } from '../docker/engine.js';
import type { SandboxSpec } from '../run/ports.js';
import { failureText, verifySandboxes, SelfTest } from './selftest.js';

const fleet = `test-${process.pid}`;
let spec: SandboxSpec;

beforeAll(async () => {
  const bash = await ensureLanguage('bash');
  const limits = { memoryBytes: 134_217_728, cpus: 0.2, pids: 64, tmpBytes: 10_485_760, tmpInodes: 1024 };
  spec = {
    language: 'bash',
    class: 'run',
    mode: 'pipe',
    image: languageImage(bash),
    command: [],
    env: ['A=b'],
    limits,
  };
}, 900_000);

const make =
  (options: Partial<DockerOptions> = {}) =>
  () =>
    new DockerEngine({ workerId: `self-${process.pid}`, fleet, ...options });

async function faults(options: Partial<DockerOptions>, promised: Partial<SandboxSpec> = {}): Promise<string[]> {
  const [proof] = await verifySandboxes({
    makeEngine: make(options),
    specs: [{ ...spec, ...promised }],
    kind: { systemCalls: 'own', runtime: 'runc' },
  });
  return (proof?.verdicts ?? []).filter(({ state }) => state === 'failed').map(({ name }) => name);
}

describe('the self-test', () => {
  it('finds nothing wrong with what the worker makes', async () => {
    expect(await faults({})).toEqual([]);
  });

  it('finds nothing wrong with what has a terminal, and with what compiles under limits of its own', async () => {
    expect(await faults({}, { mode: 'tty' })).toEqual([]);
    const limits = { memoryBytes: 536_870_912, cpus: 1, pids: 64, tmpBytes: 134_217_728, tmpInodes: 1024 };
    expect(await faults({}, { class: 'compile', limits })).toEqual([]);
  });

  it('finds out that programs on pipes can take the machine’s terminals', async () => {
    class Careless extends DockerEngine {
      override create(asked: SandboxSpec): ReturnType<DockerEngine['create']> {
        return super.create({ ...asked, mode: 'tty' });
      }
    }
    const [proof] = await verifySandboxes({
      makeEngine: () => new Careless({ workerId: `self-${process.pid}`, fleet }),
      specs: [spec],
      kind: { systemCalls: 'own', runtime: 'runc' },
    });
    expect(proof?.verdicts.filter(({ state }) => state === 'failed')).toMatchObject([
      { name: 'pseudo terminals', found: 'programs can make them' },
    ]);
  });

  it('finds out that the engine’s own filter is weaker than ours', async () => {
    expect(await faults({ seccompProfile: 'engine' })).toEqual([
      'local sockets only',
      'dangerous system calls refused',
      'no 32-bit and x32 system calls',
    ]);
  });

  it('finds out that a resource limit is another one', async () => {
    expect(await faults({ openFiles: 1024 })).toEqual(['resource limits']);
  });

  it('does not let a worker start, and says which check and what to do', async () => {
    const engine = make({ openFiles: 1024 })();
    const selfTest = new SelfTest({
      identity: () => engine.identity(),
      makeEngine: make({ openFiles: 1024 }),
      specs: [spec],
      kind: { systemCalls: 'own', runtime: 'runc' },
    });
    await expect(selfTest.check()).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/resource limits: nofile 1024 1024 instead of 256\n .*Update it/) as string,
    });
    await engine.close();
  });

  it('fails when the image has no probe', async () => {
    const weak = { ...spec, image: 'debian:trixie-slim' };
    await expect(
      verifySandboxes({ makeEngine: make(), specs: [weak], kind: { systemCalls: 'own', runtime: 'runc' } }),
    ).rejects.toMatchObject({
      name: 'EngineError',
    });
    expect(failureText([])).toBeUndefined();
  });
});
