#ifndef _AUDIT_HTML_H_INCLUDED_
#define _AUDIT_HTML_H_INCLUDED_

/*++
/* NAME
/*	audit_html 3h
/* SUMMARY
/*	self-contained web page
/* SYNOPSIS
/*	#include "audit_html.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_facts.h"
#include "audit_out.h"
#include "audit_verdict.h"

extern void audit_html_start(AUDIT_OUT *, const AUDIT_FACTS *, const AUDIT_READY *);
extern void audit_html_end(AUDIT_OUT *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
