/*++
/* NAME
/*	audit_model 3
/* SUMMARY
/*	TLS accounting
/* SYNOPSIS
/*	#include "audit_model.h"
/*
/*	AUDIT_MODEL *audit_model_create()
/*
/*	void	audit_model_line(model, line)
/*	AUDIT_MODEL *model;
/*	AUDIT_LINE *line;
/*
/*	void	audit_model_finish(model)
/*	AUDIT_MODEL *model;
/*
/*	AUDIT_VERDICT audit_model_verdict(model, dest)
/*	const AUDIT_MODEL *model;
/*	const AUDIT_DEST *dest;
/* DESCRIPTION
/*	This module adds up what log lines say. Memory grows with the
/*	number of destinations and servers, not with the number of
/*	lines.
/*
/*	audit_model_create() returns an empty model that selects all
/*	lines.
/*
/*	audit_model_line() accounts for one line. Any line may be
/*	specified; lines without data are counted only.
/*
/*	audit_model_finish() must be called after the last line. It
/*	counts what was waiting for an audit line, and
/*	joins what was recorded under the hostname of a server, because
/*	the audit template has no nexthop, with the one destination
/*	that this server is known for: from fallback warnings, or else
/*	from recipients.
/*
/*	audit_model_verdict() says whether the policy of a destination
/*	can be enforced.
/* ONE MESSAGE, SEVERAL LINES
/* .ad
/* .fi
/*	A message may leave a fallback warning, an audit line, and a
/*	delivery status line for every recipient. Deliveries are taken
/*	from audit lines, and from a delivery status line only when no
/*	audit line of the same process has the same queue ID and
/*	server. Such lines follow each other closely, so it is
/*	sufficient to remember the last one of each process. A status
/*	line comes before the audit line when the server rejected a
/*	recipient, and, with LMTP, for all recipients but the last one;
/*	therefore it is not counted before the process does something
/*	else.
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
#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

/* Utility library. */

#include <argv.h>
#include <htable.h>
#include <msg.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_model.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

const char *const audit_dest_kinds[] = {
    "nexthop", "recipient", "relay", 0,
};

const char *const audit_verdicts[] = {
    "enforce", "mixed", "broken", "too few", 0,
};

 /*
  * How many different keys a table may have, and of how many words each is
  * made. Words that come from Postfix or OpenSSL are few, unless the log is
  * forged. No limit means that the number is that of destinations or servers.
  */
typedef struct {
    ssize_t limit;
    int     words;
} AUDIT_TABLE_KEYS;

static const AUDIT_TABLE_KEYS table_keys[AUDIT_TABLE_COUNT] = {
     /* AUDIT_TABLE_LEVEL */ {100, 1},
     /* AUDIT_TABLE_REQUIRETLS */ {50, 1},
     /* AUDIT_TABLE_FALLBACK_KIND */ {200, 3},
     /* AUDIT_TABLE_FALLBACK */ {0, 5},
     /* AUDIT_TABLE_REFUSED */ {200, 4},
     /* AUDIT_TABLE_FAILURE */ {50, 1},
     /* AUDIT_TABLE_AUTH */ {10, 1},
     /* AUDIT_TABLE_PROTOCOL */ {20, 1},
     /* AUDIT_TABLE_CIPHER */ {100, 1},
     /* AUDIT_TABLE_KEX */ {50, 1},
     /* AUDIT_TABLE_PROPERTY */ {10, 2},
     /* AUDIT_TABLE_WEAK */ {0, 2},
};

#define REASON_LIMIT	50

 /*
  * Keys for AUDIT_TABLE_PROPERTY, in the order of AUDIT_ANSWER.
  */
#define PROPERTY_KEY(property, answer) property AUDIT_KEY_SEPARATOR answer

static const char *const secrecy_keys[AUDIT_ANSWER_COUNT] = {
    PROPERTY_KEY("forward secrecy", "no"),
    PROPERTY_KEY("forward secrecy", "yes"),
    PROPERTY_KEY("forward secrecy", "unknown"),
};

static const char *const quantum_keys[AUDIT_ANSWER_COUNT] = {
    PROPERTY_KEY("post-quantum", "no"),
    PROPERTY_KEY("post-quantum", "yes"),
    PROPERTY_KEY("post-quantum", "unknown"),
};

 /*
  * In the order of AUDIT_WEAKNESS.
  */
static const char *const weaknesses[AUDIT_WEAK_COUNT] = {
    "old protocol", "no forward secrecy", "anonymous",
};

 /*
  * The latest lines of a process. Two processes that share a slot forget each
  * other's lines; with this many slots that is rare.
  */
#define SLOT_COUNT	4096		/* a power of two */
#define QUEUE_ID_SIZE	36

typedef struct {
    unsigned long origin;		/* hash of host and program[pid] */
    char    queue_id[QUEUE_ID_SIZE];
    AUDIT_RELAY *relay;
} AUDIT_TRACE;

#define LABEL_SIZE	64

