/*++
/* NAME
/*	audit_identity 3
/* SUMMARY
/*	which log is this
/* SYNOPSIS
/*	#include "audit_identity.h"
/*
/*	AUDIT_LOG *audit_identity_find(facts, reader, path, head, progress,
/*					is_old)
/*	AUDIT_FACTS *facts;
/*	AUDIT_READER **reader;
/*	const char *path;
/*	VSTRING	*head;
/*	AUDIT_PROGRESS_FN progress;
/*	int	*is_old;
/*
/*	void	audit_identity_set(log, path, head, last)
/*	AUDIT_LOG *log;
/*	const char *path;
/*	VSTRING	*head;
/*	VSTRING	*last;
/*
/*	void	audit_identity_last(last, text, len)
/*	VSTRING	*last;
/*	const char *text;
/*	size_t	len;
/*
/*	int	audit_identity_is(log, head, len)
/*	const AUDIT_LOG *log;
/*	const char *head;
/*	size_t	len;
/*
/*	uint64_t audit_identity_hash(text, len)
/*	const char *text;
/*	size_t	len;
/* DESCRIPTION
/*	A log is known by its content: its first bytes, and the bytes
/*	before the place where reading ended. So it may have been renamed
/*	and compressed, or copied and truncated.
/*
/*	audit_identity_find() finds what is known about the log with these
/*	first bytes, and goes to the place where reading ended. The
/*	result is a null pointer when it is not known. *is_old says that it
/*	has nothing that is new. The file may be opened again; *reader
/*	is a null pointer when that was not possible.
/*
/*	audit_identity_set() remembers how to recognize a log. The last
/*	bytes that were read may have been collected with
/*	audit_identity_last(), with every line; with a null
/*	pointer they are read again.
/*
/*	audit_identity_is() says that a log begins with these bytes.
/*
/*	audit_identity_hash() returns the hash that a summary has.
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
#include <time.h>

/* Utility library. */

#include <mymalloc.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_identity.h"
#include "audit_line.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

#define TAIL_LEN	1024		/* bytes that identify a place */
#define HEAD_LINES	32		/* more would not fit anyway */

/* audit_identity_hash - 64-bit FNV-1a, as audit_read_skip() has it */

uint64_t audit_identity_hash(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    while (len-- > 0)
	hash = (hash ^ *(const unsigned char *) text++)
	    * UINT64_C(0x100000001b3);
    return (hash);
}

/* audit_identity_is - does the log begin like this */

int     audit_identity_is(const AUDIT_LOG *log, const char *head, size_t len)
{
    return (log->head_len > 0 && log->head_len <= len
	    && audit_identity_hash(head, log->head_len) == log->head_hash);
}

/* complete_lines - how much of this text */

static size_t complete_lines(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] != '\n')
	len--;
    return (len);
}

/* format_line - how the first lines of a log are remembered */

static void format_line(VSTRING *buf, const char *head, size_t len)
{
    uint64_t hash = audit_identity_hash(head, len);

    vstring_sprintf_append(buf, "%s%d:%08lx%08lx", LEN(buf) ? " " : "",
			   (int) len, (unsigned long) (hash >> 32),
			   (unsigned long) (hash & 0xffffffffUL));
}

/* begins_with_line - a log line, and not a piece of one */

static int begins_with_line(const char *head, size_t len)
{
    const char *end = memchr(head, '\n', len);
    AUDIT_CLOCK clock;
    AUDIT_LINE line;
    VSTRING *copy;

    if (end == 0)
	return (0);
    copy = vstring_strncpy(vstring_alloc(100), head, end - head);
    audit_clock_init(&clock, time((time_t *) 0));
    audit_line_parse(&line, &clock, STR(copy), LEN(copy));
    vstring_free(copy);
    return (line.type != AUDIT_LINE_UNKNOWN);
}

/* is_early_copy - an earlier copy, when the log had not even a head */

