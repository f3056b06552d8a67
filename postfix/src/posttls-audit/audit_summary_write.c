/*++
/* NAME
/*	audit_summary_write 3
/* SUMMARY
/*	facts to a file
/* SYNOPSIS
/*	#include "audit_summary.h"
/*
/*	AUDIT_PUT *audit_summary_write(stream, facts)
/*	VSTREAM	*stream;
/*	AUDIT_FACTS *facts;
/*
/*	void	audit_summary_write_notes(put, facts)
/*	AUDIT_PUT *put;
/*	AUDIT_FACTS *facts;
/*
/*	void	audit_summary_write_totals(put, facts)
/*	AUDIT_PUT *put;
/*	AUDIT_FACTS *facts;
/* DESCRIPTION
/*	This module writes facts as text. The format is described in the
/*	posttls-audit(1) manual page.
/*
/*	audit_summary_write() begins to write a summary, with all that
/*	adds up. audit_summary_write_notes() adds notes about the input,
/*	for another process of the same run, and
/*	audit_summary_write_totals() the counters as they were reported
/*	last, for the next run. audit_put_close(3) completes the
/*	summary, and tells whether all went well.
/* SEE ALSO
/*	audit_summary_read(3), facts from a file
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
#include <string.h>

/* Utility library. */

#include <argv.h>
#include <htable.h>
#include <mymalloc.h>
#include <vstream.h>

/* Application-specific. */

#include "audit_log.h"
#include "audit_summary.h"

/* write_lines - how many lines of each kind, and when */

static void write_lines(AUDIT_PUT *pp, const AUDIT_FACTS *facts)
{
    int     n;

    audit_put_record(pp, "period");
    audit_put_times(pp, facts->first, facts->last);
    audit_put_end(pp);
    for (n = 0; n < AUDIT_LINES_COUNT; n++) {
	audit_put_record(pp, "lines");
	audit_put_text(pp, audit_lines_names[n]);
	audit_put_number(pp, facts->lines[n]);
	audit_put_end(pp);
    }
}

/* write_count - entry of a table, and its history */

static void write_count(AUDIT_PUT *pp, const AUDIT_TABLE_INFO *info,
			        const AUDIT_COUNT *entry)
{
    int     kind;
    int     n;

    audit_put_record(pp, "count");
    audit_put_text(pp, info->name);
    audit_put_times(pp, entry->first, entry->last);
    for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	audit_put_number(pp, entry->count[kind]);
    audit_put_text(pp, entry->key);
    audit_put_end(pp);
    for (n = 0; n < entry->day_count; n++) {
	audit_put_record(pp, "day");
	audit_put_number(pp, entry->days[n].day);
	for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
	    audit_put_number(pp, entry->days[n].count[kind]);
	audit_put_end(pp);
    }
}

/* level_name - name of level, or nothing */

static const char *level_name(int level)
{
    return (level == AUDIT_LEVEL_NONE ? (char *) 0 : audit_levels[level].name);
}

/* put_weeks - one field */

static void put_weeks(AUDIT_PUT *pp, const AUDIT_STATE *sp)
{
    const AUDIT_WEEK *week = sp->weeks;
    const AUDIT_WEEK *end = week + sp->week_count;
    unsigned next;
    unsigned count;

    audit_put_text(pp, "");
    if (sp->week_count == 0)
	return;
    audit_put_digits(pp, next = week->week);
    for ( /* void */ ; week < end; week += count, next += count) {
	audit_put_char(pp, ' ');
	if (week->week > next) {
	    audit_put_char(pp, AUDIT_SUMMARY_GAP);
	    audit_put_digits(pp, week->week - next);
	    audit_put_char(pp, ' ');
	    next = week->week;
	}
	audit_put_digits(pp, week->verified);
	if (week->failed) {
	    audit_put_char(pp, AUDIT_SUMMARY_FAILED);
	    audit_put_digits(pp, week->failed);
	}
	for (count = 1; week + count < end
	     && week[count].week == week->week + count
	     && week[count].verified == week->verified
	     && week[count].failed == week->failed; count++)
	     /* void */ ;
	if (count > 1) {
	    audit_put_char(pp, AUDIT_SUMMARY_REPEAT);
	    audit_put_digits(pp, count);
	}
    }
}

/* write_state - one host and policy */

static void write_state(AUDIT_PUT *pp, const AUDIT_STATE *sp)
{
    audit_put_record(pp, "state");
    audit_put_text(pp, sp->host);
    audit_put_text(pp, level_name(sp->policy));
    audit_put_text(pp, level_name(sp->fallback));
    audit_put_number(pp, sp->deliveries);
    audit_put_number(pp, sp->verified);
    audit_put_number(pp, sp->secure);
    audit_put_number(pp, sp->warnings);
    audit_put_times(pp, sp->first, sp->last);
    audit_put_times(pp, sp->first_verified, sp->last_verified);
    audit_put_times(pp, sp->first_failure, sp->last_failure);
    audit_put_number(pp, sp->reason_time);
    audit_put_text(pp, sp->reason);
    put_weeks(pp, sp);
    audit_put_end(pp);
}

