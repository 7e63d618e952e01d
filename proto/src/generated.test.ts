// The generated gRPC code is the one that the contract gives today.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const FILE = 'src/gen/rungrid/v1/runner.ts';

test('run `pnpm proto` after a change of runner.proto', { timeout: 30_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'rungrid-proto-'));
  try {
    execFileSync(join(root, 'node_modules/.bin/buf'), ['generate', '--output', folder], { cwd: root });
    expect(readFileSync(join(folder, FILE), 'utf8')).toBe(readFileSync(join(root, FILE), 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
