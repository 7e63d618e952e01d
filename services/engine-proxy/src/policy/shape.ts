// Closed shapes: each check returns a rebuilt value or refuses it; a field that no shape names is refused.
import { quoted, Refusal } from './refusal.js';

/** Returns the value to forward, rebuilt. Throws Refusal, which names the place. */
export type Shape<T> = (value: unknown, at: string) => T;

export function refuse(at: string, why: string): never {
  throw new Refusal('bad_body', `${at}: ${why}`);
}

/** Refuses `given` unless it is `expected`, field by field, with nothing missing and nothing more. */
export function requireSame(given: unknown, expected: unknown, at: string): void {
  if (typeof expected !== 'object' || expected === null) {
    if (given !== expected) refuse(at, `must be ${JSON.stringify(expected)}`);
    return;
  }
  const isList = Array.isArray(expected);
  if (typeof given !== 'object' || given === null || Array.isArray(given) !== isList)
    return refuse(at, `must be ${isList ? 'a list' : 'an object'}`);
  const fields = new Map<string, unknown>(Object.entries(given));
  for (const key of fields.keys()) if (!Object.hasOwn(expected, key)) refuse(`${at}.${quoted(key)}`, 'is not allowed');
  for (const [key, value] of Object.entries(expected)) {
    if (!fields.has(key)) refuse(`${at}.${key}`, 'is missing');
    requireSame(fields.get(key), value, `${at}.${key}`);
  }
}

export function oneOf(allowed: readonly string[]): Shape<string> {
  return (value, at) =>
    typeof value === 'string' && allowed.includes(value)
      ? value
      : refuse(at, allowed.length === 0 ? 'is not allowed here' : `must be one of ${allowed.join(', ')}`);
}

/** `what` names the form in the message. */
export function matching(pattern: RegExp, what: string): Shape<string> {
  return (value, at) => (typeof value === 'string' && pattern.test(value) ? value : refuse(at, `must be ${what}`));
}

export function whole(range: { min: number; max: number }): Shape<number> {
  return (value, at) =>
    Number.isSafeInteger(value) && (value as number) >= range.min && (value as number) <= range.max
      ? (value as number)
      : refuse(at, `must be a whole number in ${range.min}..${range.max}`);
}

export function listOf<T>(item: Shape<T>, bounds: { min: number; max: number }): Shape<T[]> {
  return (value, at) => {
    if (!Array.isArray(value) || value.length < bounds.min || value.length > bounds.max)
      return refuse(at, `must be a list of ${bounds.min} to ${bounds.max}`);
    return value.map((each, index) => item(each, `${at}[${index}]`));
  };
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Values<F extends Fields> = { [K in keyof F]: ReturnType<F[K]> };

/**
 * An object with all of `fields`, any of `optional`, and nothing else. Names are compared exactly: the engine's parser takes
 * `privileged` for `Privileged`, so another case is an unknown field here, and refused.
 */
export function closed<F extends Fields>(fields: F, optional: Fields = {}): Shape<Values<F>> {
  const shapes = new Map<string, Shape<unknown>>(Object.entries({ ...fields, ...optional }));
  const required = Object.keys(fields);
  return (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(at, 'must be an object');
    const given = new Map<string, unknown>(Object.entries(value));
    for (const key of given.keys()) if (!shapes.has(key)) refuse(`${at}.${quoted(key)}`, 'is not allowed');
    for (const key of required) if (!given.has(key)) refuse(`${at}.${key}`, 'is missing');
    const rebuilt: Record<string, unknown> = {};
    for (const [key, shape] of shapes) if (given.has(key)) rebuilt[key] = shape(given.get(key), `${at}.${key}`);
    return rebuilt as Values<F>;
  };
}
