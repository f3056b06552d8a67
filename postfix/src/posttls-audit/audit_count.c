/*++
/* NAME
/*	audit_count 3
/* SUMMARY
/*	tables of counts
/* SYNOPSIS
/*	#include "audit_count.h"
/*
/*	void	audit_table_init(table, id)
/*	AUDIT_TABLE *table;
/*	AUDIT_TABLE_ID id;
/*
/*	int	audit_table_find(name)
/*	const char *name;
/*
/*	AUDIT_COUNT *audit_table_words(table, word, ...)
/*	AUDIT_TABLE *table;
/*	const char *word;
/*
/*	AUDIT_COUNT *audit_table_key(table, key)
/*	AUDIT_TABLE *table;
/*	const char *key;
/*
/*	void	audit_table_trim(table, oldest)
/*	AUDIT_TABLE *table;
/*	long	oldest;
/*
/*	void	audit_count_add(entry, kind, count, first, last)
/*	AUDIT_COUNT *entry;
/*	int	kind;
/*	unsigned long count;
/*	time_t	first;
/*	time_t	last;
/*
/*	void	audit_count_day(entry, day, kind, count)
/*	AUDIT_COUNT *entry;
/*	long	day;
/*	int	kind;
/*	unsigned long count;
/*
/*	HTABLE_INFO *audit_locate(table, name, flags, copy)
/*	HTABLE	*table;
/*	const char *name;
/*	int	flags;
/*	char	**copy;
/* DESCRIPTION
/*	This module counts how often something was logged. To add a
/*	table, add it to AUDIT_TABLE_ID and to audit_table_info[]; it is
/*	then part of a summary file, too.
/*
/*	All operations are sums, minima and maxima. Therefore the result
/*	does not depend on the order of calls, nor on how they were
/*	spread over tables that are added up later.
/*
/*	audit_table_init() makes an empty table.
/*
/*	audit_table_find() returns the AUDIT_TABLE_ID of the table with
/*	the specified name, or -1.
/*
/*	audit_table_words() finds or makes the entry for a key with as
/*	many words as the table's keys have. A word that is a null
/*	pointer or empty becomes AUDIT_KEY_UNKNOWN.
/*
/*	audit_table_key() does the same with a complete key.
/*
/*	audit_table_trim() forgets days before the specified one, and
/*	keys when there are very many: a forged log must not use all
/*	memory. The keys that stay are those with the smallest hash
/*	values, the others are added up as AUDIT_KEY_OTHER. A key that
/*	stays in the sum of several tables has stayed in each of them,
/*	so that trimming early or late makes no difference.
/*
/*	audit_count_add() counts something that was seen between two
/*	times. In a table with history, these must be on the same day;
/*	audit_count_day() adds to the history only.
/*
/*	audit_count_total() makes a number that was told to others never
/*	fall: it returns the largest value that was specified for this
/*	name, and remembers it.
/*
/*	audit_locate() finds a name in a hash table, like
/*	audit_names_enter(3) in a list of names. When the result is
/*	a null pointer, there is a clean copy of the name to be entered,
/*	and to be passed to myfree().
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Utility library. */

#include <htable.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_count.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

 /*
  * Words that come from Postfix or OpenSSL are few, unless the log is forged.
  * No limit means that the number is that of destinations or servers.
  */
const AUDIT_TABLE_INFO audit_table_info[] = {
    {"level", 1, 100, AUDIT_TABLE_FLAG_DAILY},	/* state */
    {"requiretls", 1, 50, 0},		/* state */
    {"fallback_kind", 3, 200, AUDIT_TABLE_FLAG_DAILY},	/* policy, level,
							 * reason */
    {"fallback", 5, 0, 0},		/* nexthop, relay, policy, level,
					 * reason */
    {"refused", 4, 200, 0},		/* rule, reason, policy, fallback */
    {"failure_kind", 1, 50, 0},		/* reason */
    {"failure", 3, 0, 0},		/* reason, destination, relay */
    {"auth", 1, 10, 0},			/* auth */
    {"protocol", 1, 20, 0},		/* protocol */
    {"cipher", 1, 100, 0},		/* cipher */
    {"kex", 1, 50, 0},			/* key exchange */
    {"property", 2, 10, 0},		/* property, answer */
    {"weak", 2, 0, 0},			/* relay, weakness */
    {0},
};

 /*
  * A report shows the most frequent keys. Keep many more than that, so that
  * forged words cannot push out the real ones.
  */
#define KEEP(table)	((table)->info->limit * 20)

/* audit_table_init - make empty table */

void    audit_table_init(AUDIT_TABLE *table, AUDIT_TABLE_ID id)
{
    memset((void *) table, 0, sizeof(*table));
    table->info = audit_table_info + id;
    table->entries = htable_create(10);
}

