/*++
/* NAME
/*	audit_store 3
/* SUMMARY
/*	summary file that is kept
/* SYNOPSIS
/*	#include "audit_store.h"
/*
/*	AUDIT_STORE *audit_store_open(path, facts, update)
/*	const char *path;
/*	AUDIT_FACTS *facts;
/*	int	update;
/*
/*	void	audit_store_write(store, facts)
/*	AUDIT_STORE *store;
/*	AUDIT_FACTS *facts;
/*
/*	int	audit_store_replace(store, facts)
/*	AUDIT_STORE *store;
/*	AUDIT_FACTS *facts;
/* DESCRIPTION
/*	audit_store_open() adds a summary file to the facts. When it is
/*	going to be updated, the file need not exist, and nobody else can
/*	open it for update before this process ends.
/*
/*	audit_store_write() writes the facts to a temporary file. What
/*	is open about logs that ended AUDIT_STORE_OPEN before the end of
/*	the latest one is settled, so that the file does not grow with
/*	their number. After this, conclusions may be drawn.
/*
/*	audit_store_replace() adds the counters that are about to be
/*	reported, and replaces the file. The result is zero, with
/*	the cause in errno, when that is not possible; then the file is
/*	what it was before. At any moment the name refers to a complete
/*	file, the old one or the new one.
/* DIAGNOSTICS
/*	Fatal errors: the file is damaged or not accessible.
/* FILES
/*	path.lock, held during an update
/*	path.tmp, becomes the new file
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Utility library. */

#include <msg.h>
#include <myflock.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstream.h>

/* Application-specific. */

#include "audit_input.h"
#include "audit_settle.h"
#include "audit_store.h"
#include "audit_summary.h"

#define AUDIT_STORE_OPEN	(40 * AUDIT_DAY_SECONDS)

#define STORE_MODE	0640

/* lock_store - wait for other updates */

static int lock_store(const char *path)
{
    char   *name = concatenate(path, ".lock", (char *) 0);
    int     fd;

    if ((fd = open(name, O_RDWR | O_CREAT, STORE_MODE)) < 0)
	msg_fatal_status(2, "open lock file %s: %m", name);
    if (myflock(fd, INTERNAL_LOCK, MYFLOCK_OP_EXCLUSIVE | MYFLOCK_OP_NOWAIT) < 0) {
	msg_info("%s: waiting for another update", path);
	if (myflock(fd, INTERNAL_LOCK, MYFLOCK_OP_EXCLUSIVE) < 0)
	    msg_fatal_status(2, "lock %s: %m", name);
    }
    myfree(name);
    return (fd);
}

/* audit_store_open - go on from a summary file */

AUDIT_STORE *audit_store_open(const char *path, AUDIT_FACTS *facts, int update)
{
    AUDIT_STORE *store = (AUDIT_STORE *) mymalloc(sizeof(*store));
    AUDIT_SELECT all;
    struct stat st;

    memset((void *) &all, 0, sizeof(all));
    store->path = mystrdup(path);
    store->temp = concatenate(path, ".tmp", (char *) 0);
    store->stream = 0;
    store->lock = (update ? lock_store(path) : -1);
    if (stat(path, &st) < 0) {
	if (errno != ENOENT || update == 0)
	    msg_fatal_status(2, "%s: cannot open: %m", path);
    } else if (audit_input(facts, &all, path, AUDIT_INPUT_SUMMARY) == 0)
	msg_fatal_status(2, "%s: not changed", path);
    return (store);
}

/* sync_directory - the new name must be on disk, too */

static void sync_directory(const char *path)
{
    char   *copy = mystrdup(path);
    int     fd = open(sane_dirname((VSTRING *) 0, copy), O_RDONLY, 0);

    if (fd >= 0) {
	(void) fsync(fd);
	(void) close(fd);
    }
    myfree(copy);
}

/* audit_store_write - everything but what is going to be reported */

void    audit_store_write(AUDIT_STORE *store, AUDIT_FACTS *facts)
{
    int     fd;

    if (facts->last > AUDIT_STORE_OPEN)
	audit_settle(facts, facts->last - AUDIT_STORE_OPEN);
    audit_facts_trim(facts);
    if ((fd = open(store->temp, O_WRONLY | O_CREAT | O_TRUNC, STORE_MODE)) < 0) {
	store->error = errno;
	return;
    }
    audit_facts_sort(facts);
    store->stream = vstream_fdopen(fd, O_WRONLY);
    vstream_control(store->stream, CA_VSTREAM_CTL_BUFSIZE((ssize_t) 65536),
		    CA_VSTREAM_CTL_END);
    store->writer = audit_summary_write(store->stream, facts);
}

/* finish_file - complete the new file, and make sure that it is on disk */

static int finish_file(AUDIT_STORE *store, AUDIT_FACTS *facts)
{
    int     ok;

    if (store->stream == 0) {
	errno = store->error;
	return (0);
    }
    audit_summary_write_totals(store->writer, facts);
    ok = (audit_put_close(store->writer)
	  && fsync(vstream_fileno(store->stream)) == 0);
    if (vstream_fclose(store->stream) != 0)
	ok = 0;
    return (ok);
}

/* audit_store_replace - the new file takes the place of the old one */

int     audit_store_replace(AUDIT_STORE *store, AUDIT_FACTS *facts)
{
    int     saved_errno;

    if (finish_file(store, facts) && rename(store->temp, store->path) == 0) {
	sync_directory(store->path);
	return (1);
    }
    saved_errno = errno;
    (void) unlink(store->temp);
    errno = saved_errno;
    return (0);
}
