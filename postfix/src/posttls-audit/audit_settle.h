#ifndef _AUDIT_SETTLE_H_INCLUDED_
#define _AUDIT_SETTLE_H_INCLUDED_

/*++
/* NAME
/*	audit_settle 3h
/* SUMMARY
/*	groups that are in several logs
/* SYNOPSIS
/*	#include "audit_settle.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_log.h"

extern void audit_settle(AUDIT_FACTS *, time_t);

#define audit_settle_all(facts)	audit_settle((facts), (time_t) 0)

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
