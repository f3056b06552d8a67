#ifndef _AUDIT_START_H_INCLUDED_
#define _AUDIT_START_H_INCLUDED_

/*++
/* NAME
/*	audit_start 3h
/* SUMMARY
/*	text that many lines have at some place
/* SYNOPSIS
/*	#include "audit_start.h"
/*
/*	void	audit_start_set(start, text, len)
/*	AUDIT_START *start;
/*	const char *text;
/*	size_t	len;
/*
/*	int	audit_start_is(start, text, end)
/*	const AUDIT_START *start;
/*	const char *text;
/*	const char *end;
/* DESCRIPTION
/*	Every log line begins with a time stamp, a host and a program,
/*	and they rarely differ from those of the line before; the
/*	attributes of a record are those of the record before. This
/*	module remembers such a text, and recognizes it fast.
/*
/*	audit_start_set() remembers a text. When it is too long, it is
/*	not going to be recognized.
/*
/*	audit_start_is() says that what begins at some place is the text
/*	that is remembered. The result is also zero when the
/*	line ends within a few bytes after the text, so that zero means
/*	no more than that the caller has to look for himself.
/* .nf

 /*
  * System library.
  */
#include <stdint.h>
#include <string.h>

 /*
  * The text is compared in words, and these are the last one's bytes.
  */
#define AUDIT_START_WORDS	6
#define AUDIT_START_MAX		(AUDIT_START_WORDS * sizeof(uint64_t))

typedef struct {
    size_t  len;			/* zero if not used */
    uint64_t words[AUDIT_START_WORDS];
    uint64_t mask;			/* what counts of the last one */
} AUDIT_START;

#ifdef NO_INLINE
#define inline				/* */
#endif

/* audit_start_set - remember text */

static inline void audit_start_set(AUDIT_START *start, const char *text,
				           size_t len)
{
    memset((void *) start, 0, sizeof(*start));
    if (len > 0 && len <= AUDIT_START_MAX) {
	start->len = len;
	memcpy((void *) start->words, text, len);
	memset((void *) &start->mask, 0xff, (len - 1) % sizeof(start->mask) + 1);
    }
}

/* audit_start_is - is that the text */

static inline int audit_start_is(const AUDIT_START *start, const char *text,
				         const char *end)
{
    const uint64_t *word = start->words;
    size_t  left = start->len;
    uint64_t here;

    if (left == 0 || (size_t) (end - text) < left + sizeof(here) - 1)
	return (0);
    for (;;) {
	memcpy((void *) &here, text, sizeof(here));
	if (left <= sizeof(here))
	    return (((here ^ *word) & start->mask) == 0);
	if (here != *word++)
	    return (0);
	text += sizeof(here);
	left -= sizeof(here);
    }
}

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
