#ifndef _TLS_CLIENT_CONF_H_INCLUDED_
#define _TLS_CLIENT_CONF_H_INCLUDED_

/*++
/* NAME
/*	tls_client_conf 3h
/* SUMMARY
/*	are the TLS client settings usable
/* SYNOPSIS
/*	#include <tls_client_conf.h>
/* DESCRIPTION
/* .nf

 /*
  * TLS library.
  */
#include <tls.h>

extern int tls_client_conf_ok(TLS_APPL_STATE *, const char *, const char *, const char *, const char *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
