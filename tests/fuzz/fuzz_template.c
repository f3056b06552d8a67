/*++
/* NAME
/*	fuzz_template 1
/* SUMMARY
/*	the audit template: check and expansion
/* DESCRIPTION
/*	The input is a template; what follows a null byte is the value of
/*	every text that a remote side controls. A template that was
/*	accepted, with at most one warning, must expand in every
/*	situation without a word, into one printable line.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#include "fuzz.h"
#include <limits.h>
#include <tls.h>
#include <tls_audit.h>
#include <tls_fallback.h>
#include <tls_fallback_compat.h>

/* check_line - expand, and look at the result */

static void check_line(const char *template, const TLS_AUDIT *audit)
{
    static VSTRING *result;
    const char *line;
    const char *cp;

    if (result == 0)
	result = vstring_alloc(100);
    fuzz_warnings = 0;
    line = tls_audit_expand(result, template, audit);
    MUST(fuzz_warnings == 0);
    MUST(line == STR(result));
    for (cp = line; *cp; cp++)
	MUST(ISASCII(*cp) && ISPRINT(*cp));
}

/* check_template - expand in cleartext and in TLS, with and without fallback */

static void check_template(const char *template, char *text)
{
    TLS_AUDIT audit;
    TLS_SESS_STATE session;

    memset(&audit, 0, sizeof(audit));
    memset(&session, 0, sizeof(session));
    audit.level = audit.policy = audit.configured = TLS_LEV_NOTFOUND;
    check_line(template, &audit);

    audit.relay = audit.nexthop = audit.queue_id = audit.dsn = text;
    audit.level = TLS_LEV_MAY;
    audit.policy = audit.configured = TLS_LEV_HALF_DANE;
    audit.reason = str_tls_obstacle(TLS_OBSTACLE_MISMATCH);
    audit.reuse = INT_MAX;
    audit.nrcpt = INT_MIN;
    audit.size = LONG_MAX;
    check_line(template, &audit);

    /* As received from tlsproxy(8). */
    audit.tls = &session;
    session.peer_cert_fprint = session.peer_pkey_fprint = "";
    session.protocol = session.cipher_name = session.kex_name = "";
    session.kex_curve = session.srvr_sig_name = session.srvr_sig_curve = "";
    check_line(template, &audit);

    session.protocol = session.cipher_name = text;
    session.peer_cert_fprint = session.peer_pkey_fprint = text;
    session.kex_name = session.srvr_sig_name = session.srvr_sig_curve = text;
    session.peer_sni = text;
    session.kex_bits = session.srvr_sig_bits = 2048;
    session.peer_status = TLS_CRED_FLAG_CERT;
    check_line(template, &audit);

    session.kex_name = "DHE";
    session.srvr_sig_curve = 0;
    audit.rpk = 1;
    check_line(template, &audit);
}

int     LLVMFuzzerInitialize(int *unused_argc, char ***unused_argv)
{
    msg_output(fuzz_message);
    return (0);
}

int     LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static VSTRING *value;
    static VSTRING *text;
    size_t  value_len = strnlen((const char *) data, len);
    char   *template;

    if (value == 0) {
	value = vstring_alloc(100);
	text = vstring_alloc(100);
    }
    fuzz_string(value, data, len);
    if (value_len < len)
	value_len++;
    fuzz_string(text, data + value_len, len - value_len);

    fuzz_warnings = 0;
    template = tls_audit_template("smtp_tls_audit_template", STR(value));
    if (template == 0) {
	/* With a syntax error, mac_expand(3) has warnings of its own. */
	MUST(fuzz_warnings > 0
	     || STR(value)[strspn(STR(value), CHARS_SPACE)] == 0);
	return (0);
    }
    MUST(fuzz_warnings <= 1);
    check_template(template, STR(text));
    myfree(template);
    return (0);
}
