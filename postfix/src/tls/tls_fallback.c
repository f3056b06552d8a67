/*++
/* NAME
/*	tls_fallback 3
/* SUMMARY
/*	what to do when an authenticated TLS level is not achieved
/* SYNOPSIS
/*	#include <tls_fallback.h>
/*
/*	int	tls_fallback_decide(decision, policy, fallback, obstacle, rules)
/*	TLS_FALLBACK_DECISION *decision;
/*	int	policy;
/*	int	fallback;
/*	int	obstacle;
/*	int	rules;
/*
/*	const char *str_tls_obstacle(obstacle)
/*	int	obstacle;
/*
/*	const char *str_tls_fallback_rule(rule)
/*	int	rule;
/*
/*	const char *str_tls_policy_level(level)
/*	int	level;
/* DESCRIPTION
/*	This module decides if, and how, a delivery may go on after an
/*	obstacle to the TLS security level that the administrator asked
/*	for. It has no state and does no I/O: the same arguments give the
/*	same result. Callers ask, and act on the answer.
/*
/*	tls_fallback_decide() looks up the obstacle and the fallback level
/*	in the decision table, and then checks the rules that hold back
/*	any fallback (RFC 8689 for REQUIRETLS; for the others, see
/*	TLS_FALLBACK_README). The result value is the action, also
/*	stored with the decision.
/*
/*	str_tls_obstacle() returns the keyword that is logged as the reason
/*	of a fallback, or a null pointer with TLS_OBSTACLE_NONE or an
/*	unknown obstacle.
/*
/*	str_tls_fallback_rule() returns the keyword that is logged when a
/*	rule holds a fallback back, or a null pointer with an unknown rule.
/*
/*	str_tls_policy_level() is like str_tls_level(), except that
/*	"half-dane", an implementation detail of "dane", has the name of
/*	the latter. The result is "unknown" when there is no such level.
/*
/*	Arguments:
/* .IP decision
/*	Storage for the result: the action; the level to go on at, which
/*	equals the policy level when the action is TLS_FALLBACK_ACT_STRICT
/*	or TLS_FALLBACK_ACT_HELD; and the rule, TLS_FALLBACK_RULE_NONE
/*	unless the action is TLS_FALLBACK_ACT_HELD.
/* .IP policy
/*	The level that was not achieved, one of TLS_LEV_FPRINT,
/*	TLS_LEV_HALF_DANE, TLS_LEV_DANE, TLS_LEV_DANE_ONLY, TLS_LEV_VERIFY
/*	or TLS_LEV_SECURE. With any other level there is no fallback.
/* .IP fallback
/*	The fallback level of the destination, TLS_LEV_ENCRYPT or
/*	TLS_LEV_MAY. With any other level there is no fallback.
/* .IP obstacle
/*	One of the TLS_OBSTACLE_* codes.
/* .IP rules
/*	Bit-wise OR of the TLS_FALLBACK_RULE_* codes that apply to this
/*	delivery.
/* .PP
/*	Actions:
/* .IP TLS_FALLBACK_ACT_STRICT
/*	The fallback level does not cover this obstacle. Do as if there
/*	were no fallback level.
/* .IP TLS_FALLBACK_ACT_GO_ON
/*	Go on at the resulting level, with the same connection if there
/*	is one.
/* .IP TLS_FALLBACK_ACT_CLEAR
/*	Go on with the same connection, in cleartext.
/* .IP TLS_FALLBACK_ACT_RETRY_TLS
/*	The connection is unusable. Make a new one, and use TLS as with a
/*	policy of "may". The obstacle is different when that fails, too:
/*	TLS_OBSTACLE_HANDSHAKE_MAY.
/* .IP TLS_FALLBACK_ACT_RETRY
/*	The connection is unusable. Make a new one, in cleartext.
/* .IP TLS_FALLBACK_ACT_HELD
/*	The fallback level covers this obstacle, but a rule forbids to use
/*	it. Do as if there were no fallback level, and say which rule.
/* SEE ALSO
/*	tls_fallback_conf(3) fallback level configuration
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

/* TLS library. */

