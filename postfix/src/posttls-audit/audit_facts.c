/*++
/* NAME
/*	audit_facts 3
/* SUMMARY
/*	what was learned from log lines
/* SYNOPSIS
/*	#include "audit_facts.h"
/*
/*	AUDIT_FACTS *audit_facts_create()
/*
/*	const char *audit_facts_word(facts, word)
/*	AUDIT_FACTS *facts;
/*	const char *word;
/*
/*	AUDIT_DEST *audit_facts_dest(facts, name, kind)
/*	AUDIT_FACTS *facts;
/*	const char *name;
/*	AUDIT_DEST_KIND kind;
/*
/*	AUDIT_RELAY *audit_facts_relay(facts, name)
/*	AUDIT_FACTS *facts;
/*	const char *name;
/*
/*	AUDIT_DEST *audit_facts_host(facts, relay)
/*	AUDIT_FACTS *facts;
/*	AUDIT_RELAY *relay;
/*
/*	AUDIT_STATE *audit_facts_state(facts, dest, host, policy)
/*	AUDIT_FACTS *facts;
/*	AUDIT_DEST *dest;
/*	const char *host;
/*	int	policy;
/*
/*	void	audit_facts_cert(facts, relay, dest, seen, expires)
/*	AUDIT_FACTS *facts;
/*	AUDIT_RELAY *relay;
/*	const AUDIT_DEST *dest;
/*	time_t	seen;
/*	time_t	expires;
/*
/*	void	audit_facts_trim(facts)
/*	AUDIT_FACTS *facts;
/*
/*	void	audit_facts_sort(facts)
/*	AUDIT_FACTS *facts;
/*
/*	void	audit_state_delivery(state, verified, count, first, last)
/*	AUDIT_STATE *state;
/*	int	verified;
/*	unsigned count;
/*	time_t	first;
/*	time_t	last;
/*
/*	void	audit_state_reason(state, reason, when)
/*	AUDIT_STATE *state;
/*	const char *reason;
/*	time_t	when;
/*
/*	void	audit_state_fallback(state, level)
/*	AUDIT_STATE *state;
/*	int	level;
/*
/*	void	audit_state_week(state, week, verified, failed)
/*	AUDIT_STATE *state;
/*	unsigned week;
/*	unsigned verified;
/*	unsigned failed;
/*
/*	void	audit_relay_nexthop(relay, dest)
/*	AUDIT_RELAY *relay;
/*	AUDIT_DEST *dest;
/*
/*	void	audit_relay_digest(facts, relay, kind, text, first, last)
/*	AUDIT_FACTS *facts;
/*	AUDIT_RELAY *relay;
/*	int	kind;
/*	const char *text;
/*	time_t	first;
/*	time_t	last;
/*
/*	void	audit_relay_weak(facts, relay, weakness, kind, when)
/*	AUDIT_FACTS *facts;
/*	AUDIT_RELAY *relay;
/*	AUDIT_WEAKNESS weakness;
/*	int	kind;
/*	time_t	when;
/* DESCRIPTION
/*	This module keeps facts: sums, minima, maxima, and sets with a
/*	limit that does not depend on the order in which they are
/*	filled. What follows from them, such as a verdict about a
/*	destination, is for reports to decide. Therefore it makes no
/*	difference in what order facts are added, or if the facts from
/*	parts of a log are added to each other.
/*
/*	Memory grows with the number of destinations and servers, not
/*	with the number of lines.
/*
/*	audit_facts_create() returns an empty collection of facts.
/*
/*	audit_facts_word() returns the one copy of a word that may be
/*	remembered. The result is a null pointer for a null pointer.
/*
/*	audit_facts_dest(), audit_facts_relay() and audit_facts_state()
/*	find or make the named object. The kind of a destination is the
/*	best that was ever specified for that name; but a server that
/*	stands in for a destination is never the same as a destination
/*	with that name.  The policy is a level as configured, see
/*	audit_level_policy(3).
/*
/*	audit_facts_host() returns the destination that stands for a
/*	server whose nexthop is not known.
/*
/*	audit_facts_cert() takes note of the end of validity of a
/*	server's certificate. The one that was seen last counts.
/*
/*	audit_facts_trim() forgets what is older than the history that
/*	is kept, and limits tables.
/*
/*	audit_facts_sort() puts destinations, servers and certificates in
/*	the order of their names. Summaries in that order can be added
/*	without a search.
/*
/*	audit_state_delivery() counts deliveries, all on the same day.
/*
/*	audit_state_reason() notes the reason of a failure; the last one
/*	counts. audit_state_fallback() notes a level that mail was sent
/*	at instead; the weakest counts. audit_state_week() adds to the
/*	history.
/*
/*	audit_relay_nexthop() remembers whether a server has mail for one
/*	nexthop, or for several.
/*
/*	audit_relay_digest() remembers a certificate or key of a server,
/*	and ignores what is not a digest. audit_relay_weak() counts a
/*	weak spot.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <stddef.h>
#include <string.h>

/* Utility library. */

