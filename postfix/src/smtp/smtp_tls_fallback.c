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
/*	int	smtp_tls_fallback_sts_mx(state)
/*	SMTP_STATE *state;
/*
/*	void	smtp_tls_fallback_report(state)
/*	SMTP_STATE *state;
/*
/*	int	smtp_tls_fallback_level(state, obstacle, detail, rules)
/*	SMTP_STATE *state;
/*	int	obstacle;
/*	const char *detail;
/*	int	rules;
/*
/*	void	smtp_tls_fallback_local(state, obstacle)
/*	SMTP_STATE *state;
/*	int	obstacle;
/*
/*	int	smtp_tls_fallback_cert(state)
/*	SMTP_STATE *state;
/*
/*	int	smtp_tls_fallback_handshake(state)
/*	SMTP_STATE *state;
/*
/*	int	smtp_tls_fallback_lost(state)
/*	SMTP_STATE *state;
/*
/*	void	smtp_tls_fallback_resume(state, reason, cleartext)
/*	SMTP_STATE *state;
/*	int	reason;
/*	int	cleartext;
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
/*	unsigned smtp_tls_key(state)
/*	SMTP_STATE *state;
/*
/*	int	smtp_tls_fallback_key(state, key)
/*	SMTP_STATE *state;
/*	unsigned *key;
/*
/*	int	smtp_tls_reuse_ok(state)
/*	SMTP_STATE *state;
/*
/*	void	smtp_tls_reuse(state)
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
/*	smtp_tls_fallback_sts_mx() handles a host that is not in the STS
/*	policy of its destination. The result is non-zero when delivery
/*	may go on: the TLS level in the SMTP state is then the fallback
/*	level.
/*
/*	smtp_tls_fallback_report() logs what the functions above decided
/*	before there was a connection. It is called when there is one, or
/*	when a host is skipped.
/*
/*	smtp_tls_fallback_level() handles one obstacle that the remote
/*	server presents while there is still a choice between TLS and
/*	cleartext. The result is the TLS level to go on at: the fallback
/*	level, after a warning is logged; the policy level, when a rule
/*	holds the fallback back; otherwise the present level. The caller
/*	stores the result, and then does what that level asks for.
/*
/*	smtp_tls_fallback_local() logs that a local problem holds a fallback
/*	back.
/*
/*	smtp_tls_fallback_cert() has the result of smtp_tls_fallback_level()
/*	for a server certificate that is untrusted or that does not match.
/*
/*	smtp_tls_fallback_handshake() handles a failed TLS handshake, with
/*	the reason from tls_handshake_error(3); without one the problem is
/*	local. smtp_tls_fallback_lost() handles a connection that is
/*	lost when TLS was active and recipients are left (a cached
/*	connection excepted: its loss says nothing about TLS). The result
/*	is non-zero when delivery may be tried again over a new connection.
/*	The SMTP state then says why, and if that must be in cleartext.
/*
/*	smtp_tls_fallback_resume() is called for the new connection: it
/*	restores what made us try again. If TLS is still wanted, that is
/*	with the protocols, cipher grade and exclusions of opportunistic
/*	TLS.
/*
/*	smtp_tls_effective_level() returns the level at which a message is
/*	really delivered. This is "may" when a policy of "may", or a
/*	fallback to it, ends in cleartext; "none" is for destinations that
/*	have that policy. It is "encrypt" for "dane" when the TLS
/*	library can use none of the TLSA records.
/*
/*	smtp_tls_fallback_print() saves fallback information with a cached
/*	connection, and smtp_tls_fallback_scan() restores it as the origin
/*	of a session. The scan
/*	result is -1 when the information is missing or
/*	inconsistent; such a connection must not be used.
/*
/*	smtp_tls_key() returns a number for cache keys. It is different
/*	for different TLS levels, for a connection that fell back, and for
/*	one that was made for a message with "TLS-Required: no". Therefore
/*	such connections are found by their like only.
/*
/*	smtp_tls_fallback_key() computes the number for a connection, to
/*	the present server address, that fell back earlier as this delivery
/*	may have to. The result is zero if there can be no such connection.
/*
/*	smtp_tls_reuse_ok() returns non-zero when the policy in force and
/*	the rules could lead to a connection like that of the present
/*	session, which comes from the cache. With a dummy policy, because
/*	the connection was found by nexthop, the policy in force is looked
/*	up first.
/*
/*	smtp_tls_reuse() is called when such a session turned out to work:
/*	from now on, it is as if its fallback was made in this delivery.
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
/* .IP rules
/*	TLS_FALLBACK_RULE_XXX that the caller knows of.
/* .IP "reason, cleartext"
/*	SMTP_SESSION.tls_retry_reason and SMTP_SESSION.tls_retry_plain of
/*	the connection that failed.
/* .IP key
/*	The result of smtp_tls_fallback_key().
/* DIAGNOSTICS
/*	Warnings: there is no trusted authority at all (this is logged once
/*	per process); see also above. The format of the records with "tls fallback:"
/*	and "tls fallback refused:" is an interface for log analyzers.
/* SEE ALSO
/*	tls_fallback(3) what to do when a level is not achieved
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
#include <tls_authorities.h>
#include <tls_handshake.h>
#include <tls_fallback.h>
#include <tls_fallback_conf.h>

/* Application-specific. */

