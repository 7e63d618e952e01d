// The closing line counts what vitest's report says.
import { expect, test } from 'vitest';
import { closingLine, countTests } from './report.js';

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
});

test('tests are counted by their status', () => {
  const report = {
    testResults: [file('passed', 'passed', 'passed', 'pending'), file('failed', 'failed', 'passed', 'todo')],
  };
  expect(countTests(JSON.stringify(report))).toEqual({ passed: 3, failed: 1, skipped: 2 });
});

test('a file that cannot be loaded is a failure', () => {
  expect(countTests(JSON.stringify({ testResults: [file('failed')] }))).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test.each(['', '{}', 'null', '[]'])('%j is no report', (text) => {
  expect(countTests(text)).toBeUndefined();
});

test('the line says skipped only where there are some', () => {
  expect(closingLine({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed');
  expect(closingLine({ passed: 12, failed: 1, skipped: 2 })).toBe('12 passed, 1 failed, 2 skipped');
});
