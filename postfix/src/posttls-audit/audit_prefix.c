/*++
/* NAME
/*	audit_prefix 3
/* SUMMARY
/*	what comes before the text of a log line
/* SYNOPSIS
/*	#include "audit_prefix.h"
/*
/*	int	audit_prefix_parse(result, line, len)
/*	AUDIT_PREFIX *result;
/*	char	*line;
/*	size_t	len;
/*
/*	int	audit_prefix_is_other(line, len)
/*	const char *line;
/*	size_t	len;
/* DESCRIPTION
/*	This module finds the time stamp, the host, the program and the
/*	message text of a log line. The line is modified, and there
/*	must be room for a null byte after its last character.
/*
/*	A log line is a time stamp (see audit_time(3)), a host, a tag
/*	("postfix/smtp[123]:") and text. Things that may surround it are
/*	layers, and may be combined:
/* .IP "<22>, <22>1"
/*	Syslog priority. With a version, the line is that of RFC 5424.
/* .IP "{"log":"...","time":"..."}"
/*	Docker's json-file logging driver.
/* .IP "{"MESSAGE":"...","_HOSTNAME":"...", ...}"
/*	"journalctl -o json", "-o json-sse" and "-o json-seq".
/* .IP "mail-1  | ..."
/*	"docker compose logs".
/* .IP "[pod/name/container] ..."
/*	"kubectl logs --prefix".
/* .IP "TIMESTAMP stdout F ..."
/*	Kubernetes' container runtime interface, podman's k8s-file.
/* .IP "TIMESTAMP TIMESTAMP ..."
/*	Options for time stamps of the above.
/* .IP "TIMESTAMP <mail.info> HOST, TIMESTAMP HOST mail.info"
/*	"syslogd -vv" on FreeBSD, and busybox syslogd.
/* .IP "TAG: [ID 197553 mail.info] ..."
/*	Solaris.
/* .PP
/*	Of several time stamps, the outermost one counts: it has a year
/*	and a time zone.
/*
/*	audit_prefix_is_other() recognizes most lines of other programs
/*	fast: lines with a time stamp, a host and a tag like those of a
/*	line that audit_prefix_parse() has found to be from another
/*	program. The result zero says nothing.
/*
/*	The result of audit_prefix_parse() is zero when a line is not
/*	understood. Only for a
/*	line of the Postfix SMTP or LMTP client is everything filled in.
/*	It is valid until the next call.
/* SEE ALSO
/*	audit_line(3), log line parser
/*	audit_time(3), time stamps
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

#include <stringops.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_json.h"
#include "audit_prefix.h"
#include "audit_start.h"
#include "audit_time.h"

#define STR	vstring_str

 /*
  * Programs that send mail with the SMTP client's code. The name is the last
  * component of the syslog tag, which does not depend on syslog_name or on
  * the name of the service.
  */
static const char *const client_programs[] = {
    "smtp", "lmtp", 0,
};

#define CLIENT_PROGRAM_LEN	4

 /*
  * What ends a tag. This is looked up for many characters of every line.
  */
static const unsigned char tag_end[256] = {
    ['['] = 1, [':'] = 1, [' '] = 1,
};

 /*
  * The host and the tags that were seen on lines without layers. A tag ends
  * with the character after it. What is before a tag is remembered with the
  * spaces around it. Most logs have few hosts and few programs.
  */
#define RECENT_TAGS	64		/* power of two */
#define RECENT_ROOM	16		/* after the begin of a tag */

static AUDIT_START recent_start;	/* time stamp and host */
static AUDIT_START recent_host;
static AUDIT_START recent_tags[RECENT_TAGS];

 /*
  * The remainder of a line. A layer takes what is its own from both ends.
  */
typedef struct {
    char   *text;
    char   *end;
} AUDIT_SPAN;

#define SPAN_LEN(span)		((size_t) ((span)->end - (span)->text))
#define STARTS_WITH(span, ch)	((span)->text < (span)->end && *(span)->text == (ch))
#define HAS_PREFIX(span, prefix) \
	(SPAN_LEN(span) >= sizeof(prefix) - 1 \
	    && memcmp((span)->text, (prefix), sizeof(prefix) - 1) == 0)

 /*
  * What a layer turned out to be.
  */
