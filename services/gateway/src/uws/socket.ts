// A session's socket over uWebSockets.js: no call ever reaches a closed socket.
import { CLOSE, type CloseName } from '@rungrid/proto/close-codes';
import type { SendResult, SessionSocket } from '../session/types.js';
import type { WebSocket } from './engine.js';

export class UwsSocket<U> implements SessionSocket {
  #ws: WebSocket<U> | undefined;

  constructor(ws: WebSocket<U>) {
    this.#ws = ws;
  }

  send(text: string): SendResult {
    // The library's code: 1 sent, 0 waits in its buffer, 2 dropped because the buffer is at its limit.
    if (this.#ws === undefined) return 1;
    const result = this.#ws.send(text, false, false);
    return result === 1 || result === 0 ? result : 2;
  }

  bufferedBytes(): number {
    return this.#ws?.getBufferedAmount() ?? 0;
  }

  close(name: CloseName): void {
    const ws = this.#ws;
    this.#ws = undefined;
    ws?.end(CLOSE[name].code, CLOSE[name].reason);
  }

  /** Ends it without a close code. */
  destroy(): void {
    const ws = this.#ws;
    this.#ws = undefined;
    ws?.close();
  }

  /** The library has closed the socket. */
  forget(): void {
    this.#ws = undefined;
  }
}
