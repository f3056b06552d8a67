/*++
/* NAME
/*	audit_verdict 3
/* SUMMARY
/*	which policies can be enforced
/* SYNOPSIS
/*	#include "audit_verdict.h"
/*
/*	AUDIT_READY *audit_ready_create(facts, limits)
/*	AUDIT_FACTS *facts;
/*	const AUDIT_LIMITS *limits;
/* DESCRIPTION
/*	audit_ready_create() returns one row for every destination and
/*	policy, with a verdict: whether the policy can be enforced, or,
/*	with a policy that does not authenticate, whether an
/*	authenticated one could be.
/*
/*	Only the present policy of each host counts, which is the one
/*	that was logged last. Hosts with the same policy are added up;
/*	hosts with different ones have different rows.
/*
/*	A recipient who was not delivered because of TLS, when the level
/*	was not logged, counts against the present policy, if that is
/*	an authenticated one and was in force at that time. When there
/*	is none, but the failure is one that authentication makes, then
/*	the destination has a row without policy.
/*
/*	A failure is remembered for AUDIT_RECENT_SECONDS before the end
/*	of the log. After that, only later deliveries count.
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
#include <vstring.h>

/* Application-specific. */

#include "audit_verdict.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

const char *const audit_verdicts[] = {
    "enforce", "mixed", "broken", "too few", "could enforce", "cannot", 0,
};

 /*
  * Failures that Postfix reports only when the server must prove who it is.
  */
static const char *const authentication_failures[] = {
    "untrusted", "mismatch", "not-verified", "tlsa-lookup", "tlsa-missing",
    "tlsa-unusable", "insecure-mx", "sts-mx", 0,
};

 /*
  * A row in the making.
  */
typedef struct {
    AUDIT_READINESS row;
    ARGV   *hosts;
    ARGV   *failing;
} READY_ROW;

 /*
  * One destination has no more rows than there are levels, and one without
  * level.
  */
#define ROW_MAX		16

typedef struct {
    AUDIT_FACTS *facts;
    const AUDIT_LIMITS *limits;
    READY_ROW rows[ROW_MAX];
    int     count;
    HTABLE *routes;			/* of ROUTE_FAILURES */
    AUDIT_READY *ready;
    size_t  allocated;
    VSTRING *buf;
} READY_CONTEXT;

/* is_authentication_failure - see above */

static int is_authentication_failure(const char *reason)
{
    const char *const * cpp;

    if (reason != 0)
	for (cpp = authentication_failures; *cpp; cpp++)
	    if (strcmp(*cpp, reason) == 0)
		return (1);
    return (0);
}

/* present_state - the policy of this host that was logged last */

static const AUDIT_STATE *present_state(const AUDIT_DEST *dest,
					        const char *host)
{
    const AUDIT_STATE *best = 0;
    const AUDIT_STATE *sp;

    for (sp = dest->states; sp; sp = sp->next) {
	if (sp->host != host || sp->policy == AUDIT_LEVEL_NONE)
	    continue;
	if (best == 0 || sp->last > best->last
	    || (sp->last == best->last && sp->policy > best->policy))
	    best = sp;
    }
    return (best);
}

/* find_row - row for this policy */

static READY_ROW *find_row(READY_CONTEXT *cp, const AUDIT_DEST *dest, int policy)
{
    READY_ROW *rp;
    int     n;

    for (n = 0; n < cp->count; n++)
	if (cp->rows[n].row.state.policy == policy)
	    return (cp->rows + n);
    if (cp->count == ROW_MAX)
	msg_panic("find_row: too many levels");
    rp = cp->rows + cp->count++;
    memset((void *) rp, 0, sizeof(*rp));
    rp->row.dest = dest;
    rp->row.state.policy = policy;
    rp->row.state.fallback = AUDIT_LEVEL_NONE;
    rp->hosts = argv_alloc(1);
    rp->failing = argv_alloc(1);
    return (rp);
}

/* add_weeks - add history, no earlier than this week */

static void add_weeks(AUDIT_STATE *to, const AUDIT_STATE *from, unsigned since)
{
    int     n;

    for (n = 0; n < from->week_count; n++)
	if (from->weeks[n].week >= since)
	    audit_state_week(to, from->weeks[n].week, from->weeks[n].verified,
			     from->weeks[n].failed);
}

