// The checked-in profile equals its source, and the source keeps the promises that the other layers rely on.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { groupTable, profileFile, SECCOMP_PROFILE, seccompProfile } from './seccomp.js';
import { SYSCALL_GROUPS } from './seccomp-groups.js';

const FOLDER = fileURLToPath(new URL('../seccomp/', import.meta.url));
const namesOf = (action: string): string[] =>
  SYSCALL_GROUPS.filter((group) => group.action === action).flatMap((group) => group.syscalls);

describe('the checked-in files', () => {
  // Regenerate with: vitest run services/sandbox/src/seccomp.test.ts --update
  it('profile.json is what the source makes', async () => {
    await expect(profileFile()).toMatchFileSnapshot(`${FOLDER}profile.json`);
  });

  it('README.md holds the table of the source', async () => {
    const readme = readFileSync(`${FOLDER}README.md`, 'utf8');
    const renewed = readme.replace(
      /(<!-- groups -->\n\n)[\s\S]*(\n<!-- \/groups -->)/,
      (_all, before: string, after: string) => `${before}${groupTable()}${after}`,
    );
    expect(renewed).toContain(groupTable());
    await expect(renewed).toMatchFileSnapshot(`${FOLDER}README.md`);
  });
});

describe('the profile', () => {
  it('refuses calls that it does not name, and every foreign or older ABI', () => {
    const profile = seccompProfile({ comments: false });
    expect(profile.defaultAction).toBe('SCMP_ACT_ERRNO');
    expect(profile.archMap).toEqual([
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: [] },
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: [] },
    ]);
    expect(new Set(profile.syscalls.map((rule) => rule.action))).toEqual(new Set(['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO']));
  });

  it('is small enough for every create call', () => {
    expect(SECCOMP_PROFILE.length).toBeLessThan(8192);
    expect(JSON.parse(SECCOMP_PROFILE)).toEqual(seccompProfile({ comments: false }));
  });

  it('names each call once, in one group', () => {
    const all = SYSCALL_GROUPS.flatMap((group) => group.syscalls);
    expect(all.filter((name, at) => all.indexOf(name) !== at)).toEqual([]);
    for (const { name, syscalls } of SYSCALL_GROUPS) expect(syscalls, name).toEqual([...syscalls].toSorted());
  });

  it.each(
    `
      unshare setns mount umount2 pivot_root chroot fsopen open_tree move_mount ptrace process_vm_readv
      process_vm_writev kcmp pidfd_getfd keyctl add_key request_key bpf perf_event_open userfaultfd seccomp
      open_by_handle_at fanotify_init quotactl acct kexec_load kexec_file_load init_module finit_module
      delete_module swapon swapoff reboot iopl ioperm modify_ldt syslog settimeofday clock_settime adjtimex
      sync shmget mq_open
    `
      .trim()
      .split(/\s+/),
  )('does not let %s through', (name) => {
    expect(namesOf('refuse')).toContain(name);
    expect(SECCOMP_PROFILE).not.toContain(`"${name}"`);
  });

  it.each(['clone3', 'io_uring_setup', 'io_uring_enter', 'io_uring_register', 'vmsplice', 'io_setup'])(
    'answers %s as if it did not exist',
    (name) => expect(namesOf('absent')).toContain(name),
  );

  it.each(['clone', 'socket', 'socketpair', 'prlimit64', 'personality', 'prctl', 'setsockopt', 'fadvise64'])(
    'compares the arguments of %s in every rule',
    (name) => {
      const rules = seccompProfile({ comments: false }).syscalls.filter((rule) => rule.names.includes(name));
      expect(rules.length).toBeGreaterThan(0);
      for (const rule of rules) expect(rule.args).toHaveLength(1);
    },
  );

  it('lets no program lower the priority of PID 1', () => {
    const rules = seccompProfile({ comments: false }).syscalls;
    const args = (name: string) => rules.filter((rule) => rule.names.includes(name)).map((rule) => rule.args);
    const own = (index: number) => ({ index, value: 0, op: 'SCMP_CMP_EQ' });
    expect(args('sched_setscheduler')).toEqual([[own(0)], [own(1)]]);
    expect(args('setpriority')).toEqual([[own(0), own(1)]]);
  });
});
