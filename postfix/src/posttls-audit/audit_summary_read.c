/*++
/* NAME
/*	audit_summary_read 3
/* SUMMARY
/*	facts from a file
/* SYNOPSIS
/*	#include "audit_summary.h"
/*
/*	int	audit_summary_is(text, len)
/*	const char *text;
/*	size_t	len;
/*
/*	AUDIT_SUMMARY *audit_summary_begin(facts, flags)
/*	AUDIT_FACTS *facts;
/*	int	flags;
/*
/*	void	audit_summary_text(summary, text, len)
/*	AUDIT_SUMMARY *summary;
/*	char	*text;
/*	size_t	len;
/*
/*	const char *audit_summary_end(summary)
/*	AUDIT_SUMMARY *summary;
/*
/*	int	audit_summary_known(summary)
/*	AUDIT_SUMMARY *summary;
/*
/*	void	audit_summary_free(summary)
/*	AUDIT_SUMMARY *summary;
/* DESCRIPTION
/*	This module adds facts that were written as text to other facts.
/*	The format is described in the posttls-audit(1) manual page.
/*
/*	audit_summary_is() says whether a text begins like a summary.
/*
/*	audit_summary_begin() prepares for reading. With the flag
/*	AUDIT_SUMMARY_CHECK nothing is added to the facts: a summary
/*	must be checked to the end before it is used. Without the flag
/*	AUDIT_SUMMARY_TOTALS the counters that were reported are
/*	ignored: they are about one file and those who look at it.
/*
/*	audit_summary_text() takes text of any number of complete lines,
/*	with room for a null byte after it. With AUDIT_SUMMARY_CHECK the
/*	text does not change, and can be used again with the flag
/*	AUDIT_SUMMARY_CHECKED.
/*
/*	audit_summary_end() must be called after that. The
/*	result is a null pointer, or what is wrong with the summary. It
/*	is valid until audit_summary_free().
/*
/*	audit_summary_known() says that the facts already have every log
/*	that the summary was made from, so that there is nothing to add.
/* SEE ALSO
/*	audit_summary_write(3), facts to a file
/*	audit_record(3), lines of a summary file
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

/* Utility library. */

#include <argv.h>
#include <htable.h>
#include <mymalloc.h>
#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_log.h"
#include "audit_summary.h"

#define STR	vstring_str

struct AUDIT_SUMMARY {
    AUDIT_FACTS *facts;
    int     flags;
    AUDIT_GET get;
    int     started;
    int     ended;
    int     minor;
    unsigned long logs;			/* in summary */
    unsigned long known;		/* of these */
    /* What the next records are about. */
    AUDIT_COUNT *entry;
    AUDIT_DEST *dest;
    AUDIT_RELAY *relay;
    AUDIT_DEST *nexthop;
    AUDIT_LOG *log;
    AUDIT_HOST *host;
    AUDIT_GROUP *group;
};

#define HISTORY_MAX	1000000000
#define WEEKS_MAX	10000
#define WEEK_DIGITS_MAX	10

#define IS_CHECK(sp)	((sp)->flags & AUDIT_SUMMARY_CHECK)
#define IS_CHECKED(sp)	((sp)->flags & AUDIT_SUMMARY_CHECKED)
#define IS_DAMAGED(sp)	AUDIT_GET_IS_DAMAGED(&(sp)->get)

/* damaged - say what is wrong with the present record */

static void damaged(AUDIT_SUMMARY *sp, const char *what)
{
    audit_get_damaged(&sp->get, "damaged in line %lu: %s", sp->get.lines + 1,
		      what);
}

/* get_optional - text, null pointer if there is none */

static char *get_optional(AUDIT_SUMMARY *sp)
{
    char   *text = audit_get_text(&sp->get);

    return (*text ? text : 0);
}

/* get_word - the one copy of a word, null pointer if there is none */

static const char *get_word(AUDIT_SUMMARY *sp)
{
    return (audit_facts_word(sp->facts, get_optional(sp)));
}

/* get_level - level, as configured */

static int get_level(AUDIT_SUMMARY *sp)
{
    const char *name = audit_get_text(&sp->get);

    return (*name ? audit_level_find(name) : AUDIT_LEVEL_NONE);
}

