#ifndef _AUDIT_SORT_H_INCLUDED_
#define _AUDIT_SORT_H_INCLUDED_

/*++
/* NAME
/*	audit_sort 3h
/* SUMMARY
/*	what comes first in a report
/* SYNOPSIS
/*	#include "audit_sort.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <htable.h>

 /*
  * Application-specific.
  */
#include "audit_names.h"

typedef int (*AUDIT_COMPARE_FN) (const void *, const void *);
typedef int (*AUDIT_WANTED_FN) (const void *);

extern HTABLE_INFO **audit_sort_table(HTABLE *, AUDIT_COMPARE_FN, size_t);
extern void **audit_sort_names(const AUDIT_NAMES *, AUDIT_COMPARE_FN, AUDIT_WANTED_FN, size_t);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
