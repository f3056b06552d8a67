/*++
/* NAME
/*	audit_vocab 3
/* SUMMARY
/*	words that TLS records are made of
/* SYNOPSIS
/*	#include "audit_vocab.h"
/*
/*	int	audit_level_find(name)
/*	const char *name;
/*
/*	int	audit_level_policy(level)
/*	int	level;
/*
/*	int	audit_level_authenticates(level)
/*	int	level;
/*
/*	int	audit_auth_find(name)
/*	const char *name;
/*
/*	const char *audit_reply_reason(reply)
/*	const char *reply;
/*
/*	const char *audit_kex_name(kex, protocol, cipher)
/*	const char *kex;
/*	const char *protocol;
/*	const char *cipher;
/*
/*	AUDIT_ANSWER audit_forward_secret(kex, protocol)
/*	const char *kex;
/*	const char *protocol;
/*
/*	AUDIT_ANSWER audit_post_quantum(kex)
/*	const char *kex;
/*
/*	int	audit_protocol_old(protocol)
/*	const char *protocol;
/* DESCRIPTION
/*	This module holds the tables of TLS security levels, server
/*	authentication results, attributes and failure causes, and
/*	the few conclusions that follow from a word alone. To teach
/*	the program a new word, add it here.
/*
/*	audit_level_find() returns the index of the named TLS security
/*	level, or AUDIT_LEVEL_NONE.
/*
/*	audit_level_policy() returns the index of the level that the
/*	administrator configured when the specified level is logged.
/*
/*	audit_level_authenticates() says whether the server must prove
/*	who it is.
/*
/*	audit_auth_find() returns the index of the named authentication
/*	result, or AUDIT_AUTH_UNKNOWN.
/*
/*	audit_reply_reason() returns the keyword for the failure cause
/*	that the text of a delivery status begins with, or a null
/*	pointer when that is not a TLS failure.
/*
/*	audit_kex_name() returns the common name of a key exchange
/*	group. When the key exchange was not logged, it is taken from
/*	the name of a TLS 1.2 cipher. The result is a null pointer
/*	when that says nothing.
/*
/*	audit_forward_secret() and audit_post_quantum() judge a key
/*	exchange. The argument is a result from audit_kex_name().
/*
/*	audit_protocol_old() says whether a protocol version is one
/*	that should no longer be used.
/*
/*	All functions accept a null pointer instead of a word.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <string.h>

#ifdef STRCASECMP_IN_STRINGS_H
#include <strings.h>
#endif

/* Utility library. */

#include <stringops.h>

/* Application-specific. */

#include "audit_vocab.h"

 /*
  * half-dane is dane for a domain whose MX records are not signed. It
  * authenticates a server that the DNS did not vouch for, which Postfix logs
  * as Trusted. An audit line may call that level by either name.
  * 
  * In a tls= status, none is what is left of a policy that fell back to may when
  * there was no TLS at all.
  */
const AUDIT_LEVEL audit_levels[] = {
    {"none", "none", 0, AUDIT_AUTH_CLEARTEXT, "may"},
    {"may", "may", 0, AUDIT_AUTH_CLEARTEXT, "may"},
    {"encrypt", "encrypt", 0, AUDIT_AUTH_ANONYMOUS, "encrypt"},
    {"fingerprint", "fingerprint",
	AUDIT_LEVEL_FLAG_AUTH | AUDIT_LEVEL_FLAG_MATCH, AUDIT_AUTH_VERIFIED, 0},
    {"half-dane", "dane", AUDIT_LEVEL_FLAG_AUTH, AUDIT_AUTH_TRUSTED, 0},
    {"halfdane", "dane", AUDIT_LEVEL_FLAG_AUTH, AUDIT_AUTH_TRUSTED, 0},
    {"dane", "dane", AUDIT_LEVEL_FLAG_AUTH, AUDIT_AUTH_TRUSTED, 0},
    {"dane-only", "dane-only", AUDIT_LEVEL_FLAG_AUTH, AUDIT_AUTH_VERIFIED, 0},
    {"verify", "verify", AUDIT_LEVEL_FLAG_AUTH, AUDIT_AUTH_VERIFIED, 0},
    {"secure", "secure", AUDIT_LEVEL_FLAG_AUTH, AUDIT_AUTH_VERIFIED, 0},
    {0},
};