#include <argv.h>
#include <htable.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_facts.h"

#define STR	vstring_str

const char *const audit_digest_kinds[] = {
    "certificate", "key", 0,
};

const char *const audit_dest_kinds[] = {
    "nexthop", "recipient", "relay", 0,
};

const char *const audit_lines_names[] = {
    "audit", "fallback", "fallback_refused", "delivery_status",
    "tls_connection", "client_other", "other_program", "not_understood",
    "status_repeats", "not_selected", "overlong", "null_bytes",
    "attainable", 0,
};

 /*
  * In the order of AUDIT_WEAKNESS.
  */
static const char *const audit_weaknesses[AUDIT_WEAK_COUNT] = {
    "old protocol", "no forward secrecy", "anonymous",
};

 /*
  * What a policy table is searched for must not be mistaken for a server that
  * has the same name.
  */
#define HOST_PREFIX	AUDIT_KEY_SEPARATOR

#define AUDIT_CACHE_LINE	64

#define DIGEST_CHARS \
	"0123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* audit_facts_create - nothing is known */

AUDIT_FACTS *audit_facts_create(void)
{
    AUDIT_FACTS *facts = (AUDIT_FACTS *) mymalloc(sizeof(*facts));
    int     n;

    memset((void *) facts, 0, sizeof(*facts));
    for (n = 0; n < AUDIT_TABLE_COUNT; n++)
	audit_table_init(facts->tables + n, (AUDIT_TABLE_ID) n);
    facts->pool = audit_pool_create();
    audit_names_init(&facts->destinations, facts->pool, sizeof(AUDIT_DEST));
    audit_names_init(&facts->relays, facts->pool, sizeof(AUDIT_RELAY));
    audit_names_init(&facts->certs, facts->pool, sizeof(AUDIT_CERT));
    audit_names_init(&facts->words, facts->pool, sizeof(AUDIT_NAME));
    facts->totals = htable_create(100);
    facts->unknown = argv_alloc(1);
    facts->notes = argv_alloc(2);
    return (facts);
}

/* audit_facts_word - the one copy of a word */

const char *audit_facts_word(AUDIT_FACTS *facts, const char *word)
{
    AUDIT_NAME *name;

    if (word == 0)
	return (0);
    name = (AUDIT_NAME *)
	audit_names_enter(&facts->words, word, AUDIT_CLEAN_WORD);
    return (name->text);
}

/* audit_facts_dest - find or make destination */

AUDIT_DEST *audit_facts_dest(AUDIT_FACTS *facts, const char *name,
			             AUDIT_DEST_KIND kind)
{
    static VSTRING *buf;
    AUDIT_DEST *dest;
    int     is_host = (kind == AUDIT_DEST_RELAY);

    if (is_host) {
	if (buf == 0)
	    buf = vstring_alloc(100);
	name = STR(vstring_sprintf(buf, HOST_PREFIX "%s", name));
    }
    dest = (AUDIT_DEST *)
	audit_names_enter(&facts->destinations, name, AUDIT_CLEAN_LOWER
			  | (is_host ? AUDIT_CLEAN_KEY : 0));
    if (dest->name == 0) {
	dest->name = dest->key.text + (is_host ? sizeof(HOST_PREFIX) - 1 : 0);
	dest->kind = kind;
    }
    if (kind < dest->kind)
	dest->kind = kind;
    return (dest);
}

