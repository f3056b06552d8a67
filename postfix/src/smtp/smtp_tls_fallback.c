/*++
/* NAME
/*	smtp_tls_fallback 3
/* SUMMARY
/*	deliver at a weaker TLS level
/* SYNOPSIS
/*	#include "smtp.h"
/*
/*	void	smtp_tls_fallback_init(void)
/*
/*	int	smtp_tls_fallback_attr(tls, level, where, name, value)
/*	SMTP_TLS_POLICY *tls;
/*	int	level;
/*	const char *where;
/*	const char *name;
/*	const char *value;
/*
/*	void	smtp_tls_fallback_configure(tls)
/*	SMTP_TLS_POLICY *tls;
/*
/*	int	smtp_tls_fallback_policy(tls)
/*	SMTP_TLS_POLICY *tls;
/*
/*	int	smtp_tls_fallback_held(tls, state)
/*	SMTP_TLS_POLICY *tls;
/*	SMTP_STATE *state;
/*
/*	void	smtp_tls_fallback_report(state)
/*	SMTP_STATE *state;
/*
/*	int	smtp_tls_fallback(state, obstacle, detail)
/*	SMTP_STATE *state;
/*	int	obstacle;
/*	const char *detail;
/*
/*	int	smtp_tls_fallback_handshake(state, proxy_error)
/*	SMTP_STATE *state;
/*	int	proxy_error;
/*
/*	int	smtp_tls_fallback_cert(state)
/*	SMTP_STATE *state;
/*
/*	int	smtp_tls_fallback_lost(state)
/*	SMTP_STATE *state;
/*
/*	void	smtp_tls_fallback_resume(state, retry_plain)
/*	SMTP_STATE *state;
/*	int	retry_plain;
/*
/*	int	smtp_tls_effective_level(state)
/*	SMTP_STATE *state;
/*
/*	int	smtp_tls_fallback_print(print_fn, stream, flags, ptr)
/*	ATTR_PRINT_COMMON_FN print_fn;
/*	VSTREAM *stream;
/*	int	flags;
/*	const void *ptr;
/*
/*	int	smtp_tls_fallback_scan(scan_fn, stream, flags, ptr)
/*	ATTR_SCAN_COMMON_FN scan_fn;
/*	VSTREAM *stream;
/*	int	flags;
/*	void	*ptr;
/*
/*	int	smtp_tls_fallback_find(state, delim_na)
/*	SMTP_STATE *state;
/*	const char *delim_na;
/*
/*	int	smtp_tls_fallback_reusable(state)
/*	SMTP_STATE *state;
/* DESCRIPTION
/*	This module connects the decisions of tls_fallback(3) with the
/*	SMTP client: it collects the arguments, logs the result, and
/*	updates the TLS policy of the present delivery attempt.
/*
/*	smtp_tls_fallback_init() parses $smtp_tls_fallback_level or
/*	$lmtp_tls_fallback_level. This is done once per process.
/*
/*	smtp_tls_fallback_attr() parses the "fallback" or "fallback_delay"
/*	attribute of a TLS policy table entry. The result is zero after an
/*	error, which is logged as a warning.
/*
/*	smtp_tls_fallback_configure() completes the fallback settings
/*	after the policy level is found, and before DANE lookups that may
/*	change the level: an attribute overrides the parameter.
/*
/*	smtp_tls_fallback_policy() handles the obstacles that are found
/*	while the policy is looked up (TLSA and MX records). It
/*	replaces an invalid policy level by the fallback level, and returns
/*	non-zero, if the settings and the rules that
/*	depend on configuration alone permit that.
/*
/*	smtp_tls_fallback_held() applies the rules that depend on
/*	the message, to a fallback by smtp_tls_fallback_policy(). The
/*	result is non-zero when the fallback is held back; the policy level
/*	is then invalid again.
/*
/*	smtp_tls_fallback_report() logs what smtp_tls_fallback_policy()
/*	and smtp_tls_fallback_held() decided. It is called once for each
/*	connection, or when a host is skipped.
/*
/*	smtp_tls_fallback() handles one obstacle that the remote server
/*	presents. The result is non-zero when delivery may go on: the TLS
/*	level in the SMTP state is then the fallback level, and the warning
/*	is logged. Otherwise the caller does as without fallback.
/*
/*	smtp_tls_fallback_handshake() handles a failed TLS handshake;
/*	smtp_tls_fallback_cert() a server certificate that is untrusted or
/*	that does not match; smtp_tls_fallback_lost() a connection that is
/*	lost when TLS was active and recipients are left (a cached
/*	connection excepted: its loss says nothing about TLS).
/*	All have the result of smtp_tls_fallback().
/*
/*	smtp_tls_fallback_resume() restores, for the cleartext connection
/*	that follows, what made us give up on TLS.
/*
/*	smtp_tls_effective_level() returns the level at which a message is
/*	really delivered. This is "may" when a policy of "may", or a
/*	fallback to it, ends in cleartext; "none" is for destinations that
/*	have that policy. It is "encrypt" for "dane" when the TLS
/*	library can use none of the TLSA records.
/*
/*	smtp_tls_fallback_print() and smtp_tls_fallback_scan() save and
/*	restore fallback information with a cached connection. The scan
/*	result is -1 when the information is missing or
/*	inconsistent; such a connection must not be used.
/*
/*	smtp_tls_fallback_find() searches the connection cache for a
/*	connection that fell back earlier, for the same nexthop and
/*	server address. The result is a file descriptor or -1. Such
/*	connections have a cache key with the level that they fell
/*	back to, and with the nexthop: no lookup that wants authentication
/*	finds them, nor does a lookup for another destination.
/*
/*	smtp_tls_fallback_reusable() returns non-zero when a
/*	connection from the cache did not fall back and has a level that
/*	the policy can lead to, or when its fallback would be permitted
/*	for this delivery, now.
/*
/*	Arguments:
/* .IP tls
/*	TLS policy information. The functions that are used after policy
/*	lookup update state->tls, which is a private copy.
/* .IP state
/*	SMTP client state per delivery request.
/* .IP level
/*	The level in the same policy table entry, TLS_LEV_XXX.
/* .IP where
/*	Table name, lookup key class, and lookup key, for logging.
/* .IP "name, value"
/*	Attribute name and value.
/* .IP obstacle
/*	One of the TLS_OBSTACLE_XXX codes.
/* .IP detail
/*	Text for the end of the warning. May have any content.
/* .IP proxy_error
/*	Non-zero when tlsproxy(8) could not be used, which is
/*	a local problem.
/* .IP delim_na
/*	Connection cache key delimiter, see smtp_key(3).
/* .IP retry_plain
/*	SMTP_SESSION.tls_retry_plain of the connection that failed.
/* DIAGNOSTICS
/*	Warnings: see above. The format of the records with "tls fallback:"
/*	and "tls fallback refused:" is an interface for log analyzers.
/* SEE ALSO
/*	tls_fallback(3) what to do when a level cannot be had
/*	tls_fallback_conf(3) configuration
/*	smtp_tls_policy(3) TLS policy lookup
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

#include <netinet/in.h>			/* ntohs() for Solaris or BSD */
#include <arpa/inet.h>			/* ntohs() for Linux or BSD */
#include <fcntl.h>
#include <string.h>

