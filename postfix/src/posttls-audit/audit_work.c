/*++
/* NAME
/*	audit_work 3
/* SUMMARY
/*	several files, by several processes
/* SYNOPSIS
/*	#include "audit_work.h"
/*
/*	int	audit_work(facts, select, paths, count, workers, flags)
/*	AUDIT_FACTS *facts;
/*	const AUDIT_SELECT *select;
/*	char	**paths;
/*	int	count;
/*	int	workers;
/*	int	flags;
/* DESCRIPTION
/*	audit_work() does what audit_input() does, for any number of
/*	files. Logs that are not known yet are divided between the
/*	specified number of processes, one of them the caller. The
/*	others send what they learned as a summary. The result is zero
/*	when not all files could be used.
/* DIAGNOSTICS
/*	Fatal error: a process ended before it was done.
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
#include <sys/wait.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Utility library. */

#include <argv.h>
#include <msg.h>
#include <mymalloc.h>
#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_summary.h"
#include "audit_work.h"

#define STR	vstring_str

#define READ_BLOCK	65536		/* usual size of a pipe */

#define EXIT_PROBLEM	3		/* done, but not all was well */
#define EXIT_FAILURE_	4

 /*
  * A file, and who reads it.
  */
typedef struct {
    char   *path;
    off_t   size;
    uint64_t id;
    int     worker;			/* -1: the caller, at the end */
} JOB;

typedef struct {
    pid_t   pid;
    int     fd;
    off_t   load;			/* bytes to be read */
} WORKER;

 /*
  * Everything that belongs together.
  */
typedef struct {
    AUDIT_FACTS *facts;
    const AUDIT_SELECT *select;
    JOB    *jobs;
    int     job_count;
    WORKER *workers;
    int     worker_count;
    int     flags;
} WORK;

/* prepare_jobs - who may read what */

static int prepare_jobs(WORK *work, char **paths)
{
    struct stat st;
    JOB    *job;
    int     shared = 0;
    int     n;
    int     k;

    for (n = 0; n < work->job_count; n++) {
	job = work->jobs + n;
	job->path = paths[n];
	job->size = (stat(job->path, &st) == 0 ? st.st_size : 0);
	job->worker = (audit_input_is_new(work->facts, job->path, &job->id) ?
		       0 : -1);

	/*
	 * Two copies of a log must not be taken for two logs.
	 */
	if (work->flags & AUDIT_INPUT_RESUME)
	    for (k = 0; k < n; k++)
		if (work->jobs[k].worker == 0 && work->jobs[k].id == job->id)
		    job->worker = -1;
	shared += (job->worker == 0);
    }
    return (shared);
}

/* divide_jobs - the next one to whom has least; the caller has more to do */

static void divide_jobs(WORK *work)
{
    WORKER *least;
    JOB    *job;
    int     n;
    int     k;

    for (n = 0; n < work->job_count; n++) {
	job = work->jobs + n;
	if (job->worker < 0)
	    continue;
	for (least = work->workers, k = 1; k < work->worker_count; k++)
	    if (work->workers[k].load <= least->load)
		least = work->workers + k;
	least->load += job->size;
	job->worker = least - work->workers;
    }
}

/* do_jobs - the ones of this worker */

static int do_jobs(WORK *work, int worker)
{
    int     ok = 1;
    int     n;

    for (n = 0; n < work->job_count; n++)
	if (work->jobs[n].worker == worker)
	    ok &= audit_input(work->facts, work->select, work->jobs[n].path,
			      work->flags);
    return (ok);
}

/* start_worker - begin with a share of the work */

static void start_worker(WORK *work, int worker)
{
    AUDIT_PUT *writer;
    VSTREAM *stream;
    int     fds[2];
    int     ok;

    if (pipe(fds) < 0)
	msg_fatal_status(2, "pipe: %m");
    (void) vstream_fflush(VSTREAM_OUT);
    switch (work->workers[worker].pid = fork()) {
    case -1:
	msg_fatal_status(2, "fork: %m");
    case 0:
	(void) close(fds[0]);
	work->facts = audit_facts_create();
	work->flags &= ~AUDIT_INPUT_PROGRESS;
	ok = do_jobs(work, worker);
	audit_facts_trim(work->facts);
	stream = vstream_fdopen(fds[1], O_WRONLY);
	vstream_control(stream, CA_VSTREAM_CTL_BUFSIZE((ssize_t) READ_BLOCK),
			CA_VSTREAM_CTL_END);
	writer = audit_summary_write(stream, work->facts);
	audit_summary_write_notes(writer, work->facts);
	if (audit_put_close(writer) == 0)
	    _exit(EXIT_FAILURE_);
	_exit(ok ? 0 : EXIT_PROBLEM);
    default:
	(void) close(fds[1]);
	work->workers[worker].fd = fds[0];
    }
}

