// A thousand honest runs of all languages under the system call filter: none of them may fail.
import { builtInLanguages } from '@rungrid/sandbox/languages';
import { expect, test } from 'vitest';
import type { Client } from '../testkit/client.js';
import { quantile } from '../testkit/co-tenant.js';
import { useStack } from '../testkit/use-stack.js';

const RUNS = 1_000;
const AT_ONCE = 6;
const languages = builtInLanguages().map(({ name }) => name);
const stack = useStack({ languages });

/** Each uses what ordinary programs use: files, a child, a thread, time, input. `N` is the run's number. */
const PROGRAMS: Readonly<Record<string, string>> = {
  python:
    'import json, subprocess, threading, tempfile, time\nt = threading.Thread(target=time.sleep, args=(0.001,))\nt.start(); t.join()\nwith tempfile.TemporaryFile() as f: f.write(b"x")\nout = subprocess.run(["echo", "N"], capture_output=True, text=True).stdout\nprint(json.loads(out), input())',
  javascript:
    'const fs = require("fs"); const { execFileSync } = require("child_process");\nfs.writeFileSync("/tmp/f", "x"); const out = String(execFileSync("echo", ["N"])).trim();\nprocess.stdin.once("data", (d) => { console.log(out, String(d).trim()); process.exit(); });',
  bash: 'read -r word; echo x > /tmp/f; echo "$(echo N | cat)" "$word"',
  c: '#include <pthread.h>\n#include <stdio.h>\nstatic void *f(void *p) { return p; }\nint main(void) { char w[32]; pthread_t t; pthread_create(&t, 0, f, 0); pthread_join(t, 0); if (scanf("%31s", w) != 1) return 1; printf("N %s\\n", w); }',
};

test('a thousand runs of all languages end as they should', async () => {
  expect(languages.filter((name) => PROGRAMS[name] === undefined)).toEqual([]);
  const faults: string[] = [];
  const timesMs: number[] = [];
  let next = 0;
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const client = await stack().connect();
      for (let number = next++; number < RUNS; number = next++) {
        const began = performance.now();
        const fault = await faultOf(client, number);
        timesMs.push(performance.now() - began);
        if (fault !== undefined) faults.push(fault);
      }
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  // oxlint-disable-next-line no-console -- figures for people
  console.log(
    `${RUNS} runs in ${seconds.toFixed(0)} s, ${faults.length} faults; a run p50 ${quantile(timesMs, 0.5).toFixed(0)} ms, p99 ${quantile(timesMs, 0.99).toFixed(0)} ms`,
  );
  expect(faults).toEqual([]);
}, 1_200_000);

async function faultOf(client: Client, number: number): Promise<string | undefined> {
  const language = languages[number % languages.length] as string;
  const code = (PROGRAMS[language] as string).replace('N', String(number));
  const run = client.run(code, language, { stdin: 'word\n' });
  const end = await run.end(60_000);
  const good = end.event === 'exit' && end.data.reason === 'exited' && end.data.code === 0;
  return good && run.stdout === `${number} word\n` ? undefined : `${language}: ${run.stderr} ${run.describe()}`;
}
