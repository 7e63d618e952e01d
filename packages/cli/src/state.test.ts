// The state file: whole or not at all, without the dead, one writer at a time.
import { mkdtempSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { CliError } from './errors.js';
import { makeFolders, type Paths, resolvePaths, runFolder } from './paths.js';
import {
  EMPTY_STATE,
  parseState,
  readState,
  removeStaleLock,
  type State,
  takeLock,
  updateState,
  withoutTheDead,
  writeState,
} from './state.js';

let paths: Paths;
beforeEach(() => {
  paths = resolvePaths({ RUNGRID_STATE: mkdtempSync(join(tmpdir(), 'rungrid-state-')) });
  makeFolders(paths);
});

const service = (name: string, pid: number) => ({ name, process: { pid, start: `boot:${pid}` } });
const FULL: State = {
  version: 1,
  wanted: { gateways: 1, workers: 1, languages: ['python'], port: 8080 },
  engine: { host: 'unix:///x/docker.sock', process: { pid: 10, start: 'boot:10' } },
  engineProxy: { socket: '/x/engine.sock', process: { pid: 40, start: 'boot:40' } },
  redis: { url: 'redis://127.0.0.1:6379' },
  gateways: [{ ...service('gateway-1', 20), url: 'http://127.0.0.1:8080', internal: 'http://127.0.0.1:9080' }],
  workers: [{ ...service('worker-1', 30), grpc: '127.0.0.1:50051', metrics: 'http://127.0.0.1:9090' }],
};

describe('state file', () => {
  test('no file is the empty state', () => {
    expect(readState(paths)).toEqual(EMPTY_STATE);
  });

  test('what is written is read, and nothing else is left behind', () => {
    writeState(paths, FULL);
    expect(readState(paths)).toEqual(FULL);
    expect(readdirSync(paths.state)).not.toContainEqual(expect.stringMatching(/state\.json\./));
  });

  test('a change is one read and one write', () => {
    writeState(paths, FULL);
    updateState(paths, (state) => ({ ...state, workers: [] }));
    expect(readState(paths).workers).toEqual([]);
    expect(readState(paths).gateways).toEqual(FULL.gateways);
  });

  test.each([
    '',
    'null',
    '{"version":2,"gateways":[],"workers":[]}',
    '{"version":1,"gateways":[{"pid":1}],"workers":[]}',
  ])('%j is refused, not guessed at', (text) => {
    expect(parseState(text)).toBeUndefined();
    writeFileSync(paths.stateFile, text);
    expect(() => readState(paths)).toThrow(CliError);
  });
});

describe('withoutTheDead', () => {
  test('forgets what has ended, keeps what others own', () => {
    const left = withoutTheDead(FULL, (ref) => ref.pid === 30);
    expect(left.gateways).toEqual([]);
    expect(left.workers).toEqual(FULL.workers);
    expect(left.engine).toBeUndefined();
    expect(left.engineProxy).toBeUndefined();
    expect(withoutTheDead(FULL, (ref) => ref.pid === 40).engineProxy).toEqual(FULL.engineProxy);
    expect(left.redis).toEqual(FULL.redis);
    expect(left.wanted).toEqual(FULL.wanted);
  });
});

describe('lock', () => {
  test('a second command is refused with the pid of the first', () => {
    const unlock = takeLock(paths);
    expect(() => takeLock(paths)).toThrow(`pid ${process.pid}`);
    unlock();
    takeLock(paths)();
  });

  test.each(['', '{"pid":4194305,"start":"boot:1"}'])('the lock of an ended process (%j) does not count', (text) => {
    writeFileSync(paths.lockFile, text);
    takeLock(paths)();
  });
});

describe('a stale lock', () => {
  const DEAD = { pid: 4194305, start: 'boot:1' };

  test('is removed once: a slow command leaves the lock that a quick one has taken since', () => {
    writeFileSync(paths.lockFile, JSON.stringify(DEAD));
    const unlock = takeLock(paths);
    removeStaleLock(paths, DEAD);
    expect(() => takeLock(paths)).toThrow(`pid ${process.pid}`);
    unlock();
  });

  test('is removed although a command died while it did so', () => {
    writeFileSync(paths.lockFile, JSON.stringify(DEAD));
    writeFileSync(`${paths.lockFile}.stale`, '');
    utimesSync(`${paths.lockFile}.stale`, 0, 0);
    takeLock(paths)();
  });
});

describe('runFolder', () => {
  test('is in the state folder where socket paths fit', () => {
    expect(runFolder('/srv/rungrid/.rungrid')).toBe('/srv/rungrid/.rungrid/run');
  });

  test('is short, and one for each state folder, where they do not', () => {
    const [one, other] = [runFolder(`/home/${'x'.repeat(80)}/a`), runFolder(`/home/${'x'.repeat(80)}/b`)];
    expect(one).toMatch(/^\/(run|tmp)\/rungrid-[0-9a-f]{10}$/);
    expect(other).not.toBe(one);
  });
});