typedef enum {
    LAYER_NOT,				/* something else, nothing done */
    LAYER_TAKEN,			/* look at what is left */
    LAYER_LINE,				/* result is complete */
    LAYER_BAD				/* not understood */
} AUDIT_LAYER_STATUS;

typedef AUDIT_LAYER_STATUS (*AUDIT_LAYER_FN) (AUDIT_PREFIX *, AUDIT_SPAN *);

typedef struct {
    int     first;			/* character, or zero for any */
    AUDIT_LAYER_FN take;
} AUDIT_LAYER;

#define LAYER_DEPTH	6		/* layers on one line */

#define STREAM_LEN	(sizeof("stdout F ") - 1)

static AUDIT_LAYER_STATUS take_priority(AUDIT_PREFIX *, AUDIT_SPAN *);
static AUDIT_LAYER_STATUS take_rfc5424(AUDIT_PREFIX *, AUDIT_SPAN *);
static AUDIT_LAYER_STATUS take_json(AUDIT_PREFIX *, AUDIT_SPAN *);
static AUDIT_LAYER_STATUS take_event(AUDIT_PREFIX *, AUDIT_SPAN *);
static AUDIT_LAYER_STATUS take_separator(AUDIT_PREFIX *, AUDIT_SPAN *);
static AUDIT_LAYER_STATUS take_pod(AUDIT_PREFIX *, AUDIT_SPAN *);
static AUDIT_LAYER_STATUS take_color(AUDIT_PREFIX *, AUDIT_SPAN *);
static AUDIT_LAYER_STATUS take_service(AUDIT_PREFIX *, AUDIT_SPAN *);

static const AUDIT_LAYER layers[] = {
    {'<', take_priority},
    {'1', take_rfc5424},
    {'{', take_json},
    {'d', take_event},
    {'\036', take_separator},
    {'[', take_pod},
    {'\033', take_color},
    {0, take_service},
    {0},
};

 /*
  * Members of JSON objects. An object has a line, or the parts of one. Where
  * there are two of the same kind, the second is only a substitute.
  */
typedef enum {
    MEMBER_LINE, MEMBER_STAMP, MEMBER_HOST, MEMBER_PROGRAM, MEMBER_PID,
    MEMBER_PID2, MEMBER_TEXT, MEMBER_COUNT
} AUDIT_MEMBER_ID;

typedef struct {
    const char *name;
    size_t  len;
    AUDIT_MEMBER_ID id;
} AUDIT_MEMBER;

#define MEMBER(name, id)	{name, sizeof(name) - 1, id}

static const AUDIT_MEMBER members[] = {
    /* Docker. */
    MEMBER("log", MEMBER_LINE),
    MEMBER("time", MEMBER_STAMP),
    /* The systemd journal. */
    MEMBER("__REALTIME_TIMESTAMP", MEMBER_STAMP),
    MEMBER("_HOSTNAME", MEMBER_HOST),
    MEMBER("SYSLOG_IDENTIFIER", MEMBER_PROGRAM),
    MEMBER("SYSLOG_PID", MEMBER_PID),
    MEMBER("_PID", MEMBER_PID2),
    MEMBER("MESSAGE", MEMBER_TEXT),
    {0},
};

 /*
  * What syslog calls where a message came from.
  */
static const char *const facilities[] = {
    "mail.", "daemon.", "user.", "local", "syslog.", 0,
};

/* is_client_tag - SMTP client or other program, by the end of its path */

static int is_client_tag(const char *tag, size_t len)
{
    const char *const * cpp;
    const char *name = tag + len - CLIENT_PROGRAM_LEN;

    if (len < CLIENT_PROGRAM_LEN || (name > tag && name[-1] != '/'))
	return (0);
    for (cpp = client_programs; *cpp; cpp++)
	if (memcmp(*cpp, name, CLIENT_PROGRAM_LEN) == 0)
	    return (1);
    return (0);
}

/* tag_slot - where a tag is remembered; "postfix/" says nothing */

static AUDIT_START *tag_slot(const char *tag)
{
    uint64_t begin;
    uint64_t more;

    memcpy((void *) &begin, tag, sizeof(begin));
    memcpy((void *) &more, tag + RECENT_ROOM / 2 - 3, sizeof(more));
    begin = (begin ^ more * 3) * UINT64_C(0x9E3779B97F4A7C15);
    return (recent_tags + (begin >> 32) % RECENT_TAGS);
}

 /*
  * After a time stamp with a year there may be another one, or the name of a
  * stream, and that depends on what comes after the host.
  */
