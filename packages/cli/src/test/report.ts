// Counts the tests in vitest's JSON report, for the closing line.

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Report {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** Undefined when the text is not a report. A file that fails without a failed test of its own (it cannot be loaded) counts as one. */
export function countTests(text: string): Counts | undefined {
  const report = parse(text);
  if (report === undefined) return undefined;
  const statuses = report.testResults.flatMap((file) => {
    const own = file.assertionResults.map((test) => test.status);
    return file.status === 'failed' && !own.includes('failed') ? [...own, 'failed'] : own;
  });
  const passed = statuses.filter((status) => status === 'passed').length;
  const failed = statuses.filter((status) => status === 'failed').length;
  return { passed, failed, skipped: statuses.length - passed - failed };
}

/** The last line of the output, for people and for machines. */
export function closingLine(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`;
}

function parse(text: string): Report | undefined {
  try {
    const value = JSON.parse(text) as Partial<Report>;
    return Array.isArray(value.testResults) ? (value as Report) : undefined;
  } catch {
    return undefined;
  }
}
