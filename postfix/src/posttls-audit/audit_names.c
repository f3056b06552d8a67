/*++
/* NAME
/*	audit_names 3
/* SUMMARY
/*	things that have a name
/* SYNOPSIS
/*	#include "audit_names.h"
/*
/*	void	audit_names_init(names, pool, entry_size)
/*	AUDIT_NAMES *names;
/*	AUDIT_POOL *pool;
/*	size_t	entry_size;
/*
/*	void	*audit_names_find(names, text)
/*	const AUDIT_NAMES *names;
/*	const char *text;
/*
/*	void	*audit_names_enter(names, text, flags)
/*	AUDIT_NAMES *names;
/*	const char *text;
/*	int	flags;
/*
/*	void	audit_names_expect(names, entry)
/*	AUDIT_NAMES *names;
/*	void	*entry;
/*
/*	void	audit_names_sort(names)
/*	AUDIT_NAMES *names;
/*
/*	void	**audit_names_list(names)
/*	const AUDIT_NAMES *names;
/*
/*	char	*audit_clean(text, flags)
/*	char	*text;
/*	int	flags;
/* DESCRIPTION
/*	This module holds things that have a name and are never deleted:
/*	destinations, servers, words. There may be very many, and they
/*	are looked up for every line that has data. Each is a structure
/*	that begins with an AUDIT_NAME, and whose name follows it in
/*	memory.
/*
/*	audit_names_init() begins with none. The size is that of the
/*	structure.
/*
/*	audit_names_find() returns the entry with a name, or a null
/*	pointer.
/*
/*	audit_names_enter() finds or makes the entry whose name is the
/*	text after audit_clean(). Most names have been seen before, and
/*	then there is no need to look at each byte. The structure is
/*	filled with zeros except for its AUDIT_NAME.
/*
/*	audit_names_expect() says that the next call of
/*	audit_names_enter() is likely to be about the entry that follows
/*	the specified one (null pointer: about the first one). When two
/*	lists are in the same order, one is added to the other without
/*	a search. When there is no such entry, it is made at that place.
/*
/*	audit_names_sort() puts the list in the order of the names.
/*
/*	audit_names_list() returns all entries, and a null pointer after
/*	the last one. The result should be passed to myfree().
/*	AUDIT_NAMES_FIRST() and AUDIT_NAMES_NEXT() go through all entries
/*	without making such a list.
/*
/*	audit_clean() replaces, in place, what is not printable text.
/*	The flags are zero or more of the following.
/* .IP AUDIT_CLEAN_KEY
/*	Keep AUDIT_KEY_SEPARATOR.
/* .IP AUDIT_CLEAN_LOWER
/*	Convert to lowercase.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <sys/time.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Utility library. */

#include <mymalloc.h>
#include <stringops.h>

/* Application-specific. */

#include "audit_names.h"

#define SIZE_MIN	64		/* power of two */

 /*
  * The same as its text member, without looking at the structure.
  */
#define NAME_TEXT(names, name)	((char *) (name) + (names)->entry_size)

 /*
  * Factors that nobody knows before the program runs.
  */
#define BLOCK_WORDS	32		/* of four bytes */

static uint64_t factors[BLOCK_WORDS + 3];

/* init_factors - a pseudo-random sequence from an arbitrary start */

static void init_factors(void)
{
    struct timeval now;
    uint64_t state;
    uint64_t value;
    size_t  n;

    (void) gettimeofday(&now, (void *) 0);
    state = (uint64_t) now.tv_sec * 1000000 + now.tv_usec;
    state = (state << 20) ^ (uint64_t) getpid() ^ (uint64_t) (uintptr_t) &now;
    for (n = 0; n < sizeof(factors) / sizeof(*factors); n++) {
	value = (state += UINT64_C(0x9E3779B97F4A7C15));
	value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
	factors[n] = value ^ (value >> 31);
    }
}

/* get_word - four bytes */

static uint64_t get_word(const char *cp)
{
    uint32_t word;

    memcpy((void *) &word, cp, sizeof(word));
    return (word);
}

/* hash_name - the same for two names with a probability of 2^-32 */

static uint32_t hash_name(const char *text, size_t len)
{
    const uint64_t *factor;
    uint64_t sum = len;
    uint64_t word;

    /*
     * Whoever chose these names: that is so for a sum of products of words
     * and unknown factors (a universal hash function). What is
     * longer than a block continues with the result.
     */
    for (;;) {
	sum = factors[0] * (sum & 0xffffffffU) + factors[1] * (sum >> 32);
	factor = factors + 2;
	for ( /* void */ ; len >= 4 && factor < factors + 2 + BLOCK_WORDS;
	     len -= 4, text += 4)
	    sum += *factor++ * get_word(text);
	if (len < 4)
	    break;
    }
    for (word = 0; len > 0; len--)
	word = word << 8 | *(const unsigned char *) text++;
    return ((sum + *factor * word) >> 32);
}

/* audit_names_init - no names */

void    audit_names_init(AUDIT_NAMES *names, AUDIT_POOL *pool, size_t entry_size)
{
    if (factors[0] == 0)
	init_factors();
    memset((void *) names, 0, sizeof(*names));
    names->pool = pool;
    names->entry_size = entry_size;
    names->size = SIZE_MIN;
    names->slots = (AUDIT_NAME_SLOT *)
	audit_pool_alloc(pool, SIZE_MIN * sizeof(*names->slots));
    names->last = &names->head;
}

/* find_slot - where a name is, or where it would be */

