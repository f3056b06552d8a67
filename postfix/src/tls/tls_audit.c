/*++
/* NAME
/*	tls_audit 3
/* SUMMARY
/*	TLS audit template
/* SYNOPSIS
/*	#include <tls_audit.h>
/*
/*	char	*tls_audit_template(param_name, value)
/*	const char *param_name;
/*	const char *value;
/*
/*	int	tls_audit_wants_cert(template)
/*	const char *template;
/*
/*	const char *tls_audit_expand(result, template, audit)
/*	VSTRING *result;
/*	const char *template;
/*	const TLS_AUDIT *audit;
/* DESCRIPTION
/*	This module turns a template with $name expressions, and the facts
/*	about one message data transfer, into text for one logfile record.
/*	The expressions are those of mac_expand(3).
/*
/*	tls_audit_template() checks a template, and returns a copy
/*	that is suitable for tls_audit_expand(). Sequences of white space
/*	become one space, so that a template may occupy multiple lines in
/*	main.cf. A template that is one word without "$" is the
/*	name of a built-in template (standard, full or json). The result is a
/*	null pointer when the value is empty, or when it cannot be used.
/*	The result is passed to myfree() by the caller.
/*
/*	tls_audit_wants_cert() returns non-zero when a template has
/*	attributes for which the server certificate must be known.
/*	Otherwise, tls_audit_expand() does not look at it.
/*
/*	tls_audit_expand() expands a template. The result value is
/*	the content of the result buffer, with all non-printable characters
/*	replaced. In names from a server certificate, also non-ASCII
/*	characters are replaced, and characters that could end the name or
/*	begin another attribute.
/*
/*	Arguments:
/* .IP param_name
/*	The configuration parameter name, for logging.
/* .IP value
/*	The configuration parameter value, without $name expansion.
/* .IP result
/*	Storage for the result. The buffer is overwritten.
/* .IP template
/*	Result from tls_audit_template().
/* .IP audit
/*	The facts. Numbers are logged in decimal; the size is in bytes.
/* .PP
/*	The attributes in a template are those in the table
/*	tls_audit_table below, which is also the order of the
/*	built-in templates "full" (up to "dsn") and "json". An attribute is
/*	undefined when it does not apply.
/*
/*	The result of "json" is one JSON object (RFC 8259) in ASCII,
/*	after "tlsaudit: ". Where text is not valid UTF-8, it has the
/*	Unicode replacement character. The result is no longer than 1900
/*	bytes, a little below the limit of msg_syslog(3) and msg_logger(3)
/*	for a logfile record. Attributes that don't fit are left out; those
/*	in the table tls_audit_json_optional go first, in the order of that
/*	table.
/* DIAGNOSTICS
/*	Warnings: unknown attribute name (expands to nothing); unbalanced
/*	{} or () or other syntax error, unknown built-in template (the
/*	value counts as empty). There is one such warning, with the
/*	parameter name and the offending word.
/* SEE ALSO
/*	mac_expand(3) attribute expansion
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>

#ifdef USE_TLS

#include <ctype.h>
#include <string.h>

#ifdef STRCASECMP_IN_STRINGS_H
#include <strings.h>
#endif

/* Utility library. */

#include <mac_expand.h>
#include <msg.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstring.h>

/* TLS library. */

#include <tls.h>
#include <tls_audit.h>
#include <tls_audit_cert.h>
#include <tls_fallback.h>
#include <tls_fallback_compat.h>

#define STR(x)		vstring_str(x)
#define LEN(x)		VSTRING_LEN(x)

 /*
  * A session object that was received from another process has empty strings
  * where a new one has null pointers.
  */
#define DEFINED(s)	((s) != 0 && *(s) != 0)
#define STR_OR_NULL(s)	(DEFINED(s) ? (s) : (const char *) 0)

/* tls_audit_level - security level name, if there is a level */

static const char *tls_audit_level(int level)
{
    return (level < TLS_LEV_NONE ? 0 : str_tls_policy_level(level));
}

/* tls_audit_number - number to decimal */

static const char *tls_audit_number(VSTRING *buf, long number)
{
    char    digits[sizeof(number) * 3 + 2];
    char   *cp = digits + sizeof(digits) - 1;
    unsigned long rest = (number < 0 ? -(unsigned long) number : number);

    /*
     * There are several numbers in each record.
     */
    *cp = 0;
    do {
	*--cp = '0' + rest % 10;
    } while ((rest /= 10) > 0);
    if (number < 0)
	*--cp = '-';
    return (STR(vstring_strcpy(buf, cp)));
}

 /*
  * The key exchange of TLS 1.2 and earlier is part of the cipher name. Other
  * names, those without key exchange in the name included, mean that the
  * server's long-term RSA key protects the session key.
  */
typedef struct {
    const char *prefix;			/* of the cipher name */
    const char *kex;			/* key exchange */
    int     fs;				/* forward secrecy */
} TLS_AUDIT_CIPHER;

