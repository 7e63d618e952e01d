// What a container may be: a worker's body passes whole; without a field, with another value or with an extra field, it does not.
import { SECCOMP_PROFILE, SECCOMP_PROFILE_ABSENT_PASSES } from '@rungrid/sandbox/seccomp';
import { describe, expect, it } from 'vitest';
import { IMAGE, POLICY, sandboxBody } from '../testkit/sandbox-body.js';
import { checkUpdate, type CreatePolicy, createBodyCheck } from './create-body.js';

const check = (body: unknown, policy: Partial<CreatePolicy> = {}) => checkText(JSON.stringify(body), policy);
const checkText = (text: string | Buffer, policy: Partial<CreatePolicy> = {}) =>
  createBodyCheck({ ...POLICY, ...policy })(Buffer.from(text));
const refusal = expect.objectContaining({ name: 'Refusal', reason: 'bad_body' });

/** The body with the value at a path replaced. */
function changed(path: string, value: unknown): unknown {
  const body: Record<string, unknown> = sandboxBody();
  const keys = path.split('/');
  const last = keys.pop() ?? '';
  let at = body;
  for (const key of keys) at = at[key] as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return body;
}

/** Paths of all fields; labels and tmpfs hold keys with dots and slashes of their own. */
const FIELDS = Object.keys(sandboxBody());
const HOST_FIELDS = Object.keys(sandboxBody().HostConfig).map((key) => `HostConfig/${key}`);

it('passes the body of a worker whole', () => {
  const { image, json } = check(sandboxBody());
  expect(image).toBe(IMAGE);
  expect(JSON.parse(json)).toEqual(sandboxBody());
});

describe('a field', () => {
  it.each([...FIELDS, ...HOST_FIELDS])('%s may not be missing', (path) => {
    expect(() => check(changed(path, undefined))).toThrow(refusal);
  });
  it.each([...FIELDS, ...HOST_FIELDS])('%s may not be null', (path) => {
    expect(() => check(changed(path, null))).toThrow(refusal);
  });
  it.each([...FIELDS, ...HOST_FIELDS])('%s may not be spelled in another case', (path) => {
    const key = path.split('/').at(-1) ?? '';
    const other = path.replace(key, key.toLowerCase());
    const value = path.startsWith('HostConfig/') ? sandboxBody().HostConfig[key] : sandboxBody()[key];
    expect(() => check(changed(other, value))).toThrow(/is not allowed/);
  });
});

const HOST_CONFIG_OF_OTHERS: Record<string, unknown> = {
  Binds: ['/:/host'],
  Mounts: [{ Type: 'bind', Source: '/', Target: '/host' }],
  Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/sda', CgroupPermissions: 'rwm' }],
  DeviceCgroupRules: ['a *:* rwm'],
  DeviceRequests: [{ Count: -1, Capabilities: [['gpu']] }],
  VolumesFrom: ['postgres'],
  VolumeDriver: 'local',
  PidMode: 'host',
  UsernsMode: 'host',
  UTSMode: 'host',
  Cgroup: 'container:x',
  CgroupParent: '/',
  CapAdd: ['SYS_ADMIN'],
  Capabilities: ['CAP_SYS_ADMIN'],
  Sysctls: { 'kernel.core_pattern': '|/x' },
  ExtraHosts: ['a:1.2.3.4'],
  Dns: ['1.2.3.4'],
  Links: ['postgres'],
  PortBindings: { '80/tcp': [{ HostPort: '80' }] },
  PublishAllPorts: true,
  GroupAdd: ['0'],
  MaskedPaths: [],
  ReadonlyPaths: [],
  ShmSize: 1,
  StorageOpt: { size: '1T' },
  Runtime: 'kata',
  OomKillDisable: true,
  MemoryReservation: 1,
  KernelMemory: 1,
  CpuQuota: 1,
  CpuRealtimeRuntime: 1,
  CpusetCpus: '0',
  BlkioWeight: 10,
  Isolation: 'hyperv',
  ContainerIDFile: '/etc/x',
  Annotations: { a: 'b' },
};
const FIELDS_OF_OTHERS: Record<string, unknown> = {
  Entrypoint: ['/bin/sh'],
  Volumes: { '/data': {} },
  ExposedPorts: { '80/tcp': {} },
  Healthcheck: { Test: ['CMD', 'x'] },
  Domainname: 'x',
  MacAddress: '00:00:00:00:00:00',
  NetworkingConfig: { EndpointsConfig: { host: {} } },
  OnBuild: ['RUN x'],
  Shell: ['/bin/sh'],
  StopSignal: 'SIGCONT',
  ArgsEscaped: true,
};

