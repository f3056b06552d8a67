/*++
/* NAME
/*	audit_report 3
/* SUMMARY
/*	reports about TLS accounting
/* SYNOPSIS
/*	#include "audit_report.h"
/*
/*	void	audit_report(out, facts, ready)
/*	AUDIT_OUT *out;
/*	const AUDIT_FACTS *facts;
/*	const AUDIT_READY *ready;
/*
/*	unsigned long audit_report_problems(facts)
/*	const AUDIT_FACTS *facts;
/* DESCRIPTION
/*	audit_report() produces all reports. To add one, add it to the
/*	table at the end of this module; all output formats follow.
/*
/*	audit_report_problems() returns how often mail was sent at a
/*	weaker level than its policy, or not sent because of TLS, or a
/*	fallback was refused.
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

#include <argv.h>
#include <htable.h>
#include <msg.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_report.h"

#define STR	vstring_str

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
} REPORT_CONTEXT;

#define REPORT_FLAG_PROBLEMS	(1<<0)	/* also with problems only */
#define REPORT_FLAG_BY_KEY	(1<<1)	/* alphabetical order */

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

typedef int (*COMPARE_FN) (const void *, const void *);
typedef int (*WANTED_FN) (const void *);

/* sort_top - sort, but only as far as will be looked at */

static void sort_top(void **list, size_t count, size_t top, COMPARE_FN compare)
{
    void   *item;
    size_t  n;
    size_t  place;

    if (top == 0 || top > count)
	top = count;
    qsort((void *) list, top, sizeof(*list), compare);
    for (n = top; n < count; n++) {
	item = list[n];
	if (compare((void *) &item, (void *) (list + top - 1)) >= 0)
	    continue;
	list[n] = list[top - 1];
	for (place = top - 1; place > 0; place--) {
	    if (compare((void *) &item, (void *) (list + place - 1)) >= 0)
		break;
	    list[place] = list[place - 1];
	}
	list[place] = item;
    }
}

/* sorted_table - contents of hash table, the top ones in order */

static HTABLE_INFO **sorted_table(HTABLE *table, COMPARE_FN compare, size_t top)
{
    HTABLE_INFO **list = htable_list(table);

    sort_top((void **) list, table->used, top, compare);
    return (list);
}

/* sorted_names - selected things with names, the top ones in order */

static void **sorted_names(const AUDIT_NAMES *names, COMPARE_FN compare,
			           WANTED_FN wanted, size_t top)
{
    void  **list = audit_names_list(names);
    void  **from;
    void  **to = list;

    for (from = list; *from; from++)
	if (wanted == 0 || wanted(*from))
	    *to++ = *from;
    *to = 0;
    sort_top(list, to - list, top, compare);
    return (list);
}

 /*
  * Rows are either left out because there are enough of them, or because they
  * are not a problem. Only the former do not need to be in order. Tables that
  * are always complete are small.
  */
#define TOP(out) \
	((out)->problems_only || ((out)->layout->flags & AUDIT_LAYOUT_ALL) ? \
	    0 : (out)->top)

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

/* report_counts - table of counts */

static void report_counts(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const REPORT_CONTEXT *) context)->facts;
    const AUDIT_REPORT *report = ((const REPORT_CONTEXT *) context)->report;
    const AUDIT_TABLE *table = facts->tables + report->table;
    int     limit = (AUDIT_OUT_HAS_ALL_KEYS(out) ? 0 : table->info->limit);
    HTABLE_INFO **list = sorted_table(table->entries,
				      report->flags & REPORT_FLAG_BY_KEY ?
				      compare_names : compare_counts,
				      limit ? 0 : TOP(out));
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
} REPORT_DAY;

/* compare_days - latest first, then alphabetical order */

static int compare_days(const void *a, const void *b)
{
    const REPORT_DAY *left = (const REPORT_DAY *) a;
    const REPORT_DAY *right = (const REPORT_DAY *) b;

    if (left->day->day != right->day->day)
	return (left->day->day < right->day->day ? 1 : -1);
    return (strcmp(left->entry->key, right->entry->key));
}

