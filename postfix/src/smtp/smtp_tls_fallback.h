#ifndef _SMTP_TLS_FALLBACK_H_INCLUDED_
#define _SMTP_TLS_FALLBACK_H_INCLUDED_

/*++
/* NAME
/*	smtp_tls_fallback 3h
/* SUMMARY
/*	deliver at a weaker TLS level
/* SYNOPSIS
/*	#include "smtp.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <attr.h>
#include <vstream.h>

 /*
  * TLS library.
  */
#include <tls.h>
#include <tls_fallback.h>

 /*
  * What happened to the TLS policy of a destination. Part of SMTP_TLS_POLICY.
  */
typedef struct SMTP_TLS_FALLBACK {
    int     configured;			/* level in table or main.cf */
    int     allowed;			/* fallback level, or none */
    int     delay;			/* seconds before a fallback */
    int     obstacle;			/* during policy lookup */
    int     rule;			/* that held back a fallback */
    int     policy;			/* level before fallback */
    int     reason;			/* first obstacle */
    int     cleartext;			/* gave up on TLS */
    struct TLSRPT_WRAPPER *tlsrpt;	/* while reports are turned off */
} SMTP_TLS_FALLBACK;

 /*
  * The policy table attributes.
  */
#define SMTP_TLS_ATTR_FALLBACK		"fallback"
#define SMTP_TLS_ATTR_FALLBACK_DELAY	"fallback_delay"

#define SMTP_TLS_IS_FALLBACK_ATTR(name) \
	(strcasecmp((name), SMTP_TLS_ATTR_FALLBACK) == 0 \
	    || strcasecmp((name), SMTP_TLS_ATTR_FALLBACK_DELAY) == 0)

#define SMTP_TLS_FALLBACK_DELAY_UNSET	(-1)

 /*
  * A policy before anything is known about it.
  */
#define SMTP_TLS_FALLBACK_INIT(fb) do { \
	(fb)->configured = (fb)->allowed = (fb)->policy = TLS_LEV_NOTFOUND; \
	(fb)->delay = SMTP_TLS_FALLBACK_DELAY_UNSET; \
	(fb)->obstacle = (fb)->reason = TLS_OBSTACLE_NONE; \
	(fb)->rule = TLS_FALLBACK_RULE_NONE; \
	(fb)->cleartext = 0; \
	(fb)->tlsrpt = 0; \
    } while (0)

 /*
  * Did a fallback take place? Can the server still disappoint us? The latter
  * is true after a fallback to "may" as long as TLS is possible, so that
  * every obstacle is noticed, and every rule applied, until there is nothing
  * left to lose.
  */
#define SMTP_TLS_FELL_BACK(tls)	((tls)->fb->policy != TLS_LEV_NOTFOUND)
#define SMTP_TLS_WANTED(tls) \
	((tls)->level > TLS_LEV_MAY \
	    || (SMTP_TLS_FELL_BACK(tls) && !(tls)->fb->cleartext))

 /*
  * Opportunistic TLS by policy, as opposed to "may" after a fallback.
  */
#define SMTP_TLS_IS_OPPORTUNISTIC(tls) \
	((tls)->level == TLS_LEV_MAY && !SMTP_TLS_FELL_BACK(tls))

 /*
  * The level for connection cache keys. The level is "none" while we deliver
  * in cleartext after a fallback. With a key that says so, the connection
  * would be found without policy check, by a nexthop lookup.
  */
#define SMTP_TLS_KEY_LEVEL(tls) \
	(SMTP_TLS_FELL_BACK(tls) && (tls)->level == TLS_LEV_NONE ? \
	    TLS_LEV_MAY : (tls)->level)

 /*
  * With SMTP_SESSION.tls_retry_plain, remember why we try again.
  */
#define SMTP_TLS_RETRY_PLAIN(tls)	(1 + (tls)->fb->reason)

struct SMTP_STATE;
struct SMTP_TLS_POLICY;

extern void smtp_tls_fallback_init(void);
extern int smtp_tls_fallback_attr(struct SMTP_TLS_POLICY *, int, const char *, const char *, const char *);
extern void smtp_tls_fallback_configure(struct SMTP_TLS_POLICY *);
extern int smtp_tls_fallback_policy(struct SMTP_TLS_POLICY *);
extern int smtp_tls_fallback_held(struct SMTP_TLS_POLICY *, struct SMTP_STATE *);
extern void smtp_tls_fallback_report(struct SMTP_STATE *);
extern int smtp_tls_fallback(struct SMTP_STATE *, int, const char *);
extern int smtp_tls_fallback_handshake(struct SMTP_STATE *, int);
extern int smtp_tls_fallback_cert(struct SMTP_STATE *);
extern int smtp_tls_fallback_lost(struct SMTP_STATE *);
extern void smtp_tls_fallback_resume(struct SMTP_STATE *, int);
extern int smtp_tls_effective_level(struct SMTP_STATE *);
extern int smtp_tls_fallback_print(ATTR_PRINT_COMMON_FN, VSTREAM *, int, const void *);
extern int smtp_tls_fallback_scan(ATTR_SCAN_COMMON_FN, VSTREAM *, int, void *);
extern int smtp_tls_fallback_find(struct SMTP_STATE *, const char *);
extern int smtp_tls_fallback_reusable(struct SMTP_STATE *);

#include "smtp_tls_fallback_rpt.h"

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
