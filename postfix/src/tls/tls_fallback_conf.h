#ifndef _TLS_FALLBACK_CONF_H_INCLUDED_
#define _TLS_FALLBACK_CONF_H_INCLUDED_

/*++
/* NAME
/*	tls_fallback_conf 3h
/* SUMMARY
/*	TLS fallback level configuration
/* SYNOPSIS
/*	#include <tls_fallback_conf.h>
/* DESCRIPTION
/* .nf

 /*
  * TLS library.
  */
#include <tls.h>

 /*
  * External interface. The fallback level is TLS_LEV_NONE, TLS_LEV_MAY, or
  * TLS_LEV_ENCRYPT, for each possible policy level.
  */
typedef struct TLS_FALLBACK_CONF {
    int     fallback[TLS_LEV_SECURE + 1];	/* indexed by policy level */
} TLS_FALLBACK_CONF;

extern int tls_fallback_conf_parse(TLS_FALLBACK_CONF *, const char *, const char *);
extern int tls_fallback_conf_find(const TLS_FALLBACK_CONF *, int);
extern int tls_fallback_level_lookup(const char *);

#define TLS_FALLBACK_LEVEL_NAMES	"encrypt, may"

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
