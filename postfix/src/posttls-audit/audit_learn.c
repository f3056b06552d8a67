/*++
/* NAME
/*	audit_learn 3
/* SUMMARY
/*	from log lines to facts
/* SYNOPSIS
/*	#include "audit_learn.h"
/*
/*	void	audit_learn_line(facts, log, line, select)
/*	AUDIT_FACTS *facts;
/*	AUDIT_LOG *log;
/*	AUDIT_LINE *line;
/*	const AUDIT_SELECT *select;
/* DESCRIPTION
/*	audit_learn_line() accounts for one line of a log. Any line may
/*	be specified; lines without data, and lines that are not
/*	selected, are counted only. The text of the line is modified.
/*
/*	What a line says by itself is counted at once. What depends on
/*	other lines about the same message is left to audit_group(3).
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <fnmatch.h>
#include <string.h>

/* Utility library. */

#include <argv.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_learn.h"

#define STR	vstring_str

#define ATTR(line, name)	((line)->attr[AUDIT_ATTR_##name])
#define TABLE(facts, name)	((facts)->tables + AUDIT_TABLE_##name)

 /*
  * The line, and where it was found.
  */
typedef struct {
    AUDIT_FACTS *facts;
    AUDIT_LOG *log;
    AUDIT_LINE *line;
    AUDIT_RELAY *relay;
    AUDIT_GROUP *group;			/* null without queue ID */
    const char *host;
} LEARN;

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

/* count_word - count a word, if there is one */

static void count_word(AUDIT_TABLE *table, int kind, const char *word,
		               time_t when)
{
    if (word != 0)
	audit_count_add(audit_table_key(table, word), kind, 1, when, when);
}

 /*
  * The TLS sessions of most lines are of very few kinds.
  */
#define SESSION_WORDS	4
#define SESSION_COUNTS	5

typedef struct {
    const AUDIT_FACTS *facts;		/* null if not used */
    unsigned trimmed;			/* see session_trimmed() */
    char   *words[SESSION_WORDS];	/* as logged */
    AUDIT_COUNT *counts[SESSION_COUNTS];/* null if not known */
    int     is_old;
    int     is_weak;
} SESSION;

#define SESSIONS	16

/* session_trimmed - another result means that entries are gone */

static unsigned session_trimmed(const AUDIT_FACTS *facts)
{
    return (TABLE(facts, PROTOCOL)->trimmed + TABLE(facts, CIPHER)->trimmed
	    + TABLE(facts, KEX)->trimmed + TABLE(facts, PROPERTY)->trimmed);
}

/* same_word - both missing, or the same */

static int same_word(const char *one, const char *other)
{
    return (one == 0 || other == 0 ? one == other :
	    *one == *other && strcmp(one, other) == 0);
}

/* find_count - entry for a word, if there is one */

static AUDIT_COUNT *find_count(AUDIT_TABLE *table, const char *word)
{
    return (word ? audit_table_key(table, word) : 0);
}

/* learn_session - what follows from its words */

static void learn_session(AUDIT_FACTS *facts, SESSION *sp, char **words)
{
    const char *protocol = words[0];
    const char *cipher = words[1];
    const char *kex = audit_kex_name(words[2], protocol, cipher);
    const char *fs = words[3];
    AUDIT_ANSWER secret = audit_forward_secret(kex, protocol);
    unsigned before;
    int     known = (protocol || cipher || kex);
    int     n;

    for (n = 0; n < SESSION_WORDS; n++) {
	if (sp->words[n])
	    myfree(sp->words[n]);
	sp->words[n] = (words[n] ? mystrdup(words[n]) : 0);
    }
    if (fs != 0)
	secret = (strcmp(fs, "yes") == 0 ? AUDIT_ANSWER_YES : AUDIT_ANSWER_NO);

    /*
     * To enter a word may delete another one.
     */
    do {
	before = session_trimmed(facts);
	sp->counts[0] = find_count(TABLE(facts, PROTOCOL), protocol);
	sp->counts[1] = find_count(TABLE(facts, CIPHER), cipher);
	sp->counts[2] = find_count(TABLE(facts, KEX), kex);
	sp->counts[3] = find_count(TABLE(facts, PROPERTY),
				   known ? secrecy_keys[secret] : 0);
	sp->counts[4] = find_count(TABLE(facts, PROPERTY), known ?
				   quantum_keys[audit_post_quantum(kex)] : 0);
    } while ((sp->trimmed = session_trimmed(facts)) != before);
    sp->is_old = (known && audit_protocol_old(protocol));
    sp->is_weak = (known && secret == AUDIT_ANSWER_NO);
    sp->facts = facts;
}

