#ifndef _AUDIT_JOIN_H_INCLUDED_
#define _AUDIT_JOIN_H_INCLUDED_

/*++
/* NAME
/*	audit_join 3h
/* SUMMARY
/*	lines that were cut
/* SYNOPSIS
/*	#include "audit_join.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_facts.h"
#include "audit_learn.h"

extern void audit_join(AUDIT_FACTS *, const AUDIT_SELECT *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
