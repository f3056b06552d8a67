/*++
/* NAME
/*	audit_group 3
/* SUMMARY
/*	lines about the same message
/* SYNOPSIS
/*	#include "audit_group.h"
/*
/*	AUDIT_GROUP *audit_group_create(queue_id)
/*	const char *queue_id;
/*
/*	void	audit_group_add(group, event)
/*	AUDIT_GROUP *group;
/*	const AUDIT_EVENT *event;
/*
/*	void	audit_group_recipient(group, domain)
/*	AUDIT_GROUP *group;
/*	const char *domain;
/*
/*	void	audit_group_move(to, from)
/*	AUDIT_GROUP *to;
/*	AUDIT_GROUP *from;
/*
/*	void	audit_group_resolve(facts, host, group)
/*	AUDIT_FACTS *facts;
/*	const char *host;
/*	AUDIT_GROUP *group;
/*
/*	void	audit_group_clear(group)
/*	AUDIT_GROUP *group;
/*
/*	void	audit_group_free(group)
/*	AUDIT_GROUP *group;
/* DESCRIPTION
/*	A message may leave fallback warnings, an audit line for every
/*	server, and a delivery status line for every recipient. This
/*	module collects such lines, and finds out what they say
/*	together.
/*
/*	audit_group_create() makes an empty group.
/*
/*	audit_group_add() copies an event into a group.
/*	audit_group_recipient() does what remains to be done with a
/*	recipient after a complete audit line. audit_group_move() adds
/*	the events of another group, which came later.
/*
/*	audit_group_resolve() turns a complete group into facts.
/*
/*	audit_group_clear() makes a group empty, and audit_group_free()
/*	destroys it.
/* FROM SEVERAL LINES
/* .ad
/* .fi
/*	Deliveries are taken from audit lines, and from a delivery status
/*	line only when there is no audit line for the same server in
/*	the group. What an audit line does not have may be in a warning
/*	for that server. Without nexthop, the destination is the domain
/*	of the recipients at that server when there is only one, and
/*	else the server itself. A nexthop that has recipients in another
/*	domain is a route to them, such as a relayhost.
/* SEE ALSO
/*	audit_event(3), what follows from one event
/*	audit_log(3), which lines belong together
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

#ifdef STRCASECMP_IN_STRINGS_H
#include <strings.h>
#endif

/* Utility library. */

#include <mymalloc.h>

/* Application-specific. */

#include "audit_group.h"

/* audit_group_create - group without events */

AUDIT_GROUP *audit_group_create(const char *queue_id)
{
    AUDIT_GROUP *group = (AUDIT_GROUP *) mymalloc(sizeof(*group));

    memset((void *) group, 0, sizeof(*group));
    strncpy(group->queue_id, queue_id, sizeof(group->queue_id) - 1);
    return (group);
}

/* audit_group_clear - forget what is in it */

void    audit_group_clear(AUDIT_GROUP *group)
{
    AUDIT_EVENT *event;

    while ((event = group->events) != 0) {
	group->events = event->next;
	if (event->name)
	    myfree(event->name);
	myfree((void *) event);
    }
    group->tail = 0;
    group->done = 0;
    group->done_dest = 0;
    group->is_other = 0;
}

/* audit_group_free - destroy group */

void    audit_group_free(AUDIT_GROUP *group)
{
    audit_group_clear(group);
    if (group->origin)
	myfree(group->origin);
    myfree((void *) group);
}

/* same_event - another recipient of the same message */

static int same_event(const AUDIT_EVENT *left, const AUDIT_EVENT *right)
{
    return (left->type == right->type && left->type == AUDIT_EVENT_STATUS
	    && left->relay == right->relay && left->policy == right->policy
	    && left->level == right->level && left->label == right->label
	    && left->reason == right->reason
	    && left->verified == right->verified
	    && left->last / AUDIT_DAY_SECONDS == right->last / AUDIT_DAY_SECONDS
	    && (left->name == right->name
		|| (left->name && right->name
		    && strcmp(left->name, right->name) == 0)));
}

/* audit_group_add - add copy of event */

