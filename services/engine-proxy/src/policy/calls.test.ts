// The table of calls: a worker's request is accepted and rebuilt, and every other spelling of it is refused.
import { describe, expect, it } from 'vitest';
import { engineRequest, parseCall } from './calls.js';
import { Refusal } from './refusal.js';

const ID = 'a'.repeat(64);
const FILTERS = encodeURIComponent('{"label":["sandbox.owner"]}');
const EVENTS = encodeURIComponent(
  '{"type":["container"],"event":["oom","die","destroy"],"label":["sandbox.owner=w-1"]}',
);

const TAKEN: readonly [string, string, object][] = [
  ['GET', '/_ping', { verb: 'ping' }],
  ['GET', '/info', { verb: 'info' }],
  ['GET', `/containers/json?all=true&filters=${FILTERS}`, { verb: 'list' }],
  ['GET', '/images/rungrid%2Fpython%3A0123456789ab/json', { verb: 'image', image: 'rungrid/python:0123456789ab' }],
  ['GET', `/images/sha256%3A${ID}/json`, { verb: 'image', image: `sha256:${ID}` }],
  ['POST', '/containers/create?name=warm-c__-00ff-1900000000', { verb: 'create', name: 'warm-c__-00ff-1900000000' }],
  ['POST', `/containers/${ID}/attach?stream=1&stdin=1&stdout=1&stderr=1`, { verb: 'attach', container: ID }],
  ['POST', `/containers/${ID}/start`, { verb: 'start', container: ID }],
  ['POST', `/containers/${ID}/kill?signal=SIGKILL`, { verb: 'kill', container: ID }],
  ['POST', `/containers/${ID}/update`, { verb: 'update', container: ID }],
  [
    'POST',
    `/containers/${ID}/rename?name=run-r_1-1900000000`,
    { verb: 'rename', container: ID, name: 'run-r_1-1900000000' },
  ],
  ['DELETE', '/containers/warm-c-00ff-19?force=true&v=true', { verb: 'remove', container: 'warm-c-00ff-19' }],
  ['POST', `/containers/${ID}/wait?condition=removed`, { verb: 'wait', container: ID }],
  ['GET', `/containers/${ID}/json`, { verb: 'inspect', container: ID }],
  ['GET', `/containers/${ID}/stats?stream=false&one-shot=true`, { verb: 'stats', container: ID }],
  ['GET', `/events?filters=${EVENTS}`, { verb: 'events', owner: 'w-1' }],
];

describe('the calls of a worker', () => {
  it.each(TAKEN)('%s %s is accepted', (method, target, call) => {
    expect(parseCall(method, target)).toEqual(call);
  });

  it.each(TAKEN)('%s %s is rebuilt to the same request', (method, target) => {
    const call = parseCall(method, target);
    const container = 'container' in call ? { container: call.container } : {};
    expect(engineRequest(call, container)).toMatchObject({ method, target });
  });
});

