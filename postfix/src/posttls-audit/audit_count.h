#ifndef _AUDIT_COUNT_H_INCLUDED_
#define _AUDIT_COUNT_H_INCLUDED_

/*++
/* NAME
/*	audit_count 3h
/* SUMMARY
/*	tables of counts
/* SYNOPSIS
/*	#include "audit_count.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <time.h>

 /*
  * Utility library.
  */
#include <htable.h>

 /*
  * Application-specific.
  */
#include "audit_names.h"

 /*
  * What is being counted. A fallback is recorded once for every message that
  * was sent that way, and a warning is logged once for the connection. These
  * are different things, and are never added up.
  */
#define AUDIT_COUNT_DELIVERIES	0	/* audit line or status line */
#define AUDIT_COUNT_EVENTS	1	/* warning, or TLS connection */
#define AUDIT_COUNT_KINDS	2

 /*
  * The same on one day, in Coordinated Universal Time.
  */
#define AUDIT_DAY_SECONDS	86400L
#define AUDIT_DAY_KEEP		400

typedef struct {
    long    day;			/* since 1970 */
    unsigned long count[AUDIT_COUNT_KINDS];
} AUDIT_DAY;

 /*
  * How often something was logged. A key has as many words as its table's
  * description says, with a separator in between.
  */
#define AUDIT_KEY_OTHER		"(other)"
#define AUDIT_KEY_UNKNOWN	"-"

typedef struct {
    const char *key;			/* owned by hash table */
    unsigned long count[AUDIT_COUNT_KINDS];
    time_t  first;			/* zero if not seen */
    time_t  last;
    AUDIT_DAY *days;			/* by day; null if not kept */
    int     day_count;
} AUDIT_COUNT;

 /*
  * The tables that exist. Each one is described once, in audit_table_info[]
  * which has the same order.
  */
typedef enum {
    AUDIT_TABLE_LEVEL, AUDIT_TABLE_REQUIRETLS, AUDIT_TABLE_FALLBACK_KIND,
    AUDIT_TABLE_FALLBACK, AUDIT_TABLE_REFUSED, AUDIT_TABLE_FAILURE_KIND,
    AUDIT_TABLE_FAILURE, AUDIT_TABLE_AUTH, AUDIT_TABLE_PROTOCOL,
    AUDIT_TABLE_CIPHER, AUDIT_TABLE_KEX, AUDIT_TABLE_PROPERTY,
    AUDIT_TABLE_WEAK, AUDIT_TABLE_COUNT
} AUDIT_TABLE_ID;

typedef struct {
    const char *name;			/* in a summary file */
    int     words;			/* in a key */
    int     limit;			/* keys in a report, zero for all */
    int     flags;			/* see below */
} AUDIT_TABLE_INFO;

#define AUDIT_TABLE_FLAG_DAILY	(1<<0)	/* also by day */

extern const AUDIT_TABLE_INFO audit_table_info[];

#define AUDIT_RECENT	16

typedef struct {
    const AUDIT_TABLE_INFO *info;
    HTABLE *entries;			/* of AUDIT_COUNT */
    AUDIT_COUNT *recent[AUDIT_RECENT];	/* found without hashing */
    unsigned trimmed;			/* how often entries were deleted */
} AUDIT_TABLE;

extern void audit_table_init(AUDIT_TABLE *, AUDIT_TABLE_ID);
extern int audit_table_find(const char *);
extern AUDIT_COUNT *audit_table_key(AUDIT_TABLE *, const char *);
extern AUDIT_COUNT *audit_table_words(AUDIT_TABLE *, const char *,...);
extern void audit_table_trim(AUDIT_TABLE *, long);

extern void audit_count_add(AUDIT_COUNT *, int, unsigned long, time_t, time_t);
extern void audit_count_day(AUDIT_COUNT *, long, int, unsigned long);
extern unsigned long audit_count_total(HTABLE *, const char *, unsigned long);

 /*
  * A time that was not seen is zero.
  */
#define AUDIT_NOTE_FIRST(first, when) do { \
	if ((when) != 0 && ((first) == 0 || (when) < (first))) \
	    (first) = (when); \
    } while (0)
#define AUDIT_NOTE_LAST(last, when) \
	do { if ((when) > (last)) (last) = (when); } while (0)

extern HTABLE_INFO *audit_locate(HTABLE *, const char *, int, char **);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
