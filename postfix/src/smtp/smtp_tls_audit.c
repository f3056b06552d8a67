/*++
/* NAME
/*	smtp_tls_audit 3
/* SUMMARY
/*	log the TLS security of a message data transfer
/* SYNOPSIS
/*	#include "smtp.h"
/*
/*	void	smtp_tls_audit_init(void)
/*
/*	int	smtp_tls_audit_proxy_flags(void)
/*
/*	void	smtp_tls_audit(state, nrcpt, resp)
/*	SMTP_STATE *state;
/*	int	nrcpt;
/*	SMTP_RESP *resp;
/* DESCRIPTION
/*	smtp_tls_audit_init() checks $smtp_tls_audit_template or
/*	$lmtp_tls_audit_template. This is done once per process.
/*
/*	smtp_tls_audit_proxy_flags() returns the flag that asks
/*	tlsproxy(8) for the server certificate, or zero when the
/*	template does not need it.
/*
/*	smtp_tls_audit() logs one record, formatted according to the
/*	template. It does nothing when there is no template. The caller
/*	invokes this once for each transfer of message data, when
/*	the final reply has arrived.
/*
/*	Arguments:
/* .IP state
/*	SMTP client state per delivery request.
/* .IP nrcpt
/*	The number of recipients that the server accepted before it
/*	accepted the message data.
/* .IP resp
/*	The final reply to the message data. With LMTP, this is the reply
/*	for the last recipient.
/* DIAGNOSTICS
/*	Warnings: problems with the template. See tls_audit(3).
/* SEE ALSO
/*	tls_audit(3) TLS audit template
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <netinet/in.h>

#ifdef USE_TLS

/* Utility library. */

#include <argv.h>
#include <host_port.h>
#include <msg.h>
#include <stringops.h>
#include <vstring.h>

/* Global library. */

#include <mail_params.h>

/* TLS library. */

#include <tls_audit.h>
#include <tls_fallback.h>
#include <tls_proxy.h>

/* Application-specific. */

#include "smtp.h"

 /*
  * TLS library, depending on the release.
  */
#include <tls_fallback_compat.h>

static char *smtp_tls_audit_template;	/* null: don't log */
static int smtp_tls_audit_cert_flag;	/* what the template needs */
static ARGV *smtp_tls_audit_secure;	/* names at level "secure" */
static ARGV *smtp_tls_audit_verify;	/* names at level "verify" */

/* smtp_tls_audit_init - check template */

void    smtp_tls_audit_init(void)
{
    smtp_tls_audit_template =
	tls_audit_template(VAR_LMTP_SMTP(TLS_AUDIT_TEMPLATE),
			   var_smtp_tls_audit_template);
    if (smtp_tls_audit_template == 0
	|| !tls_audit_wants_cert(smtp_tls_audit_template))
	return;
    smtp_tls_audit_cert_flag = TLS_PROXY_FLAG_SEND_CERT;
    smtp_tls_audit_secure = argv_split(var_smtp_tls_sec_cmatch,
				       CHARS_COMMA_SP ":");
    smtp_tls_audit_verify = argv_split(var_smtp_tls_vfy_cmatch,
				       CHARS_COMMA_SP ":");
}

/* smtp_tls_audit_proxy_flags - what to ask of tlsproxy(8) */

int     smtp_tls_audit_proxy_flags(void)
{
    return (smtp_tls_audit_cert_flag);
}

/* smtp_tls_audit_match - names that would have to match */

static const ARGV *smtp_tls_audit_match(SMTP_STATE *state, int level,
					        const ARGV *names)
{
    SMTP_TLS_POLICY *tls = state->tls;
    TLS_SESS_STATE *ctx = state->session->tls_context;

    /*
     * The policy in force has names of its own. Trust anchors from main.cf
     * are used in place of CAfile and CApath, but only with a policy that
     * needs them: without such a policy, nobody has verified the chain with
     * them.
     */
    if (tls->fb.configured == level && tls->matchargv != 0)
	return (tls->matchargv);
    if (*var_smtp_tls_tafile && (ctx == 0 || !TLS_MUST_PKIX(ctx->level)))
	return (0);
    return (names);
}

/* smtp_tls_audit_domain - destination as in a certificate match */

static const char *smtp_tls_audit_domain(SMTP_ITERATOR *iter, VSTRING *buf)
{
    char   *domain;
    char   *port;

    if (iter->port == 0)			/* UNIX-domain */
	return (var_myhostname);
    vstring_strcpy(buf, STR(iter->dest));
    return (host_port(STR(buf), &domain, (char *) 0, &port, "") == 0 ?
	    domain : STR(iter->dest));
}

/* smtp_tls_audit - log one record */

void    smtp_tls_audit(SMTP_STATE *state, int nrcpt, SMTP_RESP *resp)
{
    static VSTRING *buf;
    static VSTRING *dest_buf;
    SMTP_ITERATOR *iter = state->iterator;
    SMTP_SESSION *session = state->session;
    DELIVER_REQUEST *request = state->request;
    SMTP_TLS_FALLBACK *fb = &state->tls->fb;
    TLS_AUDIT audit;

    if (smtp_tls_audit_template == 0)
	return;

    if (buf == 0) {
	buf = vstring_alloc(500);
	dest_buf = vstring_alloc(100);
    }
    audit.relay = session->namaddrport;
    audit.host = STR(iter->host);
    audit.addr = STR(iter->addr);
    audit.port = ntohs(iter->port);
    audit.nexthop = STR(iter->dest);
    if (smtp_tls_audit_cert_flag) {
	audit.domain = smtp_tls_audit_domain(iter, dest_buf);
	audit.secure_match = smtp_tls_audit_match(state, TLS_LEV_SECURE,
						  smtp_tls_audit_secure);
	audit.verify_match = smtp_tls_audit_match(state, TLS_LEV_VERIFY,
						  smtp_tls_audit_verify);
    }
    audit.level = smtp_tls_effective_level(state);
    audit.policy = fb->policy;
    audit.configured = fb->configured;
    audit.reason = str_tls_obstacle(fb->reason);
    audit.tls = session->tls_context;
    audit.rpk = session->tls_context && TLS_SRVR_SIG_IS_RPK(session->tls_context);
    audit.reuse = session->reuse_count;
    audit.queue_id = request->queue_id;
    audit.nrcpt = nrcpt;
    audit.size = request->data_size;
    audit.dsn = resp->dsn;

    msg_info("%s: %s", request->queue_id,
	     tls_audit_expand(buf, smtp_tls_audit_template, &audit));
}

#endif
