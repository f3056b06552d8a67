/*++
/* NAME
/*	audit_json 3
/* SUMMARY
/*	JSON object reader
/* SYNOPSIS
/*	#include "audit_json.h"
/*
/*	int	audit_json_open(json, text, end)
/*	AUDIT_JSON *json;
/*	char	*text;
/*	char	*end;
/*
/*	int	audit_json_member(json, name, value)
/*	AUDIT_JSON *json;
/*	AUDIT_JSON_VALUE *name;
/*	AUDIT_JSON_VALUE *value;
/*
/*	int	audit_json_string(value)
/*	AUDIT_JSON_VALUE *value;
/*
/*	int	audit_json_bytes(value)
/*	AUDIT_JSON_VALUE *value;
/* DESCRIPTION
/*	This module reads the members of one JSON object (RFC 8259) from
/*	memory, in the order in which they come, without a copy. A
/*	value that is an array or an object is recognized, and need not
/*	be looked at. There is no recursion, and no limit on depth.
/*
/*	audit_json_open() expects the start of an object at \fItext\fR.
/*	The result is zero when there is something else.
/*
/*	audit_json_member() finds the next member. The result is
/*	positive for a member, zero at the end of the object, and
/*	negative when that is not JSON. Nothing may follow an object
/*	except white space.
/*
/*	audit_json_string() replaces the escapes of a string in place,
/*	and appends a null byte where there was a quote. Escaped
/*	control characters, null bytes included, and
/*	halves of characters become "?". The result is zero when an
/*	escape is bad.
/*
/*	audit_json_bytes() turns an array of numbers below 256, as
/*	journalctl(1) writes text that is not UTF-8, into a string in
/*	place. The result is zero when that is something else.
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

/* Application-specific. */

#include "audit_json.h"

#define REPLACEMENT	'?'

#define IS_SPACE(ch)	((ch) == ' ' || (ch) == '\t' || (ch) == '\r' || (ch) == '\n')
#define IS_CONTROL(ch)	((ch) < 0x20 || ((ch) >= 0x7f && (ch) < 0xa0))
#define IS_HIGH(ch)	((ch) >= 0xd800 && (ch) < 0xdc00)
#define IS_LOW(ch)	((ch) >= 0xdc00 && (ch) < 0xe000)
#define PAIR(high, low)	(0x10000 + (((high) - 0xd800) << 10) + ((low) - 0xdc00))

 /*
  * What a backslash may stand before, and what they mean together.
  */
static const char escape_from[] = "\"\\/bfnrt";
static const char escape_to[] = "\"\\/\b\f\n\r\t";

 /*
  * Values that are words.
  */
typedef struct {
    const char *word;
    size_t  len;
    AUDIT_JSON_KIND kind;
} AUDIT_JSON_WORD;

static const AUDIT_JSON_WORD json_words[] = {
    {"true", 4, AUDIT_JSON_TRUE},
    {"false", 5, AUDIT_JSON_FALSE},
    {"null", 4, AUDIT_JSON_NULL},
    {0},
};

/* skip_space - skip white space */

static void skip_space(AUDIT_JSON *json)
{
    while (json->next < json->end && IS_SPACE(*json->next))
	json->next++;
}

/* skip_char - skip white space and one specific character */

static int skip_char(AUDIT_JSON *json, int ch)
{
    skip_space(json);
    if (json->next >= json->end || *json->next != ch)
	return (0);
    json->next++;
    return (1);
}

/* scan_string - find the end of a string */

static int scan_string(AUDIT_JSON *json, AUDIT_JSON_VALUE *value)
{
    char   *cp;

    value->kind = AUDIT_JSON_STRING;
    value->escaped = 0;
    value->text = json->next;
    for (cp = json->next; cp < json->end; cp++) {
	if (*cp == '"') {
	    value->len = cp - value->text;
	    json->next = cp + 1;
	    return (1);
	} else if (*cp == '\\') {
	    value->escaped = 1;
	    cp++;
	} else if ((unsigned char) *cp < 0x20) {
	    return (0);
	}
    }
    return (0);
}

/* scan_nested - find the end of an array or object */

static int scan_nested(AUDIT_JSON *json, AUDIT_JSON_VALUE *value)
{
    AUDIT_JSON_VALUE string;
    long    depth = 0;

    value->kind = (*json->next == '[' ? AUDIT_JSON_ARRAY : AUDIT_JSON_OBJECT);
    value->escaped = 0;
    value->text = json->next;
    while (json->next < json->end) {
	switch (*json->next++) {
	case '"':
	    if (scan_string(json, &string) == 0)
		return (0);
	    break;
	case '[':
	case '{':
	    depth++;
	    break;
	case ']':
	case '}':
	    if (--depth == 0) {
		value->len = json->next - value->text;
		return (1);
	    }
	    break;
	}
    }
    return (0);
}

/* skip_digits - skip at least one digit */

static char *skip_digits(char *cp, const char *end)
{
    char   *start = cp;

    while (cp < end && ISDIGIT(*cp))
	cp++;
    return (cp > start ? cp : 0);
}

/* skip_number - skip a number, null pointer if there is none */

static char *skip_number(char *cp, const char *end)
{
    char   *start;

    if (cp < end && *cp == '-')
	cp++;
    start = cp;
    if ((cp = skip_digits(cp, end)) == 0 || (*start == '0' && cp > start + 1))
	return (0);
    if (cp < end && *cp == '.' && (cp = skip_digits(cp + 1, end)) == 0)
	return (0);
    if (cp < end && (*cp == 'e' || *cp == 'E')) {
	if (++cp < end && (*cp == '+' || *cp == '-'))
	    cp++;
	cp = skip_digits(cp, end);
    }
    return (cp);
}

/* scan_plain - number or word */

