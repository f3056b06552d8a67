#ifndef _AUDIT_GROUP_H_INCLUDED_
#define _AUDIT_GROUP_H_INCLUDED_

/*++
/* NAME
/*	audit_group 3h
/* SUMMARY
/*	lines about the same message
/* SYNOPSIS
/*	#include "audit_group.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <sys/types.h>
#include <stdint.h>

 /*
  * Application-specific.
  */
#include "audit_event.h"

 /*
  * How many lines of the same host may be between two lines about the same
  * message. Only lines with data from SMTP clients count.
  */
#define AUDIT_GROUP_GAP		2000

#define AUDIT_QUEUE_ID_SIZE	36

 /*
  * Lines of one process about one message. Positions count the lines of the
  * host in this log from 1.
  */
typedef struct AUDIT_GROUP {
    struct AUDIT_GROUP *next;
    char   *origin;			/* host and program[pid], when open */
    char    queue_id[AUDIT_QUEUE_ID_SIZE];
    unsigned long first;		/* position */
    unsigned long last;			/* position */
    int     flags;			/* see below */
    AUDIT_RELAY *done;			/* first AUDIT_EVENT_DONE */
    AUDIT_DEST *done_dest;		/* same, its nexthop */
    int     is_other;			/* same, has other recipients */
    AUDIT_EVENT *events;		/* all others */
    AUDIT_EVENT *tail;
} AUDIT_GROUP;

#define AUDIT_GROUP_HEAD	(1<<0)	/* may have begun before the log */
#define AUDIT_GROUP_TAIL	(1<<1)	/* may go on after the log */

 /*
  * What one host logged, in one log.
  */
typedef struct AUDIT_HOST {
    const char *name;			/* from audit_facts_word(3) */
    unsigned long lines;		/* with data */
    unsigned long swept;		/* same, last time */
    time_t  first;
    time_t  last;
    AUDIT_GROUP *heads;			/* open, AUDIT_GROUP_HEAD */
    AUDIT_GROUP *tails;			/* open, the others */
} AUDIT_HOST;

 /*
  * One log, or a part of one. It is known by its content: the hash of its
  * first bytes, and of the last bytes before the place where reading ended.
  * Offsets count bytes of uncompressed text.
  */
typedef struct AUDIT_LOG {
    struct AUDIT_LOG *next;
    char   *name;			/* file */
    time_t  limit;			/* see audit_clock_init() */
    off_t   offset;			/* end of last complete line */
    size_t  head_len;			/* zero if it was empty */
    uint64_t head_hash;
    char   *head_lines;			/* length:hash up to each newline */
    size_t  tail_len;
    uint64_t tail_hash;
    char   *head_text;			/* first line if not understood */
    char   *tail_text;			/* last line if not complete */
    HTABLE *hosts;			/* of AUDIT_HOST */
    HTABLE *processes;			/* null when closed */
    struct AUDIT_PROCESS **recent;	/* same, found without hashing */
} AUDIT_LOG;

extern AUDIT_LOG *audit_log_create(AUDIT_FACTS *, const char *, time_t);
extern AUDIT_LOG *audit_log_find(AUDIT_FACTS *, size_t, uint64_t);
extern void audit_log_open(AUDIT_FACTS *, AUDIT_LOG *);
extern AUDIT_GROUP *audit_log_group(AUDIT_FACTS *, AUDIT_LOG *, const char *, const char *, time_t, const char **);
extern void audit_log_close(AUDIT_FACTS *, AUDIT_LOG *);
extern int audit_log_order(const char *, const char *);
extern AUDIT_HOST *audit_log_host(AUDIT_FACTS *, AUDIT_LOG *, const char *);

extern AUDIT_GROUP *audit_group_create(const char *);
extern void audit_group_add(AUDIT_GROUP *, const AUDIT_EVENT *);
extern void audit_group_recipient(AUDIT_GROUP *, const char *);
extern void audit_group_append(AUDIT_HOST *, AUDIT_GROUP *, const char *);
extern void audit_groups_settle(AUDIT_FACTS *, time_t);

#define audit_groups_finish(facts)	audit_groups_settle((facts), (time_t) 0)

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