#include <tls.h>
#include <tls_fallback.h>

 /*
  * Sets of policy levels.
  */
#define AT(level)	(1 << (level))
#define AT_DANE_ONLY	AT(TLS_LEV_DANE_ONLY)
#define AT_DANE		(AT(TLS_LEV_HALF_DANE) | AT(TLS_LEV_DANE) \
			    | AT_DANE_ONLY)
#define AT_PKIX		(AT(TLS_LEV_VERIFY) | AT(TLS_LEV_SECURE))
#define AT_ANY		(AT(TLS_LEV_FPRINT) | AT_DANE | AT_PKIX)

 /*
  * Shorthand, to make the decision table readable.
  */
#define STRICT		TLS_FALLBACK_ACT_STRICT
#define GO_ON		TLS_FALLBACK_ACT_GO_ON
#define CLEAR		TLS_FALLBACK_ACT_CLEAR
#define RETRY_TLS	TLS_FALLBACK_ACT_RETRY_TLS
#define RETRY		TLS_FALLBACK_ACT_RETRY

 /*
  * The decision table. With TLSA records missing or unusable, the level
  * "dane" is "may" or "encrypt" by definition (RFC 7672), therefore these are
  * obstacles for "dane-only" only.
  */
typedef struct {
    int     obstacle;			/* array index, for safety */
    const char *keyword;		/* for logging */
    int     levels;			/* policy levels with this obstacle */
    int     if_encrypt;			/* action with fallback=encrypt */
    int     if_may;			/* action with fallback=may */
} TLS_FALLBACK_ROW;

static const TLS_FALLBACK_ROW tls_fallback_table[] = {
    {TLS_OBSTACLE_NONE, 0, 0, STRICT, STRICT},
    {TLS_OBSTACLE_TLSA_LOOKUP, "tlsa-lookup", AT_DANE, GO_ON, GO_ON},
    {TLS_OBSTACLE_TLSA_MISSING, "tlsa-missing", AT_DANE_ONLY, GO_ON, GO_ON},
    {TLS_OBSTACLE_TLSA_UNUSABLE, "tlsa-unusable", AT_DANE_ONLY, GO_ON, GO_ON},
    {TLS_OBSTACLE_INSECURE_MX, "insecure-mx", AT_DANE_ONLY, GO_ON, GO_ON},
    {TLS_OBSTACLE_STS_MX, "sts-mx", AT_ANY, GO_ON, GO_ON},
    {TLS_OBSTACLE_NOSTARTTLS, "nostarttls", AT_ANY, STRICT, CLEAR},
    {TLS_OBSTACLE_STARTTLS_REFUSED, "starttls-refused", AT_ANY, STRICT, CLEAR},
    {TLS_OBSTACLE_HANDSHAKE, "handshake", AT_ANY, STRICT, RETRY_TLS},
    {TLS_OBSTACLE_HANDSHAKE_MAY, "handshake", AT_ANY, STRICT, RETRY},
    {TLS_OBSTACLE_TLS_LOST, "tls-lost", AT_ANY, STRICT, RETRY},
    {TLS_OBSTACLE_UNTRUSTED, "untrusted", AT_PKIX, GO_ON, GO_ON},
    {TLS_OBSTACLE_MISMATCH, "mismatch", AT_ANY, GO_ON, GO_ON},
};

 /*
  * The rules, in order of precedence, with the actions that each forbids.
  * With implicit TLS, "may" means "encrypt", and what "encrypt" would do after
  * a failed handshake is nothing.
  */
#define ANYTHING	(GO_ON | CLEAR | RETRY_TLS | RETRY)

typedef struct {
    int     rule;			/* TLS_FALLBACK_RULE_XXX */
    const char *keyword;		/* for logging */
    int     forbids;			/* TLS_FALLBACK_ACT_XXX */
} TLS_FALLBACK_RULE_ROW;

