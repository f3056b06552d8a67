/*++
/* NAME
/*	tls_rounds_memory 3
/* SUMMARY
/*	which round worked for a destination, for a minute
/* SYNOPSIS
/*	#include <tls_rounds.h>
/*	#include <tls_rounds_memory.h>
/*
/*	int	tls_rounds_recall(dest, now)
/*	const char *dest;
/*	time_t	now;
/*
/*	void	tls_rounds_remember(dest, round, now)
/*	const char *dest;
/*	int	round;
/*	time_t	now;
/* DESCRIPTION
/*	This module remembers, in this process, that no host of a
/*	destination could be authenticated. The next delivery can then
/*	begin with the round that worked, instead of making a connection
/*	to each host again. This decides where to begin, and nothing else:
/*	a host is verified in any round.
/*
/*	tls_rounds_recall() returns the TLS_ROUND_XXX to begin with. This is
/*	TLS_ROUND_STRICT when nothing is known, or when that was learned
/*	TLS_ROUNDS_MEMORY_TTL or more seconds ago.
/*
/*	tls_rounds_remember() saves a round. TLS_ROUND_STRICT removes what
/*	is known of the destination. With TLS_ROUNDS_MEMORY_LIMIT other
/*	destinations, all of them are forgotten first.
/*
/*	Arguments:
/* .IP dest
/*	The nexthop destination.
/* .IP now
/*	The time, in seconds. A clock that is set back makes what is
/*	remembered useless: it is then from the future, and forgotten.
/* .IP round
/*	The TLS_ROUND_XXX in which a host was used.
/* SEE ALSO
/*	tls_rounds(3) who is next
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

#include <htable.h>
#include <mymalloc.h>

/* TLS library. */

#include <tls_rounds.h>
#include <tls_rounds_memory.h>

 /*
  * What is known of a destination.
  */
typedef struct {
    int     round;
    time_t  learned;
} TLS_ROUNDS_MEMORY;

static HTABLE *tls_rounds_memory;

#define IS_FRESH(mp, now) \
	((now) >= (mp)->learned && (now) - (mp)->learned < TLS_ROUNDS_MEMORY_TTL)

/* tls_rounds_recall - where to begin */

int     tls_rounds_recall(const char *dest, time_t now)
{
    TLS_ROUNDS_MEMORY *mp;

    if (tls_rounds_memory == 0
	|| (mp = (TLS_ROUNDS_MEMORY *) htable_find(tls_rounds_memory, dest)) == 0)
	return (TLS_ROUND_STRICT);
    if (IS_FRESH(mp, now))
	return (mp->round);
    htable_delete(tls_rounds_memory, dest, myfree);
    return (TLS_ROUND_STRICT);
}

/* tls_rounds_remember - begin there, for a while */

void    tls_rounds_remember(const char *dest, int round, time_t now)
{
    TLS_ROUNDS_MEMORY *mp;

    if (tls_rounds_memory != 0 && htable_locate(tls_rounds_memory, dest) != 0)
	htable_delete(tls_rounds_memory, dest, myfree);
    if (round == TLS_ROUND_STRICT)
	return;
    if (tls_rounds_memory != 0
	&& tls_rounds_memory->used >= TLS_ROUNDS_MEMORY_LIMIT) {
	htable_free(tls_rounds_memory, myfree);
	tls_rounds_memory = 0;
    }
    if (tls_rounds_memory == 0)
	tls_rounds_memory = htable_create(13);
    mp = (TLS_ROUNDS_MEMORY *) mymalloc(sizeof(*mp));
    mp->round = round;
    mp->learned = now;
    (void) htable_enter(tls_rounds_memory, dest, (void *) mp);
}

#ifdef TEST

 /*
  * What happens in this order, and what must be known then.
  */
#include <stdlib.h>
#include <msg.h>
#include <msg_vstream.h>
#include <vstream.h>
#include <vstring.h>

#define T0		1000000000
#define RECALL		TLS_ROUND_NONE

typedef struct {
    const char *dest;
    int     round;			/* to remember, or recall */
    time_t  when;			/* after T0 */
    int     known;			/* after this */
} TEST_STEP;

static const TEST_STEP steps[] = {
    {"a", RECALL, 0, TLS_ROUND_STRICT},
    {"a", TLS_ROUND_ENCRYPT, 0, TLS_ROUND_ENCRYPT},
    {"b", RECALL, 0, TLS_ROUND_STRICT},
    {"b", TLS_ROUND_CLEAR, 30, TLS_ROUND_CLEAR},
    {"a", RECALL, 59, TLS_ROUND_ENCRYPT},
    {"a", RECALL, 60, TLS_ROUND_STRICT},
    {"a", RECALL, 59, TLS_ROUND_STRICT},
    {"b", RECALL, 89, TLS_ROUND_CLEAR},
    /* What is learned again counts from then. */
    {"b", TLS_ROUND_ENCRYPT, 89, TLS_ROUND_ENCRYPT},
    {"b", RECALL, 148, TLS_ROUND_ENCRYPT},
    {"b", RECALL, 149, TLS_ROUND_STRICT},
    /* A host that authenticates ends it. */
    {"b", TLS_ROUND_CLEAR, 150, TLS_ROUND_CLEAR},
    {"b", TLS_ROUND_STRICT, 151, TLS_ROUND_STRICT},
    /* The clock is set back. */
    {"a", TLS_ROUND_CLEAR, 200, TLS_ROUND_CLEAR},
    {"a", RECALL, 199, TLS_ROUND_STRICT},
    {"a", RECALL, 200, TLS_ROUND_STRICT},
};

/* check - one answer */

static void check(const char *dest, time_t when, int known)
{
    int     round = tls_rounds_recall(dest, T0 + when);

    if (round != known)
	msg_panic("%s at %ld: found %s, expected %s", dest, (long) when,
		  str_tls_round(round), str_tls_round(known));
}

/* check_limit - memory does not grow without bounds */

static void check_limit(void)
{
    VSTRING *dest = vstring_alloc(10);
    int     n;

    for (n = 0; n < TLS_ROUNDS_MEMORY_LIMIT + 1; n++) {
	vstring_sprintf(dest, "%d", n);
	tls_rounds_remember(vstring_str(dest), TLS_ROUND_CLEAR, T0 + 300);
	check(vstring_str(dest), 300, TLS_ROUND_CLEAR);
    }
    check("0", 300, TLS_ROUND_STRICT);
    if (tls_rounds_memory->used != 1)
	msg_panic("%d destinations after %d", (int) tls_rounds_memory->used, n);
    vstring_free(dest);
}

int     main(int unused_argc, char **argv)
{
    const TEST_STEP *tp;

    msg_vstream_init(argv[0], VSTREAM_ERR);
    for (tp = steps; tp < steps + sizeof(steps) / sizeof(steps[0]); tp++) {
	if (tp->round != RECALL)
	    tls_rounds_remember(tp->dest, tp->round, T0 + tp->when);
	check(tp->dest, tp->when, tp->known);
    }
    check_limit();
    exit(0);
}

#endif

#endif
