/*++
/* NAME
/*	audit_rows_input 3
/* SUMMARY
/*	rows about the input
/* SYNOPSIS
/*	#include "audit_rows.h"
/*
/*	void	audit_rows_lines(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	void	audit_rows_period(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	void	audit_rows_notes(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/* DESCRIPTION
/*	audit_rows_lines() tells how many lines there were, of what kind,
/*	audit_rows_period() when the first and the last one was logged,
/*	and audit_rows_notes() what was wrong with the input.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>

/* Utility library. */

#include <argv.h>

/* Application-specific. */

#include "audit_rows.h"

/* audit_rows_lines - what was read */

void    audit_rows_lines(AUDIT_OUT *out, const void *context)
{
    static const char *const descriptions[] = {
	 /* AUDIT_LINE_AUDIT */ "audit lines",
	 /* AUDIT_LINE_FALLBACK */ "fallback warnings",
	 /* AUDIT_LINE_REFUSED */ "fallback refused warnings",
	 /* AUDIT_LINE_STATUS */ "delivery status lines",
	 /* AUDIT_LINE_TLSCONN */ "TLS connection lines",
	 /* AUDIT_LINE_CLIENT */ "other lines from SMTP or LMTP clients",
	 /* AUDIT_LINE_OTHER */ "lines from other programs",
	 /* AUDIT_LINE_UNKNOWN */ "lines not understood",
	 /* AUDIT_LINES_REPEATS */ "delivery status lines that repeat an audit line",
	 /* AUDIT_LINES_SKIPPED */ "lines that options -s, -u and -r left out",
	 /* AUDIT_LINES_OVERLONG */ "lines too long to be log lines",
	 /* AUDIT_LINES_NULL */ "lines with null bytes",
	 /* AUDIT_LINES_ATTAIN */ "audit lines that say what was attainable",
    };
    const AUDIT_FACTS *facts = ((const AUDIT_ROWS_CONTEXT *) context)->facts;
    AUDIT_CELL cells[3];
    int     n;

    /*
     * People do not need to know what there is none of.
     */
#define LINES_ROW(value, name, description) do { \
	cells[0].count = (value); \
	cells[1].text = (name); \
	cells[2].text = (description); \
	if (cells[0].count > 0 || !AUDIT_OUT_IS_HUMAN(out)) \
	    audit_out_row(out, cells); \
    } while (0)

    for (n = 0; n < AUDIT_LINES_COUNT; n++)
	LINES_ROW(facts->lines[n], audit_lines_names[n], descriptions[n]);
}

/* audit_rows_period - when */

void    audit_rows_period(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const AUDIT_ROWS_CONTEXT *) context)->facts;
    AUDIT_CELL cells[2];

    if (facts->last == 0)
	return;
    cells[0].text = "first";
    cells[1].time = facts->first;
    audit_out_row(out, cells);
    cells[0].text = "last";
    cells[1].time = facts->last;
    audit_out_row(out, cells);
}

/* audit_rows_notes - problems with the input */

void    audit_rows_notes(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const AUDIT_ROWS_CONTEXT *) context)->facts;
    AUDIT_CELL cells[2];
    char  **cpp;

    for (cpp = facts->notes->argv; *cpp; cpp += 2) {
	cells[0].text = cpp[0];
	cells[1].text = cpp[1];
	audit_out_row(out, cells);
    }
}
