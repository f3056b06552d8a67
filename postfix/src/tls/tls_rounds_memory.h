#ifndef _TLS_ROUNDS_MEMORY_H_INCLUDED_
#define _TLS_ROUNDS_MEMORY_H_INCLUDED_

/*++
/* NAME
/*	tls_rounds_memory 3h
/* SUMMARY
/*	which round worked for a destination, for a minute
/* SYNOPSIS
/*	#include <tls_rounds_memory.h>
/* DESCRIPTION
/* .nf

 /*
  * System library.
  */
#include <time.h>

 /*
  * External interface.
  */
#define TLS_ROUNDS_MEMORY_TTL	60	/* seconds */
#define TLS_ROUNDS_MEMORY_LIMIT	1000	/* destinations */

extern int tls_rounds_recall(const char *, time_t);
extern void tls_rounds_remember(const char *, int, time_t);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
