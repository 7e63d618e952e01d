// Sample programs of a language with what they must do: data from which test suites generate their tests.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

const closed = { additionalProperties: false } as const;
const Lines = Type.Array(Type.String(), { description: 'Lines; each is ended by a newline.' });

const Output = Type.Union([
  Type.Object({ equals: Type.String() }, { ...closed, description: 'Exactly this text.' }),
  Type.Object(
    { contains: Type.Array(Type.String(), { minItems: 1 }), excludes: Type.Optional(Type.Array(Type.String())) },
    {
      ...closed,
      description: 'Every one of `contains`, in this order, and none of `excludes`.',
    },
  ),
]);

const SampleFile = Type.Object(
  {
    $schema: Type.Optional(Type.String()),
    title: Type.String({ minLength: 1, description: 'The rule this sample checks, as a sentence.' }),
    program: Lines,
    files: Type.Optional(Type.Record(Type.String(), Lines, { description: 'More files in /tmp, by name.' })),
    modes: Type.Optional(
      Type.Array(Type.Union([Type.Literal('pipe'), Type.Literal('tty')]), {
        minItems: 1,
        description: 'On pipes, on a terminal, or (default) on both.',
      }),
    ),
    args: Type.Optional(Type.Array(Type.String())),
    env: Type.Optional(Type.Record(Type.String(), Type.String())),
    dialogue: Type.Optional(
      Type.Array(Type.Object({ expect: Type.String(), send: Type.String() }, closed), {
        description: 'Wait until stdout ends with `expect`, then send.',
      }),
    ),
    stdin: Type.Optional(Type.String({ description: 'Sent at the start, then EOF. Without it stdin stays open.' })),
    stdout: Type.Optional(Output),
    stderr: Type.Optional(Output),
    compile: Type.Optional(Output),
    stop: Type.Optional(Type.String({ description: 'Kill the run when this was seen on stdout.' })),
    end: Type.Union([
      Type.Object({ reason: Type.Literal('exited'), code: Type.Integer({ minimum: 0, maximum: 255 }) }, closed),
      Type.Object({ reason: Type.Literal('signaled'), signal: Type.String() }, closed),
      Type.Object(
        {
          reason: Type.Union([
            Type.Literal('cpu_limit'),
            Type.Literal('memory_limit'),
            Type.Literal('output_limit'),
            Type.Literal('process_limit'),
            Type.Literal('compile_error'),
            Type.Literal('stopped'),
          ]),
        },
        closed,
      ),
    ]),
  },
  closed,
);

/** JSON Schema of samples/*.json; languages/sample.schema.json is this object. */
export const SAMPLE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'A sample program',
  ...SampleFile,
};

const check = Compile(SampleFile);

export type SampleOutput = Static<typeof Output>;
export type Sample = Omit<Static<typeof SampleFile>, '$schema' | 'program' | 'files'> & {
  /** File name without `.json`. */
  readonly name: string;
  readonly program: string;
  readonly files: { readonly name: string; readonly content: string }[];
};

export type SampleMode = 'pipe' | 'tty';

/** How the sample runs: on pipes and on a terminal, unless it names one. */
export function sampleModes(sample: Sample): readonly SampleMode[] {
  return sample.modes ?? ['pipe', 'tty'];
}

// CSI and OSC sequences of ECMA-48: colors, cursor movements, titles.
// oxlint-disable-next-line no-control-regex
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))|\r/g;

/** A terminal's output as lines of text: without colors, cursor movements and carriage returns. */
export function seenInTerminal(output: string): string {
  return output.replace(ESCAPES, '');
}

/**
 * What a terminal shows of this sample, as expectations that each hold for all of its output: stdout and stderr in one stream, and the typed
 * input. Input typed before the program reads appears at no fixed place.
 */
export function terminalOutput(sample: Sample): SampleOutput[] {
  const { stdout, stderr } = sample;
  const isWhole = sample.stdin === undefined && stderr === undefined;
  if (stdout !== undefined && 'equals' in stdout && isWhole) return [{ equals: withEcho(stdout.equals, sample) }];
  return [stdout, stderr].flatMap((output) => (output === undefined ? [] : [inAnyPlace(output)]));
}

function withEcho(output: string, sample: Sample): string {
  let shown = '';
  let at = 0;
  for (const { expect, send } of sample.dialogue ?? []) {
    const end = output.indexOf(expect, at) + expect.length;
    shown += output.slice(at, end) + send;
    at = end;
  }
  return shown + output.slice(at);
}

function inAnyPlace(output: SampleOutput): SampleOutput {
  if (!('equals' in output)) return output;
  const lines = output.equals.split('\n').filter((line) => line !== '');
  return lines.length === 0 ? { equals: '' } : { contains: lines };
}

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** Reads one sample. Throws an Error that names file and field. */
export function loadSample(path: string): Sample {
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (!check.Check(value)) {
    const why = check.Errors(value).map((error) => `${error.instancePath || '/'} ${error.message}`);
    throw new Error(`${path}: ${[...new Set(why)].slice(0, 5).join('; ')}`);
  }
  const { $schema: _schema, program, files, ...rest } = value;
  return {
    ...rest,
    name: basename(path, '.json'),
    program: text(program),
    files: Object.entries(files ?? {}).map(([name, lines]) => ({ name, content: text(lines) })),
  };
}

/** All samples of a language folder, sorted by name. */
export function loadSamples(languageDir: string): Sample[] {
  const dir = join(languageDir, 'samples');
  const names = readdirSync(dir).filter((name) => name.endsWith('.json'));
  return names.toSorted().map((name) => loadSample(join(dir, name)));
}
