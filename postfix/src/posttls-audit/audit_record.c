/*++
/* NAME
/*	audit_record 3
/* SUMMARY
/*	lines of a summary file
/* SYNOPSIS
/*	#include "audit_record.h"
/*
/*	AUDIT_PUT *audit_put_open(stream)
/*	VSTREAM	*stream;
/*
/*	void	audit_put_record(put, name)
/*	AUDIT_PUT *put;
/*	const char *name;
/*
/*	void	audit_put_text(put, text)
/*	AUDIT_PUT *put;
/*	const char *text;
/*
/*	void	audit_put_raw(put, text)
/*	AUDIT_PUT *put;
/*	const char *text;
/*
/*	void	audit_put_number(put, number)
/*	AUDIT_PUT *put;
/*	unsigned long number;
/*
/*	void	audit_put_times(put, first, last)
/*	AUDIT_PUT *put;
/*	time_t	first;
/*	time_t	last;
/*
/*	void	audit_put_hash(put, hash)
/*	AUDIT_PUT *put;
/*	uint64_t hash;
/*
/*	void	audit_put_chars(put, text, len)
/*	AUDIT_PUT *put;
/*	const char *text;
/*	size_t	len;
/*
/*	void	audit_put_char(put, ch)
/*	AUDIT_PUT *put;
/*	int	ch;
/*
/*	void	audit_put_digits(put, number)
/*	AUDIT_PUT *put;
/*	unsigned long number;
/*
/*	void	audit_put_end(put)
/*	AUDIT_PUT *put;
/*
/*	int	audit_put_close(put)
/*	AUDIT_PUT *put;
/*
/*	void	audit_get_init(get)
/*	AUDIT_GET *get;
/*
/*	void	audit_get_next(get, line, len)
/*	AUDIT_GET *get;
/*	const char *line;
/*	size_t	len;
/*
/*	char	*audit_get_text(get)
/*	AUDIT_GET *get;
/*
/*	char	*audit_get_rest(get)
/*	AUDIT_GET *get;
/*
/*	char	*audit_get_raw(get)
/*	AUDIT_GET *get;
/*
/*	unsigned long audit_get_number(get)
/*	AUDIT_GET *get;
/*
/*	int	audit_get_small(get, limit)
/*	AUDIT_GET *get;
/*	int	limit;
/*
/*	void	audit_get_times(get, first, last)
/*	AUDIT_GET *get;
/*	time_t	*first;
/*	time_t	*last;
/*
/*	uint64_t audit_get_hash(get)
/*	AUDIT_GET *get;
/*
/*	int	audit_get_word(get, words)
/*	AUDIT_GET *get;
/*	const char *const *words;
/*
/*	void	audit_get_end(get)
/*	AUDIT_GET *get;
/*
/*	void	audit_get_damaged(get, format, ...)
/*	AUDIT_GET *get;
/*	const char *format;
/*
/*	void	audit_get_free(get)
/*	AUDIT_GET *get;
/* DESCRIPTION
/*	A record is a line of text: a name, and fields that are separated
/*	by tab characters. This module writes records and takes them
/*	apart, and computes a hash from all of them. With many
/*	destinations there are hundreds of thousands, so it does not
/*	copy what it can leave where it is.
/*
/*	audit_put_open() prepares for writing. audit_put_record() begins
/*	a record, and audit_put_end() ends it. After the last record,
/*	audit_put_close() adds the one with their number and hash; the
/*	result is non-zero when everything was written.
/*
/*	audit_put_text() adds a field with text that has no tab or
/*	newline, or nothing for a null pointer; in the last field of a
/*	record there may be tabs. audit_put_raw() adds any text, so that
/*	audit_get_raw() can tell a null pointer from an empty string.
/*	audit_put_number() adds a number, and nothing when it is zero.
/*	audit_put_times() adds two fields: the first time, and how
/*	much later the last one is. audit_put_hash() adds
/*	a number of fixed size.
/*
/*	audit_put_chars(), audit_put_char() and audit_put_digits() add to
/*	the last field, after audit_put_text() with nothing or some text.
/*
/*	audit_get_init() prepares for reading. audit_get_next() hashes
/*	and counts a record, and does not look into it: the caller finds
/*	its name, and lets the member "next" point to the first field.
/*
/*	The other functions take one field after the other, in the order
/*	in which they were written, as a string in the memory that has
/*	the record, which is changed. audit_get_rest() takes the rest of
/*	the line, with tabs in it. The result of audit_get_raw() is a null
/*	pointer, or should be passed to myfree().
/*	audit_get_small() takes a number that must be less than the limit,
/*	and audit_get_word() the position of a word in a list.
/*	audit_get_end() is for the record that audit_put_close() made.
/*
/*	audit_get_damaged() says what is wrong; only the first problem
/*	counts. The above do this when a field is missing or is not
/*	what it should be. Then the result is zero or an empty string,
/*	so that AUDIT_GET_IS_DAMAGED() needs to be looked at only once.
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
#include <stdarg.h>
#include <string.h>

/* Utility library. */