/* report_days - history of a table of counts */

static void report_days(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const REPORT_CONTEXT *) context)->facts;
    const AUDIT_REPORT *report = ((const REPORT_CONTEXT *) context)->report;
    HTABLE_INFO **list = htable_list(facts->tables[report->table].entries);
    HTABLE_INFO **ht;
    const AUDIT_COUNT *entry;
    REPORT_DAY *rows;
    size_t  count = 0;
    size_t  n = 0;
    int     day;

    for (ht = list; *ht; ht++)
	count += ((const AUDIT_COUNT *) ht[0]->value)->day_count;
    rows = (REPORT_DAY *) mymalloc((count + 1) * sizeof(*rows));
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

/* is_level_problem - delivery not as configured */

static int is_level_problem(const char *label)
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

/* is_requiretls_problem - REQUIRETLS refused or relaxed */

static int is_requiretls_problem(const char *label)
{
    return (strpbrk(label, "!:?") != 0);
}

/* report_lines - what was read */

static void report_lines(AUDIT_OUT *out, const void *context)
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
    const AUDIT_FACTS *facts = ((const REPORT_CONTEXT *) context)->facts;
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

/* report_period - when */

static void report_period(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const REPORT_CONTEXT *) context)->facts;
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

/* report_notes - problems with the input */

static void report_notes(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const REPORT_CONTEXT *) context)->facts;
    AUDIT_CELL cells[2];
    char  **cpp;

    for (cpp = facts->notes->argv; *cpp; cpp += 2) {
	cells[0].text = cpp[0];
	cells[1].text = cpp[1];
	audit_out_row(out, cells);
    }
}

/* show_readiness - one destination and policy */

static void show_readiness(AUDIT_OUT *out, const AUDIT_READINESS *row)
{
    const AUDIT_STATE *sp = &row->state;
    AUDIT_CELL cells[AUDIT_COLUMN_MAX];

    cells[0].text = audit_verdicts[row->verdict];
    cells[1].count = sp->deliveries;
    cells[2].count = sp->verified;
    cells[3].count = sp->warnings;
    cells[4].text = audit_readiness_policy(row);
    cells[5].text = row->dest->name;
    cells[6].text = audit_dest_kinds[row->dest->kind];
    cells[7].text = row->why;
    cells[8].time = sp->first_verified;
    cells[9].time = sp->last_verified;
    cells[10].time = sp->last_failure;
    cells[11].text = sp->reason;
    cells[12].text = (sp->fallback == AUDIT_LEVEL_NONE ? 0 :
		      audit_levels[sp->fallback].name);
    cells[13].time = sp->first;
    cells[14].text = row->hosts;
    cells[15].text = row->failing;
    audit_out_row(out, cells);
}

/* report_readiness - destinations with an authenticated policy */

static void report_readiness(AUDIT_OUT *out, const void *context)
{
    const AUDIT_READY *ready = ((const REPORT_CONTEXT *) context)->ready;
    const AUDIT_READINESS *row;

    for (row = ready->rows; row < ready->rows + ready->count; row++)
	if (audit_readiness_has_policy(row)
	    && (out->problems_only == 0
		|| row->verdict == AUDIT_VERDICT_BROKEN
		|| row->verdict == AUDIT_VERDICT_MIXED))
	    show_readiness(out, row);
}

/* report_regressions - destinations that could be enforced, once */

static void report_regressions(AUDIT_OUT *out, const void *context)
{
    const AUDIT_READY *ready = ((const REPORT_CONTEXT *) context)->ready;
    const AUDIT_READINESS *row;
    AUDIT_CELL cells[AUDIT_COLUMN_MAX];

    for (row = ready->rows; row < ready->rows + ready->count; row++) {
	if (row->regressed == 0)
	    continue;
	cells[0].text = row->dest->name;
	cells[1].text = audit_readiness_policy(row);
	cells[2].text = row->state.reason;
	cells[3].time = row->state.last_verified;
	cells[4].time = row->state.last_failure;
	cells[5].text = row->failing;
	audit_out_row(out, cells);
    }
}