/* audit_facts_relay - find or make server */

AUDIT_RELAY *audit_facts_relay(AUDIT_FACTS *facts, const char *name)
{
    AUDIT_RELAY *relay = facts->relay;

    /*
     * Lines about the same delivery follow each other.
     */
    if (name == 0)
	name = AUDIT_KEY_UNKNOWN;
    if (relay != 0 && strcmp(relay->name, name) == 0)
	return (relay);
    relay = (AUDIT_RELAY *)
	audit_names_enter(&facts->relays, name, AUDIT_CLEAN_WORD);
    relay->name = relay->key.text;

    /*
     * What is known about a server will be looked at soon.
     */
    AUDIT_PREFETCH(relay->dest);
    if (relay->digests) {
	AUDIT_PREFETCH(relay->digests);
	AUDIT_PREFETCH((char *) relay->digests + AUDIT_CACHE_LINE);
	AUDIT_PREFETCH((char *) relay->digests + 2 * AUDIT_CACHE_LINE);
	AUDIT_PREFETCH((char *) relay->digests + 3 * AUDIT_CACHE_LINE);
    }
    return (facts->relay = relay);
}

/* audit_facts_host - destination for a server whose nexthop is not known */

AUDIT_DEST *audit_facts_host(AUDIT_FACTS *facts, AUDIT_RELAY *relay)
{
    VSTRING *buf;
    size_t  len;

    if (relay->host == 0) {
	len = strcspn(relay->name, "[");
	if (len == 0)
	    len = strlen(relay->name);
	buf = vstring_strncpy(vstring_alloc(100), relay->name, len);
	relay->host = audit_facts_dest(facts, STR(buf), AUDIT_DEST_RELAY);
	vstring_free(buf);
    }
    return (relay->host);
}

/* audit_facts_state - find or make state */

AUDIT_STATE *audit_facts_state(AUDIT_FACTS *facts, AUDIT_DEST *dest,
			               const char *host, int policy)
{
    AUDIT_STATE *state;

    for (state = dest->states; state; state = state->next)
	if (state->policy == policy && state->host == host)
	    return (state);
    state = (AUDIT_STATE *) audit_pool_alloc(facts->pool, sizeof(*state));
    state->host = host;
    state->policy = policy;
    state->fallback = AUDIT_LEVEL_NONE;
    state->next = dest->states;
    dest->states = state;
    return (state);
}

 /*
  * There is room for a multiple of so many weeks.
  */
#define WEEK_STEP	4

/* limited_sum - the same in any order */

static unsigned limited_sum(unsigned one, unsigned other)
{
    return (other > AUDIT_WEEK_COUNT - one ? AUDIT_WEEK_COUNT : one + other);
}

/* more_weeks - make room, also after trim_weeks() */

static AUDIT_WEEK *more_weeks(AUDIT_STATE *state)
{
    size_t  size = (state->week_count + WEEK_STEP) * sizeof(*state->weeks);

    return ((AUDIT_WEEK *) (state->weeks ?
			    myrealloc((void *) state->weeks, size) :
			    mymalloc(size)));
}

/* audit_state_week - add to history */

void    audit_state_week(AUDIT_STATE *state, unsigned week, unsigned verified,
			         unsigned failed)
{
    int     n = state->week_count;
    AUDIT_WEEK *wp;

    if (week > AUDIT_WEEK_MAX)			/* not in this millennium */
	return;
    while (n > 0 && state->weeks[n - 1].week > week)
	n--;
    if (n == 0 || state->weeks[n - 1].week != week) {
	if (state->week_count % WEEK_STEP == 0)
	    state->weeks = more_weeks(state);
	memmove((void *) (state->weeks + n + 1), (void *) (state->weeks + n),
		(state->week_count - n) * sizeof(*state->weeks));
	memset((void *) (state->weeks + n), 0, sizeof(*state->weeks));
	state->weeks[n].week = week;
	state->week_count++;
	n++;
    }
    wp = state->weeks + n - 1;
    wp->verified = limited_sum(wp->verified, verified);
    wp->failed = limited_sum(wp->failed, failed);
}