/* write_dest - destination */

static void write_dest(AUDIT_PUT *pp, const AUDIT_DEST *dest)
{
    const AUDIT_STATE *sp;

    audit_put_record(pp, "dest");
    audit_put_text(pp, audit_dest_kinds[dest->kind]);
    audit_put_number(pp, dest->is_route);
    audit_put_text(pp, dest->name);
    audit_put_end(pp);
    for (sp = dest->states; sp; sp = sp->next)
	write_state(pp, sp);
}

/* put_digest - one field */

static void put_digest(AUDIT_PUT *pp, const AUDIT_DIGEST *digest)
{
    char    packed[AUDIT_DIGEST_MAX + 1];
    char   *to = packed;
    const char *from = digest->text;
    const char *end = from + digest->len;

    *to++ = AUDIT_SUMMARY_PACKED;
    for ( /* void */ ; end - from >= 2 && from[0] != ':' && from[1] != ':'; from += 3) {
	*to++ = from[0];
	*to++ = from[1];
	if (from + 2 == end) {
	    audit_put_text(pp, "");
	    audit_put_chars(pp, packed, to - packed);
	    return;
	}
	if (from[2] != ':')
	    break;
    }
    audit_put_text(pp, digest->text);
}

 /*
  * The usual case: one nexthop, and one certificate. The latter follows the
  * server, and needs no names.
  */
#define IS_OWN_CERT(relay, own) \
	((relay)->cert == (own) && (relay)->has_nexthops == 0 \
	    && (own)->dest == (relay)->nexthop)

/* write_relay - server */

static void write_relay(AUDIT_PUT *pp, const AUDIT_RELAY *relay)
{
    const AUDIT_DIGEST *digest;
    int     n;

    audit_put_record(pp, "relay");
    audit_put_text(pp, relay->name);
    audit_put_number(pp, relay->last);
    for (n = 0; n < AUDIT_AUTH_COUNT; n++)
	audit_put_number(pp, relay->connections[n]);
    audit_put_text(pp, relay->has_nexthops ? AUDIT_SUMMARY_NEXTHOPS :
	     relay->nexthop ? relay->nexthop->name : (char *) 0);
    audit_put_end(pp);
    for (digest = relay->digests; digest; digest = digest->next) {
	audit_put_record(pp, "digest");
	audit_put_number(pp, digest->kind);
	audit_put_times(pp, digest->first, digest->last);
	put_digest(pp, digest);
	audit_put_end(pp);
    }
    if (relay->cert && IS_OWN_CERT(relay, relay->cert)) {
	audit_put_record(pp, "cert");
	audit_put_number(pp, relay->cert->seen);
	audit_put_number(pp, relay->cert->expires);
	audit_put_text(pp, "");
	audit_put_text(pp, "");
	audit_put_text(pp, "");
	audit_put_end(pp);
    }
}

/* write_cert - certificate */

static void write_cert(AUDIT_PUT *pp, const AUDIT_CERT *cert)
{
    if (IS_OWN_CERT(cert->relay, cert))
	return;
    audit_put_record(pp, "cert");
    audit_put_number(pp, cert->seen);
    audit_put_number(pp, cert->expires);
    audit_put_text(pp, audit_dest_kinds[cert->dest->kind]);
    audit_put_text(pp, cert->dest->name);
    audit_put_text(pp, cert->relay->name);
    audit_put_end(pp);
}

/* write_event - what is known about a message */

static void write_event(AUDIT_PUT *pp, const AUDIT_EVENT *ep)
{
    audit_put_record(pp, "event");
    audit_put_text(pp, audit_event_types[ep->type]);
    audit_put_text(pp, ep->relay->name);
    audit_put_text(pp, ep->dest ? ep->dest->name : ep->name);
    audit_put_text(pp, ep->policy);
    audit_put_text(pp, ep->level);
    audit_put_text(pp, ep->label);
    audit_put_text(pp, ep->reason);
    audit_put_number(pp, ep->verified);
    audit_put_number(pp, ep->attain - AUDIT_ATTAIN_UNKNOWN);
    audit_put_number(pp, ep->count);
    audit_put_times(pp, ep->first, ep->last);
    audit_put_number(pp, ep->expires);
    audit_put_end(pp);
}

/* write_groups - what is open */

