// For tests: hardened sandboxes through the docker command's own stdio, and the images they need.
import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile, type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { AgentFrameDecoder, type AgentStart, encodeFrame, encodeStart, FromAgent, ToAgent } from './agent-frames.js';
import { type AgentExit, decodeExit } from './agent-status.js';
import { dockerBody } from './docker-body.js';
import { buildCommand, imagePlan, languageImage } from './images.js';
import { agentCommand, type Language, resolveLanguage, type SandboxKind } from './languages.js';
import { OPEN_FILES, type SandboxSettings } from './sandbox-spec.js';

const run = promisify(execFile);
// The classic builder: it is in every engine, and in a command line without plugins.
const BUILD_ENV = { ...process.env, DOCKER_BUILDKIT: '0' };

const PROFILE = fileURLToPath(new URL('../seccomp/profile.json', import.meta.url));
const MIB = 1 << 20;
const RUN_LIMITS = { memoryBytes: 128 * MIB, cpus: 0.2, tmpBytes: 10 * MIB };
const COMPILE_LIMITS = { memoryBytes: 512 * MIB, cpus: 1, tmpBytes: 128 * MIB };
const PIPES: SandboxKind = { class: 'run', mode: 'pipe' };

/** The flags of a sandbox with the default limits of its kind, without its system call filter. */
function hardening(language: Language, kind: SandboxKind = PIPES): string[] {
  const own = kind.class === 'run' ? language.limits : language.compile?.limits;
  return dockerFlags({
    image: languageImage(language),
    command: [],
    env: Object.entries(language.env).map(([key, value]) => `${key}=${value}`),
    kind: kind.class === 'compile' ? 'compile' : kind.mode,
    uid: 100_123,
    ...(kind.class === 'run' ? RUN_LIMITS : COMPILE_LIMITS),
    ...own,
    tasks: own?.pids ?? 64,
    tmpInodes: 1024,
    openFiles: OPEN_FILES,
    oomScoreAdj: 500,
    seccompProfile: undefined,
    cgroupParent: undefined,
  });
}

/** The body as flags of `docker run`, without labels, image, command and system call filter, which that command reads from a file. */
function dockerFlags(settings: SandboxSettings): string[] {
  const body = dockerBody({
    ...settings,
    seccompProfile: undefined,
    owner: '',
    fleet: '',
    language: '',
    runtime: undefined,
  });
  const host = body.HostConfig;
  return [
    ...(host.ReadonlyRootfs ? ['--read-only'] : []),
    ...Object.entries({
      '--user': body.User,
      '--hostname': body.Hostname,
      '--workdir': body.WorkingDir,
      '--network': host.NetworkMode,
      '--ipc': host.IpcMode,
      '--cgroupns': host.CgroupnsMode,
      '--log-driver': host.LogConfig.Type,
      '--memory': host.Memory,
      '--memory-swap': host.MemorySwap,
      '--cpus': settings.cpus,
      '--pids-limit': host.PidsLimit,
      '--oom-score-adj': host.OomScoreAdj,
      '--cap-drop': host.CapDrop,
      '--security-opt': host.SecurityOpt,
      '--tmpfs': Object.entries(host.Tmpfs).map(([path, options]) => `${path}:${options}`),
      '--ulimit': host.Ulimits.map(({ Name, Soft, Hard }) => `${Name}=${Soft}:${Hard}`),
      '--env': body.Env,
    }).flatMap(([flag, values]) => [values].flat().flatMap((value) => [flag, String(value)])),
  ];
}

/** The language, its image built. Rejects as ensureImages() does. */
export async function ensureLanguage(name: string): Promise<Language> {
  const language = resolveLanguage(name);
  if (language === undefined) throw new Error(`no ${name}`);
  await ensureImages([language]);
  return language;
}

/** Builds what is missing. Rejects with the engine's own message when there is no engine or a build fails. */
export async function ensureImages(languages: readonly Language[]): Promise<void> {
  for (const step of imagePlan(languages)) {
    const { stdout } = await run('docker', ['image', 'ls', '--quiet', step.tag]);
    if (stdout !== '') continue;
    const network = process.env['RUNGRID_BUILD_NETWORK'] ?? 'host';
    await run('docker', buildCommand(step, { network }), { env: BUILD_ENV, maxBuffer: 1 << 26 });
  }
}

interface OpenOptions {
  /** Default: a run on pipes. */
  readonly kind?: SandboxKind;
  /** Default: the language's own for this kind. */
  readonly command?: readonly string[];
  /** `engine`: the engine's own system call filter instead of ours, for what ours makes impossible. */
  readonly systemCalls?: 'engine';
}

interface Waiter {
  readonly done: () => boolean;
  readonly resolve: () => void;
}

