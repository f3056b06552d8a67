/*++
/* NAME
/*	tls_handshake 3
/* SUMMARY
/*	outcome of a TLS client handshake
/* SYNOPSIS
/*	#include <tls.h>
/*
/*	void	tls_handshake_begin(void)
/*
/*	const char *tls_handshake_error(void)
/* AUXILIARY FUNCTIONS
/*	void	tls_handshake_report(stream, flags, status)
/*	VSTREAM	*stream;
/*	int	flags;
/*	int	status;
/*
/*	void	tls_handshake_failed(void)
/*
/*	int	tls_handshake_print(print_fn, stream, flags, ptr)
/*	ATTR_PRINT_COMMON_FN print_fn;
/*	VSTREAM	*stream;
/*	int	flags;
/*	const void *ptr;
/*
/*	int	tls_handshake_scan(scan_fn, stream, flags, ptr)
/*	ATTR_SCAN_COMMON_FN scan_fn;
/*	VSTREAM	*stream;
/*	int	flags;
/*	void	*ptr;
/* DESCRIPTION
/*	tls_client_start() and tls_proxy_context_receive() have the same
/*	result when the server breaks the TLS handshake, when the
/*	local settings do not allow one, and when tlsproxy(8)
/*	ends, does not answer, or has another protocol version. This module
/*	makes the difference: a handshake has failed only where that was
/*	said explicitly.
/*
/*	tls_handshake_begin() forgets the outcome of an earlier handshake.
/*	This must be called before tls_client_start() and
/*	tls_proxy_open().
/*
/*	tls_handshake_error() returns a null pointer if no
/*	handshake has failed since tls_handshake_begin() was called. Otherwise
/*	the result is the reason: text from OpenSSL or the system,
/*	which depends on what the server did. The result is
/*	overwritten with the next handshake that fails.
/*
/*	tls_handshake_failed() takes the reason from the OpenSSL error
/*	queue, which does not change, or from errno. When OpenSSL has not
/*	sent anything, because its settings leave no protocol or no
/*	cipher, then there was no handshake that could fail.
/*
/*	tls_handshake_report() is for tlsproxy(8): it sends the
/*	reason for failure to a client that asked for the TLS
/*	context. It does nothing when the handshake goes on.
/*
/*	tls_handshake_print() and tls_handshake_scan() send and receive
/*	what the SMTP client needs to know of a TLS_SESS_STATE in addition to
/*	what other tlsproxy(8) clients do: the server name that was
/*	sent, the verification error, and the results from
/*	tls_authorities(3) and tls_audit_cert(3). They are for use with
/*	SEND_ATTR_FUNC(tls_handshake_print, (const void *) tls_context) and
/*	RECV_ATTR_FUNC(tls_handshake_scan, (void *) tls_context).
/*	When tls_handshake_scan() receives what tls_handshake_report() sent,
/*	the reason becomes the result from tls_handshake_error(), and
/*	the result is -1, as it is with anything that is incomplete.
/*
/*	Arguments:
/* .IP stream
/*	The tlsproxy(8) client.
/* .IP flags
/*	The client's request flags, or attribute protocol flags.
/* .IP status
/*	Result from SSL_get_error(3), or TLS_HANDSHAKE_TIMEOUT.
/* .IP ptr
/*	TLS_SESS_STATE pointer.
/* DIAGNOSTICS
/*	Warnings: the outcome cannot be sent to the tlsproxy(8) client.
/* BUGS
/*	The outcome is that of the last handshake in the process.
/* SEE ALSO
/*	tls_authorities(3) is there any trusted certification authority
/*	tls_audit_cert(3) what a server certificate would have been good for
/*	tls_proxy_clnt(3) tlsproxy(8) client
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

#include <errno.h>
#include <string.h>

/* Utility library. */

#include <attr.h>
#include <msg.h>
#include <mymalloc.h>
#include <vstream.h>
#include <vstring.h>

/* TLS library. */

#include <tls.h>
#include <tls_audit_cert.h>
#include <tls_authorities.h>
#include <tls_handshake.h>
#include <tls_proxy.h>

#define STR(x)	vstring_str(x)
#define LEN(x)	VSTRING_LEN(x)

 /*
  * The attribute protocol. No error means that the handshake is completed.
  */
#define TLS_ATTR_HANDSHAKE_ERROR	"handshake_error"
#define TLS_ATTR_SNI_SENT		"sni_sent"
#define TLS_ATTR_VERIFY_ERROR		"verify_error"
#define TLS_ATTR_AUTHORITIES		"authorities"

static VSTRING *handshake_error;

/* tls_handshake_begin - nothing has failed */

void    tls_handshake_begin(void)
{
    if (handshake_error == 0)
	handshake_error = vstring_alloc(100);
    VSTRING_RESET(handshake_error);
    VSTRING_TERMINATE(handshake_error);
}

/* tls_handshake_error - why it failed, if it did */