static const TLS_AUDIT_CIPHER tls_audit_ciphers[] = {
    {"ECDHE-", "ECDHE", 1},
    {"AECDH-", "ECDHE", 1},
    {"DHE-", "DHE", 1},
    {"EDH-", "DHE", 1},
    {"ADH-", "DHE", 1},
    {"", "RSA", 0},
};

#define HAS_TLS13_CIPHER(tls)	(strncmp((tls)->cipher_name, "TLS_", 4) == 0)

/* tls_audit_cipher - key exchange from TLS 1.2 cipher name */

static const TLS_AUDIT_CIPHER *tls_audit_cipher(const char *name)
{
    const TLS_AUDIT_CIPHER *cp;

    for (cp = tls_audit_ciphers; *cp->prefix; cp++)
	if (strncmp(name, cp->prefix, strlen(cp->prefix)) == 0)
	    break;
    return (cp);
}

/* tls_audit_group - one name for each group, whatever the OpenSSL version */

static const char *tls_audit_group(const char *name)
{
    static const char *const aliases[] = {
	"x25519", "X25519", "x448", "X448", "prime256v1", "secp256r1", 0,
    };
    const char *const *cpp;

    for (cpp = aliases; *cpp; cpp += 2)
	if (strcasecmp(name, cpp[0]) == 0)
	    return (cpp[1]);
    return (name);
}

/* tls_audit_kex - key exchange group or algorithm */

static const char *tls_audit_kex(const TLS_AUDIT *audit, VSTRING *buf)
{
    const TLS_SESS_STATE *tls = audit->tls;

    if (tls == 0)
	return (0);
    if (DEFINED(tls->kex_curve))
	return (tls_audit_group(tls->kex_curve));
    if (DEFINED(tls->kex_name)) {
	if (strncasecmp(tls->kex_name, "ffdhe", 5) == 0)
	    return (STR(vstring_sprintf(buf, "FFDHE%s", tls->kex_name + 5)));
	if (strcmp(tls->kex_name, "DHE") == 0 && tls->kex_bits > 0)
	    return (STR(vstring_sprintf(buf, "FFDHE%d", tls->kex_bits)));
	return (tls_audit_group(tls->kex_name));
    }
    if (!DEFINED(tls->cipher_name) || HAS_TLS13_CIPHER(tls))
	return (0);
    return (tls_audit_cipher(tls->cipher_name)->kex);
}

/* tls_audit_fs - forward secrecy */

static const char *tls_audit_fs(const TLS_AUDIT *audit, VSTRING *unused_buf)
{
    const TLS_SESS_STATE *tls = audit->tls;

    if (tls == 0 || !DEFINED(tls->cipher_name))
	return (0);
    if (HAS_TLS13_CIPHER(tls))
	return ("yes");
    return (tls_audit_cipher(tls->cipher_name)->fs ? "yes" : "no");
}

/* tls_audit_auth - same distinction as in tls_log_summary() */

static const char *tls_audit_auth(const TLS_AUDIT *audit, VSTRING *unused_buf)
{
    const TLS_SESS_STATE *tls = audit->tls;

    return (tls == 0 ? "Cleartext" :
	    !TLS_CRED_IS_PRESENT(tls) ? "Anonymous" :
	    TLS_CERT_IS_SECURED(tls) ? "Verified" :
	    TLS_CERT_IS_TRUSTED(tls) ? "Trusted" : "Untrusted");
}

/* tls_audit_sigalg - same text as in tls_log_summary() */

static const char *tls_audit_sigalg(const TLS_AUDIT *audit, VSTRING *buf)
{
    const TLS_SESS_STATE *tls = audit->tls;
    const char *rpk;

    if (tls == 0 || !DEFINED(tls->srvr_sig_name))
	return (0);
    rpk = audit->rpk ? " raw public key" : "";
    if (DEFINED(tls->srvr_sig_curve))
	vstring_sprintf(buf, "%s (%s%s)", tls->srvr_sig_name,
			tls->srvr_sig_curve, rpk);
    else if (tls->srvr_sig_bits > 0)
	vstring_sprintf(buf, "%s (%d bit%s)", tls->srvr_sig_name,
			tls->srvr_sig_bits, *rpk ? rpk : "s");
    else if (*rpk)
	vstring_sprintf(buf, "%s (raw public key)", tls->srvr_sig_name);
    else
	vstring_strcpy(buf, tls->srvr_sig_name);
    return (STR(buf));
}

 /*
  * The other attributes are copied from the arguments.
  */
#define TLS_AUDIT_ATTR(name, value) \
    static const char *tls_audit_##name(const TLS_AUDIT *audit, VSTRING *buf) \
    { \
	(void) buf; \
	return (value); \
    }

#define FROM_TLS(member) \
	(audit->tls ? STR_OR_NULL(audit->tls->member) : (const char *) 0)

#define AUDIT_CERT(audit) \
	((audit)->tls ? tls_audit_cert((audit)->tls) : (TLS_AUDIT_CERT *) 0)

