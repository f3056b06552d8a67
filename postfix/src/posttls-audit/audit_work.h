#ifndef _AUDIT_WORK_H_INCLUDED_
#define _AUDIT_WORK_H_INCLUDED_

/*++
/* NAME
/*	audit_work 3h
/* SUMMARY
/*	several files, by several processes
/* SYNOPSIS
/*	#include "audit_work.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_input.h"

extern int audit_work(AUDIT_FACTS *, const AUDIT_SELECT *, char **, int, int, int);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
