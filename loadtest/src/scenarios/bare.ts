// The lower bound of our figures, in the same minutes on the same machine: the same programs over a bare attach to the same containers.
import { bareEcho, bareFirstByte } from '../bare-attach.js';
import { copySandbox } from '../bare-docker.js';
import { ECHO, HELLO, type Scenario } from '../scenario.js';
import { summarize } from '../summary.js';

const FILE_NAME = 'main.py';

export const bareScenario: Scenario = {
  name: 'bare',
  title: 'START -> first byte at 4/s and 10/s, and line -> echo, over a bare attach to a warm python',
  ownStack: true,
  run: async (_, options) => {
    const container = await copySandbox('python');
    const n = options.n ?? (options.quick ? 20 : 200);
    const warmUp = options.quick ? 4 : 20;
    const hello = { name: FILE_NAME, content: HELLO['python'] ?? '' };
    const slow = await bareFirstByte({ container, file: hello, rate: 4, n, warmUp });
    const fast = await bareFirstByte({ container, file: hello, rate: 10, n, warmUp });
    const echo = await bareEcho({ container, file: { name: FILE_NAME, content: ECHO.code }, n: n * 2, pauseMs: 10 });
    const row = (what: string, samples: number[]) =>
      ({ scenario: 'bare', what, unit: 'ms', summary: summarize(samples) }) as const;
    return [
      row('bare attach: START -> first byte, python, 4/s', slow),
      row('bare attach: START -> first byte, python, 10/s', fast),
      row('bare attach: line -> echo, python, sequential', echo),
    ];
  },
};