TLS_AUDIT_ATTR(relay, audit->relay)
TLS_AUDIT_ATTR(eff_level, tls_audit_level(audit->level))
TLS_AUDIT_ATTR(policy, tls_audit_level(audit->policy))
TLS_AUDIT_ATTR(configured, tls_audit_level(audit->configured))
TLS_AUDIT_ATTR(protocol, FROM_TLS(protocol))
TLS_AUDIT_ATTR(cipher_name, FROM_TLS(cipher_name))
TLS_AUDIT_ATTR(cert_digest, FROM_TLS(peer_cert_fprint))
TLS_AUDIT_ATTR(spki_digest, FROM_TLS(peer_pkey_fprint))
TLS_AUDIT_ATTR(reason, audit->reason)
TLS_AUDIT_ATTR(nexthop, audit->nexthop)
TLS_AUDIT_ATTR(host, audit->host)
TLS_AUDIT_ATTR(addr, audit->addr)
TLS_AUDIT_ATTR(port, audit->port ? tls_audit_number(buf, audit->port) : 0)
TLS_AUDIT_ATTR(sni, FROM_TLS(peer_sni))
TLS_AUDIT_ATTR(reuse, audit->reuse > 0 ? tls_audit_number(buf, audit->reuse) : 0)
TLS_AUDIT_ATTR(queue_id, audit->queue_id)
TLS_AUDIT_ATTR(nrcpt, tls_audit_number(buf, audit->nrcpt))
TLS_AUDIT_ATTR(size, tls_audit_number(buf, audit->size))
TLS_AUDIT_ATTR(dsn, audit->dsn)

 /*
  * What is known from the server certificate.
  */
TLS_AUDIT_ATTR(peer_name, FROM_TLS(peer_CN))
TLS_AUDIT_ATTR(issuer_name, FROM_TLS(issuer_CN))

/* tls_audit_attainable - the highest level that the certificate was good for */

static const char *tls_audit_attainable(const TLS_AUDIT *audit,
					        VSTRING *unused_buf)
{
    TLS_AUDIT_CERT *cert = AUDIT_CERT(audit);

#define MATCHES(cert, audit, patterns) \
	((patterns) != 0 && tls_audit_cert_match((cert), (patterns), \
					    (audit)->domain, (audit)->host))

    if (cert == 0)
	return (0);
    if (MATCHES(cert, audit, audit->secure_match))
	return (str_tls_policy_level(TLS_LEV_SECURE));
    if (MATCHES(cert, audit, audit->verify_match))
	return (str_tls_policy_level(TLS_LEV_VERIFY));
    return (0);
}

/* tls_audit_verify_error - why the certificate chain is not trusted */

static const char *tls_audit_verify_error(const TLS_AUDIT *audit,
					          VSTRING *unused_buf)
{
    TLS_AUDIT_CERT *cert = AUDIT_CERT(audit);

    return (cert ? tls_audit_cert_error(cert) : 0);
}

/* tls_audit_expires - end of the certificate's validity */

static const char *tls_audit_expires(const TLS_AUDIT *audit, VSTRING *buf)
{
    TLS_AUDIT_CERT *cert = AUDIT_CERT(audit);

    return (cert ? tls_audit_cert_expires(buf, cert) : 0);
}

/* tls_audit_resumed - TLS session resumption */

static const char *tls_audit_resumed(const TLS_AUDIT *audit,
				             VSTRING *unused_buf)
{
    TLS_AUDIT_CERT *cert = AUDIT_CERT(audit);

    return (cert != 0 && cert->resumed ? "yes" : 0);
}

 /*
  * The attributes. The order is that of the built-in templates "full" and
  * "json"; the built-in template "standard" has the order of its own list
  * below.
  */
typedef struct {
    const char *name;			/* $name in template */
    const char *(*value) (const TLS_AUDIT *, VSTRING *);
    int     flags;			/* see below */
} TLS_AUDIT_ROW;

#define TLS_AUDIT_FLAG_FULL	(1<<0)	/* in built-in template "full" */
#define TLS_AUDIT_FLAG_NUMBER	(1<<1)	/* JSON number */
#define TLS_AUDIT_FLAG_BOOL	(1<<2)	/* JSON boolean */
#define TLS_AUDIT_FLAG_CERT	(1<<3)	/* needs tls_audit_cert() */
#define TLS_AUDIT_FLAG_NAME	(1<<4)	/* free text, chosen by the server */

#define FULL	TLS_AUDIT_FLAG_FULL
#define NUMBER	TLS_AUDIT_FLAG_NUMBER
#define BOOL	TLS_AUDIT_FLAG_BOOL
#define CERT	TLS_AUDIT_FLAG_CERT
#define NAME	TLS_AUDIT_FLAG_NAME

