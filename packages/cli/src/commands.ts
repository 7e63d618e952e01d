// Every command as data: its help and options; its code is loaded only when it is called.
import { DEFAULT_LANGUAGES } from '@rungrid/sandbox/tested-languages';
import type { CommandSpec } from './command.js';

const NONE = { min: 0, max: 0 };

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'up',
    usage: '[options]',
    summary: 'start Rungrid, installing what is missing, and print the playground’s address',
    details: `Finds or starts a Docker engine and a private Redis, builds the sandbox images, starts workers and gateways.
Safe to repeat: running processes are kept, ended ones are started again. Stays in the foreground until Ctrl-C, which
stops everything that it started; with --detach, \`down\` stops it. State, keys and logs: .rungrid/ (or RUNGRID_STATE).
Settings of the services (GATEWAY_…, WORKER_…, RUNGRID_REDIS_URL, DOCKER_HOST) are passed on from the environment.
SANDBOX_RUNTIME=runsc runs the sandboxes in gVisor, which a private engine gets installed.`,
    options: {
      detach: { type: 'boolean', help: 'start, then return' },
      gateways: {
        type: 'integer',
        value: 'N',
        min: 1,
        max: 32,
        help: 'number of gateways, on ports from --port upwards (default 1)',
      },
      workers: { type: 'integer', value: 'N', min: 1, max: 32, help: 'number of workers (default 1)' },
      languages: {
        type: 'list',
        value: 'a,b',
        help: `languages to serve, or all (default ${DEFAULT_LANGUAGES.join(',')})`,
      },
      port: {
        type: 'integer',
        value: 'PORT',
        min: 1,
        max: 65_535,
        help: 'port of the first gateway (default 8080, or the next free one)',
      },
    },
    positionals: NONE,
    load: async () => (await import('./commands/up.js')).command,
  },
  {
    name: 'down',
    usage: '',
    summary: 'stop everything that `up` started',
    details: 'Stops the gateways, workers, Redis and Docker engine of this state folder, and nothing else.',
    options: {},
    positionals: NONE,
    load: async () => (await import('./commands/down.js')).command,
  },
  {
    name: 'status',
    usage: '[--json]',
    summary: 'show the running processes and their addresses',
    details: 'Exit code 0 when at least one gateway and one worker run, 1 otherwise.',
    options: {
      json: {
        type: 'boolean',
        help: 'as JSON: {gateways: [{pid, url}], workers: [{pid, grpc, metrics}], redis: {url}, engine}',
      },
    },
    positionals: NONE,
    load: async () => (await import('./commands/status.js')).command,
  },
  {
    name: 'run',
    usage: 'FILE [--language L] [--file F,…] [-- ARGUMENT…]',
    summary: 'run a program in a sandbox, with your terminal as its stdin and stdout',
    details: `At a terminal the program gets a terminal of its own, and every key goes to the program: line editing, Ctrl-C, Ctrl-D, the
window's size. Otherwise it runs on pipes: Ctrl-C sends SIGINT, a second one stops it. Text only: bytes that are not UTF-8
are replaced. The exit code is the program’s; 128+n when signal n ended it; 124 when it hit a time limit (wall, CPU, idle);
137 when it hit the memory, process or output limit; 130 when it was stopped; 125 when Rungrid failed.`,
    options: {
      language: { type: 'string', value: 'L', help: 'name or alias (default: by the file’s extension)' },
      file: { type: 'list', value: 'F,…', help: 'more files, placed beside the program' },
      tty: { type: 'boolean', help: 'require a terminal (default: when stdin and stdout are one)' },
      'no-tty': { type: 'boolean', help: 'use pipes, even at a terminal' },
      url: {
        type: 'string',
        value: 'URL',
        help: 'gateway, such as ws://host:8080/ws (default: the one that `up` started)',
      },
      token: {
        type: 'string',
        value: 'TOKEN',
        help: 'a token for that gateway (default: one signed with the local key)',
      },
    },
    positionals: { min: 1, max: 65 },
    load: async () => (await import('./commands/run.js')).command,
  },
  {
    name: 'token',
    usage: '[options]',
    summary: 'sign a token, valid for one run within five minutes',
    details: 'The key is the one in GATEWAY_TOKEN_KEYS, else in .rungrid/keys.',
    options: {
      origin: {
        type: 'string',
        value: 'ORIGIN',
        help: 'the page’s origin, such as https://example.org (default: none, for clients that send none)',
      },
      'key-id': { type: 'string', value: 'ID', help: 'which key signs (default: the first)' },
      user: { type: 'string', value: 'NAME', help: 'claim: your name for the visitor' },
      languages: { type: 'list', value: 'a,b', help: 'claim: only these languages' },
      'code-file': { type: 'string', value: 'FILE', help: 'claim: only this program, unchanged' },
      'wall-ms': { type: 'integer', value: 'MS', min: 1, max: 86_400_000, help: 'claim: at most this wall-clock time' },
      'cpu-ms': { type: 'integer', value: 'MS', min: 1, max: 86_400_000, help: 'claim: at most this CPU time' },
      'output-bytes': {
        type: 'integer',
        value: 'N',
        min: 1,
        max: 1_073_741_824,
        help: 'claim: at most this much output',
      },
    },
    positionals: NONE,
    load: async () => (await import('./commands/token.js')).command,
  },
  {
    name: 'test',
    usage: '[options] [FILTER…]',
    summary: 'run the checks and the tests; installs what they need',
    details: `Format, lint and architecture checks, then the tests: unit tests, those over a real Redis, those over real containers
(four files at a time), chaos, and at last the exclusive ones, which need the machine for themselves. FILTER is passed to vitest:
part of a file’s path. The slowest files are listed at the end, and the last line counts the tests.`,
    options: {
      quick: { type: 'boolean', help: 'checks and unit tests only: no container engine needed' },
      all: { type: 'boolean', help: 'also the long ones (*.long.test.ts)' },
      only: {
        type: 'string',
        value: 'KIND',
        help: 'one kind, without the checks: unit, redis, docker, e2e, security, browser, chaos or exclusive',
      },
    },
    positionals: { min: 0, max: 64 },
    load: async () => (await import('./commands/test.js')).command,
  },
  {
    name: 'doctor',
    usage: '',
    summary: 'verify the isolation of sandboxes: network, files, system calls, limits',
    details: `Starts one sandbox of each language that has an image, in the engine that \`up\` uses, and attempts from inside what must
fail. A worker runs the same checks before it joins. Exit code 0 when all pass, 1 otherwise. Settings: WORKER_… as for \`up\`.`,
    options: {},
    positionals: NONE,
    load: async () => (await import('./commands/doctor.js')).command,
  },
  {
    name: 'language',
    usage: 'list | add NAME | test NAME [SAMPLE…]',
    summary: 'list the languages, add one, or run the samples of one',
    details: `A language is a folder, services/sandbox/languages/NAME. \`add\` creates one from a template, in which TODO marks every gap;
\`test\` builds its image and runs its samples in real sandboxes, on pipes and on a terminal.`,
    options: {},
    positionals: { min: 1, max: 64 },
    load: async () => (await import('./commands/language.js')).command,
  },
  {
    name: 'images',
    usage: '[--languages a,b]',
    summary: 'build only the sandbox images, in the engine of DOCKER_HOST (for a machine that runs only a worker)',
    details: 'Images are named by the hash of their content: an existing one is up to date, and is not rebuilt.',
    options: { languages: { type: 'list', value: 'a,b', help: 'languages to build images for (default: all)' } },
    positionals: NONE,
    load: async () => (await import('./commands/images.js')).command,
  },
  {
    name: 'bench',
    usage: '[options]',
    summary: 'measure click to first byte, keystroke to echo, runs per second',
    details: 'Passes all arguments to the load test; `bench --help` lists its options.',
    options: {},
    positionals: { min: 0, max: Number.MAX_SAFE_INTEGER },
    passThrough: true,
    load: async () => (await import('./commands/bench.js')).command,
  },
  {
    name: 'logs',
    usage: '[NAME] [--follow] [--lines N]',
    summary: 'show the logs of the processes (gateway-1, worker-1, redis, dockerd …)',
    details: 'Without NAME: the last lines of each log. The log of the previous start is NAME.log.1.',
    options: {
      follow: { type: 'boolean', help: 'keep showing new lines, until Ctrl-C' },
      lines: { type: 'integer', value: 'N', min: 1, max: 1_000_000, help: 'number of last lines (default 20)' },
    },
    positionals: { min: 0, max: 1 },
    load: async () => (await import('./commands/logs.js')).command,
  },
];
