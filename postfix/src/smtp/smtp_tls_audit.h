#ifndef _SMTP_TLS_AUDIT_H_INCLUDED_
#define _SMTP_TLS_AUDIT_H_INCLUDED_

/*++
/* NAME
/*	smtp_tls_audit 3h
/* SUMMARY
/*	log the TLS security of a message data transfer
/* SYNOPSIS
/*	#include "smtp.h"
/* DESCRIPTION
/* .nf

 /*
  * External interface. Without TLS, there is nothing to audit.
  */
struct SMTP_STATE;
struct SMTP_RESP;

#ifdef USE_TLS
extern void smtp_tls_audit_init(void);
extern int smtp_tls_audit_proxy_flags(void);
extern void smtp_tls_audit(struct SMTP_STATE *, int, struct SMTP_RESP *);
#else
#define smtp_tls_audit(state, nrcpt, resp)	((void) 0)
#endif

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