#ifdef STRCASECMP_IN_STRINGS_H
#include <strings.h>
#endif

/* Utility library. */

#include <attr.h>
#include <msg.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstream.h>
#include <vstring.h>

/* Global library. */

#include <conv_time.h>
#include <mail_params.h>
#include <scache.h>

/* TLS library. */

#include <tls.h>
#include <tls_client_conf.h>
#include <tls_fallback.h>
#include <tls_fallback_conf.h>

/* Application-specific. */

#include "smtp.h"
#include "smtp_sasl.h"

 /*
  * TLS library, depending on the release.
  */
#include <tls_fallback_compat.h>

 /*
  * The parameter value.
  */
static TLS_FALLBACK_CONF smtp_tls_fallback_conf;

 /*
  * The policy level that was not, or may not, be had.
  */
#define POLICY_LEVEL(fb) \
	((fb)->policy != TLS_LEV_NOTFOUND ? (fb)->policy : (fb)->configured)

#define HAVE_FALLBACK_LEVEL(fb)	((fb)->allowed > TLS_LEV_NONE)

#define MAY_FALL_BACK(tls) \
	(HAVE_FALLBACK_LEVEL((tls)->fb) && SMTP_TLS_WANTED(tls))

/* smtp_tls_fallback_init - parse parameter */

