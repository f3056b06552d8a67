#ifndef _AUDIT_REPORT_H_INCLUDED_
#define _AUDIT_REPORT_H_INCLUDED_

/*++
/* NAME
/*	audit_report 3h
/* SUMMARY
/*	reports about TLS accounting
/* SYNOPSIS
/*	#include "audit_report.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <vstream.h>

 /*
  * Application-specific.
  */
#include "audit_model.h"
#include "audit_out.h"

extern void audit_report(AUDIT_OUT *, const AUDIT_MODEL *);
extern void audit_report_policy(VSTREAM *, const AUDIT_MODEL *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
