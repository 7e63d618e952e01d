// The bench's report: rows of figures with their targets, as a table for people and as JSON for machines.
import type { Summary } from './summary.js';

export interface FigureTarget {
  /** Field of the row's summary, or `value`. */
  readonly of: keyof Summary | 'value';
  readonly under?: number;
  readonly atLeast?: number;
}

export interface Row {
  readonly scenario: string;
  readonly what: string;
  readonly unit: 'ms' | '/s' | '%' | 'MB' | '';
  readonly summary?: Summary;
  readonly value?: number;
  readonly n?: number;
  readonly targets?: readonly FigureTarget[];
}

/** Whether the figure is on the right side of its target. */
export function meets(row: Row, target: FigureTarget): boolean {
  const figure = target.of === 'value' ? row.value : row.summary?.[target.of];
  if (figure === undefined) return false;
  return (
    (target.under === undefined || figure < target.under) && (target.atLeast === undefined || figure >= target.atLeast)
  );
}

function describeTargets(row: Row): string {
  return (row.targets ?? [])
    .map((target) => {
      const rule = target.under === undefined ? `>= ${target.atLeast}` : `< ${target.under}`;
      return `${target.of === 'value' ? '' : `${target.of} `}${rule} ${meets(row, target) ? 'ok' : 'MISSED'}`;
    })
    .join(', ');
}

/** A table with aligned columns. */
export function formatTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.scenario,
    row.what,
    String(row.summary?.n ?? row.n ?? ''),
    number(row.summary?.p50 ?? row.value),
    number(row.summary?.p90),
    number(row.summary?.p99),
    number(row.summary?.max),
    row.unit,
    describeTargets(row),
  ]);
  const head = ['scenario', 'what', 'n', 'p50/value', 'p90', 'p99', 'max', 'unit', 'target'];
  const table = [head, ...cells];
  const widths = head.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  const isText = (column: number) => column < 2 || column > 6;
  return table
    .map((line) =>
      line
        .map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '';
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
