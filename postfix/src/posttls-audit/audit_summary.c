/*++
/* NAME
/*	audit_summary 3
/* SUMMARY
/*	facts in a file
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
/*
/*	AUDIT_SUMMARY_WRITER *audit_summary_write(stream, facts)
/*	VSTREAM	*stream;
/*	AUDIT_FACTS *facts;
/*
/*	void	audit_summary_write_notes(writer, facts)
/*	AUDIT_SUMMARY_WRITER *writer;
/*	AUDIT_FACTS *facts;
/*
/*	void	audit_summary_write_totals(writer, facts)
/*	AUDIT_SUMMARY_WRITER *writer;
/*	AUDIT_FACTS *facts;
/*
/*	int	audit_summary_write_end(writer)
/*	AUDIT_SUMMARY_WRITER *writer;
/* DESCRIPTION
/*	This module writes facts as text, and adds such text to other
/*	facts. The format is described in the posttls-audit(1) manual
/*	page.
/*
/*	audit_summary_is() says whether a text begins like a summary.
/*
/*	audit_summary_begin() prepares for reading. With the flag
/*	AUDIT_SUMMARY_CHECK nothing is added to the facts: a summary
/*	must be checked to the end before it is used. Without the flag
/*	AUDIT_SUMMARY_TOTALS the counters that were reported are
/*	ignored: they are about one file and those who look at it.
/*
/*	audit_summary_text() takes all of the text, with a null byte
/*	after it. With AUDIT_SUMMARY_CHECK the text does not change, and
/*	can be used again, with the flag AUDIT_SUMMARY_CHECKED.
/*
/*	audit_summary_end() must be called after that. The
/*	result is a null pointer, or what is wrong with the summary. It
/*	is valid until audit_summary_free().
/*
/*	audit_summary_known() says that the facts already have every log
/*	that the summary was made from, so that there is nothing to add.
/*
/*	audit_summary_write() begins to write a summary, with all that
/*	adds up. audit_summary_write_notes() adds notes about the input,
/*	for another process of the same run, and
/*	audit_summary_write_totals() the counters as they were reported
/*	last, for the next run. audit_summary_write_end() completes the
/*	summary. The result is non-zero when all went well.
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

#include "audit_group.h"
#include "audit_summary.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

#define SEPARATOR	'\t'

/* hash_line - detect damage; not against forgery */

static uint64_t hash_line(uint64_t hash, const char *text, size_t len)
{
    const unsigned char *cp = (const unsigned char *) text;
    uint64_t word;
    size_t  n;

#define MIX(word) do { \
	hash = (hash ^ (word)) * UINT64_C(0x9E3779B97F4A7C15); \
	hash ^= hash >> 29; \
    } while (0)

    for ( /* void */ ; len >= 8; len -= 8, cp += 8) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy((void *) &word, cp, sizeof(word));
#else
	word = (uint64_t) cp[0] | (uint64_t) cp[1] << 8
	    | (uint64_t) cp[2] << 16 | (uint64_t) cp[3] << 24
	    | (uint64_t) cp[4] << 32 | (uint64_t) cp[5] << 40
	    | (uint64_t) cp[6] << 48 | (uint64_t) cp[7] << 56;
#endif
	MIX(word);
    }
    for (word = len + 1, n = 0; n < len; n++)
	word = word << 8 | cp[n];
    MIX(word);
    return (hash);
}

 /*
  * Writing.
  */
struct AUDIT_SUMMARY_WRITER {
    VSTREAM *stream;
    VSTRING *line;
    uint64_t hash;
    unsigned long lines;
};

typedef AUDIT_SUMMARY_WRITER WRITER;

/* put_text - one field */

static void put_text(WRITER *wp, const char *text)
{
    VSTRING_ADDCH(wp->line, SEPARATOR);
    if (text)
	vstring_memcat(wp->line, text, strlen(text));
}

/* put_raw - one field with any text */

static void put_raw(WRITER *wp, const char *text)
{
    VSTRING_ADDCH(wp->line, SEPARATOR);
    if (text == 0)
	return;
    VSTRING_ADDCH(wp->line, '=');
    for ( /* void */ ; *text; text++) {
	if (*text == '\\' || *text == SEPARATOR || *text == '\n') {
	    VSTRING_ADDCH(wp->line, '\\');
	    VSTRING_ADDCH(wp->line, *text == '\n' ? 'n' :
			  *text == SEPARATOR ? 't' : '\\');
	} else
	    VSTRING_ADDCH(wp->line, *text);
    }
}

/* append_number - decimal digits */

static void append_number(VSTRING *buf, unsigned long number)
{
    char    digits[3 * sizeof(number)];
    char   *cp = digits + sizeof(digits);

    do {
	*--cp = '0' + number % 10;
    } while ((number /= 10) != 0);
    vstring_memcat(buf, cp, digits + sizeof(digits) - cp);
}

/* put_number - one field, empty if it is zero, as many are */

static void put_number(WRITER *wp, unsigned long number)
{
    VSTRING_ADDCH(wp->line, SEPARATOR);
    if (number > 0)
	append_number(wp->line, number);
}

/* put_times - first, and how much later the last one was */

