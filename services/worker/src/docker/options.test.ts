// Options, names and uids: refusals, escaping, assignment.
import { describe, expect, it } from 'vitest';
import { deadlineOf, runName, warmName } from './names.js';
import { engineAddress, resolveDockerOptions } from './options.js';
import { UidSlots } from './uids.js';

describe('options', () => {
  it('name what is out of range', () => {
    expect(() => resolveDockerOptions({ workerId: 'a b' })).toThrow('workerId');
    expect(() => resolveDockerOptions({ workerId: 'w', uidBase: 0 })).toThrow('uidBase');
    expect(() => resolveDockerOptions({ workerId: 'w', callTimeoutMs: Number.NaN })).toThrow('callTimeoutMs');
  });

  it('take unix and tcp addresses and nothing else', () => {
    expect(engineAddress('unix:///run/docker.sock')).toEqual({ socketPath: '/run/docker.sock' });
    expect(engineAddress('tcp://10.0.0.1')).toEqual({ host: '10.0.0.1', port: 2375, protocol: 'http' });
    expect(() => engineAddress('ssh://host')).toThrow('host');
    expect(() => engineAddress('unix://')).toThrow('host');
  });
});

describe('names', () => {
  it('carry the deadline, rounded up', () => {
    const name = warmName({ language: 'python', id: 'abc123', deadlineMs: 1_700_000_000_001 });
    expect(name).toBe('warm-python-abc123-1700000001');
    expect(deadlineOf(`/${name}`)).toBe(1_700_000_001_000);
  });

  it('hold only characters that the engine accepts', () => {
    expect(warmName({ language: 'c++', id: 'abc', deadlineMs: 0 })).toBe('warm-c__-abc-0');
    expect(runName({ runId: '../../é x', deadlineMs: 0 })).toMatch(/^run-[A-Za-z0-9_-]+-0$/);
  });

  it('of others have no deadline', () => {
    expect(deadlineOf('/postgres')).toBeUndefined();
    expect(deadlineOf('/run-x-')).toBeUndefined();
  });
});

describe('uids', () => {
  it('are never shared, and are reused as late as possible', () => {
    const slots = new UidSlots({ base: 20_000, count: 3, lane: 3 });
    const first = slots.take();
    expect(first).toBe(20_000);
    expect([slots.take(), slots.take()]).toEqual([20_001, 20_002]);
    expect(() => slots.take()).toThrow('in use');
    slots.release(first);
    expect(slots.take()).toBe(first);
  });

  it('of two workers on an engine differ, also when both chose the same lane at first', () => {
    const range = { base: 20_000, count: 40, lane: 10 };
    const [one, other] = [new UidSlots(range, () => 0), new UidSlots(range, () => 0)];
    const taken = one.take();
    expect(other.take()).toBe(taken);
    // Each meets the other; one of them yields.
    one.meet([{ uid: taken, yields: true }]);
    other.meet([{ uid: taken, yields: false }]);
    const uids = Array.from({ length: 10 }, () => other.take());
    expect(uids).toEqual(Array.from({ length: 10 }, (_, index) => 20_010 + index));
    expect(() => other.take()).toThrow('all 10 sandbox uids are in use');
    expect(one.take()).toBe(20_001);
    // No reason to move: the others have other lanes.
    one.meet(uids.map((uid) => ({ uid, yields: false })));
    expect(one.take()).toBe(20_002);
  });

  it('are shared only when there are more workers than lanes', () => {
    const slots = new UidSlots({ base: 20_000, count: 20, lane: 10 }, () => 0);
    slots.meet([
      { uid: 20_000, yields: false },
      { uid: 20_010, yields: false },
    ]);
    expect(slots.take()).toBe(20_000);
  });
});
