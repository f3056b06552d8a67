#ifndef _SMTP_TLS_FALLBACK_COMPAT_H_INCLUDED_
#define _SMTP_TLS_FALLBACK_COMPAT_H_INCLUDED_

/*++
/* NAME
/*	smtp_tls_fallback_compat 3h
/* SUMMARY
/*	differences between Postfix releases
/* SYNOPSIS
/*	#include "smtp.h"
/*	#include "smtp_tls_fallback_compat.h"
/* DESCRIPTION
/* .nf

 /*
  * Postfix 3.10 and later have TLS policy plugins that report the failure of
  * an external policy, and MX host patterns. The first macro is defined in
  * smtp.h.
  */
#ifdef EXT_POLICY_FAILURE
#define SMTP_TLS_EXT_FAILURE(tls)	((tls)->ext_policy_failure)
#define SMTP_TLS_MX_IS_OK(tls, name)	smtp_tls_authorize_mx_hostname((tls), (name))
#else
#define SMTP_TLS_EXT_FAILURE(tls)	((char *) 0)
#define SMTP_TLS_MX_IS_OK(tls, name)	(1)
#endif

 /*
  * Postfix 3.10 and later support "TLS-Required: no" (RFC 8689). The macro is
  * defined in smtp.h.
  */
#ifdef STATE_TLS_NOT_REQUIRED
#define SMTP_TLS_NOT_REQUIRED(state)	STATE_TLS_NOT_REQUIRED(state)
#else
#define SMTP_TLS_NOT_REQUIRED(state)	(0)
#endif

 /*
  * Postfix 3.11 and later implement REQUIRETLS (RFC 8689): what the sender's
  * wish means for this delivery. The name of a policy is in smtp.h.
  */
#ifdef SMTP_REQTLS_POLICY_ACT_ENFORCE
#define SMTP_TLS_REQUIRETLS_RULE(state) \
	((state)->reqtls_level == SMTP_REQTLS_POLICY_ACT_ENFORCE ? \
	    TLS_FALLBACK_RULE_REQTLS : \
	 (state)->reqtls_level == SMTP_REQTLS_POLICY_ACT_OPP_TLS ? \
	    TLS_FALLBACK_RULE_REQSTARTTLS : TLS_FALLBACK_RULE_NONE)
#else
#define SMTP_TLS_REQUIRETLS_RULE(state)	(TLS_FALLBACK_RULE_NONE)
#endif

 /*
  * Postfix 3.11 and later log in tls= what was asked for and what it became. A
  * reused connection has no status, or one that is undecided.
  */
#ifdef SMTP_TLS_STAT_IDX_SEC_LEVEL
#define SMTP_TLS_STAT_IS_UNKNOWN(stats) \
	((stats)->st[SMTP_TLS_STAT_IDX_SEC_LEVEL].status == POL_STAT_INACTIVE)
#define SMTP_TLS_STAT_REUSED(state, policy, level) do { \
	if ((state)->tls_stats) { \
	    if (SMTP_TLS_STAT_IS_UNKNOWN((state)->tls_stats)) \
		smtp_tls_stat_activate_sec_level((state)->tls_stats, (policy)); \
	    smtp_tls_stat_decide_sec_level((state)->tls_stats, (level), \
					   POL_STAT_COMPLIANT); \
	} \
    } while (0)
#else
#define SMTP_TLS_STAT_REUSED(state, policy, level)	((void) 0)
#endif

 /*
  * Postfix 3.10 and later report TLS problems (RFC 8460).
  */
#ifdef USE_TLSRPT
#include <tlsrpt_wrapper.h>
#endif

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
