/*++
/* NAME
/*	audit_event 3
/* SUMMARY
/*	what happened to a message at a server
/* SYNOPSIS
/*	#include "audit_event.h"
/*
/*	void	audit_event_warning(facts, host, event, rule, fallback)
/*	AUDIT_FACTS *facts;
/*	const char *host;
/*	const AUDIT_EVENT *event;
/*	const char *rule;
/*	const char *fallback;
/*
/*	void	audit_event_audit(facts, host, event, dest, reason)
/*	AUDIT_FACTS *facts;
/*	const char *host;
/*	const AUDIT_EVENT *event;
/*	AUDIT_DEST *dest;
/*	const char *reason;
/*
/*	void	audit_event_status(facts, host, event, dest, warning)
/*	AUDIT_FACTS *facts;
/*	const char *host;
/*	const AUDIT_EVENT *event;
/*	AUDIT_DEST *dest;
/*	const AUDIT_EVENT *warning;
/*
/*	void	audit_event_undelivered(facts, event, dest)
/*	AUDIT_FACTS *facts;
/*	const AUDIT_EVENT *event;
/*	AUDIT_DEST *dest;
/*
/*	void	audit_event_failure(facts, host, event, dest, warning)
/*	AUDIT_FACTS *facts;
/*	const char *host;
/*	const AUDIT_EVENT *event;
/*	AUDIT_DEST *dest;
/*	const AUDIT_EVENT *warning;
/* DESCRIPTION
/*	This module turns events into facts, when all is known that other
/*	lines about the same message say. The host is the one that
/*	logged them.
/*
/*	audit_event_warning() accounts for a fallback warning, or for a
/*	fallback refused warning, with its rule and fallback attributes.
/*
/*	audit_event_audit() accounts for one delivery with an audit line,
/*	to the specified destination and, after fallback, with the
/*	specified reason.
/*
/*	audit_event_status() accounts for deliveries that have a TLS
/*	level in a delivery status line, and no audit line. The
/*	destination is a null pointer if not known, and the warning is
/*	a null pointer if there was none.
/*
/*	audit_event_undelivered() counts recipients who were not
/*	delivered because of TLS.
/*
/*	audit_event_failure() holds that against the policy when the
/*	delivery status line does not have the level. It is that of the
/*	warning, or it is not known.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>

/* Utility library. */

#include <htable.h>

/* Application-specific. */

#include "audit_event.h"

#define TABLE(facts, name)	((facts)->tables + AUDIT_TABLE_##name)

const char *const audit_event_types[] = {
    "fallback", "refused", "audit", "done", "status", 0,
};

/* count_fallback - policy was not met but mail was sent */

static void count_fallback(AUDIT_FACTS *facts, int kind, const AUDIT_EVENT *ep,
			           const char *dest, const char *reason)
{
    audit_count_add(audit_table_words(TABLE(facts, FALLBACK_KIND),
				      ep->policy, ep->level, reason),
		    kind, ep->count, ep->first, ep->last);
    audit_count_add(audit_table_words(TABLE(facts, FALLBACK), dest,
				      ep->relay->name, ep->policy,
				      ep->level, reason),
		    kind, ep->count, ep->first, ep->last);
}

/* audit_event_warning - once per connection and obstacle */

void    audit_event_warning(AUDIT_FACTS *facts, const char *host,
			            const AUDIT_EVENT *ep, const char *rule,
			            const char *fallback)
{
    int     policy = audit_level_find(ep->policy);
    AUDIT_DEST *dest = (ep->name ?
		  audit_facts_dest(facts, ep->name, AUDIT_DEST_NEXTHOP) :
			audit_facts_host(facts, ep->relay));
    AUDIT_STATE *state;

    if (audit_level_authenticates(policy)) {
	state = audit_facts_state(facts, dest, host, audit_level_policy(policy));
	state->warnings += 1;
	AUDIT_NOTE_FIRST(state->first, ep->first);
	AUDIT_NOTE_LAST(state->last, ep->last);
	audit_state_reason(state, ep->reason, ep->last);
	audit_state_fallback(state, audit_level_find(ep->level));
    }
    if (ep->type == AUDIT_EVENT_REFUSED)
	audit_count_add(audit_table_words(TABLE(facts, REFUSED), rule,
					  ep->reason, ep->policy, fallback),
			AUDIT_COUNT_EVENTS, 1, ep->first, ep->last);
    else
	count_fallback(facts, AUDIT_COUNT_EVENTS, ep, dest->name, ep->reason);
}