static void put_times(WRITER *wp, time_t first, time_t last)
{
    put_number(wp, first);
    put_number(wp, last > first ? last - first : 0);
}

/* put_hash - one field */

static void put_hash(WRITER *wp, uint64_t hash)
{
    vstring_sprintf_append(wp->line, "%c%08lx%08lx", SEPARATOR,
			   (unsigned long) (hash >> 32),
			   (unsigned long) (hash & 0xffffffffUL));
}

/* put_record - begin record */

static void put_record(WRITER *wp, const char *name)
{
    VSTRING_RESET(wp->line);
    vstring_memcat(wp->line, name, strlen(name));
}

/* put_line - without being part of the hash */

static void put_line(WRITER *wp)
{
    VSTRING_ADDCH(wp->line, '\n');
    (void) vstream_fwrite(wp->stream, STR(wp->line), LEN(wp->line));
}

/* put_end - end record */

static void put_end(WRITER *wp)
{
    wp->hash = hash_line(wp->hash, STR(wp->line), LEN(wp->line));
    wp->lines++;
    put_line(wp);
}

/* write_lines - how many lines of each kind, and when */

static void write_lines(WRITER *wp, const AUDIT_FACTS *facts)
{
    int     n;

    put_record(wp, "period");
    put_times(wp, facts->first, facts->last);
    put_end(wp);
    for (n = 0; n < AUDIT_LINES_COUNT; n++) {
	put_record(wp, "lines");
	put_text(wp, audit_lines_names[n]);
	put_number(wp, facts->lines[n]);
	put_end(wp);
    }
}

/* write_count - entry of a table, and its history */

static void write_count(WRITER *wp, const AUDIT_TABLE_INFO *info,
			        const AUDIT_COUNT *entry)
{
    int     kind;
    int     n;

    put_record(wp, "count");
    put_text(wp, info->name);
    put_times(wp, entry->first, entry->last);
    for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	put_number(wp, entry->count[kind]);
    put_text(wp, entry->key);
    put_end(wp);
    for (n = 0; n < entry->day_count; n++) {
	put_record(wp, "day");
	put_number(wp, entry->days[n].day);
	for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	    put_number(wp, entry->days[n].count[kind]);
	put_end(wp);
    }
}

/* level_name - name of level, or nothing */

static const char *level_name(int level)
{
    return (level == AUDIT_LEVEL_NONE ? (char *) 0 : audit_levels[level].name);
}

 /*
  * There are many weeks, and most of them are like the one before. After the
  * number of the first week there is a word for each one: a gap of so many
  * weeks, or what was verified and what failed, and how often that repeats.
  */
#define WEEK_GAP	'+'
#define WEEK_FAILED	':'
#define WEEK_REPEAT	'*'

/* put_weeks - one field */

static void put_weeks(WRITER *wp, const AUDIT_STATE *sp)
{
    const AUDIT_WEEK *week = sp->weeks;
    const AUDIT_WEEK *end = week + sp->week_count;
    unsigned next;
    unsigned count;

    VSTRING_ADDCH(wp->line, SEPARATOR);
    if (sp->week_count == 0)
	return;
    append_number(wp->line, next = week->week);
    for ( /* void */ ; week < end; week += count, next += count) {
	VSTRING_ADDCH(wp->line, ' ');
	if (week->week > next) {
	    VSTRING_ADDCH(wp->line, WEEK_GAP);
	    append_number(wp->line, week->week - next);
	    VSTRING_ADDCH(wp->line, ' ');
	    next = week->week;
	}
	append_number(wp->line, week->verified);
	if (week->failed) {
	    VSTRING_ADDCH(wp->line, WEEK_FAILED);
	    append_number(wp->line, week->failed);
	}
	for (count = 1; week + count < end
	     && week[count].week == week->week + count
	     && week[count].verified == week->verified
	     && week[count].failed == week->failed; count++)
	     /* void */ ;
	if (count > 1) {
	    VSTRING_ADDCH(wp->line, WEEK_REPEAT);
	    append_number(wp->line, count);
	}
    }
}

/* write_state - one host and policy */

static void write_state(WRITER *wp, const AUDIT_STATE *sp)
{
    put_record(wp, "state");
    put_text(wp, sp->host);
    put_text(wp, level_name(sp->policy));
    put_text(wp, level_name(sp->fallback));
    put_number(wp, sp->deliveries);
    put_number(wp, sp->verified);
    put_number(wp, sp->secure);
    put_number(wp, sp->warnings);
    put_times(wp, sp->first, sp->last);
    put_times(wp, sp->first_verified, sp->last_verified);
    put_times(wp, sp->first_failure, sp->last_failure);
    put_number(wp, sp->reason_time);
    put_text(wp, sp->reason);
    put_weeks(wp, sp);
    put_end(wp);
}

/* write_dest - destination */

static void write_dest(WRITER *wp, const AUDIT_DEST *dest)
{
    const AUDIT_STATE *sp;

    put_record(wp, "dest");
    put_text(wp, audit_dest_kinds[dest->kind]);
    put_number(wp, dest->is_route);
    put_text(wp, dest->name);
    put_end(wp);
    for (sp = dest->states; sp; sp = sp->next)
	write_state(wp, sp);
}

 /*
  * The usual form of a digest is shorter without colons.
  */