#define HAS_ATTAINABLE(facts)	((facts)->lines[AUDIT_LINES_ATTAIN] > 0)

/* report_attainable - destinations without an authenticated policy */

static void report_attainable(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const REPORT_CONTEXT *) context)->facts;
    const AUDIT_READY *ready = ((const REPORT_CONTEXT *) context)->ready;
    const AUDIT_READINESS *row;
    AUDIT_CELL cells[AUDIT_COLUMN_MAX];

    for (row = ready->rows; row < ready->rows + ready->count; row++) {
	if (audit_readiness_has_policy(row) || HAS_ATTAINABLE(facts) == 0)
	    continue;
	cells[0].text = audit_verdicts[row->verdict];
	cells[1].count = row->state.deliveries;
	cells[2].count = row->state.verified;
	cells[3].count = row->state.secure;
	cells[4].text = audit_readiness_policy(row);
	cells[5].text = row->dest->name;
	cells[6].text = audit_dest_kinds[row->dest->kind];
	cells[7].text = row->why;
	cells[8].time = row->state.first_verified;
	cells[9].time = row->state.last_verified;
	cells[10].time = row->state.last_failure;
	cells[11].text = row->hosts;
	audit_out_row(out, cells);
    }
}

/* count_verdicts - count destinations */

static void count_verdicts(AUDIT_OUT *out, const AUDIT_READY *ready,
			           int has_policy, const AUDIT_VERDICT *verdicts)
{
    const AUDIT_READINESS *row;
    unsigned long counts[AUDIT_VERDICT_COUNT];
    unsigned long total = 0;
    AUDIT_CELL cells[2];

    memset((void *) counts, 0, sizeof(counts));
    for (row = ready->rows; row < ready->rows + ready->count; row++) {
	if (audit_readiness_has_policy(row) == has_policy) {
	    counts[row->verdict]++;
	    total++;
	}
    }
    if (total == 0 && AUDIT_OUT_IS_HUMAN(out))
	return;
    for ( /* void */ ; *verdicts != AUDIT_VERDICT_COUNT; verdicts++) {
	cells[0].count = counts[*verdicts];
	cells[1].text = audit_verdicts[*verdicts];
	audit_out_row(out, cells);
    }
}

/* report_verdicts - with an authenticated policy */

static void report_verdicts(AUDIT_OUT *out, const void *context)
{
    static const AUDIT_VERDICT verdicts[] = {
	AUDIT_VERDICT_ENFORCE, AUDIT_VERDICT_MIXED, AUDIT_VERDICT_BROKEN,
	AUDIT_VERDICT_FEW, AUDIT_VERDICT_COUNT,
    };

    count_verdicts(out, ((const REPORT_CONTEXT *) context)->ready, 1, verdicts);
}

/* report_prospects - without an authenticated policy */

static void report_prospects(AUDIT_OUT *out, const void *context)
{
    static const AUDIT_VERDICT verdicts[] = {
	AUDIT_VERDICT_COULD, AUDIT_VERDICT_MIXED, AUDIT_VERDICT_CANNOT,
	AUDIT_VERDICT_FEW, AUDIT_VERDICT_COUNT,
    };
    static const AUDIT_READY nothing;

    count_verdicts(out, HAS_ATTAINABLE(((const REPORT_CONTEXT *) context)->facts) ?
		   ((const REPORT_CONTEXT *) context)->ready : &nothing, 0,
		   verdicts);
}

/* compare_certs - earliest end first */

static int compare_certs(const void *a, const void *b)
{
    const AUDIT_CERT *left = *(const AUDIT_CERT *const *) a;
    const AUDIT_CERT *right = *(const AUDIT_CERT *const *) b;

    if (left->expires != right->expires)
	return (left->expires < right->expires ? -1 : 1);
    return (strcmp(left->key.text, right->key.text));
}