const char *tls_handshake_error(void)
{
    return (handshake_error != 0 && LEN(handshake_error) > 0 ?
	    STR(handshake_error) : 0);
}

/* never_began - OpenSSL has nothing to offer to the server */

static int never_began(unsigned long err)
{
    if (ERR_GET_LIB(err) != ERR_LIB_SSL)
	return (0);
    switch (ERR_GET_REASON(err)) {
    case SSL_R_NO_CIPHERS_AVAILABLE:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case ERR_R_MALLOC_FAILURE:
    case ERR_R_INTERNAL_ERROR:
	return (1);
    default:
	return (0);
    }
}

/* tls_handshake_failed - take the reason from where it is */

void    tls_handshake_failed(void)
{
    unsigned long err = ERR_peek_error();
    const char *text;
    int     saved_errno = errno;

    tls_handshake_begin();
    if (err != 0 && never_began(err))
	return;
    if (err != 0 && (text = ERR_reason_error_string(err)) != 0)
	vstring_strcpy(handshake_error, text);
    else if (err == 0 && saved_errno != 0)
	vstring_strcpy(handshake_error, strerror(saved_errno));
    else
	vstring_strcpy(handshake_error, "lost connection");
    errno = saved_errno;
}

/* tls_handshake_report - tell the tlsproxy(8) client */

void    tls_handshake_report(VSTREAM *stream, int flags, int status)
{
    const char *text;

    if (status == SSL_ERROR_WANT_READ || status == SSL_ERROR_WANT_WRITE
	|| (flags & TLS_PROXY_FLAG_SEND_CONTEXT) == 0)
	return;
    if (status == TLS_HANDSHAKE_TIMEOUT)
	errno = ETIMEDOUT;
    tls_handshake_failed();
    if ((text = tls_handshake_error()) == 0)
	return;
    if (attr_print(stream, ATTR_FLAG_NONE,
		   SEND_ATTR_STR(TLS_ATTR_HANDSHAKE_ERROR, text),
		   ATTR_TYPE_END) != 0
	|| vstream_fflush(stream) != 0)
	msg_warn("cannot send TLS handshake error: %m");
}

/* tls_handshake_print - send with a TLS context */

int     tls_handshake_print(ATTR_PRINT_COMMON_FN print_fn, VSTREAM *fp,
			            int flags, const void *ptr)
{
    const TLS_SESS_STATE *tp = (const TLS_SESS_STATE *) ptr;

#define SNI_SENT(tp)	((tp)->am_server || (tp)->peer_sni == 0 ? \
			    "" : (tp)->peer_sni)
#define AUTHORITIES(tp)	(TLS_CERT_IS_TRUSTED(tp) || tls_authorities_exist(tp))

    return (print_fn(fp, flags | ATTR_FLAG_MORE,
		     SEND_ATTR_STR(TLS_ATTR_HANDSHAKE_ERROR, ""),
		     SEND_ATTR_STR(TLS_ATTR_SNI_SENT, SNI_SENT(tp)),
		     SEND_ATTR_INT(TLS_ATTR_VERIFY_ERROR, tp->errorcode),
		     SEND_ATTR_INT(TLS_ATTR_AUTHORITIES, AUTHORITIES(tp)),
		     SEND_ATTR_FUNC(tls_audit_cert_print,
				    (const void *) tp->audit_cert),
		     ATTR_TYPE_END));
}

/* tls_handshake_scan - receive with a TLS context */

int     tls_handshake_scan(ATTR_SCAN_COMMON_FN scan_fn, VSTREAM *fp,
			           int flags, void *ptr)
{
    TLS_SESS_STATE *tp = (TLS_SESS_STATE *) ptr;
    VSTRING *buf = vstring_alloc(100);
    int     ret = -1;

    if (scan_fn(fp, flags | ATTR_FLAG_MORE,
		RECV_ATTR_STR(TLS_ATTR_HANDSHAKE_ERROR, buf),
		ATTR_TYPE_END) != 1) {
	 /* void */ ;
    } else if (LEN(buf) > 0) {
	tls_handshake_begin();
	vstring_strcpy(handshake_error, STR(buf));
    } else if (scan_fn(fp, flags | ATTR_FLAG_MORE,
		       RECV_ATTR_STR(TLS_ATTR_SNI_SENT, buf),
		       RECV_ATTR_INT(TLS_ATTR_VERIFY_ERROR, &tp->errorcode),
		       RECV_ATTR_INT(TLS_ATTR_AUTHORITIES, &tp->authorities),
		       RECV_ATTR_FUNC(tls_audit_cert_scan,
				      (void *) &tp->audit_cert),
		       ATTR_TYPE_END) == 4) {
	if (LEN(buf) > 0)
	    tp->peer_sni = mystrdup(STR(buf));
	ret = 1;
    }
    vstring_free(buf);
    return (ret);
}

#endif
