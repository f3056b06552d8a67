#ifndef _TLS_AUTHORITIES_H_INCLUDED_
#define _TLS_AUTHORITIES_H_INCLUDED_

/*++
/* NAME
/*	tls_authorities 3h
/* SUMMARY
/*	is there any trusted certification authority
/* SYNOPSIS
/*	#include <tls.h>
/* DESCRIPTION
/* .nf

 /*
  * External interface.
  */
extern void tls_authorities_path(SSL_CTX *, const char *);
extern int tls_authorities_exist(const TLS_SESS_STATE *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