typedef struct {
    AUDIT_TRACE trace;
    unsigned count;			/* delivery status lines */
    char    label[LABEL_SIZE];		/* level status */
    AUDIT_DEST *dest;			/* null if there is no verdict */
    int     policy;
    int     actual;			/* after fallback, or none */
    int     failed;
    const char *reason;
    time_t  time;
} AUDIT_PENDING;

struct AUDIT_SLOT {
    AUDIT_TRACE audit;
    AUDIT_TRACE warning;
    AUDIT_PENDING pending;
    AUDIT_DEST *nexthop;		/* from warning */
    const char *reason;			/* same */
};

 /*
  * A time that was not seen is zero.
  */
#define NOTE_FIRST(first, when) \
	do { if ((first) == 0 || (when) < (first)) (first) = (when); } while (0)
#define NOTE_LAST(last, when) \
	do { if ((when) > (last)) (last) = (when); } while (0)

#define ATTR(line, name)	((line)->attr[AUDIT_ATTR_##name])

/* audit_model_create - make empty model */

AUDIT_MODEL *audit_model_create(void)
{
    AUDIT_MODEL *mp = (AUDIT_MODEL *) mymalloc(sizeof(*mp));
    int     n;

    memset((void *) mp, 0, sizeof(*mp));
    for (n = 0; n < AUDIT_TABLE_COUNT; n++) {
	mp->tables[n].entries = htable_create(10);
	mp->tables[n].limit = table_keys[n].limit;
    }
    mp->destinations = htable_create(1000);
    mp->relays = htable_create(1000);
    mp->reasons = htable_create(10);
    mp->notes = argv_alloc(2);
    mp->buf = vstring_alloc(100);
    mp->slots = (AUDIT_SLOT *) mymalloc(SLOT_COUNT * sizeof(*mp->slots));
    memset((void *) mp->slots, 0, SLOT_COUNT * sizeof(*mp->slots));
    return (mp);
}

/* clean_string - replace what is not text */

static char *clean_string(char *string, int keep)
{
    unsigned char *cp;
    int     is_ascii = 1;

    for (cp = (unsigned char *) string; *cp; cp++) {
	if ((*cp < ' ' && *cp != keep) || *cp == 127)
	    *cp = '?';
	else if (*cp > 127)
	    is_ascii = 0;
    }
    if (is_ascii == 0 && valid_utf8_string(string, strlen(string)) == 0)
	for (cp = (unsigned char *) string; *cp; cp++)
	    if (*cp > 127)
		*cp = '?';
    return (string);
}

 /*
  * Find a name in a table, or make it safe to print and find that. Most names
  * have been seen before, and then there is no need to look at each byte.
  */
#define LOCATE(table, name, copy, filter, keep) do { \
	if ((info = htable_locate((table), (name))) == 0) { \
	    (copy) = clean_string(filter(mystrdup(name)), (keep)); \
	    info = htable_locate((table), (copy)); \
	} \
    } while (0)

#define AS_IS(string)	(string)
#define KEEP_NONE	0
#define KEEP_IN_KEY(id) \
	(table_keys[id].words > 1 ? AUDIT_KEY_SEPARATOR[0] : KEEP_NONE)

/* find_count - find or create entry */

static AUDIT_COUNT *find_count(AUDIT_MODEL *mp, AUDIT_TABLE_ID id,
			               const char *key)
{
    AUDIT_TABLE *table = mp->tables + id;
    AUDIT_COUNT *cp = 0;
    HTABLE_INFO *info;
    char   *copy = 0;
    int     n;

    /*
     * The same few words again are the usual case.
     */
    for (n = 0; n < AUDIT_RECENT && (cp = table->recent[n]) != 0; n++)
	if (strcmp(cp->key, key) == 0)
	    break;
    if (n == AUDIT_RECENT || cp == 0) {
	LOCATE(table->entries, key, copy, AS_IS, KEEP_IN_KEY(id));
	if (info == 0) {
	    if (table->limit && table->entries->used >= table->limit)
		info = htable_locate(table->entries, key = AUDIT_KEY_OTHER);
	    else
		key = copy;
	}
	if (info == 0) {
	    cp = (AUDIT_COUNT *) mymalloc(sizeof(*cp));
	    memset((void *) cp, 0, sizeof(*cp));
	    info = htable_enter(table->entries, key, (void *) cp);
	    cp->key = info->key;
	}
	cp = table->recent[table->oldest] = (AUDIT_COUNT *) info->value;
	table->oldest = (table->oldest + 1) % AUDIT_RECENT;
	if (copy)
	    myfree(copy);
    }
    return (cp);
}

/* count_entry - count something that was found */

static void count_entry(AUDIT_COUNT *cp, int kind, time_t when)
{
    cp->count[kind] += 1;
    NOTE_FIRST(cp->first, when);
    NOTE_LAST(cp->last, when);
}

/* count_key - count something */