#define DIGEST_PACKED	'='

/* put_digest - one field */

static void put_digest(WRITER *wp, const AUDIT_DIGEST *digest)
{
    int     n;

    for (n = 0; n < digest->len; n++)
	if (n % 3 == 2 ? digest->text[n] != ':' : digest->text[n] == ':')
	    break;
    if (n < digest->len || digest->len % 3 != 2) {
	put_text(wp, digest->text);
	return;
    }
    VSTRING_ADDCH(wp->line, SEPARATOR);
    VSTRING_ADDCH(wp->line, DIGEST_PACKED);
    for (n = 0; n < digest->len; n += 3)
	vstring_memcat(wp->line, digest->text + n, 2);
}

 /*
  * More than one nexthop.
  */
#define NEXTHOPS	"*"

 /*
  * The usual case: one nexthop, and one certificate. The latter follows the
  * server, and needs no names.
  */
#define IS_OWN_CERT(relay, own) \
	((relay)->cert == (own) && (relay)->has_nexthops == 0 \
	    && (own)->dest == (relay)->nexthop)

/* write_relay - server */

static void write_relay(WRITER *wp, const AUDIT_RELAY *relay)
{
    const AUDIT_DIGEST *digest;
    int     n;

    put_record(wp, "relay");
    put_text(wp, relay->name);
    put_number(wp, relay->last);
    for (n = 0; n < AUDIT_AUTH_COUNT; n++)
	put_number(wp, relay->connections[n]);
    put_text(wp, relay->has_nexthops ? NEXTHOPS :
	     relay->nexthop ? relay->nexthop->name : (char *) 0);
    put_end(wp);
    for (digest = relay->digests; digest; digest = digest->next) {
	put_record(wp, "digest");
	put_number(wp, digest->kind);
	put_times(wp, digest->first, digest->last);
	put_digest(wp, digest);
	put_end(wp);
    }
    if (relay->cert && IS_OWN_CERT(relay, relay->cert)) {
	put_record(wp, "cert");
	put_number(wp, relay->cert->seen);
	put_number(wp, relay->cert->expires);
	put_text(wp, "");
	put_text(wp, "");
	put_text(wp, "");
	put_end(wp);
    }
}

/* write_cert - certificate */

static void write_cert(WRITER *wp, const AUDIT_CERT *cert)
{
    if (IS_OWN_CERT(cert->relay, cert))
	return;
    put_record(wp, "cert");
    put_number(wp, cert->seen);
    put_number(wp, cert->expires);
    put_text(wp, audit_dest_kinds[cert->dest->kind]);
    put_text(wp, cert->dest->name);
    put_text(wp, cert->relay->name);
    put_end(wp);
}

/* write_event - what is known about a message */

static void write_event(WRITER *wp, const AUDIT_EVENT *ep)
{
    put_record(wp, "event");
    put_text(wp, audit_event_types[ep->type]);
    put_text(wp, ep->relay->name);
    put_text(wp, ep->dest ? ep->dest->name : ep->name);
    put_text(wp, ep->policy);
    put_text(wp, ep->level);
    put_text(wp, ep->label);
    put_text(wp, ep->reason);
    put_number(wp, ep->verified);
    put_number(wp, ep->attain - AUDIT_ATTAIN_UNKNOWN);
    put_number(wp, ep->count);
    put_times(wp, ep->first, ep->last);
    put_number(wp, ep->expires);
    put_end(wp);
}

/* write_groups - what is open */

static void write_groups(WRITER *wp, const AUDIT_GROUP *group)
{
    const AUDIT_EVENT *ep;

    for ( /* void */ ; group; group = group->next) {
	put_record(wp, "group");
	put_number(wp, group->flags);
	put_number(wp, group->first);
	put_number(wp, group->last);
	put_text(wp, group->queue_id);
	put_text(wp, group->origin);
	put_text(wp, group->done ? group->done->name : (char *) 0);
	put_text(wp, group->done_dest ? group->done_dest->name : (char *) 0);
	put_number(wp, group->is_other);
	put_end(wp);
	for (ep = group->events; ep; ep = ep->next)
	    write_event(wp, ep);
    }
}

/* write_log - log, and its hosts */

static void write_log(WRITER *wp, const AUDIT_LOG *log)
{
    HTABLE_INFO **list = htable_list(log->hosts);
    HTABLE_INFO **ht;
    const AUDIT_HOST *host;

    put_record(wp, "log");
    put_text(wp, log->name);
    put_number(wp, log->limit);
    put_number(wp, log->offset);
    put_number(wp, log->head_len);
    put_hash(wp, log->head_hash);
    put_text(wp, log->head_lines);
    put_number(wp, log->tail_len);
    put_hash(wp, log->tail_hash);
    put_raw(wp, log->head_text);
    put_raw(wp, log->tail_text);
    put_end(wp);
    for (ht = list; *ht; ht++) {
	host = (const AUDIT_HOST *) ht[0]->value;
	put_record(wp, "host");
	put_text(wp, host->name);
	put_number(wp, host->lines);
	put_times(wp, host->first, host->last);
	put_end(wp);
	write_groups(wp, host->heads);
	write_groups(wp, host->tails);
    }
    myfree((void *) list);
}

