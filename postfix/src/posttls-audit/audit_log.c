/*++
/* NAME
/*	audit_log 3
/* SUMMARY
/*	who logs what into a log
/* SYNOPSIS
/*	#include "audit_log.h"
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
/*	int	audit_log_order(left, right)
/*	const char *left;
/*	const char *right;
/* AUXILIARY FUNCTIONS
/*	AUDIT_HOST *audit_log_host(facts, log, name)
/*	AUDIT_FACTS *facts;
/*	AUDIT_LOG *log;
/*	const char *name;
/*
/*	void	audit_log_append(host, group, origin)
/*	AUDIT_HOST *host;
/*	AUDIT_GROUP *group;
/*	const char *origin;
/*
/*	AUDIT_GROUP *audit_log_take(host)
/*	AUDIT_HOST *host;
/* DESCRIPTION
/*	This module finds out which lines of a log are about the same
/*	message.
/*
/*	An SMTP client process handles one message at a time. Lines with
/*	the same queue ID that a process logs one after the other are a
/*	group, unless there are more than AUDIT_GROUP_GAP lines of the
/*	same host in between.
/*
/*	The first group of a process may have begun in another log, and
/*	the last group may be continued in another one. Such a group
/*	stays open, see audit_settle(3).
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
/*	audit_log_order() compares names of logs like strcmp(), but takes
/*	numbers in them as numbers: log.9 comes before log.10.
/*
/*	The auxiliary functions are for groups that are open.
/*	audit_log_host() finds or makes a host, audit_log_append() adds
/*	to its groups, and audit_log_take() takes them away, the oldest
/*	first; the result is a null pointer when there is none.
/* SEE ALSO
/*	audit_group(3), lines about the same message
/*	audit_settle(3), groups that are in several logs
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
#include <stdint.h>
#include <string.h>

/* Utility library. */

#include <htable.h>
#include <mymalloc.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_log.h"

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

/* audit_log_append - add to what is open */

void    audit_log_append(AUDIT_HOST *host, AUDIT_GROUP *group,
			           const char *origin)
{
    AUDIT_GROUP **list = ((group->flags & AUDIT_GROUP_HEAD) ?
			  &host->heads : &host->tails);

    if (group->origin == 0)
	group->origin = mystrdup(origin);
    group->next = *list;
    *list = group;
}

/* audit_log_take - take a group that is open, the oldest first */

AUDIT_GROUP *audit_log_take(AUDIT_HOST *host)
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
    static VSTRING *name;
    AUDIT_PROCESS *process;
    HTABLE_INFO *info;
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
    if ((info = audit_locate(log->processes, origin, AUDIT_CLEAN_WORD,
			     &copy)) == 0) {
	process = (AUDIT_PROCESS *) mymalloc(sizeof(*process));
	memset((void *) process, 0, sizeof(*process));
	info = htable_enter(log->processes, copy, (void *) process);
	process->origin = info->key;
	if (name == 0)
	    name = vstring_alloc(100);
	vstring_strncpy(name, copy, strcspn(copy, " "));
	process->host = audit_log_host(facts, log, vstring_str(name));
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
	while ((group = audit_log_take(host)) != 0) {
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
	audit_group_resolve(facts, process->host->name, group);
	audit_group_clear(group);
    }
}

/* keep_head - process is gone, what it began with stays open */

static void keep_head(AUDIT_PROCESS *process)
{
    if (process->head) {
	audit_log_append(process->host, process->head, process->origin);
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
	    audit_group_free(process->group);
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
	audit_log_append(host, group, process->origin);
    } else {
	audit_group_resolve(facts, host->name, group);
	audit_group_free(group);
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
