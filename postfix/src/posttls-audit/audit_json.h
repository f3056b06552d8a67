#ifndef _AUDIT_JSON_H_INCLUDED_
#define _AUDIT_JSON_H_INCLUDED_

/*++
/* NAME
/*	audit_json 3h
/* SUMMARY
/*	JSON object reader
/* SYNOPSIS
/*	#include "audit_json.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <stddef.h>

 /*
  * What a member's value is, and where its text is: for a string, what is
  * between the quotes, with escapes.
  */
typedef enum {
    AUDIT_JSON_STRING, AUDIT_JSON_NUMBER, AUDIT_JSON_TRUE, AUDIT_JSON_FALSE,
    AUDIT_JSON_NULL, AUDIT_JSON_ARRAY, AUDIT_JSON_OBJECT
} AUDIT_JSON_KIND;

typedef struct {
    AUDIT_JSON_KIND kind;
    char   *text;
    size_t  len;
    int     escaped;			/* string with escapes */
} AUDIT_JSON_VALUE;

typedef struct {
    char   *next;			/* what was not read yet */
    char   *end;
    int     members;			/* read so far */
} AUDIT_JSON;

 /*
  * External interface.
  */
extern int audit_json_open(AUDIT_JSON *, char *, char *);
extern int audit_json_member(AUDIT_JSON *, AUDIT_JSON_VALUE *, AUDIT_JSON_VALUE *);
extern int audit_json_string(AUDIT_JSON_VALUE *);
extern int audit_json_bytes(AUDIT_JSON_VALUE *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
