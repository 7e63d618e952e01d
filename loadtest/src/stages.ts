// Time per stage, from the services' own histograms of this bench's runs.
import type { Row } from './report.js';
import type { Buckets } from './summary.js';
import { histogramQuantile } from './summary.js';

/** Cumulative bucket counts by histogram. */
export type StageCounts = ReadonlyMap<string, Buckets>;

/** Reads all rungrid_*_seconds histograms; label sets other than `stage` are added up. */
export async function readStages(urls: readonly string[]): Promise<StageCounts> {
  const found = new Map<string, Map<number, number>>();
  for (const url of urls) {
    const text = await (await fetch(`${url}/metrics`)).text();
    for (const [, histogram = '', labels = '', value] of text.matchAll(
      /^(rungrid_\w+_seconds)_bucket\{(.*)\} (\S+)$/gm,
    )) {
      const stage = /stage="([^"]+)"/.exec(labels)?.[1];
      const name = stage === undefined ? histogram : `${histogram} ${stage}`;
      const bound = /le="([^"]+)"/.exec(labels)?.[1] ?? '+Inf';
      const key = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
      const counts = found.get(name) ?? new Map<number, number>();
      counts.set(key, (counts.get(key) ?? 0) + Number(value));
      found.set(name, counts);
    }
  }
  return new Map([...found].map(([name, counts]) => [name, [...counts].toSorted(([a], [b]) => a - b)]));
}

/** One row a stage, of what was counted between two readings. */
export function stageRows(before: StageCounts, after: StageCounts, scenario: string): Row[] {
  return [...after].flatMap(([name, buckets]) => {
    const earlier = new Map(before.get(name) ?? []);
    const counted: Buckets = buckets.map(([bound, count]) => [bound, count - (earlier.get(bound) ?? 0)]);
    const n = counted.at(-1)?.[1] ?? 0;
    if (n === 0) return [];
    const at = (share: number) => histogramQuantile(counted, share) * 1000;
    const what = `stage ${name.replace(/^rungrid_/, '').replace(/(_duration)?_seconds\b/, '')}`;
    return [
      {
        scenario,
        what,
        unit: 'ms' as const,
        summary: { n, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: Number.NaN },
      },
    ];
  });
}
