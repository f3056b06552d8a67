#ifndef _AUDIT_FACTS_H_INCLUDED_
#define _AUDIT_FACTS_H_INCLUDED_

/*++
/* NAME
/*	audit_facts 3h
/* SUMMARY
/*	what was learned from log lines
/* SYNOPSIS
/*	#include "audit_facts.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <sys/types.h>
#include <stdint.h>

 /*
  * Utility library.
  */
#include <argv.h>
#include <htable.h>

 /*
  * Application-specific.
  */
#include "audit_count.h"
#include "audit_names.h"
#include "audit_pool.h"
#include "audit_vocab.h"

 /*
  * A certificate or key of a server.
  */
#define AUDIT_DIGEST_CERT	0
#define AUDIT_DIGEST_KEY	1
#define AUDIT_DIGEST_KINDS	2
#define AUDIT_DIGEST_MAX	200	/* characters; SHA-512 needs 191 */
#define AUDIT_DIGEST_KEEP	32	/* per server and kind */

extern const char *const audit_digest_kinds[];

typedef struct AUDIT_DIGEST {
    struct AUDIT_DIGEST *next;
    time_t  first;
    time_t  last;
    unsigned char kind;
    unsigned char len;
    unsigned char room;			/* for text */
    char    text[1];			/* actually a bunch */
} AUDIT_DIGEST;

 /*
  * One week of a destination. Weeks count from 1970. With many destinations
  * this is what most of the memory is used for.
  */
#define AUDIT_WEEK_SECONDS	(7 * AUDIT_DAY_SECONDS)
#define AUDIT_WEEK_KEEP		58
#define AUDIT_WEEK(when)	((unsigned) ((when) / AUDIT_WEEK_SECONDS))

typedef struct {
    uint64_t week:16;
    uint64_t verified:24;
    uint64_t failed:24;
} AUDIT_WEEK;

#define AUDIT_WEEK_MAX	((1U << 16) - 1)
#define AUDIT_WEEK_COUNT	((1U << 24) - 1)	/* no more than that */

 /*
  * What the server could have been held to. Not every template says so.
  */
#define AUDIT_ATTAIN_UNKNOWN	(-1)
#define AUDIT_ATTAIN_NOTHING	0
#define AUDIT_ATTAIN_VERIFY	1
#define AUDIT_ATTAIN_SECURE	2
#define AUDIT_ATTAIN_COUNT	3

 /*
  * How one host that sends mail fared with one policy for one destination.
  * 
  * With a policy that does not authenticate, a delivery is verified when an
  * authenticated level was attainable, and only deliveries count for which
  * that is known.
  */
typedef struct AUDIT_STATE {
    struct AUDIT_STATE *next;		/* same destination */
    const char *host;			/* that logged it */
    int     policy;			/* AUDIT_LEVEL_NONE: not logged */
    int     fallback;			/* weakest level fallen back to */
    unsigned int deliveries;
    unsigned int verified;
    unsigned int secure;		/* attainable, part of verified */
    unsigned int warnings;		/* fallback, fallback refused */
    time_t  first;			/* zero if not seen, as all times */
    time_t  last;
    time_t  first_verified;
    time_t  last_verified;
    time_t  first_failure;
    time_t  last_failure;
    const char *reason;			/* last one that is known */
    time_t  reason_time;
    AUDIT_WEEK *weeks;			/* in order */
    unsigned short week_count;
} AUDIT_STATE;

 /*
  * Destination, the unit that policies are about.
  */
typedef enum {
    AUDIT_DEST_NEXTHOP,			/* nexthop attribute */
    AUDIT_DEST_DOMAIN,			/* recipient domain, a guess */
    AUDIT_DEST_RELAY,			/* server hostname, a guess */
    AUDIT_DEST_KINDS
} AUDIT_DEST_KIND;

extern const char *const audit_dest_kinds[];

typedef struct AUDIT_DEST {
    AUDIT_NAME key;			/* not always its name */
    const char *name;
    AUDIT_DEST_KIND kind;		/* the best that is known */
    int     is_route;			/* has mail for other domains */
    AUDIT_STATE *states;
} AUDIT_DEST;

 /*
  * What is weak about a server, in the order of audit_weaknesses[].
  */
