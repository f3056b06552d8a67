#ifndef _AUDIT_PREFIX_H_INCLUDED_
#define _AUDIT_PREFIX_H_INCLUDED_

/*++
/* NAME
/*	audit_prefix 3h
/* SUMMARY
/*	what comes before the text of a log line
/* SYNOPSIS
/*	#include "audit_prefix.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <stddef.h>

 /*
  * A log line without its packaging.
  */
typedef struct {
    char   *stamp;			/* for audit_time_parse() */
    size_t  stamp_len;
    int     is_client;			/* the rest is valid */
    char   *origin;			/* host and program[pid], a string */
    char   *text;			/* message text */
    char   *end;			/* room for a null byte */
} AUDIT_PREFIX;

extern int audit_prefix_parse(AUDIT_PREFIX *, char *, size_t);
extern int audit_prefix_is_other(const char *, size_t);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