#include "smtp.h"
#include "smtp_sasl.h"

 /*
  * TLS library and SMTP client, depending on the release.
  */
#include <tls_fallback_compat.h>
#include "smtp_tls_fallback_compat.h"

 /*
  * The parameter value.
  */
static TLS_FALLBACK_CONF smtp_tls_fallback_conf;

 /*
  * The policy level that was not, or might not be, achieved.
  */
#define POLICY_LEVEL(fb) \
	((fb)->policy != TLS_LEV_NOTFOUND ? (fb)->policy : (fb)->configured)

#define HAVE_FALLBACK_LEVEL(fb)	((fb)->allowed > TLS_LEV_NONE)

 /*
  * Can the server still disappoint us? This is also true after a fallback to
  * "may" as long as TLS is possible, so that every obstacle is noticed, and
  * every rule applied, until there is nothing left to lose.
  */
#define MAY_FALL_BACK(tls) \
	(HAVE_FALLBACK_LEVEL(&(tls)->fb) \
	    && ((tls)->level > TLS_LEV_MAY \
		|| (SMTP_TLS_FELL_BACK(tls) && !(tls)->fb.cleartext)))

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
	    (&tls->fb, where, name, value));
}

/* smtp_tls_fallback_configure - settings for this destination */

void    smtp_tls_fallback_configure(SMTP_TLS_POLICY *tls)
{
    SMTP_TLS_FALLBACK *fb = &tls->fb;

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

/* smtp_tls_fallback_line - line for logging, with nothing that can forge one */

static const char *PRINTFLIKE(2, 3) smtp_tls_fallback_line(SMTP_STATE *state,
						         const char *fmt,...)
{
    static VSTRING *buf;
    va_list ap;

    if (buf == 0)
	buf = vstring_alloc(200);
    vstring_sprintf(buf, "%s: ", state->request->queue_id);
    va_start(ap, fmt);
    vstring_vsprintf_append(buf, fmt, ap);
    va_end(ap);
    return (printable(translit(STR(buf), "\n", " "), '?'));
}

/* smtp_tls_fallback_warning - line that says that we go on at a weaker level */

static const char *smtp_tls_fallback_warning(SMTP_STATE *state, int level,
				          int obstacle, const char *detail)
{
    return (smtp_tls_fallback_line(state, "tls fallback: relay=%s, nexthop=%s, "
				   "policy=%s, level=%s, reason=%s, detail=%s",
				   smtp_tls_fallback_relay(state->iterator),
				   STR(state->iterator->dest),
			 str_tls_policy_level(POLICY_LEVEL(&state->tls->fb)),
				   str_tls_policy_level(level),
				   str_tls_obstacle(obstacle), detail));
}

/* smtp_tls_fallback_log_refused - log that a rule held back a fallback */

static void smtp_tls_fallback_log_refused(SMTP_STATE *state, int obstacle, int rule)
{
    SMTP_TLS_FALLBACK *fb = &state->tls->fb;
    const char *line =
    smtp_tls_fallback_line(state, "tls fallback refused: relay=%s, nexthop=%s, "
			   "policy=%s, fallback=%s, reason=%s, rule=%s",
			   smtp_tls_fallback_relay(state->iterator),
			   STR(state->iterator->dest),
			   str_tls_policy_level(POLICY_LEVEL(fb)),
			   str_tls_policy_level(fb->allowed),
			   str_tls_obstacle(obstacle),
			   str_tls_fallback_rule(rule));

    if (!smtp_tls_rounds_hold(line))
	msg_warn("%s", line);
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

    if (age < state->tls->fb.delay)
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
    SMTP_TLS_FALLBACK *fb = &tls->fb;

    if (!SMTP_TLS_FELL_BACK(tls)) {
	fb->policy = POLICY_LEVEL(fb);
	fb->reason = obstacle;
    }
    tls->level = decision->level;
    fb->cleartext = TLS_FALLBACK_ACT_IS_CLEAR(decision->action);
}

/* smtp_tls_fallback_set_may - use TLS as a policy of "may" would use it */

static void smtp_tls_fallback_set_may(SMTP_TLS_POLICY *tls)
{
    static VSTRING *exclusions;

    if (exclusions == 0)
	exclusions = vstring_strcpy(vstring_alloc(10), var_smtp_tls_excl_ciph);
    tls->level = TLS_LEV_MAY;
    tls->protocols = var_smtp_tls_proto;
    tls->grade = var_smtp_tls_ciph;
    tls->exclusions = exclusions;
    tls->matchargv = 0;
    tls->dane = 0;
}

/* smtp_tls_fallback_policy - obstacle found in policy lookup */

int     smtp_tls_fallback_policy(SMTP_TLS_POLICY *tls)
{
    SMTP_TLS_FALLBACK *fb = &tls->fb;
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
    SMTP_TLS_FALLBACK *fb = &tls->fb;
    TLS_FALLBACK_DECISION decision;

    if (!SMTP_TLS_FELL_BACK(tls))
	return (0);
    if (tls_fallback_decide(&decision, fb->policy, fb->allowed, fb->obstacle,
			    smtp_tls_fallback_rules(state))
	== TLS_FALLBACK_ACT_HELD) {
	fb->rule = decision.rule;
    } else if (smtp_tls_rounds_go_on(state, &decision, fb->obstacle,
				     fb->obstacle, "")) {
	return (0);
    } else {
	fb->policy = TLS_LEV_NOTFOUND;		/* not yet */
	fb->reason = TLS_OBSTACLE_NONE;
    }
    tls->level = TLS_LEV_INVALID;
    return (1);
}

/* smtp_tls_fallback_sts_mx - host is not in the STS policy */

int     smtp_tls_fallback_sts_mx(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = &tls->fb;
    TLS_FALLBACK_DECISION decision;

    if (!MAY_FALL_BACK(tls))
	return (0);
    fb->obstacle = TLS_OBSTACLE_STS_MX;
    switch (tls_fallback_decide(&decision, POLICY_LEVEL(fb), fb->allowed,
				fb->obstacle,
				smtp_tls_fallback_rules(state))) {
    case TLS_FALLBACK_ACT_STRICT:
	return (0);
    case TLS_FALLBACK_ACT_HELD:
	fb->rule = decision.rule;
	return (0);
    default:
	if (!smtp_tls_rounds_go_on(state, &decision, fb->obstacle,
				   fb->obstacle, ""))
	    return (0);
	smtp_tls_fallback_apply(tls, fb->obstacle, &decision);
	if (tls->level == TLS_LEV_MAY)
	    smtp_tls_fallback_set_may(tls);
	return (1);
    }
}

/* smtp_tls_fallback_report - log what was decided before the connection */

void    smtp_tls_fallback_report(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = &tls->fb;
    SMTP_SESSION *session = state->session;
    const char *line;

    /*
     * A bad setting that was found after the fallback.
     */
    if (SMTP_TLS_FELL_BACK(tls) && tls->level == TLS_LEV_INVALID
	&& fb->rule == TLS_FALLBACK_RULE_NONE)
	fb->rule = TLS_FALLBACK_RULE_LOCAL;

    /*
     * With a connection that is used again, this has been reported already.
     */
#define IS_FIRST_USE(session, fb) \
	((fb)->reason == (fb)->obstacle \
	    && ((session)->features & SMTP_FEATURE_FROM_CACHE) == 0)

    if (fb->rule != TLS_FALLBACK_RULE_NONE) {
	smtp_tls_fallback_log_refused(state, fb->obstacle, fb->rule);
    } else if (session != 0 && SMTP_TLS_FELL_BACK(tls)) {
	if ((line = smtp_tls_rounds_text()) != 0)
	    msg_warn("%s", line);
	if (IS_FIRST_USE(session, fb)
	    && smtp_tls_rounds_is_news(fb->obstacle)) {
	    msg_warn("%s", smtp_tls_fallback_warning(state, tls->level,
						   fb->obstacle,
				       fb->obstacle == TLS_OBSTACLE_STS_MX ?
				       "the host is not in the STS policy" :
						   STR(tls->why->reason)));
	    smtp_tls_fallback_rpt_failure(state, fb->obstacle);
	}
	smtp_tls_fallback_rpt_stop(state);
    }
}

/* smtp_tls_fallback_decided - ask, log, act */

static int smtp_tls_fallback_decided(SMTP_STATE *state, int obstacle,
				            const char *detail, int rules)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = &tls->fb;
    TLS_FALLBACK_DECISION decision;
    const char *line;

    /* Don't look up SASL credentials when there is nothing to decide. */
    if (!MAY_FALL_BACK(tls))
	return (TLS_FALLBACK_ACT_STRICT);

    switch (tls_fallback_decide(&decision, POLICY_LEVEL(fb), fb->allowed,
				obstacle,
				rules | smtp_tls_fallback_rules(state))) {
    case TLS_FALLBACK_ACT_STRICT:
	return (decision.action);
    case TLS_FALLBACK_ACT_HELD:
	smtp_tls_fallback_log_refused(state, obstacle, decision.rule);
	return (decision.action);
    }

    /*
     * Not now, if there may be a better host.
     */
#define FIRST_REASON(tls, obstacle) \
	(SMTP_TLS_FELL_BACK(tls) ? (tls)->fb.reason : (obstacle))

    line = smtp_tls_fallback_warning(state, decision.level, obstacle, detail);
    if (!smtp_tls_rounds_go_on(state, &decision, obstacle,
			       FIRST_REASON(tls, obstacle), line))
	return (TLS_FALLBACK_ACT_HELD);
    if (smtp_tls_rounds_is_news(obstacle))
	msg_warn("%s", line);
    smtp_tls_fallback_apply(tls, obstacle, &decision);
    return (decision.action);
}