static const TLS_FALLBACK_RULE_ROW tls_fallback_rules[] = {
    {TLS_FALLBACK_RULE_LOCAL, "local-config", ANYTHING},
    {TLS_FALLBACK_RULE_DELAY, "delay", ANYTHING},
    {TLS_FALLBACK_RULE_SASL, "sasl", ANYTHING},
    {TLS_FALLBACK_RULE_WRAPPER, "wrappermode", CLEAR | RETRY | RETRY_TLS},
    {TLS_FALLBACK_RULE_REQTLS, "requiretls", ANYTHING},
    {TLS_FALLBACK_RULE_REQSTARTTLS, "requiretls", CLEAR | RETRY},
    {TLS_FALLBACK_RULE_BACKOFF, "backoff", RETRY},
    {TLS_FALLBACK_RULE_NONE, 0, 0},
};

/* tls_fallback_result - fill in the decision */

static int tls_fallback_result(TLS_FALLBACK_DECISION *decision, int action,
			               int level, int rule)
{
    decision->action = action;
    decision->level = level;
    decision->rule = rule;
    return (action);
}

/* tls_fallback_decide - decide if and how a delivery may go on */

int     tls_fallback_decide(TLS_FALLBACK_DECISION *decision, int policy,
			            int fallback, int obstacle, int rules)
{
    const TLS_FALLBACK_ROW *row;
    const TLS_FALLBACK_RULE_ROW *rp;
    int     action;

#define IS_AUTHENTICATED(level) \
	((level) >= TLS_LEV_FPRINT && (level) <= TLS_LEV_SECURE)
#define IS_OBSTACLE(x) \
	((x) > TLS_OBSTACLE_NONE && (x) <= TLS_OBSTACLE_LAST)
#define IS_OBSTACLE_AT(row, level)	(((row)->levels & AT(level)) != 0)

    /*
     * What does the administrator allow?
     */
    if (!IS_AUTHENTICATED(policy) || !IS_OBSTACLE(obstacle)
	|| !IS_OBSTACLE_AT(row = tls_fallback_table + obstacle, policy))
	action = STRICT;
    else if (fallback == TLS_LEV_ENCRYPT)
	action = row->if_encrypt;
    else if (fallback == TLS_LEV_MAY)
	action = row->if_may;
    else
	action = STRICT;
    if (action == STRICT)
	return (tls_fallback_result(decision, action, policy,
				    TLS_FALLBACK_RULE_NONE));

    /*
     * What is forbidden in any case?
     */
    for (rp = tls_fallback_rules; rp->rule != TLS_FALLBACK_RULE_NONE; rp++)
	if ((rules & rp->rule) != 0 && (action & rp->forbids) != 0)
	    return (tls_fallback_result(decision, TLS_FALLBACK_ACT_HELD,
					policy, rp->rule));

    /*
     * With implicit TLS there is no delivery without encryption, so that
     * "may" cannot mean less than "encrypt".
     */
    if (rules & TLS_FALLBACK_RULE_WRAPPER)
	fallback = TLS_LEV_ENCRYPT;
    return (tls_fallback_result(decision, action, fallback,
				TLS_FALLBACK_RULE_NONE));
}

/* str_tls_obstacle - obstacle code to keyword */

const char *str_tls_obstacle(int obstacle)
{
    return (IS_OBSTACLE(obstacle) ? tls_fallback_table[obstacle].keyword : 0);
}

/* str_tls_fallback_rule - rule code to keyword */

const char *str_tls_fallback_rule(int rule)
{
    const TLS_FALLBACK_RULE_ROW *rp;

    for (rp = tls_fallback_rules; rp->rule != TLS_FALLBACK_RULE_NONE; rp++)
	if (rp->rule == rule)
	    break;
    return (rp->keyword);
}

/* str_tls_policy_level - level code to the name that administrators use */

const char *str_tls_policy_level(int level)
{
    const char *name =
    str_tls_level(level == TLS_LEV_HALF_DANE ? TLS_LEV_DANE : level);

    return (name ? name : "unknown");
}

#ifdef TEST

 /*
  * Print the decision for every combination of arguments. Combinations that
  * differ in the rules only, and not in the result, share a line. The result
  * is compared with the expected decisions in tls_fallback.ref, and with
  * statements that must hold for each and every combination.
  */
