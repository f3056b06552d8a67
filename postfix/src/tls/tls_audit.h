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
#include <vstring.h>

 /*
  * TLS library.
  */
#include <tls.h>

 /*
  * External interface. What is known about one message data transfer. All
  * pointers may be null, and a level may be TLS_LEV_NOTFOUND.
  */
typedef struct TLS_AUDIT {
    const char *relay;			/* host[addr]:port */
    const char *nexthop;		/* policy lookup key */
    int     level;			/* effective level */
    int     policy;			/* level before fallback */
    int     configured;			/* level in table or main.cf */
    const char *reason;			/* obstacle keyword */
    const TLS_SESS_STATE *tls;		/* null when in cleartext */
    int     rpk;			/* server signed with raw public key */
    int     reuse;			/* earlier deliveries */
    const char *queue_id;		/* queue file name */
    int     nrcpt;			/* recipients in this transfer */
    long    size;			/* message size (bytes) */
    const char *dsn;			/* status of the final reply */
} TLS_AUDIT;

extern char *tls_audit_template(const char *, const char *);
extern const char *tls_audit_expand(VSTRING *, const char *, const TLS_AUDIT *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
