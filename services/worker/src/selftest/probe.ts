// Runs the probe in a real sandbox as a visitor's program runs: by the agent, over its protocol.
import { AgentFrameDecoder, encodeStart, FromAgent } from '@rungrid/sandbox/agent-frames';
import { PROBE_PATH } from '@rungrid/sandbox/selftest';
import { waitForReady } from '../pool/ready.js';
import { type Engine, EngineError, type Sandbox, type SandboxSpec } from '../run/ports.js';

/** From create to the report's last line, ms: a loaded node takes two seconds. */
const PROBE_TIMEOUT_MS = 20_000;
/** A report has about 100 lines; one that grows past this is not the probe's. */
const REPORT_MAX_BYTES = 65_536;

/** The probe's report from a sandbox of `spec`, without its warm process. Rejects with EngineError. The sandbox is removed in either case. */
export async function probeSandbox(engine: Engine, spec: SandboxSpec): Promise<string> {
  // Without its warm process, and on pipes: a terminal would change the report's bytes, and a compile step has no output of its own.
  const sandbox = await engine.create({ ...spec, command: [] });
  const deadline = AbortSignal.timeout(PROBE_TIMEOUT_MS);
  try {
    await waitForReady(sandbox, deadline);
    return await report(sandbox, deadline);
  } finally {
    await sandbox.destroy();
  }
}

function report(sandbox: Sandbox, deadline: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const decoder = new AgentFrameDecoder();
    const chunks: Buffer[] = [];
    let bytes = 0;
    const fail = (why: string, cause?: unknown): void =>
      reject(new EngineError(`self-test: ${why}`, { retryable: false, cause }));
    const take = (type: FromAgent, payload: Buffer): void => {
      if (type === FromAgent.STDOUT) {
        bytes += payload.length;
        if (bytes > REPORT_MAX_BYTES) fail(`the report exceeds ${REPORT_MAX_BYTES} bytes`);
        else chunks.push(Buffer.from(payload));
      } else if (type === FromAgent.EXIT) resolve(Buffer.concat(chunks).toString('utf8'));
      else if (type === FromAgent.FAULT) fail(`the probe did not run: ${payload.toString('utf8', 0, 200)}`);
    };
    deadline.addEventListener('abort', () => fail(`no report within ${PROBE_TIMEOUT_MS} ms`), { once: true });
    sandbox.listen({
      data: (chunk) => {
        try {
          decoder.push(chunk, take);
        } catch (error) {
          fail('not the agent protocol', error);
        }
      },
      end: () => fail('the sandbox ended before its report'),
    });
    sandbox.write(encodeStart({ files: [], run: [PROBE_PATH] }));
  });
}
