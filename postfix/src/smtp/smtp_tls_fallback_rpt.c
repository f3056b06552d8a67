/*++
/* NAME
/*	smtp_tls_fallback_rpt 3
/* SUMMARY
/*	TLS reports and the TLS fallback
/* SYNOPSIS
/*	#include "smtp.h"
/*
/*	void	smtp_tls_fallback_rpt_failure(state, obstacle)
/*	SMTP_STATE *state;
/*	int	obstacle;
/*
/*	void	smtp_tls_fallback_rpt_stop(state)
/*	SMTP_STATE *state;
/*
/*	void	smtp_tls_fallback_rpt_restart(state)
/*	SMTP_STATE *state;
/* DESCRIPTION
/*	This module keeps the TLS reports (RFC 8460) of an SMTP client
/*	that falls back true: the destination learns what it would have
/*	learned without a fallback, once, and no success.
/*
/*	What the TLS library finds is reported there. That leaves two
/*	things to do.
/*
/*	smtp_tls_fallback_rpt_failure() reports an obstacle that was found
/*	before there was a connection, where without a fallback the host
/*	would be skipped; or that STARTTLS is missing or refused. There must
/*	be a connection now. Other obstacles are ignored.
/*
/*	smtp_tls_fallback_rpt_stop() turns off reporting for the rest of the
/*	present connection: after a fallback neither a success
/*	nor another failure says anything about the policy, and a
/*	host that has another turn was reported in its first one.
/*
/*	smtp_tls_fallback_rpt_restart() turns it on again, at the end of the
/*	connection, and before another host. That one may do better.
/*
/*	Nothing happens where reports are not enabled, or not wanted by the
/*	destination.
/*
/*	Arguments:
/* .IP state
/*	SMTP client state per delivery request.
/* .IP obstacle
/*	One of the TLS_OBSTACLE_XXX codes.
/* SEE ALSO
/*	smtp_tls_fallback(3) deliver at a weaker TLS level
/*	smtp_tlsrpt(3) TLSRPT support for the SMTP protocol engine
/*	tlsrpt_wrapper(3) TLSRPT support for the SMTP and TLS protocol engines
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>

#if defined(USE_TLS) && defined(USE_TLSRPT)

/* Utility library. */

#include <vstring.h>

/* TLS library. */

#include <tls.h>
#include <tls_fallback.h>
#include <tlsrpt_wrapper.h>

/* Application-specific. */

#include "smtp.h"

 /*
  * What is wrong with a destination, other than what the TLS library finds.
  * RFC 8460 has no result type for a host that is not in the STS policy.
  */
#define POLICY_DANE	1		/* not a matter of the STS policy */
#define POLICY_STS	2		/* not yet set for this connection */
#define POLICY_SET	3		/* as for any connection */

typedef struct SMTP_TLS_RPT_FAILURE {
    int     obstacle;			/* TLS_OBSTACLE_XXX */
    int     policy;			/* see above */
    tlsrpt_failure_t type;		/* RFC 8460 result type */
    const char *reason;			/* RFC 8460 failure reason */
} SMTP_TLS_RPT_FAILURE;

static const SMTP_TLS_RPT_FAILURE smtp_tls_rpt_failures[] = {
    {TLS_OBSTACLE_TLSA_LOOKUP, POLICY_DANE, TLSRPT_DNSSEC_INVALID, "TLSA-lookup-error"},
    {TLS_OBSTACLE_TLSA_MISSING, POLICY_DANE, TLSRPT_DANE_REQUIRED, "no-TLSA-records-found"},
    {TLS_OBSTACLE_TLSA_UNUSABLE, POLICY_DANE, TLSRPT_TLSA_INVALID, "all-TLSA-records-unusable"},
    {TLS_OBSTACLE_INSECURE_MX, POLICY_DANE, TLSRPT_DANE_REQUIRED, "non-DNSSEC-destination"},
    {TLS_OBSTACLE_STS_MX, POLICY_STS, TLSRPT_VALIDATION_FAILURE, "MX-host-not-in-STS-policy"},
    {TLS_OBSTACLE_NOSTARTTLS, POLICY_SET, TLSRPT_STARTTLS_NOT_SUPPORTED, 0},
    {TLS_OBSTACLE_STARTTLS_REFUSED, POLICY_SET, TLSRPT_STARTTLS_NOT_SUPPORTED, 0},
    {TLS_OBSTACLE_NONE},
};

 /*
  * The reports of the present delivery, while they are turned off. The code
  * that reports looks at a null pointer in the SMTP state. A process makes one
  * delivery at a time.
  */
static struct TLSRPT_WRAPPER *smtp_tls_rpt_stopped;

/* smtp_tls_rpt_find - result type for an obstacle */

static const SMTP_TLS_RPT_FAILURE *smtp_tls_rpt_find(int obstacle)
{
    const SMTP_TLS_RPT_FAILURE *fp;

    for (fp = smtp_tls_rpt_failures; fp->obstacle != TLS_OBSTACLE_NONE; fp++)
	if (fp->obstacle == obstacle)
	    return (fp);
    return (0);
}

/* smtp_tls_fallback_rpt_failure - report what kept us from connecting */

void    smtp_tls_fallback_rpt_failure(SMTP_STATE *state, int obstacle)
{
    const SMTP_TLS_RPT_FAILURE *fp;

    if (state->tlsrpt == 0 || (fp = smtp_tls_rpt_find(obstacle)) == 0)
	return;

    /*
     * There are no TLSA records to show, and by now the level is that of the
     * fallback. The domain of a DANE policy is the host that would have them.
     */
    if (fp->policy == POLICY_DANE)
	trw_set_tls_policy(state->tlsrpt, TLSRPT_POLICY_TLSA,
			    /* tls_policy_strings= */ (const char *const *) 0,
			    /* tls_policy_domain= */ STR(state->iterator->host),
			    /* mx_host_patterns= */ (const char *const *) 0);
    else if (fp->policy == POLICY_STS)
	smtp_tlsrpt_set_tls_policy(state);
    if (fp->policy != POLICY_SET)
	smtp_tlsrpt_set_tcp_connection(state);
    (void) trw_report_failure(state->tlsrpt, fp->type,
			       /* additional_info= */ (char *) 0, fp->reason);
}

/* smtp_tls_fallback_rpt_stop - no reports about this connection from now on */

void    smtp_tls_fallback_rpt_stop(SMTP_STATE *state)
{
    if (state->tlsrpt != 0) {
	smtp_tls_rpt_stopped = state->tlsrpt;
	state->tlsrpt = 0;
    }
}

/* smtp_tls_fallback_rpt_restart - undo the above */

void    smtp_tls_fallback_rpt_restart(SMTP_STATE *state)
{
    if (smtp_tls_rpt_stopped != 0) {
	state->tlsrpt = smtp_tls_rpt_stopped;
	smtp_tls_rpt_stopped = 0;
    }
}

#endif
