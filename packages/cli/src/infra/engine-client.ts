// The container engine's API: a client for a DOCKER_HOST, and what the engine reports about itself.
import { PassThrough, type Readable } from 'node:stream';
import Docker from 'dockerode';
import { CliError, codeOf, messageOf } from '../errors.js';

/** A live engine answers a ping in milliseconds; one that takes longer than this counts as absent, ms. */
const PING_TIMEOUT_MS = 5_000;

export interface EngineInfo {
  /** As in DOCKER_HOST. */
  readonly host: string;
  readonly name: 'docker';
  readonly version: string;
  readonly api_version: string;
  readonly storage_driver: string;
  readonly cgroup_version: string;
}

/** Throws CliError for an unsupported form of address. */
export function engineClient(host: string, options: { timeoutMs?: number } = {}): Docker {
  const timeout = options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs };
  if (host.startsWith('unix://')) return new Docker({ socketPath: host.slice('unix://'.length), ...timeout });
  const url = URL.canParse(host) ? new URL(host) : undefined;
  if (url?.protocol === 'tcp:' || url?.protocol === 'http:') {
    return new Docker({ protocol: 'http', host: url.hostname, port: Number(url.port || 2375), ...timeout });
  }
  throw new CliError(`DOCKER_HOST=${host} is not supported; use unix:///path/to/docker.sock or tcp://host:port.`);
}

export type PingResult = { readonly ok: true } | { readonly ok: false; readonly why: string; readonly denied: boolean };

export async function pingEngine(host: string): Promise<PingResult> {
  try {
    await engineClient(host, { timeoutMs: PING_TIMEOUT_MS }).ping();
    return { ok: true };
  } catch (error) {
    if (error instanceof CliError) throw error;
    return { ok: false, why: messageOf(error), denied: codeOf(error) === 'EACCES' };
  }
}

export async function describeEngine(host: string): Promise<EngineInfo> {
  const client = engineClient(host, { timeoutMs: PING_TIMEOUT_MS });
  const [version, info] = await Promise.all([
    client.version(),
    client.info() as Promise<{ Driver?: string; CgroupVersion?: string }>,
  ]);
  return {
    host,
    name: 'docker',
    version: version.Version,
    api_version: version.ApiVersion,
    storage_driver: info.Driver ?? 'unknown',
    cgroup_version: info.CgroupVersion ?? '1',
  };
}

export async function hasImage(docker: Docker, tag: string): Promise<boolean> {
  try {
    await docker.getImage(tag).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

/** Reads the JSON lines of a pull, import or build; `onText` gets their text. Rejects with the error that they report. */
export async function followProgress(stream: NodeJS.ReadableStream, onText: (text: string) => void): Promise<void> {
  let rest = '';
  // docker-modem's stream is typed without async iteration; a PassThrough has it, and ends with the stream's errors.
  const lines: Readable = stream.pipe(new PassThrough());
  stream.once('error', (error: Error) => lines.destroy(error));
  for await (const chunk of lines) {
    const parts = (rest + (chunk as Buffer).toString('utf8')).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) readLine(part, onText);
  }
  readLine(rest, onText);
}

function readLine(line: string, onText: (text: string) => void): void {
  if (line.trim() === '') return;
  const message = JSON.parse(line) as { stream?: string; status?: string; error?: string };
  if (message.error !== undefined) throw new Error(message.error);
  onText(message.stream ?? message.status ?? '');
}
