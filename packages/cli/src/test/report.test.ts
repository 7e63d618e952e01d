// The closing lines say what vitest's report says.
import { expect, test } from 'vitest';
import { closingLine, countTests, parseReport, type Report, slowestFiles } from './report.js';

const file = (status: string, ...tests: string[]) => ({
  name: '/root/a.test.ts',
  status,
  startTime: 0,
  endTime: 0,
  assertionResults: tests.map((each) => ({ status: each })),
});
const report = (...testResults: Report['testResults'][number][]): Report => ({ testResults });

test('tests are counted by their status', () => {
  const read = parseReport(
    JSON.stringify(report(file('passed', 'passed', 'passed', 'pending'), file('failed', 'failed', 'passed', 'todo'))),
  );
  expect(read && countTests(read)).toEqual({ passed: 3, failed: 1, skipped: 2 });
});

test('a file that cannot be loaded is a failure', () => {
  expect(countTests(report(file('failed')))).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test.each(['', '{}', 'null', '[]'])('%j is no report', (text) => {
  expect(parseReport(text)).toBeUndefined();
});

test('the slowest files come first, and no more than asked for', () => {
  const took = (name: string, ms: number) => ({
    ...file('passed'),
    name: `/root/${name}`,
    startTime: 5,
    endTime: 5 + ms,
  });
  const lines = slowestFiles(report(took('a', 900), took('b', 61_240), took('c', 1)), { root: '/root', most: 2 });
  expect(lines).toEqual(['   61.2 s  b', '    0.9 s  a']);
});

test('the closing line says skipped only where there are some', () => {
  expect(closingLine({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed');
  expect(closingLine({ passed: 12, failed: 1, skipped: 2 })).toBe('12 passed, 1 failed, 2 skipped');
});