/* add_host - remember name once */

static void add_host(ARGV *hosts, const char *name)
{
    char  **cpp;

    for (cpp = hosts->argv; *cpp; cpp++)
	if (strcmp(*cpp, name) == 0)
	    return;
    argv_add(hosts, name, ARGV_END);
}

#define HAS_FAILED(sp)	((sp)->verified < (sp)->deliveries || (sp)->warnings > 0)

/* add_state - add what one host knows */

static void add_state(READY_ROW *rp, const AUDIT_STATE *from)
{
    AUDIT_STATE *to = &rp->row.state;

    to->deliveries += from->deliveries;
    to->verified += from->verified;
    to->secure += from->secure;
    to->warnings += from->warnings;
    AUDIT_NOTE_FIRST(to->first, from->first);
    AUDIT_NOTE_LAST(to->last, from->last);
    AUDIT_NOTE_FIRST(to->first_verified, from->first_verified);
    AUDIT_NOTE_LAST(to->last_verified, from->last_verified);
    AUDIT_NOTE_FIRST(to->first_failure, from->first_failure);
    AUDIT_NOTE_LAST(to->last_failure, from->last_failure);
    audit_state_reason(to, from->reason, from->reason_time);
    audit_state_fallback(to, from->fallback);
    add_weeks(to, from, 0);
    add_host(rp->hosts, from->host);
    if (HAS_FAILED(from))
	add_host(rp->failing, from->host);
}

/* add_failures - add failures whose policy was not logged */

static void add_failures(READY_CONTEXT *cp, const AUDIT_DEST *dest,
			         const AUDIT_STATE *from)
{
    const AUDIT_STATE *present = present_state(dest, from->host);
    READY_ROW *rp;
    AUDIT_STATE *to;
    unsigned since = 0;
    int     n;

    if (present && audit_level_authenticates(present->policy)) {
	if (from->last_failure < present->first)
	    return;
	since = AUDIT_WEEK(present->first);
	rp = find_row(cp, dest, present->policy);
    } else if (is_authentication_failure(from->reason)) {
	rp = find_row(cp, dest, AUDIT_LEVEL_NONE);
    } else {
	return;
    }
    to = &rp->row.state;
    for (n = 0; n < from->week_count; n++)
	if (from->weeks[n].week >= since)
	    to->deliveries += from->weeks[n].failed;
    AUDIT_NOTE_LAST(to->last, from->last);
    AUDIT_NOTE_FIRST(to->first_failure, present
		     && present->first > from->first_failure ?
		     present->first : from->first_failure);
    AUDIT_NOTE_FIRST(to->first, to->first_failure);
    AUDIT_NOTE_LAST(to->last_failure, from->last_failure);
    audit_state_reason(to, from->reason, from->reason_time);
    add_weeks(to, from, since);
    add_host(rp->hosts, from->host);
    add_host(rp->failing, from->host);
}

 /*
  * Recipients not delivered because of TLS, at servers that a nexthop is a
  * route to. It is not logged which host did not deliver them.
  */
typedef struct {
    unsigned count;
    time_t  first;
    time_t  last;
    const char *reason;			/* the last one */
    time_t  reason_time;
} ROUTE_FAILURES;

/* failed_route - the nexthop that a failure is about, or null */

static AUDIT_DEST *failed_route(const AUDIT_FACTS *facts, const char *domain,
				        const char *relay_name)
{
    const AUDIT_DEST *dest = (AUDIT_DEST *)
    audit_names_find(&facts->destinations, domain);
    const AUDIT_RELAY *relay = (AUDIT_RELAY *)
    audit_names_find(&facts->relays, relay_name);

    return ((dest && dest->kind == AUDIT_DEST_NEXTHOP)
	    || relay == 0 || relay->has_nexthops || relay->nexthop == 0
	    || relay->nexthop->is_route == 0 ? 0 : relay->nexthop);
}

/* find_route_failures - by name of nexthop */

