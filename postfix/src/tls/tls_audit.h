#ifndef _TLS_AUDIT_H_INCLUDED_
#define _TLS_AUDIT_H_INCLUDED_

/*++
/* NAME
/*	tls_audit 3h
/* SUMMARY
/*	TLS audit template
/* SYNOPSIS
/*	#include <tls_audit.h>
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <argv.h>
#include <vstring.h>

 /*
  * TLS library.
  */
#include <tls.h>

 /*
  * External interface. What is known about one message data transfer. All
  * pointers may be null, a level may be TLS_LEV_NOTFOUND, and a port may be
  * zero.
  */
typedef struct TLS_AUDIT {
    const char *relay;			/* host[addr]:port */
    const char *host;			/* host in relay */
    const char *addr;			/* address in relay */
    unsigned port;			/* port in relay, host byte order */
    const char *nexthop;		/* policy lookup key */
    const char *domain;			/* nexthop in certificate match */
    const ARGV *secure_match;		/* certificate match at "secure" */
    const ARGV *verify_match;		/* same, at "verify" */
    int     level;			/* effective level */
    int     policy;			/* level before fallback */
    int     configured;			/* level in table or main.cf */
    const char *reason;			/* obstacle keyword */
    TLS_SESS_STATE *tls;		/* null when in cleartext */
    int     rpk;			/* server signed with raw public key */
    int     reuse;			/* earlier deliveries */
    const char *queue_id;		/* queue file name */
    int     nrcpt;			/* recipients in this transfer */
    long    size;			/* message size (bytes) */
    const char *dsn;			/* status of the final reply */
} TLS_AUDIT;

extern char *tls_audit_template(const char *, const char *);
extern int tls_audit_wants_cert(const char *);
extern const char *tls_audit_expand(VSTRING *, const char *, const TLS_AUDIT *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