/* WRITE_NAMES - all things that have a name */

#define WRITE_NAMES(wp, names, type, function) do { \
	const type *_entry; \
	for (_entry = AUDIT_NAMES_FIRST((names), type); _entry; \
	     _entry = AUDIT_NAMES_NEXT(_entry, type)) \
	    function((wp), _entry); \
    } while (0)

/* write_counts - all tables of counts */

static void write_counts(WRITER *wp, const AUDIT_FACTS *facts)
{
    HTABLE_INFO **list;
    HTABLE_INFO **ht;
    int     n;

    for (n = 0; n < AUDIT_TABLE_COUNT; n++) {
	list = htable_list(facts->tables[n].entries);
	for (ht = list; *ht; ht++)
	    write_count(wp, facts->tables[n].info,
			(const AUDIT_COUNT *) ht[0]->value);
	myfree((void *) list);
    }
}

/* audit_summary_write - facts to text */

AUDIT_SUMMARY_WRITER *audit_summary_write(VSTREAM *stream, AUDIT_FACTS *facts)
{
    WRITER *wp = (WRITER *) mymalloc(sizeof(*wp));
    const AUDIT_LOG *log;
    char  **cpp;

    wp->stream = stream;
    wp->line = vstring_alloc(1000);
    wp->hash = 0;
    wp->lines = 0;
    vstream_fprintf(stream, AUDIT_SUMMARY_MAGIC "%d %d\n",
		    AUDIT_SUMMARY_MAJOR, facts->minor > AUDIT_SUMMARY_MINOR ?
		    facts->minor : AUDIT_SUMMARY_MINOR);
    for (log = facts->logs; log; log = log->next)
	write_log(wp, log);
    write_lines(wp, facts);
    write_counts(wp, facts);
    WRITE_NAMES(wp, &facts->destinations, AUDIT_DEST, write_dest);
    WRITE_NAMES(wp, &facts->relays, AUDIT_RELAY, write_relay);
    WRITE_NAMES(wp, &facts->certs, AUDIT_CERT, write_cert);
    for (cpp = facts->unknown->argv; *cpp; cpp++) {
	put_record(wp, *cpp);
	put_end(wp);
    }
    return (wp);
}

/* audit_summary_write_notes - what is wrong with the input */

void    audit_summary_write_notes(AUDIT_SUMMARY_WRITER *wp, AUDIT_FACTS *facts)
{
    char  **cpp;

    for (cpp = facts->notes->argv; *cpp; cpp += 2) {
	put_record(wp, "note");
	put_raw(wp, cpp[0]);
	put_raw(wp, cpp[1]);
	put_end(wp);
    }
}

/* audit_summary_write_totals - what was reported */

void    audit_summary_write_totals(AUDIT_SUMMARY_WRITER *wp, AUDIT_FACTS *facts)
{
    HTABLE_INFO **list = htable_list(facts->totals);
    HTABLE_INFO **ht;

    for (ht = list; *ht; ht++) {
	put_record(wp, "total");
	put_number(wp, *(const unsigned long *) ht[0]->value);
	put_text(wp, ht[0]->key);
	put_end(wp);
    }
    myfree((void *) list);
}

/* audit_summary_write_end - complete it */

int     audit_summary_write_end(AUDIT_SUMMARY_WRITER *wp)
{
    int     ok;

    put_record(wp, "end");
    put_number(wp, wp->lines);
    put_hash(wp, wp->hash);
    put_line(wp);
    ok = (vstream_fflush(wp->stream) == 0);
    vstring_free(wp->line);
    myfree((void *) wp);
    return (ok);
}

 /*
  * Reading.
  */
#define FIELD_MAX	24

struct AUDIT_SUMMARY {
    AUDIT_FACTS *facts;
    int     flags;
    uint64_t hash;
    unsigned long lines;
    int     started;
    int     ended;
    int     minor;
    unsigned long logs;			/* in summary */
    unsigned long known;		/* of these */
    VSTRING *problem;			/* empty if there is none */
    char   *field[FIELD_MAX];		/* empty after the last one */
    int     count;
    /* What the next records are about. */
    AUDIT_COUNT *entry;
    AUDIT_DEST *dest;
    AUDIT_RELAY *relay;
    AUDIT_DEST *nexthop;
    AUDIT_LOG *log;
    AUDIT_HOST *host;
    AUDIT_GROUP *group;
};

typedef struct {
    const char *name;
    int     fields;			/* after the name */
    void    (*read) (AUDIT_SUMMARY *);
} RECORD;

/* damaged - say what is wrong, once */

static void PRINTFLIKE(2, 3) damaged(AUDIT_SUMMARY *sp, const char *format,...)
{
    va_list ap;

    if (LEN(sp->problem) > 0)
	return;
    va_start(ap, format);
    vstring_vsprintf(sp->problem, format, ap);
    va_end(ap);
}

#define HISTORY_MAX	1000000000
#define WEEKS_MAX	10000
#define NUMBER_MAX	(int) (sizeof(unsigned long) > 4 ? 18 : 9)	/* digits */