/* audit_table_find - name to number */

int     audit_table_find(const char *name)
{
    int     n;

    for (n = 0; n < AUDIT_TABLE_COUNT; n++)
	if (strcmp(audit_table_info[n].name, name) == 0)
	    return (n);
    return (-1);
}

/* audit_locate - find name, or make it safe to print and find that */

HTABLE_INFO *audit_locate(HTABLE *table, const char *name, int flags,
			          char **copy)
{
    HTABLE_INFO *info;

    if ((info = htable_locate(table, name)) == 0) {
	*copy = audit_clean(mystrdup(name), flags);
	if ((info = htable_locate(table, *copy)) != 0)
	    myfree(*copy);
    }
    return (info);
}

 /*
  * There is no limit where the keys have names of destinations or servers.
  */
#define HAS_FEW_KEYS(table)	((table)->info->limit != 0)

/* find_recent - the same few words again are the usual case */

static AUDIT_COUNT *find_recent(AUDIT_TABLE *table, const char *key)
{
    AUDIT_COUNT **recent = table->recent;
    AUDIT_COUNT *entry;
    int     n;

    for (n = 0; n < AUDIT_RECENT && (entry = recent[n]) != 0; n++) {
	if (*entry->key == *key && strcmp(entry->key, key) == 0) {

	    /*
	     * The most frequent ones come to be the first ones.
	     */
	    if (n > 0) {
		recent[n] = recent[n - 1];
		recent[n - 1] = entry;
	    }
	    return (entry);
	}
    }
    return (0);
}

/* remember - an entry that was just used, in place of the last one */

static AUDIT_COUNT *remember(AUDIT_TABLE *table, AUDIT_COUNT *entry)
{
    int     n;

    for (n = 0; n < AUDIT_RECENT - 1 && table->recent[n] != 0; n++)
	 /* void */ ;
    table->recent[n] = entry;
    return (entry);
}

/* enter_key - make entry */

static AUDIT_COUNT *enter_key(AUDIT_TABLE *table, const char *key)
{
    AUDIT_COUNT *entry = (AUDIT_COUNT *) mymalloc(sizeof(*entry));

    memset((void *) entry, 0, sizeof(*entry));
    entry->key = htable_enter(table->entries, key, (void *) entry)->key;
    if (table->info->flags & AUDIT_TABLE_FLAG_DAILY)
	entry->days = (AUDIT_DAY *) mymalloc(sizeof(*entry->days));
    return (entry);
}

/* audit_table_key - find or make entry */

AUDIT_COUNT *audit_table_key(AUDIT_TABLE *table, const char *key)
{
    HTABLE_INFO *info;
    AUDIT_COUNT *entry;
    char   *copy;

    if (HAS_FEW_KEYS(table) && (entry = find_recent(table, key)) != 0)
	return (entry);
    if ((info = audit_locate(table->entries, key, table->info->words > 1 ?
			     AUDIT_CLEAN_KEY : AUDIT_CLEAN_WORD, &copy)) != 0)
	return (remember(table, (AUDIT_COUNT *) info->value));
    if (table->info->limit && table->entries->used > 2 * KEEP(table))
	audit_table_trim(table, 0L);
    entry = enter_key(table, copy);
    myfree(copy);
    return (remember(table, entry));
}

/* audit_table_words - find or make entry for several words */

AUDIT_COUNT *audit_table_words(AUDIT_TABLE *table, const char *word,...)
{
    static VSTRING *buf;
    va_list ap;
    ssize_t start;
    char   *cp;
    int     n;

    if (buf == 0)
	buf = vstring_alloc(100);
    VSTRING_RESET(buf);
    va_start(ap, word);
    for (n = 0; n < table->info->words; n++) {
	if (n > 0) {
	    vstring_strcat(buf, AUDIT_KEY_SEPARATOR);
	    word = va_arg(ap, const char *);
	}
	start = LEN(buf);
	vstring_strcat(buf, word && *word ? word : AUDIT_KEY_UNKNOWN);
	for (cp = STR(buf) + start;
	     (cp = strchr(cp, AUDIT_KEY_SEPARATOR[0])) != 0; cp++)
	    *cp = '?';
    }
    va_end(ap);
    return (audit_table_key(table, STR(buf)));
}

/* audit_count_day - add to history */

void    audit_count_day(AUDIT_COUNT *entry, long day, int kind,
			        unsigned long count)
{
    int     n = entry->day_count;

    /*
     * Today is the last one, or will be.
     */
    while (n > 0 && entry->days[n - 1].day > day)
	n--;
    if (n == 0 || entry->days[n - 1].day != day) {
	entry->days = (AUDIT_DAY *)
	    myrealloc((void *) entry->days,
		      (entry->day_count + 1) * sizeof(*entry->days));
	memmove((void *) (entry->days + n + 1), (void *) (entry->days + n),
		(entry->day_count - n) * sizeof(*entry->days));
	memset((void *) (entry->days + n), 0, sizeof(*entry->days));
	entry->days[n].day = day;
	entry->day_count++;
	n++;
    }
    entry->days[n - 1].count[kind] += count;
}