/* report_certificates - about to expire, as far as they are still in use */

static void report_certificates(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const REPORT_CONTEXT *) context)->facts;
    void  **list = sorted_names(&facts->certs, compare_certs, 0, 0);
    void  **next;
    const AUDIT_CERT *cert;
    AUDIT_CELL cells[4];

#define EXPIRES_SOON	(14 * AUDIT_DAY_SECONDS)

    for (next = list; *next; next++) {
	cert = (const AUDIT_CERT *) *next;
	if (cert->expires > facts->last + EXPIRES_SOON
	    || cert->seen < facts->last - EXPIRES_SOON)
	    continue;
	cells[0].time = cert->expires;
	cells[1].text = cert->dest->name;
	cells[2].text = cert->relay->name;
	cells[3].time = cert->seen;
	audit_out_row(out, cells);
    }
    myfree((void *) list);
}

/* compare_digests - first seen first */

static int compare_digests(const void *a, const void *b)
{
    const AUDIT_DIGEST *left = *(const AUDIT_DIGEST *const *) a;
    const AUDIT_DIGEST *right = *(const AUDIT_DIGEST *const *) b;

    if (left->first != right->first)
	return (left->first < right->first ? -1 : 1);
    return (strcmp(left->text, right->text));
}

 /*
  * A server that has a new certificate for every connection is boring.
  */
#define DIGESTS_SHOWN	8

/* report_relay_digests - changes of one server's certificate or key */

static void report_relay_digests(AUDIT_OUT *out, const AUDIT_RELAY *relay,
				         int kind)
{
    const AUDIT_DIGEST *list[AUDIT_DIGEST_KEEP];
    const AUDIT_DIGEST *digest;
    AUDIT_CELL cells[6];
    int     count = 0;
    int     n;

    for (digest = relay->digests; digest; digest = digest->next)
	if (digest->kind == kind)
	    list[count++] = digest;
    qsort((void *) list, count, sizeof(*list), compare_digests);
    for (n = (count > DIGESTS_SHOWN ? count - DIGESTS_SHOWN : 0) + 1;
	 n < count; n++) {
	cells[0].text = relay->name;
	cells[1].text = audit_digest_kinds[kind];
	cells[2].time = list[n]->first;
	cells[3].text = list[n - 1]->text;
	cells[4].text = list[n]->text;
	cells[5].time = list[n - 1]->last;
	audit_out_row(out, cells);
    }
}

/* compare_relays - busiest server first */

static int compare_relays(const void *a, const void *b)
{
    const AUDIT_RELAY *left = *(const AUDIT_RELAY *const *) a;
    const AUDIT_RELAY *right = *(const AUDIT_RELAY *const *) b;

    if (left->connected != right->connected)
	return (left->connected < right->connected ? 1 : -1);
    return (strcmp(left->name, right->name));
}

/* has_connections - server has TLS connection lines */

static int has_connections(const void *ptr)
{
    return (((const AUDIT_RELAY *) ptr)->connected > 0);
}

/* has_changes - server has different certificates or keys */

static int has_changes(const void *ptr)
{
    const AUDIT_DIGEST *digest;
    int     counts[AUDIT_DIGEST_KINDS] = {0};

    for (digest = ((const AUDIT_RELAY *) ptr)->digests; digest;
	 digest = digest->next)
	if (++counts[digest->kind] > 1)
	    return (1);
    return (0);
}

/* report_digests - changed certificates and keys */

static void report_digests(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const REPORT_CONTEXT *) context)->facts;
    void  **list = sorted_names(&facts->relays, compare_relays, has_changes, 0);
    void  **next;
    int     kind;

    for (next = list; *next; next++)
	for (kind = 0; kind < AUDIT_DIGEST_KINDS; kind++)
	    report_relay_digests(out, (const AUDIT_RELAY *) *next, kind);
    myfree((void *) list);
}

/* report_relays - TLS connections by server */

