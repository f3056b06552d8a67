#ifndef _AUDIT_VOCAB_H_INCLUDED_
#define _AUDIT_VOCAB_H_INCLUDED_

/*++
/* NAME
/*	audit_vocab 3h
/* SUMMARY
/*	words that TLS records are made of
/* SYNOPSIS
/*	#include "audit_vocab.h"
/* DESCRIPTION
/* .nf

 /*
  * TLS security levels. The index is the position in the table, and levels
  * are listed from weak to strong.
  */
typedef struct {
    const char *name;			/* as logged and as configured */
    const char *policy;			/* as the administrator wrote it */
    int     flags;			/* see below */
    int     weakest_auth;		/* shows that the level was met */
    const char *fallback;		/* fallback= value that leads to it */
} AUDIT_LEVEL;

#define AUDIT_LEVEL_FLAG_AUTH	(1<<0)	/* authenticates the server */
#define AUDIT_LEVEL_FLAG_MATCH	(1<<1)	/* a policy entry needs match= */

#define AUDIT_LEVEL_NONE	(-1)	/* no (known) level */

extern const AUDIT_LEVEL audit_levels[];
extern int audit_level_find(const char *);
extern int audit_level_policy(int);

#define audit_level_authenticates(n) \
	((n) >= 0 && (audit_levels[n].flags & AUDIT_LEVEL_FLAG_AUTH))

 /*
  * Server authentication results, from weak to strong.
  */
#define AUDIT_AUTH_UNKNOWN	(-1)
#define AUDIT_AUTH_CLEARTEXT	0
#define AUDIT_AUTH_ANONYMOUS	1
#define AUDIT_AUTH_UNTRUSTED	2
#define AUDIT_AUTH_TRUSTED	3
#define AUDIT_AUTH_VERIFIED	4
#define AUDIT_AUTH_COUNT	5

extern const char *const audit_auths[];
extern int audit_auth_find(const char *);

 /*
  * Attributes. Audit lines, fallback warnings, delivery status lines and TLS
  * connection lines are all reduced to these.
  */
typedef enum {
    AUDIT_ATTR_RELAY, AUDIT_ATTR_LEVEL, AUDIT_ATTR_POLICY,
    AUDIT_ATTR_CONFIGURED, AUDIT_ATTR_AUTH, AUDIT_ATTR_PROTOCOL,
    AUDIT_ATTR_CIPHER, AUDIT_ATTR_CERT_DIGEST, AUDIT_ATTR_SPKI_DIGEST,
    AUDIT_ATTR_REASON, AUDIT_ATTR_NEXTHOP, AUDIT_ATTR_KEX, AUDIT_ATTR_FS,
    AUDIT_ATTR_SIGALG, AUDIT_ATTR_SNI, AUDIT_ATTR_REUSE,
    AUDIT_ATTR_QUEUE_ID, AUDIT_ATTR_NRCPT, AUDIT_ATTR_SIZE, AUDIT_ATTR_DSN,
    AUDIT_ATTR_RELAY_HOST, AUDIT_ATTR_RELAY_ADDR, AUDIT_ATTR_RELAY_PORT,
    AUDIT_ATTR_ATTAINABLE, AUDIT_ATTR_VERIFY_ERROR, AUDIT_ATTR_SUBJECT,
    AUDIT_ATTR_ISSUER, AUDIT_ATTR_CERT_EXPIRES, AUDIT_ATTR_RESUMED,
    AUDIT_ATTR_FALLBACK, AUDIT_ATTR_RULE, AUDIT_ATTR_DETAIL,
    AUDIT_ATTR_TO, AUDIT_ATTR_TLS, AUDIT_ATTR_STATUS, AUDIT_ATTR_REPLY,
    AUDIT_ATTR_COUNT
} AUDIT_ATTR_ID;

typedef struct {
    const char *name;
    size_t  len;
    int     flags;			/* see below */
} AUDIT_ATTR;

#define AUDIT_ATTR_FLAG_TAIL	(1<<0)	/* free text until end-of-line */

extern const AUDIT_ATTR audit_attrs[];

 /*
  * How an attribute that is a boolean is logged: no, yes.
  */
extern const char *const audit_booleans[];

 /*
  * The causes of a TLS failure as the SMTP client words them in a delivery
  * status, mapped on the keywords that fallback warnings use.
  */
extern const char *audit_reply_reason(const char *);

 /*
  * What a protocol, a cipher and a key exchange imply.
  */
typedef enum {
    AUDIT_ANSWER_NO, AUDIT_ANSWER_YES, AUDIT_ANSWER_UNKNOWN,
    AUDIT_ANSWER_COUNT
} AUDIT_ANSWER;

extern const char *audit_kex_name(const char *, const char *, const char *);
extern AUDIT_ANSWER audit_forward_secret(const char *, const char *);
extern AUDIT_ANSWER audit_post_quantum(const char *);
extern int audit_protocol_old(const char *);

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
