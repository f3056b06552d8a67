#ifndef _AUDIT_HTML_TEXT_H_INCLUDED_
#define _AUDIT_HTML_TEXT_H_INCLUDED_

/*++
/* NAME
/*	audit_html_text 3h
/* SUMMARY
/*	text that is safe to show
/* SYNOPSIS
/*	#include "audit_html_text.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <vstream.h>

extern void audit_html_text(VSTREAM *, const char *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