/* smtp_tls_fallback_next - level to go on at */

static int smtp_tls_fallback_next(SMTP_STATE *state, int obstacle,
				          const char *detail, int rules,
				          int is_reported)
{
    SMTP_TLS_POLICY *tls = state->tls;

    switch (smtp_tls_fallback_decided(state, obstacle, detail, rules)) {
    case TLS_FALLBACK_ACT_STRICT:
	return (tls->level);
    case TLS_FALLBACK_ACT_HELD:
	return (POLICY_LEVEL(&tls->fb));
    default:
	if (state->session) {
	    if (!is_reported)
		smtp_tls_fallback_rpt_failure(state, obstacle);
	    smtp_tls_fallback_rpt_stop(state);
	}
	return (tls->level);
    }
}

/* smtp_tls_fallback_level - level to go on at, after an obstacle */

int     smtp_tls_fallback_level(SMTP_STATE *state, int obstacle,
				        const char *detail, int rules)
{
    return (smtp_tls_fallback_next(state, obstacle, detail, rules,
				    /* is_reported= */ 0));
}

/* smtp_tls_fallback_local - log that a local problem holds a fallback back */

void    smtp_tls_fallback_local(SMTP_STATE *state, int obstacle)
{
    (void) smtp_tls_fallback_decided(state, obstacle, "",
				     TLS_FALLBACK_RULE_LOCAL);
}

 /*
  * A UNIX-domain destination has no alternate connection.
  */
