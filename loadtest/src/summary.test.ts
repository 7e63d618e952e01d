// Percentiles by table.
import { describe, expect, test } from 'vitest';
import { histogramQuantile, summarize } from './summary.js';

describe('summarize', () => {
  test('takes the nearest rank', () => {
    const samples = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(summarize(samples)).toEqual({ n: 100, p50: 50, p90: 90, p99: 99, max: 100 });
  });
  test('of one sample is that sample', () => {
    expect(summarize([7])).toEqual({ n: 1, p50: 7, p90: 7, p99: 7, max: 7 });
  });
  test('of nothing throws', () => {
    expect(() => summarize([])).toThrow('no samples');
  });
});

describe('histogramQuantile', () => {
  const buckets = [
    [1, 10],
    [2, 30],
    [4, 40],
    [Number.POSITIVE_INFINITY, 40],
  ] as const;
  test.each([
    [0.25, 1],
    [0.5, 1.5],
    [0.75, 2],
    [1, 4],
  ])('the %s quantile is interpolated to %s', (share, expected) => {
    expect(histogramQuantile(buckets, share)).toBeCloseTo(expected);
  });
  test('of samples past the last bound is that bound', () => {
    expect(
      histogramQuantile(
        [
          [1, 0],
          [Number.POSITIVE_INFINITY, 5],
        ],
        0.5,
      ),
    ).toBe(1);
  });
  test('of nothing is NaN', () => {
    expect(histogramQuantile([], 0.5)).toBeNaN();
  });
});
