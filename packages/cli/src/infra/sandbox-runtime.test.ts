// The requested runtime, and the settings of a private engine for it.
import { expect, test } from 'vitest';
import { engineSettings, wantedRuntime } from './sandbox-runtime.js';

test('runc is the default, and a runtime that does not exist is refused by name', () => {
  expect(wantedRuntime({})).toBe('runc');
  expect(wantedRuntime({ SANDBOX_RUNTIME: '' })).toBe('runc');
  expect(wantedRuntime({ SANDBOX_RUNTIME: 'runsc' })).toBe('runsc');
  expect(() => wantedRuntime({ SANDBOX_RUNTIME: 'crun' })).toThrow('SANDBOX_RUNTIME takes one of runc, runsc, kata');
});

test('runsc is registered without a network and with our filter; runc needs nothing', () => {
  expect(engineSettings(undefined)).toEqual({});
  expect(engineSettings('/usr/bin/runsc')).toEqual({
    runtimes: {
      runsc: { path: '/usr/bin/runsc', runtimeArgs: ['--network=none', '--platform=ptrace', '--oci-seccomp'] },
    },
  });
});