static const TLS_AUDIT_ROW tls_audit_table[] = {
    {"relay", tls_audit_relay, FULL},
    {"level", tls_audit_eff_level, FULL},
    {"policy", tls_audit_policy, FULL},
    {"configured", tls_audit_configured, FULL},
    {"auth", tls_audit_auth, FULL},
    {"protocol", tls_audit_protocol, FULL},
    {"cipher", tls_audit_cipher_name, FULL},
    {"cert_digest", tls_audit_cert_digest, FULL},
    {"spki_digest", tls_audit_spki_digest, FULL},
    {"reason", tls_audit_reason, FULL},
    {"nexthop", tls_audit_nexthop, FULL},
    {"kex", tls_audit_kex, FULL},
    {"fs", tls_audit_fs, FULL | BOOL},
    {"sigalg", tls_audit_sigalg, FULL},
    {"sni", tls_audit_sni, FULL},
    {"reuse", tls_audit_reuse, FULL | NUMBER},
    {"queue_id", tls_audit_queue_id, FULL},
    {"nrcpt", tls_audit_nrcpt, FULL | NUMBER},
    {"size", tls_audit_size, FULL | NUMBER},
    {"dsn", tls_audit_dsn, FULL},
    {"relay_host", tls_audit_host, 0},
    {"relay_addr", tls_audit_addr, 0},
    {"relay_port", tls_audit_port, NUMBER},
    {"attainable", tls_audit_attainable, CERT},
    {"verify_error", tls_audit_verify_error, CERT},
    {"cert_expires", tls_audit_expires, CERT},
    {"resumed", tls_audit_resumed, CERT | BOOL},
    {"subject", tls_audit_peer_name, NAME},
    {"issuer", tls_audit_issuer_name, NAME},
    {0, 0, 0},
};

#undef FULL
#undef NUMBER
#undef BOOL
#undef CERT
#undef NAME

 /*
  * What is left out of a JSON object that is too long. The names in the
  * certificate are chosen by the server. Most of the others are limited by
  * the DNS and by digest algorithms, and the rest is short.
  */
static const char *const tls_audit_json_optional[] = {
    "subject", "issuer", "sni", "relay_host", "relay_addr", "spki_digest",
    "cert_digest", "sigalg", "nexthop", "relay", "kex", "cipher", "protocol",
    "queue_id", "dsn", "verify_error", 0,
};

#define TLS_AUDIT_JSON_LIMIT	1900

 /*
  * Built-in templates. "standard" and "full" are "name=value", separated by ",
  * ". The first attribute is always there, the others when they are defined.
  * With a null list of names: all attributes that have the "full" flag. These
  * templates are expanded without mac_expand(3), at a quarter of the cost.
  */
#define TLS_AUDIT_LINE_START	"tlsaudit: "

typedef struct TLS_AUDIT_BUILTIN {
    const char *name;			/* template name */
    void    (*expand) (VSTRING *, const struct TLS_AUDIT_BUILTIN *,
		               const TLS_AUDIT *, VSTRING *);
    const char *const *attributes;	/* attribute names */
    int     wants_cert;			/* has attributes that need it */
} TLS_AUDIT_BUILTIN;

static void tls_audit_text(VSTRING *, const TLS_AUDIT_BUILTIN *,
			           const TLS_AUDIT *, VSTRING *);
static void tls_audit_json(VSTRING *, const TLS_AUDIT_BUILTIN *,
			           const TLS_AUDIT *, VSTRING *);

static const char *const tls_audit_standard[] = {
    "relay", "auth", "level", "policy", "protocol", "cipher", 0,
};

static const TLS_AUDIT_BUILTIN tls_audit_builtins[] = {
    {"standard", tls_audit_text, tls_audit_standard, 0},
    {"full", tls_audit_text, 0, 0},
    {"json", tls_audit_json, 0, 1},
    {0, 0, 0, 0},
};

/* tls_audit_find - find attribute by name */

static const TLS_AUDIT_ROW *tls_audit_find(const char *name)
{
    const TLS_AUDIT_ROW *row;

    for (row = tls_audit_table; row->name; row++)
	if (strcmp(row->name, name) == 0)
	    return (row);
    return (0);
}

#define IS_BUILTIN_NAME(cp)	((cp)[strcspn((cp), " $")] == 0)

/* tls_audit_builtin - find built-in template, null if no such thing */

static const TLS_AUDIT_BUILTIN *tls_audit_builtin(const char *name)
{
    const TLS_AUDIT_BUILTIN *builtin;

    for (builtin = tls_audit_builtins; builtin->name; builtin++)
	if (strcasecmp(builtin->name, name) == 0)
	    return (builtin);
    return (0);
}

/* tls_audit_text_add - append attribute if it is defined */

static void tls_audit_text_add(VSTRING *result, const TLS_AUDIT_ROW *row,
			               const TLS_AUDIT *audit, VSTRING *buf)
{
    const char *value = row->value(audit, buf);
    ssize_t start;

    if (LEN(result) == 0)
	vstring_strcpy(result, TLS_AUDIT_LINE_START);
    else if (!DEFINED(value))
	return;
    else
	vstring_strcat(result, ", ");
    vstring_strcat(result, row->name);
    VSTRING_ADDCH(result, '=');
    start = LEN(result);
    vstring_strcat(result, DEFINED(value) ? value : "");
    (void) printable(STR(result) + start, '_');
}

