#ifndef _AUDIT_LINE_H_INCLUDED_
#define _AUDIT_LINE_H_INCLUDED_

/*++
/* NAME
/*	audit_line 3h
/* SUMMARY
/*	log line parser
/* SYNOPSIS
/*	#include "audit_line.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_time.h"
#include "audit_vocab.h"

 /*
  * What a line is. The names are those of audit_line_types[].
  */
typedef enum {
    AUDIT_LINE_AUDIT,			/* tlsaudit: */
    AUDIT_LINE_FALLBACK,		/* tls fallback: */
    AUDIT_LINE_REFUSED,			/* tls fallback refused: */
    AUDIT_LINE_STATUS,			/* delivery status */
    AUDIT_LINE_TLSCONN,			/* TLS connection established */
    AUDIT_LINE_CLIENT,			/* SMTP client, something else */
    AUDIT_LINE_OTHER,			/* some other program */
    AUDIT_LINE_UNKNOWN,			/* not a log line, or damaged */
    AUDIT_LINE_TYPE_COUNT
} AUDIT_LINE_TYPE;

#define AUDIT_LINE_HAS_DATA(line) ((line)->type < AUDIT_LINE_CLIENT)

extern const char *const audit_line_types[];

 /*
  * A parsed line. Text is null-terminated, in the memory that held the line, or
  * elsewhere until the next line is parsed. An attribute that was not logged
  * is a null pointer.
  */
typedef struct {
    AUDIT_LINE_TYPE type;
    time_t  time;
    char   *origin;			/* host and program[pid] */
    char   *queue_id;			/* may be a null pointer */
    char   *attr[AUDIT_ATTR_COUNT];
    int     nul_bytes;			/* there were null bytes */
} AUDIT_LINE;

extern void audit_line_parse(AUDIT_LINE *, AUDIT_CLOCK *, char *, size_t);

 /*
  * One feature of a tls=feature/feature status.
  */
typedef struct {
    const char *name;
    const char *actual;			/* downgraded to, or null */
    int     flags;			/* see below */
} AUDIT_FEATURE;

#define AUDIT_FEATURE_VIOLATION	(1<<0)	/* !name */
#define AUDIT_FEATURE_UNDECIDED	(1<<1)	/* name? */
#define AUDIT_FEATURE_RELAXED	(1<<2)	/* (name) */

extern int audit_feature_parse(AUDIT_FEATURE *, char **);
extern const char *audit_feature_label(VSTRING *, const AUDIT_FEATURE *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
