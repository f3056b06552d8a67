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
    int     obstacle;			/* before there is a connection */
    int     rule;			/* that held back a fallback */
    int     policy;			/* level before fallback */
    int     reason;			/* first obstacle */
    int     cleartext;			/* gave up on TLS */
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
    } while (0)

 /*
  * What a cached connection was made for, and what became of that. Part of
  * SMTP_SESSION; this is compared with the policy in force, and never becomes
  * one.
  */
typedef struct SMTP_TLS_ORIGIN {
    int     configured;			/* level in table or main.cf */
    int     level;			/* none after giving up on TLS */
    int     policy;			/* level before fallback */
    int     reason;			/* first obstacle */
} SMTP_TLS_ORIGIN;

 /*
  * Did a fallback take place?
  */
#define SMTP_TLS_FELL_BACK(tls)	((tls)->fb.policy != TLS_LEV_NOTFOUND)

 /*
  * Opportunistic TLS by policy, as opposed to "may" after a fallback.
  */
#define SMTP_TLS_IS_OPPORTUNISTIC(tls) \
	((tls)->level == TLS_LEV_MAY && !SMTP_TLS_FELL_BACK(tls))

 /*
  * Resume only TLS sessions with a verified certificate, so that it is looked
  * at again when the server has repaired it.
  */
#define SMTP_TLS_VERIFIED_ONLY(tls)	((tls)->fb.allowed > TLS_LEV_NONE)

 /*
  * Did we choose not to send EHLO? With LMTP there is no choice.
  */
#define SMTP_TLS_NEVER_ASKED(session) \
	(var_smtp_never_ehlo || !var_smtp_always_ehlo \
	    || ((session)->features & SMTP_FEATURE_PIX_NO_ESMTP) != 0)

 /*
  * Make a new connection to the same host, as decided after an obstacle.
  */
#define RETRY_AFTER_FALLBACK do { \
	session->tls_retry_reason = state->tls->fb.reason; \
	session->tls_retry_plain = state->tls->fb.cleartext; \
	state->misc_flags &= ~SMTP_MISC_FLAG_FINAL_SERVER; \
    } while (0)

struct SMTP_STATE;
struct SMTP_TLS_POLICY;

extern void smtp_tls_fallback_init(void);
extern int smtp_tls_fallback_attr(struct SMTP_TLS_POLICY *, int, const char *, const char *, const char *);
extern void smtp_tls_fallback_configure(struct SMTP_TLS_POLICY *);
extern int smtp_tls_fallback_policy(struct SMTP_TLS_POLICY *);
extern int smtp_tls_fallback_held(struct SMTP_TLS_POLICY *, struct SMTP_STATE *);
extern int smtp_tls_fallback_sts_mx(struct SMTP_STATE *);
extern void smtp_tls_fallback_report(struct SMTP_STATE *);
extern int smtp_tls_fallback_level(struct SMTP_STATE *, int, const char *, int);
extern void smtp_tls_fallback_local(struct SMTP_STATE *, int);
extern int smtp_tls_fallback_handshake(struct SMTP_STATE *);
extern int smtp_tls_fallback_cert(struct SMTP_STATE *);
extern int smtp_tls_fallback_lost(struct SMTP_STATE *);
extern void smtp_tls_fallback_resume(struct SMTP_STATE *, int, int);
extern int smtp_tls_effective_level(struct SMTP_STATE *);
extern int smtp_tls_fallback_print(ATTR_PRINT_COMMON_FN, VSTREAM *, int, const void *);
extern int smtp_tls_fallback_scan(ATTR_SCAN_COMMON_FN, VSTREAM *, int, void *);
extern unsigned smtp_tls_key(struct SMTP_STATE *);
extern int smtp_tls_fallback_key(struct SMTP_STATE *, unsigned *);
extern int smtp_tls_reuse_ok(struct SMTP_STATE *);
extern void smtp_tls_reuse(struct SMTP_STATE *);

#include "smtp_tls_fallback_rpt.h"

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