/* find_session - find or make session */

static const SESSION *find_session(AUDIT_FACTS *facts, char **words)
{
    static SESSION sessions[SESSIONS];
    static int oldest;
    unsigned trimmed = session_trimmed(facts);
    SESSION *sp;

    for (sp = sessions; sp < sessions + SESSIONS && sp->facts; sp++)
	if (same_word(sp->words[2], words[2])
	    && same_word(sp->words[1], words[1])
	    && same_word(sp->words[0], words[0])
	    && same_word(sp->words[3], words[3])
	    && sp->facts == facts && sp->trimmed == trimmed)
	    return (sp);
    sp = sessions + oldest;
    oldest = (oldest + 1) % SESSIONS;
    learn_session(facts, sp, words);
    return (sp);
}

/* count_tls - properties of a TLS session */

static void count_tls(LEARN *lp, int kind)
{
    const AUDIT_LINE *line = lp->line;
    time_t  when = line->time;
    char   *words[SESSION_WORDS];
    const SESSION *sp;
    int     n;

    words[0] = ATTR(line, PROTOCOL);
    words[1] = ATTR(line, CIPHER);
    words[2] = ATTR(line, KEX);
    words[3] = ATTR(line, FS);
    sp = find_session(lp->facts, words);
    for (n = 0; n < SESSION_COUNTS; n++)
	if (sp->counts[n])
	    audit_count_add(sp->counts[n], kind, 1, when, when);
    if (sp->is_old)
	audit_relay_weak(lp->facts, lp->relay, AUDIT_WEAK_PROTOCOL, kind, when);
    if (sp->is_weak)
	audit_relay_weak(lp->facts, lp->relay, AUDIT_WEAK_SECRECY, kind, when);
}

/* line_event - begin event */

static void line_event(LEARN *lp, AUDIT_EVENT *event, AUDIT_EVENT_TYPE type)
{
    memset((void *) event, 0, sizeof(*event));
    event->type = type;
    event->relay = lp->relay;
    event->attain = AUDIT_ATTAIN_UNKNOWN;
    event->count = 1;
    event->first = event->last = lp->line->time;
}

/* find_nexthop - destination of this server */

static AUDIT_DEST *find_nexthop(AUDIT_FACTS *facts, AUDIT_RELAY *relay,
				        const char *nexthop)
{

    /*
     * Most servers have one destination, and few have very many.
     */
    if (relay->dest == 0 || strcmp(relay->dest->name, nexthop) != 0)
	relay->dest = audit_facts_dest(facts, nexthop, AUDIT_DEST_NEXTHOP);
    return (relay->dest);
}

/* line_attain - what the server could have been held to */

static int line_attain(const AUDIT_LINE *line, int level, int auth)
{
    const char *attainable = ATTR(line, ATTAINABLE);

    /*
     * A template that has this attribute has others, and shows the end of
     * validity of every certificate. Nothing is known where the policy was
     * not to use TLS, or where it was only because of missing TLSA records
     * that the server need not authenticate.
     */
    if (level < 0 || strcmp(audit_levels[level].name, "none") == 0)
	return (AUDIT_ATTAIN_UNKNOWN);
    if (audit_level_authenticates(audit_level_find(ATTR(line, CONFIGURED))))
	return (AUDIT_ATTAIN_UNKNOWN);
    if (attainable != 0)
	return (strcmp(attainable, "secure") == 0 ? AUDIT_ATTAIN_SECURE :
		strcmp(attainable, "verify") == 0 ? AUDIT_ATTAIN_VERIFY :
		AUDIT_ATTAIN_NOTHING);
    if (ATTR(line, VERIFY_ERROR) || ATTR(line, CERT_EXPIRES)
	|| auth == AUDIT_AUTH_CLEARTEXT || auth == AUDIT_AUTH_ANONYMOUS)
	return (AUDIT_ATTAIN_NOTHING);
    return (AUDIT_ATTAIN_UNKNOWN);
}