describe('an extra field', () => {
  it.each(Object.entries(HOST_CONFIG_OF_OTHERS))('HostConfig.%s is refused', (name, value) => {
    expect(() => check(changed(`HostConfig/${name}`, value))).toThrow(/is not allowed/);
    // Also when it is null: an unknown field has no harmless value.
    expect(() => check(changed(`HostConfig/${name}`, null))).toThrow(/is not allowed/);
  });
  it.each(Object.entries(FIELDS_OF_OTHERS))('%s is refused', (name, value) => {
    expect(() => check(changed(name, value))).toThrow(/is not allowed/);
  });
  it.each(['HostConfig', '__proto__', 'constructor', 'toString'])(
    '%s, which objects have by nature, is refused',
    (name) => {
      const text = JSON.stringify(sandboxBody()).replace('{"AutoRemove"', `{"${name}":{},"AutoRemove"`);
      expect(() => checkText(text)).toThrow(/is not allowed/);
    },
  );
});

const labels = (change: object) => ({ ...(sandboxBody()['Labels'] as object), ...change });
const tmp = (options: string) => ({ ...(sandboxBody().HostConfig['Tmpfs'] as object), '/tmp': options });
const VALUES: readonly [string, unknown][] = [
  ['Image', 'rungrid/python:0123456789ab'],
  ['Image', IMAGE.toUpperCase()],
  ['Image', `${IMAGE}\n`],
  ['Image', 'sha256:1234'],
  ['Cmd', 'sh -c x'],
  ['Cmd', ['a\0b']],
  ['Cmd', [1]],
  ['Cmd', Array.from({ length: 65 }, () => 'x')],
  ['Env', ['NAME']],
  ['Env', ['=x']],
  ['Env', ['A=\0']],
  ['User', ''],
  ['User', '0:0'],
  ['User', 'root'],
  ['User', '20001'],
  ['User', '20001:0'],
  ['User', '020001:020001'],
  ['User', '999:999'],
  ['Hostname', 'other'],
  ['WorkingDir', '/'],
  ['Labels', {}],
  ['Labels', labels({ 'sandbox.fleet': 'other' })],
  ['Labels', labels({ 'sandbox.owner': 'w/x' })],
  ['Labels', labels({ 'com.x': 'y' })],
  ['Labels', labels({ 'sandbox.language': '../c' })],
  ['Labels', labels({ 'sandbox.uid': '0' })],
  ['Labels', labels({ 'sandbox.kind': 'root' })],
  ['Labels', labels({ 'sandbox.kind': '' })],
  ['AttachStdin', false],
  ['OpenStdin', 1],
  ['StdinOnce', false],
  ['Tty', true],
  ['StopTimeout', 600],
  ['NetworkDisabled', false],
  ['NetworkDisabled', 'true'],
  ['HostConfig/AutoRemove', false],
  ['HostConfig/RestartPolicy', { Name: 'always' }],
  ['HostConfig/RestartPolicy', { Name: 'no', MaximumRetryCount: 1 }],
  ['HostConfig/NetworkMode', 'host'],
  ['HostConfig/NetworkMode', 'bridge'],
  ['HostConfig/NetworkMode', 'container:x'],
  ['HostConfig/Memory', 0],
  ['HostConfig/Memory', -1],
  ['HostConfig/Memory', 536_870_913],
  ['HostConfig/Memory', '134217728'],
  ['HostConfig/Memory', 134_217_728.5],
  ['HostConfig/MemorySwap', -1],
  ['HostConfig/MemorySwap', 0],
  ['HostConfig/MemorySwap', 268_435_456],
  ['HostConfig/NanoCpus', 0],
  ['HostConfig/NanoCpus', 1_000_000_001],
  ['HostConfig/PidsLimit', 0],
  ['HostConfig/PidsLimit', -1],
  ['HostConfig/PidsLimit', 257],
  ['HostConfig/OomScoreAdj', -1000],
  ['HostConfig/ReadonlyRootfs', false],
  ['HostConfig/Tmpfs', {}],
  ['HostConfig/Tmpfs', { '/etc': 'rw,exec,nosuid,nodev,mode=1777,size=1000,nr_inodes=16' }],
  ['HostConfig/Tmpfs', { ...tmp('rw,exec,nosuid,nodev,mode=1777,size=1000,nr_inodes=16'), '/x': '' }],
  ['HostConfig/Tmpfs', tmp('')],
  ['HostConfig/Tmpfs', tmp('rw,exec,mode=1777,size=1000,nr_inodes=16')],
  ['HostConfig/Tmpfs', tmp('rw,exec,nosuid,dev,mode=1777,size=1000,nr_inodes=16')],
  ['HostConfig/Tmpfs', tmp('rw,exec,nosuid,nodev,mode=1777,size=1000,nr_inodes=16,suid')],
  ['HostConfig/Tmpfs', tmp('rw,exec,nosuid,nodev,mode=1777,size=67108865,nr_inodes=16')],
  ['HostConfig/Tmpfs', tmp('rw,exec,nosuid,nodev,mode=1777,size=1000g,nr_inodes=16')],
  ['HostConfig/Tmpfs', tmp('rw,exec,nosuid,nodev,mode=1777,size=1000,nr_inodes=4097')],
  ['HostConfig/Tmpfs', tmp('rw,exec,nosuid,nodev,mode=1777,size=1000,nr_inodes=0')],
  ['HostConfig/IpcMode', 'host'],
  ['HostConfig/IpcMode', 'shareable'],
  ['HostConfig/CapDrop', []],
  ['HostConfig/CapDrop', ['NET_RAW']],
  ['HostConfig/CapDrop', ['ALL', 'ALL']],
  ['HostConfig/SecurityOpt', []],
  ['HostConfig/SecurityOpt', ['no-new-privileges']],
  ['HostConfig/SecurityOpt', [`seccomp=${SECCOMP_PROFILE}`, 'no-new-privileges']],
  ['HostConfig/SecurityOpt', ['no-new-privileges', 'seccomp=unconfined']],
  ['HostConfig/SecurityOpt', ['no-new-privileges', `seccomp=${SECCOMP_PROFILE} `]],
  ['HostConfig/SecurityOpt', ['no-new-privileges', 'seccomp={"defaultAction":"SCMP_ACT_ERRNO"}']],
  ['HostConfig/SecurityOpt', ['no-new-privileges', `seccomp=${SECCOMP_PROFILE}`, 'apparmor=unconfined']],
  ['HostConfig/SecurityOpt', ['no-new-privileges', 'systempaths=unconfined']],
  ['HostConfig/Privileged', true],
  ['HostConfig/CgroupnsMode', 'host'],
  ['HostConfig/LogConfig', { Type: 'json-file', Config: {} }],
  ['HostConfig/LogConfig', { Type: 'none', Config: { a: 'b' } }],
  ['HostConfig/Ulimits', []],
  ['User', '20002:20002'],
  ['Labels', labels({ 'sandbox.uid': '20002' })],
  ['HostConfig/Init', true],
];

