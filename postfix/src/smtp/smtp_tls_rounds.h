#ifndef _SMTP_TLS_ROUNDS_H_INCLUDED_
#define _SMTP_TLS_ROUNDS_H_INCLUDED_

/*++
/* NAME
/*	smtp_tls_rounds 3h
/* SUMMARY
/*	the hosts of a destination, in rounds
/* SYNOPSIS
/*	#include "smtp.h"
/* DESCRIPTION
/* .nf

 /*
  * DNS library.
  */
#include <dns.h>

 /*
  * TLS library.
  */
#include <tls_fallback.h>

 /*
  * External interface. Without TLS, there is one round.
  */
struct SMTP_STATE;

#ifdef USE_TLS
extern void smtp_tls_rounds_begin(struct SMTP_STATE *);
extern DNS_RR *smtp_tls_rounds_more(int *, int *);
extern DNS_RR *smtp_tls_rounds_next(DNS_RR *);
extern void smtp_tls_rounds_host(struct SMTP_STATE *, DNS_RR *, DNS_RR *, int *, int *);
extern int smtp_tls_rounds_go_on(struct SMTP_STATE *, const TLS_FALLBACK_DECISION *, int, int, const char *);
extern int smtp_tls_rounds_hold(const char *);
extern const char *smtp_tls_rounds_text(void);
extern int smtp_tls_rounds_is_news(int);
extern int smtp_tls_rounds_to_come(void);
extern int smtp_tls_rounds_close(void);
extern void smtp_tls_rounds_used(struct SMTP_STATE *);
extern void smtp_tls_rounds_end(struct SMTP_STATE *);
#else
#define smtp_tls_rounds_begin(state)		/* nothing */
#define smtp_tls_rounds_more(ac, sc)	(0)
#define smtp_tls_rounds_next(addr)	((addr)->next)
#define smtp_tls_rounds_to_come()		(0)
#define smtp_tls_rounds_close()		(1)
#define smtp_tls_rounds_end(state)		/* nothing */
#endif

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