#define HAS_ATTAIN(line) \
	(ATTR(line, ATTAINABLE) || ATTR(line, VERIFY_ERROR) \
	    || ATTR(line, CERT_EXPIRES))

/* line_expires - end of validity of the certificate, zero if not known */

static time_t line_expires(const AUDIT_LINE *line)
{
    static AUDIT_CLOCK clock;
    const char *text = ATTR(line, CERT_EXPIRES);
    time_t  when;

    if (text == 0 || strlen(text) < 20 || text[4] != '-')
	return (0);
    clock.cached_len = 0;
    return (audit_time_parse(&clock, text, strlen(text), &when)
	    && when > 0 ? when : 0);
}

/* line_level - count level of audit line */

static void line_level(LEARN *lp, const char *policy, const char *level)
{
    static VSTRING *buf;

    if (policy != 0 && level != 0) {
	if (buf == 0)
	    buf = vstring_alloc(100);
	vstring_sprintf(buf, "%s:%s", policy, level);
	level = STR(buf);
    }
    count_word(TABLE(lp->facts, LEVEL), AUDIT_COUNT_DELIVERIES, level,
	       lp->line->time);
}

/* learn_audit - audit line, one message transfer */

static void learn_audit(LEARN *lp)
{
    AUDIT_FACTS *facts = lp->facts;
    const AUDIT_LINE *line = lp->line;
    const char *level = ATTR(line, LEVEL) ? ATTR(line, LEVEL) :
    ATTR(line, CONFIGURED);
    const char *policy = ATTR(line, POLICY);
    int     auth = audit_auth_find(ATTR(line, AUTH));
    int     level_id = audit_level_find(level);
    time_t  when = line->time;
    AUDIT_EVENT event;

    AUDIT_NOTE_LAST(lp->relay->last, when);
    audit_relay_digest(facts, lp->relay, AUDIT_DIGEST_CERT,
		       ATTR(line, CERT_DIGEST), when, when);
    audit_relay_digest(facts, lp->relay, AUDIT_DIGEST_KEY,
		       ATTR(line, SPKI_DIGEST), when, when);
    count_word(TABLE(facts, AUTH), AUDIT_COUNT_DELIVERIES, ATTR(line, AUTH),
	       when);
    count_tls(lp, AUDIT_COUNT_DELIVERIES);
    if (auth == AUDIT_AUTH_ANONYMOUS)
	audit_relay_weak(facts, lp->relay, AUDIT_WEAK_ANONYMOUS,
			 AUDIT_COUNT_DELIVERIES, when);
    line_level(lp, policy, level);

    /*
     * Without an authentication result, trust the level: Postfix does not
     * send mail at an authenticated level to a server that it could not
     * authenticate.
     */
    line_event(lp, &event, AUDIT_EVENT_AUDIT);
    event.policy = policy;
    event.level = level;
    event.reason = audit_facts_word(facts, ATTR(line, REASON));
    event.verified = (policy == 0
		      && (auth == AUDIT_AUTH_UNKNOWN || (level_id >= 0
			&& auth >= audit_levels[level_id].weakest_auth)));
    event.attain = line_attain(line, level_id, auth);
    event.expires = line_expires(line);
    if (HAS_ATTAIN(line))
	facts->lines[AUDIT_LINES_ATTAIN] += 1;
    if (ATTR(line, NEXTHOP)) {
	event.dest = find_nexthop(facts, lp->relay, ATTR(line, NEXTHOP));
	audit_relay_nexthop(lp->relay, event.dest);
    }
    if (event.dest && (policy == 0 || ATTR(line, REASON))) {
	audit_event_audit(facts, lp->host, &event, event.dest, event.reason);
	event.type = AUDIT_EVENT_DONE;
	event.verified = 0;
	event.policy = event.level = 0;		/* text of this line */
	if (lp->group)
	    audit_group_add(lp->group, &event);
	return;
    }
    event.dest = 0;
    event.name = ATTR(line, NEXTHOP);
    event.policy = audit_facts_word(facts, policy);
    event.level = audit_facts_word(facts, level);
    if (lp->group)
	audit_group_add(lp->group, &event);
    else
	audit_event_audit(facts, lp->host, &event, event.name ?
			  find_nexthop(facts, lp->relay, event.name) :
			  audit_facts_host(facts, lp->relay), event.reason);
}

