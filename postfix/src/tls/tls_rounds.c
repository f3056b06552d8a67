/*++
/* NAME
/*	tls_rounds 3
/* SUMMARY
/*	which host of a destination is next, and how it is used
/* SYNOPSIS
/*	#include <tls_rounds.h>
/*
/*	int	tls_rounds_decide(decision, offers, count, round, present,
/*				offer, flags)
/*	TLS_ROUNDS_DECISION *decision;
/*	const int *offers;
/*	int	count;
/*	int	round;
/*	int	present;
/*	int	offer;
/*	int	flags;
/*
/*	int	tls_rounds_offer(fallback)
/*	const TLS_FALLBACK_DECISION *fallback;
/*
/*	const char *str_tls_round(round)
/*	int	round;
/* DESCRIPTION
/*	Over all hosts of a destination, authenticated comes before
/*	encrypted, and encrypted before cleartext. Delivery is made in
/*	up to three rounds. In the first, all hosts are tried in their
/*	order, at the policy level; what a host offers instead of that
/*	is remembered. The second round is for hosts that are known to
/*	offer encryption, and the third for the others. A
/*	round comes only when something is left to deliver, and each host
/*	gets each round at most once.
/*
/*	The last host of a round is special: when no other host is better,
/*	delivery goes on with the connection that is there. A
/*	destination with one host, or with many that offer the
/*	same, therefore costs no connection more than strict delivery.
/*
/*	This module decides the order. It has no state and does no I/O:
/*	the same arguments give the same result. Callers ask, and act
/*	on the answer.
/*
/*	tls_rounds_decide() decides what to do with the present host,
/*	and which one is next. The result value is the action,
/*	also stored with the decision. The caller asks when the present
/*	host has an obstacle that a fallback level covers; when the result
/*	is not TLS_ROUNDS_ACT_GO_ON, the caller remembers the offer,
/*	and gives up on the host for now. The caller asks
/*	again, with TLS_ROUND_NONE for the offer, when it is done with the
/*	present host.
/*
/*	tls_rounds_offer() returns the round for a host with an obstacle:
/*	TLS_ROUND_ENCRYPT or TLS_ROUND_CLEAR, or TLS_ROUND_NONE when no
/*	fallback is permitted.
/*
/*	str_tls_round() returns a name for logging, or a null pointer when
/*	there is no such round.
/*
/*	Arguments:
/* .IP decision
/*	Storage for the result: the action; the round; and the host, which
/*	is the present one when the action is TLS_ROUNDS_ACT_GO_ON, and
/*	TLS_ROUNDS_HOST_NEW for a host that was not tried yet.
/* .IP offers
/*	For each host that was tried, in the order in which that was done,
/*	the round that it is remembered for: TLS_ROUND_ENCRYPT,
/*	TLS_ROUND_CLEAR, or TLS_ROUND_NONE when it does not come back.
/*	What is remembered of the present host counts when it offers
/*	nothing now.
/* .IP count
/*	How many hosts were tried, including the present one.
/* .IP round
/*	The present round, one of TLS_ROUND_STRICT, TLS_ROUND_ENCRYPT or
/*	TLS_ROUND_CLEAR. The first round need not be TLS_ROUND_STRICT.
/* .IP present
/*	The present host, between zero and count - 1, or -1 when none was
/*	tried.
/* .IP offer
/*	The round that the present host is good for, from now on;
/*	TLS_ROUND_NONE when it is good for nothing, or when the caller is
/*	done with it.
/* .IP flags
/*	Bit-wise OR of zero or more of the following:
/* .RS
/* .IP TLS_ROUNDS_FLAG_MORE
/*	There are hosts that were not tried.
/* .IP TLS_ROUNDS_FLAG_CONN
/*	Delivery to the present host can go on with the
/*	connection that there is.
/* .RE
/* .IP fallback
/*	The result of tls_fallback_decide().
/* .PP
/*	Actions:
/* .IP TLS_ROUNDS_ACT_GO_ON
/*	Use the present host now, for what it offers.
/* .IP TLS_ROUNDS_ACT_NEXT
/*	Try the resulting host, in the resulting round.
/* .IP TLS_ROUNDS_ACT_GIVE_UP
/*	There is no host left.
/* SEE ALSO
/*	tls_fallback(3) what to do when a level is not achieved
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

/* Utility library. */

#include <name_code.h>

/* TLS library. */

