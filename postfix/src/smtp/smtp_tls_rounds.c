/*++
/* NAME
/*	smtp_tls_rounds 3
/* SUMMARY
/*	the hosts of a destination, in rounds
/* SYNOPSIS
/*	#include "smtp.h"
/*
/*	void	smtp_tls_rounds_begin(state)
/*	SMTP_STATE *state;
/*
/*	DNS_RR	*smtp_tls_rounds_more(addr_count, sess_count)
/*	int	*addr_count;
/*	int	*sess_count;
/*
/*	DNS_RR	*smtp_tls_rounds_next(addr)
/*	DNS_RR	*addr;
/*
/*	void	smtp_tls_rounds_host(state, addr, next, reason, cleartext)
/*	SMTP_STATE *state;
/*	DNS_RR	*addr;
/*	DNS_RR	*next;
/*	int	*reason;
/*	int	*cleartext;
/*
/*	int	smtp_tls_rounds_go_on(state, decision, obstacle, reason, text)
/*	SMTP_STATE *state;
/*	const TLS_FALLBACK_DECISION *decision;
/*	int	obstacle;
/*	int	reason;
/*	const char *text;
/*
/*	int	smtp_tls_rounds_hold(text)
/*	const char *text;
/*
/*	const char *smtp_tls_rounds_text()
/*
/*	int	smtp_tls_rounds_is_news(obstacle)
/*	int	obstacle;
/*
/*	int	smtp_tls_rounds_to_come()
/*
/*	int	smtp_tls_rounds_close()
/*
/*	void	smtp_tls_rounds_used(state)
/*	SMTP_STATE *state;
/*
/*	void	smtp_tls_rounds_end(state)
/*	SMTP_STATE *state;
/* DESCRIPTION
/*	This module connects the decisions of tls_rounds(3) with the
/*	SMTP client: it remembers what each host of a destination has to
/*	offer, and which host comes next. Without a fallback level
/*	there is one round, and nothing is remembered.
/*
/*	smtp_tls_rounds_begin() is called before the first host of a
/*	destination, and smtp_tls_rounds_end() after the last. A connection that was found in
/*	the connection cache by nexthop, or that is for a UNIX-domain
/*	destination, is outside this: it has nobody to compare
/*	with.
/*
/*	smtp_tls_rounds_more() is called at the end of a round. The result
/*	is the address that the next round begins with, or a null pointer
/*	when there is none. Each round has its own limits for the number of
/*	addresses and sessions; the counts are reset.
/*
/*	smtp_tls_rounds_next() returns the address that follows in the same
/*	round: the next in the list or, when all the list was tried,
/*	the next that is remembered. The result is null when there is none.
/*
/*	smtp_tls_rounds_host() is called before a host is tried. When it is
/*	remembered because a connection has failed, the last two arguments
/*	become what smtp_tls_fallback_resume() needs.
/*
/*	smtp_tls_rounds_go_on() is called when an obstacle would lead to
/*	a fallback. The result is non-zero when that should happen
/*	now. Otherwise the host is remembered, and the caller does as if
/*	there were no fallback level.
/*
/*	smtp_tls_rounds_hold() takes a warning that a rule holds a fallback
/*	back. It will be logged when no other host was usable; until
/*	then the host was only passed over. The result is zero when
/*	the caller must log the warning now.
/*
/*	smtp_tls_rounds_text() returns the text that
/*	smtp_tls_rounds_go_on() was given, when it is time to log it, or a
/*	null pointer.
/*
/*	smtp_tls_rounds_is_news() returns zero when an obstacle was logged
/*	in an earlier round.
/*
/*	smtp_tls_rounds_to_come() returns non-zero when hosts are
/*	remembered for a later turn, so that a failure is not final.
/*
/*	smtp_tls_rounds_close() takes note that nobody follows the present
/*	host in its round: when a limit was reached, that becomes known
/*	only with the connection. The result is non-zero when nobody is
/*	remembered for a later turn either.
/*
/*	smtp_tls_rounds_used() is called after message transfer.
/*
/*	When all hosts of a destination were seen not to authenticate (a
/*	limit on their number can prevent that), and
/*	one of them was used, then the next delivery by this process begins
/*	with the round that worked, for up to a minute. In that round, each
/*	host is verified like in any other.
/*
/*	Arguments:
/* .IP state
/*	SMTP client state per delivery request.
/* .IP "addr_count, sess_count"
/*	How many addresses and sessions were tried in the present round.
/* .IP addr
/*	The address of the present host. It must remain valid until
/*	smtp_tls_rounds_end().
/* .IP next
/*	The address that follows in the same round, or null.
/* .IP decision
/*	The result of tls_fallback_decide().
/* .IP obstacle
/*	One of the TLS_OBSTACLE_XXX codes.
/* .IP "reason, cleartext"
/*	The first obstacle, and whether TLS is given up, as
/*	in SMTP_SESSION.
/* .IP text
/*	Text of a warning. It is copied.
/* SEE ALSO
/*	tls_rounds(3) who is next
/*	tls_rounds_memory(3) where to begin
/*	smtp_tls_fallback(3) deliver at a weaker TLS level
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

#include <argv.h>
#include <events.h>
#include <msg.h>
#include <mymalloc.h>
#include <vstring.h>

/* Global library. */

