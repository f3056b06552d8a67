/*++
/* NAME
/*	fuzz_conf 1
/* SUMMARY
/*	the parameter smtp_tls_fallback_level
/* DESCRIPTION
/*	The input is a parameter value. A value is good or bad as a whole,
/*	with one warning when it is bad; a bad one permits nothing; a
/*	good one permits nothing but what its text names.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#include "fuzz.h"
#include <tls_fallback_conf.h>

/* permitted - number of levels that have a fallback level */

static int permitted(const TLS_FALLBACK_CONF *conf)
{
    int     count = 0;
    int     level;

    for (level = TLS_LEV_INVALID - 3; level <= TLS_LEV_SECURE + 3; level++) {
	int     fallback = tls_fallback_conf_find(conf, level);

	MUST(fallback == TLS_LEV_NONE || fallback == TLS_LEV_MAY
	     || fallback == TLS_LEV_ENCRYPT);
	MUST(fallback == TLS_LEV_NONE || level > TLS_LEV_ENCRYPT);
	if (fallback != TLS_LEV_NONE && level != TLS_LEV_HALF_DANE)
	    count++;
    }
    MUST(tls_fallback_conf_find(conf, TLS_LEV_HALF_DANE)
	 == tls_fallback_conf_find(conf, TLS_LEV_DANE));
    return (count);
}

/* occurrences - of one character */

static int occurrences(const char *text, int wanted)
{
    int     count = 0;

    for (; *text; text++)
	count += (*text == wanted);
    return (count);
}

int     LLVMFuzzerInitialize(int *unused_argc, char ***unused_argv)
{
    msg_output(fuzz_message);
    return (0);
}

int     LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static VSTRING *value;
    TLS_FALLBACK_CONF conf;
    TLS_FALLBACK_CONF again;
    int     good;

    if (value == 0)
	value = vstring_alloc(100);
    fuzz_string(value, data, len);
    memset(&conf, 0xa5, sizeof(conf));
    fuzz_warnings = 0;
    good = tls_fallback_conf_parse(&conf, "smtp_tls_fallback_level",
				   STR(value));
    MUST(fuzz_warnings == !good);
    MUST(good || permitted(&conf) == 0);
    MUST(!good || permitted(&conf) == occurrences(STR(value), '='));

    /* Names are case-insensitive. */
    uppercase(STR(value));
    MUST(tls_fallback_conf_parse(&again, "smtp_tls_fallback_level",
				 STR(value)) == good);
    MUST(memcmp(&conf, &again, sizeof(conf)) == 0);
    return (0);
}
