#ifndef _TLS_FALLBACK_COMPAT_H_INCLUDED_
#define _TLS_FALLBACK_COMPAT_H_INCLUDED_

/*++
/* NAME
/*	tls_fallback_compat 3h
/* SUMMARY
/*	differences between Postfix releases
/* SYNOPSIS
/*	#include <tls_fallback_compat.h>
/* DESCRIPTION
/* .nf

 /*
  * TLS library.
  */
#include <tls.h>

 /*
  * Postfix 3.9 and later support raw public keys (RFC 7250). Before that, a
  * server that presents something presents a certificate.
  */
#ifdef TLS_CRED_IS_PRESENT
#define TLS_SRVR_SIG_IS_RPK(tls)	((tls)->stoc_rpk)
#else
#define TLS_CRED_FLAG_CERT	TLS_CERT_FLAG_PRESENT
#define TLS_CRED_FLAG_RPK	TLS_CERT_FLAG_PRESENT
#define TLS_CRED_IS_PRESENT(tls)	TLS_CERT_IS_PRESENT(tls)
#define TLS_SRVR_SIG_IS_RPK(tls)	(0)
#endif

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
