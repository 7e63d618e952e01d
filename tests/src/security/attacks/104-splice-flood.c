// expect: tee, splice and sendfile into the output meet the same output limit
// check: status=output_limit max_wall=10 after=rss_flat,disk_flat,next_run_ok
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>
int main(void) {
  static char b[65536];
  int p[2], zero = open("/dev/zero", O_RDONLY), file = open("/tmp/f", O_RDWR | O_CREAT, 0600);
  if (pipe(p) < 0) return 1;
  fcntl(1, F_SETPIPE_SZ, 1 << 20);
  if (write(file, b, sizeof b) < 0) return 1;
  for (;;) {
    off_t at = 0;
    splice(zero, 0, p[1], 0, 65536, SPLICE_F_NONBLOCK);
    tee(p[0], 1, 65536, 0);
    splice(p[0], 0, 1, 0, 65536, 0);
    sendfile(2, file, &at, 65536);
  }
}