void    audit_group_add(AUDIT_GROUP *group, const AUDIT_EVENT *event)
{
    AUDIT_EVENT *copy;

    /*
     * A complete audit line is the usual case, and all that matters is that
     * there was one.
     */
    if (event->type == AUDIT_EVENT_DONE
	&& (group->done == 0 || (group->done == event->relay
				 && group->done_dest == event->dest))) {
	group->done = event->relay;
	group->done_dest = event->dest;
	group->is_other |= event->verified;
	return;
    }
    if (group->tail && same_event(group->tail, event)) {
	group->tail->count += event->count;
	AUDIT_NOTE_FIRST(group->tail->first, event->first);
	AUDIT_NOTE_LAST(group->tail->last, event->last);
	return;
    }
    copy = (AUDIT_EVENT *) mymalloc(sizeof(*copy));
    *copy = *event;
    copy->next = 0;
    if (event->name)
	copy->name = audit_clean(mystrdup(event->name), AUDIT_CLEAN_LOWER);
    if (group->tail)
	group->tail->next = copy;
    else
	group->events = copy;
    group->tail = copy;
}

/* is_other_domain - not what the nexthop says */

static int is_other_domain(const AUDIT_DEST *dest, const char *domain)
{
    return (dest != 0 && domain != 0 && strcasecmp(dest->name, domain) != 0);
}

/* audit_group_recipient - recipient after a complete audit line */

void    audit_group_recipient(AUDIT_GROUP *group, const char *domain)
{
    if (group->is_other == 0 && is_other_domain(group->done_dest, domain))
	group->is_other = 1;
}

/* find_event - event of some type at this server, null if there is none */

static const AUDIT_EVENT *find_event(const AUDIT_GROUP *group,
			               AUDIT_EVENT_TYPE type,
				             const AUDIT_RELAY *relay)
{
    const AUDIT_EVENT *ep;

    for (ep = group->events; ep; ep = ep->next)
	if (ep->type == type && ep->relay == relay)
	    break;
    return (ep);
}

/* find_warning - warning about this server, null if there is none */

static const AUDIT_EVENT *find_warning(const AUDIT_GROUP *group,
				               const AUDIT_RELAY *relay)
{
    const AUDIT_EVENT *ep = find_event(group, AUDIT_EVENT_FALLBACK, relay);

    return (ep ? ep : find_event(group, AUDIT_EVENT_REFUSED, relay));
}

/* has_audit - there is an audit line for this server */

static int has_audit(const AUDIT_GROUP *group, const AUDIT_RELAY *relay)
{
    return (group->done == relay
	    || find_event(group, AUDIT_EVENT_AUDIT, relay) != 0
	    || find_event(group, AUDIT_EVENT_DONE, relay) != 0);
}

/* one_domain - domain of all recipients at this server, or null */

static const char *one_domain(const AUDIT_GROUP *group,
			              const AUDIT_RELAY *relay)
{
    const AUDIT_EVENT *ep;
    const char *domain = 0;

    for (ep = group->events; ep; ep = ep->next) {
	if (ep->type != AUDIT_EVENT_STATUS || ep->relay != relay)
	    continue;
	if (ep->name == 0 || (domain && strcmp(ep->name, domain) != 0))
	    return (0);
	domain = ep->name;
    }
    return (domain);
}

/* resolve_audit - audit line that does not have everything */

static void resolve_audit(AUDIT_FACTS *facts, const char *host,
			          const AUDIT_GROUP *group,
			          const AUDIT_EVENT *ep)
{
    const AUDIT_EVENT *warning = find_warning(group, ep->relay);
    const char *reason = ep->reason;
    const char *domain;
    AUDIT_DEST *dest;

    if (ep->policy && reason == 0 && warning
	&& warning->type == AUDIT_EVENT_FALLBACK)
	reason = warning->reason;
    if (ep->name)
	dest = audit_facts_dest(facts, ep->name, AUDIT_DEST_NEXTHOP);
    else if (warning && warning->name)
	dest = audit_facts_dest(facts, warning->name, AUDIT_DEST_NEXTHOP);
    else if ((domain = one_domain(group, ep->relay)) != 0)
	dest = audit_facts_dest(facts, domain, AUDIT_DEST_DOMAIN);
    else
	dest = audit_facts_host(facts, ep->relay);
    audit_event_audit(facts, host, ep, dest, reason);
}

