#ifndef _AUDIT_LEARN_H_INCLUDED_
#define _AUDIT_LEARN_H_INCLUDED_

/*++
/* NAME
/*	audit_learn 3h
/* SUMMARY
/*	from log lines to facts
/* SYNOPSIS
/*	#include "audit_learn.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <argv.h>

 /*
  * Application-specific.
  */
#include "audit_facts.h"
#include "audit_log.h"
#include "audit_line.h"

 /*
  * Which lines are of interest.
  */
typedef struct {
    time_t  since;			/* zero: no limit */
    time_t  until;			/* zero: no limit */
    ARGV   *patterns;			/* null: everything */
} AUDIT_SELECT;

extern void audit_learn_line(AUDIT_FACTS *, AUDIT_LOG *, AUDIT_LINE *, const AUDIT_SELECT *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
