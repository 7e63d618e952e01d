// Waits for the agent's READY frame: the sandbox's language process is up.
import { AgentFrameDecoder, FromAgent } from '@rungrid/sandbox/agent-frames';
import { EngineError, type Sandbox } from '../run/ports.js';
import type { WaitReady } from './options.js';

/** Settles with READY's version. Rejects with EngineError when the stream ends, the agent reports a fault, or anything else comes first. */
export const waitForReady: WaitReady = (sandbox, signal) =>
  new Promise((resolve, reject) => {
    const decoder = new AgentFrameDecoder();
    const fail = (why: string): void => reject(new EngineError(`sandbox not ready: ${why}`, { retryable: true }));
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    sandbox.listen({
      data: (chunk) => {
        try {
          decoder.push(chunk, (type, payload) => {
            if (type === FromAgent.READY) resolve({ version: payload.toString('utf8') });
            else if (type === FromAgent.FAULT) fail(payload.toString('utf8', 0, 200));
            else fail(`unexpected frame ${type}`);
          });
        } catch (error) {
          reject(new EngineError('sandbox not ready: not the agent protocol', { retryable: true, cause: error }));
        }
      },
      end: () => fail('its stream ended'),
    });
  });

/** `waitReady` under a deadline: past it, EngineError. */
export async function readyWithin(
  sandbox: Sandbox,
  { waitReady, timeoutMs }: { waitReady: WaitReady; timeoutMs: number },
): Promise<{ version: string }> {
  const deadline = new AbortController();
  const late = new EngineError(`sandbox not ready within ${timeoutMs} ms`, { retryable: true });
  const timer = setTimeout(() => deadline.abort(late), timeoutMs);
  try {
    return await waitReady(sandbox, deadline.signal);
  } finally {
    clearTimeout(timer);
  }
}
