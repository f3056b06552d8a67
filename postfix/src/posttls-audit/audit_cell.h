#ifndef _AUDIT_CELL_H_INCLUDED_
#define _AUDIT_CELL_H_INCLUDED_

/*++
/* NAME
/*	audit_cell 3h
/* SUMMARY
/*	one place in a table
/* SYNOPSIS
/*	#include "audit_cell.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <time.h>

 /*
  * Utility library.
  */
#include <vstring.h>

 /*
  * What it holds.
  */
typedef enum {
    AUDIT_CELL_TEXT,			/* const char *, Prometheus label */
    AUDIT_CELL_NOTE,			/* const char *, no label */
    AUDIT_CELL_COUNT,			/* unsigned long */
    AUDIT_CELL_TIME,			/* time_t, zero when not applicable */
    AUDIT_CELL_DAY,			/* same, without time of day, UTC */
    AUDIT_CELL_SHARE,			/* double, percentage */
    AUDIT_CELL_DIGEST			/* const char *, shortened in text */
} AUDIT_CELL_TYPE;

typedef union {
    const char *text;
    unsigned long count;
    time_t  time;
    double  share;
} AUDIT_CELL;

extern const char *audit_cell_text(VSTRING *, AUDIT_CELL_TYPE, const AUDIT_CELL *);
extern const char *audit_cell_day(VSTRING *, time_t);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