/* tls_audit_text - expand built-in template */

static void tls_audit_text(VSTRING *result, const TLS_AUDIT_BUILTIN *builtin,
			           const TLS_AUDIT *audit, VSTRING *buf)
{
    const TLS_AUDIT_ROW *row;
    const char *const *cpp;

    VSTRING_RESET(result);
    if ((cpp = builtin->attributes) != 0) {
	for ( /* void */ ; *cpp; cpp++)
	    tls_audit_text_add(result, tls_audit_find(*cpp), audit, buf);
    } else {
	for (row = tls_audit_table; row->name; row++)
	    if (row->flags & TLS_AUDIT_FLAG_FULL)
		tls_audit_text_add(result, row, audit, buf);
    }
}

 /*
  * What can be in a JSON string as it is. Other characters are written as
  * "\u" and four hexadecimal digits, which every JSON parser understands, and
  * which no terminal or log viewer interprets.
  */
#define IS_PLAIN_JSON(ch) \
	((ch) >= 0x20 && (ch) < 0x7f && (ch) != '"' && (ch) != '\\')

#define REPLACEMENT_CHARACTER	0xfffd

/* tls_audit_plain_json - table of the above, as each character is looked at */

static const char *tls_audit_plain_json(void)
{
    static char table[256];
    int     ch;

    if (table['a'] == 0)
	for (ch = 0; ch < 256; ch++)
	    table[ch] = IS_PLAIN_JSON(ch);
    return (table);
}

/* tls_audit_utf8 - decode one character, or one byte of what is not UTF-8 */

static const unsigned char *tls_audit_utf8(const unsigned char *cp,
					           unsigned *code)
{
    static const unsigned smallest[] = {0, 0x80, 0x800, 0x10000};
    int     more = (*cp < 0x80 ? 0 : *cp < 0xc0 ? -1 : *cp < 0xe0 ? 1 :
		    *cp < 0xf0 ? 2 : *cp < 0xf8 ? 3 : -1);
    unsigned value;
    int     i;

#define IS_SURROGATE(c)	((c) >= 0xd800 && (c) <= 0xdfff)

    *code = REPLACEMENT_CHARACTER;
    if (more < 0)
	return (cp + 1);
    value = (more == 0 ? *cp : *cp & (0x3f >> more));
    for (i = 1; i <= more; i++) {
	if ((cp[i] & 0xc0) != 0x80)
	    return (cp + 1);
	value = (value << 6) | (cp[i] & 0x3f);
    }
    if (value < smallest[more] || value > 0x10ffff || IS_SURROGATE(value))
	return (cp + 1);
    *code = value;
    return (cp + more + 1);
}

/* tls_audit_json_string - append JSON string */

static void tls_audit_json_string(VSTRING *result, const char *text)
{
    const unsigned char *cp = (const unsigned char *) text;
    const unsigned char *start;
    const char *is_plain = tls_audit_plain_json();
    unsigned code;

    VSTRING_ADDCH(result, '"');
    for (;;) {
	for (start = cp; is_plain[*cp]; cp++)
	     /* void */ ;
	if (cp > start)
	    vstring_memcat(result, (const char *) start, cp - start);
	if (*cp == 0)
	    break;
	cp = tls_audit_utf8(cp, &code);
	if (code == '"' || code == '\\') {
	    VSTRING_ADDCH(result, '\\');
	    VSTRING_ADDCH(result, code);
	} else if (code < 0x10000) {
	    vstring_sprintf_append(result, "\\u%04x", code);
	} else {
	    code -= 0x10000;
	    vstring_sprintf_append(result, "\\u%04x\\u%04x",
				   0xd800 + (code >> 10),
				   0xdc00 + (code & 0x3ff));
	}
    }
    VSTRING_ADDCH(result, '"');
}

/* tls_audit_json_object - append JSON object, without some attributes */

static void tls_audit_json_object(VSTRING *result, const TLS_AUDIT *audit,
			              VSTRING *buf, unsigned long left_out)
{
    const TLS_AUDIT_ROW *row;
    const char *value;
    char    before = '{';

#define ROW_BIT(row)	(1UL << ((row) - tls_audit_table))

    for (row = tls_audit_table; row->name; row++) {
	if ((left_out & ROW_BIT(row)) != 0
	    || (value = row->value(audit, buf)) == 0 || *value == 0)
	    continue;
	VSTRING_ADDCH(result, before);
	VSTRING_ADDCH(result, '"');
	vstring_memcat(result, row->name, strlen(row->name));
	vstring_memcat(result, "\":", 2);
	if (row->flags & TLS_AUDIT_FLAG_NUMBER)
	    vstring_strcat(result, value);
	else if (row->flags & TLS_AUDIT_FLAG_BOOL)
	    vstring_strcat(result, *value == 'y' ? "true" : "false");
	else
	    tls_audit_json_string(result, value);
	before = ',';
    }
    if (before == '{')
	VSTRING_ADDCH(result, before);
    VSTRING_ADDCH(result, '}');
    VSTRING_TERMINATE(result);
}

