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
/*	name of a built-in template (standard or full). The result is a
/*	null pointer when the value is empty, or when it cannot be used.
/*	The result is passed to myfree() by the caller.
/*
/*	tls_audit_expand() expands a template. The result value is
/*	the content of the result buffer, with all non-printable characters
/*	replaced.
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
/*	built-in template "full". An attribute is undefined when it
/*	does not apply.
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
    return (STR(vstring_sprintf(buf, "%ld", number)));
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
TLS_AUDIT_ATTR(sni, FROM_TLS(peer_sni))
TLS_AUDIT_ATTR(reuse, audit->reuse > 0 ? tls_audit_number(buf, audit->reuse) : 0)
TLS_AUDIT_ATTR(queue_id, audit->queue_id)
TLS_AUDIT_ATTR(nrcpt, tls_audit_number(buf, audit->nrcpt))
TLS_AUDIT_ATTR(size, tls_audit_number(buf, audit->size))
TLS_AUDIT_ATTR(dsn, audit->dsn)

 /*
  * The attributes. The order is that of the built-in template "full"; the
  * built-in template "standard" has the order of its own list below.
  */
typedef struct {
    const char *name;			/* $name in template */
    const char *(*value) (const TLS_AUDIT *, VSTRING *);
} TLS_AUDIT_ROW;

static const TLS_AUDIT_ROW tls_audit_table[] = {
    {"relay", tls_audit_relay},
    {"level", tls_audit_eff_level},
    {"policy", tls_audit_policy},
    {"configured", tls_audit_configured},
    {"auth", tls_audit_auth},
    {"protocol", tls_audit_protocol},
    {"cipher", tls_audit_cipher_name},
    {"cert_digest", tls_audit_cert_digest},
    {"spki_digest", tls_audit_spki_digest},
    {"reason", tls_audit_reason},
    {"nexthop", tls_audit_nexthop},
    {"kex", tls_audit_kex},
    {"fs", tls_audit_fs},
    {"sigalg", tls_audit_sigalg},
    {"sni", tls_audit_sni},
    {"reuse", tls_audit_reuse},
    {"queue_id", tls_audit_queue_id},
    {"nrcpt", tls_audit_nrcpt},
    {"size", tls_audit_size},
    {"dsn", tls_audit_dsn},
    {0, 0},
};

 /*
  * Built-in templates: "name=value", separated by ", ". The first attribute is
  * always there, the others when they are defined. With a null list of names:
  * all attributes. These templates are expanded without mac_expand(3), at a
  * quarter of the cost.
  */
#define TLS_AUDIT_LINE_START	"tlsaudit: "

typedef struct {
    const char *name;			/* template name */
    const char *const *attributes;	/* attribute names */
} TLS_AUDIT_BUILTIN;

static const char *const tls_audit_standard[] = {
    "relay", "auth", "level", "policy", "protocol", "cipher", 0,
};

static const TLS_AUDIT_BUILTIN tls_audit_builtins[] = {
    {"standard", tls_audit_standard},
    {"full", 0},
    {0, 0},
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

/* tls_audit_builtin_add - append attribute if it is defined */

static void tls_audit_builtin_add(VSTRING *result, const TLS_AUDIT_ROW *row,
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

/* tls_audit_builtin_expand - expand built-in template */

static void tls_audit_builtin_expand(VSTRING *result,
				             const TLS_AUDIT_BUILTIN *builtin,
				             const TLS_AUDIT *audit, VSTRING *buf)
{
    const TLS_AUDIT_ROW *row;
    const char *const *cpp;

    VSTRING_RESET(result);
    if ((cpp = builtin->attributes) != 0) {
	for ( /* void */ ; *cpp; cpp++)
	    tls_audit_builtin_add(result, tls_audit_find(*cpp), audit, buf);
    } else {
	for (row = tls_audit_table; row->name; row++)
	    tls_audit_builtin_add(result, row, audit, buf);
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
		 "standard or full, or text with $name; ignoring "
		 "the parameter", param_name, template);
    if (!usable) {
	myfree(template);
	return (0);
    }
    return (template);
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

    return ((row = tls_audit_find(name)) ? row->value(cp->audit, cp->buf) : 0);
}

/* tls_audit_expand - expand template */

const char *tls_audit_expand(VSTRING *result, const char *template,
			             const TLS_AUDIT *audit)
{
    static VSTRING *buf;
    TLS_AUDIT_CONTEXT context;

    if (buf == 0)
	buf = vstring_alloc(100);
    if (IS_BUILTIN_NAME(template)) {
	tls_audit_builtin_expand(result, tls_audit_builtin(template),
				 audit, buf);
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
  * "\n", "\r" and "\0nnn" in values stand for control characters. Print the
  * result of the template check and of the expansion.
  */
#include <stdlib.h>

#include <msg_vstream.h>
#include <name_mask.h>
#include <vstream.h>
#include <vstring_vstream.h>

static TLS_SESS_STATE session;
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
    {0, 0, 0, 0},
};

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
    facts.tls = fact_tls ? &session : 0;
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