/* get_number - number from field */

static unsigned long get_number(AUDIT_SUMMARY *sp, int n)
{
    const char *cp = sp->field[n];
    unsigned long number = 0;
    unsigned digit;

    for ( /* void */ ; (digit = *(const unsigned char *) cp - '0') <= 9; cp++)
	number = number * 10 + digit;
    if (*cp != 0 || cp - sp->field[n] > NUMBER_MAX) {
	damaged(sp, "damaged in line %lu: bad number", sp->lines + 2);
	return (0);
    }
    return (number);
}

/* get_small - number that must be below a limit */

static int get_small(AUDIT_SUMMARY *sp, int n, int limit)
{
    unsigned long number = get_number(sp, n);

    if (number >= (unsigned long) limit) {
	damaged(sp, "damaged in line %lu: number is too large", sp->lines + 2);
	return (0);
    }
    return (number);
}

/* get_hash - hash from field */

static uint64_t get_hash(AUDIT_SUMMARY *sp, int n)
{
    uint64_t hash = 0;
    const char *cp = sp->field[n];

    for ( /* void */ ; isxdigit(*(const unsigned char *) cp); cp++)
	hash = hash << 4 | (ISDIGIT(*cp) ? *cp - '0' :
			    tolower(*(unsigned char *) cp) - 'a' + 10);
    if (*cp != 0 || cp - sp->field[n] != 16)
	damaged(sp, "damaged in line %lu: bad hash", sp->lines + 2);
    return (hash);
}

/* get_text - text from field, null pointer if it is empty */

#define get_text(sp, n)	(*(sp)->field[n] ? (sp)->field[n] : (char *) 0)

/* get_raw - copy of any text from field, null pointer if there was none */

static char *get_raw(AUDIT_SUMMARY *sp, int n)
{
    char   *from = sp->field[n];
    char   *copy;
    char   *to;

    if (*from++ != '=')
	return (0);
    copy = to = mystrdup(from);
    if (*from == 0)
	return (copy);				/* not to be written to */
    for ( /* void */ ; *from; from++) {
	if (*from == '\\' && from[1]) {
	    from++;
	    *to++ = (*from == 'n' ? '\n' : *from == 't' ? SEPARATOR : *from);
	} else
	    *to++ = *from;
    }
    *to = 0;
    return (copy);
}

/* get_word - position in list of words */

static int get_word(AUDIT_SUMMARY *sp, int n, const char *const * words)
{
    int     word;

    for (word = 0; words[word]; word++)
	if (strcmp(words[word], sp->field[n]) == 0)
	    return (word);
    damaged(sp, "damaged in line %lu: unknown word", sp->lines + 2);
    return (0);
}

#define GET_FIRST(sp, n)	((time_t) get_number((sp), (n)))
#define GET_LAST(sp, n) \
	((time_t) (get_number((sp), (n)) + get_number((sp), (n) + 1)))

#define IS_DAMAGED(sp)	(LEN((sp)->problem) > 0)
#define IS_CHECK(sp)	((sp)->flags & AUDIT_SUMMARY_CHECK)
#define IS_CHECKED(sp)	((sp)->flags & AUDIT_SUMMARY_CHECKED)

/* read_period - first and last line */

static void read_period(AUDIT_SUMMARY *sp)
{
    AUDIT_NOTE_FIRST(sp->facts->first, GET_FIRST(sp, 1));
    AUDIT_NOTE_LAST(sp->facts->last, GET_LAST(sp, 1));
}

/* read_lines - number of lines */

static void read_lines(AUDIT_SUMMARY *sp)
{
    int     kind = get_word(sp, 1, audit_lines_names);

    sp->facts->lines[kind] += get_number(sp, 2);
}

/* read_count - entry of table; the key is the rest of the line */

static void read_count(AUDIT_SUMMARY *sp)
{
    int     id = audit_table_find(sp->field[1]);
    int     kind;

    if (id < 0) {
	damaged(sp, "damaged in line %lu: unknown table", sp->lines + 2);
	return;
    }
    sp->entry = audit_table_key(sp->facts->tables + id, sp->field[6]);
    AUDIT_NOTE_FIRST(sp->entry->first, GET_FIRST(sp, 2));
    AUDIT_NOTE_LAST(sp->entry->last, GET_LAST(sp, 2));
    for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	sp->entry->count[kind] += get_number(sp, 4 + kind);
}

/* read_day - history of the last count */

static void read_day(AUDIT_SUMMARY *sp)
{
    int     kind;

    if (sp->entry == 0 || sp->entry->days == 0)
	damaged(sp, "damaged in line %lu: unexpected day", sp->lines + 2);
    else
	for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	    audit_count_day(sp->entry, (long) get_number(sp, 1), kind,
			    get_number(sp, 2 + kind));
}

/* read_dest - destination */

static void read_dest(AUDIT_SUMMARY *sp)
{
    sp->dest = audit_facts_dest(sp->facts, sp->field[3],
			(AUDIT_DEST_KIND) get_word(sp, 1, audit_dest_kinds));
    sp->dest->is_route |= get_small(sp, 2, 2);
}

/* get_level - level, as configured */

