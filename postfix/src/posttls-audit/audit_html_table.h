#ifndef _AUDIT_HTML_TABLE_H_INCLUDED_
#define _AUDIT_HTML_TABLE_H_INCLUDED_

/*++
/* NAME
/*	audit_html_table 3h
/* SUMMARY
/*	tables of a web page
/* SYNOPSIS
/*	#include "audit_html_table.h"
/* DESCRIPTION
/* .nf

 /*
  * Application-specific.
  */
#include "audit_out.h"

extern void audit_html_table(AUDIT_OUT *, AUDIT_OUT_FN, const void *);
extern void audit_html_table_row(AUDIT_OUT *, const AUDIT_CELL *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
