// Counters from made-up control group trees of both versions and both drivers.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type CgroupLayout,
  CgroupReader,
  cgroupDirectory,
  parseKeyed,
  parseNumber,
  processCount,
  slicePath,
} from './cgroup.js';

describe('cgroup files', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'cgroup-'));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it('are read on version 1', () => {
    write('cpuacct/docker/abc/cpuacct.usage', '1500000000\n');
    write('memory/docker/abc/memory.max_usage_in_bytes', '4096\n');
    write('memory/docker/abc/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n');
    write('pids/docker/abc/pids.events', 'max 7\n');
    const usage = read({ root, version: 1, driver: 'cgroupfs', parent: undefined });
    expect(usage).toEqual({ cpuMs: 1500, memoryPeakBytes: 4096, oomKills: 3, pidsRefused: 7 });
  });

  it('are read on version 2, under a systemd scope', () => {
    const scope = 'system.slice/docker-abc.scope';
    write(`${scope}/cpu.stat`, 'usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n');
    write(`${scope}/memory.peak`, '8192\n');
    write(`${scope}/memory.events`, 'low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 0\n');
    write(`${scope}/pids.events`, 'max 0\n');
    const usage = read({ root, version: 2, driver: 'systemd', parent: undefined });
    expect(usage).toEqual({ cpuMs: 2500, memoryPeakBytes: 8192, oomKills: 1, pidsRefused: 0 });
  });

  it('keep the highest value seen where the kernel keeps no peak', () => {
    write('rungrid/abc/cpu.stat', 'usage_usec 1\n');
    write('rungrid/abc/memory.current', '9000\n');
    write('rungrid/abc/memory.events', 'oom_kill 0\n');
    write('rungrid/abc/pids.events', 'max 0\n');
    const reader = CgroupReader.open({ root, version: 2, driver: 'cgroupfs', parent: '/rungrid' }, 'abc');
    expect(reader?.read()?.memoryPeakBytes).toBe(9000);
    write('rungrid/abc/memory.current', '10\n');
    expect(reader?.read()?.memoryPeakBytes).toBe(9000);
    reader?.close();
    expect(reader?.read()).toBeUndefined();
  });

  it('are undefined where one is missing', () => {
    write('cpuacct/docker/abc/cpuacct.usage', '1\n');
    expect(CgroupReader.open({ root, version: 1, driver: 'cgroupfs', parent: undefined }, 'abc')).toBeUndefined();
  });

  it('give the number of processes now, or undefined', () => {
    write('pids/docker/abc/pids.current', '64\n');
    write('rungrid/abc/pids.current', '3\n');
    expect(processCount({ root, version: 1, driver: 'cgroupfs', parent: undefined }, 'abc')).toBe(64);
    expect(processCount({ root, version: 2, driver: 'cgroupfs', parent: '/rungrid' }, 'abc')).toBe(3);
    expect(processCount({ root, version: 2, driver: 'cgroupfs', parent: undefined }, 'removed')).toBeUndefined();
  });

  function write(path: string, text: string): void {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
  }

  function read(layout: CgroupLayout): unknown {
    const reader = CgroupReader.open(layout, 'abc');
    const usage = reader?.read();
    reader?.close();
    return usage;
  }
});

describe('cgroup paths and parsers', () => {
  it('nest a slice in its parents', () => {
    expect(slicePath('rungrid.slice')).toBe('rungrid.slice');
    expect(slicePath('a-b-c.slice')).toBe('a.slice/a-b.slice/a-b-c.slice');
    const layout: CgroupLayout = { root: '/', version: 2, driver: 'systemd', parent: 'rungrid-runs.slice' };
    expect(cgroupDirectory(layout, 'abc')).toBe('rungrid.slice/rungrid-runs.slice/docker-abc.scope');
  });

  it('match the whole key', () => {
    expect(parseKeyed('oom 5\noom_kill 2\n', 'oom_kill')).toBe(2);
    expect(parseKeyed('oom_kill_disable 1\n', 'oom_kill')).toBe(0);
  });

  it('read anything but a number as 0', () => {
    expect(parseNumber('max\n')).toBe(0);
    expect(parseNumber('12\n')).toBe(12);
  });
});