/* get_kind - kind of destination */

static AUDIT_DEST_KIND get_kind(AUDIT_SUMMARY *sp)
{
    return ((AUDIT_DEST_KIND) audit_get_word(&sp->get, audit_dest_kinds));
}

/* read_period - first and last line */

static void read_period(AUDIT_SUMMARY *sp)
{
    time_t  first;
    time_t  last;

    audit_get_times(&sp->get, &first, &last);
    AUDIT_NOTE_FIRST(sp->facts->first, first);
    AUDIT_NOTE_LAST(sp->facts->last, last);
}

/* read_lines - number of lines */

static void read_lines(AUDIT_SUMMARY *sp)
{
    int     kind = audit_get_word(&sp->get, audit_lines_names);

    sp->facts->lines[kind] += audit_get_number(&sp->get);
}

/* read_count - entry of table; the key is the rest of the line */

static void read_count(AUDIT_SUMMARY *sp)
{
    AUDIT_GET *gp = &sp->get;
    int     id = audit_table_find(audit_get_text(gp));
    unsigned long count[AUDIT_COUNT_KINDS];
    time_t  first;
    time_t  last;
    int     kind;

    if (id < 0) {
	damaged(sp, "unknown table");
	return;
    }
    audit_get_times(gp, &first, &last);
    for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	count[kind] = audit_get_number(gp);
    sp->entry = audit_table_key(sp->facts->tables + id, audit_get_rest(gp));
    AUDIT_NOTE_FIRST(sp->entry->first, first);
    AUDIT_NOTE_LAST(sp->entry->last, last);
    for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	sp->entry->count[kind] += count[kind];
}

/* read_day - history of the last count */

static void read_day(AUDIT_SUMMARY *sp)
{
    long    day = audit_get_number(&sp->get);
    int     kind;

    if (sp->entry == 0 || sp->entry->days == 0)
	damaged(sp, "unexpected day");
    else
	for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	    audit_count_day(sp->entry, day, kind, audit_get_number(&sp->get));
}

/* expect_next - a summary that was stored has names in order */

static void expect_next(AUDIT_SUMMARY *sp, AUDIT_NAMES *names, void *last)
{
    if (IS_CHECKED(sp))
	audit_names_expect(names, last);
}

/* read_dest - destination */

static void read_dest(AUDIT_SUMMARY *sp)
{
    AUDIT_DEST_KIND kind = get_kind(sp);
    int     is_route = audit_get_small(&sp->get, 2);

    expect_next(sp, &sp->facts->destinations, (void *) sp->dest);
    sp->dest = audit_facts_dest(sp->facts, audit_get_rest(&sp->get), kind);
    sp->dest->is_route |= is_route;
}

/* get_digits - number in the middle of a field */

static unsigned get_digits(AUDIT_SUMMARY *sp, const char **cpp)
{
    const char *cp = *cpp;
    unsigned long number = 0;

    while (ISDIGIT(*cp) && cp - *cpp < WEEK_DIGITS_MAX)
	number = number * 10 + (*cp++ - '0');
    if (cp == *cpp || number > HISTORY_MAX)
	damaged(sp, "bad history");
    *cpp = cp;
    return (number);
}

/* read_weeks - history of a state */

static void read_weeks(AUDIT_SUMMARY *sp, AUDIT_STATE *state)
{
    const char *cp = audit_get_rest(&sp->get);
    unsigned week;
    unsigned verified;
    unsigned failed;
    unsigned count;

    if (*cp == 0)
	return;
    week = get_digits(sp, &cp);
    while (*cp == ' ' && !IS_DAMAGED(sp)) {
	if (*++cp == AUDIT_SUMMARY_GAP) {
	    cp++;
	    week += get_digits(sp, &cp);
	    continue;
	}
	verified = get_digits(sp, &cp);
	failed = (*cp == AUDIT_SUMMARY_FAILED ? cp++, get_digits(sp, &cp) : 0);
	count = (*cp == AUDIT_SUMMARY_REPEAT ? cp++, get_digits(sp, &cp) : 1);
	if (count > WEEKS_MAX)
	    damaged(sp, "bad history");
	while (count-- > 0 && !IS_DAMAGED(sp))
	    audit_state_week(state, week++, verified, failed);
    }
    if (*cp != 0)
	damaged(sp, "bad history");
}