#define CAN_CONNECT_AGAIN(state)	((state)->iterator->port != 0)

/* smtp_tls_fallback_is_may - is TLS used as a policy of "may" would use it? */

static int smtp_tls_fallback_is_may(SMTP_TLS_POLICY *tls)
{

    /*
     * At the levels that require a match, the TLS library has stricter
     * settings of its own: it accepts no anonymous ciphers and no weak
     * keys, and DANE brings a server name.
     */
    return (tls->level == TLS_LEV_MAY
	    && strcmp(tls->protocols, var_smtp_tls_proto) == 0
	    && strcmp(tls->grade, var_smtp_tls_ciph) == 0
	    && strcmp(STR(tls->exclusions), var_smtp_tls_excl_ciph) == 0);
}

/* smtp_tls_fallback_handshake - TLS handshake failed */

int     smtp_tls_fallback_handshake(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;
    const char *error = tls_handshake_error();
    VSTRING *detail;
    int     obstacle;
    int     action;

    if (!CAN_CONNECT_AGAIN(state) || !MAY_FALL_BACK(tls))
	return (0);
    obstacle = (smtp_tls_fallback_is_may(tls) ?
		TLS_OBSTACLE_HANDSHAKE_MAY : TLS_OBSTACLE_HANDSHAKE);

    /*
     * Without TLS context, and without an explicit error, the problem is
     * with our own settings or with tlsproxy(8).
     */
    if (error == 0) {
	smtp_tls_fallback_local(state, obstacle);
	return (0);
    }
    detail = vstring_alloc(100);
    vstring_sprintf(detail, "Cannot start TLS: handshake failure (%s)", error);
    action = smtp_tls_fallback_decided(state, obstacle, STR(detail),
				       TLS_FALLBACK_RULE_NONE);
    vstring_free(detail);
    return (TLS_FALLBACK_ACT_IS_OK(action));
}