static int get_level(AUDIT_SUMMARY *sp, int n)
{
    return (*sp->field[n] ? audit_level_find(sp->field[n]) : AUDIT_LEVEL_NONE);
}

/* get_digits - number in the middle of a field */

static unsigned get_digits(AUDIT_SUMMARY *sp, const char **cpp)
{
    const char *cp = *cpp;
    unsigned long number = 0;

    while (ISDIGIT(*cp) && cp - *cpp < NUMBER_MAX)
	number = number * 10 + (*cp++ - '0');
    if (cp == *cpp || number > HISTORY_MAX)
	damaged(sp, "damaged in line %lu: bad history", sp->lines + 2);
    *cpp = cp;
    return (number);
}

/* read_weeks - history of a state, see put_weeks() */

static void read_weeks(AUDIT_SUMMARY *sp, AUDIT_STATE *state, const char *cp)
{
    unsigned week;
    unsigned verified;
    unsigned failed;
    unsigned count;

    if (*cp == 0)
	return;
    week = get_digits(sp, &cp);
    while (*cp == ' ' && !IS_DAMAGED(sp)) {
	if (*++cp == WEEK_GAP) {
	    cp++;
	    week += get_digits(sp, &cp);
	    continue;
	}
	verified = get_digits(sp, &cp);
	failed = (*cp == WEEK_FAILED ? cp++, get_digits(sp, &cp) : 0);
	count = (*cp == WEEK_REPEAT ? cp++, get_digits(sp, &cp) : 1);
	if (count > WEEKS_MAX)
	    damaged(sp, "damaged in line %lu: bad history", sp->lines + 2);
	while (count-- > 0 && !IS_DAMAGED(sp))
	    audit_state_week(state, week++, verified, failed);
    }
    if (*cp != 0)
	damaged(sp, "damaged in line %lu: bad history", sp->lines + 2);
}

/* read_state - state of the last destination */

static void read_state(AUDIT_SUMMARY *sp)
{
    AUDIT_STATE *state;

    if (sp->dest == 0) {
	damaged(sp, "damaged in line %lu: unexpected state", sp->lines + 2);
	return;
    }
    state = audit_facts_state(sp->facts, sp->dest,
			      audit_facts_word(sp->facts, sp->field[1]),
			      get_level(sp, 2));
    audit_state_fallback(state, get_level(sp, 3));
    state->deliveries += get_number(sp, 4);
    state->verified += get_number(sp, 5);
    state->secure += get_number(sp, 6);
    state->warnings += get_number(sp, 7);
    AUDIT_NOTE_FIRST(state->first, GET_FIRST(sp, 8));
    AUDIT_NOTE_LAST(state->last, GET_LAST(sp, 8));
    AUDIT_NOTE_FIRST(state->first_verified, GET_FIRST(sp, 10));
    AUDIT_NOTE_LAST(state->last_verified, GET_LAST(sp, 10));
    AUDIT_NOTE_FIRST(state->first_failure, GET_FIRST(sp, 12));
    AUDIT_NOTE_LAST(state->last_failure, GET_LAST(sp, 12));
    if (get_text(sp, 15))
	audit_state_reason(state, audit_facts_word(sp->facts, sp->field[15]),
			   get_number(sp, 14));
    read_weeks(sp, state, sp->field[16]);
}

/* get_nexthop - destination */

static AUDIT_DEST *get_nexthop(AUDIT_SUMMARY *sp, int n)
{
    return (audit_facts_dest(sp->facts, sp->field[n], AUDIT_DEST_NEXTHOP));
}

/* read_relay - server */

static void read_relay(AUDIT_SUMMARY *sp)
{
    unsigned count;
    int     n;

    sp->relay = audit_facts_relay(sp->facts, sp->field[1]);
    AUDIT_NOTE_LAST(sp->relay->last, GET_FIRST(sp, 2));
    for (n = 0; n < AUDIT_AUTH_COUNT; n++) {
	count = get_number(sp, 3 + n);
	sp->relay->connections[n] += count;
	sp->relay->connected += count;
    }
    sp->nexthop = 0;
    if (strcmp(sp->field[n + 3], NEXTHOPS) == 0)
	sp->relay->has_nexthops = 1;
    else if (*sp->field[n + 3])
	audit_relay_nexthop(sp->relay, sp->nexthop = get_nexthop(sp, n + 3));
}

/* read_digest - digest of the last server */

static void read_digest(AUDIT_SUMMARY *sp)
{
    char    buf[AUDIT_DIGEST_MAX + 1];
    const char *text = sp->field[4];
    char   *cp;

    if (sp->relay == 0) {
	damaged(sp, "damaged in line %lu: unexpected digest", sp->lines + 2);
	return;
    }
    if (*text == DIGEST_PACKED) {
	if (strlen(++text) % 2 != 0 || strlen(text) / 2 * 3 > AUDIT_DIGEST_MAX) {
	    damaged(sp, "damaged in line %lu: bad digest", sp->lines + 2);
	    return;
	}
	for (cp = buf; *text; text += 2) {
	    if (cp > buf)
		*cp++ = ':';
	    *cp++ = text[0];
	    *cp++ = text[1];
	}
	*cp = 0;
	text = buf;
    }
    audit_relay_digest(sp->facts, sp->relay,
		       get_small(sp, 1, AUDIT_DIGEST_KINDS), text,
		       GET_FIRST(sp, 2), GET_LAST(sp, 2));
}

