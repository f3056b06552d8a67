/*++
/* NAME
/*	audit_group 3
/* SUMMARY
/*	lines about the same message
/* SYNOPSIS
/*	#include "audit_group.h"
/*
/*	AUDIT_LOG *audit_log_create(facts, name, limit)
/*	AUDIT_FACTS *facts;
/*	const char *name;
/*	time_t	limit;
/*
/*	AUDIT_LOG *audit_log_find(facts, head_len, head_hash)
/*	AUDIT_FACTS *facts;
/*	size_t	head_len;
/*	uint64_t head_hash;
/*
/*	void	audit_log_open(facts, log)
/*	AUDIT_FACTS *facts;
/*	AUDIT_LOG *log;
/*
/*	AUDIT_GROUP *audit_log_group(facts, log, origin, queue_id, when, host)
/*	AUDIT_FACTS *facts;
/*	AUDIT_LOG *log;
/*	const char *origin;
/*	const char *queue_id;
/*	time_t	when;
/*	const char **host;
/*
/*	void	audit_log_close(facts, log)
/*	AUDIT_FACTS *facts;
/*	AUDIT_LOG *log;
/*
/*	void	audit_group_add(group, event)
/*	AUDIT_GROUP *group;
/*	const AUDIT_EVENT *event;
/*
/*	void	audit_group_recipient(group, domain)
/*	AUDIT_GROUP *group;
/*	const char *domain;
/*
/*	void	audit_groups_settle(facts, before)
/*	AUDIT_FACTS *facts;
/*	time_t	before;
/*
/*	void	audit_groups_finish(facts)
/*	AUDIT_FACTS *facts;
/* AUXILIARY FUNCTIONS
/*	int	audit_log_order(left, right)
/*	const char *left;
/*	const char *right;
/*
/*	AUDIT_HOST *audit_log_host(facts, log, name)
/*	AUDIT_FACTS *facts;
/*	AUDIT_LOG *log;
/*	const char *name;
/*
/*	AUDIT_GROUP *audit_group_create(queue_id)
/*	const char *queue_id;
/*
/*	void	audit_group_append(host, group, origin)
/*	AUDIT_HOST *host;
/*	AUDIT_GROUP *group;
/*	const char *origin;
/* DESCRIPTION
/*	A message may leave fallback warnings, an audit line for every
/*	server, and a delivery status line for every recipient. This
/*	module finds out which lines belong together, and what they say
/*	together.
/*
/*	An SMTP client process handles one message at a time. Lines with
/*	the same queue ID that a process logs one after the other are a
/*	group, unless there are more than AUDIT_GROUP_GAP lines of the
/*	same host in between.
/*
/*	The first group of a process may have begun in another log, and
/*	the last group may be continued in another one. Such a group
/*	stays open. When all logs are known, those of each host are put
/*	in the order of their times (logs that are within the same
/*	second: of their names), and what belongs together is joined.
/*	For this it makes no difference where a log was cut, as the gap
/*	is counted across logs.
/*
/*	audit_log_create() adds a log, and audit_log_find() finds the one
/*	with these first bytes. audit_log_open() begins reading
/*	it, or goes on. audit_log_close() ends this; what is not open is
/*	turned into facts.
/*
/*	audit_log_group() takes note of a line with data, and returns
/*	its group and the name of the host. The group is a null pointer
/*	when there is no queue ID, and may be used until the next call.
/*
/*	audit_group_add() copies an event into a group.
/*	audit_group_recipient() does what remains to be done with a
/*	recipient after a complete audit line.
/*
/*	audit_groups_finish() turns everything into facts that is still
/*	open. After that no log can be added. audit_groups_settle() does
/*	this with hosts and logs that end before the specified time: no
/*	other log from that time is expected.
/*
/*	audit_log_order() compares names of logs like strcmp(), but takes
/*	numbers in them as numbers: log.9 comes before log.10.
/*
/*	The other auxiliary functions are for reading logs from a
/*	summary: they find or make a host, make a group, and add it to
/*	those of the host that are open.
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

#ifdef STRCASECMP_IN_STRINGS_H
#include <strings.h>
#endif

/* Utility library. */

#include <htable.h>
#include <msg.h>
#include <mymalloc.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_group.h"

 /*
  * A process that logs into this log.
  */
