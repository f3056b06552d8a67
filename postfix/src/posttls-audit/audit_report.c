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
/*	table in this module; all output formats follow. What makes
/*	its rows is in one of the modules audit_rows_*(3).
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

/* Application-specific. */

#include "audit_report.h"
#include "audit_rows.h"

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
	audit_rows_notes, AUDIT_REPORT_FLAG_PROBLEMS, 0, 0, 0,
	{
	    "notes", "Problems with the input", 0, AUDIT_LAYOUT_ALL,
	    {
		TEXT("file", "file"),
		NOTE("problem", "problem"),
	    },
	},
    },
    {
	audit_rows_period, AUDIT_REPORT_FLAG_PROBLEMS, 0, 0, 0,
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
	audit_rows_lines, 0, 0, 0, 0,
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
	audit_rows_counts, AUDIT_REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_LEVEL, "dk", audit_rows_level_problem,
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
	audit_rows_counts, AUDIT_REPORT_FLAG_PROBLEMS,
	AUDIT_TABLE_REQUIRETLS, "dk", audit_rows_requiretls_problem,
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
	audit_rows_verdicts, 0, 0, 0, 0,
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
	audit_rows_readiness, AUDIT_REPORT_FLAG_PROBLEMS, 0, 0, 0,
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
	audit_rows_regressions, AUDIT_REPORT_FLAG_PROBLEMS, 0, 0, 0,
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
	audit_rows_prospects, 0, 0, 0, 0,
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
	audit_rows_attainable, 0, 0, 0, 0,
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
	audit_rows_certificates, AUDIT_REPORT_FLAG_PROBLEMS, 0, 0, 0,
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
	audit_rows_counts, AUDIT_REPORT_FLAG_PROBLEMS,
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
	audit_rows_counts, AUDIT_REPORT_FLAG_PROBLEMS,
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
	audit_rows_counts, AUDIT_REPORT_FLAG_PROBLEMS,
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
	audit_rows_counts, AUDIT_REPORT_FLAG_PROBLEMS,
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
	audit_rows_counts, AUDIT_REPORT_FLAG_PROBLEMS,
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
	audit_rows_days, 0,
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
	audit_rows_days, AUDIT_REPORT_FLAG_PROBLEMS,
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
	audit_rows_counts, 0,
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
	audit_rows_counts, 0,
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
	audit_rows_counts, 0,
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
	audit_rows_counts, 0,
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
	audit_rows_counts, AUDIT_REPORT_FLAG_BY_KEY,
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
	audit_rows_digests, AUDIT_REPORT_FLAG_PROBLEMS, 0, 0, 0,
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
	audit_rows_counts, AUDIT_REPORT_FLAG_PROBLEMS,
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
	audit_rows_relays, 0, 0, 0, 0,
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
    AUDIT_ROWS_CONTEXT context;
    int     wanted;

    context.facts = facts;
    context.ready = ready;
    for (report = audit_reports; report->function; report++) {
	if (out->format == AUDIT_OUT_PROMETHEUS && !has_metric(&report->layout))
	    continue;
	wanted = (out->problems_only == 0
		  || (report->flags & AUDIT_REPORT_FLAG_PROBLEMS) != 0);
	context.report = report;
	audit_out_report(out, &report->layout, wanted ? report->function : 0,
			 (const void *) &context);
    }
}

/* is_violation - level of a delivery that the policy stopped */

static int is_violation(const char *label)
{
    return (*label == '!');
}

/* audit_report_problems - what option -x is about */

unsigned long audit_report_problems(const AUDIT_FACTS *facts)
{
    return (audit_rows_total(facts, AUDIT_TABLE_FALLBACK_KIND, 0)
	    + audit_rows_total(facts, AUDIT_TABLE_REFUSED, 0)
	    + audit_rows_total(facts, AUDIT_TABLE_FAILURE_KIND, 0)
	    + audit_rows_total(facts, AUDIT_TABLE_LEVEL, is_violation));
}