/* audit_state_reason - why a policy was not met */

void    audit_state_reason(AUDIT_STATE *state, const char *reason, time_t when)
{
    AUDIT_NOTE_FIRST(state->first_failure, when);
    AUDIT_NOTE_LAST(state->last_failure, when);
    if (reason != 0
	&& (when > state->reason_time
	    || (when == state->reason_time
		&& (state->reason == 0 || strcmp(reason, state->reason) > 0)))) {
	state->reason = reason;
	state->reason_time = when;
    }
}

/* audit_state_fallback - remember the weakest level */

void    audit_state_fallback(AUDIT_STATE *state, int level)
{
    if (level != AUDIT_LEVEL_NONE && (state->fallback == AUDIT_LEVEL_NONE
				      || level < state->fallback))
	state->fallback = level;
}

/* audit_state_delivery - account for deliveries */

void    audit_state_delivery(AUDIT_STATE *state, int verified, unsigned count,
			             time_t first, time_t last)
{
    state->deliveries += count;
    AUDIT_NOTE_FIRST(state->first, first);
    AUDIT_NOTE_LAST(state->last, last);
    if (verified) {
	state->verified += count;
	AUDIT_NOTE_FIRST(state->first_verified, first);
	AUDIT_NOTE_LAST(state->last_verified, last);
    } else {
	AUDIT_NOTE_FIRST(state->first_failure, first);
	AUDIT_NOTE_LAST(state->last_failure, last);
    }
    audit_state_week(state, AUDIT_WEEK(last), verified ? count : 0,
		     verified ? 0 : count);
}

/* audit_facts_cert - end of validity */

void    audit_facts_cert(AUDIT_FACTS *facts, AUDIT_RELAY *relay,
		            const AUDIT_DEST *dest, time_t seen, time_t expires)
{
    static VSTRING *buf;
    AUDIT_CERT *cert = relay->cert;

    if (cert == 0 || cert->dest != dest) {
	if (buf == 0)
	    buf = vstring_alloc(100);
	vstring_sprintf(buf, "%s%s" AUDIT_KEY_SEPARATOR "%s",
			dest->kind == AUDIT_DEST_RELAY ? HOST_PREFIX : "",
			dest->name, relay->name);
	cert = (AUDIT_CERT *)
	    audit_names_enter(&facts->certs, STR(buf), AUDIT_CLEAN_KEY);
	cert->dest = dest;
	cert->relay = relay;
	relay->cert = cert;
    }
    if (seen > cert->seen || (seen == cert->seen && expires > cert->expires)) {
	cert->seen = seen;
	cert->expires = expires;
    }
}

/* digest_rank - the same on every machine */

static unsigned long digest_rank(const char *text)
{
    unsigned long hash = 2166136261UL;

    for ( /* void */ ; *text; text++)
	hash = ((hash ^ *(const unsigned char *) text) * 16777619UL)
	    & 0xffffffffUL;
    return (hash);
}

/* is_worse_digest - order in which they are forgotten */

static int is_worse_digest(const char *one, const char *other)
{
    unsigned long one_rank = digest_rank(one);
    unsigned long other_rank = digest_rank(other);

    return (one_rank > other_rank
	    || (one_rank == other_rank && strcmp(one, other) > 0));
}

/* take_worst_digest - make room for a better one, null if it is the worst */

static AUDIT_DIGEST *take_worst_digest(AUDIT_RELAY *relay, int kind,
				               const char *text)
{
    AUDIT_DIGEST **worst = 0;
    AUDIT_DIGEST **dpp;
    AUDIT_DIGEST *digest;

    for (dpp = &relay->digests; (digest = *dpp) != 0; dpp = &digest->next)
	if (digest->kind == kind
	    && (worst == 0 || is_worse_digest(digest->text, worst[0]->text)))
	    worst = dpp;
    if (worst == 0 || is_worse_digest(text, worst[0]->text))
	return (0);
    digest = *worst;
    *worst = digest->next;
    return (digest);
}