#include <mymalloc.h>
#include <stringops.h>

/* Application-specific. */

#include "audit_record.h"

#define SEPARATOR	AUDIT_RECORD_SEPARATOR

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
  * Records are made in a buffer that has room for many.
  */
#define BUFFER_SIZE	65536

struct AUDIT_PUT {
    VSTREAM *stream;
    char   *buf;
    char   *end;			/* of buffer */
    char   *line;			/* present record */
    char   *next;			/* its end */
    uint64_t hash;
    unsigned long lines;
};

/* make_room - write what is complete, and get more memory if need be */

static void make_room(AUDIT_PUT *pp, size_t len)
{
    size_t  done = pp->line - pp->buf;
    size_t  have = pp->next - pp->line;
    size_t  size = pp->end - pp->buf;

    (void) vstream_fwrite(pp->stream, pp->buf, done);
    memmove(pp->buf, pp->line, have);
    if (size - have < len) {
	size = 2 * size + len;
	pp->buf = (char *) myrealloc((void *) pp->buf, size);
	pp->end = pp->buf + size;
    }
    pp->line = pp->buf;
    pp->next = pp->buf + have;
}

#define MAKE_ROOM(pp, len) do { \
	if ((size_t) ((pp)->end - (pp)->next) < (len)) \
	    make_room((pp), (len)); \
    } while (0)

/* audit_put_open - begin writing */

AUDIT_PUT *audit_put_open(VSTREAM *stream)
{
    AUDIT_PUT *pp = (AUDIT_PUT *) mymalloc(sizeof(*pp));

    pp->stream = stream;
    pp->buf = pp->line = pp->next = (char *) mymalloc(BUFFER_SIZE);
    pp->end = pp->buf + BUFFER_SIZE;
    pp->hash = 0;
    pp->lines = 0;
    return (pp);
}

/* audit_put_chars - part of a field */

void    audit_put_chars(AUDIT_PUT *pp, const char *text, size_t len)
{
    MAKE_ROOM(pp, len);
    memcpy(pp->next, text, len);
    pp->next += len;
}

/* audit_put_digits - number, as part of a field */

void    audit_put_digits(AUDIT_PUT *pp, unsigned long number)
{
    char    digits[3 * sizeof(number)];
    char   *cp = digits + sizeof(digits);

    do {
	*--cp = '0' + number % 10;
    } while ((number /= 10) != 0);
    audit_put_chars(pp, cp, digits + sizeof(digits) - cp);
}

/* audit_put_char - part of a field */

void    audit_put_char(AUDIT_PUT *pp, int ch)
{
    MAKE_ROOM(pp, 1);
    *pp->next++ = ch;
}

#define PUT_SEPARATOR(pp)	audit_put_char((pp), SEPARATOR)

/* audit_put_record - begin record */

void    audit_put_record(AUDIT_PUT *pp, const char *name)
{
    audit_put_chars(pp, name, strlen(name));
}

/* audit_put_text - one field */

void    audit_put_text(AUDIT_PUT *pp, const char *text)
{
    PUT_SEPARATOR(pp);
    if (text)
	audit_put_chars(pp, text, strlen(text));
}

/* audit_put_raw - one field with any text */

void    audit_put_raw(AUDIT_PUT *pp, const char *text)
{
    PUT_SEPARATOR(pp);
    if (text == 0)
	return;
    audit_put_char(pp, '=');
    for ( /* void */ ; *text; text++) {
	if (*text == '\\')
	    audit_put_chars(pp, "\\\\", 2);
	else if (*text == SEPARATOR)
	    audit_put_chars(pp, "\\t", 2);
	else if (*text == '\n')
	    audit_put_chars(pp, "\\n", 2);
	else
	    audit_put_char(pp, *text);
    }
}

/* audit_put_number - one field, empty if it is zero, as many are */

void    audit_put_number(AUDIT_PUT *pp, unsigned long number)
{
    PUT_SEPARATOR(pp);
    if (number > 0)
	audit_put_digits(pp, number);
}

/* audit_put_times - first, and how much later the last one was */

void    audit_put_times(AUDIT_PUT *pp, time_t first, time_t last)
{
    audit_put_number(pp, first);
    audit_put_number(pp, last > first ? last - first : 0);
}

/* audit_put_hash - one field */

void    audit_put_hash(AUDIT_PUT *pp, uint64_t hash)
{
    static const char hex[] = "0123456789abcdef";
    int     shift;

    PUT_SEPARATOR(pp);
    for (shift = 60; shift >= 0; shift -= 4)
	audit_put_char(pp, hex[(hash >> shift) % 16]);
}

/* audit_put_end - end record */

void    audit_put_end(AUDIT_PUT *pp)
{
    pp->hash = hash_line(pp->hash, pp->line, pp->next - pp->line);
    pp->lines++;
    audit_put_char(pp, '\n');
    pp->line = pp->next;
}

/* audit_put_close - number and hash of all records */