static void count_key(AUDIT_MODEL *mp, AUDIT_TABLE_ID id, int kind,
		              const char *key, time_t when)
{
    count_entry(find_count(mp, id, key), kind, when);
}

/* count_word - count a word, if there is one */

static void count_word(AUDIT_MODEL *mp, AUDIT_TABLE_ID id, int kind,
		               const char *word, time_t when)
{
    if (word != 0)
	count_key(mp, id, kind, word, when);
}

/* make_key - start composite key, or append to it */

static void make_key(AUDIT_MODEL *mp, const char *word, int first)
{
    ssize_t start;
    char   *cp;

    if (first)
	VSTRING_RESET(mp->buf);
    else
	vstring_strcat(mp->buf, AUDIT_KEY_SEPARATOR);
    start = LEN(mp->buf);
    vstring_strcat(mp->buf, word && *word ? word : AUDIT_KEY_UNKNOWN);
    for (cp = STR(mp->buf) + start;
	 (cp = strchr(cp, AUDIT_KEY_SEPARATOR[0])) != 0; cp++)
	*cp = '?';
}

/* find_reason - remember a word forever, if there are not too many */

static const char *find_reason(AUDIT_MODEL *mp, const char *reason)
{
    HTABLE_INFO *info;
    char   *copy = 0;

    if (reason == 0)
	return (0);
    LOCATE(mp->reasons, reason, copy, AS_IS, KEEP_NONE);
    if (info == 0 && mp->reasons->used < REASON_LIMIT)
	info = htable_enter(mp->reasons, copy, (void *) 0);
    if (copy)
	myfree(copy);
    return (info ? info->key : AUDIT_KEY_OTHER);
}

/* find_dest - find or create destination */

static AUDIT_DEST *find_dest(AUDIT_MODEL *mp, const char *name,
			             AUDIT_DEST_KIND kind)
{
    AUDIT_DEST *dest;
    HTABLE_INFO *info;
    char   *copy = 0;

    LOCATE(mp->destinations, name, copy, lowercase, KEEP_NONE);
    if (info == 0) {
	dest = (AUDIT_DEST *) mymalloc(sizeof(*dest));
	memset((void *) dest, 0, sizeof(*dest));
	info = htable_enter(mp->destinations, copy, (void *) dest);
	dest->name = info->key;
	dest->kind = kind;
	dest->policy = dest->fallback = AUDIT_LEVEL_NONE;
    }
    if (copy)
	myfree(copy);
    dest = (AUDIT_DEST *) info->value;

    /*
     * What a policy table is searched for is better than what it may have
     * been searched for.
     */
    if (kind < dest->kind)
	dest->kind = kind;
    return (dest);
}

/* find_relay - find or create server */

static AUDIT_RELAY *find_relay(AUDIT_MODEL *mp, const char *name)
{
    AUDIT_RELAY *relay;
    HTABLE_INFO *info;
    char   *copy = 0;

    if (name == 0)
	name = AUDIT_KEY_UNKNOWN;
    LOCATE(mp->relays, name, copy, AS_IS, KEEP_NONE);
    if (info == 0) {
	relay = (AUDIT_RELAY *) mymalloc(sizeof(*relay));
	memset((void *) relay, 0, sizeof(*relay));
	info = htable_enter(mp->relays, copy, (void *) relay);
	relay->name = info->key;
	relay->policy = AUDIT_LEVEL_NONE;
    }
    if (copy)
	myfree(copy);
    return ((AUDIT_RELAY *) info->value);
}

/* find_host - destination for a server whose nexthop is not known */

static AUDIT_DEST *find_host(AUDIT_MODEL *mp, AUDIT_RELAY *relay)
{
    size_t  len;

    if (relay->host == 0) {
	len = strcspn(relay->name, "[");
	if (len == 0)
	    len = strlen(relay->name);
	vstring_strncpy(mp->buf, relay->name, len);
	relay->host = find_dest(mp, STR(mp->buf), AUDIT_DEST_RELAY);
    }
    return (relay->host);
}

/* link_host - remember what destination a server is used for */

static void link_host(AUDIT_LINK *lp, AUDIT_DEST *dest)
{
    if (lp->dest == 0)
	lp->dest = dest;
    else if (lp->dest != dest)
	lp->ambiguous = 1;
}

/* find_nexthop - destination of this server */

static AUDIT_DEST *find_nexthop(AUDIT_MODEL *mp, AUDIT_RELAY *relay,
				        const char *nexthop)
{

    /*
     * Most servers have one destination, and few have very many.
     */
    if (relay->latest == 0 || strcmp(relay->latest->name, nexthop) != 0)
	relay->latest = find_dest(mp, nexthop, AUDIT_DEST_NEXTHOP);
    return (relay->latest);
}

/* set_policy - note the policy of a destination, zero if superseded */