#include <tls_fallback.h>
#include <tls_rounds.h>

 /*
  * What the present host offers.
  */
#define OFFER_NOW	0		/* what this round asks for */
#define OFFER_CONN	1		/* less, on the present connection */
#define OFFER_LESS	2		/* less, with a new connection */
#define OFFER_NOTHING	3

 /*
  * What the best one of the other hosts offers, compared with that.
  */
#define OTHER_ROUND	0		/* its turn is in this round */
#define OTHER_BETTER	1		/* something better */
#define OTHER_BEFORE	2		/* the same, and it comes before us */
#define OTHER_NONE	3		/* the same or worse, or nothing */

 /*
  * Shorthand, to make the decision table readable.
  */
#define GO_ON		TLS_ROUNDS_ACT_GO_ON
#define NEXT		TLS_ROUNDS_ACT_NEXT
#define GIVE_UP		TLS_ROUNDS_ACT_GIVE_UP

 /*
  * The decision table.
  */
static const int tls_rounds_table[4][4] = {
     /* OTHER_ROUND OTHER_BETTER OTHER_BEFORE OTHER_NONE */
     /* OFFER_NOW */ {GO_ON, GO_ON, GO_ON, GO_ON},
     /* OFFER_CONN */ {NEXT, NEXT, GO_ON, GO_ON},
     /* OFFER_LESS */ {NEXT, NEXT, NEXT, GO_ON},
     /* OFFER_NOTHING */ {NEXT, NEXT, NEXT, GIVE_UP},
};

static const NAME_CODE tls_round_names[] = {
    "strict", TLS_ROUND_STRICT,
    "encrypt", TLS_ROUND_ENCRYPT,
    "cleartext", TLS_ROUND_CLEAR,
    0, TLS_ROUND_NONE,
};

/* tls_rounds_find - who of the remembered hosts has the next turn */

static void tls_rounds_find(TLS_ROUNDS_DECISION *found, const int *offers,
			            int count, int round, int present,
			            int not_host)
{
    int     host = present + 1;

    for ( /* void */ ; round <= TLS_ROUND_LAST; round++, host = 0) {
	for ( /* void */ ; host < count; host++) {
	    if (offers[host] == round && host != not_host) {
		found->round = round;
		found->host = host;
		return;
	    }
	}
    }
    found->round = TLS_ROUND_NONE;
    found->host = TLS_ROUNDS_HOST_NEW;
}

/* tls_rounds_decide - decide who is next */

int     tls_rounds_decide(TLS_ROUNDS_DECISION *decision, const int *offers,
			          int count, int round, int present,
			          int offer, int flags)
{
    int     mine;
    int     other;

    /*
     * What does the present host have?
     */
    if (offer <= TLS_ROUND_NONE || offer > TLS_ROUND_LAST)
	mine = OFFER_NOTHING;
    else if (offer <= round)
	mine = OFFER_NOW;
    else if (flags & TLS_ROUNDS_FLAG_CONN)
	mine = OFFER_CONN;
    else
	mine = OFFER_LESS;

    /*
     * What do others have? Those that were not tried are in this round.
     */
    if (flags & TLS_ROUNDS_FLAG_MORE) {
	decision->round = round;
	decision->host = TLS_ROUNDS_HOST_NEW;
	other = OTHER_ROUND;
    } else {
	tls_rounds_find(decision, offers, count, round, present,
			mine == OFFER_NOTHING ? -1 : present);
	if (decision->round == TLS_ROUND_NONE)
	    other = OTHER_NONE;
	else if (decision->round == round)
	    other = OTHER_ROUND;
	else if (mine == OFFER_NOTHING || decision->round < offer)
	    other = OTHER_BETTER;
	else if (decision->round == offer && decision->host < present)
	    other = OTHER_BEFORE;
	else
	    other = OTHER_NONE;
    }
    decision->action = tls_rounds_table[mine][other];
    if (decision->action == GO_ON) {
	decision->round = round;
	decision->host = present;
    }
    return (decision->action);
}

/* tls_rounds_offer - the round for what is left of a policy */

int     tls_rounds_offer(const TLS_FALLBACK_DECISION *fallback)
{
    switch (fallback->action) {
    case TLS_FALLBACK_ACT_GO_ON:
    case TLS_FALLBACK_ACT_RETRY_TLS:
	return (TLS_ROUND_ENCRYPT);
    case TLS_FALLBACK_ACT_CLEAR:
    case TLS_FALLBACK_ACT_RETRY:
	return (TLS_ROUND_CLEAR);
    default:
	return (TLS_ROUND_NONE);
    }
}