void    smtp_tls_fallback_init(void)
{
    (void) tls_fallback_conf_parse(&smtp_tls_fallback_conf,
				   VAR_LMTP_SMTP(TLS_FALLBACK_LEVEL),
				   var_smtp_tls_fallback_level);
}

/* smtp_tls_fallback_attr_level - parse fallback level */

static int smtp_tls_fallback_attr_level(SMTP_TLS_FALLBACK *fb,
				             const char *where, const char *name,
					        const char *value)
{
    if (fb->allowed != TLS_LEV_NOTFOUND) {
	msg_warn("%s: attribute \"%s\" is specified multiple times",
		 where, name);
	return (0);
    }
    if (strcasecmp(value, "none") == 0) {
	fb->allowed = TLS_LEV_NONE;
    } else if ((fb->allowed = tls_fallback_level_lookup(value))
	       == TLS_LEV_INVALID) {
	msg_warn("%s: attribute \"%s\" has a bad value: \"%s\"; specify one "
		 "of " TLS_FALLBACK_LEVEL_NAMES ", none", where, name, value);
	return (0);
    }
    return (1);
}

/* smtp_tls_fallback_attr_delay - parse fallback delay */

static int smtp_tls_fallback_attr_delay(SMTP_TLS_FALLBACK *fb,
				             const char *where, const char *name,
					        const char *value)
{
    if (fb->delay != SMTP_TLS_FALLBACK_DELAY_UNSET) {
	msg_warn("%s: attribute \"%s\" is specified multiple times",
		 where, name);
	return (0);
    }

    /*
     * The conversion takes "hours" for zero hours. Here, that would be no
     * delay.
     */
#define UNIT(value)	((value) + strspn((value), "0123456789"))

    if (UNIT(value) == value || strlen(UNIT(value)) > 1
	|| conv_time(value, &fb->delay, 's') == 0) {
	msg_warn("%s: attribute \"%s\" has a bad value: \"%s\"; specify a "
		 "number and one of s, m, h, d, w", where, name, value);
	return (0);
    }
    return (1);
}

/* smtp_tls_fallback_attr - parse policy table attribute */

int     smtp_tls_fallback_attr(SMTP_TLS_POLICY *tls, int level,
			               const char *where, const char *name,
			               const char *value)
{
    if (!TLS_MUST_MATCH(level)) {
	msg_warn("%s: attribute \"%s\" invalid at security level \"%s\"",
		 where, name, str_tls_policy_level(level));
	return (0);
    }
    if (*value == 0) {
	msg_warn("%s: attribute \"%s\" has empty value", where, name);
	return (0);
    }
    return ((strcasecmp(name, SMTP_TLS_ATTR_FALLBACK) == 0 ?
	     smtp_tls_fallback_attr_level : smtp_tls_fallback_attr_delay)
	    (tls->fb, where, name, value));
}

/* smtp_tls_fallback_configure - settings for this destination */

void    smtp_tls_fallback_configure(SMTP_TLS_POLICY *tls)
{
    SMTP_TLS_FALLBACK *fb = tls->fb;

    fb->configured = tls->level;
    if (fb->allowed == TLS_LEV_NOTFOUND)
	fb->allowed = tls_fallback_conf_find(&smtp_tls_fallback_conf, tls->level);
    if (fb->delay == SMTP_TLS_FALLBACK_DELAY_UNSET)
	fb->delay = var_smtp_tls_fallback_delay;
}

/* smtp_tls_fallback_relay - format remote server for logging */

static const char *smtp_tls_fallback_relay(SMTP_ITERATOR *iter)
{
    static VSTRING *buf;

    if (buf == 0)
	buf = vstring_alloc(100);
    vstring_sprintf(buf, "%s[%s]", STR(iter->host), STR(iter->addr));
    if (iter->port)
	vstring_sprintf_append(buf, ":%d", ntohs(iter->port));
    return (STR(buf));
}

/* smtp_tls_fallback_log - log warning, with nothing that can forge another */

