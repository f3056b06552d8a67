#ifndef _AUDIT_OUT_H_INCLUDED_
#define _AUDIT_OUT_H_INCLUDED_

/*++
/* NAME
/*	audit_out 3h
/* SUMMARY
/*	report formatter
/* SYNOPSIS
/*	#include "audit_out.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <htable.h>
#include <vstream.h>
#include <vstring.h>

 /*
  * Application-specific.
  */
#include "audit_cell.h"

 /*
  * A report is a table. The description of its columns is all that the output
  * formats need to know.
  */
typedef struct {
    const char *name;			/* JSON member, Prometheus label */
    const char *heading;		/* text, null if not shown there */
    AUDIT_CELL_TYPE type;
    const char *metric;			/* Prometheus, or null */
    const char *help;			/* same */
    int     is_state;			/* likewise, can become smaller */
} AUDIT_COLUMN;

#define AUDIT_COLUMN_MAX	16

typedef struct {
    const char *name;			/* JSON member */
    const char *title;			/* text */
    const char *note;			/* explanation in text, or null */
    int     flags;			/* see below */
    AUDIT_COLUMN columns[AUDIT_COLUMN_MAX + 1];
} AUDIT_LAYOUT;

#define AUDIT_LAYOUT_ALWAYS	(1<<0)	/* say so when it is empty */
#define AUDIT_LAYOUT_ALL	(1<<1)	/* not limited to the top N */

typedef enum {
    AUDIT_OUT_TEXT, AUDIT_OUT_JSON, AUDIT_OUT_PROMETHEUS, AUDIT_OUT_HTML
} AUDIT_OUT_FORMAT;

 /*
  * A key that comes and goes with its rank is no counter.
  */
#define AUDIT_OUT_HAS_ALL_KEYS(out)	((out)->totals != 0)

 /*
  * Output for people leaves out what says nothing to them.
  */
#define AUDIT_OUT_IS_HUMAN(out) \
	((out)->format == AUDIT_OUT_TEXT || (out)->format == AUDIT_OUT_HTML)

typedef struct {
    VSTREAM *stream;
    AUDIT_OUT_FORMAT format;
    unsigned long top;			/* rows per report, zero for all */
    int     problems_only;
    int     columns;			/* of the terminal, zero: no limit */
    HTABLE *totals;			/* Prometheus: counters, not gauges */
    HTABLE *before;			/* same, as they were told before */
    /* Private. */
    const AUDIT_LAYOUT *layout;
    int     measuring;
    unsigned long rows;			/* in this report */
    unsigned long omitted;		/* same */
    int     width[AUDIT_COLUMN_MAX];
    int     wrapped[AUDIT_COLUMN_MAX];	/* begins another line */
    int     pending;			/* spaces */
    int     reports;			/* so far */
    VSTRING *buf;
    VSTRING *omissions;			/* JSON */
    const AUDIT_COLUMN *metric;
} AUDIT_OUT;

typedef void (*AUDIT_OUT_FN) (AUDIT_OUT *, const void *);

extern AUDIT_OUT *audit_out_create(VSTREAM *, AUDIT_OUT_FORMAT);
extern void audit_out_report(AUDIT_OUT *, const AUDIT_LAYOUT *, AUDIT_OUT_FN,
			             const void *);
extern void audit_out_row(AUDIT_OUT *, const AUDIT_CELL *);
extern void audit_out_finish(AUDIT_OUT *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