typedef enum {
    AUDIT_WEAK_PROTOCOL, AUDIT_WEAK_SECRECY, AUDIT_WEAK_ANONYMOUS,
    AUDIT_WEAK_COUNT
} AUDIT_WEAKNESS;

 /*
  * Server, as host[address]:port.
  */
typedef struct {
    AUDIT_NAME key;
    const char *name;
    unsigned int connections[AUDIT_AUTH_COUNT];
    unsigned int connected;		/* sum of the above */
    time_t  last;
    AUDIT_DIGEST *digests;
    AUDIT_DEST *nexthop;		/* first one, by attribute */
    int     has_nexthops;		/* and there are others */
    /* Found without hashing. */
    AUDIT_DEST *dest;			/* most recent one */
    AUDIT_DEST *host;			/* when nexthop is unknown */
    struct AUDIT_CERT *cert;		/* most recent one */
    AUDIT_COUNT *weak[AUDIT_WEAK_COUNT];
} AUDIT_RELAY;

 /*
  * The certificate that was last seen for a destination at a server.
  */
typedef struct AUDIT_CERT {
    AUDIT_NAME key;			/* destination and server */
    const AUDIT_DEST *dest;
    const AUDIT_RELAY *relay;
    time_t  seen;
    time_t  expires;
} AUDIT_CERT;

 /*
  * Lines, by what they are. The first ones are those of AUDIT_LINE_TYPE.
  */
typedef enum {
    AUDIT_LINES_REPEATS = 8,		/* status line after audit line */
    AUDIT_LINES_SKIPPED,		/* not selected */
    AUDIT_LINES_OVERLONG,
    AUDIT_LINES_NULL,
    AUDIT_LINES_ATTAIN,			/* says what was attainable */
    AUDIT_LINES_COUNT
} AUDIT_LINES;

extern const char *const audit_lines_names[];

 /*
  * Everything. Logs are what audit_log(3) knows about lines that belong
  * together but were, or may be, in different inputs.
  */
typedef struct AUDIT_FACTS {
    AUDIT_TABLE tables[AUDIT_TABLE_COUNT];
    AUDIT_POOL *pool;			/* memory of the following */
    AUDIT_NAMES destinations;		/* of AUDIT_DEST */
    AUDIT_NAMES relays;			/* of AUDIT_RELAY */
    AUDIT_NAMES certs;			/* of AUDIT_CERT */
    AUDIT_NAMES words;			/* names of hosts, reasons, levels */
    AUDIT_RELAY *relay;			/* the last one that was used */
    unsigned long lines[AUDIT_LINES_COUNT];
    time_t  first;
    time_t  last;
    struct AUDIT_LOG *logs;
    HTABLE *totals;			/* counters, as reported before */
    ARGV   *unknown;			/* records of a later version */
    int     minor;			/* version that has these */
    ARGV   *notes;			/* file name, what is wrong with it */
} AUDIT_FACTS;

extern AUDIT_FACTS *audit_facts_create(void);
extern const char *audit_facts_word(AUDIT_FACTS *, const char *);
extern AUDIT_DEST *audit_facts_dest(AUDIT_FACTS *, const char *, AUDIT_DEST_KIND);
extern AUDIT_RELAY *audit_facts_relay(AUDIT_FACTS *, const char *);
extern AUDIT_DEST *audit_facts_host(AUDIT_FACTS *, AUDIT_RELAY *);
extern AUDIT_STATE *audit_facts_state(AUDIT_FACTS *, AUDIT_DEST *, const char *, int);
extern void audit_facts_cert(AUDIT_FACTS *, AUDIT_RELAY *, const AUDIT_DEST *, time_t, time_t);
extern void audit_facts_trim(AUDIT_FACTS *);
extern void audit_facts_sort(AUDIT_FACTS *);

extern void audit_state_week(AUDIT_STATE *, unsigned, unsigned, unsigned);
extern void audit_state_reason(AUDIT_STATE *, const char *, time_t);
extern void audit_state_fallback(AUDIT_STATE *, int);
extern void audit_state_delivery(AUDIT_STATE *, int, unsigned, time_t, time_t);

extern void audit_relay_nexthop(AUDIT_RELAY *, AUDIT_DEST *);
extern void audit_relay_digest(AUDIT_FACTS *, AUDIT_RELAY *, int, const char *, time_t, time_t);
extern void audit_relay_weak(AUDIT_FACTS *, AUDIT_RELAY *, AUDIT_WEAKNESS, int, time_t);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