#include <mail_params.h>

/* TLS library. */

#include <tls.h>
#include <tls_fallback.h>
#include <tls_rounds.h>
#include <tls_rounds_memory.h>

/* Application-specific. */

#include "smtp.h"

 /*
  * What is known of each host. The offers are apart, as the decision wants
  * them.
  */
typedef struct {
    DNS_RR *addr;			/* who it is */
    int     seen;			/* obstacles */
    int     logged;			/* obstacles */
    int     reason;			/* with a new connection */
    int     cleartext;			/* with a new connection */
    int     reported;			/* TLSRPT has it */
    char   *text;			/* to be logged then */
} SMTP_TLS_HOST;

#define BIT(obstacle)	(1 << (obstacle))

 /*
  * The delivery to one destination.
  */
typedef struct SMTP_TLS_ROUNDS {
    int     round;			/* the present round */
    int     present;			/* the present host */
    int     in_list;			/* not all were tried yet */
    int     untried;			/* others in the list are next */
    int     unseen;			/* others are in the list */
    int     count;			/* hosts tried */
    int     remembered;			/* some host was, at some time */
    int     avail;			/* array size */
    int    *offers;			/* per host, what is remembered */
    SMTP_TLS_HOST *hosts;		/* per host, the rest */
    int     used;			/* round of the host that was used */
    int     fell_back;			/* and if that was a fallback */
    int     from_memory;		/* did not begin with strict */
    ARGV   *held;			/* warnings to be logged at the end */
} SMTP_TLS_ROUNDS;

 /*
  * The present delivery. A process makes one at a time.
  */
static SMTP_TLS_ROUNDS *smtp_tls_rounds;

 /*
  * Most systems have none of this.
  */
#define FALLBACK_IS_POSSIBLE \
	(*var_smtp_tls_fallback_level != 0 || *var_smtp_tls_policy != 0)

/* smtp_tls_rounds_begin - before the first host */

void    smtp_tls_rounds_begin(SMTP_STATE *state)
{
    static SMTP_TLS_ROUNDS rounds[1];

    if (!FALLBACK_IS_POSSIBLE)
	return;
    if (rounds->held == 0)
	rounds->held = argv_alloc(1);
    rounds->round = tls_rounds_recall(STR(state->iterator->dest), event_time());
    rounds->from_memory = (rounds->round != TLS_ROUND_STRICT);
    rounds->present = -1;
    rounds->in_list = 1;
    rounds->untried = 0;
    rounds->unseen = 0;
    rounds->count = 0;
    rounds->remembered = 0;
    rounds->used = TLS_ROUND_NONE;
    rounds->fell_back = 0;
    smtp_tls_rounds = rounds;
}

/* smtp_tls_rounds_find - index of a host, or -1 */

static int smtp_tls_rounds_find(SMTP_TLS_ROUNDS *rounds, DNS_RR *addr)
{
    int     host;

    for (host = rounds->count - 1; host >= 0; host--)
	if (rounds->hosts[host].addr == addr)
	    break;
    return (host);
}

/* smtp_tls_rounds_add - a host that was not tried before */

static int smtp_tls_rounds_add(SMTP_TLS_ROUNDS *rounds, DNS_RR *addr)
{
    int     host = rounds->count++;
    ssize_t avail;

    if (rounds->count > rounds->avail) {
	avail = rounds->avail ? 2 * rounds->avail : 10;
	rounds->offers = (int *)
	    (rounds->avail ? myrealloc((void *) rounds->offers,
				       avail * sizeof(*rounds->offers)) :
	     mymalloc(avail * sizeof(*rounds->offers)));
	rounds->hosts = (SMTP_TLS_HOST *)
	    (rounds->avail ? myrealloc((void *) rounds->hosts,
				       avail * sizeof(*rounds->hosts)) :
	     mymalloc(avail * sizeof(*rounds->hosts)));
	rounds->avail = avail;
    }
    rounds->offers[host] = TLS_ROUND_NONE;
    memset((void *) (rounds->hosts + host), 0, sizeof(*rounds->hosts));
    rounds->hosts[host].addr = addr;
    return (host);
}

 /*
  * Ask about the present host.
  */