it.each(VALUES)('%s may not be %j', (path, value) => {
  expect(() => check(changed(path, value))).toThrow(refusal);
});

describe('the machine’s pseudo terminals', () => {
  const HIDDEN = 'ro,noexec,nosuid,nodev,mode=555,size=4k,nr_inodes=1';
  const sandbox = (kind: string, tmpfs: object) => {
    const body = sandboxBody();
    body['Labels'] = labels({ 'sandbox.kind': kind });
    const { '/tmp': own } = body.HostConfig['Tmpfs'] as Record<string, string>;
    body.HostConfig['Tmpfs'] = { '/tmp': own, ...tmpfs };
    return body;
  };

  it('are seen by a program on a terminal', () => {
    const body = sandbox('tty', {});
    expect(JSON.parse(check(body).json)).toEqual(body);
  });
  it.each(['pipe', 'compile'])('are hidden from a sandbox of kind %s', (kind) => {
    expect(() => check(sandbox(kind, {}))).toThrow(/\/dev\/pts: is missing/);
    const body = sandbox(kind, { '/dev/pts': HIDDEN });
    expect(JSON.parse(check(body).json)).toEqual(body);
  });
  it.each(['', 'rw', HIDDEN.replace('ro,', 'rw,'), HIDDEN.replace('nr_inodes=1', 'nr_inodes=100'), `${HIDDEN},suid`])(
    'are hidden by nothing but an empty folder, so not by %j',
    (options) => {
      for (const kind of ['pipe', 'tty']) expect(() => check(sandbox(kind, { '/dev/pts': options }))).toThrow(refusal);
    },
  );
});

