/*++
/* NAME
/*	audit_rows_servers 3
/* SUMMARY
/*	rows about servers
/* SYNOPSIS
/*	#include "audit_rows.h"
/*
/*	void	audit_rows_certificates(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	void	audit_rows_digests(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/*
/*	void	audit_rows_relays(out, context)
/*	AUDIT_OUT *out;
/*	const void *context;
/* DESCRIPTION
/*	audit_rows_certificates() shows certificates that are about to
/*	expire, as far as they are still in use, and audit_rows_digests()
/*	certificates and keys that changed. audit_rows_relays() shows TLS
/*	connections by server.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <stdlib.h>
#include <string.h>

/* Utility library. */

#include <mymalloc.h>

/* Application-specific. */

#include "audit_rows.h"
#include "audit_sort.h"

/* compare_certs - earliest end first */

static int compare_certs(const void *a, const void *b)
{
    const AUDIT_CERT *left = *(const AUDIT_CERT *const *) a;
    const AUDIT_CERT *right = *(const AUDIT_CERT *const *) b;

    if (left->expires != right->expires)
	return (left->expires < right->expires ? -1 : 1);
    return (strcmp(left->key.text, right->key.text));
}

/* audit_rows_certificates - about to expire, as far as they are still in use */

void    audit_rows_certificates(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const AUDIT_ROWS_CONTEXT *) context)->facts;
    void  **list = audit_sort_names(&facts->certs, compare_certs, 0, 0);
    void  **next;
    const AUDIT_CERT *cert;
    AUDIT_CELL cells[4];

#define EXPIRES_SOON	(14 * AUDIT_DAY_SECONDS)

    for (next = list; *next; next++) {
	cert = (const AUDIT_CERT *) *next;
	if (cert->expires > facts->last + EXPIRES_SOON
	    || cert->seen < facts->last - EXPIRES_SOON)
	    continue;
	cells[0].time = cert->expires;
	cells[1].text = cert->dest->name;
	cells[2].text = cert->relay->name;
	cells[3].time = cert->seen;
	audit_out_row(out, cells);
    }
    myfree((void *) list);
}

/* compare_digests - first seen first */

static int compare_digests(const void *a, const void *b)
{
    const AUDIT_DIGEST *left = *(const AUDIT_DIGEST *const *) a;
    const AUDIT_DIGEST *right = *(const AUDIT_DIGEST *const *) b;

    if (left->first != right->first)
	return (left->first < right->first ? -1 : 1);
    return (strcmp(left->text, right->text));
}

 /*
  * A server that has a new certificate for every connection is boring.
  */
#define DIGESTS_SHOWN	8

/* report_relay_digests - changes of one server's certificate or key */

static void report_relay_digests(AUDIT_OUT *out, const AUDIT_RELAY *relay,
				         int kind)
{
    const AUDIT_DIGEST *list[AUDIT_DIGEST_KEEP];
    const AUDIT_DIGEST *digest;
    AUDIT_CELL cells[6];
    int     count = 0;
    int     n;

    for (digest = relay->digests; digest; digest = digest->next)
	if (digest->kind == kind)
	    list[count++] = digest;
    qsort((void *) list, count, sizeof(*list), compare_digests);
    for (n = (count > DIGESTS_SHOWN ? count - DIGESTS_SHOWN : 0) + 1;
	 n < count; n++) {
	cells[0].text = relay->name;
	cells[1].text = audit_digest_kinds[kind];
	cells[2].time = list[n]->first;
	cells[3].text = list[n - 1]->text;
	cells[4].text = list[n]->text;
	cells[5].time = list[n - 1]->last;
	audit_out_row(out, cells);
    }
}

/* compare_relays - busiest server first */

static int compare_relays(const void *a, const void *b)
{
    const AUDIT_RELAY *left = *(const AUDIT_RELAY *const *) a;
    const AUDIT_RELAY *right = *(const AUDIT_RELAY *const *) b;

    if (left->connected != right->connected)
	return (left->connected < right->connected ? 1 : -1);
    return (strcmp(left->name, right->name));
}

/* has_connections - server has TLS connection lines */

static int has_connections(const void *ptr)
{
    return (((const AUDIT_RELAY *) ptr)->connected > 0);
}

/* has_changes - server has different certificates or keys */

static int has_changes(const void *ptr)
{
    const AUDIT_DIGEST *digest;
    int     counts[AUDIT_DIGEST_KINDS] = {0};

    for (digest = ((const AUDIT_RELAY *) ptr)->digests; digest;
	 digest = digest->next)
	if (++counts[digest->kind] > 1)
	    return (1);
    return (0);
}

/* audit_rows_digests - changed certificates and keys */

void    audit_rows_digests(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const AUDIT_ROWS_CONTEXT *) context)->facts;
    void  **list = audit_sort_names(&facts->relays, compare_relays, has_changes, 0);
    void  **next;
    int     kind;

    for (next = list; *next; next++)
	for (kind = 0; kind < AUDIT_DIGEST_KINDS; kind++)
	    report_relay_digests(out, (const AUDIT_RELAY *) *next, kind);
    myfree((void *) list);
}

/* audit_rows_relays - TLS connections by server */

void    audit_rows_relays(AUDIT_OUT *out, const void *context)
{
    const AUDIT_FACTS *facts = ((const AUDIT_ROWS_CONTEXT *) context)->facts;
    void  **list = audit_sort_names(&facts->relays, compare_relays,
				has_connections, AUDIT_ROWS_TOP(out));
    void  **next;
    const AUDIT_RELAY *relay;
    AUDIT_CELL cells[6];

    for (next = list; *next; next++) {
	relay = (const AUDIT_RELAY *) *next;
	cells[0].count = relay->connections[AUDIT_AUTH_VERIFIED];
	cells[1].count = relay->connections[AUDIT_AUTH_TRUSTED];
	cells[2].count = relay->connections[AUDIT_AUTH_UNTRUSTED];
	cells[3].count = relay->connections[AUDIT_AUTH_ANONYMOUS];
	cells[4].text = relay->name;
	cells[5].time = relay->last;
	audit_out_row(out, cells);
    }
    myfree((void *) list);
}
