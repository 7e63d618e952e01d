// The gate over a fake engine: which containers and images it allows, and what of an answer goes back.
import { describe, expect, it } from 'vitest';
import { IMAGE, POLICY, sandboxBody } from '../testkit/sandbox-body.js';
import { type Call, parseCall } from './calls.js';
import { Gate } from './gate.js';

import type { EngineAnswer, EngineRequest } from './ports.js';

const ID = 'c'.repeat(64);
const OTHER = 'd'.repeat(64);
const NAME = 'warm-python-00ff-1900000000';
const FLEET = { 'sandbox.fleet': 'rungrid' };
const BODY = Buffer.from(JSON.stringify(sandboxBody()));
const NONE = Buffer.alloc(0);

function answer(value: unknown, status = 200): EngineAnswer {
  return { status, contentType: 'application/json', body: Buffer.from(JSON.stringify(value)) };
}

/** A gate whose engine answers by target; it keeps what was asked. */
function gateOver(answers: Record<string, EngineAnswer>) {
  const asked: string[] = [];
  const call = async ({ method, target }: EngineRequest): Promise<EngineAnswer> => {
    asked.push(`${method} ${target}`);
    return answers[target] ?? answer({ message: 'no such thing' }, 404);
  };
  return { gate: new Gate({ call }, POLICY), asked };
}

const container = (id: string, labels: unknown) => answer({ Id: id, Config: { Labels: labels } });
const imageTarget = `/images/${encodeURIComponent(IMAGE)}/json`;
const refused = (reason: string) => expect.objectContaining({ name: 'Refusal', reason });

describe('containers', () => {
  const verbs: Call[] = [
    ...(['attach', 'start', 'remove', 'wait', 'inspect', 'stats'] as const).map((verb) => ({ verb, container: ID })),
    { verb: 'rename', container: ID, name: 'run-r-1' },
  ];

  it.each(verbs)('of others are refused: $verb', async (call) => {
    for (const labels of [undefined, null, {}, { 'sandbox.fleet': 'other' }, { 'sandbox.fleet': ['rungrid'] }]) {
      const { gate } = gateOver({ [`/containers/${ID}/json`]: container(ID, labels) });
      await expect(gate.permit(call, NONE)).rejects.toThrow(refused('foreign_container'));
    }
  });

  it('of the fleet and its self-test are allowed, and looked up once', async () => {
    const { gate, asked } = gateOver({
      [`/containers/${ID}/json`]: container(ID, { 'sandbox.fleet': 'rungrid-selftest' }),
    });
    for (const call of verbs) expect((await gate.permit(call, NONE)).target).toContain(ID);
    expect(asked).toEqual([`GET /containers/${ID}/json`]);
  });

  it('that do not exist are answered with 404', async () => {
    const { gate } = gateOver({});
    await expect(gate.permit({ verb: 'remove', container: NAME }, NONE)).rejects.toThrow(refused('no_such_container'));
  });

  it('by name go to the engine by id, and are looked up each time', async () => {
    const { gate, asked } = gateOver({ [`/containers/${NAME}/json`]: container(ID, FLEET) });
    const call = { verb: 'remove', container: NAME } as const;
    for (let time = 0; time < 2; time += 1)
      expect(await gate.permit(call, NONE)).toEqual({
        method: 'DELETE',
        target: `/containers/${ID}?force=true&v=true`,
      });
    expect(asked).toHaveLength(2);
  });

  it('created through the proxy are not looked up', async () => {
    const { gate, asked } = gateOver({});
    gate.narrow({ verb: 'create', name: NAME }, answer({ Id: ID, Warnings: [] }, 201));
    expect(await gate.permit({ verb: 'start', container: ID }, NONE)).toMatchObject({
      target: `/containers/${ID}/start`,
    });
    expect(asked).toEqual([]);
  });

  it('whose create failed are looked up', async () => {
    const { gate } = gateOver({});
    gate.narrow({ verb: 'create', name: NAME }, answer({ Id: ID }, 409));
    await expect(gate.permit({ verb: 'start', container: ID }, NONE)).rejects.toThrow(refused('no_such_container'));
  });

  it('are refused when the engine’s answer is invalid', async () => {
    const broken = { status: 200, contentType: 'text/plain', body: Buffer.from('<html>') };
    for (const each of [broken, answer({}, 500)]) {
      const { gate } = gateOver({ [`/containers/${ID}/json`]: each });
      await expect(gate.permit({ verb: 'start', container: ID }, NONE)).rejects.toThrow(refused('bad_answer'));
    }
  });

  it('get no body of the request', async () => {
    const { gate } = gateOver({ [`/containers/${ID}/json`]: container(ID, FLEET) });
    const start = await gate.permit({ verb: 'start', container: ID }, Buffer.from('{"Privileged":true}'));
    expect(start).toEqual({ method: 'POST', target: `/containers/${ID}/start` });
  });
});

