/*++
/* NAME
/*	audit_cell 3
/* SUMMARY
/*	one place in a table
/* SYNOPSIS
/*	#include "audit_cell.h"
/*
/*	const char *audit_cell_text(buf, type, cell)
/*	VSTRING	*buf;
/*	AUDIT_CELL_TYPE type;
/*	const AUDIT_CELL *cell;
/*
/*	const char *audit_cell_day(buf, when)
/*	VSTRING	*buf;
/*	time_t	when;
/* DESCRIPTION
/*	audit_cell_text() formats a cell for people, in the buffer or
/*	elsewhere.
/*
/*	audit_cell_day() formats a date, in Coordinated Universal Time.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <string.h>

/* Utility library. */

#include <msg.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_cell.h"
#include "audit_time.h"

#define STR	vstring_str

#define DATE_LEN	10		/* 2026-11-20 */
#define DIGEST_SHORT	23		/* eight bytes */

/* audit_cell_day - date in UTC */

const char *audit_cell_day(VSTRING *buf, time_t when)
{
    (void) audit_time_utc(buf, when);
    vstring_truncate(buf, DATE_LEN);
    VSTRING_TERMINATE(buf);
    return (STR(buf));
}

/* audit_cell_text - format cell as text */

const char *audit_cell_text(VSTRING *buf, AUDIT_CELL_TYPE type,
			           const AUDIT_CELL *cell)
{
    switch (type) {
    case AUDIT_CELL_TEXT:
    case AUDIT_CELL_NOTE:
	return (cell->text ? cell->text : "-");
    case AUDIT_CELL_COUNT:
	return (STR(vstring_sprintf(buf, "%lu", cell->count)));
    case AUDIT_CELL_TIME:
	return (cell->time ? audit_time_local(buf, cell->time) : "-");
    case AUDIT_CELL_DAY:
	return (audit_cell_day(buf, cell->time));
    case AUDIT_CELL_SHARE:
	return (STR(vstring_sprintf(buf, "%.1f%%", cell->share)));
    case AUDIT_CELL_DIGEST:
	if (strlen(cell->text) <= DIGEST_SHORT)
	    return (cell->text);
	vstring_strncpy(buf, cell->text, DIGEST_SHORT);
	return (STR(vstring_strcat(buf, "...")));
    }
    msg_panic("audit_cell_text: bad type %d", type);
}
