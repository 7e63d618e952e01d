// The sample programs of the tested languages on pipes, over a real socket: each sample file is a test. On terminals the sandbox's own tests run them.
import { loadSamples, type Sample, sampleModes, type SampleOutput } from '@rungrid/sandbox/samples';
import { testedLanguages } from '@rungrid/sandbox/tested-languages';
import { describe, expect, test } from 'vitest';
import type { RunHandle } from '../testkit/run-handle.js';
import { useStack } from '../testkit/use-stack.js';

/**
 * What the default run takes through the socket; all of them are run in the sandbox there, and through the socket by `./rungrid test --all`.
 */
const QUICK: ReadonlySet<string> = new Set(['hello', 'prompt', 'files', 'uncaught-error', 'compile-error']);

/** Declares the tests of the quick ones, or of the rest. */
export function sampleTests(which: 'quick' | 'rest'): void {
  const languages = testedLanguages();
  const stack = useStack({ languages: languages.map(({ name }) => name), afterEach: 'nothing' });
  const samplesOf = (folder: string) =>
    loadSamples(folder).filter(
      (each) => sampleModes(each).includes('pipe') && QUICK.has(each.name) === (which === 'quick'),
    );

  for (const language of languages) {
    describe(language.title, () => {
      for (const sample of samplesOf(language.dir)) {
        // The socket has no field for the environment: the agent's own tests run those.
        test.skipIf(sample.env !== undefined).concurrent(`${sample.name}: ${sample.title}`, async () => {
          const client = await stack().connect();
          const run = client.run(sample.program, language.name, {
            files: sample.files,
            ...(sample.args === undefined ? {} : { args: sample.args }),
            ...(sample.stdin === undefined ? {} : { stdin: sample.stdin }),
          });
          await converse(run, sample);
          const exit = await run.exit(40_000);
          expect(exit, run.describe()).toMatchObject(sample.end);
          checkOutput(run.stdout, sample.stdout);
          checkOutput(run.stderr, sample.stderr);
          checkOutput(run.compileText, sample.compile);
        });
      }
    });
  }
}

async function converse(run: RunHandle, sample: Sample): Promise<void> {
  for (const { expect: text, send } of sample.dialogue ?? []) {
    await run.output(new RegExp(`${text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}$`));
    run.stdin(send);
  }
  if (sample.stop !== undefined) {
    await run.output(sample.stop);
    run.stop();
  }
}

function checkOutput(text: string, wanted: SampleOutput | undefined): void {
  if (wanted === undefined) return;
  if ('equals' in wanted) {
    expect(text).toBe(wanted.equals);
    return;
  }
  let from = 0;
  for (const part of wanted.contains) {
    const at = text.indexOf(part, from);
    expect(at, `${JSON.stringify(part)} in ${JSON.stringify(text.slice(from))}`).not.toBe(-1);
    from = at + part.length;
  }
  for (const part of wanted.excludes ?? []) expect(text).not.toContain(part);
}
