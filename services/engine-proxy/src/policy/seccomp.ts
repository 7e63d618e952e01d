// Which system call filters a sandbox may be created with.
import { SECCOMP_PROFILE, SECCOMP_PROFILE_ABSENT_PASSES } from '@rungrid/sandbox/seccomp';
import { closed, listOf, oneOf, refuse, type Shape, whole } from './shape.js';

/**
 * `default`: the text of services/sandbox/seccomp, byte for byte. `denying`: any profile whose default action denies. `engine`: the
 * first, or none, which is the engine's own.
 */
export type SeccompChoice = 'default' | 'denying' | 'engine';

const NO_NEW_PRIVILEGES = 'no-new-privileges';
const PREFIX = 'seccomp=';
const DENYING_ACTIONS = ['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_KILL_PROCESS'];
const anything: Shape<unknown> = (value) => value;

const profile = closed(
  { defaultAction: oneOf(DENYING_ACTIONS), syscalls: listOf(anything, { min: 0, max: 1024 }) },
  {
    defaultErrnoRet: whole({ min: 1, max: 4095 }),
    archMap: listOf(anything, { min: 0, max: 64 }),
    architectures: listOf(anything, { min: 0, max: 64 }),
  },
);

/** Shape of HostConfig.SecurityOpt. `absentCallsPass`: a runtime that needs that profile may be named. */
export function securityOptions(choice: SeccompChoice, absentCallsPass: boolean): Shape<string[]> {
  const own = [SECCOMP_PROFILE, ...(absentCallsPass ? [SECCOMP_PROFILE_ABSENT_PASSES] : [])].map(
    (text) => PREFIX + text,
  );
  return (value, at) => {
    if (!Array.isArray(value) || value[0] !== NO_NEW_PRIVILEGES)
      return refuse(at, `must begin with ${NO_NEW_PRIVILEGES}`);
    if (choice === 'engine' && value.length === 1) return [NO_NEW_PRIVILEGES];
    if (value.length !== 2) return refuse(at, 'must have a seccomp profile beside it, and nothing else');
    return [NO_NEW_PRIVILEGES, filter({ choice, own }, value[1], `${at}[1]`)];
  };
}

function filter(allowed: { choice: SeccompChoice; own: readonly string[] }, value: unknown, at: string): string {
  if (allowed.choice !== 'denying')
    return allowed.own.find((each) => each === value) ?? refuse(at, 'is not the seccomp profile of this version');
  if (typeof value !== 'string' || !value.startsWith(PREFIX)) return refuse(at, 'must be a seccomp profile');
  // Made anew as well: its reader is the engine's parser too, which takes the last of two keys whatever their case.
  return `${PREFIX}${JSON.stringify(profile(parsed(value.slice(PREFIX.length), at), at))}`;
}

function parsed(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return refuse(at, 'is not the JSON text of a seccomp profile');
    throw error;
  }
}