static void smtp_tls_fallback_log(SMTP_STATE *state, VSTRING *text)
{
    msg_warn("%s: %s", state->request->queue_id, printable(STR(text), '?'));
}

/* smtp_tls_fallback_taken - log that we go on at a weaker level */

static void smtp_tls_fallback_taken(SMTP_STATE *state, int policy, int level,
				          int obstacle, const char *detail)
{
    VSTRING *buf = vstring_alloc(200);

    vstring_sprintf(buf, "tls fallback: relay=%s, nexthop=%s, policy=%s, "
		    "level=%s, reason=%s, detail=%s",
		    smtp_tls_fallback_relay(state->iterator),
		    STR(state->iterator->dest), str_tls_policy_level(policy),
		    str_tls_policy_level(level), str_tls_obstacle(obstacle),
		    detail);
    smtp_tls_fallback_log(state, buf);
    vstring_free(buf);
}

/* smtp_tls_fallback_refused - log that a rule held back a fallback */

static void smtp_tls_fallback_refused(SMTP_STATE *state, int policy,
				              int obstacle, int rule)
{
    VSTRING *buf = vstring_alloc(200);

    vstring_sprintf(buf, "tls fallback refused: relay=%s, nexthop=%s, "
		    "policy=%s, fallback=%s, reason=%s, rule=%s",
		    smtp_tls_fallback_relay(state->iterator),
		    STR(state->iterator->dest), str_tls_policy_level(policy),
		    str_tls_policy_level(state->tls->fb->allowed),
		    str_tls_obstacle(obstacle), str_tls_fallback_rule(rule));
    smtp_tls_fallback_log(state, buf);
    vstring_free(buf);
}

/* smtp_tls_fallback_have_sasl - are there credentials for this destination? */

#ifdef USE_SASL_AUTH

static int smtp_tls_fallback_have_sasl(SMTP_STATE *state)
{
    SMTP_SESSION session[1];
    VSTRING *buf;
    VSTREAM *stream;
    int     result;

    if (!var_smtp_sasl_enable || *var_smtp_sasl_passwd == 0)
	return (0);

    /*
     * The lookup function wants a session, and upon error it jumps to the
     * session's exception handler. But, some obstacles exist before there is
     * a connection, and others are handled while handling an exception.
     * Therefore we always ask with a session that has nothing else.
     */
    memset((void *) session, 0, sizeof(*session));
    buf = vstring_alloc(1);
    stream = vstream_memopen(buf, O_RDONLY);
    vstream_control(stream, CA_VSTREAM_CTL_EXCEPT, CA_VSTREAM_CTL_END);
    session->stream = stream;
    session->iterator = state->iterator;
    session->state = state;
    if (vstream_setjmp(stream) != 0)
	result = 1;				/* better safe than sorry */
    else
	result = smtp_sasl_passwd_lookup(session);
    if (session->sasl_username)
	myfree(session->sasl_username);
    if (session->sasl_passwd)
	myfree(session->sasl_passwd);
    (void) vstream_fclose(stream);
    vstring_free(buf);
    return (result);
}

#else

#define smtp_tls_fallback_have_sasl(state)	(0)

#endif

/* smtp_tls_fallback_static_rules - rules that depend on configuration */

static int smtp_tls_fallback_static_rules(void)
{
    int     rules = TLS_FALLBACK_RULE_NONE;

    if (smtp_tls_ctx == 0)
	rules |= TLS_FALLBACK_RULE_LOCAL;
    if (var_smtp_tls_wrappermode)
	rules |= TLS_FALLBACK_RULE_WRAPPER;
    return (rules);
}

/* smtp_tls_fallback_rules - rules for this delivery */

static int smtp_tls_fallback_rules(SMTP_STATE *state)
{
    DELIVER_REQUEST *request = state->request;
    long    age = (request->msg_stats.active_arrival.tv_sec
		   - request->msg_stats.incoming_arrival.tv_sec);
    int     rules = (smtp_tls_fallback_static_rules()
		     | SMTP_TLS_REQUIRETLS_RULE(state));

    if (age < state->tls->fb->delay)
	rules |= TLS_FALLBACK_RULE_DELAY;
    if (smtp_tls_fallback_have_sasl(state))
	rules |= TLS_FALLBACK_RULE_SASL;
    if (!DEL_REQ_TRACE_ONLY(request->flags) && age < var_min_backoff_time)
	rules |= TLS_FALLBACK_RULE_BACKOFF;
    return (rules);
}

