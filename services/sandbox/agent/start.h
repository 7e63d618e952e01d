// The START request: checked field by field, its files written to /tmp, its strings kept for exec or for the warm process.
#ifndef RUNGRID_START_H
#define RUNGRID_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"

// All of `C`, `R`, `A` and `E` together. The handoff to a warm process must fit a socket buffer in one write.
#define WORDS_MAX 65536u
#define WORD_COUNT_MAX 1024u

struct start {
  char *compile[WORD_COUNT_MAX + 1]; // argv, NULL-terminated
  char *run[WORD_COUNT_MAX + 1];     // argv with the arguments appended; only the arguments when there is no `R`
  char *env[WORD_COUNT_MAX + 1];     // KEY=VALUE
  size_t compile_count, run_count, arg_count, env_count;
  char artifact[NAME_MAX_BYTES + 1]; // what the compile step leaves in /tmp; empty: not given
  uint16_t columns, rows;            // of the terminal; 0: not given
};

// Reads the fields and writes the files. NULL, or why the request is refused.
const char *start_parse(struct start *start, const uint8_t *payload, size_t length);
// What the warm process is sent: NUL-terminated `A<arg>` and `E<KEY>=<VALUE>`. Returns its length (bounded by the parse).
size_t start_handoff(const struct start *start, char *into, size_t size);
#define HANDOFF_MAX (WORDS_MAX + WORD_COUNT_MAX)

#endif
