#ifndef _AUDIT_SILENCE_H_INCLUDED_
#define _AUDIT_SILENCE_H_INCLUDED_

/*++
/* NAME
/*	audit_silence 3h
/* SUMMARY
/*	input that says nothing
/* SYNOPSIS
/*	#include "audit_silence.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_facts.h"

extern const char *audit_silence(const AUDIT_FACTS *);

#define AUDIT_SILENCE_MOSTLY(unknown, lines)	((unknown) > (lines) / 2)

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
