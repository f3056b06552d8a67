/*++
/* NAME
/*	audit_join 3
/* SUMMARY
/*	lines that were cut
/* SYNOPSIS
/*	#include "audit_join.h"
/*
/*	void	audit_join(facts, select)
/*	AUDIT_FACTS *facts;
/*	const AUDIT_SELECT *select;
/* DESCRIPTION
/*	A log may end in the middle of a line, because someone is still
/*	writing or because it was cut or rotated there. Such text stays
/*	open. So does the first line of a log when it is not understood.
/*	The first line of one log continues the last one of another
/*	when that log ended before this one began, there is none that
/*	ended later, and both have a host in common. Logs that have no
/*	line with data are in the order of their names.
/*
/*	audit_join() joins a last line that was not complete with the
/*	first line of the log that goes on with it, and accounts for the
/*	result. It must be called when all logs are known.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Utility library. */

#include <htable.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_join.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

 /*
  * When a log was written, for finding its neighbors.
  */
typedef struct {
    time_t  first;
    time_t  last;
} PERIOD;

/* log_period - first and last line of any host */

static void log_period(const AUDIT_LOG *log, PERIOD *period)
{
    HTABLE_INFO **list = htable_list(log->hosts);
    HTABLE_INFO **ht;
    const AUDIT_HOST *host;

    period->first = period->last = 0;
    for (ht = list; *ht; ht++) {
	host = (const AUDIT_HOST *) ht[0]->value;
	AUDIT_NOTE_FIRST(period->first, host->first);
	AUDIT_NOTE_LAST(period->last, host->last);
    }
    myfree((void *) list);
}

/* common_host - both logs have a host, or one of them has none */

static int common_host(const AUDIT_LOG *one, const AUDIT_LOG *other)
{
    HTABLE_INFO **list;
    HTABLE_INFO **ht;
    int     found = 0;

    if (one->hosts->used == 0 || other->hosts->used == 0)
	return (1);
    list = htable_list(one->hosts);
    for (ht = list; *ht && found == 0; ht++)
	found = (htable_locate(other->hosts, ht[0]->key) != 0);
    myfree((void *) list);
    return (found);
}

/* is_later - did one log end after the other */

static int is_later(const AUDIT_LOG *one, const AUDIT_LOG *other, int by_name)
{
    int     diff = audit_log_order(one->name, other->name);
    PERIOD  mine;
    PERIOD  its;

    /*
     * Logs that were rotated had the same name.
     */
    log_period(one, &mine);
    log_period(other, &its);
    if (mine.last && its.last && (by_name == 0 || diff == 0)) {
	if (mine.last != its.last)
	    return (mine.last > its.last);
	if (mine.first != its.first)
	    return (mine.first > its.first);
    }
    return (diff > 0);
}

/* find_begin - the log whose last line goes on in this one, or null */

static AUDIT_LOG *find_begin(AUDIT_FACTS *facts, const AUDIT_LOG *log)
{
    AUDIT_LOG *best = 0;
    AUDIT_LOG *try;
    PERIOD  mine;
    PERIOD  its;

    log_period(log, &mine);
    for (try = facts->logs; try; try = try->next) {
	if (try == log || try->tail_text == 0 || common_host(try, log) == 0)
	    continue;
	log_period(try, &its);
	if (mine.first && its.last ? its.last > mine.first :
	    audit_log_order(try->name, log->name) > 0)
	    continue;

	/*
	 * Within the same second the names decide.
	 */
	if (mine.first && its.first == mine.first && its.last == mine.last
	    && audit_log_order(try->name, log->name) > 0)
	    continue;
	if (best == 0 || is_later(try, best, mine.first == 0))
	    best = try;
    }
    return (best);
}

/* finish_text - account for a line that was cut */

static void finish_text(AUDIT_FACTS *facts, const AUDIT_SELECT *select,
			        const AUDIT_LOG *log, const char *begin,
			        const char *end)
{
    VSTRING *text = vstring_alloc(100);
    VSTRING *name = vstring_alloc(100);
    AUDIT_CLOCK clock;
    AUDIT_LINE line;
    AUDIT_LOG *other;

    /*
     * In the order of times and names it comes after the log.
     */
    vstring_sprintf(name, "%s~", log->name);
    vstring_sprintf(text, "%s%s", begin ? begin : "", end ? end : "");
    other = audit_log_create(facts, STR(name), log->limit);
    audit_clock_init(&clock, log->limit);
    audit_line_parse(&line, &clock, STR(text), LEN(text));
    audit_log_open(facts, other);
    audit_learn_line(facts, other, &line, select);
    audit_log_close(facts, other);
    vstring_free(text);
    vstring_free(name);
}

/* forget_text - done with it */

static void forget_text(char **text)
{
    if (*text)
	myfree(*text);
    *text = 0;
}

/* is_understood - does the text make sense without what came before it */

static int is_understood(const AUDIT_LOG *log, const char *text)
{
    VSTRING *copy = vstring_strcpy(vstring_alloc(100), text);
    AUDIT_CLOCK clock;
    AUDIT_LINE line;

    audit_clock_init(&clock, log->limit);
    audit_line_parse(&line, &clock, STR(copy), LEN(copy));
    vstring_free(copy);
    return (line.type != AUDIT_LINE_UNKNOWN);
}

/* compare_log_names - order of names, then of time */

static int compare_log_names(const void *a, const void *b)
{
    const AUDIT_LOG *left = *(AUDIT_LOG **) a;
    const AUDIT_LOG *right = *(AUDIT_LOG **) b;
    int     diff = audit_log_order(left->name, right->name);
    PERIOD  mine;
    PERIOD  its;

    if (diff != 0)
	return (diff);
    log_period(left, &mine);
    log_period(right, &its);
    if (mine.last != its.last)
	return (mine.last < its.last ? -1 : 1);
    return (mine.first < its.first ? -1 : mine.first > its.first);
}