/* str_tls_round - round to name */

const char *str_tls_round(int round)
{
    return (str_name_code(tls_round_names, round));
}

#ifdef TEST

 /*
  * First, try every combination of arguments for up to five hosts, and check
  * statements that must hold for each and every one. Second, play complete
  * deliveries to up to five hosts that all accept a connection, but not the
  * mail, and check that everyone gets each turn that is due, in the right
  * order. The plays with up to three hosts are printed, and compared with
  * tls_rounds.ref.
  */
#include <stdlib.h>

#include <msg.h>
#include <msg_vstream.h>
#include <vstream.h>

#define MAX_HOSTS	5

#define MUST(statement) do { \
	if (!(statement)) \
	    msg_panic("count=%d round=%d present=%d offer=%d flags=%d " \
		      "offers=%d%d%d%d%d: not: %s", \
		      count, round, present, offer, flags, offers[0], \
		      offers[1], offers[2], offers[3], offers[4], #statement); \
    } while (0)

/* due - does a host have a turn before (round, host), and after the present? */

static int due(const int *offers, int count, int round, int present,
	               int not_host, int before_round, int before_host)
{
    int     host;

    for (host = 0; host < count; host++)
	if (offers[host] != TLS_ROUND_NONE && host != not_host
	    && (offers[host] > round
		|| (offers[host] == round && host > present))
	    && (offers[host] < before_round
		|| (offers[host] == before_round && host < before_host)))
	    return (1);
    return (0);
}

/* check_decision - what must always hold */

static void check_decision(const int *offers, int count, int round,
			           int present, int offer, int flags)
{
    TLS_ROUNDS_DECISION dec;
    int     more = (flags & TLS_ROUNDS_FLAG_MORE) != 0;
    int     conn = (flags & TLS_ROUNDS_FLAG_CONN) != 0;
    int     not_host = (offer == TLS_ROUND_NONE ? -1 : present);

#define ANYONE	(TLS_ROUND_LAST + 1)

    MUST(tls_rounds_decide(&dec, offers, count, round, present, offer, flags)
	 == dec.action);
    switch (dec.action) {
    case GO_ON:
	/* Nobody better, or with the same right, is passed over. */
	MUST(offer >= TLS_ROUND_STRICT && offer <= TLS_ROUND_LAST);
	MUST(dec.host == present && dec.round == round);
	MUST(offer <= round || !more);
	MUST(offer <= round
	     || !due(offers, count, round, present, not_host,
		     offer, conn ? 0 : present));
	break;
    case NEXT:
	/* Nobody is forgotten, and nobody comes twice. */
	MUST(offer == TLS_ROUND_NONE || offer > round);
	MUST(more == (dec.host == TLS_ROUNDS_HOST_NEW));
	MUST(dec.round >= round);
	if (more) {
	    MUST(dec.round == round);
	} else {
	    MUST(offers[dec.host] == dec.round);
	    MUST(dec.host != not_host);
	    MUST(dec.round > round || dec.host > present);
	    MUST(!due(offers, count, round, present, not_host,
		      dec.round, dec.host));
	    MUST(offer == TLS_ROUND_NONE || dec.round <= offer);
	}
	break;
    case GIVE_UP:
	MUST(offer == TLS_ROUND_NONE && !more);
	MUST(!due(offers, count, round, present, not_host, ANYONE, 0));
	break;
    default:
	MUST(dec.action == GO_ON);
    }
}

/* check_all - the whole input space */

static void check_all(void)
{
    static const int values[] = {TLS_ROUND_NONE, TLS_ROUND_ENCRYPT, TLS_ROUND_CLEAR};
    int     offers[MAX_HOSTS];
    int     count, round, present, offer, flags, code, rest, host;

    for (code = 0; code < 3 * 3 * 3 * 3 * 3; code++) {
	for (rest = code, host = 0; host < MAX_HOSTS; rest /= 3, host++)
	    offers[host] = values[rest % 3];
	for (count = 0; count <= MAX_HOSTS; count++)
	    for (round = TLS_ROUND_STRICT; round <= TLS_ROUND_LAST; round++)
		for (present = count ? 0 : -1; present < (count ? count : 0); present++)
		    for (offer = TLS_ROUND_NONE; offer <= TLS_ROUND_LAST; offer++)
			for (flags = 0; flags <= 3; flags++)
			    check_decision(offers, count, round, present,
					   offer, flags);
    }
}

 /*
  * Hosts, by what they have: the round, and whether it is had without a new
  * connection.
  */
