// Gateways without anything behind them: they act numbered programs, keep runs and resume them, as the protocol says.
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Program } from './program.js';

/** Between two lines of a program, ms. */
const LINE_MS = 2;

interface Frame {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** A program that is acted: its events so far, and the socket that gets them. */
class ActedRun {
  readonly name: string;
  readonly keep: boolean;
  readonly events: Frame[] = [];
  socket: WebSocket | undefined;
  stdin = '';
  readonly #lines: string[];

  constructor(name: string, given: { program: Program; keep: boolean; socket: WebSocket }) {
    this.name = name;
    this.keep = given.keep;
    this.socket = given.socket;
    this.#lines = given.program.output.split(/(?<=\n)/);
    send(this.socket, { event: 'queued', data: { run: name, position: 0 } });
    this.#send('started', { language: 'python', version: '3', warm: true, resume_key: name });
    this.#next();
  }

  resume(socket: WebSocket, after: number): void {
    this.socket = socket;
    const data = { run: this.name, replayed_from: after + 1, stdin_bytes: this.stdin.length };
    send(socket, { event: 'resumed', data });
    for (const event of this.events.slice(after)) send(socket, event);
  }

  #next(): void {
    const [line] = this.#lines;
    if (line === undefined) {
      const usage = { wall_ms: 0, cpu_ms: 0, memory_bytes: 0, output_bytes: 0 };
      this.#send('exit', { code: 0, signal: null, reason: 'exited', usage, truncated: false });
      return;
    }
    const answers = this.events.filter(({ data }) => String(data['text']).includes('=')).length;
    const waits = line.includes('=') && this.stdin.split('\n').length - 1 <= answers;
    if (!waits) {
      this.#lines.shift();
      this.#send('stdout', { text: line });
    }
    setTimeout(() => this.#next(), LINE_MS);
  }

  #send(event: string, data: Record<string, unknown>): void {
    const frame = { event, data: { run: this.name, ...data, seq: this.events.length + 1 } };
    this.events.push(frame);
    if (this.socket !== undefined) send(this.socket, frame);
  }
}

export class ScriptedService {
  readonly #programs: ReadonlyMap<string, Program>;
  readonly #runs = new Map<string, ActedRun>();
  readonly #servers: WebSocketServer[] = [];

  constructor(programs: readonly Program[]) {
    this.#programs = new Map(programs.map((program) => [`n${program.number}`, program]));
  }

  /** Another gateway. `kill` takes it and its sockets away. */
  async gateway(): Promise<{ url: string; kill: () => void }> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.once('listening', resolve));
    server.on('connection', (socket) => this.#serve(socket));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      kill: () => this.#end(server),
    };
  }

  /** Forgets all runs, as a worker does that dies. */
  forget(): void {
    for (const run of this.#runs.values()) run.socket = undefined;
    this.#runs.clear();
  }

  close(): void {
    for (const server of this.#servers) this.#end(server);
  }

  #end(server: WebSocketServer): void {
    for (const socket of server.clients) socket.terminate();
    server.close();
  }

  #serve(socket: WebSocket): void {
    send(socket, { event: 'hello', data: {} });
    socket.on('message', (text: Buffer) => this.#take(socket, JSON.parse(text.toString()) as Frame));
    socket.on('close', () => {
      for (const run of this.#runs.values()) if (run.socket === socket) run.socket = undefined;
    });
  }

  #take(socket: WebSocket, { event, data }: Frame): void {
    if (event === 'ping') return send(socket, { event: 'pong', data });
    const name = String(data['run']);
    const run = this.#runs.get(name);
    if (event === 'run_code') {
      const program = this.#programs.get(name);
      if (program === undefined) send(socket, error(name, 'overloaded'));
      else this.#runs.set(name, new ActedRun(name, { program, keep: data['on_disconnect'] === 'keep', socket }));
    } else if (event === 'stdin' && run?.socket === socket) {
      run.stdin += String(data['text']);
    } else if (event === 'resume') {
      if (run === undefined || !run.keep) send(socket, error(name, 'resume_failed'));
      else run.resume(socket, Number(data['after']));
    }
  }
}

function error(run: string, code: string): Frame {
  return { event: 'error', data: { run, code, message: '', retryable: true } };
}

function send(socket: WebSocket, frame: Frame): void {
  socket.send(JSON.stringify(frame));
}
