#ifndef _AUDIT_INPUT_H_INCLUDED_
#define _AUDIT_INPUT_H_INCLUDED_

/*++
/* NAME
/*	audit_input 3h
/* SUMMARY
/*	from files to facts
/* SYNOPSIS
/*	#include "audit_input.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <stdint.h>

 /*
  * Application-specific.
  */
#include "audit_facts.h"
#include "audit_learn.h"

#define AUDIT_INPUT_PROGRESS	(1<<0)	/* show progress */
#define AUDIT_INPUT_RESUME	(1<<1)	/* skip what is known already */
#define AUDIT_INPUT_SUMMARY	(1<<2)	/* must be a summary */

extern int audit_input(AUDIT_FACTS *, const AUDIT_SELECT *, const char *, int);
extern int audit_input_is_new(AUDIT_FACTS *, const char *, uint64_t *);
extern void audit_input_finish(AUDIT_FACTS *, const AUDIT_SELECT *);
extern void PRINTFLIKE(3, 4) audit_input_note(AUDIT_FACTS *, const char *, const char *,...);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