/* tls_audit_json - expand built-in template */

static void tls_audit_json(VSTRING *result,
			           const TLS_AUDIT_BUILTIN *unused_builtin,
			           const TLS_AUDIT *audit, VSTRING *buf)
{
    const char *const *optional = tls_audit_json_optional;
    unsigned long left_out = 0;

    for (;;) {
	vstring_strcpy(result, TLS_AUDIT_LINE_START);
	tls_audit_json_object(result, audit, buf, left_out);
	if (LEN(result) <= TLS_AUDIT_JSON_LIMIT || *optional == 0)
	    break;
	left_out |= ROW_BIT(tls_audit_find(*optional++));
    }
}

/* tls_audit_check_lookup - call-back, collect the first unknown name */

static const char *tls_audit_check_lookup(const char *name, int unused_mode,
					          void *context)
{
    VSTRING *unknown = (VSTRING *) context;

    if (tls_audit_find(name) == 0 && LEN(unknown) == 0)
	vstring_strcpy(unknown, name);
    return ("");
}

/* tls_audit_unbalanced - find start of unbalanced ${} or $() */

static const char *tls_audit_unbalanced(const char *template)
{
    const char *cp;

    for (cp = template; (cp = strchr(cp, '$')) != 0; cp++) {
	if (cp[1] == '$')
	    cp++;
	else if ((cp[1] == '{' && balpar(cp + 1, "{}") == 0)
		 || (cp[1] == '(' && balpar(cp + 1, "()") == 0))
	    return (cp);
    }
    return (0);
}

/* tls_audit_check - report problems, return zero if template is unusable */

static int tls_audit_check(const char *param_name, const char *template)
{
    VSTRING *unknown = vstring_alloc(10);
    const char *bad;
    int     usable = 1;

    /*
     * mac_expand() reports unbalanced input without saying where that input
     * came from, so look for that first.
     */
    if ((bad = tls_audit_unbalanced(template)) != 0) {
	msg_warn("%s: unbalanced {} or () at \"%s\"; ignoring the parameter",
		 param_name, bad);
	usable = 0;
    } else if (mac_expand((VSTRING *) 0, template, MAC_EXP_FLAG_SCAN,
			  (char *) 0, tls_audit_check_lookup,
			  (void *) unknown) & MAC_PARSE_ERROR) {
	msg_warn("%s: syntax error in \"%s\"; ignoring the parameter",
		 param_name, template);
	usable = 0;
    } else if (LEN(unknown) > 0) {
	msg_warn("%s: unknown attribute \"%s\" expands to nothing",
		 param_name, STR(unknown));
    }
    vstring_free(unknown);
    return (usable);
}

/* tls_audit_normalize - make one line, without leading or trailing space */

static char *tls_audit_normalize(const char *value)
{
    char   *normal = mystrdup(value);
    char   *in;
    char   *out;

    for (in = out = normal; *in != 0; in++)
	if (!ISSPACE(*in))
	    *out++ = *in;
	else if (out > normal && out[-1] != ' ')
	    *out++ = ' ';
    if (out > normal && out[-1] == ' ')
	--out;
    *out = 0;
    return (normal);
}

/* tls_audit_template - check template from main.cf */

char   *tls_audit_template(const char *param_name, const char *value)
{
    char   *template;
    int     usable;

    if (value[strspn(value, CHARS_SPACE)] == 0)
	return (0);
    template = tls_audit_normalize(value);
    (void) printable(template, '?');
    if (!IS_BUILTIN_NAME(template))
	usable = tls_audit_check(param_name, template);
    else if ((usable = (tls_audit_builtin(template) != 0)) == 0)
	msg_warn("%s: unknown built-in template \"%s\": specify "
		 "standard, full or json, or text with $name; ignoring "
		 "the parameter", param_name, template);
    if (!usable) {
	myfree(template);
	return (0);
    }
    return (template);
}

/* tls_audit_wants_lookup - call-back, look for names that need it */

static const char *tls_audit_wants_lookup(const char *name, int unused_mode,
					          void *context)
{
    const TLS_AUDIT_ROW *row = tls_audit_find(name);

    if (row != 0 && (row->flags & TLS_AUDIT_FLAG_CERT) != 0)
	*(int *) context = 1;
    return ("");
}

/* tls_audit_wants_cert - must the server certificate be known? */

int     tls_audit_wants_cert(const char *template)
{
    int     wanted = 0;

    if (IS_BUILTIN_NAME(template))
	return (tls_audit_builtin(template)->wants_cert);
    (void) mac_expand((VSTRING *) 0, template, MAC_EXP_FLAG_SCAN, (char *) 0,
		      tls_audit_wants_lookup, (void *) &wanted);
    return (wanted);
}

