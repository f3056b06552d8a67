#ifndef _AUDIT_RECORD_H_INCLUDED_
#define _AUDIT_RECORD_H_INCLUDED_

/*++
/* NAME
/*	audit_record 3h
/* SUMMARY
/*	lines of a summary file
/* SYNOPSIS
/*	#include "audit_record.h"
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
#include <check_arg.h>
#include <vstream.h>
#include <vstring.h>

 /*
  * Writing.
  */
typedef struct AUDIT_PUT AUDIT_PUT;

extern AUDIT_PUT *audit_put_open(VSTREAM *);
extern void audit_put_record(AUDIT_PUT *, const char *);
extern void audit_put_text(AUDIT_PUT *, const char *);
extern void audit_put_raw(AUDIT_PUT *, const char *);
extern void audit_put_number(AUDIT_PUT *, unsigned long);
extern void audit_put_times(AUDIT_PUT *, time_t, time_t);
extern void audit_put_hash(AUDIT_PUT *, uint64_t);
extern void audit_put_digits(AUDIT_PUT *, unsigned long);
extern void audit_put_char(AUDIT_PUT *, int);
extern void audit_put_chars(AUDIT_PUT *, const char *, size_t);
extern void audit_put_end(AUDIT_PUT *);
extern int audit_put_close(AUDIT_PUT *);

 /*
  * Reading. The members are about the present record.
  */
typedef struct {
    char   *next;			/* field, null after the last one */
    unsigned long lines;		/* up to this record */
    uint64_t hash;			/* same */
    VSTRING *problem;			/* empty if there is none */
} AUDIT_GET;

extern void audit_get_init(AUDIT_GET *);
extern void audit_get_next(AUDIT_GET *, const char *, size_t);
extern char *audit_get_text(AUDIT_GET *);
extern char *audit_get_rest(AUDIT_GET *);
extern char *audit_get_raw(AUDIT_GET *);
extern unsigned long audit_get_number(AUDIT_GET *);
extern int audit_get_small(AUDIT_GET *, int);
extern void audit_get_times(AUDIT_GET *, time_t *, time_t *);
extern uint64_t audit_get_hash(AUDIT_GET *);
extern int audit_get_word(AUDIT_GET *, const char *const *);
extern void audit_get_end(AUDIT_GET *);
extern void PRINTFLIKE(2, 3) audit_get_damaged(AUDIT_GET *, const char *,...);
extern void audit_get_free(AUDIT_GET *);

#define AUDIT_GET_IS_DAMAGED(get)	(VSTRING_LEN((get)->problem) > 0)

 /*
  * What is between fields.
  */
#define AUDIT_RECORD_SEPARATOR	'\t'

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
