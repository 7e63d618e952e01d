// The self-test over real sandboxes: it passes the worker's own and fails weaker ones.
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

async function violations(options: Partial<DockerOptions>, promised: Partial<SandboxSpec> = {}): Promise<string[]> {
  const [verification] = await verifySandboxes({
    makeEngine: make(options),
    specs: [{ ...spec, ...promised }],
    kind: { systemCalls: 'own', runtime: 'runc' },
  });
  return (verification?.verdicts ?? []).filter(({ state }) => state === 'failed').map(({ name }) => name);
}

describe('the self-test', () => {
  it('passes the sandboxes that the worker makes', async () => {
    expect(await violations({})).toEqual([]);
  });

  it('passes a sandbox with a terminal, and a compile sandbox with its own limits', async () => {
    expect(await violations({}, { mode: 'tty' })).toEqual([]);
    const limits = { memoryBytes: 536_870_912, cpus: 1, pids: 64, tmpBytes: 134_217_728, tmpInodes: 1024 };
    expect(await violations({}, { class: 'compile', limits })).toEqual([]);
  });

  it('fails a sandbox on pipes in which programs can make pseudo terminals', async () => {
    class Careless extends DockerEngine {
      override create(asked: SandboxSpec): ReturnType<DockerEngine['create']> {
        return super.create({ ...asked, mode: 'tty' });
      }
    }
    const [verification] = await verifySandboxes({
      makeEngine: () => new Careless({ workerId: `self-${process.pid}`, fleet }),
      specs: [spec],
      kind: { systemCalls: 'own', runtime: 'runc' },
    });
    expect(verification?.verdicts.filter(({ state }) => state === 'failed')).toMatchObject([
      { name: 'pseudo terminals', found: 'programs can make them' },
    ]);
  });

  it('fails the weaker system call filter of the engine', async () => {
    expect(await violations({ seccompProfile: 'engine' })).toEqual([
      'local sockets only',
      'dangerous system calls refused',
      'no 32-bit and x32 system calls',
    ]);
  });

  it('fails a sandbox with another resource limit', async () => {
    expect(await violations({ openFiles: 1024 })).toEqual(['resource limits']);
  });

  it('rejects with ConfigError that names the failed check and what to do', async () => {
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

  it('rejects when the image has no probe', async () => {
    const weak = { ...spec, image: 'debian:trixie-slim' };
    await expect(
      verifySandboxes({ makeEngine: make(), specs: [weak], kind: { systemCalls: 'own', runtime: 'runc' } }),
    ).rejects.toMatchObject({
      name: 'EngineError',
    });
    expect(failureText([])).toBeUndefined();
  });
});