/* read_block - from a pipe, zero at the end */

static size_t read_block(int fd, char *buf)
{
    ssize_t count;

    while ((count = read(fd, buf, READ_BLOCK)) < 0 && errno == EINTR)
	 /* void */ ;
    if (count < 0)
	msg_fatal_status(2, "read from another process: %m");
    return (count);
}

/* read_summary - while it is being written */

static void read_summary(AUDIT_SUMMARY *sp, int fd)
{
    VSTRING *text = vstring_alloc(4 * READ_BLOCK);
    size_t  count;
    size_t  complete;
    size_t  len = 0;

    do {
	VSTRING_SPACE(text, READ_BLOCK + 1);
	count = read_block(fd, STR(text) + len);
	len += count;
	for (complete = len; complete > 0
	     && STR(text)[complete - 1] != '\n'; complete--)
	     /* void */ ;
	audit_summary_text(sp, STR(text), complete);
	memmove(STR(text), STR(text) + complete, len - complete);
	len -= complete;
	vstring_set_payload_size(text, len);
    } while (count > 0);
    vstring_free(text);
}

/* finish_worker - add what it learned */

static int finish_worker(WORK *work, int worker)
{
    WORKER *wp = work->workers + worker;
    AUDIT_SUMMARY *sp = audit_summary_begin(work->facts, 0);
    const char *problem;
    int     status;

    read_summary(sp, wp->fd);
    (void) close(wp->fd);
    while (waitpid(wp->pid, &status, 0) < 0)
	if (errno != EINTR)
	    msg_fatal_status(2, "wait for another process: %m");
    problem = audit_summary_end(sp);
    if (!WIFEXITED(status)
	|| (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EXIT_PROBLEM)
	|| problem != 0)
	msg_fatal_status(2, "another process that reads logs ended early");
    audit_summary_free(sp);
    return (WEXITSTATUS(status) == 0);
}

/* sort_notes - in the order of the files */

static void sort_notes(WORK *work)
{
    ARGV   *notes = work->facts->notes;
    ARGV   *sorted = argv_alloc(notes->argc);
    char  **cpp;
    int     n;
    int     k;

    for (n = 0; n < work->job_count; n++) {
	for (k = 0; k < n; k++)
	    if (strcmp(work->jobs[k].path, work->jobs[n].path) == 0)
		break;
	for (cpp = notes->argv; k == n && *cpp; cpp += 2)
	    if (strcmp(cpp[0], work->jobs[n].path) == 0)
		argv_add(sorted, cpp[0], cpp[1], ARGV_END);
    }
    argv_free(notes);
    work->facts->notes = sorted;
}

/* audit_work - read files */

int     audit_work(AUDIT_FACTS *facts, const AUDIT_SELECT *select,
		           char **paths, int count, int workers, int flags)
{
    WORK    work;
    int     shared;
    int     ok;
    int     n;

    memset((void *) &work, 0, sizeof(work));
    work.facts = facts;
    work.select = select;
    work.job_count = count;
    work.jobs = (JOB *) mymalloc((count + 1) * sizeof(*work.jobs));
    work.flags = flags;
    shared = prepare_jobs(&work, paths);
    work.worker_count = (workers < shared ? workers : shared);
    if (work.worker_count < 1)
	work.worker_count = 1;
    work.workers = (WORKER *)
	mymalloc(work.worker_count * sizeof(*work.workers));
    memset((void *) work.workers, 0, work.worker_count * sizeof(*work.workers));
    divide_jobs(&work);
    for (n = 1; n < work.worker_count; n++)
	start_worker(&work, n);
    ok = do_jobs(&work, 0);
    for (n = 1; n < work.worker_count; n++)
	ok &= finish_worker(&work, n);
    ok &= do_jobs(&work, -1);
    sort_notes(&work);
    myfree((void *) work.jobs);
    myfree((void *) work.workers);
    return (ok);
}