/* smtp_tls_fallback_apply - update TLS policy */

static void smtp_tls_fallback_apply(SMTP_TLS_POLICY *tls, int obstacle,
				      const TLS_FALLBACK_DECISION *decision)
{
    SMTP_TLS_FALLBACK *fb = tls->fb;

    if (!SMTP_TLS_FELL_BACK(tls)) {
	fb->policy = POLICY_LEVEL(fb);
	fb->reason = obstacle;
    }
    tls->level = decision->level;
    if (decision->action != TLS_FALLBACK_ACT_GO_ON)
	fb->cleartext = 1;
}

/* smtp_tls_fallback_policy - obstacle found in policy lookup */

int     smtp_tls_fallback_policy(SMTP_TLS_POLICY *tls)
{
    SMTP_TLS_FALLBACK *fb = tls->fb;
    TLS_FALLBACK_DECISION decision;

    switch (tls_fallback_decide(&decision, fb->configured, fb->allowed,
				fb->obstacle, fb->rule
				| smtp_tls_fallback_static_rules())) {
    case TLS_FALLBACK_ACT_STRICT:
	fb->rule = TLS_FALLBACK_RULE_NONE;
	return (0);
    case TLS_FALLBACK_ACT_HELD:
	fb->rule = decision.rule;
	return (0);
    default:
	smtp_tls_fallback_apply(tls, fb->obstacle, &decision);
	return (1);
    }
}

/* smtp_tls_fallback_held - obstacle found in policy lookup, this message */

int     smtp_tls_fallback_held(SMTP_TLS_POLICY *tls, SMTP_STATE *state)
{
    SMTP_TLS_FALLBACK *fb = tls->fb;
    TLS_FALLBACK_DECISION decision;

    if (!SMTP_TLS_FELL_BACK(tls))
	return (0);
    if (tls_fallback_decide(&decision, fb->policy, fb->allowed, fb->obstacle,
			    smtp_tls_fallback_rules(state))
	!= TLS_FALLBACK_ACT_HELD)
	return (0);
    tls->level = TLS_LEV_INVALID;
    fb->rule = decision.rule;
    return (1);
}

/* smtp_tls_fallback_report - log what policy lookup decided */

void    smtp_tls_fallback_report(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = tls->fb;
    SMTP_SESSION *session = state->session;

#define ALREADY_LOGGED(session, fb) \
	((fb)->cleartext \
	    || ((session) && ((session)->features & SMTP_FEATURE_FROM_CACHE)))

    if (fb->rule != TLS_FALLBACK_RULE_NONE)
	smtp_tls_fallback_refused(state, POLICY_LEVEL(fb), fb->obstacle,
				  fb->rule);
    else if (SMTP_TLS_FELL_BACK(tls) && fb->reason == fb->obstacle
	     && !ALREADY_LOGGED(session, fb))
	smtp_tls_fallback_taken(state, fb->policy, tls->level, fb->obstacle,
				STR(tls->why->reason));

    if (session && SMTP_TLS_FELL_BACK(tls)) {
	if (!ALREADY_LOGGED(session, fb))
	    smtp_tls_fallback_rpt_failure(state, fb->reason);
	smtp_tls_fallback_rpt_stop(state);
    }
}

/* smtp_tls_fallback_decided - ask, log, act */

static int smtp_tls_fallback_decided(SMTP_STATE *state, int obstacle,
				            const char *detail, int rules)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = tls->fb;
    TLS_FALLBACK_DECISION decision;

    /* Don't look up SASL credentials when there is nothing to decide. */
    if (!MAY_FALL_BACK(tls))
	return (0);

    switch (tls_fallback_decide(&decision, POLICY_LEVEL(fb), fb->allowed,
				obstacle,
				rules | smtp_tls_fallback_rules(state))) {
    case TLS_FALLBACK_ACT_STRICT:
	return (0);
    case TLS_FALLBACK_ACT_HELD:
	smtp_tls_fallback_refused(state, POLICY_LEVEL(fb), obstacle,
				  decision.rule);
	return (0);
    default:
	smtp_tls_fallback_apply(tls, obstacle, &decision);
	smtp_tls_fallback_taken(state, fb->policy, tls->level, obstacle,
				detail);
	if (state->session)
	    smtp_tls_fallback_rpt_stop(state);
	return (1);
    }
}