static void report_relays(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const REPORT_CONTEXT *) context)->facts;
    void  **list = sorted_names(&facts->relays, compare_relays,
				has_connections, TOP(out));
    void  **next;
    const AUDIT_RELAY *relay;
    AUDIT_CELL cells[6];

    for (next = list; *next; next++) {
	relay = (const AUDIT_RELAY *) *next;
	cells[0].count = relay->connections[AUDIT_AUTH_VERIFIED];
	cells[1].count = relay->connections[AUDIT_AUTH_TRUSTED];
	cells[2].count = relay->connections[AUDIT_AUTH_UNTRUSTED];
	cells[3].count = relay->connections[AUDIT_AUTH_ANONYMOUS];
	cells[4].text = relay->name;
	cells[5].time = relay->last;
	audit_out_row(out, cells);
    }
    myfree((void *) list);
}

 /*
  * Column descriptions that several reports have in common.
  */
#define TEXT(name, heading)	{name, heading, AUDIT_CELL_TEXT, 0, 0, 0}
#define NOTE(name, heading)	{name, heading, AUDIT_CELL_NOTE, 0, 0, 0}
#define COUNT(name, heading)	{name, heading, AUDIT_CELL_COUNT, 0, 0, 0}
#define TIME(name, heading)	{name, heading, AUDIT_CELL_TIME, 0, 0, 0}
#define DAY(name, heading)	{name, heading, AUDIT_CELL_DAY, 0, 0, 0}
#define SHARE(name)		{name, "", AUDIT_CELL_SHARE, 0, 0, 0}
#define DIGEST(name, heading)	{name, heading, AUDIT_CELL_DIGEST, 0, 0, 0}
#define METRIC(name, heading, metric, help) \
	{name, heading, AUDIT_CELL_COUNT, metric, help, 0}
#define STATE_METRIC(name, heading, metric, help) \
	{name, heading, AUDIT_CELL_COUNT, metric, help, 1}
#define TIME_METRIC(name, heading, metric, help) \
	{name, heading, AUDIT_CELL_TIME, metric, help, 0}

#define TLS_COLUMNS(metric, what) \
	METRIC("deliveries", "deliveries", metric "_deliveries", \
		"Deliveries according to audit lines, by " what "."), \
	SHARE("deliveries_percent"), \
	METRIC("connections", "connections", metric "_connections", \
		"TLS connections established, by " what "."), \
	SHARE("connections_percent")

