/*++
/* NAME
/*	audit_silence 3
/* SUMMARY
/*	input that says nothing
/* SYNOPSIS
/*	#include "audit_silence.h"
/*
/*	const char *audit_silence(facts)
/*	const AUDIT_FACTS *facts;
/*
/*	int	AUDIT_SILENCE_MOSTLY(unknown, lines)
/*	unsigned long unknown;
/*	unsigned long lines;
/* DESCRIPTION
/*	A report without problems is good news only when there was
/*	something to report about. A wrong file, a log format that is
/*	not understood, or an audit that was never turned on all look
/*	like a perfect world.
/*
/*	audit_silence() says why there is nothing to report about, in one
/*	sentence. The result is a null pointer when there was at least
/*	one audit line, or delivery status line with a TLS level, and
/*	when there are no lines because of a problem that is noted
/*	already, or because options left lines out.
/*
/*	AUDIT_SILENCE_MOSTLY() is true when more than half of the lines
/*	of a file were not understood.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>

/* Application-specific. */

#include "audit_line.h"
#include "audit_silence.h"

/* count_lines - lines of any kind, or of those that were understood */

static unsigned long count_lines(const AUDIT_FACTS *facts, int end)
{
    unsigned long count = 0;
    int     n;

    for (n = 0; n < end; n++)
	count += facts->lines[n];
    return (count);
}

/* audit_silence - why there is nothing to report about */

const char *audit_silence(const AUDIT_FACTS *facts)
{
    if (facts->lines[AUDIT_LINE_AUDIT] > 0
	|| facts->lines[AUDIT_LINES_SKIPPED] > 0
	|| facts->tables[AUDIT_TABLE_LEVEL].entries->used > 0)
	return (0);
    if (count_lines(facts, AUDIT_LINE_TYPE_COUNT) == 0)
	return (facts->notes->argc ? 0 : "there are no lines");
    if (count_lines(facts, AUDIT_LINE_UNKNOWN) == 0)
	return ("no line was understood; is this a mail log? (option -v shows some)");
    return ("there are no audit lines, so that nothing is known about "
	    "deliveries; is smtp_tls_audit_template set?");
}
