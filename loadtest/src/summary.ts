// From samples to figures: percentiles of raw samples, and of Prometheus histograms.

export interface Summary {
  readonly n: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Nearest-rank percentiles. Throws without samples. */
export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new Error('no samples');
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { n: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

/** Cumulative counts by upper bound, as in Prometheus; the last bound is Infinity. */
export type Buckets = readonly (readonly [bound: number, count: number])[];

/** A quantile by linear interpolation inside its bucket, as PromQL's histogram_quantile; NaN when empty. */
export function histogramQuantile(buckets: Buckets, share: number): number {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return Number.NaN;
  const rank = share * total;
  let [lowBound, lowCount] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return lowBound;
      return count === lowCount ? bound : lowBound + ((bound - lowBound) * (rank - lowCount)) / (count - lowCount);
    }
    [lowBound, lowCount] = [bound, count];
  }
  return lowBound;
}
