#ifndef _AUDIT_POLICY_H_INCLUDED_
#define _AUDIT_POLICY_H_INCLUDED_

/*++
/* NAME
/*	audit_policy 3h
/* SUMMARY
/*	policy table entries that follow from a log
/* SYNOPSIS
/*	#include "audit_policy.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <vstream.h>

 /*
  * Application-specific.
  */
#include "audit_verdict.h"

extern void audit_policy(VSTREAM *, const AUDIT_READY *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