/* smtp_tls_fallback_nobody - warn about our own settings, once */

static void smtp_tls_fallback_nobody(void)
{
    static int warned;

    if (warned == 0)
	msg_warn("no certificate of a trusted authority is available: check "
		 "%s, %s, and what of them is readable in the chroot jail",
		 VAR_LMTP_SMTP(TLS_CA_FILE), VAR_LMTP_SMTP(TLS_CA_PATH));
    warned = 1;
}

/* smtp_tls_fallback_cert - level to go on at, certificate not verified */

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

    /*
     * With trust anchors in the policy table, no others are needed.
     */
#define HAVE_TRUST_ANCHORS(tls) \
	((tls)->dane != 0 && (tls)->dane->tlsa != 0)
#define TRUSTS_NOBODY(state, ctx) \
	(!HAVE_TRUST_ANCHORS((state)->tls) && !tls_authorities_exist(ctx))

    if (obstacle == TLS_OBSTACLE_UNTRUSTED && TRUSTS_NOBODY(state, ctx)) {
	smtp_tls_fallback_nobody();
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

    /*
     * For TLS reports, the TLS library has reported what it found.
     */
    result = smtp_tls_fallback_next(state, obstacle, STR(detail), rules,
				     /* is_reported= */ 1);
    vstring_free(detail);
    return (result);
}

/* smtp_tls_fallback_lost - connection lost with TLS turned on */

int     smtp_tls_fallback_lost(SMTP_STATE *state)
{
    SMTP_SESSION *session = state->session;
    int     action;

    if (session->tls_context == 0 || !CAN_CONNECT_AGAIN(state)
	|| (session->features & SMTP_FEATURE_FROM_CACHE) != 0
	|| SMTP_RCPT_LEFT(state) <= SMTP_RCPT_MARK_COUNT(state))
	return (0);
    action = smtp_tls_fallback_decided(state, TLS_OBSTACLE_TLS_LOST,
				       STR(state->why->reason),
				       TLS_FALLBACK_RULE_NONE);
    return (TLS_FALLBACK_ACT_IS_OK(action));
}

/* smtp_tls_fallback_resume - the connection after the one that failed */

void    smtp_tls_fallback_resume(SMTP_STATE *state, int reason, int cleartext)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = &tls->fb;

    if (!SMTP_TLS_FELL_BACK(tls)) {
	fb->policy = POLICY_LEVEL(fb);
	fb->reason = reason;
    }
    fb->cleartext = cleartext;
    fb->obstacle = TLS_OBSTACLE_NONE;		/* has been reported */
    smtp_tls_fallback_set_may(tls);
}