/* read_state - state of the last destination */

static void read_state(AUDIT_SUMMARY *sp)
{
    AUDIT_GET *gp = &sp->get;
    AUDIT_STATE *state;
    const char *host = audit_facts_word(sp->facts, audit_get_text(gp));
    const char *reason;
    time_t  first;
    time_t  last;

    if (sp->dest == 0) {
	damaged(sp, "unexpected state");
	return;
    }
    state = audit_facts_state(sp->facts, sp->dest, host, get_level(sp));
    audit_state_fallback(state, get_level(sp));
    state->deliveries += audit_get_number(gp);
    state->verified += audit_get_number(gp);
    state->secure += audit_get_number(gp);
    state->warnings += audit_get_number(gp);
    audit_get_times(gp, &first, &last);
    AUDIT_NOTE_FIRST(state->first, first);
    AUDIT_NOTE_LAST(state->last, last);
    audit_get_times(gp, &first, &last);
    AUDIT_NOTE_FIRST(state->first_verified, first);
    AUDIT_NOTE_LAST(state->last_verified, last);
    audit_get_times(gp, &first, &last);
    AUDIT_NOTE_FIRST(state->first_failure, first);
    AUDIT_NOTE_LAST(state->last_failure, last);
    last = audit_get_number(gp);
    if ((reason = get_word(sp)) != 0)
	audit_state_reason(state, reason, last);
    read_weeks(sp, state);
}

/* get_nexthop - destination */

static AUDIT_DEST *get_nexthop(AUDIT_SUMMARY *sp, const char *name)
{
    return (audit_facts_dest(sp->facts, name, AUDIT_DEST_NEXTHOP));
}

/* read_relay - server */

static void read_relay(AUDIT_SUMMARY *sp)
{
    AUDIT_GET *gp = &sp->get;
    AUDIT_RELAY *relay;
    time_t  last;
    unsigned count;
    const char *nexthop;
    int     n;

    expect_next(sp, &sp->facts->relays, (void *) sp->relay);
    relay = sp->relay = audit_facts_relay(sp->facts, audit_get_text(gp));
    last = audit_get_number(gp);
    AUDIT_NOTE_LAST(relay->last, last);
    for (n = 0; n < AUDIT_AUTH_COUNT; n++) {
	count = audit_get_number(gp);
	relay->connections[n] += count;
	relay->connected += count;
    }
    sp->nexthop = 0;
    nexthop = audit_get_rest(gp);
    if (strcmp(nexthop, AUDIT_SUMMARY_NEXTHOPS) == 0) {
	relay->has_nexthops = 1;
    } else if (*nexthop) {
	sp->nexthop = (relay->nexthop
		       && strcmp(relay->nexthop->name, nexthop) == 0 ?
		       relay->nexthop : get_nexthop(sp, nexthop));
	audit_relay_nexthop(relay, sp->nexthop);
    }
}

/* read_digest - digest of the last server */

static void read_digest(AUDIT_SUMMARY *sp)
{
    AUDIT_GET *gp = &sp->get;
    int     kind = audit_get_small(gp, AUDIT_DIGEST_KINDS);
    char    buf[AUDIT_DIGEST_MAX + 1];
    time_t  first;
    time_t  last;
    const char *text;
    char   *cp;

    audit_get_times(gp, &first, &last);
    text = audit_get_rest(gp);
    if (sp->relay == 0) {
	damaged(sp, "unexpected digest");
	return;
    }
    if (*text == AUDIT_SUMMARY_PACKED) {
	if (strlen(++text) % 2 != 0 || strlen(text) / 2 * 3 > AUDIT_DIGEST_MAX) {
	    damaged(sp, "bad digest");
	    return;
	}
	for (cp = buf; *text; text += 2, cp += 3) {
	    cp[0] = text[0];
	    cp[1] = text[1];
	    cp[2] = ':';
	}
	if (cp > buf)
	    cp--;
	*cp = 0;
	text = buf;
    }
    audit_relay_digest(sp->facts, sp->relay, kind, text, first, last);
}

/* read_cert - certificate */