#define MAY_BE_LAYER(stamp, host) \
	(ISDIGIT(*(stamp)) ? !ISLOWER(*(host)) || memcmp((host), "std", 3) == 0 : \
	    *(host) == '<')

/* set_other - remember what another program's line begins with */

static void set_other(AUDIT_PREFIX *pp, const char *host, const char *tag,
		              const char *tag_end, const char *end)
{
    if (host != pp->stamp + pp->stamp_len + 1 || end - tag < RECENT_ROOM
	|| MAY_BE_LAYER(pp->stamp, host))
	return;
    audit_start_set(&recent_host, host - 1, tag - host + 1);
    audit_start_set(tag_slot(tag), tag, tag_end + 1 - tag);
}

/* audit_prefix_is_other - a line of another program, as seen before */

int     audit_prefix_is_other(const char *line, size_t len)
{
    const char *end = line + len;
    const char *cp;

    if (audit_start_is(&recent_start, line, end)) {
	cp = line + recent_start.len;
    } else {
	cp = line + audit_time_length(line, len);
	if (cp == line || *line == 0 || !audit_start_is(&recent_host, cp, end)
	    || MAY_BE_LAYER(line, cp + 1))
	    return (0);
	cp += recent_host.len;
	audit_start_set(&recent_start, line, cp - line);
    }
    if (end - cp < RECENT_ROOM)
	return (0);
    return (audit_start_is(tag_slot(cp), cp, end));
}

/* is_facility - facility.severity */

static int is_facility(const char *word, size_t len)
{
    const char *const * cpp;

    for (cpp = facilities; *cpp; cpp++)
	if (len > strlen(*cpp) && memcmp(*cpp, word, strlen(*cpp)) == 0)
	    return (1);
    return (0);
}

/* next_word - take a word and the space after it, zero if there is none */

static char *next_word(AUDIT_SPAN *span, size_t *len)
{
    char   *word = span->text;
    char   *cp;

    if ((cp = memchr(word, ' ', SPAN_LEN(span))) == 0 || cp == word)
	return (0);
    *len = cp - word;
    span->text = cp + 1;
    return (word);
}

/* set_stamp - the outermost time stamp */

static void set_stamp(AUDIT_PREFIX *pp, char *stamp, size_t len)
{
    if (pp->stamp == 0) {
	pp->stamp = stamp;
	pp->stamp_len = len;
    }
}

/* set_text - message text */

static void set_text(AUDIT_PREFIX *pp, char *text, char *end)
{
    pp->text = text;
    pp->end = (end > text && end[-1] == '\r' ? end - 1 : end);
}

/* skip_solaris - skip "[ID number facility.severity] " */

static void skip_solaris(AUDIT_PREFIX *pp)
{
    AUDIT_SPAN span = {pp->text, pp->end};
    char   *cp;

    if (HAS_PREFIX(&span, "[ID ")
	&& (cp = memchr(span.text, ']', SPAN_LEN(&span))) != 0
	&& cp + 1 < span.end && cp[1] == ' ')
	pp->text = cp + 2;
}

/* parse_tag - HOST TAG[PID]: TEXT, zero if that is not what it is */

static int parse_tag(AUDIT_PREFIX *pp, char *host, char *end)
{
    char   *tag;
    char   *cp;
    size_t  host_len;

    if (*host == '<' && (cp = memchr(host, '>', end - host)) != 0
	&& end - cp > 2 && cp[1] == ' ')
	host = cp + 2;
    if ((cp = memchr(host, ' ', end - host)) == 0 || cp == host)
	return (0);
    host_len = cp - host;
    for (tag = ++cp; /* see below */ ; tag = ++cp) {
	while (cp < end && !tag_end[(unsigned char) *cp])
	    cp++;
	if (cp >= end)
	    return (0);
	if (*cp != ' ')
	    break;
	if (tag != host + host_len + 1 || !is_facility(tag, cp - tag))
	    return (0);
    }
    if ((pp->is_client = is_client_tag(tag, cp - tag)) == 0) {
	if (tag == host + host_len + 1)
	    set_other(pp, host, tag, cp, end);
	return (1);
    }
    if (*cp == '[') {
	for (cp++; cp < end && *cp != ']' && *cp != ' '; cp++)
	     /* void */ ;
	if (cp >= end || *cp++ != ']')
	    return (0);
    }
    if (end - cp < 2 || cp[0] != ':' || cp[1] != ' '
	|| memchr(host, 0, cp - host) != 0)
	return (0);
    *cp = 0;
    if (tag != host + host_len + 1) {
	memmove(tag - host_len - 1, host, host_len + 1);
	host = tag - host_len - 1;
    }
    pp->origin = host;
    set_text(pp, cp + 2, end);
    skip_solaris(pp);
    return (1);
}

