// A worker behind the engine proxy serves runs as usual, and its socket gives access to nothing else of the engine.
import { request } from 'node:http';
import { dockerBody } from '@rungrid/sandbox/docker-body';
import { languageImage } from '@rungrid/sandbox/images';
import { resolveLanguage } from '@rungrid/sandbox/languages';
import { SECCOMP_PROFILE } from '@rungrid/sandbox/seccomp';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scrape, sumOf } from '../testkit/metrics.js';
import { useStack } from '../testkit/use-stack.js';

const stack = useStack({ engineProxy: true });
const docker = new Docker();
const NAME = 'warm-test-0123456789ab-1900000000';
let image: string;
/** A foreign container on the same engine: it exists, and never runs. */
let foreign: Docker.Container;

beforeAll(async () => {
  const python = resolveLanguage('python');
  if (python === undefined) throw new Error('there is no python');
  image = (await docker.getImage(languageImage(python)).inspect()).Id;
  foreign = await docker.createContainer({
    Image: image,
    NetworkDisabled: true,
    Labels: { 'sandbox.owner': 'foreign', 'sandbox.fleet': `not-${process.pid}` },
    HostConfig: { NetworkMode: 'none' },
  });
});
afterAll(async () => {
  await foreign?.remove({ force: true });
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A call on the socket that the worker has. */
function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const socketPath = stack().engineProxy?.socket ?? '';
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers =
    text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(text);
  });
}

function body(change: { top?: object; host?: object } = {}) {
  const own = dockerBody({
    image,
    command: ['true'],
    env: [],
    kind: 'pipe',
    uid: 20_001,
    memoryBytes: 33_554_432,
    cpus: 0.1,
    tasks: 16,
    tmpBytes: 1_048_576,
    tmpInodes: 64,
    openFiles: 256,
    oomScoreAdj: 500,
    seccompProfile: SECCOMP_PROFILE,
    cgroupParent: undefined,
    owner: 'attacker',
    fleet: stack().prefix,
    language: 'python',
    runtime: undefined,
  });
  return { ...own, ...change.top, HostConfig: { ...own.HostConfig, ...change.host } };
}

test('runs a program with a prompt, as without a proxy', async () => {
  const client = await stack().connect();
  const run = client.run("name = input('Name: ')\nprint('Hello ' + name)", 'python');
  await run.output('Name: ');
  run.stdin('Rajesh\n');
  const exit = await run.exit();
  expect(run.stdout).toBe('Name: Hello Rajesh\n');
  expect(exit).toMatchObject({ code: 0 });
});

test('was refused nothing', async () => {
  const samples = await scrape(stack().engineProxy?.metrics ?? '');
  const requests = samples.filter((sample) => sample.name === 'rungrid_engine_proxy_requests_total');
  const refused = requests.filter(({ labels }) => !['forwarded', 'no_such_container'].includes(labels['result'] ?? ''));
  expect(refused).toEqual([]);
  expect(requests.map(({ labels }) => labels['call'])).toEqual(expect.arrayContaining(['create', 'attach', 'start']));
  // The warm sandboxes' streams.
  expect(sumOf(samples, 'rungrid_engine_proxy_attached_streams')).toBeGreaterThan(0);
});

