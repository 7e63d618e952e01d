// Visitors against gateways that act: what they do when sockets are lost, and that the checker takes what they saw.
import { afterEach, expect, test } from 'vitest';
import { until } from '@rungrid/testkit/until';
import { judge, outputOf } from './checker.js';
import { counter, dialogue, type Program } from './program.js';
import { ScriptedService } from './scripted-service.js';
import { Seeded } from './seeded.js';
import { type Habits, type Visit, Visitor } from './visitor.js';

const PROGRAMS: Program[] = [counter(1, { lines: 100, pauseMs: 0 }), dialogue(2, { questions: 20 })];
const KEEPS: Habits = { keeps: 1, drops: 0, fades: 0 };

let service: ScriptedService;
afterEach(() => service.close());

async function setUp(habits: Habits, programs = PROGRAMS) {
  service = new ScriptedService(programs);
  const gateways = [await service.gateway()];
  const town = { gateways: () => gateways.map(({ url }) => ({ url })), mint: () => 'token' };
  return { gateways, visitor: new Visitor(town, { random: new Seeded(1), habits }) };
}

function expectWhole(visit: Visit, program: Program): void {
  expect(judge(visit)).toMatchObject({ ending: 'exited', violations: [] });
  expect(outputOf(visit.legs)).toBe(program.output);
}

test.each(PROGRAMS)('program $number is seen to its end on one socket', async (program) => {
  const { visitor } = await setUp({ keeps: 0, drops: 0, fades: 0 });
  const visit = await visitor.run(program);
  expectWhole(visit, program);
  expect(visit.legs).toHaveLength(1);
  expect(visit.firstByteMs).toBeGreaterThanOrEqual(0);
  visitor.leave();
});

test.each(PROGRAMS)('program $number goes on, unbroken, on another gateway when its own dies', async (program) => {
  const { visitor, gateways } = await setUp(KEEPS);
  const running = visitor.run(program);
  await until(() => visitor.seen > 10, { what: 'the middle of its output', everyMs: 1 });
  const [first] = gateways.splice(0, 1, await service.gateway());
  first?.kill();
  const visit = await running;
  expectWhole(visit, program);
  expect(visit.legs.length).toBeGreaterThan(1);
  visitor.leave();
});

test.each(PROGRAMS)('program $number goes on, unbroken, after the visitor’s own network failed', async (program) => {
  const { visitor } = await setUp({ keeps: 1, drops: 1, fades: 0 });
  const visit = await visitor.run(program);
  expectWhole(visit, program);
  expect(visit.legs).toHaveLength(2);
  visitor.leave();
});

test.each(PROGRAMS)('program $number goes on, unbroken, while its old socket looks alive', async (program) => {
  const { visitor } = await setUp({ keeps: 1, drops: 0, fades: 1 });
  const visit = await visitor.run(program);
  expectWhole(visit, program);
  expect(visit.legs.map((leg) => leg.lost)).toEqual([true, false]);
  visitor.leave();
});

test('a run that is lost with its worker ends by the answer to resume', async () => {
  const { visitor, gateways } = await setUp(KEEPS);
  const running = visitor.run(counter(1, { lines: 100, pauseMs: 0 }));
  await until(() => visitor.seen > 10, { what: 'the middle of its output', everyMs: 1 });
  const [first] = gateways.splice(0, 1, await service.gateway());
  service.forget();
  first?.kill();
  expect(judge(await running)).toMatchObject({ ending: 'resume_failed', violations: [] });
  visitor.leave();
});

test('a run that is not to be kept ends with its socket', async () => {
  const { visitor, gateways } = await setUp({ keeps: 0, drops: 0, fades: 0 });
  const running = visitor.run(counter(1, { lines: 100, pauseMs: 0 }));
  await until(() => visitor.seen > 10, { what: 'the middle of its output', everyMs: 1 });
  gateways[0]?.kill();
  expect(judge(await running)).toMatchObject({ ending: 'socket_lost', violations: [] });
  visitor.leave();
});

test('a refusal is recorded with its time', async () => {
  const { visitor } = await setUp(KEEPS, []);
  const visit = await visitor.run(counter(9, { lines: 1, pauseMs: 0 }));
  expect(judge(visit)).toMatchObject({ ending: 'refused overloaded', accepted: false, violations: [] });
  expect(visit.refusedMs).toBeGreaterThanOrEqual(0);
  visitor.leave();
});
