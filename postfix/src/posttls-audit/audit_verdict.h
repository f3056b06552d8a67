#ifndef _AUDIT_VERDICT_H_INCLUDED_
#define _AUDIT_VERDICT_H_INCLUDED_

/*++
/* NAME
/*	audit_verdict 3h
/* SUMMARY
/*	which policies can be enforced
/* SYNOPSIS
/*	#include "audit_verdict.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_facts.h"

 /*
  * What the administrator demands.
  */
typedef struct {
    unsigned int deliveries;		/* at least that many */
    time_t  span;			/* over at least that many seconds */
} AUDIT_LIMITS;

#define AUDIT_RECENT_SECONDS	(30 * AUDIT_DAY_SECONDS)

typedef enum {
    AUDIT_VERDICT_ENFORCE, AUDIT_VERDICT_MIXED, AUDIT_VERDICT_BROKEN,
    AUDIT_VERDICT_FEW, AUDIT_VERDICT_COULD, AUDIT_VERDICT_CANNOT,
    AUDIT_VERDICT_COUNT
} AUDIT_VERDICT;

extern const char *const audit_verdicts[];

 /*
  * One destination and policy. With a policy that does not authenticate,
  * verified are the deliveries for which an authenticated level was
  * attainable. The state is the sum over all hosts with that policy.
  */
typedef struct {
    const AUDIT_DEST *dest;
    AUDIT_STATE state;
    const char *hosts;			/* separated by space */
    const char *failing;		/* same, with failures */
    int     policies;			/* of this destination */
    int     regressed;			/* could be enforced, once */
    AUDIT_VERDICT verdict;
    const char *why;			/* null if there is nothing to say */
} AUDIT_READINESS;

typedef struct {
    AUDIT_READINESS *rows;		/* the busiest first */
    size_t  count;
} AUDIT_READY;

#define audit_readiness_has_policy(row) \
	((row)->state.policy == AUDIT_LEVEL_NONE \
	    || audit_level_authenticates((row)->state.policy))

#define audit_readiness_policy(row) \
	((row)->state.policy == AUDIT_LEVEL_NONE ? (char *) 0 : \
	    audit_levels[(row)->state.policy].name)

extern AUDIT_READY *audit_ready_create(AUDIT_FACTS *, const AUDIT_LIMITS *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