int     audit_put_close(AUDIT_PUT *pp)
{
    int     ok;

    audit_put_record(pp, "end");
    audit_put_number(pp, pp->lines);
    audit_put_hash(pp, pp->hash);
    audit_put_char(pp, '\n');
    (void) vstream_fwrite(pp->stream, pp->buf, pp->next - pp->buf);
    ok = (vstream_fflush(pp->stream) == 0);
    myfree((void *) pp->buf);
    myfree((void *) pp);
    return (ok);
}

/* audit_get_init - begin reading */

void    audit_get_init(AUDIT_GET *gp)
{
    memset((void *) gp, 0, sizeof(*gp));
    gp->problem = vstring_alloc(100);
}

/* audit_get_damaged - say what is wrong, once */

void    audit_get_damaged(AUDIT_GET *gp, const char *format,...)
{
    va_list ap;

    if (AUDIT_GET_IS_DAMAGED(gp))
	return;
    va_start(ap, format);
    vstring_vsprintf(gp->problem, format, ap);
    va_end(ap);
}

 /*
  * The first line of a file is not a record, and people count from 1.
  */
#define DAMAGED(gp, what) \
	audit_get_damaged((gp), "damaged in line %lu: " what, (gp)->lines + 1)

/* audit_get_next - one more record */

void    audit_get_next(AUDIT_GET *gp, const char *line, size_t len)
{
    gp->hash = hash_line(gp->hash, line, len);
    gp->lines++;
}

/* audit_get_rest - the rest of the record */

char   *audit_get_rest(AUDIT_GET *gp)
{
    static char empty[1];
    char   *text = gp->next;

    gp->next = 0;
    if (text == 0) {
	DAMAGED(gp, "fields are missing");
	text = empty;
    }
    return (text);
}

/* audit_get_text - one field */

char   *audit_get_text(AUDIT_GET *gp)
{
    char   *text = audit_get_rest(gp);
    char   *cp;

    for (cp = text; *cp != SEPARATOR; cp++)
	if (*cp == 0)
	    return (text);
    *cp = 0;
    gp->next = cp + 1;
    return (text);
}

/* audit_get_raw - copy of any text, null pointer if there was none */

char   *audit_get_raw(AUDIT_GET *gp)
{
    char   *from = audit_get_text(gp);
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

#define NUMBER_MAX	(int) (sizeof(unsigned long) > 4 ? 18 : 9)	/* digits */

/* audit_get_number - number, zero if it is left out */

unsigned long audit_get_number(AUDIT_GET *gp)
{
    const char *text = audit_get_rest(gp);
    const char *cp;
    unsigned long number = 0;
    unsigned digit;

    for (cp = text; (digit = *(const unsigned char *) cp - '0') <= 9; cp++)
	number = number * 10 + digit;
    if (*cp == SEPARATOR)
	gp->next = (char *) cp + 1;
    if ((*cp != SEPARATOR && *cp != 0) || cp - text > NUMBER_MAX) {
	DAMAGED(gp, "bad number");
	return (0);
    }
    return (number);
}

/* audit_get_small - number that must be below a limit */

int     audit_get_small(AUDIT_GET *gp, int limit)
{
    unsigned long number = audit_get_number(gp);

    if (number >= (unsigned long) limit) {
	DAMAGED(gp, "number is too large");
	return (0);
    }
    return (number);
}

/* audit_get_times - first and last time */

void    audit_get_times(AUDIT_GET *gp, time_t *first, time_t *last)
{
    *first = audit_get_number(gp);
    *last = *first + audit_get_number(gp);
}

/* audit_get_hash - hash */

uint64_t audit_get_hash(AUDIT_GET *gp)
{
    const char *text = audit_get_text(gp);
    const char *cp;
    uint64_t hash = 0;

    for (cp = text; isxdigit(*(const unsigned char *) cp); cp++)
	hash = hash << 4 | (ISDIGIT(*cp) ? *cp - '0' :
			    tolower(*(const unsigned char *) cp) - 'a' + 10);
    if (*cp != 0 || cp - text != 16)
	DAMAGED(gp, "bad hash");
    return (hash);
}

/* audit_get_word - position in list of words */

int     audit_get_word(AUDIT_GET *gp, const char *const * words)
{
    const char *text = audit_get_text(gp);
    int     n;

    for (n = 0; words[n]; n++)
	if (strcmp(words[n], text) == 0)
	    return (n);
    DAMAGED(gp, "unknown word");
    return (0);
}

/* audit_get_end - number and hash of all records */

void    audit_get_end(AUDIT_GET *gp)
{
    unsigned long lines = audit_get_number(gp);
    uint64_t hash = audit_get_hash(gp);

    if (lines != gp->lines || hash != gp->hash || gp->next != 0)
	audit_get_damaged(gp, "damaged: its content does not match its check sum");
}

/* audit_get_free - done */

void    audit_get_free(AUDIT_GET *gp)
{
    vstring_free(gp->problem);
}
