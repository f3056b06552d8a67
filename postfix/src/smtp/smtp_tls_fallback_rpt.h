#ifndef _SMTP_TLS_FALLBACK_RPT_H_INCLUDED_
#define _SMTP_TLS_FALLBACK_RPT_H_INCLUDED_

/*++
/* NAME
/*	smtp_tls_fallback_rpt 3h
/* SUMMARY
/*	TLS reports and the TLS fallback
/* SYNOPSIS
/*	#include "smtp.h"
/* DESCRIPTION
/* .nf

 /*
  * Global library.
  */
#include <mail_params.h>

struct SMTP_STATE;

 /*
  * Postfix 3.10 and later make TLS reports, when built with the library.
  */
#if defined(USE_TLSRPT) && defined(VAR_SMTP_TLSRPT_ENABLE)
extern void smtp_tls_fallback_rpt_failure(struct SMTP_STATE *, int);
extern void smtp_tls_fallback_rpt_stop(struct SMTP_STATE *);
extern void smtp_tls_fallback_rpt_restart(struct SMTP_STATE *);

#else
#define smtp_tls_fallback_rpt_failure(state, obstacle)	((void) 0)
#define smtp_tls_fallback_rpt_stop(state)		((void) 0)
#define smtp_tls_fallback_rpt_restart(state)		((void) 0)
#endif

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
