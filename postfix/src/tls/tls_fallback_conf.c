/*++
/* NAME
/*	tls_fallback_conf 3
/* SUMMARY
/*	TLS fallback level configuration
/* SYNOPSIS
/*	#include <tls_fallback_conf.h>
/*
/*	int	tls_fallback_conf_parse(conf, param_name, value)
/*	TLS_FALLBACK_CONF *conf;
/*	const char *param_name;
/*	const char *value;
/*
/*	int	tls_fallback_conf_find(conf, level)
/*	const TLS_FALLBACK_CONF *conf;
/*	int	level;
/*
/*	int	tls_fallback_level_lookup(name)
/*	const char *name;
/* DESCRIPTION
/*	tls_fallback_conf_parse() parses a list of zero or more
/*	policy_level=fallback_level, separated by white space and/or
/*	commas. The policy level is one of dane, dane-only, fingerprint,
/*	verify, or secure; the fallback level is encrypt or may. Names
/*	are case-insensitive. The result value is non-zero (true) when
/*	the whole value is good. When any part of the value is bad, the
/*	result value is zero (false), and the configuration is the same
/*	as with an empty value: an error must never weaken a policy,
/*	and must never stop mail that needs no fallback.
/*
/*	tls_fallback_conf_find() returns the fallback level for the
/*	specified policy level: TLS_LEV_ENCRYPT, TLS_LEV_MAY, or
/*	TLS_LEV_NONE when there is none. TLS_LEV_HALF_DANE is looked up
/*	as TLS_LEV_DANE.
/*
/*	tls_fallback_level_lookup() converts a fallback level name to
/*	its TLS_LEV_XXX code, or returns TLS_LEV_INVALID (without
/*	logging a warning) when the name is not a fallback level.
/*
/*	Arguments:
/* .IP conf
/*	Storage for the result.
/* .IP param_name
/*	The configuration parameter name, for logging.
/* .IP value
/*	The configuration parameter value.
/* .IP level
/*	A TLS_LEV_XXX code.
/* .IP name
/*	A fallback level name.
/* DIAGNOSTICS
/*	Warnings: the first error in a parameter value. The text names
/*	the parameter, the offending word, and what is allowed.
/* SEE ALSO
/*	tls_fallback(3) what to do when a level is not achieved
/*	tls_level(3) TLS security levels
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

#include <string.h>

/* Utility library. */

#include <msg.h>
#include <mymalloc.h>
#include <name_code.h>
#include <split_at.h>
#include <stringops.h>

/* TLS library. */

#include <tls_fallback_conf.h>

 /*
  * Levels that can be fallen back from, and to.
  */
#define POLICY_LEVEL_NAMES	"dane, dane-only, fingerprint, verify, secure"

static const NAME_CODE tls_fallback_level_table[] = {
    "may", TLS_LEV_MAY,
    "encrypt", TLS_LEV_ENCRYPT,
    0, TLS_LEV_INVALID,
};

/* tls_fallback_conf_reset - no fallback */

static void tls_fallback_conf_reset(TLS_FALLBACK_CONF *conf)
{
    int     level;

    for (level = 0; level <= TLS_LEV_SECURE; level++)
	conf->fallback[level] = TLS_LEV_NONE;
}

/* tls_fallback_conf_add - add one element, return text in case of error */

static const char *tls_fallback_conf_add(TLS_FALLBACK_CONF *conf, char *elem)
{
    char   *fallback_name;
    int     fallback;
    int     level;

    if ((fallback_name = split_at(elem, '=')) == 0)
	return ("specify policy_level=fallback_level");
    if ((level = tls_level_lookup(elem)) == TLS_LEV_INVALID
	|| !TLS_MUST_MATCH(level))
	return ("the policy level must be one of " POLICY_LEVEL_NAMES);
    if ((fallback = tls_fallback_level_lookup(fallback_name))
	== TLS_LEV_INVALID)
	return ("the fallback level must be one of " TLS_FALLBACK_LEVEL_NAMES);
    if (conf->fallback[level] != TLS_LEV_NONE)
	return ("specify each of " POLICY_LEVEL_NAMES " at most once");
    conf->fallback[level] = fallback;
    return (0);
}

/* tls_fallback_conf_parse - parse main.cf parameter value */

int     tls_fallback_conf_parse(TLS_FALLBACK_CONF *conf, const char *param_name,
				        const char *value)
{
    char   *saved_value = mystrdup(value);
    char   *cp = saved_value;
    char   *elem;
    char   *word;
    const char *err = 0;

    tls_fallback_conf_reset(conf);
    while (err == 0 && (elem = mystrtok(&cp, CHARS_COMMA_SP)) != 0) {
	word = mystrdup(elem);
	if ((err = tls_fallback_conf_add(conf, elem)) != 0) {
	    msg_warn("%s: bad value \"%s\": %s; ignoring the whole parameter",
		     param_name, printable(word, '?'), err);
	    tls_fallback_conf_reset(conf);
	}
	myfree(word);
    }
    myfree(saved_value);
    return (err == 0);
}

/* tls_fallback_conf_find - look up fallback level */

int     tls_fallback_conf_find(const TLS_FALLBACK_CONF *conf, int level)
{
    if (level == TLS_LEV_HALF_DANE)
	level = TLS_LEV_DANE;
    if (level < TLS_LEV_NONE || level > TLS_LEV_SECURE)
	return (TLS_LEV_NONE);
    return (conf->fallback[level]);
}

/* tls_fallback_level_lookup - fallback level name to code */

int     tls_fallback_level_lookup(const char *name)
{
    return (name_code(tls_fallback_level_table, NAME_CODE_FLAG_NONE, name));
}

#ifdef TEST

 /*
  * Each line of input is a parameter value. Print the resulting fallback
  * levels.
  */
#include <stdlib.h>

#include <msg_vstream.h>
#include <vstream.h>
#include <vstring.h>
#include <vstring_vstream.h>

int     main(int unused_argc, char **argv)
{
    VSTRING *buf = vstring_alloc(100);
    TLS_FALLBACK_CONF conf;
    int     level;
    int     ok;

    msg_vstream_init(argv[0], VSTREAM_OUT);
    while (vstring_get_nonl(buf, VSTREAM_IN) != VSTREAM_EOF) {
	vstream_printf("> %s\n", vstring_str(buf));
	vstream_fflush(VSTREAM_OUT);
	ok = tls_fallback_conf_parse(&conf, "smtp_tls_fallback_level",
				     vstring_str(buf));
	vstream_printf("%s:", ok ? "good" : "bad");
	for (level = TLS_LEV_INVALID; level <= TLS_LEV_SECURE + 1; level++)
	    if (tls_fallback_conf_find(&conf, level) != TLS_LEV_NONE)
		vstream_printf(" %s=%s", str_tls_level(level),
		       str_tls_level(tls_fallback_conf_find(&conf, level)));
	vstream_printf("\n");
	vstream_fflush(VSTREAM_OUT);
    }
    vstring_free(buf);
    exit(0);
}

#endif

#endif