const char *const audit_auths[] = {
    "Cleartext", "Anonymous", "Untrusted", "Trusted", "Verified", 0,
};

const char *const audit_booleans[] = {
    "no", "yes",
};

 /*
  * In the order of AUDIT_ATTR_ID.
  */
#define ATTR(name, flags)	{name, sizeof(name) - 1, flags}

const AUDIT_ATTR audit_attrs[] = {
    ATTR("relay", 0),
    ATTR("level", 0),
    ATTR("policy", 0),
    ATTR("configured", 0),
    ATTR("auth", 0),
    ATTR("protocol", 0),
    ATTR("cipher", 0),
    ATTR("cert_digest", 0),
    ATTR("spki_digest", 0),
    ATTR("reason", 0),
    ATTR("nexthop", 0),
    ATTR("kex", 0),
    ATTR("fs", 0),
    ATTR("sigalg", 0),
    ATTR("sni", 0),
    ATTR("reuse", 0),
    ATTR("queue_id", 0),
    ATTR("nrcpt", 0),
    ATTR("size", 0),
    ATTR("dsn", 0),
    ATTR("relay_host", 0),
    ATTR("relay_addr", 0),
    ATTR("relay_port", 0),
    ATTR("attainable", 0),
    ATTR("verify_error", 0),
    ATTR("subject", 0),
    ATTR("issuer", 0),
    ATTR("cert_expires", 0),
    ATTR("resumed", 0),
    ATTR("fallback", 0),
    ATTR("rule", 0),
    ATTR("detail", AUDIT_ATTR_FLAG_TAIL),
    ATTR("to", 0),
    ATTR("tls", 0),
    ATTR("status", 0),
    ATTR("reply", AUDIT_ATTR_FLAG_TAIL),
    {0},
};

 /*
  * Upstream's own wording, see smtp_proto.c and smtp_tls_policy.c. A tail is
  * given where a host name is in between. Upstream does not say whether a
  * certificate that is "not verified" was untrusted or did not match, and
  * neither can we.
  */
typedef struct {
    const char *head;
    const char *tail;
    const char *reason;
} AUDIT_REPLY;

static const AUDIT_REPLY audit_replies[] = {
    {"TLS is required, but was not offered", 0, "nostarttls"},
    {"TLS is required, but host ", " refused to start TLS", "starttls-refused"},
    {"TLS is required, but our TLS engine is unavailable", 0, "local-config"},
    {"TLS is required, but unavailable", 0, "local-config"},
    {"client TLS configuration problem", 0, "local-config"},
    {"Cannot start TLS: handshake failure", 0, "handshake"},
    {"Server certificate not trusted", 0, "untrusted"},
    {"Server certificate not verified", 0, "not-verified"},
    {"no TLSA records found", 0, "tlsa-missing"},
    {"TLSA records unusable", 0, "tlsa-unusable"},
    {"non DNSSEC destination", 0, "insecure-mx"},
    {"TLSA lookup error", 0, "tlsa-lookup"},
    {0},
};

 /*
  * OpenSSL releases, NIST and IETF do not agree about group names. Matching is
  * case-insensitive.
  */
typedef struct {
    const char *alias;
    const char *name;
} AUDIT_KEX_ALIAS;

static const AUDIT_KEX_ALIAS audit_kex_aliases[] = {
    {"X25519", "X25519"},
    {"X448", "X448"},
    {"P-256", "secp256r1"},
    {"prime256v1", "secp256r1"},
    {"P-384", "secp384r1"},
    {"P-521", "secp521r1"},
    {0},
};

 /*
  * The key exchange of TLS 1.2 and earlier, from OpenSSL's cipher names. A
  * cipher that matches nothing else uses RSA key transport (or a pre-shared
  * key, which mail servers do not).
  */
