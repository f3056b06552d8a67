/*++
/* NAME
/*	smtp-tls-check 8
/* SUMMARY
/*	check the TLS fallback and TLS audit parameters
/* SYNOPSIS
/*	\fBsmtp-tls-check\fR < \fIparameters\fR
/* DESCRIPTION
/*	The \fBsmtp-tls-check\fR(8) command reads parameter settings
/*	from standard input, one "name = value" a line as they are printed
/*	by \fBpostconf\fR(1), and logs a warning for each bad value of a
/*	TLS fallback or TLS audit parameter. The values are checked by the
/*	code that \fBsmtp\fR(8) itself uses, so that the warnings are
/*	the same. Other parameters are ignored. The name may follow the
/*	service name and type of a master.cf entry, as printed with
/*	"\fBpostconf -P\fR".
/*
/*	This command is invoked with "\fBpostfix check\fR" and
/*	"\fBpostfix reload\fR", and when Postfix is started, as the
/*	warnings would otherwise appear only with the first delivery.
/*	It is not part of the public interface.
/* DIAGNOSTICS
/*	Problems are logged to the standard error stream and to
/*	\fBsyslogd\fR(8) or \fBpostlogd\fR(8). The exit status is
/*	non-zero when a value is bad.
/* CONFIGURATION PARAMETERS
/* .ad
/* .fi
/* .IP "\fBsmtp_tls_fallback_level (empty)\fR"
/* .IP "\fBlmtp_tls_fallback_level (empty)\fR"
/* .IP "\fBsmtp_tls_audit_template (empty)\fR"
/* .IP "\fBlmtp_tls_audit_template (empty)\fR"
/* .IP "\fBsmtp_tls_fallback_delay (0s)\fR"
/* .IP "\fBlmtp_tls_fallback_delay (0s)\fR"
/*	What is checked. See postconf(5) for details.
/* SEE ALSO
/*	postfix(1), Postfix control program
/*	smtp(8), Postfix SMTP client
/* README FILES
/* .ad
/* .fi
/*	TLS_FALLBACK_README, Postfix TLS fallback and audit
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

#include <msg.h>
#include <msg_vstream.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstream.h>
#include <vstring.h>
#include <vstring_vstream.h>

/* Global library. */

#include <conv_time.h>
#include <mail_conf.h>
#include <mail_params.h>
#include <mail_task.h>
#include <mail_version.h>
#include <maillog_client.h>

/* TLS library. */

#ifdef USE_TLS
#include <tls_audit.h>
#include <tls_fallback_conf.h>
#endif

#define STR(x)	vstring_str(x)

#ifdef USE_TLS

/* check_level - fallback levels */

static int check_level(const char *where, const char *value)
{
    TLS_FALLBACK_CONF conf;

    return (tls_fallback_conf_parse(&conf, where, value));
}

/* check_template - audit template */

static int check_template(const char *where, const char *value)
{
    char   *template = tls_audit_template(where, value);
    int     good = (template != 0 || *value == 0);

    if (template)
	myfree(template);
    return (good);
}

/* check_time - time value */

static int check_time(const char *where, const char *value)
{
    int     seconds;

    if (conv_time(value, &seconds, 's'))
	return (1);
    msg_warn("%s: bad time value \"%s\": specify a number, followed by "
	     "s, m, h, d or w", where, value);
    return (0);
}

#endif

 /*
  * What is checked, and how. A function reports a problem to the log, with
  * the name that it is given, and returns zero.
  */
typedef struct {
    const char *name;			/* parameter name */
    int     (*check) (const char *, const char *);	/* where, value */
} SMTP_TLS_CHECK;

static const SMTP_TLS_CHECK smtp_tls_checks[] = {
#ifdef USE_TLS
    {VAR_SMTP_TLS_FALLBACK_LEVEL, check_level},
    {VAR_LMTP_TLS_FALLBACK_LEVEL, check_level},
    {VAR_SMTP_TLS_AUDIT_TEMPLATE, check_template},
    {VAR_LMTP_TLS_AUDIT_TEMPLATE, check_template},
    {VAR_SMTP_TLS_FALLBACK_DELAY, check_time},
    {VAR_LMTP_TLS_FALLBACK_DELAY, check_time},
#endif
    {0},
};

/* smtp_tls_check - check one setting, if it is one of ours */

static int smtp_tls_check(const char *where, const char *value)
{
    const SMTP_TLS_CHECK *cp;
    const char *slash = strrchr(where, '/');
    const char *name = (slash ? slash + 1 : where);

    for (cp = smtp_tls_checks; cp->name != 0; cp++)
	if (strcmp(name, cp->name) == 0)
	    return (cp->check(where, value));
    return (1);
}

MAIL_VERSION_STAMP_DECLARE;

int     main(int unused_argc, char **argv)
{
    VSTRING *buf = vstring_alloc(100);
    char   *where;
    char   *value;
    int     status = 0;

    MAIL_VERSION_STAMP_ALLOCATE;

    msg_vstream_init(argv[0], VSTREAM_ERR);
    maillog_client_init(mail_task(argv[0]),
			MAILLOG_CLIENT_FLAG_LOGWRITER_FALLBACK);
    MAIL_VERSION_CHECK;
    mail_conf_read();
    maillog_client_init(mail_task(argv[0]), MAILLOG_CLIENT_FLAG_NONE);

    while (vstring_get_nonl(buf, VSTREAM_IN) != VSTREAM_EOF)
	if (split_nameval(STR(buf), &where, &value) == 0
	    && smtp_tls_check(where, value) == 0)
	    status = 1;
    vstring_free(buf);
    exit(status);
}