/** One sandbox. Keeps all of its output, so it is for tests only. */
export class Box {
  static readonly #opened = new AsyncLocalStorage<Set<Box>>();
  readonly #docker: ChildProcess & {
    stdin: NonNullable<ChildProcess['stdin']>;
    stdout: NonNullable<ChildProcess['stdout']>;
  };
  readonly name = `rungrid-agent-test-${randomUUID()}`;
  readonly #decoder = new AgentFrameDecoder();
  readonly #waiters = new Set<Waiter>();
  readonly #pieces = new Map<FromAgent, Buffer[]>();
  /** Frame types in the order of arrival; a type that repeats the one before is left out. */
  readonly order: FromAgent[] = [];
  /** The container ended. */
  closed = false;
  /** What the decoder threw. */
  error: Error | undefined;

  private constructor(language: Language, options: OpenOptions) {
    const command = options.command ?? agentCommand(language, options.kind ?? PIPES);
    const args = [
      'run',
      '--rm',
      '--interactive',
      '--name',
      this.name,
      ...hardening(language, options.kind),
      ...(options.systemCalls === 'engine' ? [] : ['--security-opt', `seccomp=${PROFILE}`]),
      languageImage(language),
      ...command,
    ];
    this.#docker = spawn('docker', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#docker.stdout.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#docker.stdin.on('error', () => this.#wake()); // the container has ended: `closed` is true
    this.#docker.once('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  /** Starts a sandbox and waits for READY or FAULT. */
  static async open(language: Language, options: OpenOptions = {}): Promise<Box> {
    const box = new Box(language, options);
    Box.#opened.getStore()?.add(box);
    await box.until(() => box.has(FromAgent.READY) || box.has(FromAgent.FAULT));
    return box;
  }

  /** For aroundEach: closes what a test has opened, whatever tests go on beside it. */
  static async scope(this: void, runTest: () => Promise<void>): Promise<void> {
    const boxes = new Set<Box>();
    try {
      await Box.#opened.run(boxes, runTest);
    } finally {
      await Promise.all([...boxes].map((box) => box.close()));
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.#docker.stdin.destroy();
    this.#docker.stdout.resume();
    await once(this.#docker, 'close');
  }

  send(type: ToAgent, payload?: Uint8Array): void {
    this.raw(encodeFrame(type, payload));
  }

  raw(bytes: Uint8Array): void {
    this.#docker.stdin.write(bytes);
  }

  start(start: AgentStart): void {
    this.raw(encodeStart(start));
  }

  type(text: string): void {
    this.send(ToAgent.STDIN, Buffer.from(text));
  }

  /** Stops reading the sandbox's output until `resume`. */
  pause(): void {
    this.#docker.stdout.pause();
  }

  resume(): void {
    this.#docker.stdout.resume();
  }

  /** Waits until the engine lists a process with this command line in the sandbox. */
  async process(commandLine: string): Promise<void> {
    for (;;) {
      const { stdout } = await run('docker', ['top', this.name, '-eo', 'pid,args']);
      if (stdout.split('\n').some((line) => line.trimEnd().endsWith(commandLine))) return;
      if (this.ended) throw new Error(`ended without running ${commandLine}`);
    }
  }

  has(type: FromAgent): boolean {
    return this.#pieces.has(type);
  }

  bytes(type: FromAgent): Buffer {
    return Buffer.concat(this.#pieces.get(type) ?? []);
  }

  /** The number of pieces in which the bytes of a type arrived. */
  pieces(type: FromAgent): number {
    return this.#pieces.get(type)?.length ?? 0;
  }

  get stdout(): string {
    return this.bytes(FromAgent.STDOUT).toString();
  }

  get stderr(): string {
    return this.bytes(FromAgent.STDERR).toString();
  }

  get fault(): string {
    return this.bytes(FromAgent.FAULT).toString();
  }

  /** Waits for the last frame; rejects when it is not EXIT. */
  async exit(): Promise<AgentExit> {
    await this.until(() => this.ended);
    if (!this.has(FromAgent.EXIT)) throw new Error(`no EXIT: ${this.fault}${this.bytes(FromAgent.COMPILE).toString()}`);
    return decodeExit(this.bytes(FromAgent.EXIT));
  }

  get ended(): boolean {
    const last = [FromAgent.EXIT, FromAgent.FAULT, FromAgent.COMPILED, FromAgent.COMPILE_FAILED];
    return this.closed || last.some((type) => this.has(type));
  }

  /** Resolves as soon as the predicate holds; it is checked after every chunk. The test's own timeout bounds it. */
  async until(done: () => boolean): Promise<void> {
    if (done()) return;
    await new Promise<void>((resolve) => this.#waiters.add({ done, resolve }));
  }

  #take(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk, (type, payload) => {
        const pieces = this.#pieces.get(type) ?? [];
        this.#pieces.set(type, pieces);
        pieces.push(Buffer.from(payload));
        if (this.order.at(-1) !== type) this.order.push(type);
      });
    } catch (error) {
      this.error = error instanceof Error ? error : new Error(String(error));
    }
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters) {
      if (!waiter.done()) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }
}
