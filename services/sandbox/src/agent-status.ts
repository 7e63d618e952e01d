// What the payloads of the agent's control frames mean.

export type AgentEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signo: number }
  /** Ended by the agent: it made more pseudo terminals than allowed. */
  | { readonly kind: 'overrun' };

interface AgentUsage {
  /** CPU time of all reaped processes of the sandbox, the warm start included, in microseconds. */
  readonly userUs: number;
  readonly systemUs: number;
  /** Largest resident set of any one process, in KiB. */
  readonly maxRssKb: number;
}

export interface AgentExit extends AgentUsage {
  readonly end: AgentEnd;
}

interface AgentCompiled extends AgentUsage {
  /** Size of the artifact, which the ARTIFACT frames carried. */
  readonly bytes: number;
}

/** Payload of EXIT. */
export function decodeExit(payload: Buffer): AgentExit {
  return { end: decodeEnd(payload), ...decodeUsage(payload, 2) };
}

/** Payload of COMPILED. */
export function decodeCompiled(payload: Buffer): AgentCompiled {
  return { bytes: Number(payload.readBigUInt64BE(0)), ...decodeUsage(payload, 8) };
}

function decodeUsage(payload: Buffer, at: number): AgentUsage {
  return {
    userUs: Number(payload.readBigUInt64BE(at)),
    systemUs: Number(payload.readBigUInt64BE(at + 8)),
    maxRssKb: Number(payload.readBigUInt64BE(at + 16)),
  };
}

/** Payload of COMPILE_FAILED, and the head of EXIT. */
export function decodeEnd(payload: Buffer): AgentEnd {
  const value = payload.readUInt8(1);
  switch (payload.readUInt8(0)) {
    case 0:
      return { kind: 'exited', code: value };
    case 1:
      return { kind: 'signaled', signo: value };
    default:
      return { kind: 'overrun' };
  }
}

/** Payload of STDIN_ACK: bytes. */
export function decodeStdinAck(payload: Buffer): number {
  return payload.readUInt32BE(0);
}