/* learn_warning - fallback warning, once per connection and obstacle */

static void learn_warning(LEARN *lp)
{
    const AUDIT_LINE *line = lp->line;
    AUDIT_EVENT event;

    line_event(lp, &event, line->type == AUDIT_LINE_REFUSED ?
	       AUDIT_EVENT_REFUSED : AUDIT_EVENT_FALLBACK);
    event.name = ATTR(line, NEXTHOP);
    event.policy = audit_facts_word(lp->facts, ATTR(line, POLICY));
    event.level = audit_facts_word(lp->facts, ATTR(line, LEVEL));
    event.reason = audit_facts_word(lp->facts, ATTR(line, REASON));
    audit_event_warning(lp->facts, lp->host, &event, ATTR(line, RULE),
			ATTR(line, FALLBACK));
    if (lp->group)
	audit_group_add(lp->group, &event);
}

/* recipient_domain - domain of an address */

static char *recipient_domain(char *address)
{
    char   *domain = strrchr(address, '@');

    return (domain && domain[1] ? lowercase(domain + 1) : 0);
}

/* status_features - count REQUIRETLS states, remember the level */

static int status_features(LEARN *lp, AUDIT_EVENT *event)
{
    static VSTRING *buf;
    AUDIT_FEATURE feature;
    char   *state = ATTR(lp->line, TLS);
    int     is_level;
    int     found;

    if (buf == 0)
	buf = vstring_alloc(100);
    for (is_level = 1; (found = audit_feature_parse(&feature, &state)) > 0;
	 is_level = 0) {
	(void) audit_feature_label(buf, &feature);
	if (is_level == 0) {
	    count_word(TABLE(lp->facts, REQUIRETLS), AUDIT_COUNT_DELIVERIES,
		       STR(buf), lp->line->time);
	    continue;
	}
	event->label = audit_facts_word(lp->facts, STR(buf));
	event->verified = ((feature.flags & AUDIT_FEATURE_VIOLATION) == 0
			   && feature.actual == 0);

	/*
	 * No verdict about a destination from an attempt that did not get as
	 * far as TLS, or from what Postfix does by itself.
	 */
	if ((feature.flags & (AUDIT_FEATURE_UNDECIDED
			      | AUDIT_FEATURE_RELAXED)) == 0) {
	    event->policy = audit_facts_word(lp->facts, feature.name);
	    event->level = audit_facts_word(lp->facts, feature.actual);
	}
    }
    return (found == 0 && is_level == 0);
}

#define IS_SUCCESS(line) \
	(ATTR(line, DSN) != 0 && *ATTR(line, DSN) == '2')

/* learn_status - delivery status, one recipient */

static void learn_status(LEARN *lp)
{
    AUDIT_LINE *line = lp->line;
    AUDIT_EVENT event;

    line_event(lp, &event, AUDIT_EVENT_STATUS);
    if (IS_SUCCESS(line) == 0)
	event.reason = audit_facts_word(lp->facts,
				   audit_reply_reason(ATTR(line, REPLY)));
    if (ATTR(line, TLS) && status_features(lp, &event) == 0) {
	lp->facts->lines[AUDIT_LINE_UNKNOWN] += 1;
	lp->facts->lines[line->type] -= 1;
	return;
    }

    /*
     * After a complete audit line there is nothing to learn from the usual
     * delivery status line.
     */
    if (lp->group == 0)
	return;
    if (event.label == 0 && event.reason == 0
	&& lp->group->done == lp->relay) {
	if (lp->group->is_other == 0 && lp->group->done_dest->is_route == 0)
	    audit_group_recipient(lp->group, recipient_domain(ATTR(line, TO)));
	return;
    }
    event.name = recipient_domain(ATTR(line, TO));
    audit_group_add(lp->group, &event);
}

