// Waits until the agent of a new sandbox says that its language is up.
import { AgentFrameDecoder, FromAgent } from '@rungrid/sandbox/agent-frames';
import type { Sandbox } from './ports.js';

/** Resolves with the version that the language reports. Rejects when the sandbox ends, faults or takes too long. */
export function waitReady(sandbox: Sandbox, options: { timeoutMs: number }): Promise<{ version: string }> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready after ${options.timeoutMs} ms`)), options.timeoutMs);
    const fail = (message: string) => {
      clearTimeout(timer);
      reject(new Error(message));
    };
    const decoder = new AgentFrameDecoder();
    const onFrame = (type: FromAgent, payload: Buffer) => {
      if (type !== FromAgent.READY)
        return fail(`agent frame ${type} before READY: ${payload.toString('utf8', 0, 200)}`);
      clearTimeout(timer);
      resolve({ version: payload.toString('utf8').trim() });
    };
    sandbox.listen({
      data: (chunk) => {
        try {
          decoder.push(chunk, onFrame);
        } catch (error) {
          fail(error instanceof Error ? error.message : String(error));
        }
      },
      end: () => fail('the sandbox ended before it was ready'),
    });
  });
}