typedef struct AUDIT_PROCESS {
    const char *origin;			/* owned by hash table */
    AUDIT_HOST *host;
    unsigned long last;			/* position */
    AUDIT_GROUP *head;			/* complete except for its begin */
    AUDIT_GROUP *group;			/* present one */
} AUDIT_PROCESS;

 /*
  * There are not very many at a time.
  */
#define RECENT_PROCESSES	4096		/* power of two */
#define RECENT_SLOT(origin) \
	(quick_hash(origin) % (RECENT_PROCESSES / 2) * 2)

 /*
  * How often to look for processes that are gone.
  */
#define SWEEP_LINES	(4 * AUDIT_GROUP_GAP)

/* audit_group_create - group without events */

AUDIT_GROUP *audit_group_create(const char *queue_id)
{
    AUDIT_GROUP *group = (AUDIT_GROUP *) mymalloc(sizeof(*group));

    memset((void *) group, 0, sizeof(*group));
    strncpy(group->queue_id, queue_id, sizeof(group->queue_id) - 1);
    return (group);
}

/* clear_group - forget what is in it */

static void clear_group(AUDIT_GROUP *group)
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

/* free_group - destroy group */

static void free_group(AUDIT_GROUP *group)
{
    clear_group(group);
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

/* resolve_group - what the lines say together */

static void resolve_group(AUDIT_FACTS *facts, const char *host,
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

/* audit_log_create - one more log */

AUDIT_LOG *audit_log_create(AUDIT_FACTS *facts, const char *name, time_t limit)
{
    AUDIT_LOG *log = (AUDIT_LOG *) mymalloc(sizeof(*log));

    memset((void *) log, 0, sizeof(*log));
    log->name = audit_clean(mystrdup(name), AUDIT_CLEAN_WORD);
    log->limit = limit;
    log->hosts = htable_create(1);
    log->next = facts->logs;
    facts->logs = log;
    return (log);
}

/* audit_log_find - find log with these first bytes */

AUDIT_LOG *audit_log_find(AUDIT_FACTS *facts, size_t head_len,
			          uint64_t head_hash)
{
    AUDIT_LOG *log;

    for (log = facts->logs; log; log = log->next)
	if (log->head_len > 0 && log->head_len == head_len
	    && log->head_hash == head_hash)
	    break;
    return (log);
}

/* audit_log_host - find or make host */

AUDIT_HOST *audit_log_host(AUDIT_FACTS *facts, AUDIT_LOG *log,
			           const char *name)
{
    AUDIT_HOST *host;

    name = audit_facts_word(facts, name);
    if ((host = (AUDIT_HOST *) htable_find(log->hosts, name)) == 0) {
	host = (AUDIT_HOST *) mymalloc(sizeof(*host));
	memset((void *) host, 0, sizeof(*host));
	host->name = name;
	(void) htable_enter(log->hosts, name, (void *) host);
    }
    return (host);
}

/* audit_group_append - add to what is open */

void    audit_group_append(AUDIT_HOST *host, AUDIT_GROUP *group,
			           const char *origin)
{
    AUDIT_GROUP **list = ((group->flags & AUDIT_GROUP_HEAD) ?
			  &host->heads : &host->tails);

    if (group->origin == 0)
	group->origin = mystrdup(origin);
    group->next = *list;
    *list = group;
}

/* take_open - take a group that is open, those that came first first */

static AUDIT_GROUP *take_open(AUDIT_HOST *host)
{
    AUDIT_GROUP **list = (host->heads ? &host->heads : &host->tails);
    AUDIT_GROUP *group = *list;

    if (group != 0) {
	*list = group->next;
	group->next = 0;
    }
    return (group);
}

/* quick_hash - all that is needed to find what was used recently */

static size_t quick_hash(const char *name)
{
    size_t  len = strlen(name);
    uint64_t begin = 0;
    uint64_t middle = 0;
    uint64_t end = 0;

    if (len >= sizeof(end)) {
	memcpy((void *) &begin, name, sizeof(begin));
	memcpy((void *) &middle, name + (len - sizeof(middle)) / 2, sizeof(middle));
	memcpy((void *) &end, name + len - sizeof(end), sizeof(end));
    } else {
	memcpy((void *) &end, name, len);
    }
    end = (end ^ begin * 3 ^ middle * 5 ^ len) * UINT64_C(0x9E3779B97F4A7C15);
    return (end >> 32);
}

/* find_process - find or make process */

static AUDIT_PROCESS *find_process(AUDIT_FACTS *facts, AUDIT_LOG *log,
				           const char *origin)
{
    AUDIT_PROCESS **recent = log->recent + RECENT_SLOT(origin);
    AUDIT_PROCESS *process;
    HTABLE_INFO *info;
    VSTRING *name;
    char   *copy;

    /*
     * There is room for two processes that have the same hash.
     */
    if ((process = recent[0]) != 0 && strcmp(process->origin, origin) == 0)
	return (process);
    recent[0] = recent[1];
    recent[1] = process;
    if ((process = recent[0]) != 0 && strcmp(process->origin, origin) == 0)
	return (process);
    if ((info = audit_locate(log->processes, origin, AUDIT_CLEAN_WORD, &copy)) == 0) {
	process = (AUDIT_PROCESS *) mymalloc(sizeof(*process));
	memset((void *) process, 0, sizeof(*process));
	info = htable_enter(log->processes, copy, (void *) process);
	process->origin = info->key;
	name = vstring_strncpy(vstring_alloc(100), copy, strcspn(copy, " "));
	process->host = audit_log_host(facts, log, vstring_str(name));
	vstring_free(name);
	myfree(copy);
    }
    return (recent[0] = (AUDIT_PROCESS *) info->value);
}

/* forget_recent - processes are going away */

static void forget_recent(AUDIT_LOG *log)
{
    memset((void *) log->recent, 0, RECENT_PROCESSES * sizeof(*log->recent));
}

/* audit_log_open - begin, or go on */

void    audit_log_open(AUDIT_FACTS *facts, AUDIT_LOG *log)
{
    HTABLE_INFO **list = htable_list(log->hosts);
    HTABLE_INFO **ht;
    AUDIT_PROCESS *process;
    AUDIT_GROUP *group;
    AUDIT_HOST *host;

    log->processes = htable_create(1000);
    log->recent = (AUDIT_PROCESS **)
	mymalloc(RECENT_PROCESSES * sizeof(*log->recent));
    forget_recent(log);
    for (ht = list; *ht; ht++) {
	host = (AUDIT_HOST *) ht[0]->value;
	while ((group = take_open(host)) != 0) {
	    process = find_process(facts, log, group->origin);
	    if (group->flags & AUDIT_GROUP_TAIL) {
		group->flags &= ~AUDIT_GROUP_TAIL;
		process->group = group;
	    } else {
		process->head = group;
	    }
	}
    }
    myfree((void *) list);
}

/* end_group - the process does something else */

static void end_group(AUDIT_FACTS *facts, AUDIT_PROCESS *process)
{
    AUDIT_GROUP *group = process->group;

    if (group->flags & AUDIT_GROUP_HEAD) {
	process->head = group;
	process->group = 0;
    } else {
	resolve_group(facts, process->host->name, group);
	clear_group(group);
    }
}

/* keep_head - process is gone, what it began with stays open */

static void keep_head(AUDIT_PROCESS *process)
{
    if (process->head) {
	audit_group_append(process->host, process->head, process->origin);
	process->head = 0;
    }
}

/* sweep_processes - forget processes that are gone */

static void sweep_processes(AUDIT_FACTS *facts, AUDIT_LOG *log,
			           AUDIT_HOST *host, AUDIT_PROCESS *present)
{
    HTABLE_INFO **list = htable_list(log->processes);
    HTABLE_INFO **ht;
    AUDIT_PROCESS *process;

    host->swept = host->lines;
    forget_recent(log);
    for (ht = list; *ht; ht++) {
	process = (AUDIT_PROCESS *) ht[0]->value;
	if (process->host != host || process == present
	    || host->lines - process->last <= AUDIT_GROUP_GAP)
	    continue;
	if (process->group)
	    end_group(facts, process);
	keep_head(process);
	if (process->group)
	    free_group(process->group);
	htable_delete(log->processes, process->origin, myfree);
    }
    myfree((void *) list);
}

/* next_group - a line that does not belong to the present group */

static AUDIT_GROUP *next_group(AUDIT_FACTS *facts, AUDIT_PROCESS *process,
			               const char *queue_id)
{
    AUDIT_GROUP *group = process->group;
    unsigned long position = process->host->lines;
    int     is_first = (group == 0 && process->head == 0);

    if (group) {
	end_group(facts, process);
	group = process->group;
    }
    if (group == 0)
	group = process->group = audit_group_create(queue_id);
    strcpy(group->queue_id, queue_id);
    group->first = position;
    group->flags = (is_first && position <= AUDIT_GROUP_GAP ?
		    AUDIT_GROUP_HEAD : 0);
    return (group);
}

/* audit_log_group - the group that a line belongs to */

AUDIT_GROUP *audit_log_group(AUDIT_FACTS *facts, AUDIT_LOG *log,
			             const char *origin, const char *queue_id,
			             time_t when, const char **host_name)
{
    AUDIT_PROCESS *process = find_process(facts, log, origin);
    AUDIT_HOST *host = process->host;
    AUDIT_GROUP *group;

    *host_name = host->name;
    if (++host->lines - host->swept > SWEEP_LINES)
	sweep_processes(facts, log, host, process);
    process->last = host->lines;
    AUDIT_NOTE_FIRST(host->first, when);
    AUDIT_NOTE_LAST(host->last, when);
    if (queue_id == 0 || strlen(queue_id) >= AUDIT_QUEUE_ID_SIZE)
	return (0);
    if ((group = process->group) == 0
	|| host->lines - group->last > AUDIT_GROUP_GAP
	|| strcmp(group->queue_id, queue_id) != 0)
	group = next_group(facts, process, queue_id);
    group->last = host->lines;
    return (group);
}

/* close_process - what stays open at the end of a log */

static void close_process(AUDIT_FACTS *facts, AUDIT_PROCESS *process)
{
    AUDIT_HOST *host = process->host;
    AUDIT_GROUP *group;

    keep_head(process);
    if ((group = process->group) == 0)
	return;
    if (host->lines - group->last < AUDIT_GROUP_GAP)
	group->flags |= AUDIT_GROUP_TAIL;
    if (group->flags) {
	audit_group_append(host, group, process->origin);
    } else {
	resolve_group(facts, host->name, group);
	free_group(group);
    }
}

/* audit_log_close - end of this log, for now */

void    audit_log_close(AUDIT_FACTS *facts, AUDIT_LOG *log)
{
    HTABLE_INFO **list = htable_list(log->processes);
    HTABLE_INFO **ht;

    for (ht = list; *ht; ht++)
	close_process(facts, (AUDIT_PROCESS *) ht[0]->value);
    myfree((void *) list);
    htable_free(log->processes, myfree);
    log->processes = 0;
    myfree((void *) log->recent);
    log->recent = 0;
}

 /*
  * One host in one log, for sorting.
  */
typedef struct {
    const char *log;
    AUDIT_HOST *host;
} HOST_LOG;

/* skip_number - past the digits, leading zeros do not count */

static size_t skip_number(const char **number, const char *text)
{
    size_t  zeros = strspn(text, "0");
    size_t  len = strspn(text + zeros, "0123456789");

    *number = text + zeros;
    return (len);
}

/* audit_log_order - order of names, numbers as numbers */

int     audit_log_order(const char *left, const char *right)
{
    const char *one = left;
    const char *other = right;
    size_t  one_len;
    size_t  other_len;
    int     diff;

    while (*one && *other) {
	if (ISDIGIT(*one) && ISDIGIT(*other)) {
	    one_len = skip_number(&one, one);
	    other_len = skip_number(&other, other);
	    if (one_len != other_len)
		return (one_len < other_len ? -1 : 1);
	    if ((diff = strncmp(one, other, one_len)) != 0)
		return (diff);
	    one += one_len;
	    other += other_len;
	} else if (*one != *other) {
	    break;
	} else {
	    one++, other++;
	}
    }
    if (*one != *other)
	return (*(const unsigned char *) one < *(const unsigned char *) other ?
		-1 : 1);
    return (strcmp(left, right));
}

/* compare_host_logs - by host, then in the order of time */

static int compare_host_logs(const void *a, const void *b)
{
    const HOST_LOG *left = (const HOST_LOG *) a;
    const HOST_LOG *right = (const HOST_LOG *) b;
    int     diff = strcmp(left->host->name, right->host->name);

    if (diff != 0)
	return (diff);
    if (left->host->first != right->host->first)
	return (left->host->first < right->host->first ? -1 : 1);
    if (left->host->last != right->host->last)
	return (left->host->last < right->host->last ? -1 : 1);
    return (audit_log_order(left->log, right->log));
}

/* move_events - continue group with what came later */

static void move_events(AUDIT_GROUP *to, AUDIT_GROUP *from)
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

/* join_group - continue what was open before this log, or begin */

static void join_group(AUDIT_FACTS *facts, AUDIT_HOST *host, HTABLE *open,
		               AUDIT_GROUP *group, unsigned long before)
{
    AUDIT_GROUP *old = (AUDIT_GROUP *) htable_find(open, group->origin);

    /*
     * From here on positions count from the host's first log.
     */
    group->first += before;
    group->last += before;
    if (old != 0) {
	if ((group->flags & AUDIT_GROUP_HEAD)
	    && strcmp(old->queue_id, group->queue_id) == 0
	    && group->first - old->last <= AUDIT_GROUP_GAP) {
	    move_events(old, group);
	    old->last = group->last;
	    old->flags = group->flags;
	    free_group(group);
	    group = old;
	} else {
	    resolve_group(facts, host->name, old);
	    free_group(old);
	}
	htable_delete(open, group->origin, (void (*) (void *)) 0);
    }
    if (group->flags & AUDIT_GROUP_TAIL) {
	(void) htable_enter(open, group->origin, (void *) group);
    } else {
	resolve_group(facts, host->name, group);
	free_group(group);
    }
}

/* resolve_open - no more logs from this host */

static void resolve_open(AUDIT_FACTS *facts, const char *host, HTABLE *open)
{
    HTABLE_INFO **list = htable_list(open);
    HTABLE_INFO **ht;

    for (ht = list; *ht; ht++) {
	resolve_group(facts, host, (AUDIT_GROUP *) ht[0]->value);
	free_group((AUDIT_GROUP *) ht[0]->value);
    }
    myfree((void *) list);
    htable_free(open, (void (*) (void *)) 0);
}

/* finish_host - logs of one host, in order */

static size_t finish_host(AUDIT_FACTS *facts, HOST_LOG *logs, size_t count)
{
    HTABLE *open = htable_create(100);
    const char *name = logs->host->name;
    unsigned long before = 0;
    AUDIT_GROUP *group;
    AUDIT_HOST *host;
    size_t  n;

    for (n = 0; n < count && strcmp(logs[n].host->name, name) == 0; n++) {
	host = logs[n].host;
	while ((group = take_open(host)) != 0)
	    join_group(facts, host, open, group, before);
	before += host->lines;
    }
    resolve_open(facts, name, open);
    return (n);
}

/* list_host_logs - hosts in logs that are settled, sorted */

static HOST_LOG *list_host_logs(AUDIT_FACTS *facts, time_t before, size_t *count)
{
    HOST_LOG *logs;
    AUDIT_LOG *log;
    AUDIT_HOST *host;
    HTABLE_INFO **list;
    HTABLE_INFO **ht;
    size_t  size = 0;

    *count = 0;
    for (log = facts->logs; log; log = log->next)
	size += log->hosts->used;
    logs = (HOST_LOG *) mymalloc((size + 1) * sizeof(*logs));
    for (log = facts->logs; log; log = log->next) {
	list = htable_list(log->hosts);
	for (ht = list; *ht; ht++) {
	    host = (AUDIT_HOST *) ht[0]->value;
	    if (before && host->last >= before)
		continue;
	    logs[*count].log = log->name;
	    logs[*count].host = host;
	    *count += 1;
	    htable_delete(log->hosts, host->name, (void (*) (void *)) 0);
	}
	myfree((void *) list);
    }
    qsort((void *) logs, *count, sizeof(*logs), compare_host_logs);
    return (logs);
}

/* audit_groups_settle - conclusions from what is open */

void    audit_groups_settle(AUDIT_FACTS *facts, time_t before)
{
    size_t  count;
    HOST_LOG *logs = list_host_logs(facts, before, &count);
    size_t  n;

    for (n = 0; n < count; /* see below */ )
	n += finish_host(facts, logs + n, count - n);
    for (n = 0; n < count; n++)
	myfree((void *) logs[n].host);
    myfree((void *) logs);
}