static void read_cert(AUDIT_SUMMARY *sp)
{
    AUDIT_GET *gp = &sp->get;
    time_t  seen = audit_get_number(gp);
    time_t  expires = audit_get_number(gp);
    const char *kind = audit_get_text(gp);
    const char *dest_name = audit_get_text(gp);
    const char *relay_name = audit_get_rest(gp);
    AUDIT_RELAY *relay;
    int     n;

    if (*relay_name == 0) {
	if (sp->relay == 0 || sp->nexthop == 0)
	    damaged(sp, "unexpected cert");
	else
	    audit_facts_cert(sp->facts, sp->relay, sp->nexthop, seen, expires);
	return;
    }
    for (n = 0; n < AUDIT_DEST_KINDS; n++)
	if (strcmp(audit_dest_kinds[n], kind) == 0)
	    break;
    if (n == AUDIT_DEST_KINDS) {
	damaged(sp, "unknown word");
	return;
    }
    relay = audit_facts_relay(sp->facts, relay_name);
    audit_facts_cert(sp->facts, relay,
		     audit_facts_dest(sp->facts, dest_name, (AUDIT_DEST_KIND) n),
		     seen, expires);
}

/* check_log - is it known */

static void check_log(AUDIT_SUMMARY *sp, off_t offset, size_t head_len,
		              uint64_t head_hash)
{
    const AUDIT_LOG *log;

    if (head_len == 0)
	return;
    sp->logs++;
    if ((log = audit_log_find(sp->facts, head_len, head_hash)) == 0)
	return;
    if (log->offset >= offset)
	sp->known++;
    else
	audit_get_damaged(&sp->get, "it has more of %s than what was read before",
			  log->name);
}

/* read_log - log */

static void read_log(AUDIT_SUMMARY *sp)
{
    AUDIT_GET *gp = &sp->get;
    const char *name = audit_get_text(gp);
    time_t  limit = audit_get_number(gp);
    off_t   offset = audit_get_number(gp);
    size_t  head_len = audit_get_number(gp);
    uint64_t head_hash = audit_get_hash(gp);
    const char *head_lines;
    AUDIT_LOG *log;

    if (IS_CHECK(sp)) {
	check_log(sp, offset, head_len, head_hash);
	gp->next = 0;
	return;
    }
    log = sp->log = audit_log_create(sp->facts, name, limit);
    log->offset = offset;
    log->head_len = head_len;
    log->head_hash = head_hash;
    if ((head_lines = get_optional(sp)) != 0)
	log->head_lines = mystrdup(head_lines);
    log->tail_len = audit_get_number(gp);
    log->tail_hash = audit_get_hash(gp);
    log->head_text = audit_get_raw(gp);
    log->tail_text = audit_get_raw(gp);
    sp->host = 0;
    sp->group = 0;
}

/* read_host - host of the last log */

static void read_host(AUDIT_SUMMARY *sp)
{
    AUDIT_GET *gp = &sp->get;
    const char *name = audit_get_text(gp);

    if (sp->log == 0) {
	damaged(sp, "unexpected host");
	return;
    }
    sp->host = audit_log_host(sp->facts, sp->log, name);
    sp->host->lines = sp->host->swept = audit_get_number(gp);
    audit_get_times(gp, &sp->host->first, &sp->host->last);
    sp->group = 0;
}

/* read_group - group of the last host */

static void read_group(AUDIT_SUMMARY *sp)
{
    AUDIT_GET *gp = &sp->get;
    int     flags = audit_get_small(gp, 4);
    unsigned long first = audit_get_number(gp);
    unsigned long last = audit_get_number(gp);
    const char *queue_id = audit_get_text(gp);
    const char *origin = audit_get_text(gp);
    const char *done = get_optional(sp);
    const char *done_dest = audit_get_text(gp);
    int     is_other = audit_get_small(gp, 2);
    AUDIT_GROUP *group;

    if (sp->host == 0) {
	damaged(sp, "unexpected group");
	return;
    }
    group = sp->group = audit_group_create(queue_id);
    group->flags = flags;
    group->first = first;
    group->last = last;
    if (done) {
	group->done = audit_facts_relay(sp->facts, done);
	group->done_dest = get_nexthop(sp, done_dest);
	group->is_other = is_other;
    }
    audit_log_append(sp->host, group, origin);
}

