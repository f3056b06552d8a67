/*++
/* NAME
/*	audit_rows_dests 3
/* SUMMARY
/*	rows about destinations
/* SYNOPSIS
/*	#include "audit_rows.h"
/*
/*	void	audit_rows_readiness(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	void	audit_rows_regressions(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	void	audit_rows_attainable(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	void	audit_rows_verdicts(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	void	audit_rows_prospects(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/* DESCRIPTION
/*	audit_rows_readiness() shows the destinations with an
/*	authenticated policy, audit_rows_attainable() the others, and
/*	audit_rows_regressions() those that could be enforced, once.
/*
/*	audit_rows_verdicts() and audit_rows_prospects() count
/*	destinations, with and without an authenticated policy.
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

/* Application-specific. */

#include "audit_rows.h"

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

/* audit_rows_readiness - destinations with an authenticated policy */

void    audit_rows_readiness(AUDIT_OUT *out, const void *context)
{
    const AUDIT_READY *ready = ((const AUDIT_ROWS_CONTEXT *) context)->ready;
    const AUDIT_READINESS *row;

    for (row = ready->rows; row < ready->rows + ready->count; row++)
	if (audit_readiness_has_policy(row)
	    && (out->problems_only == 0
		|| row->verdict == AUDIT_VERDICT_BROKEN
		|| row->verdict == AUDIT_VERDICT_MIXED))
	    show_readiness(out, row);
}

/* audit_rows_regressions - destinations that could be enforced, once */

void    audit_rows_regressions(AUDIT_OUT *out, const void *context)
{
    const AUDIT_READY *ready = ((const AUDIT_ROWS_CONTEXT *) context)->ready;
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

/* audit_rows_attainable - destinations without an authenticated policy */

void    audit_rows_attainable(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const AUDIT_ROWS_CONTEXT *) context)->facts;
    const AUDIT_READY *ready = ((const AUDIT_ROWS_CONTEXT *) context)->ready;
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

/* audit_rows_verdicts - with an authenticated policy */

void    audit_rows_verdicts(AUDIT_OUT *out, const void *context)
{
    static const AUDIT_VERDICT verdicts[] = {
	AUDIT_VERDICT_ENFORCE, AUDIT_VERDICT_MIXED, AUDIT_VERDICT_BROKEN,
	AUDIT_VERDICT_FEW, AUDIT_VERDICT_COUNT,
    };

    count_verdicts(out, ((const AUDIT_ROWS_CONTEXT *) context)->ready, 1, verdicts);
}

/* audit_rows_prospects - without an authenticated policy */

void    audit_rows_prospects(AUDIT_OUT *out, const void *context)
{
    static const AUDIT_VERDICT verdicts[] = {
	AUDIT_VERDICT_COULD, AUDIT_VERDICT_MIXED, AUDIT_VERDICT_CANNOT,
	AUDIT_VERDICT_FEW, AUDIT_VERDICT_COUNT,
    };
    static const AUDIT_READY nothing;

    count_verdicts(out, HAS_ATTAINABLE(((const AUDIT_ROWS_CONTEXT *) context)->facts) ?
		   ((const AUDIT_ROWS_CONTEXT *) context)->ready : &nothing, 0,
		   verdicts);
}