/* read_cert - certificate */

static void read_cert(AUDIT_SUMMARY *sp)
{
    if (*sp->field[5] == 0) {
	if (sp->relay == 0 || sp->nexthop == 0)
	    damaged(sp, "damaged in line %lu: unexpected cert", sp->lines + 2);
	else
	    audit_facts_cert(sp->facts, sp->relay, sp->nexthop,
			     GET_FIRST(sp, 1), GET_FIRST(sp, 2));
	return;
    }
    audit_facts_cert(sp->facts, audit_facts_relay(sp->facts, sp->field[5]),
		     audit_facts_dest(sp->facts, sp->field[4],
			 (AUDIT_DEST_KIND) get_word(sp, 3, audit_dest_kinds)),
		     GET_FIRST(sp, 1), GET_FIRST(sp, 2));
}

/* read_log - log */

static void read_log(AUDIT_SUMMARY *sp)
{
    off_t   offset = get_number(sp, 3);
    size_t  head_len = get_number(sp, 4);
    uint64_t head_hash = get_hash(sp, 5);
    AUDIT_LOG *log;

    if (IS_CHECK(sp)) {
	if (head_len == 0)
	    return;
	sp->logs++;
	if ((log = audit_log_find(sp->facts, head_len, head_hash)) == 0)
	    return;
	if (log->offset >= offset)
	    sp->known++;
	else
	    damaged(sp, "it has more of %s than what was read before",
		    log->name);
	return;
    }
    log = sp->log = audit_log_create(sp->facts, sp->field[1],
				     GET_FIRST(sp, 2));
    log->offset = offset;
    log->head_len = head_len;
    log->head_hash = head_hash;
    if (get_text(sp, 6))
	log->head_lines = mystrdup(sp->field[6]);
    log->tail_len = get_number(sp, 7);
    log->tail_hash = get_hash(sp, 8);
    log->head_text = get_raw(sp, 9);
    log->tail_text = get_raw(sp, 10);
    sp->host = 0;
    sp->group = 0;
}

/* read_host - host of the last log */

static void read_host(AUDIT_SUMMARY *sp)
{
    if (sp->log == 0) {
	damaged(sp, "damaged in line %lu: unexpected host", sp->lines + 2);
	return;
    }
    sp->host = audit_log_host(sp->facts, sp->log, sp->field[1]);
    sp->host->lines = sp->host->swept = get_number(sp, 2);
    sp->host->first = GET_FIRST(sp, 3);
    sp->host->last = GET_LAST(sp, 3);
    sp->group = 0;
}

/* read_group - group of the last host */

static void read_group(AUDIT_SUMMARY *sp)
{
    AUDIT_GROUP *group;

    if (sp->host == 0) {
	damaged(sp, "damaged in line %lu: unexpected group", sp->lines + 2);
	return;
    }
    group = sp->group = audit_group_create(sp->field[4]);
    group->flags = get_small(sp, 1, 4);
    group->first = get_number(sp, 2);
    group->last = get_number(sp, 3);
    if (get_text(sp, 6)) {
	group->done = audit_facts_relay(sp->facts, sp->field[6]);
	group->done_dest = get_nexthop(sp, 7);
	group->is_other = get_small(sp, 8, 2);
    }
    audit_group_append(sp->host, group, sp->field[5]);
}

/* read_event - event of the last group */

static void read_event(AUDIT_SUMMARY *sp)
{
    AUDIT_EVENT event;

    if (sp->group == 0) {
	damaged(sp, "damaged in line %lu: unexpected event", sp->lines + 2);
	return;
    }
    memset((void *) &event, 0, sizeof(event));
    event.type = (AUDIT_EVENT_TYPE) get_word(sp, 1, audit_event_types);
    event.relay = audit_facts_relay(sp->facts, sp->field[2]);
    event.name = get_text(sp, 3);
    event.policy = audit_facts_word(sp->facts, get_text(sp, 4));
    event.level = audit_facts_word(sp->facts, get_text(sp, 5));
    event.label = audit_facts_word(sp->facts, get_text(sp, 6));
    event.reason = audit_facts_word(sp->facts, get_text(sp, 7));
    event.verified = get_small(sp, 8, 2);
    event.attain = get_small(sp, 9, AUDIT_ATTAIN_COUNT + 1)
	+ AUDIT_ATTAIN_UNKNOWN;
    event.count = get_number(sp, 10);
    event.first = GET_FIRST(sp, 11);
    event.last = GET_LAST(sp, 11);
    event.expires = get_number(sp, 13);
    if (event.type == AUDIT_EVENT_DONE) {
	event.dest = get_nexthop(sp, 3);
	event.name = 0;
    }
    audit_group_add(sp->group, &event);
}

/* read_total - counter; the name is the rest of the line */

static void read_total(AUDIT_SUMMARY *sp)
{
    unsigned long value = get_number(sp, 1);

    if (sp->flags & AUDIT_SUMMARY_TOTALS)
	(void) audit_count_total(sp->facts->totals, sp->field[2], value);
}

