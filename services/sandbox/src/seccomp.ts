// Turns the groups of system calls into the profile that a container engine takes (Docker's JSON form).
import { SYSCALL_GROUPS, type SyscallCondition, type SyscallGroup } from './seccomp-groups.js';

/** Errno by action, the same on every architecture listed below. */
const ERRNO = { absent: 38 /* ENOSYS */, unsupported: 95 /* ENOTSUP */ } as const;

/** Linux's own names of the architectures, native ABI only: a 32-bit (int 0x80) or x32 call ends the thread with SIGSYS. */
const ARCHITECTURES = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'];

interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_LT' | 'SCMP_CMP_MASKED_EQ';
}

interface SeccompRule {
  readonly comment?: string;
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

interface SeccompProfile {
  /** Without a number: EPERM. */
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly archMap: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] }[];
  readonly syscalls: readonly SeccompRule[];
}

/**
 * The profile. `comments`: with the name of each group, for the checked-in file. `absentCallsPass`: for a runtime whose filter answers
 * with EPERM only: glibc falls back to an older call after ENOSYS alone, which that runtime's kernel returns for these calls by itself.
 */
export function seccompProfile(options: { comments: boolean; absentCallsPass?: boolean }): SeccompProfile {
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: ARCHITECTURES.map((architecture) => ({ architecture, subArchitectures: [] })),
    syscalls: SYSCALL_GROUPS.filter((group) => group.action !== 'refuse').flatMap((group) =>
      rulesOf(options.absentCallsPass === true ? passed(group) : group).map((rule) =>
        options.comments ? { comment: group.name, ...rule } : rule,
      ),
    ),
  };
}

/** Default actions of a profile that refuses what it does not list. */
export const DENYING_ACTIONS = ['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_KILL_PROCESS'];

/** The profile as an engine's `seccomp=` option takes it; made once, sent with every create. */
export const SECCOMP_PROFILE: string = JSON.stringify(seccompProfile({ comments: false }));

/** The same for runtimes whose `absentCallsPass` (runtimes.ts). */
export const SECCOMP_PROFILE_ABSENT_PASSES: string = JSON.stringify(
  seccompProfile({ comments: false, absentCallsPass: true }),
);

/** The text of seccomp/profile.json: lists that fit a line stand on one. */
export function profileFile(): string {
  const lineWidth = 120;
  const text = JSON.stringify(seccompProfile({ comments: true }), null, 2);
  const joined = text.replace(/^(.*)\[\n([^[\]{}]*)\n *\]/gm, (whole: string, before: string, items: string) => {
    const line = `${before}[${items.trim().replace(/\n\s*/g, ' ')}]`;
    return line.length + 1 <= lineWidth ? line : whole;
  });
  return `${joined}\n`;
}

/** The table of seccomp/README.md. */
export function groupTable(): string {
  const header = '| group | what happens | system calls | reason |\n| --- | --- | --- | --- |\n';
  const rows = SYSCALL_GROUPS.map(
    (group) =>
      `| ${group.name} | ${outcome(group)} | ${group.syscalls.map((name) => `\`${name}\``).join(' ')} | ${group.reason} |\n`,
  );
  return header + rows.join('');
}

/** Asynchronous I/O, which such a kernel has, stays refused. */
function passed(group: SyscallGroup): SyscallGroup {
  return group.action === 'absent' && group.name !== 'asynchronous I/O' ? { ...group, action: 'allow' } : group;
}

function rulesOf(group: SyscallGroup): SeccompRule[] {
  const names = group.syscalls;
  if (group.action === 'absent' || group.action === 'unsupported')
    return [{ names, action: 'SCMP_ACT_ERRNO', errnoRet: ERRNO[group.action] }];
  if (group.whenAll !== undefined) return [{ names, action: 'SCMP_ACT_ALLOW', args: group.whenAll.map(argument) }];
  if (group.when === undefined) return [{ names, action: 'SCMP_ACT_ALLOW' }];
  return group.when.map((condition) => ({ names, action: 'SCMP_ACT_ALLOW', args: [argument(condition)] }));
}

function argument({ argument: index, is, value }: SyscallCondition): SeccompArgument {
  switch (is) {
    case 'equal':
      return { index, value, op: 'SCMP_CMP_EQ' };
    case 'below':
      return { index, value, op: 'SCMP_CMP_LT' };
    case 'bits-clear':
      return { index, value, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' };
  }
}

function outcome({ action, when, whenAll }: SyscallGroup): string {
  switch (action) {
    case 'absent':
      return 'ENOSYS';
    case 'unsupported':
      return 'ENOTSUP';
    case 'refuse':
      return 'EPERM';
    case 'allow':
      if (whenAll !== undefined) return `allowed when ${whenAll.map(conditionText).join(' and ')}`;
      return when === undefined ? 'allowed' : `allowed when ${when.map(conditionText).join(', or ')}`;
  }
}

function conditionText({ argument: index, is, value }: SyscallCondition): string {
  const number = value > 0xffff ? `0x${value.toString(16)}` : String(value);
  const name = `argument ${index}`;
  switch (is) {
    case 'equal':
      return `${name} is ${number}`;
    case 'below':
      return `${name} is below ${number}`;
    case 'bits-clear':
      return `no bit of ${number} is set in ${name}`;
  }
}
