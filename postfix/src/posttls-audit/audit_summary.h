#ifndef _AUDIT_SUMMARY_H_INCLUDED_
#define _AUDIT_SUMMARY_H_INCLUDED_

/*++
/* NAME
/*	audit_summary 3h
/* SUMMARY
/*	facts from a file, and to a file
/* SYNOPSIS
/*	#include "audit_summary.h"
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <sys/types.h>
#include <stdint.h>

 /*
  * Utility library.
  */
#include <vstream.h>
#include <vstring.h>

 /*
  * Application-specific.
  */
#include "audit_facts.h"
#include "audit_record.h"

 /*
  * The first line of a summary file. Records that are not known are kept when
  * only the second number is different.
  */
#define AUDIT_SUMMARY_MAGIC	"posttls-audit summary "
#define AUDIT_SUMMARY_MAJOR	1
#define AUDIT_SUMMARY_MINOR	0

 /*
  * A summary is made of lines, and so is this interface.
  */
typedef struct AUDIT_SUMMARY AUDIT_SUMMARY;

extern int audit_summary_is(const char *, size_t);
extern AUDIT_SUMMARY *audit_summary_begin(AUDIT_FACTS *, int);
extern void audit_summary_text(AUDIT_SUMMARY *, char *, size_t);
extern const char *audit_summary_end(AUDIT_SUMMARY *);
extern int audit_summary_known(AUDIT_SUMMARY *);
extern void audit_summary_free(AUDIT_SUMMARY *);

#define AUDIT_SUMMARY_CHECK	(1<<0)	/* do not add */
#define AUDIT_SUMMARY_TOTALS	(1<<1)	/* also what was reported */
#define AUDIT_SUMMARY_CHECKED	(1<<2)	/* it is as it was written */

extern AUDIT_PUT *audit_summary_write(VSTREAM *, AUDIT_FACTS *);
extern void audit_summary_write_notes(AUDIT_PUT *, AUDIT_FACTS *);
extern void audit_summary_write_totals(AUDIT_PUT *, AUDIT_FACTS *);

 /*
  * There are many weeks, and most of them are like the one before. After the
  * number of the first week there is a word for each one: a gap of so many
  * weeks, or what was verified and what failed, and how often that repeats.
  */
#define AUDIT_SUMMARY_GAP	'+'
#define AUDIT_SUMMARY_FAILED	':'
#define AUDIT_SUMMARY_REPEAT	'*'

 /*
  * The usual form of a digest is shorter without colons.
  */
#define AUDIT_SUMMARY_PACKED	'='

 /*
  * A server has more than one nexthop.
  */
#define AUDIT_SUMMARY_NEXTHOPS	"*"

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
