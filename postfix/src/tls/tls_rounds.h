#ifndef _TLS_ROUNDS_H_INCLUDED_
#define _TLS_ROUNDS_H_INCLUDED_

/*++
/* NAME
/*	tls_rounds 3h
/* SUMMARY
/*	which host of a destination is next, and how it is used
/* SYNOPSIS
/*	#include <tls_rounds.h>
/* DESCRIPTION
/* .nf

 /*
  * TLS library.
  */
#include <tls_fallback.h>

 /*
  * The rounds, in order. Also, the round that a host is good enough for.
  */
#define TLS_ROUND_NONE		0	/* no round */
#define TLS_ROUND_STRICT	1	/* at the policy level */
#define TLS_ROUND_ENCRYPT	2	/* encrypted */
#define TLS_ROUND_CLEAR		3	/* in cleartext */
#define TLS_ROUND_LAST		TLS_ROUND_CLEAR

 /*
  * What else is known.
  */
#define TLS_ROUNDS_FLAG_NONE	0
#define TLS_ROUNDS_FLAG_MORE	(1<<0)	/* hosts that were not tried yet */
#define TLS_ROUNDS_FLAG_CONN	(1<<1)	/* still have a connection */

 /*
  * Actions.
  */
#define TLS_ROUNDS_ACT_GO_ON	1	/* with the present host */
#define TLS_ROUNDS_ACT_NEXT	2	/* with a different host */
#define TLS_ROUNDS_ACT_GIVE_UP	3	/* no host is left */

 /*
  * The decision.
  */
typedef struct TLS_ROUNDS_DECISION {
    int     action;			/* see above */
    int     round;			/* round to be in */
    int     host;			/* which host, or one not tried yet */
} TLS_ROUNDS_DECISION;

#define TLS_ROUNDS_HOST_NEW	(-1)	/* a host that was not tried yet */

extern int tls_rounds_decide(TLS_ROUNDS_DECISION *, const int *, int, int, int, int, int);
extern int tls_rounds_offer(const TLS_FALLBACK_DECISION *);
extern const char *str_tls_round(int);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
