#ifndef _TLS_AUDIT_CERT_H_INCLUDED_
#define _TLS_AUDIT_CERT_H_INCLUDED_

/*++
/* NAME
/*	tls_audit_cert 3h
/* SUMMARY
/*	what a server certificate would have been good for
/* SYNOPSIS
/*	#include <tls_audit_cert.h>
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <argv.h>
#include <attr.h>
#include <vstring.h>

 /*
  * TLS library. A TLS session state has a pointer to what is declared here.
  */
#include <tls.h>

 /*
  * External interface. The error codes are those of OpenSSL.
  */
typedef struct TLS_AUDIT_CERT {
    int     resumed;			/* TLS session was resumed */
    int     error;			/* verification error, or X509_V_OK */
    int     chain_error;		/* same, for "verify" and "secure" */
    VSTRING *der;			/* certificate as received, or null */
    X509   *x509;			/* parsed certificate, or null */
} TLS_AUDIT_CERT;

extern TLS_AUDIT_CERT *tls_audit_cert(TLS_SESS_STATE *);
extern const char *tls_audit_cert_expires(VSTRING *, TLS_AUDIT_CERT *);
extern const char *tls_audit_cert_error(const TLS_AUDIT_CERT *);
extern int tls_audit_cert_match(TLS_AUDIT_CERT *, const ARGV *, const char *,
				        const char *);
extern void tls_audit_cert_free(TLS_AUDIT_CERT *);
extern int tls_audit_cert_print(ATTR_PRINT_COMMON_FN, VSTREAM *, int,
				        const void *);
extern int tls_audit_cert_scan(ATTR_SCAN_COMMON_FN, VSTREAM *, int, void *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
