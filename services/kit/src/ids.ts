// Random identifiers in an alphabet that is safe in keys, names, labels and logs.
import { randomBytes } from 'node:crypto';

/** 96 random bits as 16 characters of A-Z a-z 0-9 _ -. */
export function newId(): string {
  return randomBytes(12).toString('base64url');
}

/** 128 random bits as 22 characters: not guessable, for what grants access. */
export function newSecret(): string {
  return randomBytes(16).toString('base64url');
}

/** Like newId, for names that an engine or a host must take: lower case hex, 16 characters. */
export function newHexId(): string {
  return randomBytes(8).toString('hex');
}