static const AUDIT_KEX_ALIAS audit_cipher_kex[] = {
    {"ECDHE-", "ECDHE"},
    {"AECDH-", "ECDHE"},
    {"DHE-", "DHE"},
    {"EDH-", "DHE"},
    {"ADH-", "DHE"},
    {"", "RSA"},
    {0},
};

 /*
  * What the names of post-quantum groups have in common.
  */
static const char *const audit_quantum_marks[] = {
    "MLKEM", "mlkem", "ML-KEM", "Kyber", "kyber", 0,
};

static const char *const audit_old_protocols[] = {
    "SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1", 0,
};

#define SAME_WORD(one, other) \
	(((*(one) ^ *(other)) & ~('a' ^ 'A')) == 0 \
	    && strcasecmp((one), (other)) == 0)

#define PREFIX_OF(prefix, string) \
	(strncmp((string), (prefix), strlen(prefix)) == 0)

/* audit_level_find - level name to index */

int     audit_level_find(const char *name)
{
    int     n;

    if (name != 0)
	for (n = 0; audit_levels[n].name; n++)
	    if (SAME_WORD(audit_levels[n].name, name))
		return (n);
    return (AUDIT_LEVEL_NONE);
}

/* audit_level_policy - level as logged to level as configured */

int     audit_level_policy(int level)
{
    return (level < 0 ? level : audit_level_find(audit_levels[level].policy));
}

/* audit_auth_find - authentication result to index */

int     audit_auth_find(const char *name)
{
    int     n;

    if (name != 0)
	for (n = 0; audit_auths[n]; n++)
	    if (SAME_WORD(audit_auths[n], name))
		return (n);
    return (AUDIT_AUTH_UNKNOWN);
}

/* audit_reply_reason - cause of a TLS failure */

const char *audit_reply_reason(const char *reply)
{
    const AUDIT_REPLY *rp;

    if (reply != 0)
	for (rp = audit_replies; rp->head; rp++)
	    if (PREFIX_OF(rp->head, reply)
		&& (rp->tail == 0 || strstr(reply, rp->tail) != 0))
		return (rp->reason);
    return (0);
}

/* is_tls13 - key exchange is not named by the cipher */

static int is_tls13(const char *protocol)
{
    return (protocol != 0 && strcmp(protocol, "TLSv1.3") == 0);
}

/* audit_kex_name - common name of a key exchange */

const char *audit_kex_name(const char *kex, const char *protocol,
			           const char *cipher)
{
    const AUDIT_KEX_ALIAS *ap;

    if (kex != 0) {
	for (ap = audit_kex_aliases; ap->alias; ap++)
	    if (SAME_WORD(ap->alias, kex))
		return (ap->name);
	return (kex);
    }
    if (protocol == 0 || is_tls13(protocol) || cipher == 0)
	return (0);
    for (ap = audit_cipher_kex; ap->alias; ap++)
	if (PREFIX_OF(ap->alias, cipher))
	    break;
    return (ap->name);
}

/* audit_forward_secret - does stealing the server key reveal old mail */

AUDIT_ANSWER audit_forward_secret(const char *kex, const char *protocol)
{
    if (is_tls13(protocol))
	return (AUDIT_ANSWER_YES);
    if (kex == 0)
	return (AUDIT_ANSWER_UNKNOWN);
    return (strcmp(kex, "RSA") == 0 ? AUDIT_ANSWER_NO : AUDIT_ANSWER_YES);
}

/* audit_post_quantum - does a quantum computer reveal old mail */

AUDIT_ANSWER audit_post_quantum(const char *kex)
{
    const char *const * mark;

    if (kex == 0)
	return (AUDIT_ANSWER_UNKNOWN);
    for (mark = audit_quantum_marks; *mark; mark++)
	if (strstr(kex, *mark) != 0)
	    return (AUDIT_ANSWER_YES);
    return (AUDIT_ANSWER_NO);
}

/* audit_protocol_old - obsolete protocol version */

int     audit_protocol_old(const char *protocol)
{
    const char *const * pp;

    if (protocol != 0)
	for (pp = audit_old_protocols; *pp; pp++)
	    if (strcmp(*pp, protocol) == 0)
		return (1);
    return (0);
}
