// Reads vitest's JSON report: the counts of the closing line, and the slowest files.
import { relative } from 'node:path';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    /** Of its first and last test, ms. */
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** Undefined when the text is not a report. */
export function parseReport(text: string): Report | undefined {
  try {
    const value = JSON.parse(text) as Partial<Report> | null;
    return Array.isArray(value?.testResults) ? (value as Report) : undefined;
  } catch {
    return undefined;
  }
}

/** A file that fails without a failed test of its own (it cannot be loaded) counts as one. */
export function countTests(report: Report): Counts {
  const statuses = report.testResults.flatMap((file) => {
    const own = file.assertionResults.map((test) => test.status);
    return file.status === 'failed' && !own.includes('failed') ? [...own, 'failed'] : own;
  });
  const passed = statuses.filter((status) => status === 'passed').length;
  const failed = statuses.filter((status) => status === 'failed').length;
  return { passed, failed, skipped: statuses.length - passed - failed };
}

/** One line a file, the slowest first: seconds, and its path below `root`. */
export function slowestFiles(report: Report, { root, most }: { root: string; most: number }): string[] {
  return report.testResults
    .map(({ name, startTime, endTime }) => ({ path: relative(root, name), seconds: (endTime - startTime) / 1000 }))
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, most)
    .map(({ path, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${path}`);
}

/** Alone on the last line, for people and for machines that read only that. */
export function closingLine(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`;
}