static int set_policy(AUDIT_DEST *dest, int level, time_t when)
{
    int     policy = audit_level_policy(level);

    /*
     * When the administrator changed the policy, then what was learned about
     * the old one does not count. Logs may be read in any order.
     */
    if (dest->policy != policy && dest->policy != AUDIT_LEVEL_NONE) {
	if (when < dest->last)
	    return (0);
	dest->deliveries = dest->verified = dest->warnings = 0;
	dest->last_failure = dest->last_verified = dest->first = 0;
	dest->fallback = AUDIT_LEVEL_NONE;
	dest->reason = 0;
    }
    dest->policy = policy;
    NOTE_FIRST(dest->first, when);
    NOTE_LAST(dest->last, when);
    return (1);
}

/* note_failure - authenticated policy was not met */

static void note_failure(AUDIT_DEST *dest, const char *reason, int fallback,
			         time_t when)
{
    if (when >= dest->last_failure) {
	dest->last_failure = when;
	if (reason != 0)
	    dest->reason = reason;
    }
    if (fallback != AUDIT_LEVEL_NONE && (dest->fallback == AUDIT_LEVEL_NONE
					 || fallback < dest->fallback))
	dest->fallback = fallback;
}

/* note_delivery - account for delivery under an authenticated policy */

static void note_delivery(AUDIT_DEST *dest, int policy, int verified,
			          const char *reason, int fallback, time_t when)
{
    if (set_policy(dest, policy, when) == 0)
	return;
    dest->deliveries += 1;
    if (verified) {
	dest->verified += 1;
	NOTE_LAST(dest->last_verified, when);
    } else
	note_failure(dest, reason, fallback, when);
}

/* find_slot - memory of the process that logged this */

static AUDIT_SLOT *find_slot(AUDIT_MODEL *mp, const AUDIT_LINE *line,
			             unsigned long *origin)
{
    const unsigned char *cp;
    unsigned long hash = 5381;

    for (cp = (unsigned char *) line->origin; *cp; cp++)
	hash = hash * 33 + *cp;
    *origin = hash;
    return (mp->slots + ((hash ^ (hash >> 12)) & (SLOT_COUNT - 1)));
}

/* trace_matches - same process, same queue ID, same server */

static int trace_matches(const AUDIT_TRACE *trace, unsigned long origin,
			         const char *queue_id, const char *relay)
{
    return (trace->relay != 0 && queue_id != 0 && relay != 0
	    && trace->origin == origin
	    && strcmp(trace->queue_id, queue_id) == 0
	    && strcmp(trace->relay->name, relay) == 0);
}

/* set_trace - remember line */

static void set_trace(AUDIT_TRACE *trace, unsigned long origin,
		              const char *queue_id, AUDIT_RELAY *relay)
{
    size_t  size = (queue_id ? strlen(queue_id) + 1 : 0);

    if (size == 0 || size > sizeof(trace->queue_id)) {
	trace->relay = 0;
	return;
    }
    trace->origin = origin;
    trace->relay = relay;
    memcpy(trace->queue_id, queue_id, size);
}

/* count_fallback - policy was not met but mail was sent */

static void count_fallback(AUDIT_MODEL *mp, int kind, const char *nexthop,
			           const char *relay, const char *policy,
			           const char *level, const char *reason,
			           time_t when)
{
    mp->fallbacks += 1;
    make_key(mp, policy, 1);
    make_key(mp, level, 0);
    make_key(mp, reason, 0);
    count_key(mp, AUDIT_TABLE_FALLBACK_KIND, kind, STR(mp->buf), when);
    make_key(mp, nexthop, 1);
    make_key(mp, relay, 0);
    make_key(mp, policy, 0);
    make_key(mp, level, 0);
    make_key(mp, reason, 0);
    count_key(mp, AUDIT_TABLE_FALLBACK, kind, STR(mp->buf), when);
}

/* count_weakness - count weak spot of a server */

static void count_weakness(AUDIT_MODEL *mp, int kind, AUDIT_RELAY *relay,
			           AUDIT_WEAKNESS weakness, time_t when)
{
    if (relay->weak[weakness] == 0) {
	make_key(mp, relay->name, 1);
	make_key(mp, weaknesses[weakness], 0);
	relay->weak[weakness] =
	    find_count(mp, AUDIT_TABLE_WEAK, STR(mp->buf));
    }
    count_entry(relay->weak[weakness], kind, when);
}

/* count_tls - properties of a TLS session */

