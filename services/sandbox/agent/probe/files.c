// Reports on files: what can be written, what /proc and /dev show of the host, which daemons' sockets are reachable.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "probe.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

// Creates and removes a file in a directory; opens a file for writing.
static void try_write(const char *dir) {
  char path[1024];
  struct stat info;
  if (stat(dir, &info) != 0) return;
  if (S_ISDIR(info.st_mode)) (void)snprintf(path, sizeof path, "%s/.rungrid-probe", strcmp(dir, "/") == 0 ? "" : dir);
  else if (S_ISREG(info.st_mode)) (void)snprintf(path, sizeof path, "%s", dir);
  else return;
  int fd = open(path, O_WRONLY | O_CLOEXEC | (S_ISDIR(info.st_mode) ? O_CREAT | O_EXCL : 0), 0600);
  if (fd < 0) return;
  (void)close(fd);
  if (S_ISDIR(info.st_mode)) (void)unlink(path);
  printf("writable %s\n", dir);
}

static void report_write(void) {
  static const char *const places[] = {
      "/bin", "/dev",     "/dev/mqueue", "/dev/shm", "/etc",     "/etc/ld.so.cache", "/etc/passwd",    "/home",
      "/lib", "/opt",     "/root",       "/run",     "/run/lock", "/rungrid",        "/rungrid/agent", "/rungrid/language",
      "/srv", "/usr/bin", "/usr/lib",    "/usr/local/lib", "/var", "/var/cache",     "/var/lib",       "/var/tmp",
  };
  for (size_t i = 0; i < COUNT(places); i++) try_write(places[i]);
  // Every mount: bind mounts of the host would be among them.
  FILE *file = fopen("/proc/self/mountinfo", "r");
  if (file == NULL) puts("writable unknown");
  char line[4096], point[1024];
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "%*s %*s %*s %*s %1023s", point) == 1) try_write(point);
  if (file != NULL) fclose(file);
  struct statvfs tmp;
  if (statvfs("/tmp", &tmp) == 0)
    printf("tmp %llu %llu%s%s%s\n", (unsigned long long)tmp.f_blocks * tmp.f_frsize, (unsigned long long)tmp.f_files,
           tmp.f_flag & ST_NOSUID ? " nosuid" : "", tmp.f_flag & ST_NODEV ? " nodev" : "", tmp.f_flag & ST_NOEXEC ? " noexec" : "");
  struct statvfs root;
  if (statvfs("/", &root) == 0) printf("root %s\n", root.f_flag & ST_RDONLY ? "read-only" : "writable");
}

static void report_show(void) {
  // Masked by the engine: empty, or refused.
  static const char *const masked[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/proc/kmsg"};
  for (size_t i = 0; i < COUNT(masked); i++) {
    char byte;
    int fd = open(masked[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) continue;
    if (read(fd, &byte, 1) > 0) printf("shown %s\n", masked[i]);
    (void)close(fd);
  }
  static const char *const hidden[] = {"/proc/scsi", "/proc/acpi", "/sys/firmware"};
  for (size_t i = 0; i < COUNT(hidden); i++) {
    DIR *dir = opendir(hidden[i]);
    if (dir == NULL) continue;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
      if (entry->d_name[0] != '.') printf("shown %s/%s\n", hidden[i], entry->d_name);
    closedir(dir);
  }
  static const char *const settings[] = {"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/irq/default_smp_affinity", "/proc/1/oom_score_adj", "/sys/kernel/uevent_helper", "/sys/power/state"};
  for (size_t i = 0; i < COUNT(settings); i++) {
    int fd = open(settings[i], O_WRONLY | O_CLOEXEC);
    if (fd < 0) continue;
    (void)close(fd);
    printf("setting %s\n", settings[i]);
  }
}

static void report_device(void) {
  static const char *const usual[] = {"console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"};
  DIR *dir = opendir("/dev");
  for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
    bool known = entry->d_name[0] == '.';
    for (size_t i = 0; i < COUNT(usual); i++) known = known || strcmp(entry->d_name, usual[i]) == 0;
    if (!known) printf("device %s\n", entry->d_name);
  }
  if (dir != NULL) closedir(dir);
  static const char *const sockets[] = {"/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock", "/run/systemd/private", "/run/dbus/system_bus_socket"};
  for (size_t i = 0; i < COUNT(sockets); i++)
    if (access(sockets[i], F_OK) == 0) printf("daemon_socket %s\n", sockets[i]);
}

static void report_terminal(void) {
  DIR *dir = opendir("/dev/pts");
  for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') printf("terminal %s\n", entry->d_name);
  if (dir != NULL) closedir(dir);
  int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  printf("terminals %s\n", fd < 0 ? "none" : "open");
  if (fd >= 0) (void)close(fd);
}

void report_files(void) {
  report_write();
  report_show();
  report_device();
  report_terminal();
}
