#ifndef _AUDIT_LOG_H_INCLUDED_
#define _AUDIT_LOG_H_INCLUDED_

/*++
/* NAME
/*	audit_log 3h
/* SUMMARY
/*	who logs what into a log
/* SYNOPSIS
/*	#include "audit_log.h"
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
#include "audit_group.h"

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

extern void audit_log_append(AUDIT_HOST *, AUDIT_GROUP *, const char *);
extern AUDIT_GROUP *audit_log_take(AUDIT_HOST *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
