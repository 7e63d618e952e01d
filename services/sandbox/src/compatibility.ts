// For tests: programs that use common parts of a system (threads, subprocesses, event loops …) and end with the line `fine`.

interface CompatibilityProgram {
  readonly language: string;
  readonly title: string;
  readonly code: string;
}

const program = (language: string, title: string, code: string): CompatibilityProgram => ({ language, title, code });

/** A program that must work in a sandbox as it does outside. */
export const COMPATIBILITY: readonly CompatibilityProgram[] = [
  program(
    'python',
    'threads, subprocesses, processes and their pipes',
    `
import concurrent.futures, multiprocessing, os, subprocess, threading
def child(pipe): pipe.send(os.getpid()); pipe.close()
with concurrent.futures.ThreadPoolExecutor(4) as pool: assert sum(pool.map(lambda n: n * n, range(10))) == 285
ours, theirs = multiprocessing.get_context("fork").Pipe()
process = multiprocessing.get_context("fork").Process(target=child, args=(theirs,)); process.start()
assert ours.recv() == process.pid; process.join(); assert process.exitcode == 0
assert subprocess.run(["sh", "-c", "echo out; echo err >&2; cat"], input=b"in", capture_output=True).stdout == b"out\\nin"
assert subprocess.check_output("seq 3 | tac | tr '\\\\n' ' '", shell=True) == b"3 2 1 "
assert os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)[1] == 0
assert os.waitpid(os.spawnvp(os.P_NOWAIT, "false", ["false"]), 0)[1] == 256
print("fine")`,
  ),
  program(
    'python',
    'an event loop with subprocesses, a local server and timeouts',
    `
import asyncio, socket
async def main():
    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    out, _ = await process.communicate(b"hello"); assert out == b"hello"
    async def serve(reader, writer): writer.write(await reader.readline()); await writer.drain(); writer.close()
    server = await asyncio.start_unix_server(serve, "/tmp/s")
    reader, writer = await asyncio.open_unix_connection("/tmp/s"); writer.write(b"line\\n"); assert await reader.read() == b"line\\n"
    writer.close(); server.close()
    assert await asyncio.to_thread(lambda: 42) == 42
    try: await asyncio.wait_for(asyncio.sleep(60), 0.01); raise AssertionError
    except TimeoutError: pass
asyncio.run(main())
a, b = socket.socketpair(); a.sendall(b"x"); assert b.recv(1) == b"x"
a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096); a.settimeout(0.01)
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    try: socket.socket(family); raise AssertionError
    except PermissionError: pass
print("fine")`,
  ),
  program(
    'python',
    'the standard library’s native parts',
    `
import bz2, ctypes, curses, datetime, decimal, fcntl, hashlib, json, lzma, mmap, os, random, re, readline, resource, select
import shutil, signal, sqlite3, ssl, statistics, sysconfig, tempfile, termios, time, uuid, zlib, zoneinfo, locale, platform, secrets
db = sqlite3.connect("/tmp/a.db"); db.execute("create table t(x)"); db.executemany("insert into t values(?)", [(n,) for n in range(99)]); db.commit()
assert db.execute("select sum(x) from t").fetchone() == (4851,)
assert ctypes.CDLL(None).abs(-3) == 3 and ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 7)() == 7
ssl.create_default_context(); uuid.uuid1(); platform.platform(); secrets.token_hex()
with tempfile.TemporaryFile() as file: file.write(b"x" * 5000); file.flush(); assert len(mmap.mmap(file.fileno(), 5000)) == 5000
os.makedirs("/tmp/d/e"); open("/tmp/d/e/f", "w").write("1"); shutil.copytree("/tmp/d", "/tmp/g"); shutil.move("/tmp/g", "/tmp/h"); shutil.rmtree("/tmp/h")
os.chmod("/tmp/d", 0o700); os.utime("/tmp/d"); os.symlink("/tmp/d", "/tmp/l"); os.mkfifo("/tmp/p"); os.link("/tmp/d/e/f", "/tmp/d/k"); os.sync()
fd = os.memfd_create("m"); os.write(fd, b"x"); assert os.pidfd_open(os.getpid()) > 0 and os.eventfd(1) > 0
signal.signal(signal.SIGALRM, lambda *_: None); signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()
near, far = os.pipe(); poll = select.epoll(); poll.register(near); poll.poll(0)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); assert resource.getrlimit(resource.RLIMIT_NOFILE) == (64, 64)
os.sched_setaffinity(0, os.sched_getaffinity(0)); os.nice(1); os.setuid(os.getuid()); os.getrandom(8); os.times(); os.getloadavg()
print("fine")`,
  ),
  program(
    'javascript',
    'workers, child processes, file watches, crypto, local servers',
    `
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const cp = require('child_process'), fs = require('fs'), net = require('net'), crypto = require('crypto'), assert = require('assert'), os = require('os'), zlib = require('zlib');
const once = (emitter, name) => new Promise((resolve) => emitter.once(name, (...all) => resolve(all)));
(async () => {
  const worker = new Worker('const { parentPort, workerData } = require("worker_threads"); parentPort.postMessage(workerData * 2)', { eval: true, workerData: 21 });
  assert.deepStrictEqual(await once(worker, 'message'), [42]);
  assert.strictEqual(cp.execSync('echo a | cat').toString(), 'a\\n');
  assert.strictEqual(cp.spawnSync('sh', ['-c', 'exit 3']).status, 3);
  const child = cp.spawn('cat'); child.stdin.end('piped'); assert.strictEqual(String((await once(child.stdout, 'data'))[0]), 'piped');
  const watcher = fs.watch('/tmp'); const change = once(watcher, 'change'); fs.writeFileSync('/tmp/w', '1'); await change; watcher.close();
  await fs.promises.cp('/tmp/w', '/tmp/v'); assert.strictEqual(await fs.promises.readFile('/tmp/v', 'utf8'), '1');
  assert.strictEqual((await require('util').promisify(crypto.scrypt)('a', 'b', 16)).length, 16);
  const server = net.createServer((socket) => socket.pipe(socket)).listen('/tmp/s'); await once(server, 'listening');
  const socket = net.connect('/tmp/s'); socket.write('echo'); assert.strictEqual(String((await once(socket, 'data'))[0]), 'echo'); socket.destroy(); server.close();
  assert.ok(zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(1000))).length === 1000 && os.cpus().length > 0 && os.freemem() > 0 && os.uptime() > 0);
  os.setPriority(5); process.kill(process.pid, 0); performance.now(); process.cpuUsage(); process.memoryUsage();
  const refused = net.connect(80, '127.0.0.1'); assert.ok(['EPERM', 'EACCES'].includes((await once(refused, 'error'))[0].code));
  console.log('fine');
})();`,
  ),
  program(
    'bash',
    'pipelines, jobs, substitutions and the usual tools',
    `
set -euo pipefail
[ "$(seq 100 | sort -rn | head -3 2>/dev/null | paste -sd, || true)" = 100,99,98 ]
diff <(echo a) <(echo a); cat <<< word > /tmp/a; cp -a /tmp/a /tmp/b; mv /tmp/b /tmp/c; ls -la /tmp > /dev/null
(sleep 0.01; exit 4) & wait $! || [ $? = 4 ]
mkfifo /tmp/f; echo through > /tmp/f & read -r line < /tmp/f; [ "$line" = through ]; wait
coproc cat; echo hi >&"\${COPROC[1]}"; read -r line <&"\${COPROC[0]}"; [ "$line" = hi ]
printf '%s\\n' 1 2 3 | xargs -P 3 -I{} sh -c 'echo {}' | sort | tr -d '\\n' | grep -q 123
timeout 5 true; nice -n 5 true; nohup true 2> /dev/null; env -i /bin/true; stat -c %s /tmp/a > /dev/null; df /tmp > /dev/null; sync
tar -C /tmp -cf /tmp/t.tar a c; tar -C /tmp -tf /tmp/t.tar > /dev/null; sed -i s/word/text/ /tmp/a; grep -q text /tmp/a
dd if=/dev/zero of=/tmp/z bs=4k count=4 status=none; split -n 2 /tmp/z /tmp/z.; touch -d yesterday /tmp/z; find /tmp -name 'z.*' -delete
trap 'echo fine' EXIT; ulimit -n 100; ulimit -a > /dev/null`,
  ),
  program(
    'c',
    'threads, processes, timers, memory, events and local sockets of the C library',
    `
#define _GNU_SOURCE
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static sem_t sem;
static void *thread(void *value) { sem_post(&sem); return value; }
int main(void) {
  pthread_t threads[8];
  sem_init(&sem, 1, 0);
  for (long i = 0; i < 8; i++) assert(pthread_create(&threads[i], NULL, thread, (void *)i) == 0);
  for (long i = 0; i < 8; i++) { void *value; sem_wait(&sem); assert(pthread_join(threads[i], &value) == 0 && value == (void *)i); }
  pid_t child; int status; char *argv[] = {"true", NULL}, buffer[64];
  assert(posix_spawnp(&child, "true", NULL, NULL, argv, NULL) == 0 && waitpid(child, &status, 0) == child && status == 0);
  if ((child = fork()) == 0) _exit(7);
  assert(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
  FILE *pipe = popen("echo hi", "r"); assert(fgets(buffer, sizeof buffer, pipe) && pclose(pipe) == 0);
  timer_t timer; struct sigevent event = {.sigev_notify = SIGEV_NONE}; assert(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  struct itimerspec soon = {.it_value = {0, 1000000}}; int clock = timerfd_create(CLOCK_MONOTONIC, 0); unsigned long long ticks;
  assert(timerfd_settime(clock, 0, &soon, NULL) == 0 && read(clock, &ticks, 8) == 8);
  int poll = epoll_create1(0), wake = eventfd(1, 0); struct epoll_event ready = {.events = EPOLLIN};
  assert(epoll_ctl(poll, EPOLL_CTL_ADD, wake, &ready) == 0 && epoll_wait(poll, &ready, 1, 1000) == 1);
  int notify = inotify_init1(0); assert(inotify_add_watch(notify, "/tmp", IN_CREATE) >= 0 && mkdir("/tmp/made", 0700) == 0 && read(notify, buffer, sizeof buffer) > 0);
  int memory = memfd_create("m", 0); assert(ftruncate(memory, 4096) == 0 && mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0) != MAP_FAILED);
  void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); assert(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0 && madvise(code, 4096, MADV_DONTNEED) == 0);
  int pair[2]; assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 && send(pair[0], "x", 1, 0) == 1 && recv(pair[1], buffer, 1, 0) == 1);
  struct rlimit limit = {32, 32}; struct stat info; cpu_set_t cpus; struct sched_param normal = {0};
  assert(setrlimit(RLIMIT_NOFILE, &limit) == 0 && prlimit(0, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur == 32);
  assert(prctl(PR_SET_NAME, "named") == 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getrandom(buffer, 8, 0) == 8);
  assert(fchmodat(AT_FDCWD, "/tmp/made", 0711, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(AT_FDCWD, "/tmp/made", &info, 0) == 0 && posix_fallocate(memory, 0, 8192) == 0);
  assert(sched_getaffinity(0, sizeof cpus, &cpus) == 0 && pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal) == 0 && posix_fadvise(memory, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
  sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR1); sigprocmask(SIG_BLOCK, &set, NULL);
  int signals = signalfd(-1, &set, 0); assert(sigqueue(getpid(), SIGUSR1, (union sigval){0}) == 0 && read(signals, (char[128]){0}, 128) == 128);
  puts("fine");
}`,
  ),
];