#define DECIDE(decision, rounds, offer, flags) \
	tls_rounds_decide((decision), (rounds)->offers, (rounds)->count, \
			  (rounds)->round, (rounds)->present, (offer), (flags))

 /*
  * Ask who of the remembered hosts has the next turn. Most deliveries remember
  * none.
  */
#define NEXT_TURN(decision, rounds) \
	((rounds)->remembered \
	    && DECIDE((decision), (rounds), TLS_ROUND_NONE, \
		      TLS_ROUNDS_FLAG_NONE) == TLS_ROUNDS_ACT_NEXT)

/* smtp_tls_rounds_more - begin another round */

DNS_RR *smtp_tls_rounds_more(int *addr_count, int *sess_count)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;
    TLS_ROUNDS_DECISION decision;

    if (rounds == 0 || !NEXT_TURN(&decision, rounds))
	return (0);
    rounds->in_list = 0;
    rounds->round = decision.round;
    rounds->present = decision.host;
    *addr_count = *sess_count = 0;
    return (rounds->hosts[decision.host].addr);
}

/* smtp_tls_rounds_next - who follows in this round */

DNS_RR *smtp_tls_rounds_next(DNS_RR *addr)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;
    TLS_ROUNDS_DECISION decision;

    if (rounds == 0 || rounds->in_list)
	return (addr->next);
    rounds->present = smtp_tls_rounds_find(rounds, addr);
    if (NEXT_TURN(&decision, rounds) && decision.round == rounds->round)
	return (rounds->hosts[decision.host].addr);
    return (0);
}

/* smtp_tls_rounds_host - try this host */

void    smtp_tls_rounds_host(SMTP_STATE *state, DNS_RR *addr, DNS_RR *next,
			             int *reason, int *cleartext)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;
    SMTP_TLS_HOST *hp;

    if (rounds == 0)
	return;
    if (rounds->in_list) {
	rounds->untried = (next != 0);
	rounds->unseen = (addr->next != 0);
    }
    if ((rounds->present = smtp_tls_rounds_find(rounds, addr)) < 0)
	rounds->present = smtp_tls_rounds_add(rounds, addr);

    /*
     * TLSRPT counts what strict delivery would have found. A host that is
     * tried again was counted.
     */
    hp = rounds->hosts + rounds->present;
    smtp_tls_fallback_rpt_restart(state);
    if (hp->reported)
	smtp_tls_fallback_rpt_stop(state);

    /*
     * Another round for a host whose connection has failed.
     */
    if (hp->reason != TLS_OBSTACLE_NONE) {
	*reason = hp->reason;
	*cleartext = hp->cleartext;
	hp->reason = TLS_OBSTACLE_NONE;
    }
}

/* smtp_tls_rounds_go_on - go on with this host, or remember it */

int     smtp_tls_rounds_go_on(SMTP_STATE *state,
			              const TLS_FALLBACK_DECISION *fallback,
			              int obstacle, int reason,
			              const char *text)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;
    TLS_ROUNDS_DECISION decision;
    SMTP_TLS_HOST *hp;
    int     offer = tls_rounds_offer(fallback);
    int     flags = TLS_ROUNDS_FLAG_NONE;

#define NEEDS_CONNECTION(action) \
	((action) == TLS_FALLBACK_ACT_RETRY \
	    || (action) == TLS_FALLBACK_ACT_RETRY_TLS)
#define HAVE_CONNECTION(state, action) \
	((state)->session != 0 && !NEEDS_CONNECTION(action))

    if (rounds == 0)
	return (1);
    hp = rounds->hosts + rounds->present;
    hp->seen |= BIT(obstacle);
    if (state->session != 0)
	hp->reported = 1;
    if (rounds->in_list && rounds->untried)
	flags |= TLS_ROUNDS_FLAG_MORE;
    if (HAVE_CONNECTION(state, fallback->action))
	flags |= TLS_ROUNDS_FLAG_CONN;
    if (DECIDE(&decision, rounds, offer, flags) == TLS_ROUNDS_ACT_GO_ON)
	return (1);
    rounds->offers[rounds->present] = offer;
    rounds->remembered = 1;
    if (NEEDS_CONNECTION(fallback->action)) {
	hp->reason = reason;
	hp->cleartext = TLS_FALLBACK_ACT_IS_CLEAR(fallback->action);
	if (hp->text)
	    myfree(hp->text);
	hp->text = mystrdup(text);
    }
    return (0);
}

