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
/*	void	smtp_tls_audit(state, nrcpt, resp)
/*	SMTP_STATE *state;
/*	int	nrcpt;
/*	SMTP_RESP *resp;
/* DESCRIPTION
/*	smtp_tls_audit_init() checks $smtp_tls_audit_template or
/*	$lmtp_tls_audit_template. This is done once per process.
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

#ifdef USE_TLS

/* Utility library. */

#include <msg.h>
#include <vstring.h>

/* Global library. */

#include <mail_params.h>

/* TLS library. */

#include <tls_audit.h>
#include <tls_fallback.h>

/* Application-specific. */

#include "smtp.h"

 /*
  * TLS library, depending on the release.
  */
#include <tls_fallback_compat.h>

static char *smtp_tls_audit_template;	/* null: don't log */

/* smtp_tls_audit_init - check template */

void    smtp_tls_audit_init(void)
{
    smtp_tls_audit_template =
	tls_audit_template(VAR_LMTP_SMTP(TLS_AUDIT_TEMPLATE),
			   var_smtp_tls_audit_template);
}

/* smtp_tls_audit - log one record */

void    smtp_tls_audit(SMTP_STATE *state, int nrcpt, SMTP_RESP *resp)
{
    static VSTRING *buf;
    SMTP_SESSION *session = state->session;
    DELIVER_REQUEST *request = state->request;
    SMTP_TLS_FALLBACK *fb = &state->tls->fb;
    TLS_AUDIT audit;

    if (smtp_tls_audit_template == 0)
	return;

    audit.relay = session->namaddrport;
    audit.nexthop = STR(state->iterator->dest);
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

    if (buf == 0)
	buf = vstring_alloc(500);
    msg_info("%s: %s", request->queue_id,
	     tls_audit_expand(buf, smtp_tls_audit_template, &audit));
}

#endif