/* read_note - note about the input */

static void read_note(AUDIT_SUMMARY *sp)
{
    char   *file = get_raw(sp, 1);
    char   *text = get_raw(sp, 2);

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
static const RECORD records[] = {
    {"digest", 4, read_digest},
    {"relay", 3 + AUDIT_AUTH_COUNT, read_relay},
    {"dest", 3, read_dest},
    {"state", 16, read_state},
    {"count", 4 + AUDIT_COUNT_KINDS, read_count},
    {"cert", 5, read_cert},
    {"day", 1 + AUDIT_COUNT_KINDS, read_day},
    {"group", 8, read_group},
    {"event", 13, read_event},
    {"host", 4, read_host},
    {"log", 10, read_log},
    {"lines", 2, read_lines},
    {"period", 2, read_period},
    {"total", 2, read_total},
    {"note", 2, read_note},
    {0},
};

/* split_line - fields after the name; the last one is the rest of the line */

static void split_line(AUDIT_SUMMARY *sp, char *cp, int count)
{
    for (sp->count = 1; sp->count < count && cp; sp->count++) {
	if ((cp = strchr(cp, SEPARATOR)) == 0)
	    break;
	*cp++ = 0;
	sp->field[sp->count] = cp;
    }
}

/* find_record - which record is that, null if it is not known */

static const RECORD *find_record(const char *line, size_t len)
{
    const RECORD *rp;
    size_t  n;

    for (rp = records; rp->name; rp++) {
	for (n = 0; n < len && rp->name[n] == line[n] && line[n]; n++)
	     /* void */ ;
	if (rp->name[n] == 0 && (n == len || line[n] == SEPARATOR))
	    break;
    }
    return (rp->name ? rp : 0);
}

/* read_record - one line after the first one */

static void read_record(AUDIT_SUMMARY *sp, char *line, size_t len)
{
    const RECORD *rp = find_record(line, len);

    if (rp == 0)
	argv_add(sp->facts->unknown, line, ARGV_END);
    else if (split_line(sp, line, rp->fields + 1), sp->count != rp->fields + 1)
	damaged(sp, "damaged in line %lu: fields are missing", sp->lines + 2);
    else
	rp->read(sp);
}

/* check_record - the same, before it is known that the summary is complete */

static void check_record(AUDIT_SUMMARY *sp, const char *line, size_t len)
{
    const RECORD *rp = find_record(line, len);
    char   *copy;

    if (rp == 0) {
	if (sp->minor <= AUDIT_SUMMARY_MINOR)
	    damaged(sp, "damaged in line %lu: unknown record", sp->lines + 2);
    } else if (rp->read == read_log) {
	copy = mystrndup(line, len);
	read_record(sp, copy, len);
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
	damaged(sp, "not a summary");
	return;
    }
    major = strtoul(cp, &end, 10);
    if (major != AUDIT_SUMMARY_MAJOR)
	damaged(sp, "made by another version of posttls-audit (format %lu,"
		" this program has %d)", major, AUDIT_SUMMARY_MAJOR);
    sp->minor = atoi(end);
    if (IS_CHECK(sp) == 0 && sp->minor > sp->facts->minor)
	sp->facts->minor = sp->minor;
}

/* read_last - count and hash of what came before */

static void read_last(AUDIT_SUMMARY *sp, const char *text)
{
    char   *line = mystrdup(text);

    sp->ended = 1;
    split_line(sp, line, 3);
    if (sp->count != 3 || get_number(sp, 1) != sp->lines
	|| get_hash(sp, 2) != sp->hash)
	damaged(sp, "damaged: its content does not match its check sum");
    myfree(line);
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
    sp->problem = vstring_alloc(100);
    return (sp);
}

/* take_line - one line, a string */

static void take_line(AUDIT_SUMMARY *sp, char *line, size_t len)
{
    if (sp->started == 0) {
	read_first(sp, line);
    } else if (IS_CHECKED(sp)) {
	if (strncmp(line, "end\t", 4) == 0)
	    sp->ended = 1;
	else
	    read_record(sp, line, len);
	sp->lines++;
    } else if (sp->ended || strlen(line) != len) {
	damaged(sp, "damaged in line %lu", sp->lines + 2);
    } else if (strncmp(line, "end\t", 4) == 0) {
	read_last(sp, line);
    } else {
	sp->hash = hash_line(sp->hash, line, len);
	if (IS_CHECK(sp))
	    check_record(sp, line, len);
	else
	    read_record(sp, line, len);
	sp->lines++;
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
	damaged(sp, "truncated: it has no end");
    if (sp->known > 0 && sp->known < sp->logs)
	damaged(sp, "some of its logs were read before, and others were not");
    return (IS_DAMAGED(sp) ? STR(sp->problem) : 0);
}

/* audit_summary_known - nothing is new */

int     audit_summary_known(AUDIT_SUMMARY *sp)
{
    return (sp->logs > 0 && sp->known == sp->logs);
}

/* audit_summary_free - done */

void    audit_summary_free(AUDIT_SUMMARY *sp)
{
    vstring_free(sp->problem);
    myfree((void *) sp);
}
