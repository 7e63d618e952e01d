// Parses START. Everything is bounded: names, number of words, their total length.
#define _GNU_SOURCE
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"

#define NAME_MAX_BYTES 64u

static char words[WORDS_MAX];
static size_t words_used;

static bool name_allowed(const char *name, size_t length) {
  if (length == 0 || length > NAME_MAX_BYTES || name[0] == '.' || name[0] == '-') return false;
  for (size_t i = 0; i < length; i++) {
    char c = name[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

static const char *write_file(const uint8_t *field, size_t length) {
  const uint8_t *nul = memchr(field, 0, length);
  if (nul == NULL) return "bad START: file without a name";
  size_t name_length = (size_t)(nul - field);
  if (!name_allowed((const char *)field, name_length)) return "bad START: file name";
  char path[sizeof "/tmp/" + NAME_MAX_BYTES];
  (void)snprintf(path, sizeof path, "/tmp/%s", (const char *)field);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return "a file can't be created in /tmp";
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

static const char *add_word(char **list, size_t *count, const uint8_t *field, size_t length) {
  if (memchr(field, 0, length) != NULL) return "bad START: NUL in a word";
  if (*count == WORD_COUNT_MAX || length + 1 > sizeof words - words_used) return "bad START: too many words";
  char *word = words + words_used;
  memcpy(word, field, length);
  word[length] = '\0';
  words_used += length + 1;
  list[(*count)++] = word;
  list[*count] = NULL;
  return NULL;
}

static const char *add_env(struct start *start, const uint8_t *field, size_t length) {
  const uint8_t *equals = memchr(field, '=', length);
  if (equals == NULL || equals == field) return "bad START: environment entry";
  return add_word(start->env, &start->env_count, field, length);
}

static const char *take_field(struct start *start, uint8_t tag, const uint8_t *field, size_t length) {
  switch (tag) {
    case 'F': return write_file(field, length);
    case 'C': return add_word(start->compile, &start->compile_count, field, length);
    case 'R':
      if (start->arg_count > 0) return "bad START: run command after an argument";
      return add_word(start->run, &start->run_count, field, length);
    case 'A':
      start->arg_count++;
      return add_word(start->run, &start->run_count, field, length);
    case 'E': return add_env(start, field, length);
    default: return "bad START: unknown field";
  }
}

const char *start_parse(struct start *start, const uint8_t *payload, size_t length) {
  size_t at = 0;
  while (at < length) {
    if (length - at < 5) return "bad START: cut field";
    uint8_t tag = payload[at];
    size_t size = get_u32(payload + at + 1);
    at += 5;
    if (size > length - at) return "bad START: cut field";
    const char *why = take_field(start, tag, payload + at, size);
    if (why != NULL) return why;
    at += size;
  }
  return NULL;
}

static size_t append(char *into, size_t used, size_t size, const char *tagged, char tag) {
  size_t length = strlen(tagged) + 1;
  if (size - used < length + 1) return used;
  into[used] = tag;
  memcpy(into + used + 1, tagged, length);
  return used + 1 + length;
}

size_t start_handover(const struct start *start, char *into, size_t size) {
  size_t used = 0;
  for (size_t i = 0; i < start->run_count; i++) used = append(into, used, size, start->run[i], 'A');
  for (size_t i = 0; i < start->env_count; i++) used = append(into, used, size, start->env[i], 'E');
  return used;
}
