#ifndef _TLS_FALLBACK_H_INCLUDED_
#define _TLS_FALLBACK_H_INCLUDED_

/*++
/* NAME
/*	tls_fallback 3h
/* SUMMARY
/*	what to do when an authenticated TLS level is not achieved
/* SYNOPSIS
/*	#include <tls_fallback.h>
/* DESCRIPTION
/* .nf

 /*
  * Obstacles: why the policy level was not achieved. The order is that of
  * the decision table in tls_fallback.c.
  */
#define TLS_OBSTACLE_NONE		0
#define TLS_OBSTACLE_TLSA_LOOKUP	1	/* TLSA lookup failed */
#define TLS_OBSTACLE_TLSA_MISSING	2	/* no TLSA records */
#define TLS_OBSTACLE_TLSA_UNUSABLE	3	/* no usable TLSA record */
#define TLS_OBSTACLE_INSECURE_MX	4	/* MX or address not signed */
#define TLS_OBSTACLE_STS_MX		5	/* host not in STS policy */
#define TLS_OBSTACLE_NOSTARTTLS		6	/* STARTTLS not offered */
#define TLS_OBSTACLE_STARTTLS_REFUSED	7	/* STARTTLS answered 4xx/5xx */
#define TLS_OBSTACLE_HANDSHAKE		8	/* TLS handshake failed */
#define TLS_OBSTACLE_HANDSHAKE_MAY	9	/* same, opportunistic TLS */
#define TLS_OBSTACLE_TLS_LOST		10	/* connection lost under TLS */
#define TLS_OBSTACLE_UNTRUSTED		11	/* certificate not trusted */
#define TLS_OBSTACLE_MISMATCH		12	/* no name or digest matches */
#define TLS_OBSTACLE_LAST		TLS_OBSTACLE_MISMATCH

#define TLS_OBSTACLE_IS_SERVER(obstacle) \
	((obstacle) >= TLS_OBSTACLE_NOSTARTTLS)

 /*
  * Rules that hold a fallback back, whatever the fallback level says. As an
  * argument, the bit-wise OR of those that apply; as a result, the first one
  * that decided.
  */
#define TLS_FALLBACK_RULE_NONE		0
#define TLS_FALLBACK_RULE_LOCAL		(1<<0)	/* our own settings are broken */
#define TLS_FALLBACK_RULE_DELAY		(1<<1)	/* before the fallback delay */
#define TLS_FALLBACK_RULE_SASL		(1<<2)	/* have a SASL password */
#define TLS_FALLBACK_RULE_WRAPPER	(1<<3)	/* implicit TLS */
#define TLS_FALLBACK_RULE_REQTLS	(1<<4)	/* REQUIRETLS, enforce */
#define TLS_FALLBACK_RULE_REQSTARTTLS	(1<<5)	/* REQUIRETLS, +starttls */
#define TLS_FALLBACK_RULE_BACKOFF	(1<<6)	/* too young for cleartext */
#define TLS_FALLBACK_RULE_ALL		((1<<7) - 1)

 /*
  * Actions.
  */
#define TLS_FALLBACK_ACT_STRICT		0	/* as without this feature */
#define TLS_FALLBACK_ACT_GO_ON		(1<<0)	/* go on at the result level */
#define TLS_FALLBACK_ACT_CLEAR		(1<<1)	/* same connection, cleartext */
#define TLS_FALLBACK_ACT_RETRY_TLS	(1<<2)	/* new connection, TLS */
#define TLS_FALLBACK_ACT_RETRY		(1<<3)	/* new connection, cleartext */
#define TLS_FALLBACK_ACT_HELD		(1<<4)	/* a rule forbids it */

#define TLS_FALLBACK_ACT_IS_OK(action) \
	((action) != TLS_FALLBACK_ACT_STRICT \
	    && (action) != TLS_FALLBACK_ACT_HELD)

#define TLS_FALLBACK_ACT_IS_CLEAR(action) \
	((action) == TLS_FALLBACK_ACT_CLEAR || (action) == TLS_FALLBACK_ACT_RETRY)

 /*
  * The decision.
  */
typedef struct TLS_FALLBACK_DECISION {
    int     action;			/* see above */
    int     level;			/* level to go on at */
    int     rule;			/* which rule, if held back */
} TLS_FALLBACK_DECISION;

extern int tls_fallback_decide(TLS_FALLBACK_DECISION *, int, int, int, int);
extern const char *str_tls_obstacle(int);
extern const char *str_tls_fallback_rule(int);
extern const char *str_tls_policy_level(int);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
