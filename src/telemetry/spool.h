/*
 * Signals on their way to a collector, on the disk: many bawns append, one bawn-exporter reads.
 *
 * One directory for one destination and kind of signal:
 *
 *   lock         flock: writers exclusive, for the few microseconds of an append
 *   N.spool      frames, N counted up in decimal without leading zeros; the highest is appended to,
 *                the others never change again
 *   cursor       how far the reader is: two copies, each with a checksum, written in turn
 *   dropped      how many frames there was no room for and nobody has told the collector of yet
 *
 * A frame is magic, length, checksum, payload; appended with one writev(2) under the lock. The
 * checksum is CRC-32C of the payload and of its place (segment, offset), so that no payload can
 * hold what passes for a frame. What a writer that died left of a frame is skipped by the reader
 * and counted as dropped. Nothing is synced to the disk: what a crash of the machine takes is the
 * last seconds of telemetry, and the audit log has those.
 *
 * The directory always has a segment once it has had one: its number says where to go on, also
 * when everything was read and removed.
 *
 * Bounded: when all segments together would pass `most` bytes, the frame is dropped and counted.
 * The newest is dropped, not the oldest: what came first is usually the cause.
 *
 * At least once: a reader that dies between sending and spool_commit() sends the same frames again,
 * with the same identities in them.
 */
#ifndef BAWN_TELEMETRY_SPOOL_H
#define BAWN_TELEMETRY_SPOOL_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define SPOOL_SEGMENT (1024u * 1024) /* bytes that a segment never passes */
#define SPOOL_FRAME   (64u * 1024)   /* bytes of a payload at most; at least one */
#define SPOOL_NAME    32u            /* bytes of a spool's name and the terminator */

/* ---- writing ---- */

struct spool {
    int parent;                        /* the caller's */
    int dirfd, lock, segment, dropped; /* -1: not open */
    char name[SPOOL_NAME];             /* below `parent` */
    uint64_t number;                   /* of the segment that is open */
    uint64_t most;                     /* bytes of all segments together */
    uint64_t oldest, older;            /* the first segment; bytes of all but the open one */
    uint64_t file_limit;               /* RLIMIT_FSIZE */
    uint64_t uncounted;                /* dropped, and not in the file `dropped` yet */
    bool hasty;                        /* the lock was waited for in vain: not again */
};

/* Opens (makes, 0700 and 0600) the spool NAME below DIRFD, which has to stay open; it and what is
 * in it must be ours alone and no symlink. On failure S is closed. */
int spool_open(struct spool *s, int dirfd, const char *name, uint64_t most, struct error *err);
/* Never waits for more than a moment, and for a lock that somebody keeps only once. 0. -ENOSPC: it
 * is full, or the disk is; counted where that can be written. -EMSGSIZE. Another negative errno:
 * it is broken; nothing of the frame is there. Not to be used by a child after fork(2): the lock
 * would be both's. */
int spool_append(struct spool *s, struct bytes payload);
/* Of a zeroed one, too, and again. */
void spool_close(struct spool *s);

/* ---- reading ---- */

struct spool_place {
    uint64_t segment, offset;
};

struct spool_reader;

/* From where the cursor stands; a cursor that is missing, damaged or beyond the end means the
 * oldest segment. DIRFD has to stay open. One reader at a time: that is the caller's to see to. */
int spool_reader_open(int dirfd, const char *name, struct spool_reader **ret, struct error *err);
/* The next frame: 1, and its payload, which is valid until the next call; 0: there is none now;
 * negative errno. *ret_after (may be NULL) is the place behind it. */
int spool_next(struct spool_reader *r, struct bytes *ret, struct spool_place *ret_after);
/* Goes on reading from PLACE (one that spool_next() gave). */
int spool_seek(struct spool_reader *r, struct spool_place place);
/* Everything before PLACE is done with: it is never read again, by a later reader either, and
 * segments that are whole behind it are removed, at the latest by the next commit. A negative
 * errno: this reader goes on from there, a later one may not. -EINVAL: no place between the last
 * commit and what was read, as when the spool was removed and begun anew meanwhile. */
int spool_commit(struct spool_reader *r, struct spool_place place);
/* Frames that were dropped since this was last called, by writers and by damage; they are counted
 * no more. */
uint64_t spool_take_dropped(struct spool_reader *r);
/* Bytes that wait behind the last commit. */
uint64_t spool_waiting(struct spool_reader *r);
/* Removes what was read and committed of the last segment, too. NULL is fine. */
void spool_reader_close(struct spool_reader *r);

/* For people, beside a reader: bytes that wait, and frames that were dropped and not told of yet.
 * Changes nothing. Zero where there is no spool. */
void spool_look(int dirfd, const char *name, uint64_t *ret_waiting, uint64_t *ret_dropped);

/* ---- all of them ---- */

/* Removes the spools below DIRFD in which nothing happened since BEFORE (Unix time, seconds), with
 * what is in them: of endpoints that nobody names any more. */
void spool_remove_unused(int dirfd, int64_t before);

#endif