/* tls_audit_harmless - text from the server that looks like nothing else */

static const char *tls_audit_harmless(VSTRING *buf, const char *text)
{
    static VSTRING *copy;
    const unsigned char *cp;
    unsigned code;

    /*
     * In a text template, nothing but its own text and punctuation may look
     * like the beginning of an attribute, or like the end of a quoted value.
     * Non-ASCII characters can change the direction of what follows.
     */
#define IS_PUNCTUATION(ch)	(strchr("=,;|\"\\<>{}[]", (ch)) != 0)
#define IS_HARMLESS(ch)	(ISASCII(ch) && ISPRINT(ch) && !IS_PUNCTUATION(ch))

    if (copy == 0)
	copy = vstring_alloc(100);
    VSTRING_RESET(copy);
    for (cp = (const unsigned char *) text; *cp != 0; /* void */ ) {
	cp = tls_audit_utf8(cp, &code);
	VSTRING_ADDCH(copy, code < 0x7f && IS_HARMLESS(code) ? code : '_');
    }
    VSTRING_TERMINATE(copy);
    return (STR(vstring_strcpy(buf, STR(copy))));
}

 /*
  * Call-back context.
  */
typedef struct {
    const TLS_AUDIT *audit;
    VSTRING *buf;
} TLS_AUDIT_CONTEXT;

/* tls_audit_lookup - call-back, attribute value */

static const char *tls_audit_lookup(const char *name, int unused_mode,
				            void *context)
{
    TLS_AUDIT_CONTEXT *cp = (TLS_AUDIT_CONTEXT *) context;
    const TLS_AUDIT_ROW *row;
    const char *value;

    if ((row = tls_audit_find(name)) == 0
	|| (value = row->value(cp->audit, cp->buf)) == 0)
	return (0);
    return ((row->flags & TLS_AUDIT_FLAG_NAME) ?
	    tls_audit_harmless(cp->buf, value) : value);
}

/* tls_audit_expand - expand template */

const char *tls_audit_expand(VSTRING *result, const char *template,
			             const TLS_AUDIT *audit)
{
    static VSTRING *buf;
    const TLS_AUDIT_BUILTIN *builtin;
    TLS_AUDIT_CONTEXT context;

    if (buf == 0)
	buf = vstring_alloc(100);
    if (IS_BUILTIN_NAME(template)) {
	builtin = tls_audit_builtin(template);
	builtin->expand(result, builtin, audit, buf);
    } else {
	context.audit = audit;
	context.buf = buf;
	(void) mac_expand(result, template, MAC_EXP_FLAG_PRINTABLE, (char *) 0,
			  tls_audit_lookup, (void *) &context);
    }
    return (STR(result));
}

#ifdef TEST

 /*
  * Each line of input is a template; "# name=value" lines change a fact and
  * "\n", "\r" and "\0nnn" in values stand for control characters. A value "x*n"
  * stands for n times x. Print the result of the template check
  * and of the expansion.
  */
#include <stdlib.h>

#include <msg_vstream.h>
#include <name_mask.h>
#include <vstream.h>
#include <vstring_vstream.h>

static TLS_SESS_STATE session;
static TLS_AUDIT_CERT cert;
static TLS_AUDIT facts;

 /*
  * What can be set from input.
  */
typedef struct {
    const char *name;
    const char **str;
    int    *num;
    const NAME_MASK *mask;
} FACT;

static int fact_tls;
static int fact_size;
static int fact_port;
static const char *fact_cert;
static const char *fact_secure_match;
static const char *fact_verify_match;

static const NAME_MASK peer_status_mask[] = {
    {"cert", TLS_CRED_FLAG_CERT},
    {"rpk", TLS_CRED_FLAG_RPK},
    {"trusted", TLS_CERT_FLAG_TRUSTED},
    {"matched", TLS_CERT_FLAG_MATCHED},
    {"secured", TLS_CERT_FLAG_SECURED},
    {0, 0},
};

#define S(p)	(const char **) (p)

