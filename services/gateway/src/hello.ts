// The hello frame: this server's limits and languages, encoded once for all sockets.
import { encodeServerFrame, type HelloLanguage } from '@rungrid/proto/frames';
import {
  MAX_CODE_BYTES,
  MAX_FRAME_BYTES,
  PROTOCOL_VERSION,
  STDIN_BUFFER_BYTES,
  STDIN_WINDOW_BYTES,
} from '@rungrid/proto/limits';
import type { GatewayConfig } from './config.js';

export function encodeHello(config: GatewayConfig, languages: readonly HelloLanguage[]): string {
  return encodeServerFrame('hello', {
    protocol: PROTOCOL_VERSION,
    limits: {
      frame_bytes: MAX_FRAME_BYTES,
      code_bytes: MAX_CODE_BYTES,
      frames_per_second: config.GATEWAY_FRAMES_PER_SECOND,
      runs_per_socket: config.GATEWAY_RUNS_PER_SOCKET,
      stdin_buffer_bytes: STDIN_BUFFER_BYTES,
      stdin_window_bytes: STDIN_WINDOW_BYTES,
      wall_ms: config.WORKER_WALL_MS,
      cpu_ms: config.WORKER_CPU_MS,
      idle_ms: config.WORKER_IDLE_MS,
      output_bytes: config.WORKER_OUTPUT_BYTES,
      memory_bytes: config.WORKER_MEMORY_BYTES,
      resume_ms: config.WORKER_RESUME_MS,
    },
    languages: [...languages],
  });
}
