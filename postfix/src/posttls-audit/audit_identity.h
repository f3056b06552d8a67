#ifndef _AUDIT_IDENTITY_H_INCLUDED_
#define _AUDIT_IDENTITY_H_INCLUDED_

/*++
/* NAME
/*	audit_identity 3h
/* SUMMARY
/*	which log is this
/* SYNOPSIS
/*	#include "audit_identity.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <sys/types.h>
#include <stdint.h>

 /*
  * Utility library.
  */
#include <vstring.h>

 /*
  * Application-specific.
  */
#include "audit_log.h"
#include "audit_read.h"

extern AUDIT_LOG *audit_identity_find(AUDIT_FACTS *, AUDIT_READER **, const char *, VSTRING *, AUDIT_PROGRESS_FN, int *);
extern void audit_identity_set(AUDIT_LOG *, const char *, VSTRING *, VSTRING *);
extern void audit_identity_last(VSTRING *, const char *, size_t);
extern int audit_identity_is(const AUDIT_LOG *, const char *, size_t);
extern uint64_t audit_identity_hash(const char *, size_t);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