static int is_early_copy(const AUDIT_LOG *log, const char *head, size_t len)
{
    static VSTRING *buf;
    const char *cp;

    if (len >= log->head_len || log->head_lines == 0
	|| (len = complete_lines(head, len)) == 0)
	return (0);
    if (buf == 0)
	buf = vstring_alloc(100);
    VSTRING_RESET(buf);
    format_line(buf, head, len);
    cp = strstr(log->head_lines, STR(buf));
    return (cp != 0 && (cp == log->head_lines || cp[-1] == ' '));
}

/* audit_identity_find - what is known, and where reading ended */

AUDIT_LOG *audit_identity_find(AUDIT_FACTS *facts, AUDIT_READER **rp,
			               const char *path, VSTRING *head,
			               AUDIT_PROGRESS_FN progress, int *is_old)
{
    AUDIT_LOG *best;
    AUDIT_LOG *log;
    off_t   limit = 0;
    uint64_t hash;
    int     may_be_copy = (LEN(head) < AUDIT_READ_HEAD
			   && begins_with_line(STR(head), LEN(head)));

    /*
     * Start with the one of which most is known: a short one with the same
     * begin may be an earlier copy.
     */
    for (;;) {
	for (best = 0, log = facts->logs; log; log = log->next) {
	    if (may_be_copy && is_early_copy(log, STR(head), LEN(head))) {
		*is_old = 1;
		return (log);
	    }
	    if (audit_identity_is(log, STR(head), LEN(head))
		&& (limit == 0 || log->offset < limit)
		&& (best == 0 || log->offset > best->offset))
		best = log;
	}
	if (best == 0)
	    return (0);

	/*
	 * An earlier copy has nothing that is new.
	 */
	*is_old = (audit_read_skip(*rp, best->offset, &hash, best->tail_len) == 0);
	if (*is_old || hash == best->tail_hash)
	    return (best);

	/*
	 * Something else that begins in the same way. Start again.
	 */
	limit = best->offset;
	audit_read_close(*rp);
	if ((*rp = audit_read_open(path, progress)) == 0 || limit == 0)
	    return (0);
    }
}

/* set_head_lines - remember the begin, for copies that are shorter */

static void set_head_lines(AUDIT_LOG *log, VSTRING *head)
{
    VSTRING *buf = vstring_alloc(100);
    size_t  len;
    int     count = 0;

    for (len = 1; len <= (size_t) LEN(head) && count < HEAD_LINES; len++) {
	if (STR(head)[len - 1] == '\n') {
	    format_line(buf, STR(head), len);
	    count++;
	}
    }
    if (log->head_lines)
	myfree(log->head_lines);
    log->head_lines = vstring_export(buf);
}

/* audit_identity_set - how to recognize this log next time */

void    audit_identity_set(AUDIT_LOG *log, const char *path, VSTRING *head,
			           VSTRING *last)
{
    AUDIT_READER *rp;

    /*
     * A last line that is not complete counts: it may become longer, but what
     * there is of it stays.
     */
    log->head_len = LEN(head);
    log->head_hash = audit_identity_hash(STR(head), log->head_len);
    set_head_lines(log, head);
    if (last != 0) {
	log->tail_len = LEN(last);
	log->tail_hash = audit_identity_hash(STR(last), LEN(last));
    } else if ((rp = audit_read_open(path, 0)) != 0) {
	log->tail_len = (log->offset < TAIL_LEN ? log->offset : TAIL_LEN);
	(void) audit_read_skip(rp, log->offset, &log->tail_hash, log->tail_len);
	audit_read_close(rp);
    }
}

/* audit_identity_last - remember the end of a line */

void    audit_identity_last(VSTRING *last, const char *text, size_t len)
{
    if (len > TAIL_LEN - 1) {
	text += len - (TAIL_LEN - 1);
	len = TAIL_LEN - 1;
    }
    vstring_memcpy(last, text, len);
    VSTRING_ADDCH(last, '\n');
}