/* take_priority - <PRI>, with RFC 5424 a version number */

static AUDIT_LAYER_STATUS take_priority(AUDIT_PREFIX *unused_pp,
					        AUDIT_SPAN *span)
{
    char   *cp;

    for (cp = span->text + 1; cp < span->end && ISDIGIT(*cp); cp++)
	 /* void */ ;
    if (cp == span->text + 1 || cp - span->text > 4 || cp >= span->end
	|| *cp != '>')
	return (LAYER_NOT);
    span->text = cp + 1;
    return (LAYER_TAKEN);
}

/* skip_data - skip structured data, "-" or [name key="value"][...] */

static int skip_data(AUDIT_SPAN *span)
{
    char   *cp = span->text;
    int     quoted = 0;

    if (STARTS_WITH(span, '-')) {
	cp++;
    } else {
	while (cp < span->end && *cp == '[') {
	    for (cp++; cp < span->end && (quoted || *cp != ']'); cp++) {
		if (*cp == '"')
		    quoted = !quoted;
		else if (quoted && *cp == '\\' && cp + 1 < span->end)
		    cp++;
	    }
	    if (cp >= span->end)
		return (0);
	    cp++;
	}
    }
    if (cp == span->text || cp >= span->end || *cp != ' ')
	return (0);
    span->text = cp + 1;
    return (1);
}

/* take_rfc5424 - 1 TIMESTAMP HOST APP PID MSGID DATA TEXT */

static AUDIT_LAYER_STATUS take_rfc5424(AUDIT_PREFIX *pp, AUDIT_SPAN *span)
{
    AUDIT_SPAN rest = *span;
    char   *stamp;
    char   *host;
    char   *tag;
    char   *pid;
    size_t  len;
    size_t  app_len;
    size_t  pid_len;

    if (!HAS_PREFIX(&rest, "1 "))
	return (LAYER_NOT);
    rest.text += 2;
    stamp = rest.text;
    if ((len = audit_time_length(stamp, SPAN_LEN(&rest))) == 0)
	return (LAYER_NOT);
    rest.text += len + 1;
    set_stamp(pp, stamp, len);
    if ((host = next_word(&rest, &len)) == 0
	|| (tag = next_word(&rest, &app_len)) == 0)
	return (LAYER_BAD);
    if ((pp->is_client = is_client_tag(tag, app_len)) == 0)
	return (LAYER_LINE);
    if ((pid = next_word(&rest, &pid_len)) == 0
	|| next_word(&rest, &len) == 0 || skip_data(&rest) == 0
	|| memchr(host, 0, pid - host) != 0)
	return (LAYER_BAD);
    if (HAS_PREFIX(&rest, "\357\273\277"))	/* byte order mark */
	rest.text += 3;

    /*
     * HOST APP PID MSGID becomes HOST APP[PID].
     */
    if (*pid == '-') {
	tag[app_len] = 0;
    } else {
	tag[app_len] = '[';
	pid[pid_len] = ']';
	pid[pid_len + 1] = 0;
    }
    pp->origin = host;
    set_text(pp, rest.text, rest.end);
    return (LAYER_LINE);
}

/* chop_newline - remove the escaped end of line from a string */

static void chop_newline(AUDIT_JSON_VALUE *value)
{
    static const char *const newlines[] = {"\\n", "\\r", 0};
    const char *const * cpp;
    char   *end;
    size_t  before;

    for (cpp = newlines; *cpp; cpp++) {
	end = value->text + value->len;
	for (before = 1; before < value->len && end[-1 - (long) before] == '\\';
	     before++)
	     /* void */ ;
	if (value->len >= 2 && before % 2 == 0
	    && memcmp(end - 2, *cpp, 2) == 0)
	    value->len -= 2;
    }
}

/* find_member - which member is that */