/* read_event - event of the last group */

static void read_event(AUDIT_SUMMARY *sp)
{
    AUDIT_GET *gp = &sp->get;
    AUDIT_EVENT event;

    if (sp->group == 0) {
	damaged(sp, "unexpected event");
	return;
    }
    memset((void *) &event, 0, sizeof(event));
    event.type = (AUDIT_EVENT_TYPE) audit_get_word(gp, audit_event_types);
    event.relay = audit_facts_relay(sp->facts, audit_get_text(gp));
    event.name = get_optional(sp);
    event.policy = get_word(sp);
    event.level = get_word(sp);
    event.label = get_word(sp);
    event.reason = get_word(sp);
    event.verified = audit_get_small(gp, 2);
    event.attain = audit_get_small(gp, AUDIT_ATTAIN_COUNT + 1)
	+ AUDIT_ATTAIN_UNKNOWN;
    event.count = audit_get_number(gp);
    audit_get_times(gp, &event.first, &event.last);
    event.expires = audit_get_number(gp);
    if (event.type == AUDIT_EVENT_DONE) {
	event.dest = get_nexthop(sp, event.name ? event.name : "");
	event.name = 0;
    }
    audit_group_add(sp->group, &event);
}

/* read_total - counter; the name is the rest of the line */

static void read_total(AUDIT_SUMMARY *sp)
{
    unsigned long value = audit_get_number(&sp->get);
    const char *name = audit_get_rest(&sp->get);

    if (sp->flags & AUDIT_SUMMARY_TOTALS)
	(void) audit_count_total(sp->facts->totals, name, value);
}

/* read_note - note about the input */

static void read_note(AUDIT_SUMMARY *sp)
{
    char   *file = audit_get_raw(&sp->get);
    char   *text = audit_get_raw(&sp->get);

    if (file && text)
	argv_add(sp->facts->notes, file, text, ARGV_END);
    if (file)
	myfree(file);
    if (text)
	myfree(text);
}

 /*
  * The most frequent ones first.
  */
typedef struct {
    const char *name;
    void    (*read) (AUDIT_SUMMARY *);
} RECORD;

static const RECORD records[] = {
    {"digest", read_digest},
    {"relay", read_relay},
    {"dest", read_dest},
    {"state", read_state},
    {"count", read_count},
    {"cert", read_cert},
    {"day", read_day},
    {"group", read_group},
    {"event", read_event},
    {"host", read_host},
    {"log", read_log},
    {"lines", read_lines},
    {"period", read_period},
    {"total", read_total},
    {"note", read_note},
    {0},
};

/* find_record - which record is that, null if it is not known */

static const RECORD *find_record(AUDIT_SUMMARY *sp, char *line)
{
    const RECORD *rp;
    size_t  n;

    for (rp = records; rp->name; rp++) {
	for (n = 0; rp->name[n] && rp->name[n] == line[n]; n++)
	     /* void */ ;
	if (rp->name[n] == 0
	    && (line[n] == 0 || line[n] == AUDIT_RECORD_SEPARATOR)) {
	    sp->get.next = (line[n] ? line + n + 1 : 0);
	    return (rp);
	}
    }
    return (0);
}

/* read_record - one line after the first one */

static void read_record(AUDIT_SUMMARY *sp, char *line)
{
    const RECORD *rp = find_record(sp, line);

    if (rp == 0) {
	argv_add(sp->facts->unknown, line, ARGV_END);
	return;
    }
    rp->read(sp);
    if (sp->get.next != 0)
	damaged(sp, "too many fields");
}

/* check_record - the same, before it is known that the summary is complete */

static void check_record(AUDIT_SUMMARY *sp, char *line, size_t len)
{
    const RECORD *rp = find_record(sp, line);
    char   *copy;

    if (rp == 0) {
	if (sp->minor <= AUDIT_SUMMARY_MINOR)
	    damaged(sp, "unknown record");
    } else if (rp->read == read_log) {
	copy = mystrndup(line, len);
	read_record(sp, copy);
	myfree(copy);
    }
}

/* read_first - version */

