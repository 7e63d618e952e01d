// Which system call filters a sandbox may be created with.
import type { Runtime } from '@rungrid/sandbox/runtimes';
import { DENYING_ACTIONS, SECCOMP_PROFILE, SECCOMP_PROFILE_ABSENT_PASSES } from '@rungrid/sandbox/seccomp';
import { closed, listOf, oneOf, refuse, type Shape, whole } from './shape.js';

/**
 * `default`: the text of services/sandbox/seccomp, byte for byte. `denying`: any profile whose default action denies. `engine`: the
 * first, or none, which is the engine's own.
 */
export type SeccompChoice = 'default' | 'denying' | 'engine';

const PREFIX = 'seccomp=';
const anything: Shape<unknown> = (value) => value;

const profile = closed(
  { defaultAction: oneOf(DENYING_ACTIONS), syscalls: listOf(anything, { min: 0, max: 1024 }) },
  {
    defaultErrnoRet: whole({ min: 1, max: 4095 }),
    archMap: listOf(anything, { min: 0, max: 64 }),
    architectures: listOf(anything, { min: 0, max: 64 }),
  },
);

/** Shape of the security option that is the filter: the profile's text in the body, and the text to send. Undefined: the engine's own. */
export function seccompFilter(
  choice: SeccompChoice,
  { absentCallsPass }: Pick<Runtime, 'absentCallsPass'>,
): Shape<{ given: string | undefined; sent: string | undefined }> {
  const own = absentCallsPass ? SECCOMP_PROFILE_ABSENT_PASSES : SECCOMP_PROFILE;
  return (value, at) => {
    if (value === undefined && choice === 'engine') return { given: undefined, sent: undefined };
    if (typeof value !== 'string' || !value.startsWith(PREFIX)) return refuse(at, 'must be a seccomp profile');
    const given = value.slice(PREFIX.length);
    // Rebuilt as well: the engine's parser reads it too, and takes the last of two keys regardless of case.
    if (choice === 'denying') return { given, sent: JSON.stringify(profile(parsed(given, at), at)) };
    return given === own ? { given, sent: own } : refuse(at, 'is not the seccomp profile of this version');
  };
}

function parsed(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(at, 'is not the JSON text of a seccomp profile');
    throw error;
  }
}