#include <stdlib.h>

#include <msg.h>
#include <msg_vstream.h>
#include <name_code.h>
#include <name_mask.h>
#include <vstream.h>
#include <vstring.h>

static const NAME_MASK rule_names[] = {
    "local", TLS_FALLBACK_RULE_LOCAL,
    "delay", TLS_FALLBACK_RULE_DELAY,
    "sasl", TLS_FALLBACK_RULE_SASL,
    "wrapper", TLS_FALLBACK_RULE_WRAPPER,
    "reqtls", TLS_FALLBACK_RULE_REQTLS,
    "reqstarttls", TLS_FALLBACK_RULE_REQSTARTTLS,
    "backoff", TLS_FALLBACK_RULE_BACKOFF,
    0,
};

static const NAME_CODE action_names[] = {
    "-", STRICT,
    "go-on", GO_ON,
    "cleartext", CLEAR,
    "retry-tls", RETRY_TLS,
    "retry", RETRY,
    "held", TLS_FALLBACK_ACT_HELD,
    0, -1,
};

 /*
  * Statements about any decision, independent of the tables above.
  */
#define MUST(statement) do { \
	if (!(statement)) \
	    msg_panic("policy=%d fallback=%d obstacle=%d rules=0x%x: not: %s", \
		      policy, fallback, obstacle, rules, #statement); \
    } while (0)

/* check_decision - what must always hold */

static void check_decision(TLS_FALLBACK_DECISION *dp, int policy,
			           int fallback, int obstacle, int rules)
{
    int     allowed = (dp->action != STRICT
		       && dp->action != TLS_FALLBACK_ACT_HELD);
    int     clear = (dp->action == CLEAR || dp->action == RETRY);

    MUST(str_name_code(action_names, dp->action) != 0);
    MUST(!allowed || policy > TLS_LEV_ENCRYPT);
    MUST(!allowed || fallback == TLS_LEV_MAY || fallback == TLS_LEV_ENCRYPT);
    MUST(!allowed || obstacle != TLS_OBSTACLE_NONE);
    MUST(allowed || dp->level == policy);
    MUST(!allowed || dp->level == TLS_LEV_MAY || dp->level == TLS_LEV_ENCRYPT);
    MUST(!allowed || dp->level >= fallback);
    MUST(dp->action != RETRY_TLS || obstacle == TLS_OBSTACLE_HANDSHAKE);
    MUST(dp->action != RETRY_TLS || dp->level == TLS_LEV_MAY);
    MUST(dp->action != RETRY_TLS || (rules & TLS_FALLBACK_RULE_WRAPPER) == 0);
    MUST(!clear || obstacle != TLS_OBSTACLE_HANDSHAKE);
    MUST(!clear || fallback == TLS_LEV_MAY);
    MUST(!clear || dp->level == TLS_LEV_MAY);
    MUST(!clear || (rules & TLS_FALLBACK_RULE_WRAPPER) == 0);
    MUST(!clear || (rules & TLS_FALLBACK_RULE_REQSTARTTLS) == 0);
    MUST(!allowed || (rules & TLS_FALLBACK_RULE_LOCAL) == 0);
    MUST(!allowed || (rules & TLS_FALLBACK_RULE_DELAY) == 0);
    MUST(!allowed || (rules & TLS_FALLBACK_RULE_SASL) == 0);
    MUST(!allowed || (rules & TLS_FALLBACK_RULE_REQTLS) == 0);
    MUST(dp->action != RETRY || (rules & TLS_FALLBACK_RULE_BACKOFF) == 0);
    MUST(dp->action != TLS_FALLBACK_ACT_HELD || (dp->rule & rules) != 0);
    MUST(dp->action == TLS_FALLBACK_ACT_HELD
	 || dp->rule == TLS_FALLBACK_RULE_NONE);
    MUST(dp->rule == TLS_FALLBACK_RULE_NONE
	 || str_tls_fallback_rule(dp->rule) != 0);
}