/* make_digest - with room for text */

static AUDIT_DIGEST *make_digest(AUDIT_FACTS *facts, size_t room)
{
    AUDIT_DIGEST *digest = (AUDIT_DIGEST *)
    audit_pool_alloc(facts->pool, offsetof(AUDIT_DIGEST, text) + room + 1);

    digest->room = room;
    return (digest);
}

/* audit_relay_nexthop - what is sent to a server, if it is only one thing */

void    audit_relay_nexthop(AUDIT_RELAY *relay, AUDIT_DEST *dest)
{
    if (relay->nexthop == 0)
	relay->nexthop = dest;
    else if (relay->nexthop != dest)
	relay->has_nexthops = 1;
}

/* audit_relay_digest - remember certificates and keys of a server */

void    audit_relay_digest(AUDIT_FACTS *facts, AUDIT_RELAY *relay, int kind,
			           const char *text, time_t first, time_t last)
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
	    AUDIT_NOTE_FIRST(digest->first, first);
	    AUDIT_NOTE_LAST(digest->last, last);
	    return;
	}
	count++;
    }
    if (text[strspn(text, DIGEST_CHARS)] != 0)
	return;


    /*
     * The same ones stay, no matter in what order they are seen. The memory
     * of those that do not is used again.
     */
    if (count < AUDIT_DIGEST_KEEP) {
	digest = make_digest(facts, len);
    } else {
	if ((digest = take_worst_digest(relay, kind, text)) == 0)
	    return;
	if (digest->room < len)
	    digest = make_digest(facts, AUDIT_DIGEST_MAX);
	for (dpp = &relay->digests; *dpp; dpp = &dpp[0]->next)
	     /* void */ ;
    }
    digest->next = 0;
    digest->first = first;
    digest->last = last;
    digest->kind = kind;
    digest->len = len;
    memcpy(digest->text, text, len + 1);
    *dpp = digest;
}

/* audit_relay_weak - count weak spot of a server */

void    audit_relay_weak(AUDIT_FACTS *facts, AUDIT_RELAY *relay,
			         AUDIT_WEAKNESS weakness, int kind, time_t when)
{
    if (relay->weak[weakness] == 0)
	relay->weak[weakness] =
	    audit_table_words(facts->tables + AUDIT_TABLE_WEAK, relay->name,
			      audit_weaknesses[weakness]);
    audit_count_add(relay->weak[weakness], kind, 1, when, when);
}

/* trim_weeks - forget what was long ago */

static void trim_weeks(AUDIT_STATE *state, unsigned oldest)
{
    int     n;

    for (n = 0; n < state->week_count && state->weeks[n].week < oldest; n++)
	 /* void */ ;
    if (n > 0) {
	state->week_count -= n;
	memmove((void *) state->weeks, (void *) (state->weeks + n),
		state->week_count * sizeof(*state->weeks));
    }
}

/* audit_facts_trim - limit the size */

void    audit_facts_trim(AUDIT_FACTS *facts)
{
    long    oldest_day = facts->last / AUDIT_DAY_SECONDS - AUDIT_DAY_KEEP + 1;
    unsigned oldest_week = AUDIT_WEEK(facts->last);
    const AUDIT_DEST *dest;
    AUDIT_STATE *state;
    int     n;

    oldest_week -= (oldest_week < AUDIT_WEEK_KEEP ? oldest_week :
		    AUDIT_WEEK_KEEP);
    for (n = 0; n < AUDIT_TABLE_COUNT; n++)
	audit_table_trim(facts->tables + n, oldest_day);
    for (dest = AUDIT_NAMES_FIRST(&facts->destinations, AUDIT_DEST); dest;
	 dest = AUDIT_NAMES_NEXT(dest, AUDIT_DEST))
	for (state = dest->states; state; state = state->next)
	    trim_weeks(state, oldest_week);
}

/* audit_facts_sort - by name */

void    audit_facts_sort(AUDIT_FACTS *facts)
{
    audit_names_sort(&facts->destinations);
    audit_names_sort(&facts->relays);
    audit_names_sort(&facts->certs);
}