/* smtp_tls_effective_level - level that the delivery is made at */

int     smtp_tls_effective_level(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;
    TLS_SESS_STATE *ctx = state->session->tls_context;

    if (tls->level == TLS_LEV_NONE && tls->fb.configured != TLS_LEV_NONE)
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
		     SEND_ATTR_INT(SMTP_TLS_FB_ATTR_CONFIGURED, fb->configured),
		     SEND_ATTR_INT(SMTP_TLS_FB_ATTR_POLICY, fb->policy),
		     SEND_ATTR_INT(SMTP_TLS_FB_ATTR_REASON, fb->reason),
		     ATTR_TYPE_END));
}

/* smtp_tls_fallback_scan - restore from cached connection */

int     smtp_tls_fallback_scan(ATTR_SCAN_COMMON_FN scan_fn, VSTREAM *fp,
			               int flags, void *ptr)
{
    SMTP_TLS_ORIGIN *origin = (SMTP_TLS_ORIGIN *) ptr;

#define VALID_LEVEL(l)	((l) >= TLS_LEV_NONE && (l) <= TLS_LEV_SECURE)
#define NO_FALLBACK(policy, reason) \
	((policy) == TLS_LEV_NOTFOUND && (reason) == TLS_OBSTACLE_NONE)
#define VALID_FALLBACK(policy, reason) \
	(VALID_LEVEL(policy) && TLS_MUST_MATCH(policy) \
	    && str_tls_obstacle(reason) != 0)

    return (scan_fn(fp, flags | ATTR_FLAG_MORE,
		    RECV_ATTR_INT(SMTP_TLS_FB_ATTR_CONFIGURED, &origin->configured),
		    RECV_ATTR_INT(SMTP_TLS_FB_ATTR_POLICY, &origin->policy),
		    RECV_ATTR_INT(SMTP_TLS_FB_ATTR_REASON, &origin->reason),
		    ATTR_TYPE_END) == 3
	    && VALID_LEVEL(origin->configured)
	    && (NO_FALLBACK(origin->policy, origin->reason)
		|| VALID_FALLBACK(origin->policy, origin->reason)) ? 1 : -1);
}

 /*
  * Cache keys. A connection in cleartext after a fallback counts as "may",
  * like one to a server without STARTTLS.
  */
#define KEY_FELL_BACK		(1<<8)
#define KEY_NOT_REQUIRED	(1<<9)

#define KEY_LEVEL(level, fell_back) \
	((fell_back) && (level) == TLS_LEV_NONE ? TLS_LEV_MAY : (level))

/* smtp_tls_key - cache key for the policy in force */

unsigned smtp_tls_key(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;

    return (KEY_LEVEL(tls->level, SMTP_TLS_FELL_BACK(tls))
	    | (SMTP_TLS_FELL_BACK(tls) ? KEY_FELL_BACK : 0)
	    | (SMTP_TLS_NOT_REQUIRED(state) ? KEY_NOT_REQUIRED : 0));
}

/* smtp_tls_fallback_key - cache key for a connection that fell back */

int     smtp_tls_fallback_key(SMTP_STATE *state, unsigned *key)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = &tls->fb;
    TLS_FALLBACK_DECISION decision;

    /*
     * For one policy, all fallbacks lead to the same level. Ask about one of
     * them; smtp_tls_reuse_ok() will look at the real one.
     */
    if (SMTP_TLS_FELL_BACK(tls) || !MAY_FALL_BACK(tls))
	return (0);
    (void) tls_fallback_decide(&decision, POLICY_LEVEL(fb), fb->allowed,
			       TLS_OBSTACLE_MISMATCH,
			       smtp_tls_fallback_static_rules());
    *key = decision.level | KEY_FELL_BACK;
    return (TLS_FALLBACK_ACT_IS_OK(decision.action));
}

/* smtp_tls_reuse_plain_ok - could we have made this connection, too? */