/* smtp_tls_fallback - obstacle presented by the remote server */

int     smtp_tls_fallback(SMTP_STATE *state, int obstacle, const char *detail)
{
    return (smtp_tls_fallback_decided(state, obstacle, detail,
				      TLS_FALLBACK_RULE_NONE));
}

 /*
  * A UNIX-domain destination has no alternate connection.
  */
#define CAN_CONNECT_AGAIN(state)	((state)->iterator->port != 0)

/* smtp_tls_fallback_handshake - TLS handshake failed */

int     smtp_tls_fallback_handshake(SMTP_STATE *state, int proxy_error)
{
    SMTP_TLS_POLICY *tls = state->tls;
    int     rules = TLS_FALLBACK_RULE_NONE;

    if (!CAN_CONNECT_AGAIN(state) || !MAY_FALL_BACK(tls))
	return (0);

    /*
     * The TLS library does not tell a bad handshake from bad settings that
     * prevented it.
     */
    if (proxy_error
	|| !tls_client_conf_ok(smtp_tls_ctx, state->session->namaddrport,
			       tls->protocols, tls->grade,
			       STR(tls->exclusions)))
	rules |= TLS_FALLBACK_RULE_LOCAL;
    return (smtp_tls_fallback_decided(state, TLS_OBSTACLE_HANDSHAKE,
				      "Cannot start TLS: handshake failure",
				      rules));
}

/* smtp_tls_fallback_cert - certificate not verified */

int     smtp_tls_fallback_cert(SMTP_STATE *state)
{
    TLS_SESS_STATE *ctx = state->session->tls_context;
    VSTRING *detail = vstring_alloc(100);
    int     rules = TLS_FALLBACK_RULE_NONE;
    int     obstacle;
    int     result;

    /*
     * Without trusted certification authorities, at all levels except
     * "verify" and "secure", there is nothing but the match. Before August
     * 2025, a release does not say that a certificate is trusted when no name
     * matches.
     */
#define TRUSTED_OR_MISMATCH(ctx) \
	(TLS_CERT_IS_TRUSTED(ctx) \
	    || (ctx)->errorcode == X509_V_ERR_HOSTNAME_MISMATCH)

    /*
     * The TLS library may turn out to support none of the TLSA records,
     * fingerprints, or trust anchors. It then rejects any certificate. Except
     * with TLSA records, that is because of our own settings.
     */
#define NOTHING_USABLE(state, ctx) \
	((ctx)->errorcode == X509_V_ERR_UNSPECIFIED \
	    && SMTP_TLS_EXT_FAILURE((state)->tls) == 0)

    if (TLS_MUST_PKIX(ctx->level) && !TRUSTED_OR_MISMATCH(ctx))
	obstacle = TLS_OBSTACLE_UNTRUSTED;
    else
	obstacle = TLS_OBSTACLE_MISMATCH;
    if (NOTHING_USABLE(state, ctx)) {
	if (ctx->level == TLS_LEV_DANE_ONLY)
	    obstacle = TLS_OBSTACLE_TLSA_UNUSABLE;
	else
	    rules |= TLS_FALLBACK_RULE_LOCAL;
    }

    if (obstacle == TLS_OBSTACLE_TLSA_UNUSABLE)
	vstring_strcpy(detail, "TLSA records unusable");
    else if (!TLS_CRED_IS_PRESENT(ctx))
	vstring_strcpy(detail, "no server certificate");
    else if (SMTP_TLS_EXT_FAILURE(state->tls))
	vstring_sprintf(detail, "external policy failure (%s)",
			SMTP_TLS_EXT_FAILURE(state->tls));
    else if (ctx->level == TLS_LEV_FPRINT)
	vstring_strcpy(detail, "no matching certificate or public key "
		       "fingerprint");
    else
	vstring_strcpy(detail, X509_verify_cert_error_string(ctx->errorcode));
    result = smtp_tls_fallback_decided(state, obstacle, STR(detail), rules);
    vstring_free(detail);
    return (result);
}