describe('limits of processes', () => {
  const limits = () => sandboxBody().HostConfig['Ulimits'] as { Name: string; Soft: number; Hard: number }[];
  it.each([
    ['one twice', (all: ReturnType<typeof limits>) => [...all.slice(1), ...all.slice(-1)]],
    ['one more', (all: ReturnType<typeof limits>) => [...all, { Name: 'cpu', Soft: 1, Hard: 1 }]],
    ['soft below hard', (all: ReturnType<typeof limits>) => all.map((each) => ({ ...each, Soft: 0, Hard: 1 }))],
    ['a higher one', (all: ReturnType<typeof limits>) => all.map((each) => ({ ...each, Soft: 1e9, Hard: 1e9 }))],
    ['none', (all: ReturnType<typeof limits>) => all.map((each) => ({ ...each, Soft: -1, Hard: -1 }))],
  ])('%s is refused', (_what, change) => {
    expect(() => check(changed('HostConfig/Ulimits', change(limits())))).toThrow(refusal);
  });
});

describe('what is configured', () => {
  const runtime = changed('HostConfig/Runtime', 'kata');
  const group = changed('HostConfig/CgroupParent', '/rungrid');
  const own = (text: string) => changed('HostConfig/SecurityOpt', ['no-new-privileges', `seccomp=${text}`]);

  it('allows a runtime on the list', () => {
    expect(() => check(runtime)).toThrow(refusal);
    expect(() => check(runtime, { runtimes: ['runsc'] })).toThrow(refusal);
    expect(JSON.parse(check(runtime, { runtimes: ['kata'] }).json)).toEqual(runtime);
  });

  it('requires the configured control group', () => {
    expect(() => check(group)).toThrow(refusal);
    expect(JSON.parse(check(group, { cgroupParent: '/rungrid' }).json)).toEqual(group);
    expect(() => check(sandboxBody(), { cgroupParent: '/rungrid' })).toThrow(refusal);
    expect(() => check(group, { cgroupParent: '/other' })).toThrow(refusal);
  });

  it('allows the engine’s own system call filter, and still no other', () => {
    const none = changed('HostConfig/SecurityOpt', ['no-new-privileges']);
    expect(JSON.parse(check(none, { seccomp: 'engine' }).json)).toEqual(none);
    expect(() => check(none, { seccomp: 'denying' })).toThrow(refusal);
    expect(() => check(own('unconfined'), { seccomp: 'engine' })).toThrow(refusal);
    expect(() => check(changed('HostConfig/SecurityOpt', []), { seccomp: 'engine' })).toThrow(refusal);
  });

  it('allows another profile that denies by default, rebuilt', () => {
    const denying = { seccomp: 'denying' } as const;
    const text = '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}';
    expect(JSON.parse(check(own(text), denying).json)).toEqual(own(text));
    for (const bad of [
      'unconfined',
      '',
      '{}',
      'null',
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}',
      '{"defaultAction":"SCMP_ACT_LOG","syscalls":[]}',
      '{"defaultAction":"SCMP_ACT_ERRNO","DefaultAction":"SCMP_ACT_ALLOW","syscalls":[]}',
      '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[],"flags":["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}',
      '{"defaultAction":"SCMP_ACT_ERRNO","defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}',
    ])
      expect(() => check(own(bad), denying)).toThrow(refusal);
    const twice = '{"defaultAction":"SCMP_ACT_ALLOW","defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}';
    expect(JSON.parse(check(own(twice), denying).json)).toEqual(own(text));
  });
});

