/*++
/* NAME
/*	audit_report 3
/* SUMMARY
/*	reports about TLS accounting
/* SYNOPSIS
/*	#include "audit_report.h"
/*
/*	void	audit_report(out, model)
/*	AUDIT_OUT *out;
/*	const AUDIT_MODEL *model;
/*
/*	void	audit_report_policy(stream, model)
/*	VSTREAM	*stream;
/*	const AUDIT_MODEL *model;
/* DESCRIPTION
/*	audit_report() produces all reports. To add one, add it to the
/*	table at the end of this module; all output formats follow.
/*
/*	audit_report_policy() produces policy table entries for the
/*	destinations that have an authenticated policy.
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

typedef struct {
    AUDIT_OUT_FN function;
    int     flags;			/* see below */
    AUDIT_TABLE_ID table;		/* report_counts() only */
    const char *fields;			/* same */
    int     (*is_problem) (const char *);	/* same */
    AUDIT_LAYOUT layout;
} AUDIT_REPORT;

typedef struct {
    const AUDIT_MODEL *model;
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

static void sort_top(HTABLE_INFO **list, size_t count, size_t top,
		             COMPARE_FN compare)
{
    HTABLE_INFO *item;
    size_t  n;
    size_t  place;

    if (top == 0 || top > count)
	top = count;
    qsort((void *) list, top, sizeof(HTABLE_INFO *), compare);
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

/* sorted_list - selected contents of hash table, the top ones in order */

static HTABLE_INFO **sorted_list(HTABLE *table, COMPARE_FN compare,
				         WANTED_FN wanted, size_t top)
{
    HTABLE_INFO **list = htable_list(table);
    HTABLE_INFO **from;
    HTABLE_INFO **to = list;

    for (from = list; *from; from++)
	if (wanted == 0 || wanted(from[0]->value))
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

/* report_counts - table of counts */

static void report_counts(AUDIT_OUT *out, const void *context)
{
    const AUDIT_MODEL *mp = ((const REPORT_CONTEXT *) context)->model;
    const AUDIT_REPORT *report = ((const REPORT_CONTEXT *) context)->report;
    HTABLE_INFO **list = sorted_list(mp->tables[report->table].entries,
				     report->flags & REPORT_FLAG_BY_KEY ?
				     compare_names : compare_counts, 0,
				     TOP(out));
    HTABLE_INFO **ht;
    const AUDIT_COUNT *entry;
    AUDIT_CELL cells[AUDIT_COLUMN_MAX];
    char   *key;
    char   *next;
    int     n;

    for (ht = list; *ht; ht++) {
	entry = (const AUDIT_COUNT *) ht[0]->value;
	if (out->problems_only && report->is_problem
	    && report->is_problem(entry->key) == 0)
	    continue;
	key = next = mystrdup(entry->key);
	for (n = 0; report->fields[n]; n++) {
	    switch (report->fields[n]) {
	    case FIELD_KEY:
		cells[n].text = next ? mystrtok(&next, AUDIT_KEY_SEPARATOR) : 0;
		break;
	    case FIELD_DELIVERIES:
		cells[n].count = entry->count[AUDIT_COUNT_DELIVERIES];
		break;
	    case FIELD_EVENTS:
		cells[n].count = entry->count[AUDIT_COUNT_EVENTS];
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
	    default:
		msg_panic("report_counts: bad field: %c", report->fields[n]);
	    }
	}
	audit_out_row(out, cells);
	myfree(key);
    }
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
    };
    const AUDIT_MODEL *mp = ((const REPORT_CONTEXT *) context)->model;
    AUDIT_CELL cells[3];
    int     n;

    /*
     * People do not need to know what there is none of.
     */
#define LINES_ROW(value, name, description) do { \
	cells[0].count = (value); \
	cells[1].text = (name); \
	cells[2].text = (description); \
	if (cells[0].count > 0 || out->format != AUDIT_OUT_TEXT) \
	    audit_out_row(out, cells); \
    } while (0)

    for (n = 0; n < AUDIT_LINE_TYPE_COUNT; n++)
	LINES_ROW(mp->lines[n], audit_line_types[n], descriptions[n]);
    LINES_ROW(mp->repeats, "status_repeats",
	      "delivery status lines that repeat an audit line");
    LINES_ROW(mp->skipped, "not_selected",
	      "lines that options -s, -u and -r left out");
    LINES_ROW(mp->overlong, "overlong", "lines too long to be log lines");
    LINES_ROW(mp->nul_lines, "null_bytes", "lines with null bytes");
}

/* report_period - when */

static void report_period(AUDIT_OUT *out, const void *context)
{
    const AUDIT_MODEL *mp = ((const REPORT_CONTEXT *) context)->model;
    AUDIT_CELL cells[2];

    if (mp->last == 0)
	return;
    cells[0].text = "first";
    cells[1].time = mp->first;
    audit_out_row(out, cells);
    cells[0].text = "last";
    cells[1].time = mp->last;
    audit_out_row(out, cells);
}

/* report_notes - problems with the input */

static void report_notes(AUDIT_OUT *out, const void *context)
{
    const AUDIT_MODEL *mp = ((const REPORT_CONTEXT *) context)->model;
    AUDIT_CELL cells[2];
    char  **cpp;

    for (cpp = mp->notes->argv; *cpp; cpp += 2) {
	cells[0].text = cpp[0];
	cells[1].text = cpp[1];
	audit_out_row(out, cells);
    }
}

/* compare_dests - busiest destination first */

static int compare_dests(const void *a, const void *b)
{
    const AUDIT_DEST *left = (const AUDIT_DEST *) (*(HTABLE_INFO **) a)->value;
    const AUDIT_DEST *right = (const AUDIT_DEST *) (*(HTABLE_INFO **) b)->value;

    if (left->deliveries != right->deliveries)
	return (left->deliveries < right->deliveries ? 1 : -1);
    if (left->warnings != right->warnings)
	return (left->warnings < right->warnings ? 1 : -1);
    return (strcmp(left->name, right->name));
}

/* has_policy - destination has an authenticated policy */

static int has_policy(const void *ptr)
{
    return (((const AUDIT_DEST *) ptr)->policy != AUDIT_LEVEL_NONE);
}

/* report_readiness - destinations with an authenticated policy */

static void report_readiness(AUDIT_OUT *out, const void *context)
{
    const AUDIT_MODEL *mp = ((const REPORT_CONTEXT *) context)->model;
    HTABLE_INFO **list = sorted_list(mp->destinations, compare_dests,
				     has_policy, TOP(out));
    HTABLE_INFO **ht;
    const AUDIT_DEST *dest;
    AUDIT_VERDICT verdict;
    AUDIT_CELL cells[AUDIT_COLUMN_MAX];

    for (ht = list; *ht; ht++) {
	dest = (const AUDIT_DEST *) ht[0]->value;
	verdict = audit_model_verdict(mp, dest);
	if (out->problems_only && verdict != AUDIT_VERDICT_BROKEN
	    && verdict != AUDIT_VERDICT_MIXED)
	    continue;
	cells[0].text = audit_verdicts[verdict];
	cells[1].count = dest->deliveries;
	cells[2].count = dest->verified;
	cells[3].count = dest->warnings;
	cells[4].text = audit_levels[dest->policy].name;
	cells[5].text = dest->name;
	cells[6].text = audit_dest_kinds[dest->kind];
	cells[7].time = dest->last_failure;
	cells[8].text = dest->reason;
	cells[9].text = (dest->fallback == AUDIT_LEVEL_NONE ? 0 :
			 audit_levels[dest->fallback].name);
	cells[10].time = dest->last_verified;
	cells[11].time = dest->first;
	audit_out_row(out, cells);
    }
    myfree((void *) list);
}

/* report_verdicts - count destinations */

static void report_verdicts(AUDIT_OUT *out, const void *context)
{
    const AUDIT_MODEL *mp = ((const REPORT_CONTEXT *) context)->model;
    unsigned long counts[AUDIT_VERDICT_COUNT];
    unsigned long total = 0;
    HTABLE_INFO **list = htable_list(mp->destinations);
    HTABLE_INFO **ht;
    const AUDIT_DEST *dest;
    AUDIT_CELL cells[2];
    int     n;

    memset((void *) counts, 0, sizeof(counts));
    for (ht = list; *ht; ht++) {
	dest = (const AUDIT_DEST *) ht[0]->value;
	if (has_policy((const void *) dest)) {
	    counts[audit_model_verdict(mp, dest)]++;
	    total++;
	}
    }
    myfree((void *) list);
    if (total == 0 && out->format == AUDIT_OUT_TEXT)
	return;
    for (n = 0; n < AUDIT_VERDICT_COUNT; n++) {
	cells[0].count = counts[n];
	cells[1].text = audit_verdicts[n];
	audit_out_row(out, cells);
    }
}

/* report_relay_digests - changes of one server's certificate or key */

static void report_relay_digests(AUDIT_OUT *out, const AUDIT_RELAY *relay,
				         int kind)
{
    static const char *const kinds[] = {"certificate", "key"};
    const AUDIT_DIGEST *old = 0;
    const AUDIT_DIGEST *new;
    AUDIT_CELL cells[6];

    for (new = relay->digests; new; new = new->next) {
	if (new->kind != kind)
	    continue;
	if (old != 0) {
	    cells[0].text = relay->name;
	    cells[1].text = kinds[kind];
	    cells[2].time = new->first;
	    cells[3].text = old->text;
	    cells[4].text = new->text;
	    cells[5].time = old->last;
	    audit_out_row(out, cells);
	}
	old = new;
    }
}

/* compare_relays - busiest server first */

static int compare_relays(const void *a, const void *b)
{
    const AUDIT_RELAY *left = (const AUDIT_RELAY *) (*(HTABLE_INFO **) a)->value;
    const AUDIT_RELAY *right = (const AUDIT_RELAY *) (*(HTABLE_INFO **) b)->value;

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
    const AUDIT_MODEL *mp = ((const REPORT_CONTEXT *) context)->model;
    HTABLE_INFO **list = sorted_list(mp->relays, compare_relays,
				     has_changes, 0);
    HTABLE_INFO **ht;
    int     kind;

    for (ht = list; *ht; ht++)
	for (kind = 0; kind < AUDIT_DIGEST_KINDS; kind++)
	    report_relay_digests(out, (const AUDIT_RELAY *) ht[0]->value, kind);
    myfree((void *) list);
}

/* report_relays - TLS connections by server */

static void report_relays(AUDIT_OUT *out, const void *context)
{
    const AUDIT_MODEL *mp = ((const REPORT_CONTEXT *) context)->model;
    HTABLE_INFO **list = sorted_list(mp->relays, compare_relays,
				     has_connections, TOP(out));
    HTABLE_INFO **ht;
    const AUDIT_RELAY *relay;
    AUDIT_CELL cells[6];

    for (ht = list; *ht; ht++) {
	relay = (const AUDIT_RELAY *) ht[0]->value;
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
#define TEXT(name, heading)	{name, heading, AUDIT_CELL_TEXT, 0, 0}
#define NOTE(name, heading)	{name, heading, AUDIT_CELL_NOTE, 0, 0}
#define COUNT(name, heading)	{name, heading, AUDIT_CELL_COUNT, 0, 0}
#define TIME(name, heading)	{name, heading, AUDIT_CELL_TIME, 0, 0}
#define SHARE(name)		{name, "", AUDIT_CELL_SHARE, 0, 0}
#define DIGEST(name, heading)	{name, heading, AUDIT_CELL_DIGEST, 0, 0}
#define METRIC(name, heading, metric, help) \
	{name, heading, AUDIT_CELL_COUNT, metric, help}
#define TIME_METRIC(name, heading, metric, help) \
	{name, heading, AUDIT_CELL_TIME, metric, help}

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
		TEXT("problem", "problem"),
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
	    "too few: not enough to tell.", AUDIT_LAYOUT_ALL,
	    {
		METRIC("destinations", "destinations", "destinations",
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
		COUNT("deliveries", "deliveries"),
		COUNT("verified", "verified"),
		COUNT("warnings", "warnings"),
		TEXT("policy", "policy"),
		TEXT("destination", "destination"),
		TEXT("source", "from"),
		TIME("last_failure", "last failure"),
		TEXT("reason", "reason"),
		TEXT("fallback", 0),
		TIME("last_verified", 0),
		TIME("first", 0),
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
	AUDIT_TABLE_FAILURE, "dkfl", 0,
	{
	    "failures", "Recipients not delivered because of TLS", 0,
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

void    audit_report(AUDIT_OUT *out, const AUDIT_MODEL *mp)
{
    const AUDIT_REPORT *report;
    REPORT_CONTEXT context;
    int     wanted;

    context.model = mp;
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

/* policy_comment - evidence for a policy entry */

static void policy_comment(VSTREAM *stream, const AUDIT_MODEL *mp,
			           const AUDIT_DEST *dest)
{
    static VSTRING *when;

    if (when == 0)
	when = vstring_alloc(100);
    vstream_fprintf(stream, "\n# %s: %s, %u of %u deliveries verified",
		    dest->name, audit_verdicts[audit_model_verdict(mp, dest)],
		    dest->verified, dest->deliveries);
    if (dest->last_failure)
	vstream_fprintf(stream, ", last failure %s (%s)",
			audit_time_local(when, dest->last_failure),
			dest->reason ? dest->reason : "reason not logged");
    vstream_fprintf(stream, "\n");
}

/* is_table_key - name that is safe in a lookup table */

static int is_table_key(const char *name)
{

    /*
     * A question mark is what is left of a character that is not text.
     */
    return (*name != 0 && *name != '#' && name[strcspn(name, " ?\\\"")] == 0);
}

/* policy_entry - policy table entry for one destination */

static void policy_entry(VSTREAM *stream, const AUDIT_MODEL *mp,
			         const AUDIT_DEST *dest)
{
    const AUDIT_LEVEL *policy = audit_levels + dest->policy;
    int     enforce = (audit_model_verdict(mp, dest) == AUDIT_VERDICT_ENFORCE);
    const char *fallback;

    policy_comment(stream, mp, dest);
    if (enforce)
	fallback = "none";
    else if (dest->fallback != AUDIT_LEVEL_NONE
	     && audit_levels[dest->fallback].fallback != 0)
	fallback = audit_levels[dest->fallback].fallback;
    else {
	vstream_fprintf(stream, "# no change\n");
	return;
    }
    if (dest->kind == AUDIT_DEST_RELAY) {
	vstream_fprintf(stream, "# this is a server, its nexthop was not logged\n");
	vstream_fprintf(stream, "#NEXTHOP\t%s fallback=%s\n",
			policy->name, fallback);
    } else {
	vstream_fprintf(stream, "%s%s\t%s%s fallback=%s\n",
			(policy->flags & AUDIT_LEVEL_FLAG_MATCH)
			|| !is_table_key(dest->name) ? "#" : "",
			dest->name, policy->name,
			(policy->flags & AUDIT_LEVEL_FLAG_MATCH) ?
			" match=AS-BEFORE" : "", fallback);
    }
}

/* audit_report_policy - policy table entries */

void    audit_report_policy(VSTREAM *stream, const AUDIT_MODEL *mp)
{
    HTABLE_INFO **list = sorted_list(mp->destinations, compare_names,
				     has_policy, 0);
    HTABLE_INFO **ht;

    vstream_fprintf(stream, "\
# smtp_tls_policy_maps entries that follow from the log. \"fallback=none\"\n\
# where every delivery was verified; where not, the weakest level that was\n\
# needed. Other attributes of your present entries (match=, protocols=, ...)\n\
# are not in the log: keep them.\n");
    for (ht = list; *ht; ht++)
	policy_entry(stream, mp, (const AUDIT_DEST *) ht[0]->value);
    myfree((void *) list);
    (void) vstream_fflush(stream);
}
