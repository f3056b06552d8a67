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
  * Application-specific.
  */
#include "audit_facts.h"

typedef struct {
    char   *path;
    int     lock;			/* file descriptor */
} AUDIT_STORE;

extern AUDIT_STORE *audit_store_open(const char *, AUDIT_FACTS *, int);
extern int audit_store_save(AUDIT_STORE *, AUDIT_FACTS *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