#define IS_EMPTY(log)	((log)->offset == 0 && (log)->tail_text == 0)
#define IS_PIECE(log)	((log)->offset == 0 && (log)->tail_text != 0)

/* sorted_logs - logs that have text, in the order of their names */

static AUDIT_LOG **sorted_logs(AUDIT_FACTS *facts, size_t *count)
{
    AUDIT_LOG **list;
    AUDIT_LOG *log;

    *count = 0;
    for (log = facts->logs; log; log = log->next)
	*count += 1;
    list = (AUDIT_LOG **) mymalloc((*count + 1) * sizeof(*list));
    for (*count = 0, log = facts->logs; log; log = log->next)
	if (!IS_EMPTY(log))
	    list[(*count)++] = log;
    qsort((void *) list, *count, sizeof(*list), compare_log_names);
    return (list);
}

/* same_series - names that differ in numbers and punctuation only */

static int same_series(const char *one, const char *other)
{
    for (;;) {
	while (*one && !ISALPHA(*one))
	    one++;
	while (*other && !ISALPHA(*other))
	    other++;
	if (*one != *other)
	    return (0);
	if (*one == 0)
	    return (1);
	one++, other++;
    }
}

 /*
  * Logs that were rotated after they were read have the same name.
  */
#define SAME_NAME(one, other)	(strcmp((one)->name, (other)->name) == 0)

/* is_continued - may the last line of one log go on in the other one */

static int is_continued(const AUDIT_LOG *begin, const AUDIT_LOG *end)
{
    PERIOD  first;
    PERIOD  then;

    log_period(begin, &first);
    log_period(end, &then);
    if (first.last == 0 || then.first == 0) {
	if (SAME_NAME(begin, end))
	    return (0);
    } else if (first.last > then.first) {
	return (0);
    }
    return (same_series(begin->name, end->name) || common_host(begin, end));
}

/* join_chain - line that was cut into pieces, zero if it makes no sense */

static int join_chain(AUDIT_FACTS *facts, const AUDIT_SELECT *select,
		              AUDIT_LOG **list, size_t from, size_t to, int step)
{
    VSTRING *text = vstring_alloc(100);
    size_t  n;
    int     ok;

    for (n = from; n != to; n += step)
	vstring_strcat(text, list[n]->tail_text);
    vstring_strcat(text, list[to]->head_text);
    if ((ok = is_understood(list[from], STR(text))) != 0) {
	for (n = from; n != to; n += step)
	    forget_text(&list[n]->tail_text);
	forget_text(&list[to]->head_text);
	finish_text(facts, select, list[from], STR(text), (char *) 0);
    }
    vstring_free(text);
    return (ok);
}

/* join_neighbors - lines that go on in the log with the next name */

static void join_neighbors(AUDIT_FACTS *facts, const AUDIT_SELECT *select,
			           AUDIT_LOG **list, size_t count, int step)
{
    size_t  last = (step > 0 ? count - 1 : 0);
    size_t  from;
    size_t  to;

    /*
     * This is how a log looks that was cut on purpose, or (backwards) one that
     * was rotated. What follows a line that was cut may be no more than
     * another piece of it.
     */
    if (count == 0)
	return;
    for (from = count - 1 - last; from != last; from = to) {
	to = from + step;
	if (list[from]->tail_text == 0)
	    continue;
	while (to != last && list[to]->head_text == 0 && IS_PIECE(list[to])
	       && !SAME_NAME(list[from], list[to]))
	    to += step;
	if (list[to]->head_text == 0 || !is_continued(list[from], list[to])
	    || join_chain(facts, select, list, from, to, step) == 0)
	    to = from + step;
    }
}

/* join_middles - logs that have only the middle of a line */

static void join_middles(AUDIT_FACTS *facts, AUDIT_LOG **list, size_t count)
{
    AUDIT_LOG *begin;
    char   *text;
    size_t  n;

    for (n = 0; n < count; n++) {
	if (!IS_PIECE(list[n]) || is_understood(list[n], list[n]->tail_text)
	    || (begin = find_begin(facts, list[n])) == 0)
	    continue;
	text = concatenate(begin->tail_text, list[n]->tail_text, (char *) 0);
	forget_text(&begin->tail_text);
	forget_text(&list[n]->tail_text);
	begin->tail_text = text;
    }
}

/* audit_join - all lines that were cut */

void    audit_join(AUDIT_FACTS *facts, const AUDIT_SELECT *select)
{
    AUDIT_LOG **list;
    AUDIT_LOG *log;
    AUDIT_LOG *begin;
    size_t  count;

    /*
     * What names tell is more certain than what times and hosts tell.
     */
    list = sorted_logs(facts, &count);
    join_neighbors(facts, select, list, count, 1);
    join_neighbors(facts, select, list, count, -1);
    join_middles(facts, list, count);
    myfree((void *) list);
    for (log = facts->logs; log; log = log->next) {
	if (log->head_text == 0)
	    continue;
	begin = find_begin(facts, log);
	finish_text(facts, select, begin ? begin : log,
		    begin ? begin->tail_text : 0, log->head_text);
	forget_text(&log->head_text);
	if (begin)
	    forget_text(&begin->tail_text);
    }
    for (log = facts->logs; log; log = log->next) {
	if (log->tail_text)
	    finish_text(facts, select, log, log->tail_text, (char *) 0);
	forget_text(&log->tail_text);
    }
}