static AUDIT_NAME_SLOT *find_slot(const AUDIT_NAMES *names, uint32_t hash,
				          const char *text)
{
    AUDIT_NAME_SLOT *slot;
    size_t  n;

    /*
     * With very many names, this waits for memory most of the time. The
     * caller will look at the structure.
     */
    for (n = hash; /* see below */ ; n++) {
	slot = names->slots + (n & (names->size - 1));
	if (slot->name == 0)
	    return (slot);
	if (slot->hash == hash) {
	    AUDIT_PREFETCH(slot->name);
	    if (strcmp(NAME_TEXT(names, slot->name), text) == 0)
		return (slot);
	}
    }
}

/* grow_table - twice as many slots; the old ones stay in the pool */

static void grow_table(AUDIT_NAMES *names)
{
    AUDIT_NAME_SLOT *old = names->slots;
    size_t  old_size = names->size;
    size_t  n;

    names->size *= 2;
    names->slots = (AUDIT_NAME_SLOT *)
	audit_pool_alloc(names->pool, names->size * sizeof(*names->slots));
    for (n = 0; n < old_size; n++)
	if (old[n].name)
	    *find_slot(names, old[n].hash, old[n].name->text) = old[n];
}

/* audit_names_find - name that is there */

void   *audit_names_find(const AUDIT_NAMES *names, const char *text)
{
    return ((void *) find_slot(names, hash_name(text, strlen(text)), text)->name);
}

/* add_name - name that is not there */

static AUDIT_NAME *add_name(AUDIT_NAMES *names, const char *text, size_t len,
			            uint32_t hash, AUDIT_NAME *after)
{
    AUDIT_NAME_SLOT *slot;
    AUDIT_NAME *name;
    char   *copy;

    if (++names->used * 2 > names->size)
	grow_table(names);
    name = (AUDIT_NAME *) audit_pool_alloc(names->pool,
					   names->entry_size + len + 1);
    copy = NAME_TEXT(names, name);
    memcpy(copy, text, len);
    name->text = copy;
    name->next = after->next;
    after->next = name;
    if (names->last == after)
	names->last = name;
    slot = find_slot(names, hash, text);
    slot->hash = hash;
    slot->name = name;
    return (name);
}

/* audit_names_enter - find or make entry */

void   *audit_names_enter(AUDIT_NAMES *names, const char *text, int flags)
{
    AUDIT_NAME *after = names->after;
    AUDIT_NAME *name;
    uint32_t hash;
    size_t  len;
    char   *copy;

    names->after = 0;
    if (after == 0)
	after = names->last;
    else if (after->next && strcmp(after->next->text, text) == 0)
	return ((void *) after->next);
    len = strlen(text);
    hash = hash_name(text, len);
    if ((name = find_slot(names, hash, text)->name) != 0)
	return ((void *) name);
    copy = audit_clean(mystrdup(text), flags);
    hash = hash_name(copy, len);
    if ((name = find_slot(names, hash, copy)->name) == 0)
	name = add_name(names, copy, len, hash, after);
    myfree(copy);
    return ((void *) name);
}

/* audit_names_expect - what the next name is likely to be */

void    audit_names_expect(AUDIT_NAMES *names, void *entry)
{
    names->after = (entry ? (AUDIT_NAME *) entry : &names->head);
}

/* compare_names - alphabetical order */

static int compare_names(const void *a, const void *b)
{
    return (strcmp((*(AUDIT_NAME **) a)->text, (*(AUDIT_NAME **) b)->text));
}

/* is_sorted - nothing to do */

static int is_sorted(const AUDIT_NAMES *names)
{
    const AUDIT_NAME *name;

    for (name = names->head.next; name && name->next; name = name->next)
	if (strcmp(name->text, name->next->text) > 0)
	    return (0);
    return (1);
}

/* audit_names_sort - in the order of names */

void    audit_names_sort(AUDIT_NAMES *names)
{
    AUDIT_NAME **list;
    AUDIT_NAME *last = &names->head;
    size_t  n;

    if (is_sorted(names))
	return;
    list = (AUDIT_NAME **) audit_names_list(names);
    qsort((void *) list, names->used, sizeof(*list), compare_names);
    for (n = 0; n < names->used; n++)
	last = last->next = list[n];
    last->next = 0;
    names->last = last;
    myfree((void *) list);
}

/* audit_names_list - all entries */

void  **audit_names_list(const AUDIT_NAMES *names)
{
    void  **list = (void **) mymalloc((names->used + 1) * sizeof(*list));
    AUDIT_NAME *name;
    size_t  n = 0;

    for (name = names->head.next; name; name = name->next)
	list[n++] = (void *) name;
    list[n] = 0;
    return (list);
}

/* audit_clean - replace what is not text */

char   *audit_clean(char *string, int flags)
{
    int     keep = ((flags & AUDIT_CLEAN_KEY) ? AUDIT_KEY_SEPARATOR[0] : 0);
    unsigned char *cp;
    int     is_ascii = 1;

    if (flags & AUDIT_CLEAN_LOWER)
	(void) lowercase(string);
    for (cp = (unsigned char *) string; *cp; cp++) {
	if ((*cp < ' ' && *cp != keep) || *cp == 127)
	    *cp = '?';
	else if (*cp > 127)
	    is_ascii = 0;
    }
    if (is_ascii == 0 && valid_utf8_string(string, strlen(string)) == 0)
	for (cp = (unsigned char *) string; *cp; cp++)
	    if (*cp > 127)
		*cp = '?';
    return (string);
}