static void read_first(AUDIT_SUMMARY *sp, const char *line)
{
    const char *cp = line + sizeof(AUDIT_SUMMARY_MAGIC) - 1;
    char   *end;
    unsigned long major;

    sp->started = 1;
    if (audit_summary_is(line, strlen(line)) == 0 || !ISDIGIT(*cp)) {
	audit_get_damaged(&sp->get, "not a summary");
	return;
    }
    major = strtoul(cp, &end, 10);
    if (major != AUDIT_SUMMARY_MAJOR)
	audit_get_damaged(&sp->get, "made by another version of "
			  "posttls-audit (format %lu, this program has %d)",
			  major, AUDIT_SUMMARY_MAJOR);
    sp->minor = atoi(end);
    if (IS_CHECK(sp) == 0 && sp->minor > sp->facts->minor)
	sp->facts->minor = sp->minor;
}

/* read_last - count and hash of what came before */

static void read_last(AUDIT_SUMMARY *sp, const char *fields)
{
    char   *copy = mystrdup(fields);

    sp->get.next = copy;
    audit_get_end(&sp->get);
    myfree(copy);
}

/* audit_summary_is - is this a summary */

int     audit_summary_is(const char *text, size_t len)
{
    return (len >= sizeof(AUDIT_SUMMARY_MAGIC) - 1
	    && memcmp(text, AUDIT_SUMMARY_MAGIC,
		      sizeof(AUDIT_SUMMARY_MAGIC) - 1) == 0);
}

/* audit_summary_begin - start reading */

AUDIT_SUMMARY *audit_summary_begin(AUDIT_FACTS *facts, int flags)
{
    AUDIT_SUMMARY *sp = (AUDIT_SUMMARY *) mymalloc(sizeof(*sp));

    memset((void *) sp, 0, sizeof(*sp));
    sp->facts = facts;
    sp->flags = flags;
    audit_get_init(&sp->get);
    return (sp);
}

/* take_line - one line, a string */

static void take_line(AUDIT_SUMMARY *sp, char *line, size_t len)
{
#define END_RECORD	"end\t"
#define END_RECORD_LEN	(sizeof(END_RECORD) - 1)

    if (sp->started == 0) {
	read_first(sp, line);
    } else if (strncmp(line, END_RECORD, END_RECORD_LEN) == 0) {
	if (sp->ended)
	    damaged(sp, "something follows the end");
	sp->ended = 1;
	if (IS_CHECKED(sp) == 0)
	    read_last(sp, line + END_RECORD_LEN);
    } else if (IS_CHECKED(sp)) {
	sp->get.lines++;
	read_record(sp, line);
    } else {
	audit_get_next(&sp->get, line, len);
	if (sp->ended || strlen(line) != len)
	    damaged(sp, "no record");
	else if (IS_CHECK(sp))
	    check_record(sp, line, len);
	else
	    read_record(sp, line);
    }
}

/* audit_summary_text - all lines */

void    audit_summary_text(AUDIT_SUMMARY *sp, char *text, size_t len)
{
    char   *end = text + len;
    char   *newline;

    /*
     * A last line without a newline character is still a line.
     */
    for ( /* void */ ; text < end && !IS_DAMAGED(sp); text = newline + 1) {
	if ((newline = memchr(text, '\n', end - text)) == 0)
	    newline = end;
	else
	    *newline = 0;
	take_line(sp, text, newline - text);
	if (newline < end && IS_CHECK(sp))
	    *newline = '\n';
    }
}

/* audit_summary_end - no more lines */

const char *audit_summary_end(AUDIT_SUMMARY *sp)
{
    if (sp->ended == 0)
	audit_get_damaged(&sp->get, "truncated: it has no end");
    if (sp->known > 0 && sp->known < sp->logs)
	audit_get_damaged(&sp->get, "some of its logs were read before, "
			  "and others were not");
    return (IS_DAMAGED(sp) ? STR(sp->get.problem) : 0);
}

/* audit_summary_known - nothing is new */

int     audit_summary_known(AUDIT_SUMMARY *sp)
{
    return (sp->logs > 0 && sp->known == sp->logs);
}

/* audit_summary_free - done */

void    audit_summary_free(AUDIT_SUMMARY *sp)
{
    audit_get_free(&sp->get);
    myfree((void *) sp);
}
