/*++
/* NAME
/*	tls_client_conf 3
/* SUMMARY
/*	are the TLS client settings usable
/* SYNOPSIS
/*	#include <tls_client_conf.h>
/*
/*	int	tls_client_conf_ok(app_ctx, namaddr, protocols, grade, exclusions)
/*	TLS_APPL_STATE *app_ctx;
/*	const char *namaddr;
/*	const char *protocols;
/*	const char *grade;
/*	const char *exclusions;
/* DESCRIPTION
/*	tls_client_start() has the same result when a TLS handshake fails,
/*	and when it finds that it cannot begin one. This module
/*	makes the difference: after a failure, tls_client_conf_ok() returns
/*	non-zero if the settings could not be the reason. It uses
/*	the parsers that tls_client_start() uses.
/*
/*	Arguments:
/* .IP app_ctx
/*	TLS client engine, or a null pointer if there is none; in that case
/*	the result is zero.
/* .IP namaddr
/*	Remote server, for logging.
/* .IP "protocols, grade, exclusions"
/*	The settings: list of TLS protocols, cipher grade, list of excluded
/*	ciphers. A null pointer counts as an empty list.
/* DIAGNOSTICS
/*	Warnings: bad cipher grade or exclusions.
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

/* TLS library. */

#define TLS_INTERNAL
#include <tls.h>
#include <tls_client_conf.h>

/* tls_client_conf_ok - settings are not the problem */

int     tls_client_conf_ok(TLS_APPL_STATE *app_ctx, const char *namaddr,
			           const char *protocols, const char *grade,
			           const char *exclusions)
{
    TLS_SESS_STATE *TLScontext;
    int     min_proto;
    int     max_proto;
    int     ok;

    if (app_ctx == 0)
	return (0);
    if (protocols != 0
	&& tls_proto_mask_lims(protocols, &min_proto, &max_proto)
	== TLS_PROTOCOL_INVALID)
	return (0);
    if (grade == 0)
	return (1);
    TLScontext = tls_alloc_sess_context(TLS_LOG_NONE, namaddr);
    ok = ((TLScontext->con = SSL_new(app_ctx->ssl_ctx)) != 0
	  && tls_set_ciphers(TLScontext, grade, exclusions) != 0);
    tls_free_context(TLScontext);
    return (ok);
}

#endif