static void count_tls(AUDIT_MODEL *mp, int kind, AUDIT_RELAY *relay,
		              const AUDIT_LINE *line)
{
    const char *protocol = ATTR(line, PROTOCOL);
    const char *cipher = ATTR(line, CIPHER);
    const char *kex = audit_kex_name(ATTR(line, KEX), protocol, cipher);
    AUDIT_ANSWER secret = audit_forward_secret(kex, protocol);
    time_t  when = line->time;

    count_word(mp, AUDIT_TABLE_PROTOCOL, kind, protocol, when);
    count_word(mp, AUDIT_TABLE_CIPHER, kind, cipher, when);
    if (protocol == 0 && cipher == 0 && kex == 0)
	return;
    count_word(mp, AUDIT_TABLE_KEX, kind, kex, when);
    if (ATTR(line, FS) != 0)
	secret = (strcmp(ATTR(line, FS), "yes") == 0 ?
		  AUDIT_ANSWER_YES : AUDIT_ANSWER_NO);
    count_key(mp, AUDIT_TABLE_PROPERTY, kind, secrecy_keys[secret], when);
    count_key(mp, AUDIT_TABLE_PROPERTY, kind,
	      quantum_keys[audit_post_quantum(kex)], when);
    if (audit_protocol_old(protocol))
	count_weakness(mp, kind, relay, AUDIT_WEAK_PROTOCOL, when);
    if (secret == AUDIT_ANSWER_NO)
	count_weakness(mp, kind, relay, AUDIT_WEAK_SECRECY, when);
}

/* note_digest - remember certificates and keys of a server */

static void note_digest(AUDIT_RELAY *relay, int kind, const char *text,
			        time_t when)
{
    AUDIT_DIGEST **dpp;
    AUDIT_DIGEST *digest;
    size_t  len;
    int     count = 0;

    if (text == 0 || (len = strlen(text)) > AUDIT_DIGEST_MAX)
	return;
    for (dpp = &relay->digests; (digest = *dpp) != 0; dpp = &digest->next) {
	if (digest->kind != kind)
	    continue;
	if (digest->len == len && memcmp(digest->text, text, len) == 0) {
	    NOTE_FIRST(digest->first, when);
	    NOTE_LAST(digest->last, when);
	    return;
	}
	count++;
    }
    if (count >= AUDIT_DIGEST_KEEP)
	return;
    digest = (AUDIT_DIGEST *)
	mymalloc(offsetof(AUDIT_DIGEST, text) + len + 1);
    digest->next = 0;
    digest->first = digest->last = when;
    digest->kind = kind;
    digest->len = len;
    memcpy(digest->text, text, len + 1);
    (void) clean_string(digest->text, KEEP_NONE);
    *dpp = digest;
}

/* model_audit - audit line, one message transfer */

static void model_audit(AUDIT_MODEL *mp, AUDIT_LINE *line)
{
    const char *level_name = ATTR(line, LEVEL);
    const char *policy_name = ATTR(line, POLICY);
    const char *nexthop_name = ATTR(line, NEXTHOP);
    const char *reason = find_reason(mp, ATTR(line, REASON));
    int     level;
    int     policy;
    int     auth = audit_auth_find(ATTR(line, AUTH));
    time_t  when = line->time;
    AUDIT_RELAY *relay = find_relay(mp, ATTR(line, RELAY));
    AUDIT_DEST *dest;
    AUDIT_SLOT *slot;
    unsigned long origin;

    slot = find_slot(mp, line, &origin);
    if (level_name == 0)
	level_name = ATTR(line, CONFIGURED);
    level = audit_level_find(level_name);
    policy = (policy_name ? audit_level_find(policy_name) : level);

    NOTE_LAST(relay->last, when);
    note_digest(relay, AUDIT_DIGEST_CERT, ATTR(line, CERT_DIGEST), when);
    note_digest(relay, AUDIT_DIGEST_KEY, ATTR(line, SPKI_DIGEST), when);
    count_word(mp, AUDIT_TABLE_AUTH, AUDIT_COUNT_DELIVERIES,
	       ATTR(line, AUTH), when);
    count_tls(mp, AUDIT_COUNT_DELIVERIES, relay, line);
    if (auth == AUDIT_AUTH_ANONYMOUS)
	count_weakness(mp, AUDIT_COUNT_DELIVERIES, relay,
		       AUDIT_WEAK_ANONYMOUS, when);

    /*
     * What the template does not have may be in the warning, of the same
     * message, or of an earlier one that made the connection.
     */
    if (policy_name != 0 && (reason == 0 || nexthop_name == 0)) {
	if (trace_matches(&slot->warning, origin, line->queue_id, relay->name)) {
	    if (reason == 0)
		reason = slot->reason;
	    if (nexthop_name == 0 && slot->nexthop)
		nexthop_name = slot->nexthop->name;
	} else if (relay->policy != AUDIT_LEVEL_NONE
		   && relay->policy == policy) {
	    if (reason == 0)
		reason = relay->reason;
	    if (nexthop_name == 0 && relay->nexthop)
		nexthop_name = relay->nexthop->name;
	}
    }
    if (nexthop_name != 0) {
	dest = find_nexthop(mp, relay, nexthop_name);
    } else {
	dest = find_host(mp, relay);
	mp->no_nexthop = 1;
    }

    if (level_name != 0) {
	if (policy_name != 0)
	    vstring_sprintf(mp->buf, "%s:%s", policy_name, level_name);
	count_key(mp, AUDIT_TABLE_LEVEL, AUDIT_COUNT_DELIVERIES,
		  policy_name ? STR(mp->buf) : level_name, when);
    }
    if (policy_name != 0)
	count_fallback(mp, AUDIT_COUNT_DELIVERIES, dest->name, relay->name,
		       policy_name, level_name, reason, when);

    /*
     * Without an authentication result, trust the level: Postfix does not
     * send mail at an authenticated level to a server that it could not
     * authenticate.
     */
    if (audit_level_authenticates(policy))
	note_delivery(dest, policy, policy_name == 0
		      && (auth == AUDIT_AUTH_UNKNOWN
			  || auth >= audit_levels[level].weakest_auth),
		      reason, policy_name ? level : AUDIT_LEVEL_NONE, when);
    set_trace(&slot->audit, origin, line->queue_id, relay);
    if (slot->pending.count > 0
	&& trace_matches(&slot->pending.trace, origin, line->queue_id,
			 relay->name)) {
	mp->repeats += slot->pending.count;
	slot->pending.count = 0;
    }
}

