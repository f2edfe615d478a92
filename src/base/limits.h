/*
 * Every maximum of the project stands here, with its unit and its reason. A growable thing is given
 * its maximum when it is made; what would pass it is an error, never a silent cut.
 */
#ifndef BAWN_BASE_LIMITS_H
#define BAWN_BASE_LIMITS_H

#define MAX_PATH_BYTES    4096u                /* PATH_MAX of the kernel, terminator included */
#define MAX_NAME_BYTES    255u                 /* NAME_MAX: one path component */
#define MAX_FILE_BYTES    (16u * 1024 * 1024)  /* a configuration file */
#define MAX_GITFILE_BYTES 8192u                /* a .git, commondir or gitdir file of Git */
#define MAX_TOML_KEYS     1000000u             /* keys of one document */
#define MAX_TOML_DEPTH    80u                  /* nesting of values and tables */
#define MAX_STRBUF_BYTES  (256u * 1024 * 1024) /* default ceiling of a strbuf */
#define MAX_VEC_ITEMS     (64u * 1024 * 1024)  /* default ceiling of a vector, items */
#define MAX_PLAN_MOUNTS   1000000u             /* the kernel's own limit is nearer */
#define MAX_PASS_FDS      256u                 /* descriptors of --pass-fd */
#define MAX_JSON_DEPTH    64u                  /* nesting of what the JSON writer writes */

#endif
