#ifndef _AUDIT_STORE_H_INCLUDED_
#define _AUDIT_STORE_H_INCLUDED_

/*++
/* NAME
/*	audit_store 3h
/* SUMMARY
/*	summary file that is kept
/* SYNOPSIS
/*	#include "audit_store.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <vstream.h>

 /*
  * Application-specific.
  */
#include "audit_facts.h"
#include "audit_summary.h"

typedef struct {
    char   *path;
    char   *temp;			/* the new file */
    int     lock;			/* descriptor */
    VSTREAM *stream;			/* null in case of error */
    AUDIT_PUT *writer;
    int     error;			/* errno */
} AUDIT_STORE;

extern AUDIT_STORE *audit_store_open(const char *, AUDIT_FACTS *, int);
extern void audit_store_write(AUDIT_STORE *, AUDIT_FACTS *);
extern int audit_store_replace(AUDIT_STORE *, AUDIT_FACTS *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
