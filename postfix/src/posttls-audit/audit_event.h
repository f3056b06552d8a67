#ifndef _AUDIT_EVENT_H_INCLUDED_
#define _AUDIT_EVENT_H_INCLUDED_

/*++
/* NAME
/*	audit_event 3h
/* SUMMARY
/*	what happened to a message at a server
/* SYNOPSIS
/*	#include "audit_event.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_facts.h"

typedef enum {
    AUDIT_EVENT_FALLBACK,		/* warning */
    AUDIT_EVENT_REFUSED,		/* warning */
    AUDIT_EVENT_AUDIT,			/* audit line that lacks something */
    AUDIT_EVENT_DONE,			/* complete audit line */
    AUDIT_EVENT_STATUS,			/* delivery status line */
    AUDIT_EVENT_TYPES
} AUDIT_EVENT_TYPE;

extern const char *const audit_event_types[];

 /*
  * Words are from audit_facts_word(3), and a null pointer if not logged.
  */
typedef struct AUDIT_EVENT {
    struct AUDIT_EVENT *next;		/* same message */
    AUDIT_EVENT_TYPE type;
    AUDIT_RELAY *relay;
    char   *name;			/* nexthop, or recipient domain */
    const char *policy;			/* before fallback */
    const char *level;			/* after fallback */
    const char *label;			/* status: tls= */
    const char *reason;
    int     verified;			/* AUDIT_EVENT_DONE: is_other */
    AUDIT_DEST *dest;			/* AUDIT_EVENT_DONE: nexthop */
    int     attain;
    unsigned int count;
    time_t  first;
    time_t  last;			/* same day */
    time_t  expires;			/* certificate; zero if not logged */
} AUDIT_EVENT;

extern void audit_event_warning(AUDIT_FACTS *, const char *, const AUDIT_EVENT *, const char *, const char *);
extern void audit_event_audit(AUDIT_FACTS *, const char *, const AUDIT_EVENT *, AUDIT_DEST *, const char *);
extern void audit_event_status(AUDIT_FACTS *, const char *, const AUDIT_EVENT *, AUDIT_DEST *, const AUDIT_EVENT *);
extern void audit_event_undelivered(AUDIT_FACTS *, const AUDIT_EVENT *, const AUDIT_DEST *);
extern void audit_event_failure(AUDIT_FACTS *, const char *, const AUDIT_EVENT *, AUDIT_DEST *, const AUDIT_EVENT *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
