// Reads vitest's JSON report into the counts of the closing line.

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

/** Undefined when the text is not a report. A file that fails without a failed test of its own (it can't be loaded) counts as one. */
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

/** Alone on the last line, for people and for machines that read only that. */
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