/* print_decisions - all rule combinations for (policy, fallback, obstacle) */

static void print_decisions(int policy, int fallback, int obstacle)
{
    TLS_FALLBACK_DECISION plain;
    TLS_FALLBACK_DECISION dec;
    VSTRING *buf = vstring_alloc(100);
    int     rules;
    int     rule;
    int     same;

    (void) tls_fallback_decide(&plain, policy, fallback, obstacle,
			       TLS_FALLBACK_RULE_NONE);
    vstring_sprintf(buf, "%s %s", str_name_code(action_names, plain.action),
		    str_tls_policy_level(plain.level));

    /*
     * Each rule by itself. Combinations must give the result of the first
     * rule that forbids the action.
     */
    for (rule = 1; rule <= TLS_FALLBACK_RULE_ALL; rule <<= 1) {
	(void) tls_fallback_decide(&dec, policy, fallback, obstacle, rule);
	same = (dec.action == plain.action && dec.level == plain.level);
	if (!same)
	    vstring_sprintf_append(buf, ", %s: %s %s%s%s",
				   str_name_mask("rule", rule_names, rule),
				   str_name_code(action_names, dec.action),
				   str_tls_policy_level(dec.level),
				   dec.rule ? " rule=" : "",
			    dec.rule ? str_tls_fallback_rule(dec.rule) : "");
    }
    for (rules = 0; rules <= TLS_FALLBACK_RULE_ALL; rules++) {
	int     expect_rule = TLS_FALLBACK_RULE_NONE;

	for (rule = 1; rule <= rules && !expect_rule; rule <<= 1)
	    if ((rules & rule) != 0
		&& tls_fallback_decide(&dec, policy, fallback, obstacle, rule)
		== TLS_FALLBACK_ACT_HELD)
		expect_rule = rule;
	(void) tls_fallback_decide(&dec, policy, fallback, obstacle, rules);
	check_decision(&dec, policy, fallback, obstacle, rules);
	MUST(dec.rule == expect_rule);
    }
    vstream_printf("%s %s %s: %s\n",
		   policy == TLS_LEV_HALF_DANE ? "half-dane" :
		   str_tls_policy_level(policy),
		   fallback == TLS_LEV_NONE ? "none" :
		   str_tls_policy_level(fallback),
		   !obstacle ? "no-obstacle" :
		   obstacle == TLS_OBSTACLE_HANDSHAKE_MAY ? "handshake-may" :
		   str_tls_obstacle(obstacle), vstring_str(buf));
    vstring_free(buf);
}

int     main(int unused_argc, char **argv)
{
    int     policy;
    int     fallback;
    int     obstacle;

    msg_vstream_init(argv[0], VSTREAM_ERR);

    /*
     * Include values outside the range of valid arguments, and all levels as
     * fallback level, even those that the configuration does not allow.
     */
    for (policy = TLS_LEV_INVALID; policy <= TLS_LEV_SECURE + 1; policy++)
	for (fallback = TLS_LEV_INVALID; fallback <= TLS_LEV_SECURE + 1; fallback++)
	    for (obstacle = -1; obstacle <= TLS_OBSTACLE_LAST + 1; obstacle++) {
		TLS_FALLBACK_DECISION dec;
		int     rules;

		if (policy > TLS_LEV_ENCRYPT && policy <= TLS_LEV_SECURE
		    && fallback >= TLS_LEV_NONE && fallback <= TLS_LEV_ENCRYPT
		    && obstacle >= 0 && obstacle <= TLS_OBSTACLE_LAST) {
		    print_decisions(policy, fallback, obstacle);
		    continue;
		}
		for (rules = 0; rules <= TLS_FALLBACK_RULE_ALL; rules++) {
		    (void) tls_fallback_decide(&dec, policy, fallback,
					       obstacle, rules);
		    check_decision(&dec, policy, fallback, obstacle, rules);
		    MUST(dec.action == STRICT);
		}
	    }
    vstream_fflush(VSTREAM_OUT);
    exit(0);
}

#endif

#endif
