// Parses START. Everything is bounded: names, the number of strings, their total length.
#define _GNU_SOURCE
#include "start.h"

#include <string.h>

#include "frames.h"

static char words[WORDS_MAX];
static size_t words_used;

static const char *add_word(char **list, size_t *count, const uint8_t *field, size_t length) {
  if (memchr(field, 0, length) != NULL) return "bad START: NUL in a string";
  if (*count == WORD_COUNT_MAX || length + 1 > sizeof words - words_used) return "bad START: too many strings";
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

static const char *set_artifact(struct start *start, const uint8_t *field, size_t length) {
  if (start->artifact[0] != '\0' || file_check_name((const char *)field, length) != NULL) return "bad START: artifact";
  memcpy(start->artifact, field, length);
  start->artifact[length] = '\0';
  return NULL;
}

static const char *set_size(struct start *start, const uint8_t *field, size_t length) {
  if (length != 4) return "bad START: terminal size";
  start->columns = get_u16(field);
  start->rows = get_u16(field + 2);
  return NULL;
}

static const char *take_field(struct start *start, uint8_t tag, const uint8_t *field, size_t length) {
  switch (tag) {
    case 'F': return file_write(field, length);
    case 'C': return add_word(start->compile, &start->compile_count, field, length);
    case 'R':
      if (start->arg_count > 0) return "bad START: run command after an argument";
      return add_word(start->run, &start->run_count, field, length);
    case 'A':
      start->arg_count++;
      return add_word(start->run, &start->run_count, field, length);
    case 'E': return add_env(start, field, length);
    case 'O': return set_artifact(start, field, length);
    case 'T': return set_size(start, field, length);
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

size_t start_handoff(const struct start *start, char *into, size_t size) {
  size_t used = 0;
  for (size_t i = 0; i < start->run_count; i++) used = append(into, used, size, start->run[i], 'A');
  for (size_t i = 0; i < start->env_count; i++) used = append(into, used, size, start->env[i], 'E');
  return used;
}