static HTABLE *find_route_failures(AUDIT_FACTS *facts)
{
    HTABLE *routes = htable_create(10);
    HTABLE_INFO **list =
    htable_list(facts->tables[AUDIT_TABLE_FAILURE].entries);
    HTABLE_INFO **ht;
    ROUTE_FAILURES *fp;
    const AUDIT_COUNT *entry;
    const AUDIT_DEST *dest;
    char   *words;
    char   *next;
    const char *reason;
    const char *domain;

    for (ht = list; *ht; ht++) {
	entry = (const AUDIT_COUNT *) ht[0]->value;
	words = next = mystrdup(entry->key);
	if ((reason = mystrtok(&next, AUDIT_KEY_SEPARATOR)) != 0
	    && (domain = mystrtok(&next, AUDIT_KEY_SEPARATOR)) != 0
	    && next != 0
	    && (dest = failed_route(facts, domain, next)) != 0) {
	    if ((fp = (ROUTE_FAILURES *) htable_find(routes, dest->name)) == 0) {
		fp = (ROUTE_FAILURES *) mymalloc(sizeof(*fp));
		memset((void *) fp, 0, sizeof(*fp));
		(void) htable_enter(routes, dest->name, (void *) fp);
	    }
	    fp->count += entry->count[AUDIT_COUNT_DELIVERIES];
	    AUDIT_NOTE_FIRST(fp->first, entry->first);
	    AUDIT_NOTE_LAST(fp->last, entry->last);
	    if (fp->reason == 0 || entry->last > fp->reason_time
		|| (entry->last == fp->reason_time
		    && strcmp(reason, fp->reason) < 0)) {
		fp->reason = audit_facts_word(facts, reason);
		fp->reason_time = entry->last;
	    }
	}
	myfree(words);
    }
    myfree((void *) list);
    return (routes);
}

/* add_route_failures - for each policy that authenticates */

static void add_route_failures(READY_CONTEXT *cp, const AUDIT_DEST *dest)
{
    const ROUTE_FAILURES *fp = (dest->is_route == 0 ? 0 : (ROUTE_FAILURES *)
				htable_find(cp->routes, dest->name));
    AUDIT_STATE *to;
    int     n;

    for (n = 0; fp && n < cp->count; n++) {
	to = &cp->rows[n].row.state;
	if (audit_level_authenticates(to->policy) == 0)
	    continue;
	to->deliveries += fp->count;
	AUDIT_NOTE_LAST(to->last, fp->last);
	AUDIT_NOTE_FIRST(to->first_failure, fp->first);
	AUDIT_NOTE_LAST(to->last_failure, fp->last);
	audit_state_reason(to, fp->reason, fp->reason_time);
	audit_state_week(to, AUDIT_WEEK(fp->first), 0, fp->count);
    }
}

/* clean_deliveries - verified after the last failure */

static unsigned clean_deliveries(const AUDIT_STATE *sp)
{
    unsigned count = 0;
    int     n;

    if (sp->last_failure == 0)
	return (sp->verified);
    for (n = 0; n < sp->week_count; n++)
	if (sp->weeks[n].week > AUDIT_WEEK(sp->last_failure))
	    count += sp->weeks[n].verified;
    return (count);
}

/* was_enforceable - there was a time with enough deliveries, all verified */

static int was_enforceable(const AUDIT_STATE *sp, const AUDIT_LIMITS *limits)
{
    const AUDIT_WEEK *wp;
    unsigned count = 0;
    unsigned begin = 0;
    time_t  span;

    for (wp = sp->weeks; wp < sp->weeks + sp->week_count; wp++) {
	if (count == 0)
	    begin = wp->week;
	span = (time_t) (wp->week - begin) * AUDIT_WEEK_SECONDS;

	if (wp->failed > 0) {

	    /*
	     * In the week of the first failure, deliveries came before it.
	     */
	    if (wp->week == AUDIT_WEEK(sp->first_failure)
		&& sp->first_verified) {
		count += wp->verified;
		span = sp->first_failure - sp->first_verified;
	    }
	    if (count > 0 && count >= limits->deliveries
		&& span >= limits->span)
		return (1);
	    count = 0;
	} else {
	    count += wp->verified;
	}
    }
    return (0);
}

/* days_between - for people */

static int days_between(time_t from, time_t to)
{
    return ((int) ((to - from) / AUDIT_DAY_SECONDS));
}

/* why_failed - explain a failure */

