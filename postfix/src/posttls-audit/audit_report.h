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
  * Application-specific.
  */
#include "audit_facts.h"
#include "audit_out.h"
#include "audit_verdict.h"

extern void audit_report(AUDIT_OUT *, const AUDIT_FACTS *, const AUDIT_READY *);
extern unsigned long audit_report_problems(const AUDIT_FACTS *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
