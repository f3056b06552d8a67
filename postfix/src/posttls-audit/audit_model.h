#ifndef _AUDIT_MODEL_H_INCLUDED_
#define _AUDIT_MODEL_H_INCLUDED_

/*++
/* NAME
/*	audit_model 3h
/* SUMMARY
/*	TLS accounting
/* SYNOPSIS
/*	#include "audit_model.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <argv.h>
#include <htable.h>
#include <vstring.h>

 /*
  * Application-specific.
  */
#include "audit_line.h"

 /*
  * Tables that count how often something was logged. A key has as many
  * columns as there are label columns in the report, with a separator in
  * between.
  */
#define AUDIT_KEY_SEPARATOR	"\t"
#define AUDIT_KEY_OTHER		"(other)"
#define AUDIT_KEY_UNKNOWN	"-"

 /*
  * What is being counted. A fallback is recorded once for every message that
  * was sent that way, and a warning is logged once for the connection. These
  * are different things, and are never added up.
  */
#define AUDIT_COUNT_DELIVERIES	0	/* audit line or status line */
#define AUDIT_COUNT_EVENTS	1	/* warning, or TLS connection */
#define AUDIT_COUNT_KINDS	2

typedef struct {
    const char *key;			/* owned by hash table */
    unsigned long count[AUDIT_COUNT_KINDS];
    time_t  first;
    time_t  last;
} AUDIT_COUNT;

typedef enum {
    AUDIT_TABLE_LEVEL,			/* state */
    AUDIT_TABLE_REQUIRETLS,		/* state */
    AUDIT_TABLE_FALLBACK_KIND,		/* policy, level, reason */
    AUDIT_TABLE_FALLBACK,		/* nexthop, relay, policy, level, reason */
    AUDIT_TABLE_REFUSED,		/* rule, reason, policy, fallback */
    AUDIT_TABLE_FAILURE,		/* reason */
    AUDIT_TABLE_AUTH,			/* auth */
    AUDIT_TABLE_PROTOCOL,		/* protocol */
    AUDIT_TABLE_CIPHER,			/* cipher */
    AUDIT_TABLE_KEX,			/* key exchange */
    AUDIT_TABLE_PROPERTY,		/* property, answer */
    AUDIT_TABLE_WEAK,			/* relay, weakness */
    AUDIT_TABLE_COUNT
} AUDIT_TABLE_ID;

#define AUDIT_RECENT	4

typedef struct {
    HTABLE *entries;
    ssize_t limit;			/* when not zero */
    AUDIT_COUNT *recent[AUDIT_RECENT];	/* found without hashing */
    int     oldest;			/* to be replaced next */
} AUDIT_TABLE;

 /*
  * A certificate or key of a server.
  */
#define AUDIT_DIGEST_CERT	0
#define AUDIT_DIGEST_KEY	1
#define AUDIT_DIGEST_KINDS	2
#define AUDIT_DIGEST_MAX	200	/* characters; SHA-512 needs 191 */
#define AUDIT_DIGEST_KEEP	8	/* per server and kind */

typedef struct AUDIT_DIGEST {
    struct AUDIT_DIGEST *next;		/* seen later */
    time_t  first;
    time_t  last;
    unsigned char kind;
    unsigned char len;
    char    text[1];			/* actually a bunch */
} AUDIT_DIGEST;

 /*
  * Destination, the unit that policies are about.
  */
typedef enum {
    AUDIT_DEST_NEXTHOP,			/* nexthop attribute */
    AUDIT_DEST_DOMAIN,			/* recipient domain */
    AUDIT_DEST_RELAY			/* server hostname */
} AUDIT_DEST_KIND;

extern const char *const audit_dest_kinds[];

struct AUDIT_DEST;

typedef struct {
    struct AUDIT_DEST *dest;		/* null if there is none */
    int     ambiguous;			/* there is more than one */
} AUDIT_LINK;

typedef struct AUDIT_DEST {
    const char *name;			/* owned by hash table */
    AUDIT_DEST_KIND kind;
    int     policy;			/* authenticated level, or none */
    int     fallback;			/* weakest level fallen back to */
    AUDIT_LINK nexthop;			/* server hostname only: used for */
    AUDIT_LINK domain;			/* same, recipients */
    unsigned int deliveries;
    unsigned int verified;
    unsigned int warnings;		/* fallback, fallback refused */
    const char *reason;			/* last failure */
    time_t  last_failure;
    time_t  last_verified;
    time_t  first;
    time_t  last;
} AUDIT_DEST;

typedef enum {
    AUDIT_VERDICT_ENFORCE, AUDIT_VERDICT_MIXED, AUDIT_VERDICT_BROKEN,
    AUDIT_VERDICT_FEW, AUDIT_VERDICT_COUNT
} AUDIT_VERDICT;

extern const char *const audit_verdicts[];

 /*
  * What is weak about a server, in the order of weaknesses[].
  */
typedef enum {
    AUDIT_WEAK_PROTOCOL, AUDIT_WEAK_SECRECY, AUDIT_WEAK_ANONYMOUS,
    AUDIT_WEAK_COUNT
} AUDIT_WEAKNESS;

 /*
  * Server, as host[address]:port.
  */
typedef struct {
    const char *name;			/* owned by hash table */
    unsigned int connections[AUDIT_AUTH_COUNT];
    unsigned int connected;		/* sum of the above */
    time_t  last;
    AUDIT_DEST *latest;			/* most recent destination */
    AUDIT_DEST *host;			/* when nexthop is unknown */
    AUDIT_DEST *nexthop;		/* from last fallback warning */
    const char *reason;			/* same */
    int     policy;			/* same */
    AUDIT_DIGEST *digests;
    AUDIT_COUNT *weak[AUDIT_WEAK_COUNT];	/* null if it is not */
} AUDIT_RELAY;

typedef struct AUDIT_SLOT AUDIT_SLOT;

 /*
  * Everything.
  */
typedef struct {
    /* Selection. */
    time_t  since;			/* zero: no limit */
    time_t  until;			/* zero: no limit */
    ARGV   *patterns;			/* null: everything */
    unsigned int min_deliveries;	/* for the verdict "enforce" */

    /* Result. */
    AUDIT_TABLE tables[AUDIT_TABLE_COUNT];
    HTABLE *destinations;
    HTABLE *relays;
    unsigned long lines[AUDIT_LINE_TYPE_COUNT];
    unsigned long skipped;		/* not selected */
    unsigned long repeats;		/* status line after audit line */
    unsigned long overlong;
    unsigned long nul_lines;
    unsigned long fallbacks;		/* in any form */
    int     no_nexthop;			/* in some audit lines */
    time_t  first;
    time_t  last;
    ARGV   *notes;			/* file name, what is wrong with it */

    /* Private. */
    HTABLE *reasons;
    AUDIT_SLOT *slots;
    VSTRING *buf;
} AUDIT_MODEL;

extern AUDIT_MODEL *audit_model_create(void);
extern void audit_model_line(AUDIT_MODEL *, AUDIT_LINE *);
extern void audit_model_finish(AUDIT_MODEL *);
extern AUDIT_VERDICT audit_model_verdict(const AUDIT_MODEL *, const AUDIT_DEST *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
