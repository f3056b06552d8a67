/*++
/* NAME
/*	audit_line 3
/* SUMMARY
/*	log line parser
/* SYNOPSIS
/*	#include "audit_line.h"
/*
/*	void	audit_line_parse(result, clock, line, len)
/*	AUDIT_LINE *result;
/*	AUDIT_CLOCK *clock;
/*	char	*line;
/*	size_t	len;
/*
/*	int	audit_feature_parse(feature, state)
/*	AUDIT_FEATURE *feature;
/*	char	**state;
/*
/*	const char *audit_feature_label(buf, feature)
/*	VSTRING	*buf;
/*	const AUDIT_FEATURE *feature;
/* DESCRIPTION
/*	audit_line_parse() finds out what a log line is, and takes it
/*	apart. The line is modified, and there must be room for a null
/*	byte after its last character. A line of another program than
/*	the Postfix SMTP or LMTP client is recognized without looking
/*	at the message text.
/*
/*	The text of a log line may have been chosen by someone else:
/*	a remote server's reply, a recipient address. The parser relies
/*	on what the SMTP client logs before such text, and stops where
/*	such text begins.
/*
/*	An audit record is a list of name=value pairs, or a JSON object.
/*	The values of an object come out as the same strings. When an
/*	attribute is there more than once, the first one counts.
/*
/*	audit_feature_parse() takes the next feature from a tls= status.
/*	*state is initially the status, and is modified. The result is
/*	positive for a feature, zero at the end, and negative for
/*	something that is not a feature.
/*
/*	audit_feature_label() formats a feature as Postfix logs it.
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
#include <string.h>

/* Utility library. */

#include <stringops.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_json.h"
#include "audit_line.h"
#include "audit_prefix.h"
#include "audit_start.h"

#define STR	vstring_str

const char *const audit_line_types[] = {
    "audit", "fallback", "fallback_refused", "delivery_status",
    "tls_connection", "client_other", "other_program", "not_understood", 0,
};

#define QUEUE_ID_MAX		32

 /*
  * The remainder of a line while it is taken apart.
  */
typedef struct {
    char   *text;
    char   *end;			/* a null byte */
} AUDIT_TEXT;

#define TEXT_LEN(t)	((size_t) ((t)->end - (t)->text))

 /*
  * Message text recognizers. Each one takes the text after the prefix, and
  * says if the line was what it looked like.
  */
typedef int (*AUDIT_PARSER) (AUDIT_LINE *, AUDIT_TEXT *);

typedef struct {
    const char *prefix;
    size_t  len;
    AUDIT_LINE_TYPE type;
    AUDIT_PARSER parse;
} AUDIT_MESSAGE;

#define MESSAGE(prefix, type, parse) \
	{prefix, sizeof(prefix) - 1, type, parse}

static int parse_pairs(AUDIT_LINE *, AUDIT_TEXT *);
static int parse_record(AUDIT_LINE *, AUDIT_TEXT *);
static int parse_status(AUDIT_LINE *, AUDIT_TEXT *);
static int parse_tlsconn(AUDIT_LINE *, AUDIT_TEXT *);

 /*
  * After "QUEUEID: ".
  */
static const AUDIT_MESSAGE queue_messages[] = {
    MESSAGE("to=<", AUDIT_LINE_STATUS, parse_status),
    MESSAGE("tlsaudit:", AUDIT_LINE_AUDIT, parse_record),
    {0},
};

 /*
  * After "warning: QUEUEID: ".
  */
static const AUDIT_MESSAGE warning_messages[] = {
    MESSAGE("tls fallback: ", AUDIT_LINE_FALLBACK, parse_pairs),
    MESSAGE("tls fallback refused: ", AUDIT_LINE_REFUSED, parse_pairs),
    {0},
};

 /*
  * After the server authentication result. There is no queue ID: a connection
  * is not made for one message only.
  */
static const AUDIT_MESSAGE tlsconn_messages[] = {
    MESSAGE("TLS connection established to ", AUDIT_LINE_TLSCONN, parse_tlsconn),
    {0},
};

static const char warning_prefix[] = "warning: ";

#define WARNING_PREFIX_LEN	(sizeof(warning_prefix) - 1)

/* skip_prefix - skip specific text */

static int skip_prefix(AUDIT_TEXT *rest, const char *prefix, size_t len)
{
    if (TEXT_LEN(rest) < len || memcmp(rest->text, prefix, len) != 0)
	return (0);
    rest->text += len;
    return (1);
}

