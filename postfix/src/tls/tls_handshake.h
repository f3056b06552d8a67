#ifndef _TLS_HANDSHAKE_H_INCLUDED_
#define _TLS_HANDSHAKE_H_INCLUDED_

/*++
/* NAME
/*	tls_handshake 3h
/* SUMMARY
/*	outcome of a TLS client handshake
/* SYNOPSIS
/*	#include <tls_handshake.h>
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <attr.h>
#include <vstream.h>

 /*
  * In the place of a result from SSL_get_error(3).
  */
#define TLS_HANDSHAKE_TIMEOUT	(-1)

 /*
  * How much longer than the handshake may take the tlsproxy(8) client waits
  * for the outcome, in seconds.
  */
#define TLS_HANDSHAKE_GRACE	5

extern void tls_handshake_begin(void);
extern void tls_handshake_failed(void);
extern const char *tls_handshake_error(void);
extern void tls_handshake_report(VSTREAM *, int, int);
extern int tls_handshake_print(ATTR_PRINT_COMMON_FN, VSTREAM *, int, const void *);
extern int tls_handshake_scan(ATTR_SCAN_COMMON_FN, VSTREAM *, int, void *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