/* learn_tlsconn - TLS connection, any number of messages */

static void learn_tlsconn(LEARN *lp)
{
    int     auth = audit_auth_find(ATTR(lp->line, AUTH));
    time_t  when = lp->line->time;

    lp->relay->connections[auth] += 1;
    lp->relay->connected += 1;
    AUDIT_NOTE_LAST(lp->relay->last, when);
    count_word(TABLE(lp->facts, AUTH), AUDIT_COUNT_EVENTS, audit_auths[auth],
	       when);
    count_tls(lp, AUDIT_COUNT_EVENTS);
    if (auth == AUDIT_AUTH_ANONYMOUS)
	audit_relay_weak(lp->facts, lp->relay, AUDIT_WEAK_ANONYMOUS,
			 AUDIT_COUNT_EVENTS, when);
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

static int matches_relay(ARGV *patterns, const char *relay)
{
    static VSTRING *buf;

    if (relay == 0)
	return (0);
    if (buf == 0)
	buf = vstring_alloc(100);
    vstring_strcpy(buf, relay);
    (void) lowercase(STR(buf));
    if (matches_pattern(patterns, STR(buf)))
	return (1);
    vstring_truncate(buf, strcspn(STR(buf), "["));
    VSTRING_TERMINATE(buf);
    return (matches_pattern(patterns, STR(buf)));
}

/* is_selected - is line of interest */

static int is_selected(const AUDIT_SELECT *select, AUDIT_LINE *line)
{
    if ((select->since && line->time < select->since)
	|| (select->until && line->time >= select->until))
	return (0);
    return (select->patterns == 0
	    || matches_relay(select->patterns, ATTR(line, RELAY))
	    || (ATTR(line, NEXTHOP) != 0
		&& matches_pattern(select->patterns,
				   lowercase(ATTR(line, NEXTHOP))))
	    || (ATTR(line, TO) != 0
		&& matches_pattern(select->patterns,
				   recipient_domain(ATTR(line, TO)))));
}

/* audit_learn_line - account for one line */

void    audit_learn_line(AUDIT_FACTS *facts, AUDIT_LOG *log, AUDIT_LINE *line,
			         const AUDIT_SELECT *select)
{
    typedef void (*LEARN_FN) (LEARN *);
    static const LEARN_FN actions[] = {
	 /* AUDIT_LINE_AUDIT */ learn_audit,
	 /* AUDIT_LINE_FALLBACK */ learn_warning,
	 /* AUDIT_LINE_REFUSED */ learn_warning,
	 /* AUDIT_LINE_STATUS */ learn_status,
	 /* AUDIT_LINE_TLSCONN */ learn_tlsconn,
    };
    LEARN   learn;

    facts->lines[AUDIT_LINES_NULL] += line->nul_bytes;
    if (AUDIT_LINE_HAS_DATA(line) == 0) {
	facts->lines[line->type] += 1;
	return;
    }
    if (is_selected(select, line) == 0) {
	facts->lines[AUDIT_LINES_SKIPPED] += 1;
	return;
    }
    AUDIT_NOTE_FIRST(facts->first, line->time);
    AUDIT_NOTE_LAST(facts->last, line->time);
    facts->lines[line->type] += 1;
    learn.facts = facts;
    learn.log = log;
    learn.line = line;
    learn.relay = audit_facts_relay(facts, ATTR(line, RELAY));
    learn.group = audit_log_group(facts, log, line->origin, line->queue_id,
				  line->time, &learn.host);
    actions[line->type] (&learn);
}
