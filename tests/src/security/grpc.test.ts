// Hostile peers on a worker's gRPC port: none gets anything out of it, none costs it much, and runs go on.
import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, test } from 'vitest';
import { CoTenant } from '../testkit/co-tenant.js';
import { grpcFrame, inputFrame, RawGrpc } from '../testkit/grpc-raw.js';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const MIB = 1 << 20;
const stack = useStack();
const peers: RawGrpc[] = [];
const dial = () => {
  const peer = new RawGrpc(stack().worker.grpc, stack().grpcSecret);
  peers.push(peer);
  return peer;
};
afterEach(() => {
  for (const peer of peers.splice(0)) peer.close();
});

const attach = (more: { runId?: string; epoch?: number; key?: string; afterSeq?: number } = {}) =>
  inputFrame({
    $case: 'attach',
    value: { runId: 'unknown1', epoch: 1, key: 'k'.repeat(22), afterSeq: 0, resume: false, ...more },
  });

/** The run of a fresh client works: the port's trouble affects no other client. */
async function served(): Promise<void> {
  const client = await stack().connect();
  const run = client.run('print("served")', 'python');
  expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0 });
  await client.close();
}

describe('a stream is ended, and not with OK, when its first message', () => {
  test.each([
    ['is stdin', () => inputFrame({ $case: 'stdin', value: Buffer.from('x') })],
    ['is empty', () => grpcFrame(Buffer.alloc(0))],
    ['is stop', () => inputFrame({ $case: 'stop', value: { disconnected: false } })],
    ['is a signal', () => inputFrame({ $case: 'signal', value: { name: 'SIGKILL' } })],
    ['attaches to an unknown run', () => attach()],
    ['attaches to a run named like a property', () => attach({ runId: '__proto__' })],
    ['is no protobuf', () => grpcFrame(Buffer.alloc(64, 0xff))],
    ['is compressed by something unknown', () => grpcFrame(Buffer.alloc(64, 0xff), { flags: 1 })],
    ['claims a gigabyte', () => grpcFrame(Buffer.from('xx'), { declare: 1 << 30 })],
    ['has a megabyte', () => inputFrame({ $case: 'stdin', value: Buffer.alloc(MIB) })],
  ])('%s', async (_what, first) => {
    const stream = dial().open();
    stream.send(first());
    // A client could mistake OK for the end of a run.
    expect(await stream.end()).not.toBe('0');
    await served();
  });
});

test('a live run cannot be attached without its key and its epoch, and is not disturbed', async () => {
  const coTenant = await CoTenant.start(stack());
  const keys = await stack().redis.client.keys(`{${stack().prefix}}:run:*`);
  const [runId = ''] = keys.map((key) => key.split(':').at(-1) ?? '');
  expect(runId).not.toBe('');
  for (const more of [{}, { key: '' }, { key: 'k' }, { epoch: 0 }, { epoch: 2 }, { afterSeq: 1e6 }]) {
    const stream = dial().open();
    stream.send(attach({ runId, ...more }));
    stream.send(inputFrame({ $case: 'stop', value: { disconnected: false } }));
    expect(await stream.end()).not.toBe('0');
    expect(stream.bytes).toBe(0);
  }
  await coTenant.alive();
  await coTenant.close();
});

test('thousands of streams opened ahead, left open, half sent or reset at once cost little, and others are served', async () => {
  const before = stack().worker.process.rssBytes();
  const coTenant = await CoTenant.start(stack());
  const waiting = dial();
  for (let i = 0; i < 2000; i++) waiting.open();
  const slow = dial();
  for (let i = 0; i < 500; i++) slow.open().send(attach().subarray(0, 7));
  await coTenant.alive();
  await served();
  const rapid = dial();
  for (let round = 0; round < 10 && !rapid.ended; round++) {
    const streams = Array.from({ length: 200 }, () => rapid.open());
    for (const stream of streams) stream.reset();
    await until(() => rapid.ended || streams.every((stream) => stream.over), { what: 'resets', timeoutMs: 20_000 });
  }
  await coTenant.alive();
  await served();
  await coTenant.close();
  expect((stack().worker.process.rssBytes() - before) / MIB).toBeLessThan(96);
});

test('connections that send nothing, or another protocol, disturb no client', async () => {
  for (const header of [{ ':path': '/rungrid.v1.Runner/Drop' }, { ':path': '/' }, { 'content-type': 'text/plain' }]) {
    const stream = dial().open(header);
    stream.send(attach());
    expect(await stream.end()).not.toBe('0');
  }
  for (let i = 0; i < 100; i++) dial();
  await served();
});
