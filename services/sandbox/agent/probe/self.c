// Reports on the process itself: identity, limits, environment, descriptors, control groups.
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe.h"

extern char **environ;

static void report_status(void) {
  FILE *file = fopen("/proc/self/status", "r");
  char line[512];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    static const char *const wanted[] = {"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"};
    char *colon = strchr(line, ':');
    if (colon == NULL) continue;
    *colon = '\0';
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
      if (strcmp(line, wanted[i]) != 0) continue;
      char *value = colon + 1 + strspn(colon + 1, " \t");
      value[strcspn(value, "\n")] = '\0';
      printf("%s %s\n", line, value);
    }
  }
  if (file != NULL) fclose(file);
}

static void print_limit(rlim_t value) {
  if (value == RLIM_INFINITY) printf(" unlimited");
  else printf(" %llu", (unsigned long long)value);
}

static void report_limit(void) {
  static const struct {
    const char *name;
    int resource;
  } limits[] = {
      {"core", RLIMIT_CORE},         {"nofile", RLIMIT_NOFILE},         {"fsize", RLIMIT_FSIZE},   {"memlock", RLIMIT_MEMLOCK},
      {"msgqueue", RLIMIT_MSGQUEUE}, {"sigpending", RLIMIT_SIGPENDING}, {"rtprio", RLIMIT_RTPRIO}, {"nice", RLIMIT_NICE},
  };
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    struct rlimit limit;
    if (getrlimit(limits[i].resource, &limit) != 0) continue;
    printf("rlimit %s", limits[i].name);
    print_limit(limit.rlim_cur);
    print_limit(limit.rlim_max);
    putchar('\n');
  }
}

static void report_descriptor(void) {
  DIR *dir = opendir("/proc/self/fd");
  for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
    int fd = atoi(entry->d_name);
    if (fd > 2 && fd != dirfd(dir)) printf("descriptor %d\n", fd);
  }
  if (dir == NULL) puts("descriptor unknown");
  else closedir(dir);
}

// First line of the first file that exists; nothing where the control group is not visible.
static void group_fact(const char *name, const char *const *paths) {
  for (; *paths != NULL; paths++) {
    char path[256], line[128];
    (void)snprintf(path, sizeof path, "/sys/fs/cgroup/%s", *paths);
    FILE *file = fopen(path, "r");
    if (file == NULL) continue;
    if (fgets(line, sizeof line, file) != NULL) {
      line[strcspn(line, "\n")] = '\0';
      printf("%s %s\n", name, line);
    }
    fclose(file);
    return;
  }
}

static void report_group(void) {
  group_fact("memory", (const char *const[]){"memory.max", "memory/memory.limit_in_bytes", NULL});
  group_fact("memory_swap_v1", (const char *const[]){"memory/memory.memsw.limit_in_bytes", NULL});
  group_fact("swap_v2", (const char *const[]){"memory.swap.max", NULL});
  group_fact("pids", (const char *const[]){"pids.max", "pids/pids.max", NULL});
  group_fact("cpu_v2", (const char *const[]){"cpu.max", NULL});
  group_fact("cpu_quota", (const char *const[]){"cpu/cpu.cfs_quota_us", "cpu,cpuacct/cpu.cfs_quota_us", NULL});
  group_fact("cpu_period", (const char *const[]){"cpu/cpu.cfs_period_us", "cpu,cpuacct/cpu.cfs_period_us", NULL});
  FILE *file = fopen("/proc/meminfo", "r");
  char line[256];
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    unsigned long long kilobytes;
    if (sscanf(line, "SwapTotal: %llu", &kilobytes) == 1) printf("swap_total %llu\n", kilobytes * 1024);
  }
  if (file != NULL) fclose(file);
  file = fopen("/proc/self/cgroup", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char *path = strrchr(line, ':');
    if (path != NULL) printf("group_path %s", path + 1);
  }
  if (file != NULL) fclose(file);
}

void report_self(void) {
  char text[4096];
  report_status();
  report_limit();
  if (getcwd(text, sizeof text) != NULL) printf("cwd %s\n", text);
  if (gethostname(text, sizeof text) == 0) printf("hostname %s\n", text);
  for (char **entry = environ; *entry != NULL; entry++) printf("env %.*s\n", (int)strcspn(*entry, "=\n"), *entry);
  report_descriptor();
  report_group();
}