/* model_warning - fallback warning, once per connection and obstacle */

static void model_warning(AUDIT_MODEL *mp, AUDIT_LINE *line)
{
    const char *reason = find_reason(mp, ATTR(line, REASON));
    int     policy = audit_level_find(ATTR(line, POLICY));
    time_t  when = line->time;
    AUDIT_RELAY *relay = find_relay(mp, ATTR(line, RELAY));
    AUDIT_DEST *host = find_host(mp, relay);
    AUDIT_DEST *dest = host;
    AUDIT_SLOT *slot;
    unsigned long origin;

    if (ATTR(line, NEXTHOP) != 0) {
	dest = find_nexthop(mp, relay, ATTR(line, NEXTHOP));
	link_host(&host->nexthop, dest);
    }
    if (audit_level_authenticates(policy)
	&& set_policy(dest, policy, when)) {
	dest->warnings += 1;
	note_failure(dest, reason, audit_level_find(ATTR(line, LEVEL)), when);
    }
    if (line->type == AUDIT_LINE_REFUSED) {
	make_key(mp, ATTR(line, RULE), 1);
	make_key(mp, reason, 0);
	make_key(mp, ATTR(line, POLICY), 0);
	make_key(mp, ATTR(line, FALLBACK), 0);
	count_key(mp, AUDIT_TABLE_REFUSED, AUDIT_COUNT_EVENTS, STR(mp->buf),
		  when);
	return;
    }
    count_fallback(mp, AUDIT_COUNT_EVENTS, dest->name, relay->name,
		   ATTR(line, POLICY), ATTR(line, LEVEL), reason, when);

    /*
     * The first obstacle is the one that an audit line has as its reason.
     */
    slot = find_slot(mp, line, &origin);
    if (trace_matches(&slot->warning, origin, line->queue_id, relay->name))
	return;
    set_trace(&slot->warning, origin, line->queue_id, relay);
    slot->nexthop = relay->nexthop = (dest == host ? 0 : dest);
    slot->reason = relay->reason = reason;
    relay->policy = policy;
}

/* recipient_domain - domain of an address */

static const char *recipient_domain(char *address)
{
    char   *domain = strrchr(address, '@');

    return (domain && domain[1] ? lowercase(domain + 1) : 0);
}

/* link_domain - server is used for this recipient domain */

static void link_domain(AUDIT_MODEL *mp, AUDIT_LINE *line)
{
    AUDIT_SLOT *slot;
    unsigned long origin;
    const char *domain;
    AUDIT_DEST *host;

    slot = find_slot(mp, line, &origin);
    if (trace_matches(&slot->audit, origin, line->queue_id, ATTR(line, RELAY))
	&& (host = slot->audit.relay->host) != 0
	&& (domain = recipient_domain(ATTR(line, TO))) != 0)
	link_host(&host->domain, find_dest(mp, domain, AUDIT_DEST_DOMAIN));
}

#define IS_SUCCESS(line) \
	(ATTR(line, DSN) != 0 && *ATTR(line, DSN) == '2')

/* flush_pending - delivery status lines without audit line */

static void flush_pending(AUDIT_MODEL *mp, AUDIT_PENDING *pp)
{
    for ( /* void */ ; pp->count > 0; pp->count--) {
	count_key(mp, AUDIT_TABLE_LEVEL, AUDIT_COUNT_DELIVERIES, pp->label,
		  pp->time);
	if (pp->dest == 0)
	    continue;
	if (pp->actual != AUDIT_LEVEL_NONE)
	    count_fallback(mp, AUDIT_COUNT_DELIVERIES, pp->dest->name,
			   pp->trace.relay ? pp->trace.relay->name : 0,
			   audit_levels[pp->policy].name,
			   audit_levels[pp->actual].name, pp->reason, pp->time);
	note_delivery(pp->dest, pp->policy, pp->failed == 0
		      && pp->actual == AUDIT_LEVEL_NONE,
		      pp->reason, pp->actual, pp->time);
    }
}

/* status_features - count REQUIRETLS states, remember the level */