static const AUDIT_REPORT audit_reports[] = {
    {
	report_notes, REPORT_FLAG_PROBLEMS, 0, 0, 0,
	{
	    "notes", "Problems with the input", 0, AUDIT_LAYOUT_ALL,
	    {
		TEXT("file", "file"),
		NOTE("problem", "problem"),
	    },
	},
    },
    {
	report_period, REPORT_FLAG_PROBLEMS, 0, 0, 0,
	{
	    "period", "Time of the first and last line used", 0,
	    AUDIT_LAYOUT_ALL | AUDIT_LAYOUT_ALWAYS,
	    {
		TEXT("edge", "edge"),
		TIME_METRIC("time", "time", "period_timestamp_seconds",
			    "Time of the first and last log line used."),
	    },
	},
    },
    {
	report_lines, 0, 0, 0, 0,
	{
	    "lines", "Lines read", 0, AUDIT_LAYOUT_ALL,
	    {
		METRIC("lines", "lines", "lines", "Log lines by what they are."),
		TEXT("kind", 0),
		NOTE("description", "description"),
	    },
	},
    },
    {
	report_counts, REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_LEVEL, "dk", is_level_problem,
	{
	    "levels", "SMTP TLS connection stats (deliveries)", 0,
	    AUDIT_LAYOUT_ALL | AUDIT_LAYOUT_ALWAYS,
	    {
		METRIC("deliveries", "deliveries", "deliveries",
		       "Deliveries by TLS security level, as logged."),
		TEXT("state", "state"),
	    },
	},
    },
    {
	report_counts, REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_REQUIRETLS, "dk", is_requiretls_problem,
	{
	    "policy_diagnostics", "SMTP TLS policy diagnostics (recipients)", 0,
	    AUDIT_LAYOUT_ALL,
	    {
		METRIC("recipients", "recipients", "policy_diagnostics",
		       "Recipients by REQUIRETLS policy status, as logged."),
		TEXT("state", "state"),
	    },
	},
    },
    {
	report_verdicts, 0, 0, 0, 0,
	{
	    "verdicts", "Readiness of destinations with an authenticated policy",
	    "enforce: all deliveries were verified; mixed: some; broken: none;\n"
	    "too few: not enough to tell, or not over enough time.",
	    AUDIT_LAYOUT_ALL,
	    {
		STATE_METRIC("destinations", "destinations", "destinations",
		       "Destinations with an authenticated policy, by readiness."),
		TEXT("verdict", "verdict"),
	    },
	},
    },
    {
	report_readiness, REPORT_FLAG_PROBLEMS, 0, 0, 0,
	{
	    "readiness", "Readiness by destination", 0, AUDIT_LAYOUT_ALWAYS,
	    {
		TEXT("verdict", "verdict"),
		COUNT("deliveries", "sent"),
		COUNT("verified", "verified"),
		COUNT("warnings", "warned"),
		TEXT("policy", "policy"),
		TEXT("destination", "destination"),
		TEXT("source", "from"),
		NOTE("why", "why"),
		TIME("first_verified", "first verified"),
		TIME("last_verified", "last verified"),
		TIME("last_failure", "last failure"),
		TEXT("reason", 0),
		TEXT("fallback", 0),
		TIME("first", 0),
		TEXT("hosts", 0),
		TEXT("failing_hosts", 0),
	    },
	},
    },
    {
	report_regressions, REPORT_FLAG_PROBLEMS, 0, 0, 0,
	{
	    "regressions", "Destinations that could be enforced, and no longer can",
	    0, 0,
	    {
		TEXT("destination", "destination"),
		TEXT("policy", "policy"),
		TEXT("reason", "reason"),
		TIME("last_verified", "last verified"),
		TIME("last_failure", "last failure"),
		TEXT("failing_hosts", "failing hosts"),
	    },
	},
    },
    {
	report_prospects, 0, 0, 0, 0,
	{
	    "attainable_verdicts",
	    "Destinations without an authenticated policy",
	    "could enforce: an authenticated level was attainable for all "
	    "deliveries;\nmixed: for some; cannot: for none; too few: not "
	    "enough to tell.", AUDIT_LAYOUT_ALL,
	    {
		STATE_METRIC("destinations", "destinations", "attainable_destinations",
		       "Destinations without an authenticated policy, by what was attainable."),
		TEXT("verdict", "verdict"),
	    },
	},
    },
    {
	report_attainable, 0, 0, 0, 0,
	{
	    "attainable", "Attainable by destination", 0, 0,
	    {
		TEXT("verdict", "verdict"),
		COUNT("deliveries", "sent"),
		COUNT("attainable", "attainable"),
		COUNT("secure", "secure"),
		TEXT("policy", "policy"),
		TEXT("destination", "destination"),
		TEXT("source", "from"),
		NOTE("why", "why"),
		TIME("first_attainable", "first attainable"),
		TIME("last_attainable", "last attainable"),
		TIME("last_failure", "last failure"),
		TEXT("hosts", 0),
	    },
	},
    },
    {
	report_certificates, REPORT_FLAG_PROBLEMS, 0, 0, 0,
	{
	    "certificates", "Server certificates that expire within 14 days",
	    0, 0,
	    {
		TIME("expires", "expires"),
		TEXT("destination", "destination"),
		TEXT("relay", "relay"),
		TIME("last", "last seen"),
	    },
	},
    },
    {
	report_counts, REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_FALLBACK_KIND, "dekkk", 0,
	{
	    "fallback_reasons", "TLS fallbacks",
	    "A connection is warned about once, and may serve many deliveries.",
	    AUDIT_LAYOUT_ALL | AUDIT_LAYOUT_ALWAYS,
	    {
		METRIC("deliveries", "deliveries", "fallback_deliveries",
		       "Deliveries that fell back to a weaker TLS level."),
		METRIC("warnings", "warnings", "fallback_warnings",
		 "TLS fallback warnings, one per connection and obstacle."),
		TEXT("policy", "policy"),
		TEXT("level", "level"),
		TEXT("reason", "reason"),
	    },
	},
    },
    {
	report_counts, REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_FALLBACK, "dekkkkkfl", 0,
	{
	    "fallbacks", "TLS fallbacks by destination", 0, 0,
	    {
		COUNT("deliveries", "deliveries"),
		COUNT("warnings", "warnings"),
		TEXT("nexthop", "nexthop"),
		TEXT("relay", "relay"),
		TEXT("policy", "policy"),
		TEXT("level", "level"),
		TEXT("reason", "reason"),
		TIME("first", "first"),
		TIME("last", "last"),
	    },
	},
    },
    {
	report_counts, REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_REFUSED, "ekkkkfl", 0,
	{
	    "fallbacks_refused", "TLS fallbacks refused", 0, AUDIT_LAYOUT_ALL,
	    {
		METRIC("warnings", "warnings", "fallback_refused_warnings",
		       "TLS fallbacks that a rule held back."),
		TEXT("rule", "rule"),
		TEXT("reason", "reason"),
		TEXT("policy", "policy"),
		TEXT("fallback", "fallback"),
		TIME("first", "first"),
		TIME("last", "last"),
	    },
	},
    },
    {
	report_counts, REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_FAILURE_KIND, "dkfl", 0,
	{
	    "failure_reasons", "Recipients not delivered because of TLS", 0,
	    AUDIT_LAYOUT_ALL,
	    {
		METRIC("recipients", "recipients", "failed_recipients",
		       "Recipients whose delivery status names a TLS failure."),
		TEXT("reason", "reason"),
		TIME("first", "first"),
		TIME("last", "last"),
	    },
	},
    },
    {
	report_counts, REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_FAILURE, "dkkkfl", 0,
	{
	    "failures", "Recipients not delivered, by destination", 0, 0,
	    {
		COUNT("recipients", "recipients"),
		TEXT("reason", "reason"),
		TEXT("destination", "destination"),
		TEXT("relay", "relay"),
		TIME("first", "first"),
		TIME("last", "last"),
	    },
	},
    },
    {
	report_days, 0,
	AUDIT_TABLE_LEVEL, "tdk", 0,
	{
	    "history", "Deliveries by day (UTC)", 0, 0,
	    {
		DAY("day", "day"),
		COUNT("deliveries", "deliveries"),
		TEXT("state", "state"),
	    },
	},
    },
    {
	report_days, REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_FALLBACK_KIND, "tdekkk", 0,
	{
	    "fallback_history", "TLS fallbacks by day (UTC)", 0, 0,
	    {
		DAY("day", "day"),
		COUNT("deliveries", "deliveries"),
		COUNT("warnings", "warnings"),
		TEXT("policy", "policy"),
		TEXT("level", "level"),
		TEXT("reason", "reason"),
	    },
	},
    },
    {
	report_counts, 0,
	AUDIT_TABLE_AUTH, "dDeEk", 0,
	{
	    "auth", "Server authentication", 0, AUDIT_LAYOUT_ALL,
	    {
		TLS_COLUMNS("auth", "server authentication"),
		TEXT("auth", "auth"),
	    },
	},
    },
    {
	report_counts, 0,
	AUDIT_TABLE_PROTOCOL, "dDeEk", 0,
	{
	    "protocols", "TLS protocols", 0, AUDIT_LAYOUT_ALL,
	    {
		TLS_COLUMNS("protocol", "TLS protocol"),
		TEXT("protocol", "protocol"),
	    },
	},
    },
    {
	report_counts, 0,
	AUDIT_TABLE_CIPHER, "dDeEk", 0,
	{
	    "ciphers", "TLS ciphers", 0, 0,
	    {
		TLS_COLUMNS("cipher", "TLS cipher"),
		TEXT("cipher", "cipher"),
	    },
	},
    },
    {
	report_counts, 0,
	AUDIT_TABLE_KEX, "dDeEk", 0,
	{
	    "key_exchanges", "TLS key exchange", 0, 0,
	    {
		TLS_COLUMNS("key_exchange", "key exchange"),
		TEXT("key_exchange", "key exchange"),
	    },
	},
    },
    {
	report_counts, REPORT_FLAG_BY_KEY,
	AUDIT_TABLE_PROPERTY, "dDeEkk", 0,
	{
	    "properties", "Protection of recorded traffic", 0, AUDIT_LAYOUT_ALL,
	    {
		TLS_COLUMNS("property", "property of the key exchange"),
		TEXT("property", "property"),
		TEXT("answer", "answer"),
	    },
	},
    },
    {
	report_digests, REPORT_FLAG_PROBLEMS, 0, 0, 0,
	{
	    "digest_changes", "Changed server certificates and keys", 0, 0,
	    {
		TEXT("relay", "relay"),
		TEXT("kind", "kind"),
		TIME("changed", "changed"),
		DIGEST("old", "old"),
		DIGEST("new", "new"),
		TIME("old_last_seen", 0),
	    },
	},
    },
    {
	report_counts, REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_WEAK, "dekkfl", 0,
	{
	    "weak_spots", "Weak spots", 0, 0,
	    {
		COUNT("deliveries", "deliveries"),
		COUNT("connections", "connections"),
		TEXT("relay", "relay"),
		TEXT("weakness", "weakness"),
		TIME("first", "first"),
		TIME("last", "last"),
	    },
	},
    },
    {
	report_relays, 0, 0, 0, 0,
	{
	    "relays", "TLS connections by server", 0, 0,
	    {
		COUNT("verified", "verified"),
		COUNT("trusted", "trusted"),
		COUNT("untrusted", "untrusted"),
		COUNT("anonymous", "anonymous"),
		TEXT("relay", "relay"),
		TIME("last", "last"),
	    },
	},
    },
    {0},
};

