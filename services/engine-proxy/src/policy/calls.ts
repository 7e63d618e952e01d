// The calls that a worker makes, byte for byte: from a request line to a call, and from a call to the engine's request.
import { LABELS } from '@rungrid/sandbox/docker-body';
import type { EngineRequest } from './ports.js';
import { quoted, Refusal } from './refusal.js';

type ContainerVerb = 'attach' | 'start' | 'kill' | 'update' | 'remove' | 'wait' | 'inspect' | 'stats';

export type Call =
  | { readonly verb: 'ping' | 'info' | 'list' }
  | { readonly verb: 'image'; readonly image: string }
  | { readonly verb: 'create'; readonly name: string }
  | { readonly verb: ContainerVerb; readonly container: string }
  | { readonly verb: 'rename'; readonly container: string; readonly name: string }
  | { readonly verb: 'events'; readonly owner: string };

export type Verb = Call['verb'];

/** A whole id names one container only. A short one could name another. */
export const CONTAINER_ID = /^[0-9a-f]{64}$/;
export const IMAGE_ID = /^sha256:[0-9a-f]{64}$/;

const CONTAINER = '(?<container>[0-9a-f]{64}|(?:warm|run)-[A-Za-z0-9_-]{1,160})';
/** Image names without upper case, empty parts or `..`; `:` and `/` must be percent-encoded. */
const IMAGE = /^[a-z0-9]+(?:[._-][a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-][a-z0-9]+)*)*(?::[A-Za-z0-9_.-]{1,128})?$/;

const LIST_QUERY = `all=true&filters=${encodeURIComponent(JSON.stringify({ label: [LABELS.owner] }))}`;
const EVENTS_FILTERS = (owner: string): string =>
  JSON.stringify({ type: ['container'], event: ['oom', 'die', 'destroy'], label: [`${LABELS.owner}=${owner}`] });
const ATTACH_QUERY = 'stream=1&stdin=1&stdout=1&stderr=1';
const STATS_QUERY = 'stream=false&one-shot=true';

interface Rule {
  readonly method: EngineRequest['method'];
  readonly target: RegExp;
}

const exact = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const rule = (method: Rule['method'], target: string): Rule => ({ method, target: new RegExp(`^${target}$`) });

/**
 * One pattern per call, over the raw request target. There is no decoding before the match, no version prefix and no optional part,
 * so that no target matches that the engine would read differently.
 */
const RULES: Record<Verb, Rule> = {
  ping: rule('GET', '/_ping'),
  info: rule('GET', '/info'),
  list: rule('GET', `/containers/json${exact(`?${LIST_QUERY}`)}`),
  image: rule('GET', '/images/(?<image>[A-Za-z0-9._%-]{1,512})/json'),
  create: rule('POST', '/containers/create\\?name=(?<name>warm-[A-Za-z0-9_-]{1,80}-[0-9]{1,12})'),
  attach: rule('POST', `/containers/${CONTAINER}/attach${exact(`?${ATTACH_QUERY}`)}`),
  start: rule('POST', `/containers/${CONTAINER}/start`),
  kill: rule('POST', `/containers/${CONTAINER}/kill${exact('?signal=SIGKILL')}`),
  update: rule('POST', `/containers/${CONTAINER}/update`),
  rename: rule('POST', `/containers/${CONTAINER}/rename\\?name=(?<name>run-[A-Za-z0-9_-]{1,64}-[0-9]{1,12})`),
  remove: rule('DELETE', `/containers/${CONTAINER}${exact('?force=true&v=true')}`),
  wait: rule('POST', `/containers/${CONTAINER}/wait${exact('?condition=removed')}`),
  inspect: rule('GET', `/containers/${CONTAINER}/json`),
  stats: rule('GET', `/containers/${CONTAINER}/stats${exact(`?${STATS_QUERY}`)}`),
  events: rule(
    'GET',
    exact(`/events?filters=${encodeURIComponent(EVENTS_FILTERS('OWNER'))}`).replace(
      'OWNER',
      '(?<owner>[A-Za-z0-9_-]{1,64})',
    ),
  ),
};

const VERBS = Object.keys(RULES) as Verb[];

/** The call of a request line. Throws Refusal for everything that is not in the table. */
export function parseCall(method: string, target: string): Call {
  for (const verb of VERBS) {
    const { method: expected, target: pattern } = RULES[verb];
    const match = method === expected ? pattern.exec(target) : null;
    if (match !== null) return makeCall(verb, match.groups ?? {});
  }
  throw new Refusal('not_allowed', `${quoted(`${method} ${target}`)} is not a call that a worker makes`);
}

function makeCall(verb: Verb, parts: Record<string, string>): Call {
  const { container = '', name = '', owner = '' } = parts;
  switch (verb) {
    case 'ping':
    case 'info':
    case 'list':
      return { verb };
    case 'image':
      return { verb, image: imageName(parts['image'] ?? '') };
    case 'create':
      return { verb, name };
    case 'rename':
      return { verb, container, name };
    case 'events':
      return { verb, owner };
    case 'attach':
    case 'start':
    case 'kill':
    case 'update':
    case 'remove':
    case 'wait':
    case 'inspect':
    case 'stats':
      return { verb, container };
  }
}

/** The decoded name. A name that does not encode to the same text, such as a doubly encoded one, is refused. */
function imageName(encoded: string): string {
  const name = decoded(encoded);
  if (name === undefined || encodeURIComponent(name) !== encoded || !(IMAGE_ID.test(name) || IMAGE.test(name)))
    throw new Refusal('not_allowed', `${quoted(encoded)} is not an image's name in its one form`);
  return name;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** The engine's request for a call, rebuilt. `container` is the checked id, in place of the name in the request. */
export function engineRequest(call: Call, checked: { container?: string; body?: string } = {}): EngineRequest {
  const path = `/containers/${checked.container ?? ''}`;
  switch (call.verb) {
    case 'ping':
      return { method: 'GET', target: '/_ping' };
    case 'info':
      return { method: 'GET', target: '/info' };
    case 'list':
      return { method: 'GET', target: `/containers/json?${LIST_QUERY}` };
    case 'image':
      return { method: 'GET', target: `/images/${encodeURIComponent(call.image)}/json` };
    case 'create':
      return { method: 'POST', target: `/containers/create?name=${call.name}`, body: checked.body ?? '{}' };
    case 'attach':
      return { method: 'POST', target: `${path}/attach?${ATTACH_QUERY}` };
    case 'start':
      return { method: 'POST', target: `${path}/start` };
    case 'kill':
      return { method: 'POST', target: `${path}/kill?signal=SIGKILL` };
    case 'update':
      return { method: 'POST', target: `${path}/update`, body: checked.body ?? '{}' };
    case 'rename':
      return { method: 'POST', target: `${path}/rename?name=${call.name}` };
    case 'remove':
      return { method: 'DELETE', target: `${path}?force=true&v=true` };
    case 'wait':
      return { method: 'POST', target: `${path}/wait?condition=removed` };
    case 'inspect':
      return { method: 'GET', target: `${path}/json` };
    case 'stats':
      return { method: 'GET', target: `${path}/stats?${STATS_QUERY}` };
    case 'events':
      return { method: 'GET', target: `/events?filters=${encodeURIComponent(EVENTS_FILTERS(call.owner))}` };
  }
}
