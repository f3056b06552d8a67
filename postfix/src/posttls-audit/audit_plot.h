#ifndef _AUDIT_PLOT_H_INCLUDED_
#define _AUDIT_PLOT_H_INCLUDED_

/*++
/* NAME
/*	audit_plot 3h
/* SUMMARY
/*	plots for the web page
/* SYNOPSIS
/*	#include "audit_plot.h"
/* DESCRIPTION
/* .nf

 /*
  * Utility library.
  */
#include <vstream.h>

 /*
  * Application-specific.
  */
#include "audit_facts.h"

 /*
  * How many different fills there are, in style sheet and patterns.
  */
#define AUDIT_PLOT_FILLS	6

extern void audit_plot_patterns(VSTREAM *);
extern void audit_plots(VSTREAM *, const AUDIT_FACTS *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
