/*++
/* NAME
/*	audit_settle 3
/* SUMMARY
/*	groups that are in several logs
/* SYNOPSIS
/*	#include "audit_settle.h"
/*
/*	void	audit_settle(facts, before)
/*	AUDIT_FACTS *facts;
/*	time_t	before;
/*
/*	void	audit_settle_all(facts)
/*	AUDIT_FACTS *facts;
/* DESCRIPTION
/*	When all logs are known, those of each host are put in the order
/*	of their times (logs that are within the same second: of their
/*	names), and groups are joined that belong together, see
/*	audit_log(3). For this it makes no difference where a log was
/*	cut, as AUDIT_GROUP_GAP is counted across logs.
/*
/*	audit_settle_all() turns everything into facts that is still
/*	open. After that no log can be added. audit_settle() does
/*	this with hosts and logs that end before the specified time: no
/*	other log from that time is expected.
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
#include <mymalloc.h>

/* Application-specific. */

#include "audit_settle.h"

 /*
  * One host in one log, for sorting.
  */
typedef struct {
    const char *log;
    AUDIT_HOST *host;
} HOST_LOG;

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
	    audit_group_move(old, group);
	    old->last = group->last;
	    old->flags = group->flags;
	    audit_group_free(group);
	    group = old;
	} else {
	    audit_group_resolve(facts, host->name, old);
	    audit_group_free(old);
	}
	htable_delete(open, group->origin, (void (*) (void *)) 0);
    }
    if (group->flags & AUDIT_GROUP_TAIL) {
	(void) htable_enter(open, group->origin, (void *) group);
    } else {
	audit_group_resolve(facts, host->name, group);
	audit_group_free(group);
    }
}

/* resolve_open - no more logs from this host */

static void resolve_open(AUDIT_FACTS *facts, const char *host, HTABLE *open)
{
    HTABLE_INFO **list = htable_list(open);
    HTABLE_INFO **ht;

    for (ht = list; *ht; ht++) {
	audit_group_resolve(facts, host, (AUDIT_GROUP *) ht[0]->value);
	audit_group_free((AUDIT_GROUP *) ht[0]->value);
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
	while ((group = audit_log_take(host)) != 0)
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

/* audit_settle - conclusions from what is open */

void    audit_settle(AUDIT_FACTS *facts, time_t before)
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
