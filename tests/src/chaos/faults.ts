// What each kind of fault does to a fleet, and how it is mended.
import type { FaultKind, PlannedFault } from '../testkit/chaos/plan.js';
import type { EngineProxy } from '../testkit/engine-proxy.js';
import type { Fleet, Place } from './fleet.js';

/** Ends the fault. Rejects when a process does not recover. */
export type Mend = () => Promise<void>;
type Fault = (fleet: Fleet, planned: PlannedFault) => Mend | Promise<Mend>;

const nothing: Mend = async () => undefined;

/** Does it. Resolves once it is in force. */
export async function strike(fleet: Fleet, planned: PlannedFault): Promise<Mend> {
  return FAULTS[planned.kind](fleet, planned);
}

/** What it is done to, for the log. */
export function targetOf(fleet: Fleet, planned: PlannedFault): string {
  for (const only of ['Redis', 'engine proxy']) if (planned.kind.startsWith(only)) return only;
  return planned.kind.startsWith('gateway') ? gateway(fleet, planned).name : worker(fleet, planned).name;
}

const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  'gateway killed': (fleet, planned) => killed(gateway(fleet, planned)),
  'gateway paused': (fleet, planned) => paused(gateway(fleet, planned)),
  'gateway drained': (fleet, planned) => drained(gateway(fleet, planned)),
  'gateway cut from Redis': (fleet, planned) => cut(gateway(fleet, planned).redis),
  'gateway reset from Redis': (fleet, planned) => reset(gateway(fleet, planned).redis),
  'gateway clock jumped': (fleet, planned) => jumped(gateway(fleet, planned), planned.jumpMs),
  'worker killed': (fleet, planned) => killed(worker(fleet, planned)),
  'worker paused': (fleet, planned) => paused(worker(fleet, planned)),
  'worker drained': (fleet, planned) => drained(worker(fleet, planned)),
  'worker cut from Redis': (fleet, planned) => cut(worker(fleet, planned).redis),
  'worker reset from Redis': (fleet, planned) => reset(worker(fleet, planned).redis),
  'worker cut from gateways': (fleet, planned) => cut(worker(fleet, planned).grpc),
  'worker reset from gateways': (fleet, planned) => reset(worker(fleet, planned).grpc),
  'worker clock jumped': (fleet, planned) => jumped(worker(fleet, planned), planned.jumpMs),
  'engine proxy killed': async (fleet) => {
    const proxy = engineProxy(fleet);
    await proxy.kill();
    return () => proxy.start();
  },
  'engine proxy paused': (fleet) => paused(engineProxy(fleet).process),
  'Redis paused': ({ stack }) => paused(stack.redis.process),
  'Redis flushed': async ({ stack }) => {
    await stack.redis.client.flushall();
    return nothing;
  },
  'Redis restarted with its data': async ({ stack }) => {
    await stack.redis.save();
    await stack.redis.kill();
    return () => stack.redis.start({ data: 'saved' });
  },
  // What it holds in the end is as old as the fault is long.
  'Redis restarted with old data': async ({ stack }) => {
    await stack.redis.save();
    return async () => {
      await stack.redis.kill();
      await stack.redis.start({ data: 'saved' });
    };
  },
  'Redis restarted empty': async ({ stack }) => {
    await stack.redis.kill();
    return () => stack.redis.start({ data: 'none' });
  },
};

function gateway(fleet: Fleet, { part }: PlannedFault): Place {
  return nth(fleet.gateways, part);
}

function worker(fleet: Fleet, { part }: PlannedFault): Place {
  return nth(fleet.workers, part);
}

function engineProxy({ stack }: Fleet): EngineProxy {
  if (stack.engineProxy === undefined) throw new Error('the fleet has no engine proxy');
  return stack.engineProxy;
}

function nth(places: readonly Place[], part: number): Place {
  const place = places[part % places.length];
  if (place === undefined) throw new Error('the fleet has no such part');
  return place;
}

async function killed(place: Place): Promise<Mend> {
  await place.kill();
  return () => place.start();
}

function paused(process: { signal(name: NodeJS.Signals): void }): Mend {
  process.signal('SIGSTOP');
  return async () => process.signal('SIGCONT');
}

function drained(place: Place): Mend {
  const { ended } = place.drain();
  // A failure is reported when the fault is mended.
  ended.catch(() => undefined);
  return async () => {
    await ended;
    await place.start();
  };
}

function cut(proxy: Place['grpc']): Mend {
  proxy?.cut();
  return async () => proxy?.restore();
}

function reset(proxy: Place['grpc']): Mend {
  proxy?.reset();
  return nothing;
}

function jumped(place: Place, jumpMs: number): Mend {
  place.setClock(jumpMs);
  return async () => place.setClock(0);
}
