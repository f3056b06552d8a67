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

extern AUDIT_GROUP *audit_group_create(const char *);
extern void audit_group_add(AUDIT_GROUP *, const AUDIT_EVENT *);
extern void audit_group_recipient(AUDIT_GROUP *, const char *);
extern void audit_group_move(AUDIT_GROUP *, AUDIT_GROUP *);
extern void audit_group_resolve(AUDIT_FACTS *, const char *, AUDIT_GROUP *);
extern void audit_group_clear(AUDIT_GROUP *);
extern void audit_group_free(AUDIT_GROUP *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
