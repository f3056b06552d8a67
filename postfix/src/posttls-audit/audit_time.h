#ifndef _AUDIT_TIME_H_INCLUDED_
#define _AUDIT_TIME_H_INCLUDED_

/*++
/* NAME
/*	audit_time 3h
/* SUMMARY
/*	time stamps in mail logs
/* SYNOPSIS
/*	#include "audit_time.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <time.h>

 /*
  * Utility library.
  */
#include <vstring.h>

 /*
  * One clock per log file. The cache turns most time stamps into a copy of
  * the hour before plus minutes and seconds.
  */
typedef struct {
    time_t  limit;			/* the log ends before this */
    time_t  last;			/* previous time stamp, or zero */
    unsigned long backwards;		/* how often the clock was set back */
    time_t  worst;			/* by how many seconds at most */
    char    cached_hour[16];		/* time stamp up to the minutes */
    size_t  cached_len;
    time_t  cached_time;
    char    last_stamp[16];		/* complete, when it is not longer */
    size_t  last_len;
} AUDIT_CLOCK;

#define AUDIT_CLOCK_JITTER	5	/* seconds, between processes */

extern void audit_clock_init(AUDIT_CLOCK *, time_t);
extern size_t audit_time_length(const char *, size_t);
extern int audit_time_parse(AUDIT_CLOCK *, const char *, size_t, time_t *);
extern int audit_time_option(const char *, time_t, time_t *);
extern const char *audit_time_local(VSTRING *, time_t);
extern const char *audit_time_utc(VSTRING *, time_t);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
