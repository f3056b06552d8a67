#ifndef _AUDIT_POOL_H_INCLUDED_
#define _AUDIT_POOL_H_INCLUDED_

/*++
/* NAME
/*	audit_pool 3h
/* SUMMARY
/*	memory for what stays
/* SYNOPSIS
/*	#include "audit_pool.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <sys/types.h>

typedef struct AUDIT_POOL AUDIT_POOL;

extern AUDIT_POOL *audit_pool_create(void);
extern void *audit_pool_alloc(AUDIT_POOL *, size_t);
extern void audit_pool_free(AUDIT_POOL *);

 /*
  * Where there is very much of it, most of the time goes to waiting for memory
  * that is not in the processor's cache.
  */
#ifdef __GNUC__
#define AUDIT_PREFETCH(ptr)	__builtin_prefetch((const void *) (ptr))
#else
#define AUDIT_PREFETCH(ptr)	((void) 0)
#endif

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