static int status_features(AUDIT_MODEL *mp, AUDIT_LINE *line,
			           AUDIT_PENDING *pp)
{
    AUDIT_FEATURE feature;
    char   *state = ATTR(line, TLS);
    int     is_level;
    int     found;

    pp->policy = pp->actual = AUDIT_LEVEL_NONE;
    for (is_level = 1; (found = audit_feature_parse(&feature, &state)) > 0;
	 is_level = 0) {
	(void) audit_feature_label(mp->buf, &feature);
	if (is_level == 0) {
	    count_key(mp, AUDIT_TABLE_REQUIRETLS, AUDIT_COUNT_DELIVERIES,
		      STR(mp->buf), line->time);
	    continue;
	}
	vstring_truncate(mp->buf, LABEL_SIZE - 1);
	VSTRING_TERMINATE(mp->buf);
	memcpy(pp->label, STR(mp->buf), LEN(mp->buf) + 1);
	pp->failed = (feature.flags & AUDIT_FEATURE_VIOLATION);

	/*
	 * No verdict about a destination from an attempt that did not get as
	 * far as TLS, or from what Postfix does by itself.
	 */
	if ((feature.flags & (AUDIT_FEATURE_UNDECIDED | AUDIT_FEATURE_RELAXED)) == 0) {
	    pp->policy = audit_level_find(feature.name);
	    pp->actual = audit_level_find(feature.actual);
	}
    }
    return (found == 0 && is_level == 0);
}

/* model_status - delivery status, one recipient */

static void model_status(AUDIT_MODEL *mp, AUDIT_LINE *line)
{
    const char *domain = 0;
    const char *relay_name = ATTR(line, RELAY);
    const char *reason = (IS_SUCCESS(line) ? 0 :
			  audit_reply_reason(ATTR(line, REPLY)));
    AUDIT_PENDING new;
    AUDIT_RELAY *relay;
    AUDIT_SLOT *slot;
    unsigned long origin;

    if (mp->no_nexthop)
	link_domain(mp, line);
    if (reason != 0)
	count_key(mp, AUDIT_TABLE_FAILURE, AUDIT_COUNT_DELIVERIES, reason,
		  line->time);
    if (ATTR(line, TLS) == 0) {
	if (reason != 0 && (domain = recipient_domain(ATTR(line, TO))) != 0
	    && (new.dest = (AUDIT_DEST *)
		htable_find(mp->destinations, domain)) != 0
	    && new.dest->policy != AUDIT_LEVEL_NONE)
	    note_failure(new.dest, find_reason(mp, reason), AUDIT_LEVEL_NONE,
			 line->time);
	return;
    }
    if (status_features(mp, line, &new) == 0) {
	mp->lines[AUDIT_LINE_UNKNOWN] += 1;
	mp->lines[line->type] -= 1;
	return;
    }
    slot = find_slot(mp, line, &origin);
    if (trace_matches(&slot->audit, origin, line->queue_id, relay_name)) {
	mp->repeats += 1;
	return;
    }
    new.count = 1;
    new.time = line->time;
    new.dest = 0;
    new.reason = find_reason(mp, reason);
    relay = find_relay(mp, relay_name);
    set_trace(&new.trace, origin, line->queue_id, relay);
    if (audit_level_authenticates(new.policy)
	&& (domain = recipient_domain(ATTR(line, TO))) != 0) {
	new.dest = find_dest(mp, domain, AUDIT_DEST_DOMAIN);
	if (new.actual != AUDIT_LEVEL_NONE
	    && trace_matches(&slot->warning, origin, line->queue_id,
			     relay->name)) {
	    new.reason = slot->reason;
	    if (slot->nexthop)
		new.dest = slot->nexthop;
	}
    }
    if (slot->pending.count > 0 && slot->pending.dest == new.dest
	&& strcmp(slot->pending.label, new.label) == 0
	&& trace_matches(&slot->pending.trace, origin, line->queue_id,
			 relay->name)) {
	slot->pending.count += 1;
    } else {
	flush_pending(mp, &slot->pending);
	slot->pending = new;
    }
}

/* model_tlsconn - TLS connection, any number of messages */

static void model_tlsconn(AUDIT_MODEL *mp, AUDIT_LINE *line)
{
    AUDIT_RELAY *relay = find_relay(mp, ATTR(line, RELAY));
    int     auth = audit_auth_find(ATTR(line, AUTH));

    relay->connections[auth] += 1;
    relay->connected += 1;
    NOTE_LAST(relay->last, line->time);
    count_key(mp, AUDIT_TABLE_AUTH, AUDIT_COUNT_EVENTS, audit_auths[auth],
	      line->time);
    count_tls(mp, AUDIT_COUNT_EVENTS, relay, line);
    if (auth == AUDIT_AUTH_ANONYMOUS)
	count_weakness(mp, AUDIT_COUNT_EVENTS, relay, AUDIT_WEAK_ANONYMOUS,
		       line->time);
}

/* matches_pattern - match one string */

