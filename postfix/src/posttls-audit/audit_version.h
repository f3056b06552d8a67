#ifndef _AUDIT_VERSION_H_INCLUDED_
#define _AUDIT_VERSION_H_INCLUDED_

/*++
/* NAME
/*	audit_version 3h
/* SUMMARY
/*	version of the TLS fallback patch set
/* SYNOPSIS
/*	#include "audit_version.h"
/* DESCRIPTION
/* .nf

 /*
  * The first entry of CHANGELOG.md has the same version.
  */
#define TLS_AUDIT_VERSION	"2.0"

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
