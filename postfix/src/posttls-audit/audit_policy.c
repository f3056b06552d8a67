/*++
/* NAME
/*	audit_policy 3
/* SUMMARY
/*	policy table entries that follow from a log
/* SYNOPSIS
/*	#include "audit_policy.h"
/*
/*	void	audit_policy(stream, ready)
/*	VSTREAM	*stream;
/*	const AUDIT_READY *ready;
/* DESCRIPTION
/*	audit_policy() writes entries for smtp_tls_policy_maps, in the
/*	order of their names, each with its evidence as a comment.
/*
/*	An entry is active only when its name is known to be what
/*	Postfix looks up, when all hosts have the same policy, and when
/*	it is not weaker than what is there: a policy that could be
/*	stronger falls back to what it is now.
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
#include <string.h>

/* Utility library. */

#include <mymalloc.h>
#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_policy.h"
#include "audit_time.h"

/* compare_names - alphabetical order */

static int compare_names(const void *a, const void *b)
{
    const AUDIT_READINESS *left = *(const AUDIT_READINESS *const *) a;
    const AUDIT_READINESS *right = *(const AUDIT_READINESS *const *) b;
    int     diff = strcmp(left->dest->name, right->dest->name);

    if (diff == 0 && left->dest->kind != right->dest->kind)
	diff = (left->dest->kind < right->dest->kind ? -1 : 1);
    return (diff ? diff : right->state.policy - left->state.policy);
}

/* is_table_key - name that is safe in a lookup table */

static int is_table_key(const char *name)
{

    /*
     * A question mark is what is left of a character that is not text.
     */
    return (*name != 0 && *name != '#' && name[strcspn(name, " ?\\\"")] == 0);
}

/* entry_comment - evidence for a policy entry */

static void entry_comment(VSTREAM *stream, const AUDIT_READINESS *row)
{
    VSTRING *when = vstring_alloc(100);
    const AUDIT_STATE *sp = &row->state;

    vstream_fprintf(stream, "\n# %s: %s, %u of %u deliveries %s",
		    row->dest->name, audit_verdicts[row->verdict],
		    sp->verified, sp->deliveries,
		    audit_readiness_has_policy(row) ? "verified" :
		    "could have been verified");
    if (sp->first_verified)
	vstream_fprintf(stream, ", first %s",
			audit_time_local(when, sp->first_verified));
    if (sp->last_verified)
	vstream_fprintf(stream, ", last %s",
			audit_time_local(when, sp->last_verified));
    if (sp->last_failure)
	vstream_fprintf(stream, ", last failure %s (%s)",
			audit_time_local(when, sp->last_failure),
			sp->reason ? sp->reason :
			audit_readiness_has_policy(row) ?
			"reason not logged" : "not attainable");
    vstream_fprintf(stream, "\n");
    vstring_free(when);
}

/* no_entry - why there can be no active entry, or a null pointer */

static const char *no_entry(const AUDIT_READINESS *row)
{
    if (row->dest->kind == AUDIT_DEST_DOMAIN)
	return ("this is a recipient domain, its nexthop was not logged");
    if (row->dest->kind == AUDIT_DEST_RELAY)
	return ("this is a server, its nexthop was not logged");
    if (is_table_key(row->dest->name) == 0)
	return ("this name cannot be in a table");
    if (row->policies > 1)
	return ("hosts have different policies");
    return (0);
}

/* fallback_value - fallback= that follows from the log, null if none does */

static const char *fallback_value(const AUDIT_READINESS *row)
{
    const AUDIT_STATE *sp = &row->state;

    switch (row->verdict) {
    case AUDIT_VERDICT_ENFORCE:
	return ("none");
    case AUDIT_VERDICT_COULD:
	return (audit_levels[sp->policy].fallback);
    default:
	return (audit_readiness_has_policy(row)
		&& sp->fallback != AUDIT_LEVEL_NONE ?
		audit_levels[sp->fallback].fallback : 0);
    }
}

/* entry_policy - policy table entry */

static void entry_policy(VSTREAM *stream, const AUDIT_READINESS *row)
{
    const AUDIT_STATE *sp = &row->state;
    const char *fallback = (sp->policy == AUDIT_LEVEL_NONE ? 0 :
			    fallback_value(row));
    const char *obstacle = no_entry(row);
    int     needs_match;

    entry_comment(stream, row);
    if (fallback == 0) {
	vstream_fprintf(stream, "# no change\n");
	return;
    }
    if (obstacle)
	vstream_fprintf(stream, "# %s\n", obstacle);
    if (row->verdict == AUDIT_VERDICT_COULD) {
	if (sp->secure < sp->verified)
	    vstream_fprintf(stream, "# only the server's own name was in the "
			    "certificate: add the match= that is right\n");
	vstream_fprintf(stream, "%s%s\tsecure fallback=%s\n",
			obstacle || sp->secure < sp->verified ? "#" : "",
			row->dest->kind == AUDIT_DEST_NEXTHOP ?
			row->dest->name : "NEXTHOP", fallback);
	return;
    }
    needs_match = (audit_levels[sp->policy].flags & AUDIT_LEVEL_FLAG_MATCH);
    vstream_fprintf(stream, "%s%s\t%s%s fallback=%s\n",
		    obstacle || needs_match ? "#" : "",
		    row->dest->kind == AUDIT_DEST_NEXTHOP ?
		    row->dest->name : "NEXTHOP",
		    audit_levels[sp->policy].name,
		    needs_match ? " match=AS-BEFORE" : "", fallback);
}

/* is_wanted - has an authenticated policy, or could have */

static int is_wanted(const AUDIT_READINESS *row)
{
    return (audit_readiness_has_policy(row)
	    || row->verdict == AUDIT_VERDICT_COULD);
}

/* audit_policy - policy table entries */

void    audit_policy(VSTREAM *stream, const AUDIT_READY *ready)
{
    const AUDIT_READINESS **list = (const AUDIT_READINESS **)
    mymalloc((ready->count + 1) * sizeof(*list));
    size_t  count = 0;
    size_t  n;

    for (n = 0; n < ready->count; n++)
	if (is_wanted(ready->rows + n))
	    list[count++] = ready->rows + n;
    qsort((void *) list, count, sizeof(*list), compare_names);
    vstream_fprintf(stream, "\
# smtp_tls_policy_maps entries that follow from the log. \"fallback=none\"\n\
# where every delivery was verified; where not, the weakest level that was\n\
# needed; where there is no such policy but one could be enforced, what there\n\
# is now. Other attributes of your present entries (match=, protocols=, ...)\n\
# are not in the log: keep them.\n");
    for (n = 0; n < count; n++)
	entry_policy(stream, list[n]);
    myfree((void *) list);
    (void) vstream_fflush(stream);
}
