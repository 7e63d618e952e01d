// Rules of which languages a worker serves, and of the spec of each kind of sandbox.
import { builtInLanguages } from '@rungrid/sandbox/languages';
import { describe, expect, test } from 'vitest';
import { readWorkerConfig } from './config.js';
import type { Engine } from './run/ports.js';
import { poolKeyOf } from './run/ports.js';
import { specsToVerify, languageSpecs } from './language-specs.js';

/** An engine that has the images whose names match. */
function engine(has: RegExp): Engine {
  return { imageId: async (name: string) => (has.test(name) ? 'sha256:1' : undefined) } as Partial<Engine> as Engine;
}
const serve = (env: NodeJS.ProcessEnv, has = /./) => languageSpecs(readWorkerConfig(env), engine(has));

describe('a language', () => {
  test('has a sandbox for pipes and one for terminals, under the same limits', async () => {
    const { pipe, tty, compile } = (await serve({ WORKER_LANGUAGES: 'python' })).get('python') ?? {};
    expect(pipe).toMatchObject({
      language: 'python',
      class: 'run',
      mode: 'pipe',
      image: 'sha256:1',
      limits: { memoryBytes: 134_217_728, cpus: 0.2, pids: 64, tmpBytes: 10_485_760, tmpInodes: 1024 },
    });
    expect(pipe?.command[0]).toBe('--warm');
    expect(tty).toEqual({ ...pipe, mode: 'tty', command: ['--tty', ...(pipe?.command ?? [])] });
    expect(compile).toBeUndefined();
  });

  test('that is compiled has a compile sandbox with higher limits, and runs under the strict ones', async () => {
    const { pipe, compile } = (await serve({ WORKER_LANGUAGES: 'c' })).get('c') ?? {};
    expect(pipe?.limits).toMatchObject({ memoryBytes: 134_217_728, cpus: 0.2, tmpBytes: 10_485_760 });
    expect(compile).toMatchObject({
      class: 'compile',
      mode: 'pipe',
      limits: { memoryBytes: 536_870_912, cpus: 1, pids: 64, tmpBytes: 134_217_728, tmpInodes: 1024 },
    });
    expect(compile?.command[0]).toBe('--compile');
  });

  test('takes the limits that are configured for the class', async () => {
    const { pipe, compile } =
      (
        await serve({
          WORKER_LANGUAGES: 'c',
          WORKER_MEMORY_BYTES: '67108864',
          WORKER_COMPILE_MEMORY_BYTES: '268435456',
          WORKER_COMPILE_CPUS: '0.5',
          WORKER_COMPILE_PIDS: '32',
          WORKER_COMPILE_TMP_BYTES: '67108864',
        })
      ).get('c') ?? {};
    expect(pipe?.limits.memoryBytes).toBe(67_108_864);
    expect(compile?.limits).toMatchObject({ memoryBytes: 268_435_456, cpus: 0.5, pids: 32, tmpBytes: 67_108_864 });
  });
});

describe('a worker serves', () => {
  test('every language whose image exists', async () => {
    expect([...(await serve({}, /python|bash/)).keys()]).toEqual(['bash', 'python']);
  });

  test('only known languages whose image exists, or does not start', async () => {
    await expect(serve({ WORKER_LANGUAGES: 'python, cobol' })).rejects.toThrow('unknown: cobol');
    await expect(serve({ WORKER_LANGUAGES: 'python' }, /bash/)).rejects.toThrow('image of python is missing');
    await expect(serve({}, /nothing/)).rejects.toThrow('No language image');
  });
});

test('the self-test verifies each language on pipes, one terminal and one compile step', async () => {
  const served = [...(await serve({})).values()];
  const verified = specsToVerify(served).map(poolKeyOf);
  expect(verified).toEqual([
    ...builtInLanguages().map(({ name }) => name),
    `${served[0]?.language.name}/tty`,
    expect.stringMatching(/\/compile$/),
  ]);
});