const REFUSED: Readonly<Record<string, readonly [string, string][]>> = {
  'a version before it': TAKEN.map(([method, target]) => [method, `/v1.41${target}`]),
  'a slash more': TAKEN.map(([method, target]) => [method, `/${target}`]),
  'a dot segment': TAKEN.map(([method, target]) => [method, `/x/..${target}`]),
  'a fragment': TAKEN.map(([method, target]) => [method, `${target}#x`]),
  'a parameter more': TAKEN.map(([method, target]) => [method, `${target}${target.includes('?') ? '&' : '?'}x=1`]),
  'a semicolon in it': TAKEN.map(([method, target]) => [method, `${target};x=1`]),
  'a line end behind it': TAKEN.map(([method, target]) => [method, `${target}\n`]),
  'a host before it': TAKEN.map(([method, target]) => [method, `http://docker${target}`]),
  'upper case': TAKEN.map(([method, target]) => [method, target.toUpperCase()]),
  'a lower case method': TAKEN.map(([method, target]) => [method.toLowerCase(), target]),
  'another method': TAKEN.map(([method, target]) => [method === 'GET' ? 'POST' : 'GET', target]),
  'HEAD, OPTIONS, PUT': ['HEAD', 'OPTIONS', 'PUT'].map((method) => [method, '/_ping']),
  'an encoded letter': [
    ['GET', '/%69nfo'],
    ['POST', `/containers/${ID}/%73tart`],
    ['POST', `/containers%2F${ID}/start`],
    ['GET', '/images/rungrid%2fpython/json'],
    ['GET', '/images/rungrid%252Fpython/json'],
    ['GET', '/images/%72ungrid/json'],
    ['GET', '/images/%ff/json'],
    ['GET', '/images/%2/json'],
  ],
  'an image that climbs': [
    ['GET', '/images/rungrid%2F..%2Fdebian/json'],
    ['GET', '/images/..%2Fcontainers%2Fx/json'],
    ['GET', '/images/rungrid%2F%2Fpython/json'],
    ['GET', '/images/rungrid/python/json'],
    ['GET', '/images/Rungrid%2Fpython/json'],
    ['GET', '/images/rungrid%2Fpython%0A/json'],
  ],
  'a container named otherwise': [
    ['POST', `/containers/${ID.slice(0, 12)}/start`],
    ['POST', `/containers/${ID.toUpperCase()}/start`],
    ['POST', '/containers/postgres/start'],
    ['POST', '/containers/warm-../start'],
    ['POST', '/containers/warm-a%2F..%2Fx/start'],
    ['DELETE', '/containers/?force=true&v=true'],
  ],
  'other parameters': [
    ['POST', '/containers/create'],
    ['POST', '/containers/create?name=postgres'],
    ['POST', '/containers/create?name=warm-c-1-1&name=x'],
    ['POST', '/containers/create?name=warm-c-1-1&platform=linux%2Farm64'],
    ['POST', `/containers/${ID}/attach?stream=1&stdin=1&stdout=1&stderr=1&logs=1`],
    ['POST', `/containers/${ID}/attach?stdin=1&stream=1&stdout=1&stderr=1`],
    ['POST', `/containers/${ID}/start?detachKeys=a`],
    ['POST', `/containers/${ID}/start?checkpoint=x&checkpoint-dir=%2F`],
    ['POST', `/containers/${ID}/rename?name=postgres`],
    ['DELETE', `/containers/${ID}?force=true&v=true&link=true`],
    ['POST', `/containers/${ID}/wait`],
    ['GET', `/containers/${ID}/json?size=true`],
    ['GET', `/containers/${ID}/stats`],
    ['GET', '/containers/json'],
    ['GET', '/containers/json?all=true'],
    ['GET', `/containers/json?filters=${FILTERS}&all=true`],
    ['GET', `/containers/json?all=true&filters=${encodeURIComponent('{"label":["x"]}')}`],
    ['GET', '/events'],
    ['GET', `/events?filters=${encodeURIComponent('{"type":["container"]}')}`],
    ['GET', `/events?filters=${EVENTS.replace('w-1', '')}`],
    ['GET', `/events?filters=${EVENTS.replace('w-1', 'w%22%2C%22a')}`],
  ],
  'a call of others': [
    ['GET', '/version'],
    ['POST', '/build'],
    ['POST', '/commit'],
    ['POST', '/session'],
    ['POST', '/grpc'],
    ['POST', '/auth'],
    ['GET', '/images/json'],
    ['POST', '/images/create?fromImage=x'],
    ['POST', '/images/load'],
    ['GET', '/images/rungrid%2Fpython/get'],
    ['DELETE', '/images/rungrid%2Fpython'],
    ['POST', `/containers/${ID}/exec`],
    ['POST', `/exec/${ID}/start`],
    ['POST', `/containers/${ID}/update?x=1`],
    ['POST', `/containers/${ID}/kill`],
    ['POST', `/containers/${ID}/pause`],
    ['GET', `/containers/${ID}/logs?stdout=1`],
    ['GET', `/containers/${ID}/export`],
    ['GET', `/containers/${ID}/attach/ws`],
    ['PUT', `/containers/${ID}/archive?path=%2F`],
    ['GET', `/containers/${ID}/archive?path=%2F`],
    ['POST', '/containers/prune'],
    ['POST', '/volumes/create'],
    ['GET', '/volumes'],
    ['POST', '/networks/create'],
    ['POST', '/swarm/init'],
    ['POST', '/services/create'],
    ['POST', '/secrets/create'],
    ['POST', '/plugins/pull?remote=x'],
    ['GET', '/system/df'],
    ['GET', '/'],
    ['GET', ''],
    ['OPTIONS', '*'],
  ],
};

describe.each(Object.entries(REFUSED))('%s', (_what, requests) => {
  it.each(requests)('refuses %s %s', (method, target) => {
    expect(() => parseCall(method, target)).toThrow(
      expect.objectContaining({ name: 'Refusal', reason: 'not_allowed' }),
    );
  });
});

it('quotes and bounds text of a request', () => {
  const thrown = (() => {
    try {
      return parseCall('GET', `/${'x'.repeat(5000)}"\u001b[31m`);
    } catch (error) {
      return error;
    }
  })();
  expect(thrown).toBeInstanceOf(Refusal);
  expect((thrown as Refusal).message.length).toBeLessThan(200);
  expect(() => parseCall('GET', '/"\u001b[31m')).toThrow(String.raw`"GET /\"\u001b[31m"`);
});
