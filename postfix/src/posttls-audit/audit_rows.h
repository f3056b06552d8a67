#ifndef _AUDIT_ROWS_H_INCLUDED_
#define _AUDIT_ROWS_H_INCLUDED_

/*++
/* NAME
/*	audit_rows 3h
/* SUMMARY
/*	what makes the rows of reports
/* SYNOPSIS
/*	#include "audit_rows.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_facts.h"
#include "audit_out.h"
#include "audit_verdict.h"

 /*
  * A report is a layout, and a function that makes rows. When rows are the
  * entries of a table of counts, there is one function for all, and the
  * fields say which part of an entry belongs in which column.
  */
#define FIELD_KEY		'k'	/* next part of the key */
#define FIELD_DELIVERIES	'd'
#define FIELD_EVENTS		'e'
#define FIELD_DELIVERIES_SHARE	'D'
#define FIELD_EVENTS_SHARE	'E'
#define FIELD_FIRST		'f'
#define FIELD_LAST		'l'
#define FIELD_DAY		't'

typedef struct {
    AUDIT_OUT_FN function;
    int     flags;			/* see below */
    AUDIT_TABLE_ID table;		/* tables of counts only */
    const char *fields;			/* same */
    int     (*is_problem) (const char *);	/* same */
    AUDIT_LAYOUT layout;
} AUDIT_REPORT;

typedef struct {
    const AUDIT_FACTS *facts;
    const AUDIT_READY *ready;
    const AUDIT_REPORT *report;
} AUDIT_ROWS_CONTEXT;

#define AUDIT_REPORT_FLAG_PROBLEMS	(1<<0)	/* also with problems only */
#define AUDIT_REPORT_FLAG_BY_KEY	(1<<1)	/* alphabetical order */

 /*
  * Rows are either left out because there are enough of them, or because they
  * are not a problem. Only the former do not need to be in order. Tables that
  * are always complete are small.
  */
#define AUDIT_ROWS_TOP(out) \
	((out)->problems_only || ((out)->layout->flags & AUDIT_LAYOUT_ALL) ? \
	    0 : (out)->top)

extern void audit_rows_notes(AUDIT_OUT *, const void *);
extern void audit_rows_period(AUDIT_OUT *, const void *);
extern void audit_rows_lines(AUDIT_OUT *, const void *);

extern void audit_rows_counts(AUDIT_OUT *, const void *);
extern void audit_rows_days(AUDIT_OUT *, const void *);
extern unsigned long audit_rows_total(const AUDIT_FACTS *, AUDIT_TABLE_ID, int (*) (const char *));
extern int audit_rows_level_problem(const char *);
extern int audit_rows_requiretls_problem(const char *);

extern void audit_rows_readiness(AUDIT_OUT *, const void *);
extern void audit_rows_regressions(AUDIT_OUT *, const void *);
extern void audit_rows_attainable(AUDIT_OUT *, const void *);
extern void audit_rows_verdicts(AUDIT_OUT *, const void *);
extern void audit_rows_prospects(AUDIT_OUT *, const void *);

extern void audit_rows_certificates(AUDIT_OUT *, const void *);
extern void audit_rows_digests(AUDIT_OUT *, const void *);
extern void audit_rows_relays(AUDIT_OUT *, const void *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