/* has_metric - is there something for Prometheus */

static int has_metric(const AUDIT_LAYOUT *layout)
{
    const AUDIT_COLUMN *column;

    for (column = layout->columns; column->name; column++)
	if (column->metric)
	    return (1);
    return (0);
}

/* audit_report - all reports */

void    audit_report(AUDIT_OUT *out, const AUDIT_FACTS *facts,
		             const AUDIT_READY *ready)
{
    const AUDIT_REPORT *report;
    REPORT_CONTEXT context;
    int     wanted;

    context.facts = facts;
    context.ready = ready;
    for (report = audit_reports; report->function; report++) {
	if (out->format == AUDIT_OUT_PROMETHEUS && !has_metric(&report->layout))
	    continue;
	wanted = (out->problems_only == 0
		  || (report->flags & REPORT_FLAG_PROBLEMS) != 0);
	context.report = report;
	audit_out_report(out, &report->layout, wanted ? report->function : 0,
			 (const void *) &context);
    }
}

/* table_total - sum of all entries */

static unsigned long table_total(const AUDIT_FACTS *facts, AUDIT_TABLE_ID id,
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

/* is_violation - level of a delivery that the policy stopped */

static int is_violation(const char *label)
{
    return (*label == '!');
}

/* audit_report_problems - what option -x is about */

unsigned long audit_report_problems(const AUDIT_FACTS *facts)
{
    return (table_total(facts, AUDIT_TABLE_FALLBACK_KIND, 0)
	    + table_total(facts, AUDIT_TABLE_REFUSED, 0)
	    + table_total(facts, AUDIT_TABLE_FAILURE_KIND, 0)
	    + table_total(facts, AUDIT_TABLE_LEVEL, is_violation));
}