/* smtp_tls_fallback_lost - connection lost with TLS turned on */

int     smtp_tls_fallback_lost(SMTP_STATE *state)
{
    SMTP_SESSION *session = state->session;

    if (session->tls_context == 0 || !CAN_CONNECT_AGAIN(state)
	|| (session->features & SMTP_FEATURE_FROM_CACHE) != 0
	|| SMTP_RCPT_LEFT(state) <= SMTP_RCPT_MARK_COUNT(state))
	return (0);
    return (smtp_tls_fallback(state, TLS_OBSTACLE_TLS_LOST,
			      STR(state->why->reason)));
}

/* smtp_tls_fallback_resume - restore state after cleartext retry decision */

void    smtp_tls_fallback_resume(SMTP_STATE *state, int retry_plain)
{
    SMTP_TLS_FALLBACK *fb = state->tls->fb;
    int     reason = retry_plain - 1;

    if (reason != TLS_OBSTACLE_NONE) {
	fb->policy = POLICY_LEVEL(fb);
	fb->reason = reason;
	fb->cleartext = 1;
    }
}

/* smtp_tls_effective_level - level that the delivery is made at */

int     smtp_tls_effective_level(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;
    TLS_SESS_STATE *ctx = state->session->tls_context;

    if (tls->level == TLS_LEV_NONE && tls->fb->configured != TLS_LEV_NONE)
	return (TLS_LEV_MAY);
    if (ctx != 0 && ctx->level < tls->level)
	return (ctx->level);
    return (tls->level);
}

 /*
  * Connection cache support. These names appear only here.
  */
#define SMTP_TLS_FB_ATTR_CONFIGURED	"tls_configured_level"
#define SMTP_TLS_FB_ATTR_POLICY		"tls_policy_level"
#define SMTP_TLS_FB_ATTR_REASON		"tls_fallback_reason"

/* smtp_tls_fallback_print - save with cached connection */

int     smtp_tls_fallback_print(ATTR_PRINT_COMMON_FN print_fn, VSTREAM *fp,
				        int flags, const void *ptr)
{
    const SMTP_TLS_FALLBACK *fb = (const SMTP_TLS_FALLBACK *) ptr;

    return (print_fn(fp, flags | ATTR_FLAG_MORE,
		     SEND_ATTR_INT(SMTP_TLS_FB_ATTR_CONFIGURED,
				   fb->configured),
		     SEND_ATTR_INT(SMTP_TLS_FB_ATTR_POLICY, fb->policy),
		     SEND_ATTR_INT(SMTP_TLS_FB_ATTR_REASON, fb->reason),
		     ATTR_TYPE_END));
}

/* smtp_tls_fallback_scan - restore from cached connection */

int     smtp_tls_fallback_scan(ATTR_SCAN_COMMON_FN scan_fn, VSTREAM *fp,
			               int flags, void *ptr)
{
    SMTP_TLS_FALLBACK *fb = (SMTP_TLS_FALLBACK *) ptr;
    int     configured;
    int     policy;
    int     reason;

#define VALID_LEVEL(l)	((l) >= TLS_LEV_NONE && (l) <= TLS_LEV_SECURE)
#define NO_FALLBACK(policy, reason) \
	((policy) == TLS_LEV_NOTFOUND && (reason) == TLS_OBSTACLE_NONE)
#define VALID_FALLBACK(policy, reason) \
	(VALID_LEVEL(policy) && TLS_MUST_MATCH(policy) \
	    && str_tls_obstacle(reason) != 0)

    if (scan_fn(fp, flags | ATTR_FLAG_MORE,
		RECV_ATTR_INT(SMTP_TLS_FB_ATTR_CONFIGURED, &configured),
		RECV_ATTR_INT(SMTP_TLS_FB_ATTR_POLICY, &policy),
		RECV_ATTR_INT(SMTP_TLS_FB_ATTR_REASON, &reason),
		ATTR_TYPE_END) != 3
	|| !VALID_LEVEL(configured)
	|| (!NO_FALLBACK(policy, reason) && !VALID_FALLBACK(policy, reason)))
	return (-1);

    /*
     * A connection that was found by nexthop is used without policy lookup.
     */
    if (fb->configured == TLS_LEV_NOTFOUND)
	fb->configured = configured;
    fb->policy = policy;
    fb->reason = reason;
    return (1);
}

