// The group above all sandboxes: its sizes, its files on both versions, and that it goes again.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { boundsOf, groupFiles, groupName, makeGroup, removeGroup } from './cgroup.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cgroup-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

test('a quarter of the memory, half of the tasks and a tenth of the CPU stay for everybody else', () => {
  const bounds = boundsOf({ memoryBytes: 8 * 2 ** 30, cpus: 2, tasks: 32_768 });
  expect(bounds).toEqual({ memoryBytes: 6 * 2 ** 30, tasks: 16_384, quotaUs: 180_000 });
  expect(groupFiles(2, 'g', bounds)).toEqual([
    ['g/memory.max', '6442450944'],
    ['g/pids.max', '16384'],
    ['g/cpu.max', '180000 100000'],
  ]);
});

test('version 1 has a folder in each hierarchy, and none is left afterwards', () => {
  for (const name of ['memory', 'pids', 'cpu', 'freezer']) mkdirSync(join(root, name));
  const name = groupName('/some/state');
  expect(makeGroup('/some/state', root)).toBe(`/${name}`);
  expect(Number(readFileSync(join(root, 'memory', name, 'memory.limit_in_bytes'), 'utf8'))).toBeGreaterThan(0);
  expect(readFileSync(join(root, 'cpu', name, 'cpu.cfs_period_us'), 'utf8')).toBe('100000');
  // The kernel's files go with their folder; these are plain ones.
  for (const [file] of groupFiles(1, name, { memoryBytes: 1, tasks: 1, quotaUs: 1 })) rmSync(join(root, file));
  // As the engine makes it where no bound of ours is.
  mkdirSync(join(root, 'freezer', name));
  removeGroup('/some/state', root);
  for (const hierarchy of ['memory', 'pids', 'cpu', 'freezer'])
    expect(existsSync(join(root, hierarchy, name))).toBe(false);
});

test('version 2 asks for the controllers first', () => {
  writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory pids');
  expect(makeGroup('/s', root)).toBe(`/${groupName('/s')}`);
  expect(readFileSync(join(root, 'cgroup.subtree_control'), 'utf8')).toBe('+memory +pids +cpu');
  expect(existsSync(join(root, groupName('/s'), 'memory.max'))).toBe(true);
});

test('where it cannot be made there is none, and nothing fails', () => {
  writeFileSync(join(root, 'memory'), 'not a folder');
  expect(makeGroup('/s', root)).toBeUndefined();
});
