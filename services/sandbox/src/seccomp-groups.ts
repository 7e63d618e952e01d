// The system calls of a sandbox, group by group, each with its reason: the readable source of seccomp/profile.json.

/** When a call passes: one comparison of one argument, over all 64 bits of the register. */
export interface SyscallCondition {
  /** Which argument, 0..5. */
  readonly argument: number;
  /** `bits-clear`: none of the bits of `value` is set. */
  readonly is: 'equal' | 'below' | 'bits-clear';
  readonly value: number;
}

export interface SyscallGroup {
  readonly name: string;
  /**
   * `allow`; `absent` fails with ENOSYS, so that the C library or the runtime falls back to an older call; `unsupported` fails with
   * ENOTSUP, as on a file system without the feature, which tools ignore; `refuse` fails with EPERM, as every unlisted call does: the
   * group says why, and tests keep it apart from the allowed calls.
   */
  readonly action: 'allow' | 'absent' | 'unsupported' | 'refuse';
  readonly reason: string;
  readonly syscalls: readonly string[];
  /** The call passes when one of these holds. Comparisons only allow: one that forbids is bypassed with the register's upper half. */
  readonly when?: readonly SyscallCondition[];
  /** The call passes when all of these hold, each about another argument. In place of `when`. */
  readonly whenAll?: readonly SyscallCondition[];
}

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME shares its bit with the exit signal and is read by clone3 and unshare only. */
const CLONE_NEW_FLAGS = 0x7e02_0000;
const AF_UNIX = 1;
/** Socket options below SO_ATTACH_FILTER. */
const SO_ATTACH_FILTER = 26;
/** Advice below POSIX_FADV_DONTNEED. */
const POSIX_FADV_DONTNEED = 4;
const PERSONALITY_QUERY = 0xffff_ffff;
/** Everything below is a plain setting of the process itself: death signal, dumpable, name, timing … */
const PR_SET_SECCOMP = 22;
/** Above it: reading the capability bounding set, subreaper, no_new_privs set and read, huge pages off, names of memory areas. Each costs a start 0.1 ms. */
const PRCTL_OPTIONS = [23, 36, 38, 39, 41, 0x5356_4d41];

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Every group. A name stands in one group only. */
export const SYSCALL_GROUPS: readonly SyscallGroup[] = [
  {
    name: 'files',
    action: 'allow',
    reason: 'Reading the image and writing to /tmp: the mounts decide what can be written.',
    syscalls: words(`
      access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fallocate fchdir
      fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync flock fstat fstatfs fsync ftruncate futimesat getcwd getdents
      getdents64 lchown link linkat lseek lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 pread64 preadv
      preadv2 pwrite64 pwritev pwritev2 read readlink readlinkat readv rename renameat renameat2 rmdir sendfile splice stat
      statfs statx symlink symlinkat tee truncate umask unlink unlinkat utime utimensat utimes write writev`),
  },
  {
    name: 'extended attributes, reading',
    action: 'allow',
    reason: 'ls, cp and shutil look at them.',
    syscalls: words('fgetxattr flistxattr getxattr lgetxattr listxattr llistxattr'),
  },
  {
    name: 'extended attributes, writing',
    action: 'unsupported',
    reason:
      'Kernel memory beside the size of /tmp. cp and sed try to keep them, and accept a file system without them.',
    syscalls: words(`
      fremovexattr fsetxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat`),
  },
  {
    name: 'advice on files',
    action: 'allow',
    reason:
      'coreutils announce how they read. Not DONTNEED: it would drop shared files of the image from the co-tenants’ memory.',
    syscalls: ['fadvise64'],
    when: [{ argument: 3, is: 'below', value: POSIX_FADV_DONTNEED }],
  },
  {
    name: 'waiting and events',
    action: 'allow',
    reason: 'Event loops (libuv, asyncio, Go, Java NIO), pipes, file watches.',
    syscalls: words(`
      epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
      inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl pipe pipe2 poll ppoll pselect6 select signalfd
      signalfd4`),
  },
  {
    name: 'memory',
    action: 'allow',
    reason:
      'Allocators, garbage collectors, just-in-time compilers; charged to the sandbox. memfd: within the file size limit.',
    syscalls: words(`
      brk madvise memfd_create mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc
      pkey_free pkey_mprotect`),
  },
  {
    name: 'processes and threads',
    action: 'allow',
    reason: 'Subprocesses, threads, and waiting for them; the process limit bounds their number.',
    syscalls: words(`
      execve execveat exit exit_group fork futex futex_waitv getpgid getpgrp getpid getppid getrusage getsid gettid
      membarrier pidfd_open restart_syscall rseq set_robust_list set_tid_address setpgid setsid vfork wait4 waitid`),
  },
  {
    name: 'clone without namespaces',
    action: 'allow',
    reason: 'fork and threads use clone. Any flag of a new namespace is refused: namespaces expose most of the kernel.',
    syscalls: ['clone'],
    when: [{ argument: 0, is: 'bits-clear', value: CLONE_NEW_FLAGS }],
  },
  {
    name: 'processor',
    action: 'allow',
    reason:
      'Thread pools ask for processors and priorities. Resource limits of zero forbid real time and higher priority.',
    syscalls: words(`
      getcpu getpriority sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
      sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setparam sched_yield`),
  },
  {
    name: 'scheduling class',
    action: 'allow',
    reason:
      'Any class for the caller (pid 0), the ordinary one for its threads: PID 1 has the program’s user id, and in the idle class beside burners it takes many seconds to die.',
    syscalls: ['sched_setscheduler'],
    when: [
      { argument: 0, is: 'equal', value: 0 },
      { argument: 1, is: 'equal', value: 0 },
    ],
  },
  {
    name: 'own priority',
    action: 'allow',
    reason: 'nice. Of the caller only, for the same reason: neither another process nor all of the user id.',
    syscalls: ['setpriority'],
    whenAll: [
      { argument: 0, is: 'equal', value: 0 },
      { argument: 1, is: 'equal', value: 0 },
    ],
  },
  {
    name: 'x86 thread pointer',
    action: 'allow',
    reason: 'The loader sets the thread pointer with it. Other architectures do not have it.',
    syscalls: ['arch_prctl'],
  },
  {
    name: 'signals',
    action: 'allow',
    reason:
      'A sandbox has a process namespace and a user id of its own, so signals reach no other sandbox; PID 1 ignores them.',
    syscalls: words(`
      kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
      rt_sigtimedwait rt_tgsigqueueinfo sigaltstack tgkill tkill`),
  },
  {
    name: 'time and timers',
    action: 'allow',
    reason: 'Reading clocks, sleeping, timers (bounded by the limit of pending signals). Setting clocks is refused.',
    syscalls: words(`
      alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time timer_create
      timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times`),
  },
  {
    name: 'identity and system',
    action: 'allow',
    reason:
      'Reading ids and system names. Changing ids does nothing without capabilities, but programs drop rights that they do not have.',
    syscalls: words(`
      capget getegid geteuid getgid getgroups getrandom getresgid getresuid getuid setfsgid setfsuid setgid setregid
      setresgid setresuid setreuid setuid sysinfo uname`),
  },
  {
    name: 'own limits',
    action: 'allow',
    reason: 'ulimit; Go, Java and Node raise their soft limit of open files.',
    syscalls: ['getrlimit', 'setrlimit'],
  },
  {
    name: 'own limits, newer call',
    action: 'allow',
    reason: 'Of the calling process (pid 0) only: the program has the user id of PID 1 and could starve it otherwise.',
    syscalls: ['prlimit64'],
    when: [{ argument: 0, is: 'equal', value: 0 }],
  },
  {
    name: 'process settings',
    action: 'allow',
    reason:
      'Names, death signals, no_new_privs … by an explicit list; no filters (a known gadget for speculative attacks), no page merging.',
    syscalls: ['prctl'],
    when: [
      { argument: 0, is: 'below', value: PR_SET_SECCOMP },
      ...PRCTL_OPTIONS.map((value) => ({ argument: 0, is: 'equal' as const, value })),
    ],
  },
  {
    name: 'local sockets',
    action: 'allow',
    reason:
      'AF_UNIX only: event loops and multiprocessing talk to themselves. Every other family is a protocol stack to attack.',
    syscalls: ['socket', 'socketpair'],
    when: [{ argument: 0, is: 'equal', value: AF_UNIX }],
  },
  {
    name: 'use of sockets',
    action: 'allow',
    reason: 'Operations on a local socket; its names live in the sandbox’s own network namespace and /tmp.',
    syscalls: words(`
      accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg
      sendto shutdown`),
  },
  {
    name: 'socket options',
    action: 'allow',
    reason: 'The classic ones, up to timeouts. Not SO_ATTACH_FILTER and later: programs for the kernel’s compiler.',
    syscalls: ['setsockopt'],
    when: [{ argument: 2, is: 'below', value: SO_ATTACH_FILTER }],
  },
  {
    name: 'personality, asking',
    action: 'allow',
    reason:
      'Sanitizers and debuggers ask for it. Changing it takes away address randomization and opens old emulations.',
    syscalls: ['personality'],
    when: [{ argument: 0, is: 'equal', value: PERSONALITY_QUERY }],
  },
  {
    name: 'newer ways with an older one',
    action: 'absent',
    reason:
      'The C library and runtimes fall back. clone3 hides its flags behind a pointer that a filter cannot follow; the rest is young code.',
    syscalls: words(`
      cachestat clone3 futex_requeue futex_wait futex_wake getxattrat landlock_add_rule landlock_create_ruleset
      landlock_restrict_self listxattrat map_shadow_stack memfd_secret process_madvise process_mrelease remap_file_pages
      set_mempolicy_home_node vmsplice`),
  },
  {
    name: 'asynchronous I/O',
    action: 'absent',
    reason:
      'io_uring works around filters and is a frequent source of holes; contexts of the older one are counted for the whole host.',
    syscalls: words(`
      io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit io_uring_enter io_uring_register io_uring_setup`),
  },
  {
    name: 'namespaces and mounts',
    action: 'refuse',
    reason: 'A new user namespace gives capabilities over a large part of the kernel; the view of files is fixed.',
    syscalls: words(`
      chroot fsconfig fsmount fsopen fspick listmount mount mount_setattr move_mount open_tree pivot_root setns statmount
      umount2 unshare`),
  },
  {
    name: 'other processes',
    action: 'refuse',
    reason: 'Reading, changing or tracing another process, or taking its descriptors.',
    syscalls: words('get_robust_list kcmp pidfd_getfd process_vm_readv process_vm_writev ptrace'),
  },
  {
    name: 'kernel programs and probes',
    action: 'refuse',
    reason:
      'Code for the kernel, fine-grained measuring, and handing page faults to the program, which makes kernel races winnable.',
    syscalls: words('bpf lookup_dcookie perf_event_open seccomp userfaultfd'),
  },
  {
    name: 'keys',
    action: 'refuse',
    reason: 'Keyrings are not in any namespace that a sandbox has, and are counted by user id for the whole host.',
    syscalls: words('add_key keyctl request_key'),
  },
  {
    name: 'files behind the mounts',
    action: 'refuse',
    reason: 'Handles reach files outside the root; fanotify watches whole file systems; quota and swap are the host’s.',
    syscalls: words(`
      fanotify_init fanotify_mark name_to_handle_at open_by_handle_at quotactl quotactl_fd swapoff swapon`),
  },
  {
    name: 'shared by the whole host',
    action: 'refuse',
    reason:
      'sync flushes the disks of the whole host; clocks, names, logs, accounting, modules and ports belong to the machine.',
    syscalls: words(`
      acct adjtimex clock_adjtime clock_settime delete_module finit_module init_module ioperm iopl kexec_file_load
      kexec_load reboot setdomainname sethostname settimeofday sync syncfs syslog vhangup`),
  },
  {
    name: 'System V and POSIX queues, shared memory',
    action: 'refuse',
    reason: 'Kernel objects with life and limits of their own beside memory and /tmp; no language here needs them.',
    syscalls: words(`
      mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop
      semtimedop shmat shmctl shmdt shmget`),
  },
  {
    name: 'placement of memory and input/output',
    action: 'refuse',
    reason: 'Moves pages, priorities or cached files of the node about, or shows what co-tenants have read.',
    syscalls: words(`
      get_mempolicy ioprio_get ioprio_set mbind migrate_pages mincore move_pages readahead sched_setattr set_mempolicy
      sync_file_range`),
  },
  {
    name: 'capabilities, groups and old segments',
    action: 'refuse',
    reason: 'Useless without capabilities; segments of 16 bits are old kernel code.',
    syscalls: words('capset modify_ldt setgroups'),
  },
];
