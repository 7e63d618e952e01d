// What the payloads of the agent's control frames mean.

export type AgentEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signo: number };

export interface AgentExit {
  readonly end: AgentEnd;
  /** CPU time of all reaped processes of the sandbox, the warm start included, in microseconds. */
  readonly userUs: number;
  readonly systemUs: number;
  /** Largest resident set of any one process, in KiB. */
  readonly maxRssKb: number;
}

/** Payload of EXIT. */
export function decodeExit(payload: Buffer): AgentExit {
  return {
    end: decodeEnd(payload),
    userUs: Number(payload.readBigUInt64BE(2)),
    systemUs: Number(payload.readBigUInt64BE(10)),
    maxRssKb: Number(payload.readBigUInt64BE(18)),
  };
}

/** Payload of COMPILE_FAILED, and the head of EXIT. */
export function decodeEnd(payload: Buffer): AgentEnd {
  const value = payload.readUInt8(1);
  return payload.readUInt8(0) === 0 ? { kind: 'exited', code: value } : { kind: 'signaled', signo: value };
}

/** Payload of STDIN_ACK: bytes. */
export function decodeStdinAck(payload: Buffer): number {
  return payload.readUInt32BE(0);
}