static int scan_plain(AUDIT_JSON *json, AUDIT_JSON_VALUE *value)
{
    const AUDIT_JSON_WORD *wp;
    size_t  left = json->end - json->next;
    char   *cp;

    value->escaped = 0;
    value->text = json->next;
    for (wp = json_words; wp->word; wp++) {
	if (left >= wp->len && memcmp(value->text, wp->word, wp->len) == 0) {
	    value->kind = wp->kind;
	    value->len = wp->len;
	    json->next += wp->len;
	    return (1);
	}
    }
    if ((cp = skip_number(json->next, json->end)) == 0)
	return (0);
    value->kind = AUDIT_JSON_NUMBER;
    value->len = cp - value->text;
    json->next = cp;
    return (1);
}

/* scan_value - any value */

static int scan_value(AUDIT_JSON *json, AUDIT_JSON_VALUE *value)
{
    if (skip_char(json, '"'))
	return (scan_string(json, value));
    if (json->next >= json->end)
	return (0);
    if (*json->next == '[' || *json->next == '{')
	return (scan_nested(json, value));
    return (scan_plain(json, value));
}

/* audit_json_open - start of an object */

int     audit_json_open(AUDIT_JSON *json, char *text, char *end)
{
    json->next = text;
    json->end = end;
    json->members = 0;
    return (skip_char(json, '{'));
}

/* audit_json_member - next member */

int     audit_json_member(AUDIT_JSON *json, AUDIT_JSON_VALUE *name,
			          AUDIT_JSON_VALUE *value)
{
    if (skip_char(json, '}')) {
	skip_space(json);
	return (json->next == json->end ? 0 : -1);
    }
    if (json->members++ > 0 && skip_char(json, ',') == 0)
	return (-1);
    if (skip_char(json, '"') == 0 || scan_string(json, name) == 0
	|| skip_char(json, ':') == 0 || scan_value(json, value) == 0)
	return (-1);
    return (1);
}

/* hex_value - four hexadecimal digits, -1 if they are not */

static long hex_value(const char *cp, const char *end)
{
    long    value = 0;
    int     n;

    if (end - cp < 4)
	return (-1);
    for (n = 0; n < 4; n++, cp++) {
	if (!ISASCII(*cp) || !isxdigit((unsigned char) *cp))
	    return (-1);
	value = (value << 4) + (ISDIGIT(*cp) ? *cp - '0' :
				TOLOWER(*cp) - 'a' + 10);
    }
    return (value);
}

/* put_char - store a character as UTF-8 */

static char *put_char(char *out, long ch)
{
    if (IS_CONTROL(ch) || IS_HIGH(ch) || IS_LOW(ch)) {
	*out++ = REPLACEMENT;
    } else if (ch < 0x80) {
	*out++ = ch;
    } else if (ch < 0x800) {
	*out++ = 0xc0 | (ch >> 6);
	*out++ = 0x80 | (ch & 0x3f);
    } else if (ch < 0x10000) {
	*out++ = 0xe0 | (ch >> 12);
	*out++ = 0x80 | ((ch >> 6) & 0x3f);
	*out++ = 0x80 | (ch & 0x3f);
    } else {
	*out++ = 0xf0 | (ch >> 18);
	*out++ = 0x80 | ((ch >> 12) & 0x3f);
	*out++ = 0x80 | ((ch >> 6) & 0x3f);
	*out++ = 0x80 | (ch & 0x3f);
    }
    return (out);
}

/* get_escape - what an escape stands for, -1 if nothing */

static long get_escape(char **text, char *end)
{
    char   *cp = *text;
    const char *from;
    long    ch;
    long    low;

    if (cp >= end)
	return (-1);
    if (*cp != 'u') {
	*text = cp + 1;
	return (*cp && (from = strchr(escape_from, *cp)) != 0 ?
		escape_to[from - escape_from] : -1);
    }
    if ((ch = hex_value(++cp, end)) < 0)
	return (-1);
    cp += 4;
    if (IS_HIGH(ch) && end - cp > 2 && cp[0] == '\\' && cp[1] == 'u'
	&& (low = hex_value(cp + 2, end)) >= 0 && IS_LOW(low)) {
	ch = PAIR(ch, low);
	cp += 6;
    }
    *text = cp;
    return (ch);
}

/* audit_json_string - replace escapes */

int     audit_json_string(AUDIT_JSON_VALUE *value)
{
    char   *end = value->text + value->len;
    char   *out = value->text;
    char   *cp = value->text;
    long    ch;

    if (value->escaped) {
	while (cp < end) {
	    if (*cp != '\\') {
		*out++ = *cp++;
	    } else {
		cp++;
		if ((ch = get_escape(&cp, end)) < 0)
		    return (0);
		out = put_char(out, ch);
	    }
	}
	value->len = out - value->text;
	value->escaped = 0;
    }
    value->text[value->len] = 0;
    return (1);
}

/* audit_json_bytes - array of numbers to string */

int     audit_json_bytes(AUDIT_JSON_VALUE *value)
{
    char   *end = value->text + value->len - 1;	/* the "]" */
    char   *out = value->text;
    char   *cp = value->text + 1;
    int     ch;

    while (cp < end) {
	if (IS_SPACE(*cp) || *cp == ',') {
	    cp++;
	    continue;
	}
	for (ch = 0; cp < end && ISDIGIT(*cp) && ch < 256; cp++)
	    ch = ch * 10 + (*cp - '0');
	if (ch > 255 || (cp < end && !IS_SPACE(*cp) && *cp != ','))
	    return (0);
	*out++ = (ch ? ch : REPLACEMENT);
    }
    value->kind = AUDIT_JSON_STRING;
    value->len = out - value->text;
    *out = 0;
    return (1);
}