/* audit_count_add - count something */

void    audit_count_add(AUDIT_COUNT *entry, int kind, unsigned long count,
			        time_t first, time_t last)
{
    entry->count[kind] += count;
    AUDIT_NOTE_FIRST(entry->first, first);
    AUDIT_NOTE_LAST(entry->last, last);
    if (entry->days)
	audit_count_day(entry, last / AUDIT_DAY_SECONDS, kind, count);
}

/* audit_count_total - number that never falls */

unsigned long audit_count_total(HTABLE *totals, const char *name,
				        unsigned long value)
{
    unsigned long *total = (unsigned long *) htable_find(totals, name);

    if (total == 0) {
	total = (unsigned long *) mymalloc(sizeof(*total));
	*total = value;
	(void) htable_enter(totals, name, (void *) total);
    } else if (*total < value) {
	*total = value;
    }
    return (*total);
}

/* key_hash - the same on every machine */

static uint32_t key_hash(const char *key)
{
    uint32_t hash = 2166136261U;

    for ( /* void */ ; *key; key++)
	hash = (hash ^ *(const unsigned char *) key) * 16777619U;
    return (hash);
}

/* compare_hashes - smallest first */

static int compare_hashes(const void *a, const void *b)
{
    const char *left = (*(HTABLE_INFO **) a)->key;
    const char *right = (*(HTABLE_INFO **) b)->key;
    uint32_t left_hash = key_hash(left);
    uint32_t right_hash = key_hash(right);

    return (left_hash != right_hash ? (left_hash < right_hash ? -1 : 1) :
	    strcmp(left, right));
}

/* free_count - destroy entry */

static void free_count(void *ptr)
{
    AUDIT_COUNT *entry = (AUDIT_COUNT *) ptr;

    if (entry->days)
	myfree((void *) entry->days);
    myfree(ptr);
}

/* move_count - add one entry to another, and delete it */

static void move_count(AUDIT_TABLE *table, AUDIT_COUNT *from, AUDIT_COUNT *to)
{
    int     kind;
    int     n;

    for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++) {
	to->count[kind] += from->count[kind];
	for (n = 0; n < from->day_count; n++)
	    audit_count_day(to, from->days[n].day, kind,
			    from->days[n].count[kind]);
    }
    AUDIT_NOTE_FIRST(to->first, from->first);
    AUDIT_NOTE_LAST(to->last, from->last);
    htable_delete(table->entries, from->key, free_count);
}

/* trim_keys - keep the ones with the smallest hash values */

static void trim_keys(AUDIT_TABLE *table)
{
    HTABLE_INFO *info;
    AUDIT_COUNT *other;
    HTABLE_INFO **list;
    ssize_t count;
    ssize_t n;
    ssize_t kept = 0;

    info = htable_locate(table->entries, AUDIT_KEY_OTHER);
    if (table->entries->used - (info != 0) <= KEEP(table))
	return;
    other = (info ? (AUDIT_COUNT *) info->value :
	     enter_key(table, AUDIT_KEY_OTHER));
    list = htable_list(table->entries);
    count = table->entries->used;
    qsort((void *) list, count, sizeof(*list), compare_hashes);
    for (n = 0; n < count; n++)
	if (list[n]->value != (void *) other && ++kept > KEEP(table))
	    move_count(table, (AUDIT_COUNT *) list[n]->value, other);
    myfree((void *) list);
    memset((void *) table->recent, 0, sizeof(table->recent));
    table->trimmed++;
}

/* trim_days - forget what was long ago */

static void trim_days(AUDIT_COUNT *entry, long oldest)
{
    int     n;

    for (n = 0; n < entry->day_count && entry->days[n].day < oldest; n++)
	 /* void */ ;
    entry->day_count -= n;
    memmove((void *) entry->days, (void *) (entry->days + n),
	    entry->day_count * sizeof(*entry->days));
}

/* audit_table_trim - limit the size */

void    audit_table_trim(AUDIT_TABLE *table, long oldest)
{
    HTABLE_INFO **list;
    HTABLE_INFO **ht;

    if (table->info->flags & AUDIT_TABLE_FLAG_DAILY) {
	list = htable_list(table->entries);
	for (ht = list; *ht; ht++)
	    trim_days((AUDIT_COUNT *) ht[0]->value, oldest);
	myfree((void *) list);
    }
    if (table->info->limit)
	trim_keys(table);
}
