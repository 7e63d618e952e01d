// The native WebSocket engine, and the refusal to run without it: its package falls back to a slow one with a warning only.
import uWS from 'uWebSockets.js';

export type { HttpRequest, HttpResponse, us_listen_socket, us_socket_context_t, WebSocket } from 'uWebSockets.js';
export const engine = uWS;

/** The engine's own code for "no other process may listen on this port": without it two gateways would share one silently. */
export const EXCLUSIVE_PORT = 1;

/** Throws when the fallback was loaded. The message says what to do. */
export function requireNativeEngine(): void {
  if ('_cfg' in uWS) return;
  throw new Error(
    `The native WebSocket engine does not fit this Node: ${process.version} (ABI ${process.versions.modules}) on ` +
      `${process.platform} ${process.arch}. Use Node 20 (ABI 115) on Linux with glibc 2.27 or newer, x64 or arm64.`,
  );
}
