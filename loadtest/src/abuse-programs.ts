// Programs that exhaust one resource each; the bench runs twenty of them at once beside a co-tenant.
export interface AbuseProgram {
  readonly name: string;
  readonly language: string;
  readonly code: string;
  /** Reason of its exit. */
  readonly reason: string;
}

export const ABUSE_PROGRAMS: readonly AbuseProgram[] = [
  {
    name: 'fork',
    language: 'c',
    code: '#include <unistd.h>\nint main(void) { for (;;) fork(); }',
    reason: 'process_limit',
  },
  {
    name: 'thread',
    language: 'python',
    code: 'import threading, time\nwhile True:\n    try:\n        threading.Thread(target=time.sleep, args=(99,)).start()\n    except RuntimeError:\n        pass',
    reason: 'process_limit',
  },
  {
    name: 'memory',
    language: 'python',
    code: 'keep = []\nwhile True:\n    keep.append(bytearray(1 << 20))',
    reason: 'memory_limit',
  },
  {
    name: 'inode',
    language: 'python',
    code: 'import os\nn = 0\nwhile True:\n    try:\n        os.close(os.open(f"/tmp/{n}", os.O_CREAT))\n    except OSError:\n        pass\n    n += 1',
    reason: 'cpu_limit',
  },
  {
    name: 'output',
    language: 'python',
    code: 'import os\nb = b"x" * 65536\nwhile True:\n    os.write(1, b)',
    reason: 'output_limit',
  },
];
