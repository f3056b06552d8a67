/*++
/* NAME
/*	audit_rows_counts 3
/* SUMMARY
/*	rows from tables of counts
/* SYNOPSIS
/*	#include "audit_rows.h"
/*
/*	void	audit_rows_counts(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	void	audit_rows_days(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	unsigned long audit_rows_total(facts, id, is_problem)
/*	const AUDIT_FACTS *facts;
/*	AUDIT_TABLE_ID id;
/*	int	(*is_problem) (const char *);
/*
/*	int	audit_rows_level_problem(label)
/*	const char *label;
/*
/*	int	audit_rows_requiretls_problem(label)
/*	const char *label;
/* DESCRIPTION
/*	audit_rows_counts() makes rows from the entries of a table of
/*	counts, and audit_rows_days() from their history. The report says
/*	which table, and what is in a column.
/*
/*	audit_rows_total() adds up the entries of a table, or those that
/*	are a problem.
/*
/*	audit_rows_level_problem() says that a delivery was not as
/*	configured, and audit_rows_requiretls_problem() that REQUIRETLS was
/*	refused or relaxed.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <stdlib.h>
#include <string.h>

/* Utility library. */

#include <htable.h>
#include <msg.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_rows.h"
#include "audit_sort.h"

#define STR	vstring_str

/* compare_counts - most frequent first */

static int compare_counts(const void *a, const void *b)
{
    const AUDIT_COUNT *left = (const AUDIT_COUNT *) (*(HTABLE_INFO **) a)->value;
    const AUDIT_COUNT *right = (const AUDIT_COUNT *) (*(HTABLE_INFO **) b)->value;
    int     n;

    for (n = 0; n < AUDIT_COUNT_KINDS; n++)
	if (left->count[n] != right->count[n])
	    return (left->count[n] < right->count[n] ? 1 : -1);
    return (strcmp(left->key, right->key));
}

/* compare_names - alphabetical order */

static int compare_names(const void *a, const void *b)
{
    return (strcmp((*(HTABLE_INFO **) a)->key, (*(HTABLE_INFO **) b)->key));
}

/* share - percentage of all entries, or of those with the same first part */

static double share(HTABLE_INFO **list, const AUDIT_COUNT *entry, int kind)
{
    size_t  len = strcspn(entry->key, AUDIT_KEY_SEPARATOR);
    const AUDIT_COUNT *other;
    unsigned long total = 0;

    for ( /* void */ ; *list; list++) {
	other = (const AUDIT_COUNT *) list[0]->value;
	if (entry->key[len] == 0
	    || strncmp(other->key, entry->key, len + 1) == 0)
	    total += other->count[kind];
    }
    return (total ? 100.0 * entry->count[kind] / total : 0.0);
}

/* count_cells - one row of a table of counts, for all time or for one day */

static void count_cells(AUDIT_OUT *out, const AUDIT_REPORT *report,
			        HTABLE_INFO **list, const AUDIT_COUNT *entry,
			        const AUDIT_DAY *day)
{
    const unsigned long *count = (day ? day->count : entry->count);
    AUDIT_CELL cells[AUDIT_COLUMN_MAX];
    char   *key = mystrdup(entry->key);
    char   *next = key;
    int     n;

    for (n = 0; report->fields[n]; n++) {
	switch (report->fields[n]) {
	case FIELD_KEY:
	    cells[n].text = next ? mystrtok(&next, AUDIT_KEY_SEPARATOR) : 0;
	    break;
	case FIELD_DELIVERIES:
	    cells[n].count = count[AUDIT_COUNT_DELIVERIES];
	    break;
	case FIELD_EVENTS:
	    cells[n].count = count[AUDIT_COUNT_EVENTS];
	    break;
	case FIELD_DELIVERIES_SHARE:
	    cells[n].share = share(list, entry, AUDIT_COUNT_DELIVERIES);
	    break;
	case FIELD_EVENTS_SHARE:
	    cells[n].share = share(list, entry, AUDIT_COUNT_EVENTS);
	    break;
	case FIELD_FIRST:
	    cells[n].time = entry->first;
	    break;
	case FIELD_LAST:
	    cells[n].time = entry->last;
	    break;
	case FIELD_DAY:
	    cells[n].time = (day ? day->day : 0) * AUDIT_DAY_SECONDS;
	    break;
	default:
	    msg_panic("count_cells: bad field: %c", report->fields[n]);
	}
    }
    audit_out_row(out, cells);
    myfree(key);
}

/* add_other - the keys that a report has no room for */

static void add_other(AUDIT_OUT *out, const AUDIT_REPORT *report,
		              HTABLE_INFO **all, HTABLE_INFO **rest)
{
    AUDIT_COUNT other;
    const AUDIT_COUNT *entry;
    int     kind;

    memset((void *) &other, 0, sizeof(other));
    other.key = AUDIT_KEY_OTHER;
    for ( /* void */ ; *rest; rest++) {
	entry = (const AUDIT_COUNT *) rest[0]->value;
	for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	    other.count[kind] += entry->count[kind];
	AUDIT_NOTE_FIRST(other.first, entry->first);
	AUDIT_NOTE_LAST(other.last, entry->last);
    }
    count_cells(out, report, all, &other, (AUDIT_DAY *) 0);
}

