// Periodic work, for as long as the worker lives.
import type { Lifecycle } from '@rungrid/kit/lifecycle';

/** Does `work` every `ms`, until `lifecycle` closes. */
export function every(lifecycle: Lifecycle, { name, ms }: { name: string; ms: number }, work: () => void): void {
  const timer = setInterval(work, ms);
  lifecycle.own(name, () => clearInterval(timer));
}
