// What each attack came to, as a table for people: printed when a file of tests is through.
import { quantile } from '../testkit/co-tenant.js';

export interface Entry {
  readonly name: string;
  readonly end: string;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  /** The co-tenant's echoes meanwhile, ms. */
  readonly echoesMs: readonly number[];
  /** What gateway, worker and engine took on, bytes. */
  readonly growthBytes: number;
}

const MIB = 1 << 20;

export class Ledger {
  readonly #entries: Entry[] = [];

  add(entry: Entry): void {
    this.#entries.push(entry);
  }

  print(title: string): void {
    const rows = this.#entries.map((entry) => ({
      attack: entry.name,
      end: entry.end,
      'wall ms': Math.round(entry.wallMs),
      'cpu ms': entry.cpuMs,
      MiB: Math.round(entry.memoryBytes / MIB),
      'echo p50 ms': round(quantile(entry.echoesMs, 0.5)),
      'echo p99 ms': round(quantile(entry.echoesMs, 0.99)),
      'growth MiB': Math.round(entry.growthBytes / MIB),
    }));
    // oxlint-disable-next-line no-console -- figures for people: nothing is asserted with them
    console.log(title);
    console.table(rows);
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