describe('smuggling by JSON', () => {
  const text = JSON.stringify(sandboxBody());

  it('checks the last of two equal keys, and sends only that one', () => {
    const { json } = checkText(text.replace('"Privileged":false', '"Privileged":true,"Privileged":false'));
    expect(json.match(/privileged"/gi)).toHaveLength(1);
    expect(JSON.parse(json)).toEqual(sandboxBody());
    expect(() => checkText(text.replace('"Privileged":false', '"Privileged":false,"Privileged":true'))).toThrow(
      refusal,
    );
    expect(() => checkText(text.replace(/}$/, ',"HostConfig":{"Privileged":true}}'))).toThrow(refusal);
  });

  it.each(['privileged', 'PRIVILEGED', 'privilege\u0064', 'ſ'])('refuses a second key in another case: %s', (key) => {
    const name = key === 'ſ' ? 'Bindſ' : key;
    const sent = key === 'privilege\u0064' ? String.raw`privilege\u0064` : name;
    expect(() => checkText(text.replace('"Privileged":false', `"Privileged":false,"${sent}":true`))).toThrow(
      /is not allowed/,
    );
    expect(() => checkText(text.replace(/}$/, `,"${sent}":true}`))).toThrow(/is not allowed/);
  });

  it('decodes an escaped key, and sends the plain one', () => {
    const { json } = checkText(text.replace('"Privileged"', String.raw`"\u0050rivileged"`));
    expect(json).toBe(text);
  });

  it.each([
    ['nothing', ''],
    ['no object', '[]'],
    ['null', 'null'],
    ['something behind it', `${text}{}`],
    ['something behind a NUL', `${text}\0{}`],
    ['a byte order mark', `\ufeff${text}`],
    ['a comment', `/**/${text}`],
    ['another number form', text.replace('"StopTimeout":0', '"StopTimeout":00')],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')])],
    ['great depth', '['.repeat(30_000)],
  ])('refuses %s', (_what, bytes) => {
    expect(() => checkText(bytes)).toThrow(refusal);
  });
});

describe('another runtime', () => {
  const gvisor = () => {
    const body = sandboxBody();
    body['Entrypoint'] = ['/rungrid/agent-readable'];
    Object.assign(body.HostConfig, {
      Runtime: 'runsc',
      PidsLimit: 576,
      SecurityOpt: ['no-new-privileges', `seccomp=${SECCOMP_PROFILE_ABSENT_PASSES}`],
    });
    return body;
  };

  it('comes with its own entry point, filter and task count where it is configured', () => {
    expect(JSON.parse(check(gvisor(), { runtimes: ['runsc'] }).json)).toEqual(gvisor());
  });
  it('is refused where it is not configured, with any part of that', () => {
    expect(() => check(gvisor())).toThrow(refusal);
    expect(() => check({ ...sandboxBody(), Entrypoint: ['/rungrid/agent-readable'] })).toThrow(/Entrypoint/);
    const filtered = sandboxBody();
    filtered.HostConfig['SecurityOpt'] = ['no-new-privileges', `seccomp=${SECCOMP_PROFILE_ABSENT_PASSES}`];
    expect(() => check(filtered)).toThrow(/SecurityOpt/);
  });
  it('allows no other entry point', () => {
    expect(() => check({ ...gvisor(), Entrypoint: ['/bin/sh'] }, { runtimes: ['runsc'] })).toThrow(/Entrypoint/);
  });
});

describe('a change of a container', () => {
  it('is the whole CPU that a killed one gets', () => {
    expect(checkUpdate(Buffer.from('{"NanoCpus": 1000000000}'))).toBe('{"NanoCpus":1000000000}');
  });
  it.each(['{}', '', '{"NanoCpus":4000000000}', '{"NanoCpus":1000000000,"Memory":0}', '{"nanocpus":1000000000}'])(
    '%s is refused',
    (text) => {
      expect(() => checkUpdate(Buffer.from(text))).toThrow(refusal);
    },
  );
});