static void write_groups(AUDIT_PUT *pp, const AUDIT_GROUP *group)
{
    const AUDIT_EVENT *ep;

    for ( /* void */ ; group; group = group->next) {
	audit_put_record(pp, "group");
	audit_put_number(pp, group->flags);
	audit_put_number(pp, group->first);
	audit_put_number(pp, group->last);
	audit_put_text(pp, group->queue_id);
	audit_put_text(pp, group->origin);
	audit_put_text(pp, group->done ? group->done->name : (char *) 0);
	audit_put_text(pp, group->done_dest ? group->done_dest->name : (char *) 0);
	audit_put_number(pp, group->is_other);
	audit_put_end(pp);
	for (ep = group->events; ep; ep = ep->next)
	    write_event(pp, ep);
    }
}

/* write_log - log, and its hosts */

static void write_log(AUDIT_PUT *pp, const AUDIT_LOG *log)
{
    HTABLE_INFO **list = htable_list(log->hosts);
    HTABLE_INFO **ht;
    const AUDIT_HOST *host;

    audit_put_record(pp, "log");
    audit_put_text(pp, log->name);
    audit_put_number(pp, log->limit);
    audit_put_number(pp, log->offset);
    audit_put_number(pp, log->head_len);
    audit_put_hash(pp, log->head_hash);
    audit_put_text(pp, log->head_lines);
    audit_put_number(pp, log->tail_len);
    audit_put_hash(pp, log->tail_hash);
    audit_put_raw(pp, log->head_text);
    audit_put_raw(pp, log->tail_text);
    audit_put_end(pp);
    for (ht = list; *ht; ht++) {
	host = (const AUDIT_HOST *) ht[0]->value;
	audit_put_record(pp, "host");
	audit_put_text(pp, host->name);
	audit_put_number(pp, host->lines);
	audit_put_times(pp, host->first, host->last);
	audit_put_end(pp);
	write_groups(pp, host->heads);
	write_groups(pp, host->tails);
    }
    myfree((void *) list);
}

/* WRITE_NAMES - all things that have a name */

#define WRITE_NAMES(pp, names, type, function) do { \
	const type *_entry; \
	for (_entry = AUDIT_NAMES_FIRST((names), type); _entry; \
	     _entry = AUDIT_NAMES_NEXT(_entry, type)) \
	    function((pp), _entry); \
    } while (0)

/* write_counts - all tables of counts */

static void write_counts(AUDIT_PUT *pp, const AUDIT_FACTS *facts)
{
    HTABLE_INFO **list;
    HTABLE_INFO **ht;
    int     n;

    for (n = 0; n < AUDIT_TABLE_COUNT; n++) {
	list = htable_list(facts->tables[n].entries);
	for (ht = list; *ht; ht++)
	    write_count(pp, facts->tables[n].info,
			(const AUDIT_COUNT *) ht[0]->value);
	myfree((void *) list);
    }
}

/* audit_summary_write - facts to text */

AUDIT_PUT *audit_summary_write(VSTREAM *stream, AUDIT_FACTS *facts)
{
    AUDIT_PUT *pp;
    const AUDIT_LOG *log;
    char  **cpp;

    vstream_fprintf(stream, AUDIT_SUMMARY_MAGIC "%d %d\n",
		    AUDIT_SUMMARY_MAJOR, facts->minor > AUDIT_SUMMARY_MINOR ?
		    facts->minor : AUDIT_SUMMARY_MINOR);
    pp = audit_put_open(stream);
    for (log = facts->logs; log; log = log->next)
	write_log(pp, log);
    write_lines(pp, facts);
    write_counts(pp, facts);
    WRITE_NAMES(pp, &facts->destinations, AUDIT_DEST, write_dest);
    WRITE_NAMES(pp, &facts->relays, AUDIT_RELAY, write_relay);
    WRITE_NAMES(pp, &facts->certs, AUDIT_CERT, write_cert);
    for (cpp = facts->unknown->argv; *cpp; cpp++) {
	audit_put_record(pp, *cpp);
	audit_put_end(pp);
    }
    return (pp);
}

/* audit_summary_write_notes - what is wrong with the input */

void    audit_summary_write_notes(AUDIT_PUT *pp, AUDIT_FACTS *facts)
{
    char  **cpp;

    for (cpp = facts->notes->argv; *cpp; cpp += 2) {
	audit_put_record(pp, "note");
	audit_put_raw(pp, cpp[0]);
	audit_put_raw(pp, cpp[1]);
	audit_put_end(pp);
    }
}

/* audit_summary_write_totals - what was reported */

void    audit_summary_write_totals(AUDIT_PUT *pp, AUDIT_FACTS *facts)
{
    HTABLE_INFO **list = htable_list(facts->totals);
    HTABLE_INFO **ht;

    for (ht = list; *ht; ht++) {
	audit_put_record(pp, "total");
	audit_put_number(pp, *(const unsigned long *) ht[0]->value);
	audit_put_text(pp, ht[0]->key);
	audit_put_end(pp);
    }
    myfree((void *) list);
}