/* move_other - make AUDIT_KEY_OTHER the last entry */

static void move_other(HTABLE_INFO **list)
{
    HTABLE_INFO *other;

    for ( /* void */ ; *list; list++)
	if (strcmp(list[0]->key, AUDIT_KEY_OTHER) == 0)
	    for (other = *list; list[1]; list++) {
		list[0] = list[1];
		list[1] = other;
	    }
}

/* audit_rows_counts - table of counts */

void    audit_rows_counts(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const AUDIT_ROWS_CONTEXT *) context)->facts;
    const AUDIT_REPORT *report = ((const AUDIT_ROWS_CONTEXT *) context)->report;
    const AUDIT_TABLE *table = facts->tables + report->table;
    int     limit = (AUDIT_OUT_HAS_ALL_KEYS(out) ? 0 : table->info->limit);
    HTABLE_INFO **list = audit_sort_table(table->entries,
				      report->flags & AUDIT_REPORT_FLAG_BY_KEY ?
				      compare_names : compare_counts,
				      limit ? 0 : AUDIT_ROWS_TOP(out));
    HTABLE_INFO **ht;
    const AUDIT_COUNT *entry;

    if (limit)
	move_other(list);
    for (ht = list; *ht; ht++) {
	entry = (const AUDIT_COUNT *) ht[0]->value;
	if (out->problems_only && report->is_problem
	    && report->is_problem(entry->key) == 0)
	    continue;
	if (limit && ht - list == limit) {
	    add_other(out, report, list, ht);
	    break;
	}
	count_cells(out, report, list, entry, (AUDIT_DAY *) 0);
    }
    myfree((void *) list);
}

 /*
  * One row of history.
  */
typedef struct {
    const AUDIT_COUNT *entry;
    const AUDIT_DAY *day;
} DAY_ROW;

/* compare_days - latest first, then alphabetical order */

static int compare_days(const void *a, const void *b)
{
    const DAY_ROW *left = (const DAY_ROW *) a;
    const DAY_ROW *right = (const DAY_ROW *) b;

    if (left->day->day != right->day->day)
	return (left->day->day < right->day->day ? 1 : -1);
    return (strcmp(left->entry->key, right->entry->key));
}

/* audit_rows_days - history of a table of counts */

void    audit_rows_days(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const AUDIT_ROWS_CONTEXT *) context)->facts;
    const AUDIT_REPORT *report = ((const AUDIT_ROWS_CONTEXT *) context)->report;
    HTABLE_INFO **list = htable_list(facts->tables[report->table].entries);
    HTABLE_INFO **ht;
    const AUDIT_COUNT *entry;
    DAY_ROW *rows;
    size_t  count = 0;
    size_t  n = 0;
    int     day;

    for (ht = list; *ht; ht++)
	count += ((const AUDIT_COUNT *) ht[0]->value)->day_count;
    rows = (DAY_ROW *) mymalloc((count + 1) * sizeof(*rows));
    for (ht = list; *ht; ht++) {
	entry = (const AUDIT_COUNT *) ht[0]->value;
	for (day = 0; day < entry->day_count; day++, n++) {
	    rows[n].entry = entry;
	    rows[n].day = entry->days + day;
	}
    }
    qsort((void *) rows, count, sizeof(*rows), compare_days);

    /*
     * People see the history of one day in the other reports.
     */
    if (AUDIT_OUT_IS_HUMAN(out) && count > 0
	&& rows[0].day->day == rows[count - 1].day->day)
	count = 0;
    for (n = 0; n < count; n++)
	count_cells(out, report, list, rows[n].entry, rows[n].day);
    myfree((void *) rows);
    myfree((void *) list);
}

/* audit_rows_level_problem - delivery not as configured */

int     audit_rows_level_problem(const char *label)
{
    VSTRING *name;
    int     level;

    if (*label == '!' || strchr(label, '?') != 0)
	return (1);
    if (strchr(label, ':') == 0)
	return (0);
    name = vstring_strncpy(vstring_alloc(10), label, strcspn(label, ":"));
    level = audit_level_find(STR(name));
    vstring_free(name);
    return (audit_level_authenticates(level));
}

/* audit_rows_requiretls_problem - REQUIRETLS refused or relaxed */

int     audit_rows_requiretls_problem(const char *label)
{
    return (strpbrk(label, "!:?") != 0);
}

/* audit_rows_total - sum of all entries */

unsigned long audit_rows_total(const AUDIT_FACTS *facts, AUDIT_TABLE_ID id,
				         int (*is_problem) (const char *))
{
    HTABLE_INFO **list = htable_list(facts->tables[id].entries);
    HTABLE_INFO **ht;
    const AUDIT_COUNT *entry;
    unsigned long total = 0;

    for (ht = list; *ht; ht++) {
	entry = (const AUDIT_COUNT *) ht[0]->value;
	if (is_problem == 0 || is_problem(entry->key))
	    total += entry->count[AUDIT_COUNT_DELIVERIES]
		+ entry->count[AUDIT_COUNT_EVENTS];
    }
    myfree((void *) list);
    return (total);
}
