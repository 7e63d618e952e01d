// Which services are missing, which ports are free, and when one is ready.
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { missingNames, pickPorts, readyLine } from './processes.js';

test.each([
  [[], 2, ['worker-1', 'worker-2']],
  [['worker-2'], 2, ['worker-1']],
  [['worker-1', 'worker-2'], 2, []],
  [['worker-1', 'worker-3'], 2, []],
  [['worker-3'], 3, ['worker-1', 'worker-2']],
])('with %j and %d wanted, %j are started', (there, wanted, names) => {
  expect(
    missingNames(
      'worker',
      there.map((name) => ({ name })),
      wanted,
    ),
  ).toEqual(names);
});

test('ready is one JSON line among others', () => {
  expect(readyLine('starting\n{"msg":"redis"}\n{"level":30,"msg":"rea')).toBeUndefined();
  expect(readyLine('{"msg":"not \\"ready\\""}\n{"msg":"ready","url":"http://x"}\n')).toMatchObject({ url: 'http://x' });
});

test('a taken port is skipped by default, and refused when it was asked for', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await expect(pickPorts(1, { wanted: port, taken: [] })).rejects.toThrow(`port ${port} is taken`);
    expect(await pickPorts(1, { wanted: port, taken: [port] })).not.toContain(port);
  } finally {
    server.close();
  }
});
