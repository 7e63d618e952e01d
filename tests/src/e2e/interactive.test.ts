// Talking to a program: prompts, echo, EOF, what is typed early, what is given with the run.
import { describe, expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const LANGUAGES = ['python', 'javascript', 'bash', 'c'] as const;
const stack = useStack({ languages: LANGUAGES });

/** Prompts without a newline, reads a line, greets. */
const PROMPT: Readonly<Record<(typeof LANGUAGES)[number], string>> = {
  python: "name = input('Name: ')\nprint('Hello ' + name)",
  javascript:
    "const rl = require('readline').createInterface({ input: process.stdin });\nprocess.stdout.write('Name: ');\nrl.once('line', (name) => { console.log('Hello ' + name); process.stdin.destroy(); });",
  bash: 'printf \'Name: \'\nread -r name\necho "Hello $name"',
  c: '#include <stdio.h>\nint main(void) { char name[64]; printf("Name: "); if (scanf("%63s", name) != 1) return 1; printf("Hello %s\\n", name); return 0; }',
};
/** Counts lines until EOF. */
const COUNT: Readonly<Record<(typeof LANGUAGES)[number], string>> = {
  python: 'import sys\nprint(len(sys.stdin.readlines()), "lines")',
  javascript:
    "let n = 0; require('readline').createInterface({ input: process.stdin }).on('line', () => n++).on('close', () => console.log(n + ' lines'));",
  bash: 'n=0; while read -r line; do n=$((n+1)); done; echo "$n lines"',
  c: '#include <stdio.h>\nint main(void) { int c, n = 0; while ((c = getchar()) != EOF) n += c == 10; printf("%d lines\\n", n); }',
};

describe.each(LANGUAGES)('%s', (language) => {
  test('a prompt without a newline appears before the program reads, and the answer reaches it', async () => {
    const client = await stack().connect();
    const run = client.run(PROMPT[language], language);
    await run.output(/Name: $/);
    run.stdin('Rajesh\n');
    expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0, signal: null, truncated: false });
    expect(run.stdout).toBe('Name: Hello Rajesh\n');
    expect(run.stderr).toBe('');
    expect(await run.started()).toMatchObject({ language, version: expect.stringMatching(/\d/) as unknown });
  });

  test('stdin_close is a real end of file', async () => {
    const client = await stack().connect();
    const run = client.run(COUNT[language], language);
    await run.started();
    run.stdin('one\n');
    run.stdin('two\n');
    run.eof();
    expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0 });
    expect(run.stdout).toBe('2 lines\n');
  });
});

test('a hundred lines are echoed in order', async () => {
  const client = await stack().connect();
  const run = client.run(
    'while True:\n    try:\n        print(input())\n    except EOFError:\n        break',
    'python',
  );
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index}\n`);
  for (const line of lines) {
    run.stdin(line);
    await run.output(line);
  }
  run.eof();
  await run.exit();
  expect(run.stdout).toBe(lines.join(''));
});

test('stdin and EOF sent right behind run_code are kept and delivered in order', async () => {
  const client = await stack().connect();
  const run = client.run('import sys\nprint(sys.stdin.read().split())', 'python');
  for (let i = 0; i < 20; i++) run.stdin(`word${i} `);
  run.eof();
  await run.exit();
  expect(run.stdout.match(/word\d+/g)).toEqual(Array.from({ length: 20 }, (_, index) => `word${index}`));
});

test('stdin given with the run is followed by EOF', async () => {
  const client = await stack().connect();
  const run = client.run('import sys\nprint(repr(sys.stdin.read()))', 'python', { stdin: 'a\nb' });
  expect(await run.exit()).toMatchObject({ code: 0 });
  expect(run.stdout).toBe("'a\\nb'\n");
});

test.each(LANGUAGES)('files and arguments reach a program in %s', async (language) => {
  const code = {
    python: 'import sys, extra\nprint(sys.argv[1:], extra.VALUE, open("data.txt").read())',
    javascript:
      'console.log(process.argv.slice(2).join(), require("./extra.js").VALUE, require("fs").readFileSync("data.txt", "utf8"))',
    bash: '. ./extra.sh; echo "$1,$2" "$VALUE" "$(cat data.txt)"',
    c: '#include <stdio.h>\n#include "extra.h"\nint main(int n, char **v) { char b[8] = ""; FILE *f = fopen("data.txt", "r"); if (!f || !fgets(b, 8, f)) return 3; printf("%s,%s %s %s\\n", v[1], v[2], VALUE, b); }',
  }[language];
  const extra = {
    python: { name: 'extra.py', content: 'VALUE = "seven"' },
    javascript: { name: 'extra.js', content: 'exports.VALUE = "seven"' },
    bash: { name: 'extra.sh', content: 'VALUE=seven' },
    c: { name: 'extra.h', content: '#define VALUE "seven"' },
  }[language];
  const client = await stack().connect();
  const run = client.run(code, language, {
    files: [extra, { name: 'data.txt', content: 'data' }],
    args: ['one arg', '--two'],
  });
  expect(await run.exit()).toMatchObject({ code: 0 });
  expect(run.stdout.replaceAll(/['[\]]/g, '').replaceAll(', ', ',')).toBe('one arg,--two seven data\n');
});

test('stdin that a program does not read is refused past the window, and what was taken arrives whole', async () => {
  const client = await stack().connect();
  const run = client.run(
    'import sys\nprint("up", flush=True)\nimport time\ntime.sleep(1.5)\nprint(len(sys.stdin.read()))',
    'python',
  );
  await run.output('up');
  const chunk = 'x'.repeat(32_768);
  let sent = 0;
  await until(
    () => {
      if (run.events.some((frame) => frame.event === 'error')) return true;
      if (sent < 64) {
        run.stdin(chunk);
        sent++;
      }
      return false;
    },
    { what: 'stdin_full' },
  );
  run.eof();
  const exit = await run.exit();
  expect(exit).toMatchObject({ reason: 'exited', code: 0 });
  const refused = run.events.filter((frame) => frame.event === 'error');
  expect(refused.every((frame) => frame.data.code === 'stdin_full' && frame.data.retryable)).toBe(true);
  expect(run.stdout).toBe(`up\n${(sent - refused.length) * chunk.length}\n`);
});

test('stdin after the end is ignored', async () => {
  const client = await stack().connect();
  const run = client.run('print(1)', 'python');
  await run.exit();
  run.stdin('late\n');
  run.eof();
  client.send('ping', { n: 1 });
  await client.event('pong');
  run.check();
});