/* audit_event_audit - audit line, one message transfer */

void    audit_event_audit(AUDIT_FACTS *facts, const char *host,
			          const AUDIT_EVENT *ep, AUDIT_DEST *dest,
			          const char *reason)
{
    int     level = audit_level_find(ep->level);
    int     policy = (ep->policy ? audit_level_find(ep->policy) : level);
    AUDIT_STATE *state;

    if (ep->policy)
	count_fallback(facts, AUDIT_COUNT_DELIVERIES, ep, dest->name, reason);
    if (audit_level_authenticates(policy)) {
	state = audit_facts_state(facts, dest, host, audit_level_policy(policy));
	audit_state_delivery(state, ep->verified, ep->count, ep->first,
			     ep->last);
	if (ep->verified == 0)
	    audit_state_reason(state, reason, ep->last);
	if (ep->policy)
	    audit_state_fallback(state, level);
    } else if (ep->attain != AUDIT_ATTAIN_UNKNOWN && policy != AUDIT_LEVEL_NONE) {
	state = audit_facts_state(facts, dest, host, policy);
	audit_state_delivery(state, ep->attain != AUDIT_ATTAIN_NOTHING,
			     ep->count, ep->first, ep->last);
	if (ep->attain == AUDIT_ATTAIN_SECURE)
	    state->secure += ep->count;
    }
    if (ep->expires)
	audit_facts_cert(facts, ep->relay, dest, ep->last, ep->expires);
}

/* audit_event_status - delivery status with TLS level */

void    audit_event_status(AUDIT_FACTS *facts, const char *host,
			           const AUDIT_EVENT *ep, AUDIT_DEST *dest,
			           const AUDIT_EVENT *warning)
{
    int     policy = audit_level_find(ep->policy);
    const char *reason = (ep->level && warning ? warning->reason : ep->reason);
    AUDIT_STATE *state;

    audit_count_add(audit_table_key(TABLE(facts, LEVEL), ep->label),
		    AUDIT_COUNT_DELIVERIES, ep->count, ep->first, ep->last);
    if (dest == 0 || audit_level_authenticates(policy) == 0)
	return;
    if (ep->level)
	count_fallback(facts, AUDIT_COUNT_DELIVERIES, ep, dest->name, reason);
    state = audit_facts_state(facts, dest, host, audit_level_policy(policy));
    audit_state_delivery(state, ep->verified, ep->count, ep->first, ep->last);
    if (ep->verified == 0)
	audit_state_reason(state, reason, ep->last);
    audit_state_fallback(state, audit_level_find(ep->level));
}

/* audit_event_undelivered - not delivered because of TLS */

void    audit_event_undelivered(AUDIT_FACTS *facts, const AUDIT_EVENT *ep,
				        const AUDIT_DEST *dest)
{
    audit_count_add(audit_table_key(TABLE(facts, FAILURE_KIND), ep->reason),
		    AUDIT_COUNT_DELIVERIES, ep->count, ep->first, ep->last);
    audit_count_add(audit_table_words(TABLE(facts, FAILURE), ep->reason,
				      dest ? dest->name : (char *) 0,
				      ep->relay->name),
		    AUDIT_COUNT_DELIVERIES, ep->count, ep->first, ep->last);
}

/* audit_event_failure - policy kept mail from being delivered */

void    audit_event_failure(AUDIT_FACTS *facts, const char *host,
			            const AUDIT_EVENT *ep, AUDIT_DEST *dest,
			            const AUDIT_EVENT *warning)
{
    int     policy = (warning ? audit_level_find(warning->policy) :
		      AUDIT_LEVEL_NONE);
    AUDIT_STATE *state = audit_facts_state(facts, dest, host,
					   audit_level_policy(policy));

    audit_state_delivery(state, 0, ep->count, ep->first, ep->last);
    audit_state_reason(state, ep->reason, ep->last);
}