static const FACT fact_table[] = {
    {"relay", &facts.relay, 0, 0},
    {"nexthop", &facts.nexthop, 0, 0},
    {"reason", &facts.reason, 0, 0},
    {"queue_id", &facts.queue_id, 0, 0},
    {"dsn", &facts.dsn, 0, 0},
    {"level", 0, &facts.level, 0},
    {"policy", 0, &facts.policy, 0},
    {"configured", 0, &facts.configured, 0},
    {"reuse", 0, &facts.reuse, 0},
    {"nrcpt", 0, &facts.nrcpt, 0},
    {"size", 0, &fact_size, 0},
    {"tls", 0, &fact_tls, 0},
    {"peer_status", 0, &session.peer_status, peer_status_mask},
    {"protocol", &session.protocol, 0, 0},
    {"cipher", &session.cipher_name, 0, 0},
    {"cert_digest", S(&session.peer_cert_fprint), 0, 0},
    {"spki_digest", S(&session.peer_pkey_fprint), 0, 0},
    {"sni", S(&session.peer_sni), 0, 0},
    {"kex_name", &session.kex_name, 0, 0},
    {"kex_curve", &session.kex_curve, 0, 0},
    {"kex_bits", 0, &session.kex_bits, 0},
    {"sig_name", &session.srvr_sig_name, 0, 0},
    {"sig_curve", &session.srvr_sig_curve, 0, 0},
    {"sig_bits", 0, &session.srvr_sig_bits, 0},
    {"rpk", 0, &facts.rpk, 0},
    {"host", &facts.host, 0, 0},
    {"addr", &facts.addr, 0, 0},
    {"port", 0, &fact_port, 0},
    {"domain", &facts.domain, 0, 0},
    {"secure_match", &fact_secure_match, 0, 0},
    {"verify_match", &fact_verify_match, 0, 0},
    {"subject", S(&session.peer_CN), 0, 0},
    {"issuer", S(&session.issuer_CN), 0, 0},
    {"cert", &fact_cert, 0, 0},
    {"resumed", 0, &cert.resumed, 0},
    {"error", 0, &cert.error, 0},
    {"chain_error", 0, &cert.chain_error, 0},
    {0, 0, 0, 0},
};

/* set_cert - certificate from file, as received from tlsproxy(8) */

static void set_cert(const char *path)
{
    BIO    *bio = BIO_new_file(path, "r");
    X509   *x509;
    unsigned char *der = 0;
    int     len;

    if (bio == 0 || (x509 = PEM_read_bio_X509(bio, 0, 0, 0)) == 0)
	msg_fatal("no certificate in %s", path);
    len = i2d_X509(x509, &der);
    cert.der = vstring_memcpy(vstring_alloc(len), (char *) der, len);
    session.audit_cert = &cert;
    OPENSSL_free(der);
    X509_free(x509);
    BIO_free(bio);
}

/* set_match - names to compare with */

static const ARGV *set_match(const ARGV *old, const char *names)
{
    if (old)
	argv_free((ARGV *) old);
    return (names ? argv_split(names, CHARS_COMMA_SP ":") : 0);
}

/* repeat - text*times */

static void repeat(VSTRING *raw)
{
    char   *star = strrchr(STR(raw), '*');
    char   *text;
    int     times;

    if (star == 0 || star == STR(raw) || (times = atoi(star + 1)) <= 0)
	return;
    *star = 0;
    text = mystrdup(STR(raw));
    VSTRING_RESET(raw);
    while (times-- > 0)
	vstring_strcat(raw, text);
    myfree(text);
}

/* set_fact - name=value */

static void set_fact(const char *text)
{
    char   *copy = mystrdup(text);
    char   *name;
    char   *value;
    const char *err;
    const FACT *fp;
    VSTRING *raw = vstring_alloc(100);

    if ((err = split_nameval(copy, &name, &value)) != 0)
	msg_fatal("%s: %s", err, text);
    for (fp = fact_table; fp->name && strcmp(fp->name, name) != 0; fp++)
	 /* void */ ;
    if (fp->name == 0)
	msg_fatal("unknown fact: %s", text);
    (void) unescape(raw, value);
    repeat(raw);
    if (fp->mask) {
	*fp->num = name_mask(name, fp->mask, value);
    } else if (fp->num) {
	*fp->num = atoi(value);
    } else {
	if (*fp->str)
	    myfree((void *) *fp->str);
	*fp->str = strcmp(value, "(null)") ? mystrdup(STR(raw)) : 0;
    }
    facts.size = fact_size;
    facts.port = fact_port;
    facts.tls = fact_tls ? &session : 0;
    if (fp->str == &fact_cert)
	set_cert(fact_cert);
    facts.secure_match = set_match(facts.secure_match, fact_secure_match);
    facts.verify_match = set_match(facts.verify_match, fact_verify_match);
    vstring_free(raw);
    myfree(copy);
}

int     main(int unused_argc, char **argv)
{
    VSTRING *in = vstring_alloc(100);
    VSTRING *out = vstring_alloc(100);
    char   *template;

    msg_vstream_init(argv[0], VSTREAM_OUT);
    facts.level = facts.policy = facts.configured = TLS_LEV_NOTFOUND;
    while (vstring_get_nonl(in, VSTREAM_IN) != VSTREAM_EOF) {
	vstream_printf("> %s\n", STR(in));
	vstream_fflush(VSTREAM_OUT);
	if (strncmp(STR(in), "# ", 2) == 0) {
	    set_fact(STR(in) + 2);
	    continue;
	}
	if ((template = tls_audit_template("smtp_tls_audit_template",
					   STR(in))) == 0) {
	    vstream_printf("(empty)\n");
	} else {
	    vstream_printf("%s\n", tls_audit_expand(out, template, &facts));
	    myfree(template);
	}
	vstream_fflush(VSTREAM_OUT);
    }
    vstring_free(in);
    vstring_free(out);
    exit(0);
}

#endif

#endif