static void why_failed(VSTRING *why, const AUDIT_STATE *sp)
{
    const char *reason = sp->reason ? sp->reason : "reason not logged";

    if (sp->verified < sp->deliveries)
	vstring_sprintf(why, "%u not verified: %s",
			sp->deliveries - sp->verified, reason);
    else
	vstring_sprintf(why, "warned: %s", reason);
}

/* has_enough - enough deliveries, over enough time, and not long ago */

static int has_enough(READY_CONTEXT *cp, const AUDIT_STATE *sp)
{
    unsigned count = clean_deliveries(sp);
    time_t  since = (sp->last_failure > sp->first_verified ?
		     sp->last_failure : sp->first_verified);

    if (count < cp->limits->deliveries)
	vstring_sprintf(cp->buf, "fewer than %u", cp->limits->deliveries);
    else if (sp->last_verified - since < cp->limits->span)
	vstring_sprintf(cp->buf, "less than %d days",
		  (int) (cp->limits->span + AUDIT_DAY_SECONDS - 1) / (int) AUDIT_DAY_SECONDS);
    else if (cp->facts->last - sp->last_verified > AUDIT_RECENT_SECONDS)
	vstring_sprintf(cp->buf, "last seen %d days ago",
			days_between(sp->last_verified, cp->facts->last));
    else
	return (1);
    return (0);
}

/* judge_policy - can it be enforced */

static AUDIT_VERDICT judge_policy(READY_CONTEXT *cp, const AUDIT_STATE *sp)
{

    /*
     * A warning means that enforcement would have delayed mail, even if the
     * next attempt met the policy.
     */
    if (sp->deliveries > 0 && sp->verified == 0)
	return (why_failed(cp->buf, sp), AUDIT_VERDICT_BROKEN);
    if (sp->deliveries == 0)
	return (why_failed(cp->buf, sp), AUDIT_VERDICT_FEW);
    if (HAS_FAILED(sp)
	&& cp->facts->last - sp->last_failure < AUDIT_RECENT_SECONDS)
	return (why_failed(cp->buf, sp), AUDIT_VERDICT_MIXED);
    return (has_enough(cp, sp) ? AUDIT_VERDICT_ENFORCE : AUDIT_VERDICT_FEW);
}

/* judge_attainable - could an authenticated policy be enforced */

static AUDIT_VERDICT judge_attainable(READY_CONTEXT *cp, const AUDIT_STATE *sp)
{
    if (sp->deliveries < cp->limits->deliveries) {
	vstring_sprintf(cp->buf, "fewer than %u", cp->limits->deliveries);
	return (AUDIT_VERDICT_FEW);
    }
    if (sp->verified == 0)
	return (AUDIT_VERDICT_CANNOT);
    if (sp->verified < sp->deliveries
	&& cp->facts->last - sp->last_failure < AUDIT_RECENT_SECONDS)
	return (AUDIT_VERDICT_MIXED);
    if (has_enough(cp, sp) == 0)
	return (AUDIT_VERDICT_FEW);
    vstring_strcpy(cp->buf, sp->secure < sp->verified ? "verify" : "secure");
    return (AUDIT_VERDICT_COULD);
}

/* host_names - names in alphabetical order */

static const char *host_names(READY_CONTEXT *cp, ARGV *hosts)
{
    char  **cpp;

    if (hosts->argc == 0)
	return (0);
    argv_sort(hosts);
    vstring_strcpy(cp->buf, hosts->argv[0]);
    for (cpp = hosts->argv + 1; *cpp; cpp++)
	vstring_sprintf_append(cp->buf, " %s", *cpp);
    return (audit_facts_word(cp->facts, STR(cp->buf)));
}

/* add_hosts - which hosts this is about, when others do better or differ */

static void add_hosts(READY_CONTEXT *cp, const READY_ROW *rp)
{
    const AUDIT_READINESS *row = &rp->row;

    if (rp->failing->argc > 0 && rp->failing->argc < rp->hosts->argc
	&& LEN(cp->buf) > 0)
	vstring_sprintf_append(cp->buf, " (on %s)", row->failing);
    if (cp->count > 1)
	vstring_sprintf_append(cp->buf, "%spolicy of %s",
			       LEN(cp->buf) > 0 ? "; " : "", row->hosts);
}

/* finish_row - verdict */

