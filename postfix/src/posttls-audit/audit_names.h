#ifndef _AUDIT_NAMES_H_INCLUDED_
#define _AUDIT_NAMES_H_INCLUDED_

/*++
/* NAME
/*	audit_names 3h
/* SUMMARY
/*	things that have a name
/* SYNOPSIS
/*	#include "audit_names.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <sys/types.h>
#include <stdint.h>

 /*
  * Application-specific.
  */
#include "audit_pool.h"

 /*
  * What has a name begins with this.
  */
typedef struct AUDIT_NAME {
    struct AUDIT_NAME *next;		/* in the list of all */
    const char *text;
} AUDIT_NAME;

 /*
  * Names are found with a hash table. A place in it that is not used has a
  * null pointer.
  */
typedef struct {
    uint32_t hash;
    AUDIT_NAME *name;
} AUDIT_NAME_SLOT;

typedef struct {
    AUDIT_POOL *pool;
    size_t  entry_size;
    AUDIT_NAME_SLOT *slots;
    size_t  size;			/* power of two */
    size_t  used;
    AUDIT_NAME head;			/* before the first one */
    AUDIT_NAME *last;
    AUDIT_NAME *after;			/* see audit_names_expect() */
} AUDIT_NAMES;

extern void audit_names_init(AUDIT_NAMES *, AUDIT_POOL *, size_t);
extern void *audit_names_find(const AUDIT_NAMES *, const char *);
extern void *audit_names_enter(AUDIT_NAMES *, const char *, int);
extern void audit_names_expect(AUDIT_NAMES *, void *);
extern void audit_names_sort(AUDIT_NAMES *);
extern void **audit_names_list(const AUDIT_NAMES *);

#define AUDIT_NAMES_FIRST(names, type)	((type *) (names)->head.next)
#define AUDIT_NAMES_NEXT(entry, type) \
	((type *) ((const AUDIT_NAME *) (entry))->next)

 /*
  * Text that is safe to print.
  */
extern char *audit_clean(char *, int);

#define AUDIT_CLEAN_WORD	(0)
#define AUDIT_CLEAN_KEY		(1<<0)	/* keep the separator */
#define AUDIT_CLEAN_LOWER	(1<<1)	/* fold case */

#define AUDIT_KEY_SEPARATOR	"\t"

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