static const AUDIT_MEMBER *find_member(const AUDIT_JSON_VALUE *name)
{
    const AUDIT_MEMBER *mp;

    for (mp = members; mp->name; mp++)
	if (mp->len == name->len && memcmp(mp->name, name->text, mp->len) == 0)
	    return (mp);
    return (0);
}

/* find_members - all of an object, zero when it is damaged */

static int find_members(AUDIT_SPAN *span, AUDIT_JSON_VALUE *found)
{
    const AUDIT_MEMBER *mp;
    AUDIT_JSON json;
    AUDIT_JSON_VALUE name;
    AUDIT_JSON_VALUE value;
    int     status;

    memset((void *) found, 0, MEMBER_COUNT * sizeof(*found));
    if (audit_json_open(&json, span->text, span->end) == 0)
	return (0);
    while ((status = audit_json_member(&json, &name, &value)) > 0)
	if ((mp = find_member(&name)) != 0 && found[mp->id].text == 0)
	    found[mp->id] = value;
    return (status == 0);
}

#define IS_STRING(value) \
	((value)->text != 0 && (value)->kind == AUDIT_JSON_STRING)

/* take_parts - a line in parts */

static AUDIT_LAYER_STATUS take_parts(AUDIT_PREFIX *pp, AUDIT_JSON_VALUE *found)
{
    static VSTRING *origin;
    AUDIT_JSON_VALUE *host = found + MEMBER_HOST;
    AUDIT_JSON_VALUE *tag = found + MEMBER_PROGRAM;
    AUDIT_JSON_VALUE *pid = found + MEMBER_PID;
    AUDIT_JSON_VALUE *text = found + MEMBER_TEXT;

    if (!IS_STRING(tag) || audit_json_string(tag) == 0)
	return (pp->is_client = 0, text->text ? LAYER_LINE : LAYER_BAD);
    if ((pp->is_client = is_client_tag(tag->text, tag->len)) == 0)
	return (LAYER_LINE);
    if (!IS_STRING(pid))
	pid = found + MEMBER_PID2;
    if (!IS_STRING(host) || audit_json_string(host) == 0
	|| host->len == 0 || strchr(host->text, ' ') || strchr(tag->text, ' ')
	|| (IS_STRING(pid) && (audit_json_string(pid) == 0
			       || strchr(pid->text, ' ')))
	|| text->text == 0
	|| (IS_STRING(text) ? audit_json_string(text) == 0 :
	    text->kind != AUDIT_JSON_ARRAY || audit_json_bytes(text) == 0))
	return (LAYER_BAD);
    if (origin == 0)
	origin = vstring_alloc(100);
    vstring_sprintf(origin, "%s %s", host->text, tag->text);
    if (IS_STRING(pid))
	vstring_sprintf_append(origin, "[%s]", pid->text);
    pp->origin = STR(origin);
    set_text(pp, text->text, text->text + text->len);
    return (LAYER_LINE);
}

/* take_json - an object with a line, or with its parts */

static AUDIT_LAYER_STATUS take_json(AUDIT_PREFIX *pp, AUDIT_SPAN *span)
{
    AUDIT_JSON_VALUE found[MEMBER_COUNT];
    AUDIT_JSON_VALUE *line = found + MEMBER_LINE;
    AUDIT_JSON_VALUE *stamp = found + MEMBER_STAMP;

    if (find_members(span, found) == 0)
	return (LAYER_BAD);
    if (IS_STRING(stamp) && !stamp->escaped)
	set_stamp(pp, stamp->text, stamp->len);
    if (!IS_STRING(line))
	return (pp->stamp ? take_parts(pp, found) : LAYER_BAD);
    chop_newline(line);
    if (audit_json_string(line) == 0)
	return (LAYER_BAD);
    span->text = line->text;
    span->end = line->text + line->len;
    return (LAYER_TAKEN);
}

/* take_event - "data: ", of journalctl -o json-sse */

static AUDIT_LAYER_STATUS take_event(AUDIT_PREFIX *unused_pp, AUDIT_SPAN *span)
{
    if (!HAS_PREFIX(span, "data: {"))
	return (LAYER_NOT);
    span->text += sizeof("data: ") - 1;
    return (LAYER_TAKEN);
}

/* take_separator - of journalctl -o json-seq */

