#ifndef _AUDIT_READ_H_INCLUDED_
#define _AUDIT_READ_H_INCLUDED_

/*++
/* NAME
/*	audit_read 3h
/* SUMMARY
/*	log file reader
/* SYNOPSIS
/*	#include "audit_read.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <sys/types.h>
#include <stdint.h>
#include <time.h>

 /*
  * Utility library.
  */
#include <vstring.h>

 /*
  * External interface.
  */
typedef struct AUDIT_READER AUDIT_READER;

typedef void (*AUDIT_PROGRESS_FN) (const char *, off_t, off_t);

extern AUDIT_READER *audit_read_open(const char *, AUDIT_PROGRESS_FN);
extern char *audit_read_line(AUDIT_READER *, size_t *);
extern char *audit_read_rest(AUDIT_READER *, size_t *);
extern void audit_read_forget(void);
extern const char *audit_read_head(AUDIT_READER *, size_t *);
extern int audit_read_skip(AUDIT_READER *, off_t, uint64_t *, size_t);
extern off_t audit_read_offset(AUDIT_READER *);
extern int audit_read_partial(AUDIT_READER *);
extern int audit_read_is_plain(AUDIT_READER *);
extern time_t audit_read_mtime(AUDIT_READER *);
extern unsigned long audit_read_overlong(AUDIT_READER *);
extern const char *audit_read_problem(AUDIT_READER *);
extern void audit_read_close(AUDIT_READER *);

#define AUDIT_READ_LINE_MAX	262144	/* 256 kbyte */
#define AUDIT_READ_HEAD		1024	/* bytes */

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
