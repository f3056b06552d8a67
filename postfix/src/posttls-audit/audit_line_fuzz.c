/*++
/* NAME
/*	audit_line_fuzz 3
/* SUMMARY
/*	libFuzzer target for the log line parser
/* SYNOPSIS
/*	#include "audit_line.h"
/*
/*	int	LLVMFuzzerTestOneInput(data, size)
/*	const uint8_t *data;
/*	size_t	size;
/* DESCRIPTION
/*	This module is not part of posttls-audit(1). It feeds lines to
/*	audit_line_parse() and audit_feature_parse(), in a buffer of the
/*	exact size so that AddressSanitizer sees access outside of the
/*	line, and checks what the other modules rely on: that every
/*	result is a string within the line, or a word of our own,
/*	that the origin is a host and a program, and that a line which
/*	audit_prefix_is_other() recognizes is the line of another
/*	program.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Utility library. */

#include <vstring.h>

/* Application-specific. */

#include "audit_line.h"
#include "audit_prefix.h"

int     LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define CHECK(condition) do { if (!(condition)) abort(); } while (0)

/* check_string - result must be within the line */

static void check_string(const char *string, const char *line, size_t size)
{
    if (string != 0)
	CHECK(string >= line && string <= line + size
	      && string + strlen(string) <= line + size);
}

/* is_own_word - result that comes from a table */

static int is_own_word(const char *string)
{
    const char *const * cpp;

    for (cpp = audit_auths; *cpp; cpp++)
	if (string == *cpp)
	    return (1);
    return (string == audit_booleans[0] || string == audit_booleans[1]);
}

/* check_origin - HOST PROGRAM, with one space */

static void check_origin(const char *origin)
{
    const char *space = strchr(origin, ' ');

    CHECK(space != 0 && space > origin && space[1] != 0);
    CHECK(strchr(space + 1, ' ') == 0);
}

/* check_features - every feature can be formatted */

static void check_features(char *status)
{
    static VSTRING *buf;
    AUDIT_FEATURE feature;
    char   *end = status + strlen(status);

    if (buf == 0)
	buf = vstring_alloc(100);
    while (audit_feature_parse(&feature, &status) > 0) {
	CHECK(status <= end);
	CHECK(*audit_feature_label(buf, &feature) != 0);
    }
}

/* parse_line - parse one line */

static void parse_line(const uint8_t *data, size_t size)
{
    static AUDIT_CLOCK clock;
    AUDIT_LINE line;
    char   *buf = malloc(size + 1);
    int     is_other;
    int     n;

    CHECK(buf != 0);
    memcpy(buf, data, size);
    if (clock.limit == 0)
	audit_clock_init(&clock, (time_t) 1799150400);
    is_other = audit_prefix_is_other(buf, size);
    audit_line_parse(&line, &clock, buf, size);
    CHECK(is_other == 0 || (line.type == AUDIT_LINE_OTHER
			    && line.nul_bytes == 0));
    CHECK(line.type >= 0 && line.type < AUDIT_LINE_TYPE_COUNT);
    if (AUDIT_LINE_HAS_DATA(&line)) {
	check_origin(line.origin);
	check_string(line.queue_id, buf, size);
	for (n = 0; n < AUDIT_ATTR_COUNT; n++)
	    if (!is_own_word(line.attr[n]))
		check_string(line.attr[n], buf, size);
	if (line.type == AUDIT_LINE_TLSCONN)
	    CHECK(line.attr[AUDIT_ATTR_RELAY] && line.attr[AUDIT_ATTR_AUTH]);
	if (line.type == AUDIT_LINE_STATUS)
	    CHECK(line.attr[AUDIT_ATTR_TO] && line.attr[AUDIT_ATTR_REPLY]);
	if (line.attr[AUDIT_ATTR_TLS])
	    check_features(line.attr[AUDIT_ATTR_TLS]);
	(void) audit_reply_reason(line.attr[AUDIT_ATTR_REPLY]);
	(void) audit_kex_name(line.attr[AUDIT_ATTR_KEX],
			      line.attr[AUDIT_ATTR_PROTOCOL],
			      line.attr[AUDIT_ATTR_CIPHER]);
    }
    free(buf);
}

/* LLVMFuzzerTestOneInput - parse lines; what was seen before helps later */

int     LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end;

    while ((end = (size ? memchr(data, '\n', size) : 0)) != 0) {
	parse_line(data, end - data);
	size -= end + 1 - data;
	data = end + 1;
    }
    parse_line(data, size);
    return (0);
}
