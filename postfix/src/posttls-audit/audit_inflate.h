#ifndef _AUDIT_INFLATE_H_INCLUDED_
#define _AUDIT_INFLATE_H_INCLUDED_

/*++
/* NAME
/*	audit_inflate 3h
/* SUMMARY
/*	compressed logs
/* SYNOPSIS
/*	#include "audit_inflate.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <stddef.h>

 /*
  * A compressed format. Without a library for it there are no functions.
  */
typedef struct AUDIT_INFLATE AUDIT_INFLATE;

typedef enum {
    AUDIT_INFLATE_BAD,			/* damaged */
    AUDIT_INFLATE_MORE,			/* in the middle */
    AUDIT_INFLATE_END			/* end of one compressed stream */
} AUDIT_INFLATE_STATUS;

typedef struct {
    const char *name;			/* of the format, and its command */
    const char *magic;			/* how it begins */
    size_t  magic_len;
    void   *(*open) (void);
    AUDIT_INFLATE_STATUS (*run) (AUDIT_INFLATE *);
    void    (*close) (void *);
} AUDIT_FORMAT;

#define AUDIT_MAGIC_MAX	6		/* longest magic */

struct AUDIT_INFLATE {
    const AUDIT_FORMAT *format;
    void   *state;
    const unsigned char *in;		/* not yet used */
    size_t  in_len;
    unsigned char *out;			/* where the output goes */
    size_t  out_len;			/* room that is left */
    const char *error;			/* what AUDIT_INFLATE_BAD means */
};

extern const AUDIT_FORMAT *audit_format_find(const char *, size_t);
extern AUDIT_INFLATE *audit_inflate_create(const AUDIT_FORMAT *);
extern AUDIT_INFLATE_STATUS audit_inflate(AUDIT_INFLATE *);
extern void audit_inflate_free(AUDIT_INFLATE *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