static void finish_row(READY_CONTEXT *cp, READY_ROW *rp)
{
    AUDIT_READINESS *row = &rp->row;
    AUDIT_STATE *sp = &row->state;

    row->hosts = host_names(cp, rp->hosts);
    row->failing = host_names(cp, rp->failing);
    row->policies = cp->count;
    VSTRING_RESET(cp->buf);
    VSTRING_TERMINATE(cp->buf);
    if (audit_readiness_has_policy(row)) {
	row->verdict = judge_policy(cp, sp);
	row->regressed = (HAS_FAILED(sp) && row->verdict != AUDIT_VERDICT_ENFORCE
			  && cp->facts->last - sp->last_failure < AUDIT_RECENT_SECONDS
			  && was_enforceable(sp, cp->limits));
    } else {
	row->verdict = judge_attainable(cp, sp);
    }
    add_hosts(cp, rp);
    row->why = (*STR(cp->buf) ? audit_facts_word(cp->facts, STR(cp->buf)) : 0);
    argv_free(rp->hosts);
    argv_free(rp->failing);
    if (sp->weeks)
	myfree((void *) sp->weeks);
    sp->weeks = 0;
    sp->week_count = 0;
    if (cp->ready->count == cp->allocated) {
	cp->allocated = cp->allocated ? 2 * cp->allocated : 100;
	cp->ready->rows = (AUDIT_READINESS *)
	    myrealloc((void *) cp->ready->rows,
		      cp->allocated * sizeof(*cp->ready->rows));
    }
    cp->ready->rows[cp->ready->count++] = *row;
}

/* judge_dest - all rows of one destination */

static void judge_dest(READY_CONTEXT *cp, const AUDIT_DEST *dest)
{
    const AUDIT_STATE *sp;
    int     n;

    cp->count = 0;
    for (sp = dest->states; sp; sp = sp->next)
	if (sp == present_state(dest, sp->host))
	    add_state(find_row(cp, dest, sp->policy), sp);
    for (sp = dest->states; sp; sp = sp->next)
	if (sp->policy == AUDIT_LEVEL_NONE)
	    add_failures(cp, dest, sp);
    add_route_failures(cp, dest);
    for (n = 0; n < cp->count; n++)
	finish_row(cp, cp->rows + n);
}

/* compare_rows - busiest destination first */

static int compare_rows(const void *a, const void *b)
{
    const AUDIT_READINESS *left = (const AUDIT_READINESS *) a;
    const AUDIT_READINESS *right = (const AUDIT_READINESS *) b;
    int     diff;

    if (left->state.deliveries != right->state.deliveries)
	return (left->state.deliveries < right->state.deliveries ? 1 : -1);
    if (left->state.warnings != right->state.warnings)
	return (left->state.warnings < right->state.warnings ? 1 : -1);
    if ((diff = strcmp(left->dest->name, right->dest->name)) != 0)
	return (diff);
    if (left->dest->kind != right->dest->kind)
	return (left->dest->kind < right->dest->kind ? -1 : 1);
    return (left->state.policy - right->state.policy);
}

/* audit_ready_create - all verdicts */

AUDIT_READY *audit_ready_create(AUDIT_FACTS *facts, const AUDIT_LIMITS *limits)
{
    READY_CONTEXT context;
    const AUDIT_DEST *dest;

    memset((void *) &context, 0, sizeof(context));
    context.facts = facts;
    context.limits = limits;
    context.routes = find_route_failures(facts);
    context.buf = vstring_alloc(100);
    context.ready = (AUDIT_READY *) mymalloc(sizeof(*context.ready));
    context.ready->count = 0;
    context.allocated = 100;
    context.ready->rows = (AUDIT_READINESS *)
	mymalloc(context.allocated * sizeof(*context.ready->rows));
    for (dest = AUDIT_NAMES_FIRST(&facts->destinations, AUDIT_DEST); dest;
	 dest = AUDIT_NAMES_NEXT(dest, AUDIT_DEST))
	judge_dest(&context, dest);
    htable_free(context.routes, myfree);
    vstring_free(context.buf);
    qsort((void *) context.ready->rows, context.ready->count,
	  sizeof(*context.ready->rows), compare_rows);
    return (context.ready);
}