static AUDIT_LAYER_STATUS take_separator(AUDIT_PREFIX *unused_pp,
					         AUDIT_SPAN *span)
{
    span->text++;
    return (LAYER_TAKEN);
}

/* take_pod - [pod/name/container] */

static AUDIT_LAYER_STATUS take_pod(AUDIT_PREFIX *unused_pp, AUDIT_SPAN *span)
{
    char   *cp;

    if (!HAS_PREFIX(span, "[pod/")
	|| (cp = memchr(span->text, ']', SPAN_LEN(span))) == 0
	|| span->end - cp < 2 || cp[1] != ' ')
	return (LAYER_NOT);
    span->text = cp + 2;
    return (LAYER_TAKEN);
}

/* take_color - terminal control sequence */

static AUDIT_LAYER_STATUS take_color(AUDIT_PREFIX *unused_pp, AUDIT_SPAN *span)
{
    char   *cp;

    if (!HAS_PREFIX(span, "\033["))
	return (LAYER_NOT);
    for (cp = span->text + 2; cp < span->end
	 && (ISDIGIT(*cp) || *cp == ';'); cp++)
	 /* void */ ;
    if (cp >= span->end || *cp != 'm')
	return (LAYER_NOT);
    span->text = cp + 1;
    return (LAYER_TAKEN);
}

/* take_service - name, spaces, "| " */

static AUDIT_LAYER_STATUS take_service(AUDIT_PREFIX *unused_pp, AUDIT_SPAN *span)
{
    char   *cp;

    for (cp = span->text; cp < span->end && (ISALNUM(*cp) || *cp == '-'
				     || *cp == '_' || *cp == '.'); cp++)
	 /* void */ ;
    if (cp == span->text)
	return (LAYER_NOT);
    while (cp < span->end && *cp == ' ')
	cp++;
    if (span->end - cp < 2 || cp[0] != '|' || cp[1] != ' ')
	return (LAYER_NOT);
    span->text = cp + 2;
    return (LAYER_TAKEN);
}

/* take_stamp - time stamp; LAYER_TAKEN when a whole line follows */

static AUDIT_LAYER_STATUS take_stamp(AUDIT_PREFIX *pp, AUDIT_SPAN *span)
{
    size_t  len;

    if ((len = audit_time_length(span->text, SPAN_LEN(span))) == 0)
	return (LAYER_NOT);
    set_stamp(pp, span->text, len);
    span->text += len + 1;

    /*
     * What has no year was not put before another time stamp. Few host names
     * look like the start of one.
     */
#define IS_STAMP_START(ch)	(ISDIGIT(ch) || ISUPPER(ch))

    if (ISDIGIT(*pp->stamp)) {
	if (*span->text == 's' && SPAN_LEN(span) > STREAM_LEN
	    && span->text[STREAM_LEN - 1] == ' '
	    && (HAS_PREFIX(span, "stdout ") || HAS_PREFIX(span, "stderr "))) {
	    span->text += STREAM_LEN;
	    return (LAYER_TAKEN);
	}
	if (IS_STAMP_START(*span->text)
	    && audit_time_length(span->text, SPAN_LEN(span)) > 0)
	    return (LAYER_TAKEN);
    }
    return (parse_tag(pp, span->text, span->end) ? LAYER_LINE : LAYER_BAD);
}

/* take_layer - anything but a time stamp */

static AUDIT_LAYER_STATUS take_layer(AUDIT_PREFIX *pp, AUDIT_SPAN *span)
{
    const AUDIT_LAYER *lp;
    AUDIT_LAYER_STATUS status;

    for (lp = layers; lp->take; lp++)
	if ((lp->first == 0 || STARTS_WITH(span, lp->first))
	    && (status = lp->take(pp, span)) != LAYER_NOT)
	    return (status);
    return (LAYER_BAD);
}

/* audit_prefix_parse - find the parts of a line */

int     audit_prefix_parse(AUDIT_PREFIX *pp, char *line, size_t len)
{
    AUDIT_SPAN span;
    AUDIT_LAYER_STATUS status;
    int     depth;

    pp->stamp = 0;
    span.text = line;
    span.end = line + len;
    for (depth = 0; depth < LAYER_DEPTH; depth++) {
	if ((status = take_stamp(pp, &span)) == LAYER_NOT)
	    status = take_layer(pp, &span);
	if (status != LAYER_TAKEN)
	    return (status == LAYER_LINE);
    }
    return (0);
}