static int smtp_tls_reuse_plain_ok(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_ORIGIN *origin = &state->session->tls_origin;

    /*
     * The level of opportunistic TLS becomes "none" after TLS has failed. A
     * young message, or one that needs a password, does not go there. With a
     * policy of "none", nobody has tried TLS.
     */
#define PLAIN_RETRY_RULES \
	(TLS_FALLBACK_RULE_SASL | TLS_FALLBACK_RULE_REQTLS \
	    | TLS_FALLBACK_RULE_REQSTARTTLS | TLS_FALLBACK_RULE_BACKOFF)
#define TLS_HAS_FAILED(origin) \
	((origin)->level == TLS_LEV_NONE \
	    && (origin)->configured != TLS_LEV_NONE)

    if (tls->level == origin->level)
	return (1);
    return (tls->level == TLS_LEV_MAY && TLS_HAS_FAILED(origin)
	    && (smtp_tls_fallback_rules(state) & PLAIN_RETRY_RULES) == 0);
}

/* smtp_tls_reuse_fallback_ok - could we have fallen back like this? */

static int smtp_tls_reuse_fallback_ok(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = &tls->fb;
    SMTP_TLS_ORIGIN *origin = &state->session->tls_origin;
    TLS_FALLBACK_DECISION decision;
    int     rules;

    if (origin->policy != POLICY_LEVEL(fb))
	return (0);

    /*
     * What is known before there is a connection must be what was known
     * then. A server, on the other hand, is expected to do what it did.
     */
#define STS_MX_IS_BAD(state) \
	(!SMTP_TLS_MX_IS_OK((state)->tls, STR((state)->iterator->host)))

    if (SMTP_TLS_FELL_BACK(tls)) {
	if (origin->reason != fb->reason)
	    return (0);
    } else if (origin->reason == TLS_OBSTACLE_STS_MX) {
	if (!STS_MX_IS_BAD(state))
	    return (0);
    } else if (!TLS_OBSTACLE_IS_SERVER(origin->reason)) {
	return (0);
    }

    /*
     * The fallback must be permitted for this message, now, and lead to the
     * same level.
     */
#define PERMITTED(d, fb, policy, obstacle, rules) \
	TLS_FALLBACK_ACT_IS_OK(tls_fallback_decide(&(d), (policy), \
				       (fb)->allowed, (obstacle), (rules)))

    rules = smtp_tls_fallback_rules(state);
    if (!PERMITTED(decision, fb, origin->policy, origin->reason, rules)
	|| decision.level != KEY_LEVEL(origin->level, 1))
	return (0);

    /*
     * The first obstacle may be one that leaves TLS turned on, followed by
     * one that does not. Ask about the one with most rules.
     */
    if (state->session->tls_context == 0
	&& !TLS_FALLBACK_ACT_IS_CLEAR(decision.action))
	return (PERMITTED(decision, fb, origin->policy,
			  TLS_OBSTACLE_HANDSHAKE_MAY, rules));
    return (1);
}

/* smtp_tls_reuse_ok - could the policy in force lead to this connection? */

int     smtp_tls_reuse_ok(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;

    /*
     * A session was found by nexthop before there was a policy lookup.
     */
#define POLICY_IS_DUMMY(tls)	((tls)->why == 0)

    if (POLICY_IS_DUMMY(tls))
	smtp_tls_policy_configured(tls, state->iterator);

    if (state->session->tls_origin.policy == TLS_LEV_NOTFOUND)
	return (!SMTP_TLS_FELL_BACK(tls) && smtp_tls_reuse_plain_ok(state));
    else
	return (smtp_tls_reuse_fallback_ok(state));
}

/* smtp_tls_reuse - deliver over a cached connection, on its terms */

void    smtp_tls_reuse(SMTP_STATE *state)
{
    SMTP_TLS_POLICY *tls = state->tls;
    SMTP_TLS_FALLBACK *fb = &tls->fb;
    SMTP_SESSION *session = state->session;

    tls->level = session->tls_origin.level;
    fb->policy = session->tls_origin.policy;
    fb->reason = session->tls_origin.reason;
    fb->cleartext = (session->tls_context == 0);
    if (SMTP_TLS_FELL_BACK(tls))
	SMTP_TLS_STAT_REUSED(state, fb->policy, fb->cleartext ? TLS_LEV_NONE :
			     smtp_tls_effective_level(state));
}

#endif
