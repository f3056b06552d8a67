/*++
/* NAME
/*	audit_summary_fuzz 3
/* SUMMARY
/*	libFuzzer target for the summary reader
/* SYNOPSIS
/*	#include "audit_summary.h"
/*
/*	int	LLVMFuzzerTestOneInput(data, size)
/*	const uint8_t *data;
/*	size_t	size;
/* DESCRIPTION
/*	This module is not part of posttls-audit(1). The input is a
/*	summary without its first line. It is checked like any file, and
/*	then read as one that has a good check sum, which random input would
/*	not find. What is understood must be the same after writing and
/*	reading it again, and every report must be possible.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Utility library. */

#include <argv.h>
#include <htable.h>
#include <mymalloc.h>
#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_log.h"
#include "audit_input.h"
#include "audit_out.h"
#include "audit_report.h"
#include "audit_summary.h"
#include "audit_verdict.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

int     LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define CHECK(condition) do { if (!(condition)) abort(); } while (0)

#define FIRST_LINE	AUDIT_SUMMARY_MAGIC "1 9\n"

/* free_count - entry of a table */

static void free_count(void *ptr)
{
    if (((AUDIT_COUNT *) ptr)->days)
	myfree((void *) ((AUDIT_COUNT *) ptr)->days);
    myfree(ptr);
}

/* free_weeks - of all destinations */

static void free_weeks(AUDIT_FACTS *facts)
{
    const AUDIT_DEST *dest;
    AUDIT_STATE *state;

    for (dest = AUDIT_NAMES_FIRST(&facts->destinations, AUDIT_DEST); dest;
	 dest = AUDIT_NAMES_NEXT(dest, AUDIT_DEST))
	for (state = dest->states; state; state = state->next)
	    if (state->weeks)
		myfree((void *) state->weeks);
}

/* free_log - log; audit_input_finish() has taken all that was open */

static void free_log(AUDIT_LOG *log)
{
    if (log->head_lines)
	myfree(log->head_lines);
    if (log->head_text)
	myfree(log->head_text);
    if (log->tail_text)
	myfree(log->tail_text);
    myfree(log->name);
    htable_free(log->hosts, myfree);
    myfree((void *) log);
}

/* free_facts - posttls-audit(1) never does this */

static void free_facts(AUDIT_FACTS *facts)
{
    AUDIT_SELECT all;
    AUDIT_LOG *log;
    int     n;

    memset((void *) &all, 0, sizeof(all));
    audit_input_finish(facts, &all);
    while ((log = facts->logs) != 0) {
	facts->logs = log->next;
	free_log(log);
    }
    for (n = 0; n < AUDIT_TABLE_COUNT; n++)
	htable_free(facts->tables[n].entries, free_count);
    htable_free(facts->totals, myfree);
    free_weeks(facts);
    audit_pool_free(facts->pool);
    argv_free(facts->unknown);
    argv_free(facts->notes);
    myfree((void *) facts);
}

/* read_text - facts from text, null if it is damaged */

static AUDIT_FACTS *read_text(VSTRING *text, int flags)
{
    AUDIT_FACTS *facts = audit_facts_create();
    AUDIT_SUMMARY *sp = audit_summary_begin(facts, flags);
    int     ok;

    audit_summary_text(sp, STR(text), LEN(text));
    ok = (audit_summary_end(sp) == 0);
    audit_summary_free(sp);
    if (ok)
	return (facts);
    free_facts(facts);
    return (0);
}

/* write_text - facts to text */

static VSTRING *write_text(AUDIT_FACTS *facts)
{
    VSTRING *text = vstring_alloc(1000);
    VSTREAM *stream = vstream_memopen(text, O_WRONLY);
    AUDIT_PUT *writer = audit_summary_write(stream, facts);

    audit_summary_write_totals(writer, facts);
    CHECK(audit_put_close(writer));
    (void) vstream_fclose(stream);
    VSTRING_TERMINATE(text);
    return (text);
}

/* compare_lines - for sorting */

static int compare_lines(const void *a, const void *b)
{
    return (strcmp(*(char *const *) a, *(char *const *) b));
}

/* sorted_lines - all lines but the last one, which has the check sum */

static ARGV *sorted_lines(const char *text)
{
    ARGV   *lines = argv_split(text, "\n");

    argv_truncate(lines, lines->argc - 1);
    qsort((void *) lines->argv, lines->argc, sizeof(*lines->argv),
	  compare_lines);
    return (lines);
}

/* same_facts - in any order */

static int same_facts(const char *one, const char *other)
{
    ARGV   *left = sorted_lines(one);
    ARGV   *right = sorted_lines(other);
    int     n;
    int     same = (left->argc == right->argc);

    for (n = 0; same && n < left->argc; n++)
	same = (strcmp(left->argv[n], right->argv[n]) == 0);
    argv_free(left);
    argv_free(right);
    return (same);
}

/* report_all - every report, in every format */

static void report_all(AUDIT_FACTS *facts)
{
    static const AUDIT_OUT_FORMAT formats[] = {
	AUDIT_OUT_TEXT, AUDIT_OUT_JSON, AUDIT_OUT_PROMETHEUS,
    };
    AUDIT_SELECT all;
    AUDIT_LIMITS limits;
    AUDIT_READY *ready;
    AUDIT_OUT *out;
    VSTRING *text = vstring_alloc(1000);
    VSTREAM *stream;
    size_t  n;

    memset((void *) &all, 0, sizeof(all));
    limits.deliveries = 2;
    limits.span = 1;
    audit_input_finish(facts, &all);
    audit_facts_trim(facts);
    ready = audit_ready_create(facts, &limits);
    for (n = 0; n < sizeof(formats) / sizeof(*formats); n++) {
	stream = vstream_memopen(text, O_WRONLY);
	out = audit_out_create(stream, formats[n]);
	out->columns = 80;
	audit_report(out, facts, ready);
	audit_out_finish(out);
	(void) vstream_fclose(stream);
    }
    myfree((void *) ready->rows);
    myfree((void *) ready);
    vstring_free(text);
}

/* LLVMFuzzerTestOneInput - read one summary */

int     LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VSTRING *text = vstring_alloc(size + 100);
    VSTRING *before = vstring_alloc(size + 100);
    VSTRING *again;
    AUDIT_FACTS *facts;

    vstring_strcpy(text, FIRST_LINE);
    vstring_memcat(text, (const char *) data, size);
    VSTRING_TERMINATE(text);
    vstring_memcpy(before, STR(text), LEN(text));
    if ((facts = read_text(text, AUDIT_SUMMARY_CHECK)) != 0)
	free_facts(facts);
    CHECK(LEN(before) == LEN(text)
	  && memcmp(STR(before), STR(text), LEN(text)) == 0);

    /*
     * A null byte would have been noticed by the check.
     */
    if (memchr(data, 0, size) == 0
	&& (facts = read_text(text, AUDIT_SUMMARY_CHECKED
			      | AUDIT_SUMMARY_TOTALS)) != 0) {
	vstring_free(text);
	text = write_text(facts);
	report_all(facts);
	free_facts(facts);
	vstring_strcpy(before, STR(text));
	CHECK((facts = read_text(before, AUDIT_SUMMARY_TOTALS)) != 0);
	again = write_text(facts);
	CHECK(same_facts(STR(text), STR(again)));
	vstring_free(again);
	free_facts(facts);
    }
    vstring_free(before);
    vstring_free(text);
    return (0);
}
