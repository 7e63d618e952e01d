// Gateway and worker over mutual TLS and a secret: runs go as ever, a gateway without either has none, and secrets are in no log.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const SCRIPT = fileURLToPath(new URL('../../../deploy/tls/certificates.sh', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rungrid-wall-'));
const make = (...args: string[]) => execFileSync(SCRIPT, [folder, ...args]);
make('ca');
make('gateway', 'gateway.test');
make('worker', 'worker.test');
const files = (name: string) => ({
  RUNGRID_GRPC_CA: join(folder, 'ca.pem'),
  RUNGRID_GRPC_CERT: join(folder, `${name}.pem`),
  RUNGRID_GRPC_KEY: join(folder, `${name}.key`),
});
const stack = useStack({
  gatewayEnv: { ...files('gateway'), RUNGRID_GRPC_SERVER_NAME: 'worker.test' },
  workerEnv: files('worker'),
});
afterAll(() => rmSync(folder, { recursive: true }));

const PROMPT = "name = input('Name: ')\nprint('Hello ' + name)";

test('a run over mutual TLS: prompt, answer, a flood, and a stop', async () => {
  const client = await stack().connect();
  const talk = client.run(PROMPT, 'python');
  await talk.output(/Name: $/);
  talk.stdin('Rajesh\n');
  expect(await talk.exit()).toMatchObject({ reason: 'exited', code: 0 });
  expect(talk.stdout).toBe('Name: Hello Rajesh\n');
  const flood = client.run("while True: print('x' * 1000)", 'python');
  expect(await flood.exit()).toMatchObject({ reason: 'output_limit' });
  const stopped = client.run(PROMPT, 'python');
  await stopped.output(/Name: $/);
  stopped.stop();
  expect(await stopped.exit()).toMatchObject({ reason: 'stopped' });
});

test.each([
  { name: 'a wrong secret', env: { RUNGRID_GRPC_SECRET: 'w'.repeat(32) }, said: 'RUNGRID_GRPC_SECRET' },
  { name: 'another name', env: { RUNGRID_GRPC_SERVER_NAME: 'other.test' }, said: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  {
    name: 'no certificate',
    env: { RUNGRID_GRPC_CA: '', RUNGRID_GRPC_CERT: '', RUNGRID_GRPC_KEY: '' },
    said: 'worker unusable',
  },
])('a gateway with $name says what is wrong; runs of the other one go on', async ({ env, said }) => {
  const refused = await stack().addGateway(env);
  await until(() => refused.process.log.includes(said), { what: 'the warning' });
  await refused.process.stop();
  stack().forget(refused);
  const client = await stack().connect();
  expect(await client.run("print('a')", 'python').exit()).toMatchObject({ code: 0 });
});

test('no secret and no key is in the logs', () => {
  const log = stack().gateway.process.log + stack().worker.process.log;
  expect(log).not.toContain(stack().grpcSecret);
  expect(log).not.toContain('PRIVATE KEY');
});