describe('images', () => {
  it('are inspected by names on the list, or by id', async () => {
    const { gate } = gateOver({});
    for (const image of ['rungrid/python:0123456789ab', IMAGE])
      expect(await gate.permit({ verb: 'image', image }, NONE)).toMatchObject({ method: 'GET' });
    for (const image of ['debian:trixie-slim', 'rungrid', 'rungridx/python', 'x/rungrid/python'])
      await expect(gate.permit({ verb: 'image', image }, NONE)).rejects.toThrow(refused('foreign_image'));
  });

  it('run only when one of their names is on the list', async () => {
    const call = { verb: 'create', name: NAME } as const;
    for (const tags of [undefined, null, [], ['postgres:16'], 'rungrid/python:1'])
      await expect(gateOver({ [imageTarget]: answer({ RepoTags: tags }) }).gate.permit(call, BODY)).rejects.toThrow(
        refused('foreign_image'),
      );
    const { gate, asked } = gateOver({ [imageTarget]: answer({ RepoTags: ['x:1', 'rungrid/python:1'] }) });
    const { target, body } = await gate.permit(call, BODY);
    expect([target, body]).toEqual([`/containers/create?name=${NAME}`, BODY.toString()]);
    await gate.permit(call, BODY);
    expect(asked).toHaveLength(1);
  });

  it('run without a lookup once their name was inspected', async () => {
    const { gate, asked } = gateOver({});
    gate.narrow({ verb: 'image', image: 'rungrid/python:1' }, answer({ Id: IMAGE, Config: { Env: ['SECRET=1'] } }));
    await gate.permit({ verb: 'create', name: NAME }, BODY);
    expect(asked).toEqual([]);
  });

  it('do not become allowed by inspecting an id', async () => {
    const { gate } = gateOver({ [imageTarget]: answer({ RepoTags: ['postgres:16'] }) });
    gate.narrow({ verb: 'image', image: IMAGE }, answer({ Id: IMAGE }));
    await expect(gate.permit({ verb: 'create', name: NAME }, BODY)).rejects.toThrow(refused('foreign_image'));
  });
});

describe('answers', () => {
  const { gate } = gateOver({});
  const narrowed = (target: string, value: unknown) =>
    JSON.parse(gate.narrow(parseCall('GET', target), answer(value)).body.toString()) as unknown;

  it('about the engine hold the fields that a worker reads', () => {
    expect(narrowed('/info', { ID: 'x', CgroupVersion: '2', HttpProxy: 'http://u:p@x', Swarm: {} })).toEqual({
      ID: 'x',
      CgroupVersion: '2',
    });
  });

  it('about an image hold its id', () => {
    expect(narrowed('/images/rungrid%2Fc%3A1/json', { Id: IMAGE, Config: { Env: ['SECRET=1'] } })).toEqual({
      Id: IMAGE,
    });
  });

  it('list the fleet’s containers only', () => {
    const list = `/containers/json?all=true&filters=${encodeURIComponent('{"label":["sandbox.owner"]}')}`;
    const mine = { Id: ID, Labels: FLEET };
    expect(narrowed(list, [mine, { Id: OTHER, Labels: { 'sandbox.fleet': 'other' } }, { Id: OTHER }, null])).toEqual([
      mine,
    ]);
    expect(narrowed(list, { Id: ID })).toEqual([]);
  });

  it('with an error of the engine go back unchanged', () => {
    const conflict = answer({ message: 'conflict' }, 409);
    expect(gate.narrow({ verb: 'info' }, conflict)).toBe(conflict);
  });

  it('hold events of the fleet’s containers only', () => {
    const event = (attributes: unknown) =>
      Buffer.from(JSON.stringify({ Action: 'die', Actor: { ID, Attributes: attributes } }));
    expect(gate.isOwnEvent(event({ ...FLEET, exitCode: '0' }))).toBe(true);
    expect(gate.isOwnEvent(event({ 'sandbox.fleet': 'other' }))).toBe(false);
    expect(gate.isOwnEvent(Buffer.from('{}'))).toBe(false);
    expect(() => gate.isOwnEvent(Buffer.from('no'))).toThrow(refused('bad_answer'));
  });
});