/* smtp_tls_rounds_hold - keep a warning for the end */

int     smtp_tls_rounds_hold(const char *text)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;

    if (rounds == 0)
	return (0);
    rounds->hosts[rounds->present].seen |= BIT(TLS_OBSTACLE_NONE);
    argv_add(rounds->held, text, (char *) 0);
    return (1);
}

/* smtp_tls_rounds_text - warning that is due with a new connection */

const char *smtp_tls_rounds_text(void)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;
    static char *text;

    if (text)
	myfree(text);
    text = 0;
    if (rounds != 0) {
	text = rounds->hosts[rounds->present].text;
	rounds->hosts[rounds->present].text = 0;
    }
    return (text);
}

/* smtp_tls_rounds_is_news - was this logged before? */

int     smtp_tls_rounds_is_news(int obstacle)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;
    SMTP_TLS_HOST *hp;
    int     is_news;

    if (rounds == 0)
	return (1);
    hp = rounds->hosts + rounds->present;
    is_news = (hp->logged & BIT(obstacle)) == 0;
    hp->logged |= BIT(obstacle);
    return (is_news);
}

/* smtp_tls_rounds_to_come - will somebody have another turn? */

int     smtp_tls_rounds_to_come(void)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;
    TLS_ROUNDS_DECISION decision;

    return (rounds != 0 && NEXT_TURN(&decision, rounds));
}

/* smtp_tls_rounds_close - nobody follows in this round */

int     smtp_tls_rounds_close(void)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;

    if (rounds != 0)
	rounds->untried = 0;
    return (!smtp_tls_rounds_to_come());
}

/* smtp_tls_rounds_used - after message transfer */

void    smtp_tls_rounds_used(SMTP_STATE *state)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;
    SMTP_TLS_POLICY *tls = state->tls;

    if (rounds == 0)
	return;

    /*
     * Not when TLS was lost.
     */
#define LOST_TLS(state, hp) \
	((state)->session->tls_retry_reason != TLS_OBSTACLE_NONE \
	    || (hp)->reason != TLS_OBSTACLE_NONE \
	    || ((hp)->seen & BIT(TLS_OBSTACLE_NONE)) != 0)

    if (LOST_TLS(state, rounds->hosts + rounds->present))
	return;
    rounds->fell_back = SMTP_TLS_FELL_BACK(tls);
    rounds->used = (!rounds->fell_back ? TLS_ROUND_STRICT :
		    state->session->tls_context ? TLS_ROUND_ENCRYPT :
		    TLS_ROUND_CLEAR);
}

/* smtp_tls_rounds_all_seen - did every host have an obstacle? */

static int smtp_tls_rounds_all_seen(SMTP_TLS_ROUNDS *rounds)
{
    int     host;

    for (host = 0; host < rounds->count; host++)
	if ((rounds->hosts[host].seen & ~BIT(TLS_OBSTACLE_NONE)) == 0)
	    return (0);
    return (1);
}

/* smtp_tls_rounds_end - after the last host */

void    smtp_tls_rounds_end(SMTP_STATE *state)
{
    SMTP_TLS_ROUNDS *rounds = smtp_tls_rounds;
    const char *dest = STR(state->iterator->dest);
    int     host;
    char  **cpp;

    if (rounds == 0)
	return;

    /*
     * One that authenticates ends the memory. What was not tried may be one
     * that does.
     */
    if (rounds->used == TLS_ROUND_STRICT) {
	if (rounds->from_memory)
	    tls_rounds_remember(dest, TLS_ROUND_STRICT, event_time());
    } else if (rounds->used != TLS_ROUND_NONE && !rounds->from_memory
	       && rounds->count > 1 && !rounds->unseen
	       && smtp_tls_rounds_all_seen(rounds)) {
	tls_rounds_remember(dest, rounds->used, event_time());
    }

    /*
     * What was held back would have served those who are left.
     */
#define ALL_SERVED(state) \
	(SMTP_RCPT_LEFT(state) == 0 && (state)->status == 0)

    if (rounds->used == TLS_ROUND_NONE || !ALL_SERVED(state))
	for (cpp = rounds->held->argv; *cpp; cpp++)
	    msg_warn("%s", *cpp);
    argv_truncate(rounds->held, 0);

    for (host = 0; host < rounds->count; host++)
	if (rounds->hosts[host].text)
	    myfree(rounds->hosts[host].text);
    smtp_tls_fallback_rpt_restart(state);
    smtp_tls_rounds = 0;
}

#endif
