/*++
/* NAME
/*	audit_sort 3
/* SUMMARY
/*	what comes first in a report
/* SYNOPSIS
/*	#include "audit_sort.h"
/*
/*	HTABLE_INFO **audit_sort_table(table, compare, top)
/*	HTABLE	*table;
/*	AUDIT_COMPARE_FN compare;
/*	size_t	top;
/*
/*	void	**audit_sort_names(names, compare, wanted, top)
/*	const AUDIT_NAMES *names;
/*	AUDIT_COMPARE_FN compare;
/*	AUDIT_WANTED_FN wanted;
/*	size_t	top;
/* DESCRIPTION
/*	A report that shows only some rows of very many need not sort
/*	all of them.
/*
/*	audit_sort_table() returns the entries of a hash table, and
/*	audit_sort_names() the entries of a list of names that are
/*	wanted (null pointer: all), with a null pointer after the last
/*	one. The first ones, at least \fItop\fR of them, are
/*	in order; zero means all. The result should be passed to
/*	myfree().
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

/* Utility library. */

#include <htable.h>
#include <mymalloc.h>

/* Application-specific. */

#include "audit_sort.h"

/* sort_top - sort, but only as far as will be looked at */

static void sort_top(void **list, size_t count, size_t top,
		             AUDIT_COMPARE_FN compare)
{
    void   *item;
    size_t  n;
    size_t  place;

    if (top == 0 || top > count)
	top = count;
    qsort((void *) list, top, sizeof(*list), compare);
    for (n = top; n < count; n++) {
	item = list[n];
	if (compare((void *) &item, (void *) (list + top - 1)) >= 0)
	    continue;
	list[n] = list[top - 1];
	for (place = top - 1; place > 0; place--) {
	    if (compare((void *) &item, (void *) (list + place - 1)) >= 0)
		break;
	    list[place] = list[place - 1];
	}
	list[place] = item;
    }
}

/* audit_sort_table - contents of hash table, the top ones in order */

HTABLE_INFO **audit_sort_table(HTABLE *table, AUDIT_COMPARE_FN compare, size_t top)
{
    HTABLE_INFO **list = htable_list(table);

    sort_top((void **) list, table->used, top, compare);
    return (list);
}

/* audit_sort_names - selected things with names, the top ones in order */

void  **audit_sort_names(const AUDIT_NAMES *names, AUDIT_COMPARE_FN compare,
			           AUDIT_WANTED_FN wanted, size_t top)
{
    void  **list = audit_names_list(names);
    void  **from;
    void  **to = list;

    for (from = list; *from; from++)
	if (wanted == 0 || wanted(*from))
	    *to++ = *from;
    *to = 0;
    sort_top(list, to - list, top, compare);
    return (list);
}
