// Writes and opens files in /tmp under checked names only; never follows a link.
#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_BYTES (sizeof "/tmp/" + NAME_MAX_BYTES)

const char *file_check_name(const char *name, size_t length) {
  const char *refused = "bad file name";
  if (length == 0 || length > NAME_MAX_BYTES || name[0] == '.' || name[0] == '-') return refused;
  for (size_t i = 0; i < length; i++) {
    char c = name[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') return refused;
  }
  return NULL;
}

static const char *put(const uint8_t *field, size_t length, int flags, mode_t mode) {
  const uint8_t *nul = memchr(field, 0, length);
  if (nul == NULL) return "file without a name";
  size_t name_length = (size_t)(nul - field);
  const char *why = file_check_name((const char *)field, name_length);
  if (why != NULL) return why;
  char path[PATH_MAX_BYTES];
  (void)snprintf(path, sizeof path, "/tmp/%s", (const char *)field);
  int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, mode);
  if (fd < 0) return "a file cannot be created in /tmp";
  const uint8_t *at = nul + 1;
  size_t left = length - name_length - 1;
  while (left > 0) {
    ssize_t n = write(fd, at, left);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    at += n;
    left -= (size_t)n;
  }
  close(fd);
  return left == 0 ? NULL : "a file does not fit /tmp";
}

const char *file_write(const uint8_t *field, size_t length) { return put(field, length, O_TRUNC, 0644); }

const char *file_append(const uint8_t *payload, size_t length) {
  if (length == 0 || (payload[0] & ~FILE_EXECUTABLE) != 0) return "bad FILE";
  return put(payload + 1, length - 1, O_APPEND, payload[0] & FILE_EXECUTABLE ? 0755 : 0644);
}

int file_open(const char *name) {
  char path[PATH_MAX_BYTES];
  (void)snprintf(path, sizeof path, "/tmp/%s", name);
  // Non-blocking: a FIFO under that name must not hold the agent.
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) return fd;
  (void)close(fd);
  errno = EINVAL;
  return -1;
}
