// Files of a run in /tmp: written before the program starts, and the artifact read after a compile step.
#ifndef RUNGRID_FILES_H
#define RUNGRID_FILES_H

#include <stddef.h>
#include <stdint.h>

#define NAME_MAX_BYTES 64u
#define FILE_EXECUTABLE 1u // flag of FRAME_FILE: mode 0755, not 0644

// `field` is `name NUL content`: writes a new /tmp/name. NULL, or why not.
const char *file_write(const uint8_t *field, size_t length);
// `payload` is `flags u8, name NUL content`: appends to /tmp/name, which the first such frame creates. NULL, or why not.
const char *file_append(const uint8_t *payload, size_t length);
// NULL, or why `name` (of `length` bytes) names no file in /tmp.
const char *file_check_name(const char *name, size_t length);
// Opens the regular file /tmp/name for reading. -1 with errno.
int file_open(const char *name);

#endif