static int matches_pattern(ARGV *patterns, const char *string)
{
    char  **cpp;

    /*
     * The name "[mx.example.com]:587" is also a pattern, and does not match
     * itself.
     */
    if (string != 0)
	for (cpp = patterns->argv; *cpp; cpp++)
	    if (strcmp(*cpp, string) == 0 || fnmatch(*cpp, string, 0) == 0)
		return (1);
    return (0);
}

/* matches_relay - match host[address]:port, or only the host */

static int matches_relay(AUDIT_MODEL *mp, const char *relay)
{
    if (relay == 0)
	return (0);
    vstring_strcpy(mp->buf, relay);
    (void) lowercase(STR(mp->buf));
    if (matches_pattern(mp->patterns, STR(mp->buf)))
	return (1);
    vstring_truncate(mp->buf, strcspn(STR(mp->buf), "["));
    VSTRING_TERMINATE(mp->buf);
    return (matches_pattern(mp->patterns, STR(mp->buf)));
}

/* is_selected - is line of interest */

static int is_selected(AUDIT_MODEL *mp, AUDIT_LINE *line)
{
    if ((mp->since && line->time < mp->since)
	|| (mp->until && line->time >= mp->until))
	return (0);
    return (mp->patterns == 0
	    || matches_relay(mp, ATTR(line, RELAY))
	    || (ATTR(line, NEXTHOP) != 0
		&& matches_pattern(mp->patterns,
				   lowercase(ATTR(line, NEXTHOP))))
	    || (ATTR(line, TO) != 0
		&& matches_pattern(mp->patterns,
				   recipient_domain(ATTR(line, TO)))));
}

/* audit_model_line - account for one line */

void    audit_model_line(AUDIT_MODEL *mp, AUDIT_LINE *line)
{
    typedef void (*MODEL_FN) (AUDIT_MODEL *, AUDIT_LINE *);
    static const MODEL_FN actions[] = {
	 /* AUDIT_LINE_AUDIT */ model_audit,
	 /* AUDIT_LINE_FALLBACK */ model_warning,
	 /* AUDIT_LINE_REFUSED */ model_warning,
	 /* AUDIT_LINE_STATUS */ model_status,
	 /* AUDIT_LINE_TLSCONN */ model_tlsconn,
    };

    mp->nul_lines += line->nul_bytes;
    if (AUDIT_LINE_HAS_DATA(line)) {
	if (is_selected(mp, line) == 0) {
	    mp->skipped += 1;
	    return;
	}
	NOTE_FIRST(mp->first, line->time);
	NOTE_LAST(mp->last, line->time);
	mp->lines[line->type] += 1;
	actions[line->type] (mp, line);
    } else {
	mp->lines[line->type] += 1;
    }
}

/* join_host - add what is known about a server to its destination */

static void join_host(AUDIT_DEST *dest, AUDIT_DEST *host)
{
    if (dest == host || host->policy == AUDIT_LEVEL_NONE
	|| host->deliveries == 0 || set_policy(dest, host->policy, host->last) == 0)
	return;
    dest->deliveries += host->deliveries;
    dest->verified += host->verified;
    NOTE_FIRST(dest->first, host->first);
    NOTE_LAST(dest->last_verified, host->last_verified);
    if (host->last_failure)
	note_failure(dest, host->reason, host->fallback, host->last_failure);
    host->policy = AUDIT_LEVEL_NONE;
}

/* audit_model_finish - conclusions */

void    audit_model_finish(AUDIT_MODEL *mp)
{
    HTABLE_INFO **list;
    HTABLE_INFO **ht;
    AUDIT_LINK *lp;
    AUDIT_DEST *host;
    int     n;

    for (n = 0; n < SLOT_COUNT; n++)
	flush_pending(mp, &mp->slots[n].pending);
    list = htable_list(mp->destinations);
    for (ht = list; *ht; ht++) {
	host = (AUDIT_DEST *) ht[0]->value;
	if (host->kind != AUDIT_DEST_RELAY)
	    continue;

	/*
	 * The nexthop of a warning is certain. A recipient domain is as good
	 * as the only one.
	 */
	lp = (host->nexthop.dest ? &host->nexthop : &host->domain);
	if (lp->dest && lp->ambiguous == 0)
	    join_host(lp->dest, host);
    }
    myfree((void *) list);
}

/* audit_model_verdict - can the policy be enforced */

AUDIT_VERDICT audit_model_verdict(const AUDIT_MODEL *mp, const AUDIT_DEST *dest)
{

    /*
     * A warning means that enforcement would have delayed mail, even if the
     * next attempt met the policy.
     */
    if (dest->deliveries == 0)
	return (AUDIT_VERDICT_FEW);
    if (dest->verified == 0)
	return (AUDIT_VERDICT_BROKEN);
    if (dest->verified < dest->deliveries || dest->warnings > 0)
	return (AUDIT_VERDICT_MIXED);
    if (dest->deliveries < mp->min_deliveries)
	return (AUDIT_VERDICT_FEW);
    return (AUDIT_VERDICT_ENFORCE);
}