typedef struct {
    const char *name;
    int     offer;
    int     conn;
} PLAYER;

static const PLAYER players[] = {
    {"good", TLS_ROUND_STRICT, 1},
    {"mismatch", TLS_ROUND_ENCRYPT, 1},
    {"handshake", TLS_ROUND_ENCRYPT, 0},
    {"nostarttls", TLS_ROUND_CLEAR, 1},
    {"tls-lost", TLS_ROUND_CLEAR, 0},
    {"unreachable", TLS_ROUND_NONE, 0},
};

#define PLAYERS	((int) (sizeof(players) / sizeof(players[0])))

/* play - one delivery; no host accepts the mail */

static void play(const PLAYER **cast, int count, int start, int verbose)
{
    TLS_ROUNDS_DECISION dec;
    int     offers[MAX_HOSTS] = {0, 0, 0, 0, 0};
    int     used[MAX_HOSTS] = {0, 0, 0, 0, 0};
    int     visits[MAX_HOSTS] = {0, 0, 0, 0, 0};
    int     tried = 0;
    int     host;
    int     last_used = TLS_ROUND_NONE;
    const PLAYER *pp;

#define MORE(tried)	((tried) < count ? TLS_ROUNDS_FLAG_MORE : 0)

    dec.round = start;
    dec.host = TLS_ROUNDS_HOST_NEW;
    dec.action = NEXT;
    while (dec.action != GIVE_UP) {
	if ((host = dec.host) == TLS_ROUNDS_HOST_NEW)
	    host = tried++;
	pp = cast[host];
	if (++visits[host] > TLS_ROUND_LAST)
	    msg_panic("host %d is tried too often", host);
	if (verbose)
	    vstream_printf(" %s:%d", str_tls_round(dec.round), host + 1);
	if (tls_rounds_decide(&dec, offers, tried, dec.round, host, pp->offer,
			      MORE(tried) | (pp->conn ? TLS_ROUNDS_FLAG_CONN : 0))
	    == GO_ON) {
	    offers[host] = TLS_ROUND_NONE;
	    used[host] += 1;
	    if (verbose)
		vstream_printf("!");
	    /* What is better was used before, if all start with strict. */
	    if (start == TLS_ROUND_STRICT) {
		if (pp->offer < last_used)
		    msg_panic("host %d was due before", host);
		last_used = pp->offer;
	    }
	    (void) tls_rounds_decide(&dec, offers, tried, dec.round, host,
				     TLS_ROUND_NONE, MORE(tried));
	} else if (pp->offer != TLS_ROUND_NONE) {
	    offers[host] = pp->offer;
	}
    }
    for (host = 0; host < count; host++) {
	if (used[host] != (cast[host]->offer != TLS_ROUND_NONE))
	    msg_panic("host %d was used %d times", host, used[host]);
	if (visits[host] < 1 || visits[host] > 2)
	    msg_panic("host %d was tried %d times", host, visits[host]);
    }
}

/* play_all - every cast */

static void play_all(void)
{
    const PLAYER *cast[MAX_HOSTS];
    int     count, code, rest, host, casts, start;

    for (casts = PLAYERS, count = 1; count <= MAX_HOSTS; count++, casts *= PLAYERS)
	for (code = 0; code < casts; code++) {
	    for (rest = code, host = count; host-- > 0; rest /= PLAYERS)
		cast[host] = players + rest % PLAYERS;
	    for (start = TLS_ROUND_STRICT; start <= TLS_ROUND_LAST; start++) {
		int     verbose = (count <= (start == TLS_ROUND_STRICT ? 3 : 2));

		if (verbose) {
		    for (host = 0; host < count; host++)
			vstream_printf("%s%s", host ? ", " : "", cast[host]->name);
		    vstream_printf(" ->");
		}
		play(cast, count, start, verbose);
		if (verbose)
		    vstream_printf("\n");
	    }
	}
}

int     main(int unused_argc, char **argv)
{
    msg_vstream_init(argv[0], VSTREAM_ERR);
    check_all();
    play_all();
    vstream_fflush(VSTREAM_OUT);
    exit(0);
}

#endif

#endif
