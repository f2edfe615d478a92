/*
 * "Yes, for this session": answers that hold until the terminal's session ends (spec 4.5).
 *
 * A session is that of the terminal (setsid(2)): its leader's process id, the moment the leader
 * started, and the boot; or what a host agent calls it. Its answers are lines of a file in bawn's
 * state directory, which no sandbox can write; a session whose leader is gone has none, and its
 * file is removed by the next that looks.
 *
 * A key is the SHA-256 of everything the answer was about: see session_key_begin() and its callers.
 */
#ifndef BAWN_APPROVAL_SESSION_H
#define BAWN_APPROVAL_SESSION_H

#include "base/error.h"
#include "base/mem.h"
#include "base/sha256.h"

#include <stdbool.h>

/* The name of the session's file: of CHOSEN (any text) where it is not NULL, else of the process's
 * own session. -ESRCH: it cannot be told apart from another one. */
int session_name(struct arena *a, const char *chosen, const char **ret, struct error *err);

/* A field of a key: its length goes first, so that no two lists of fields are alike. */
void session_key_put(struct sha256 *key, const void *p, size_t n);
void session_key_text(struct sha256 *key, const char *text); /* NULL differs from "" */

/* What the answers for KEY say: with *ret_n 0, that it may run as it is; else the grants it may run
 * with (KIND:WHAT each). -ENOENT when there is no answer; everything that is wrong with the file is
 * no answer. */
int session_look(struct arena *a, const char *state_dir, const char *name,
                 const char key[SHA256_HEX_BYTES], const char ***ret_grants, size_t *ret_n);
/* Writes one down. */
int session_add(const char *state_dir, const char *name, const char key[SHA256_HEX_BYTES],
                const char *const *grants, size_t n, struct error *err);

#endif