describe('the worker’s socket', () => {
  const CONTAINERS: readonly [string, { top?: object; host?: object }][] = [
    ['mounts of the host', { host: { Binds: ['/:/host'] } }],
    ['mounts in the other form', { host: { Mounts: [{ Type: 'bind', Source: '/', Target: '/host' }] } }],
    ['all privileges', { host: { Privileged: true } }],
    ['the host’s network', { top: { NetworkDisabled: false }, host: { NetworkMode: 'host' } }],
    ['the host’s processes', { host: { PidMode: 'host' } }],
    ['the host’s IPC', { host: { IpcMode: 'host' } }],
    [
      'devices',
      { host: { Devices: [{ PathOnHost: '/dev/mem', PathInContainer: '/dev/mem', CgroupPermissions: 'rwm' }] } },
    ],
    ['a capability', { host: { CapAdd: ['SYS_ADMIN'] } }],
    ['no system call filter', { host: { SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] } }],
    ['root', { top: { User: '0:0' } }],
    ['a key in another case', { host: { privileged: true } }],
    ['an image of others', { top: { Image: `sha256:${'0'.repeat(64)}` } }],
    ['the name of an image', { top: { Image: 'debian:trixie-slim' } }],
    [
      'the label of others',
      {
        top: {
          Labels: {
            'sandbox.owner': 'a',
            'sandbox.fleet': 'rungrid',
            'sandbox.language': 'c',
            'sandbox.kind': 'pipe',
            'sandbox.uid': '20001',
          },
        },
      },
    ],
  ];
  test.each(CONTAINERS)('makes no container with %s', async (_what, change) => {
    const { status, text } = await call('POST', `/containers/create?name=${NAME}`, body(change));
    expect(status).toBe(403);
    expect((JSON.parse(text) as { message: string }).message).toMatch(/^engine proxy: (bad_body|foreign_image): /);
    await expect(docker.getContainer(NAME).inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  test('can make what a worker makes, and it is what it says', async () => {
    const { status, text } = await call('POST', `/containers/create?name=${NAME}`, body());
    expect({ status, text }).toMatchObject({ status: 201 });
    const { Id: id } = JSON.parse(text) as { Id: string };
    expect((await docker.getContainer(id).inspect()).HostConfig).toMatchObject(body().HostConfig);
    expect(await call('DELETE', `/containers/${id}?force=true&v=true`)).toMatchObject({ status: 204 });
  });

  const CALLS: readonly [string, string, string][] = [
    ['run in a container', 'POST', '/containers/ID/exec'],
    ['read a container’s files', 'GET', '/containers/ID/archive?path=/'],
    ['read a container’s logs', 'GET', '/containers/ID/logs?stdout=1'],
    ['change a container', 'POST', '/containers/ID/update'],
    ['make images', 'POST', '/build?dockerfile=x'],
    ['commit', 'POST', '/commit?container=ID'],
    ['load images', 'POST', '/images/load'],
    ['pull images', 'POST', '/images/create?fromImage=debian'],
    ['list images', 'GET', '/images/json'],
    ['make volumes', 'POST', '/volumes/create'],
    ['make networks', 'POST', '/networks/create'],
    ['make a swarm', 'POST', '/swarm/init'],
    ['install plugins', 'POST', '/plugins/pull?remote=x'],
    ['prune', 'POST', '/containers/prune'],
    ['see the disk', 'GET', '/system/df'],
    ['take another version', 'GET', '/v1.41/info'],
  ];
  test.each(CALLS)('cannot %s', async (_what, method, path) => {
    const { status, text } = await call(method, path.replace('ID', foreign.id), method === 'POST' ? {} : undefined);
    expect({ status, text }).toMatchObject({ status: 403 });
  });

  test('reaches no container of others, and does not see them', async () => {
    const target = `/containers/${foreign.id}`;
    for (const [method, path] of [
      ['POST', `${target}/start`],
      ['POST', `${target}/kill?signal=SIGKILL`],
      ['POST', `${target}/rename?name=run-x-1`],
      ['POST', `${target}/wait?condition=removed`],
      ['GET', `${target}/json`],
      ['GET', `${target}/stats?stream=false&one-shot=true`],
      ['DELETE', `${target}?force=true&v=true`],
    ] as const)
      expect(await call(method, path)).toMatchObject({ status: 403 });
    const filters = encodeURIComponent('{"label":["sandbox.owner"]}');
    const list = await call('GET', `/containers/json?all=true&filters=${filters}`);
    const listed = JSON.parse(list.text) as { Id: string; Labels: Record<string, string> }[];
    expect(listed.length).toBeGreaterThan(0);
    expect(listed.filter((each) => !(each.Labels['sandbox.fleet'] ?? '').startsWith(stack().prefix))).toEqual([]);
    expect((await foreign.inspect()).State.Status).toBe('created');
  });
});
