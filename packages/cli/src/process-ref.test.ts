// A process is identified by pid and start time: a recycled pid is another process.
import { spawn } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { identify, isAlive, signal, startTicks, stop } from './process-ref.js';

const STAT = '42 (a (strange) name) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 0 0';

describe('startTicks', () => {
  test('counts fields after the last parenthesis of the name', () => {
    expect(startTicks(STAT)).toBe('987654');
  });

  test.each(['Z', 'X'])('a process in state %s has ended', (state) => {
    expect(startTicks(STAT.replace(') S ', `) ${state} `))).toBeUndefined();
  });

  test.each(['', 'nonsense', '42 (x) S'])('%j is no process', (text) => {
    expect(startTicks(text)).toBeUndefined();
  });
});

describe('identity', () => {
  test('of this process', () => {
    const me = identify(process.pid);
    expect(me?.pid).toBe(process.pid);
    expect(me !== undefined && isAlive(me)).toBe(true);
  });

  test('a pid with another start is not signalled', () => {
    const imposter = { pid: process.pid, start: 'another-boot:1' };
    expect(isAlive(imposter)).toBe(false);
    expect(signal(imposter, 'SIGKILL')).toBe(false);
  });

  test('no process has pid 4194305', () => {
    expect(identify(4_194_305)).toBeUndefined();
  });
});

describe('stop', () => {
  test('ends a process that heeds SIGTERM by itself', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const ref = identify(child.pid ?? -1);
    if (ref === undefined) throw new Error('not started');
    expect(await stop(ref, { graceMs: 30_000 })).toBe(true);
    expect(isAlive(ref)).toBe(false);
    expect(await stop(ref, { graceMs: 30_000 })).toBe(true);
  });

  test('kills one that does not', async () => {
    const script = "process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000)";
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const ref = identify(child.pid ?? -1);
    if (ref === undefined) throw new Error('not started');
    expect(await stop(ref, { graceMs: 50 })).toBe(false);
    expect(isAlive(ref)).toBe(false);
  });
});