/* split_at - take the text before a separator */

static char *split_at(AUDIT_TEXT *rest, const char *separator, size_t len)
{
    char   *start = rest->text;
    char   *cp;

    for (cp = start; (cp = memchr(cp, separator[0], rest->end - cp)) != 0; cp++) {
	if ((size_t) (rest->end - cp) < len)
	    return (0);
	if (memcmp(cp, separator, len) == 0) {
	    *cp = 0;
	    rest->text = cp + len;
	    return (start);
	}
    }
    return (0);
}

#define SPLIT_AT(rest, separator) \
	split_at((rest), (separator), sizeof(separator) - 1)

 /*
  * Characters in attribute names, feature names and queue IDs. This is looked
  * up for many characters of every audit line.
  */
#define CHAR_NAME	(1<<0)
#define CHAR_FEATURE	(1<<1)
#define CHAR_QUEUE_ID	(1<<2)

#define DIGIT	(CHAR_NAME | CHAR_FEATURE | CHAR_QUEUE_ID)
#define LOWER	DIGIT
#define UPPER	(CHAR_NAME | CHAR_QUEUE_ID)
#define PUNCT	(CHAR_NAME | CHAR_FEATURE)

static const unsigned char char_class[256] = {
    ['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT, ['4'] = DIGIT,
    ['5'] = DIGIT, ['6'] = DIGIT, ['7'] = DIGIT, ['8'] = DIGIT, ['9'] = DIGIT,
    ['a'] = LOWER, ['b'] = LOWER, ['c'] = LOWER, ['d'] = LOWER, ['e'] = LOWER,
    ['f'] = LOWER, ['g'] = LOWER, ['h'] = LOWER, ['i'] = LOWER, ['j'] = LOWER,
    ['k'] = LOWER, ['l'] = LOWER, ['m'] = LOWER, ['n'] = LOWER, ['o'] = LOWER,
    ['p'] = LOWER, ['q'] = LOWER, ['r'] = LOWER, ['s'] = LOWER, ['t'] = LOWER,
    ['u'] = LOWER, ['v'] = LOWER, ['w'] = LOWER, ['x'] = LOWER, ['y'] = LOWER,
    ['z'] = LOWER,
    ['A'] = UPPER, ['B'] = UPPER, ['C'] = UPPER, ['D'] = UPPER, ['E'] = UPPER,
    ['F'] = UPPER, ['G'] = UPPER, ['H'] = UPPER, ['I'] = UPPER, ['J'] = UPPER,
    ['K'] = UPPER, ['L'] = UPPER, ['M'] = UPPER, ['N'] = UPPER, ['O'] = UPPER,
    ['P'] = UPPER, ['Q'] = UPPER, ['R'] = UPPER, ['S'] = UPPER, ['T'] = UPPER,
    ['U'] = UPPER, ['V'] = UPPER, ['W'] = UPPER, ['X'] = UPPER, ['Y'] = UPPER,
    ['Z'] = UPPER,
    ['_'] = PUNCT, ['-'] = PUNCT, ['+'] = CHAR_FEATURE,
};

#define CHAR_IS(ch, class)	(char_class[(unsigned char) (ch)] & (class))

/* attr_name_len - length of a "name=" at this place, zero if there is none */

static size_t attr_name_len(const char *text, const char *end)
{
    const char *cp;

    for (cp = text; cp < end && CHAR_IS(*cp, CHAR_NAME); cp++)
	 /* void */ ;
    return (cp < end && *cp == '=' ? cp - text : 0);
}

 /*
  * Templates rarely change from one line to the next. So what was found at a
  * place is tried first, next time.
  */
#define PLACES		64

typedef struct {
    AUDIT_START name;			/* and what follows it */
    int     attr;
} AUDIT_PLACE;

/* attr_find - attribute name to number, -1 if there is no such attribute */

static int attr_find(AUDIT_PLACE *places, int place, const char *name, size_t len)
{
    AUDIT_PLACE *pp = places + place;
    int     n;

    if (place < PLACES && pp->name.len == len + 1
	&& memcmp(pp->name.words, name, len) == 0)
	return (pp->attr);
    for (n = 0; n < AUDIT_ATTR_COUNT; n++)
	if (audit_attrs[n].len == len
	    && memcmp(audit_attrs[n].name, name, len) == 0)
	    break;
    if (n == AUDIT_ATTR_COUNT)
	n = -1;
    if (place < PLACES) {
	audit_start_set(&pp->name, name, len + 1);
	pp->attr = n;
    }
    return (n);
}

/* attr_here - "name=" at this place; its length, zero if there is none */

static size_t attr_here(AUDIT_PLACE *places, int place, const char *text,
			        const char *end, int *attr)
{
    const AUDIT_PLACE *pp = places + place;
    size_t  len;

    if (place < PLACES && audit_start_is(&pp->name, text, end)) {
	*attr = pp->attr;
	return (pp->name.len - 1);
    }
    if ((len = attr_name_len(text, end)) > 0)
	*attr = attr_find(places, place, text, len);
    return (len);
}

/* skip_spaces - skip any number of spaces */

static void skip_spaces(AUDIT_TEXT *rest)
{
    while (rest->text < rest->end && *rest->text == ' ')
	rest->text++;
}

/* parse_pairs - name=value, name=value */

static int parse_pairs(AUDIT_LINE *result, AUDIT_TEXT *rest)
{
    static AUDIT_PLACE places[PLACES];
    size_t  name_len;
    int     place;
    int     attr;
    int     next = -1;
    char   *value;
    char   *cp;

    skip_spaces(rest);
    name_len = attr_here(places, 0, rest->text, rest->end, &attr);
    for (place = 0; name_len > 0; place++, attr = next) {
	value = rest->text + name_len + 1;
	name_len = 0;
	rest->text = rest->end;

	/*
	 * A comma ends a value only when another attribute follows.
	 */
	cp = (attr >= 0 && (audit_attrs[attr].flags & AUDIT_ATTR_FLAG_TAIL) ?
	      rest->end : value);
	for ( /* void */ ; (cp = memchr(cp, ',', rest->end - cp)) != 0; cp++) {
	    if (cp + 1 < rest->end && cp[1] == ' '
		&& (name_len = attr_here(places, place + 1, cp + 2,
					 rest->end, &next)) > 0) {
		*cp = 0;
		rest->text = cp + 2;
		break;
	    }
	}

	/*
	 * The first one wins. What an attacker can influence is more likely
	 * to come later.
	 */
	if (attr >= 0 && result->attr[attr] == 0 && *value)
	    result->attr[attr] = value;
    }
    return (place > 0);
}

/* set_member - attribute as another template would log it, zero if damaged */

static int set_member(char **result, AUDIT_JSON_VALUE *value)
{
    char   *text = 0;

    switch (value->kind) {
    case AUDIT_JSON_STRING:
	if (audit_json_string(value) == 0)
	    return (0);
	text = value->text;
	break;
    case AUDIT_JSON_NUMBER:
	text = value->text;
	text[value->len] = 0;
	break;
    case AUDIT_JSON_TRUE:
    case AUDIT_JSON_FALSE:
	text = (char *) audit_booleans[value->kind == AUDIT_JSON_TRUE];
	break;
    default:
	break;
    }
    *result = (text && *text ? text : 0);
    return (1);
}

/* parse_object - {"name":value,"name":value} */

static int parse_object(AUDIT_LINE *result, AUDIT_TEXT *rest)
{
    static AUDIT_PLACE places[PLACES];
    AUDIT_JSON_VALUE values[AUDIT_ATTR_COUNT];
    AUDIT_JSON json;
    AUDIT_JSON_VALUE name;
    AUDIT_JSON_VALUE value;
    int     status;
    int     place;
    int     attr;

    /*
     * A number is followed by what the next member begins with, so values
     * are terminated when all of them were found.
     */
    memset((void *) values, 0, sizeof(values));
    if (audit_json_open(&json, rest->text, rest->end) == 0)
	return (0);
    for (place = 0; (status = audit_json_member(&json, &name, &value)) > 0; place++)
	if ((attr = attr_find(places, place, name.text, name.len)) >= 0
	    && values[attr].text == 0)
	    values[attr] = value;
    if (status < 0 || place == 0)
	return (0);
    for (attr = 0; attr < AUDIT_ATTR_COUNT; attr++)
	if (values[attr].text != 0
	    && set_member(result->attr + attr, values + attr) == 0)
	    return (0);
    return (1);
}

/* parse_record - audit record, an object or pairs */

static int parse_record(AUDIT_LINE *result, AUDIT_TEXT *rest)
{
    skip_spaces(rest);
    return (TEXT_LEN(rest) > 0 && *rest->text == '{' ?
	    parse_object(result, rest) : parse_pairs(result, rest));
}

/* skip_address - take an address, after its "<" */

static char *skip_address(AUDIT_TEXT *rest)
{
    char   *start = rest->text;
    char   *cp = start;

    if (cp < rest->end && *cp == '"') {
	for (cp++; cp < rest->end && *cp != '"'; cp++)
	    if (*cp == '\\' && cp + 1 < rest->end)
		cp++;
    }
    if ((cp = memchr(cp, '>', rest->end - cp)) == 0)
	return (0);
    *cp = 0;
    rest->text = cp + 1;
    return (start);
}

 /*
  * With "info_log_address_format = internal", addresses are not quoted, and
  * one may look like the fields that follow. The real relay= is then a second
  * one, or a part of the reply, or there is something in front of it. As
  * nobody can tell which is which, such a line is not understood.
  */
#define IS_ORIG_TO(name, len) \
	((len) == sizeof("orig_to") - 1 && strncmp((name), "orig_to", (len)) == 0)
#define IS_OUT_OF_PLACE(result, attr, is_orig_to) \
	((attr) == AUDIT_ATTR_RELAY ? (result)->attr[(attr)] != 0 : \
	    (result)->attr[AUDIT_ATTR_RELAY] == 0 && !(is_orig_to))
#define HAS_SECOND_STATUS(reply)	(strstr((reply), ">, relay=") != 0)

/* parse_status - addr>, name=value, ..., status=value (reply) */

static int parse_status(AUDIT_LINE *result, AUDIT_TEXT *rest)
{
    static AUDIT_PLACE places[PLACES];
    size_t  name_len;
    int     place;
    int     attr;
    char   *value;

    if ((result->attr[AUDIT_ATTR_TO] = skip_address(rest)) == 0)
	return (0);
    for (place = 0; rest->text < rest->end && *rest->text == ','; place++) {
	*rest->text++ = 0;			/* end of previous value */
	if (*rest->text == ' ')
	    rest->text++;
	if ((name_len = attr_here(places, place, rest->text, rest->end, &attr)) == 0)
	    return (0);
	if (IS_OUT_OF_PLACE(result, attr, IS_ORIG_TO(rest->text, name_len)))
	    return (0);
	value = (rest->text += name_len + 1);
	if (attr == AUDIT_ATTR_STATUS) {
	    if ((result->attr[attr] = SPLIT_AT(rest, " (")) == 0)
		return (0);
	    if (rest->end > rest->text && rest->end[-1] == ')')
		*--rest->end = 0;
	    result->attr[AUDIT_ATTR_REPLY] = rest->text;
	    return (!HAS_SECOND_STATUS(rest->text));
	}
	if (*value == '<') {
	    rest->text++;
	    if ((value = skip_address(rest)) == 0)
		return (0);
	} else {
	    if ((rest->text = memchr(value, ',', TEXT_LEN(rest))) == 0)
		return (0);
	}
	if (attr >= 0 && result->attr[attr] == 0)
	    result->attr[attr] = value;
    }
    return (0);
}

/* parse_tlsconn - relay: protocol with cipher name (n/m bits) ... */

static int parse_tlsconn(AUDIT_LINE *result, AUDIT_TEXT *rest)
{
    char   *kex;
    char   *cp;

    if ((result->attr[AUDIT_ATTR_RELAY] = SPLIT_AT(rest, ": ")) == 0
	|| (result->attr[AUDIT_ATTR_PROTOCOL] =
	    SPLIT_AT(rest, " with cipher ")) == 0
	|| (result->attr[AUDIT_ATTR_CIPHER] = SPLIT_AT(rest, " (")) == 0)
	return (0);

    /*
     * With "ECDHE (P-256)" the curve is the more specific name, with "DHE
     * (2048 bits)" it is not.
     */
    if (SPLIT_AT(rest, " key-exchange ") != 0) {
	kex = rest->text;
	if ((cp = memchr(kex, ' ', TEXT_LEN(rest))) != 0) {
	    *cp = 0;
	    rest->text = cp + 1;
	    if (skip_prefix(rest, "(", 1) && !ISDIGIT(*rest->text)
		&& (cp = SPLIT_AT(rest, ")")) != 0)
		kex = cp;
	}
	result->attr[AUDIT_ATTR_KEX] = kex;
    }
    return (1);
}

/* parse_message - look up message text */

static int parse_message(AUDIT_LINE *result, AUDIT_TEXT *rest,
			         const AUDIT_MESSAGE *table)
{
    const AUDIT_MESSAGE *mp;

    for (mp = table; mp->prefix; mp++) {
	if (skip_prefix(rest, mp->prefix, mp->len)) {
	    result->type = (mp->parse(result, rest) ?
			    mp->type : AUDIT_LINE_UNKNOWN);
	    return (1);
	}
    }
    return (0);
}

/* skip_queue_id - take a queue ID */

static int skip_queue_id(AUDIT_LINE *result, AUDIT_TEXT *rest)
{
    char   *cp;

    for (cp = rest->text; cp < rest->end
	 && CHAR_IS(*cp, CHAR_QUEUE_ID); cp++)
	 /* void */ ;
    if (cp == rest->text || cp - rest->text > QUEUE_ID_MAX
	|| rest->end - cp < 2 || cp[0] != ':' || cp[1] != ' ')
	return (0);
    *cp = 0;
    result->queue_id = rest->text;
    rest->text = cp + 2;
    return (1);
}

/* parse_client - SMTP client message */

static void parse_client(AUDIT_LINE *result, AUDIT_TEXT *rest)
{
    const char *const * auth;
    size_t  len;

    result->type = AUDIT_LINE_CLIENT;
    if (skip_prefix(rest, warning_prefix, WARNING_PREFIX_LEN)) {
	if (skip_queue_id(result, rest))
	    (void) parse_message(result, rest, warning_messages);
    } else if (skip_queue_id(result, rest)) {
	(void) parse_message(result, rest, queue_messages);
    } else if (TEXT_LEN(rest) > 0 && ISUPPER(*rest->text)) {
	for (auth = audit_auths; *auth; auth++) {
	    len = strlen(*auth);
	    if (skip_prefix(rest, *auth, len) && skip_prefix(rest, " ", 1)) {
		if (parse_message(result, rest, tlsconn_messages))
		    result->attr[AUDIT_ATTR_AUTH] = (char *) *auth;
		break;
	    }
	}
    }
}

/* audit_line_parse - classify and take apart */

void    audit_line_parse(AUDIT_LINE *result, AUDIT_CLOCK *clock,
			         char *line, size_t len)
{
    AUDIT_PREFIX prefix;
    AUDIT_TEXT rest;
    char   *cp;

    result->type = AUDIT_LINE_UNKNOWN;
    result->nul_bytes = 0;

    /*
     * After a system crash, a line may begin with null bytes that no program
     * wrote.
     */
    if (len > 0 && *line == 0) {
	result->nul_bytes = 1;
	while (len > 0 && *line == 0)
	    line++, len--;
    }

    /*
     * Most lines end here.
     */
    if (audit_prefix_parse(&prefix, line, len) == 0)
	return;
    if (prefix.is_client == 0) {
	result->type = AUDIT_LINE_OTHER;
	return;
    }
    memset((void *) result->attr, 0, sizeof(result->attr));
    result->queue_id = 0;
    result->origin = prefix.origin;
    rest.text = prefix.text;
    rest.end = prefix.end;
    *rest.end = 0;

    /*
     * Everything from here on uses strings. Also, no control characters in
     * reports.
     */
    if (memchr(rest.text, 0, TEXT_LEN(&rest)) != 0) {
	result->nul_bytes = 1;
	for (cp = rest.text; cp < rest.end; cp++)
	    if (*cp == 0)
		*cp = '?';
    }
    parse_client(result, &rest);
    if (AUDIT_LINE_HAS_DATA(result)
	&& audit_time_parse(clock, prefix.stamp, prefix.stamp_len,
			    &result->time) == 0)
	result->type = AUDIT_LINE_UNKNOWN;
}

/* is_feature_name - valid name of feature or level */

static int is_feature_name(const char *name)
{
    const char *cp;

    for (cp = name; CHAR_IS(*cp, CHAR_FEATURE); cp++)
	 /* void */ ;
    return (cp > name && *cp == 0);
}

/* audit_feature_parse - next feature of a TLS status */

int     audit_feature_parse(AUDIT_FEATURE *feature, char **state)
{
    char   *text = *state;
    char   *cp;
    size_t  len;

    if (*text == 0)
	return (0);
    if ((cp = strchr(text, '/')) != 0) {
	*cp = 0;
	*state = cp + 1;
    } else {
	*state = text + strlen(text);
    }

    /*
     * Postfix 3.11 snapshots had parentheses around a feature that was
     * relaxed by Postfix's own rules.
     */
    feature->flags = 0;
    feature->actual = 0;
    len = strlen(text);
    if (len > 1 && text[0] == '(' && text[len - 1] == ')') {
	text[--len] = 0;
	text++, len--;
	feature->flags |= AUDIT_FEATURE_RELAXED;
    }
    if (*text == '!') {
	feature->flags |= AUDIT_FEATURE_VIOLATION;
	text++, len--;
    }
    if (len > 0 && text[len - 1] == '?') {
	feature->flags |= AUDIT_FEATURE_UNDECIDED;
	text[--len] = 0;
    }
    if ((cp = strchr(text, ':')) != 0) {
	*cp = 0;
	feature->actual = cp + 1;
    }
    feature->name = text;
    return (is_feature_name(text)
	    && (feature->actual == 0 || is_feature_name(feature->actual)) ?
	    1 : -1);
}

/* audit_feature_label - format as logged */

const char *audit_feature_label(VSTRING *buf, const AUDIT_FEATURE *feature)
{
    vstring_sprintf(buf, "%s%s%s%s%s",
		    (feature->flags & AUDIT_FEATURE_VIOLATION) ? "!" : "",
		    feature->name,
		    feature->actual ? ":" : "",
		    feature->actual ? feature->actual : "",
		    (feature->flags & AUDIT_FEATURE_UNDECIDED) ? "?" : "");
    return (STR(buf));
}

#ifdef TEST

 /*
  * Read log lines from the standard input, and show what was found in them. An
  * input line may have \000 for a null byte. The optional argument is the time
  * when the log was last written to.
  */
#include <stdlib.h>
#include <vstream.h>
#include <vstring_vstream.h>

/* show_features - TLS status */

static void show_features(char *status)
{
    VSTRING *buf = vstring_alloc(100);
    AUDIT_FEATURE feature;
    int     found;

    while ((found = audit_feature_parse(&feature, &status)) > 0)
	vstream_printf("\tfeature %s%s\n", audit_feature_label(buf, &feature),
		       (feature.flags & AUDIT_FEATURE_RELAXED) ?
		       " (relaxed)" : "");
    if (found < 0)
	vstream_printf("\tbad feature\n");
    vstring_free(buf);
}

int     main(int argc, char **argv)
{
    VSTRING *input = vstring_alloc(100);
    VSTRING *buf = vstring_alloc(100);
    VSTRING *copy = vstring_alloc(100);
    AUDIT_CLOCK clock;
    AUDIT_LINE line;
    int     n;

    audit_clock_init(&clock, argc > 1 ? (time_t) atol(argv[1]) :
		     time((time_t *) 0));
    while (vstring_get_nonl(input, VSTREAM_IN) != VSTREAM_EOF) {
	vstream_printf("%s\n", STR(input));
	if (*STR(input) == 0 || *STR(input) == '#')
	    continue;
	unescape(buf, STR(input));
	audit_line_parse(&line, &clock, STR(buf), VSTRING_LEN(buf));
	vstream_printf("    %s%s", audit_line_types[line.type],
		       line.nul_bytes ? ", null bytes" : "");
	if (AUDIT_LINE_HAS_DATA(&line)) {
	    vstream_printf(", %s, %s, %s\n",
			   audit_time_utc(copy, line.time), line.origin,
			   line.queue_id ? line.queue_id : "no queue ID");
	    for (n = 0; n < AUDIT_ATTR_COUNT; n++)
		if (line.attr[n])
		    vstream_printf("\t%s=%s\n", audit_attrs[n].name,
				   STR(escape(copy, line.attr[n],
					      strlen(line.attr[n]))));
	    if (line.attr[AUDIT_ATTR_TLS])
		show_features(line.attr[AUDIT_ATTR_TLS]);
	} else
	    vstream_printf("\n");
    }
    vstream_printf("clock ran backwards %lu times, by up to %ld seconds\n",
		   clock.backwards, (long) clock.worst);
    vstream_fflush(VSTREAM_OUT);
    vstring_free(input);
    vstring_free(buf);
    vstring_free(copy);
    exit(0);
}

#endif