/* smtp_tls_fallback_find - find cached connection that fell back */

int     smtp_tls_fallback_find(SMTP_STATE *state, const char *delim_na)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = tls->fb;
    TLS_FALLBACK_DECISION decision;
    int     policy_level = tls->level;
    int     fd;

    /*
     * For one policy, all fallbacks lead to the same level. Ask about one of
     * them; smtp_tls_fallback_reusable() will look at the real one.
     */
#define FALLBACK_LEVEL_FOUND(d, fb) \
	TLS_FALLBACK_ACT_IS_OK(tls_fallback_decide(&(d), POLICY_LEVEL(fb), \
				       (fb)->allowed, TLS_OBSTACLE_MISMATCH, \
				       smtp_tls_fallback_static_rules()))

    if (SMTP_TLS_FELL_BACK(tls) || tls->level <= TLS_LEV_MAY
	|| !FALLBACK_LEVEL_FOUND(decision, fb))
	return (-1);

    /*
     * Compute the cache key as if the fallback had happened already.
     */
    fb->policy = POLICY_LEVEL(fb);
    tls->level = decision.level;
    smtp_key_prefix(state->endp_label, delim_na, state->iterator,
		    SMTP_KEY_MASK_SCACHE_ENDP_LABEL);
    fd = scache_find_endp(smtp_scache, STR(state->endp_label),
			  state->endp_prop);
    fb->policy = TLS_LEV_NOTFOUND;
    tls->level = policy_level;
    return (fd);
}

/* smtp_tls_fallback_expected - can a policy have this level, and no fallback? */

static int smtp_tls_fallback_expected(SMTP_STATE *state)
{
    int     level = state->tls->level;

    /* The message overrides the policy. */
#ifdef STATE_TLS_NOT_REQUIRED
    if (STATE_TLS_NOT_REQUIRED(state))
	return (1);
#endif

    /*
     * Opportunistic TLS, also with "dane" and no TLSA records, becomes "none"
     * after a failed handshake.
     */
    switch (state->tls->fb->configured) {
    default:
	return (level == state->tls->fb->configured);
    case TLS_LEV_MAY:
	return (level == TLS_LEV_MAY || level == TLS_LEV_NONE);
    case TLS_LEV_DANE:
	return (TLS_DANE_BASED(level)
		|| (level >= TLS_LEV_NONE && level <= TLS_LEV_ENCRYPT));
    case TLS_LEV_DANE_ONLY:
	return (TLS_DANE_BASED(level));
    }
}

/* smtp_tls_fallback_reusable - is the fallback of this connection permitted? */

int     smtp_tls_fallback_reusable(SMTP_STATE *state)
{
    SMTP_TLS_FALLBACK *fb = state->tls->fb;
    TLS_FALLBACK_DECISION decision;
    int     rules;

#define PERMITTED(d, fb, obstacle, rules) \
	TLS_FALLBACK_ACT_IS_OK(tls_fallback_decide(&(d), (fb)->policy, \
				       (fb)->allowed, (obstacle), (rules)))

    if (!SMTP_TLS_FELL_BACK(state->tls))
	return (smtp_tls_fallback_expected(state));

    /*
     * The policy in force must lead to the same level for the same reason.
     */
    rules = smtp_tls_fallback_rules(state);
    if (fb->policy != fb->configured
	|| !PERMITTED(decision, fb, fb->reason, rules)
	|| decision.level != SMTP_TLS_KEY_LEVEL(state->tls))
	return (0);

    /*
     * The first obstacle may be one that leaves TLS turned on, followed by
     * one that does not.
     */
    if (decision.action == TLS_FALLBACK_ACT_GO_ON
	&& state->session->tls_context == 0)
	return (PERMITTED(decision, fb, TLS_OBSTACLE_HANDSHAKE, rules));
    return (1);
}

#endif