/* resolve_status - delivery status */

static void resolve_status(AUDIT_FACTS *facts, const char *host,
			           const AUDIT_GROUP *group,
			           const AUDIT_EVENT *ep)
{
    const AUDIT_EVENT *warning = find_warning(group, ep->relay);
    int     audited = has_audit(group, ep->relay);
    AUDIT_DEST *dest = 0;

    if (ep->label && audited)
	facts->lines[AUDIT_LINES_REPEATS] += ep->count;
    if (ep->reason == 0 && (ep->label == 0 || audited))
	return;
    if (warning && warning->name)
	dest = audit_facts_dest(facts, warning->name, AUDIT_DEST_NEXTHOP);
    else if (ep->name)
	dest = audit_facts_dest(facts, ep->name, AUDIT_DEST_DOMAIN);
    if (ep->reason)
	audit_event_undelivered(facts, ep, dest);
    if (audited)
	return;
    if (ep->label)
	audit_event_status(facts, host, ep, dest, warning);
    else if (dest)
	audit_event_failure(facts, host, ep, dest, warning);
}

/* has_other_nexthop - the server got the message for another nexthop, too */

static int has_other_nexthop(const AUDIT_GROUP *group,
			             const AUDIT_RELAY *relay,
			             const AUDIT_DEST *dest)
{
    const AUDIT_EVENT *ep;

    if (group->done == relay && group->done_dest != dest)
	return (1);
    for (ep = group->events; ep; ep = ep->next)
	if (ep->type == AUDIT_EVENT_DONE && ep->relay == relay
	    && ep->dest != dest)
	    return (1);
    return (0);
}

/* has_other_domain - a recipient at this server is not in that domain */

static int has_other_domain(const AUDIT_GROUP *group, const AUDIT_RELAY *relay,
			            const AUDIT_DEST *dest)
{
    const AUDIT_EVENT *ep;

    for (ep = group->events; ep; ep = ep->next)
	if (ep->type == AUDIT_EVENT_STATUS && ep->relay == relay
	    && is_other_domain(dest, ep->name))
	    return (1);
    return (0);
}

/* resolve_route - is the nexthop a route to other domains */

static void resolve_route(const AUDIT_GROUP *group, const AUDIT_RELAY *relay,
			          AUDIT_DEST *dest, int is_other)
{
    if (dest && (is_other || has_other_domain(group, relay, dest))
	&& dest->is_route == 0 && has_other_nexthop(group, relay, dest) == 0)
	dest->is_route = 1;
}

/* audit_group_resolve - what the lines say together */

void    audit_group_resolve(AUDIT_FACTS *facts, const char *host,
			          AUDIT_GROUP *group)
{
    const AUDIT_EVENT *ep;

    resolve_route(group, group->done, group->done_dest, group->is_other);

    for (ep = group->events; ep; ep = ep->next) {
	if (ep->type == AUDIT_EVENT_AUDIT)
	    resolve_audit(facts, host, group, ep);
	else if (ep->type == AUDIT_EVENT_STATUS)
	    resolve_status(facts, host, group, ep);
	else if (ep->type == AUDIT_EVENT_DONE)
	    resolve_route(group, ep->relay, ep->dest, ep->verified);
    }
}

/* audit_group_move - continue group with what came later */

void    audit_group_move(AUDIT_GROUP *to, AUDIT_GROUP *from)
{
    AUDIT_EVENT done;
    AUDIT_EVENT *ep;

    if (from->done) {
	memset((void *) &done, 0, sizeof(done));
	done.type = AUDIT_EVENT_DONE;
	done.relay = from->done;
	done.dest = from->done_dest;
	done.verified = from->is_other;
	audit_group_add(to, &done);
    }
    for (ep = from->events; ep; ep = ep->next)
	audit_group_add(to, ep);
}
