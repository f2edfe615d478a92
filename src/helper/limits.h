/*
 * Every limit of the helper programs of the network. What is beyond one is refused with a reason,
 * never cut.
 */
#ifndef BAWN_HELPER_LIMITS_H
#define BAWN_HELPER_LIMITS_H

/* ---- HTTP/1 (spec 5.4) ---- */
#define LIMIT_HEAD         65536u /* bytes of a request's or response's head, blank line included */
#define LIMIT_REQUEST_LINE 16384u /* bytes, line end included */
#define LIMIT_FIELDS       128u
#define LIMIT_CHUNK_LINE   1024u /* bytes of a chunk's size line, extensions included */
#define LIMIT_TRAILER      8192u /* bytes of all trailer fields */

/* ---- times, in milliseconds ---- */
#define LIMIT_HEAD_MS    30000  /* from the first byte of a request to the end of its head */
#define LIMIT_IDLE_MS    30000  /* before the first byte of a connection */
#define LIMIT_KEEP_MS    120000 /* between two requests of one client */
#define LIMIT_SOCKS_MS   10000  /* the whole SOCKS greeting */
#define LIMIT_CONNECT_MS 10000  /* all attempts to connect to one destination */
#define LIMIT_NEXT_MS    250    /* before the next address of a name is tried beside the last */
#define LIMIT_DNS_MS     2000   /* one look-up */
#define LIMIT_POOL_MS    15000  /* an idle connection to a server */
#define LIMIT_LINGER_MS  2000   /* for a client to take the last bytes of a refusal */
#define LIMIT_ASK_MS     600000 /* for somebody to answer */

/* ---- how many ---- */
#define LIMIT_CLIENTS      8192u        /* connections from the sandbox at one time */
#define LIMIT_POOL         64u          /* idle connections to servers */
#define LIMIT_POOL_HOST    16u          /* … to one of them */
#define LIMIT_ADDRESSES    16u          /* tried of one name */
#define LIMIT_ASKS         64u          /* questions open at one time */
#define LIMIT_ANSWERS      4096u        /* that are remembered */
#define LIMIT_UDP_PEERS    64u          /* destinations of one UDP association */
#define LIMIT_NAMES        65536u       /* names with an address of the stub resolver's */
#define LIMIT_EVENTS_BYTES (1u << 20)   /* that wait for the launcher */
#define LIMIT_MEMORY       (512u << 20) /* bytes of address space beyond what is there at the start */

/* ---- TLS and DNS ---- */
#define LIMIT_HELLO 16640u /* bytes of a ClientHello with its record headers */
#define LIMIT_DNS   4096u  /* bytes of a query */

#endif
