/* What writer (spool.c) and reader (spool_read.c) share: the directory, its files, the lock. */
#ifndef BAWN_TELEMETRY_SPOOL_FILES_H
#define BAWN_TELEMETRY_SPOOL_FILES_H

#include "telemetry/spool.h"

#include <sys/types.h>

#define SPOOL_MAGIC       0x0b5a770cu /* no text has its bytes, in either order */
#define SPOOL_NUMBER_MAX  999999999999999999u
#define SEGMENT_NAME      32u
#define SPOOL_PATIENCE_US 250000 /* for the lock: whoever has it has it for microseconds */

struct spool_head {
    uint32_t magic, length, check;
};

/* CRC is that of the payload. */
uint32_t spool_check(uint32_t crc, uint32_t length, uint64_t segment, uint64_t offset);

/* Descriptors or a negative errno. */
int spool_dir_open(int parent, const char *name, struct error *err);
int spool_lock_open(int dirfd, struct error *err);
/* NAME below DIRFD, a regular file that is ours alone: -EPERM for anything else. FLAGS are
 * open's. */
int spool_file_open(int dirfd, const char *name, int flags);
/* Is NAME below PARENT still what DIRFD is? */
bool spool_dir_stands(int parent, const char *name, int dirfd);

void spool_unlock(int lock); /* the other half of fd_lock() */

void segment_name(uint64_t number, char ret[SEGMENT_NAME]);

/* Bytes are those of regular files, none of them counted as more than a segment may have. */
struct spool_list {
    size_t n;                 /* segments; the rest is 0 when there are none */
    uint64_t lowest, highest; /* numbers start at 1 */
    uint64_t bytes, bytes_of_last;
    /* Beside the number that was asked for. */
    uint64_t next;                  /* the lowest above it; 0: none */
    uint64_t bytes_of, bytes_below; /* of that segment, and of those before it */
};
/* Looks at the directory once. 0; -ENOENT: it was removed; another negative errno. */
int spool_list(int dirfd, uint64_t number, struct spool_list *ret);
/* Removes segments below NUMBER. */
void spool_remove_below(int dirfd, uint64_t number);

/* Adds ADD to the count in FD (-1 is fine), or takes it out and leaves zero. Under the lock. */
int spool_count_add(int fd, uint64_t add);
uint64_t spool_count_take(int fd);
uint64_t spool_count_look(int fd);

/* All N bytes, or fewer at the end of the file; a negative errno. */
ssize_t spool_pread(int fd, void *p, size_t n, uint64_t at);

#endif
