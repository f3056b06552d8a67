/*++
/* NAME
/*	audit_input 3
/* SUMMARY
/*	from files to facts
/* SYNOPSIS
/*	#include "audit_input.h"
/*
/*	int	audit_input(facts, select, path, flags)
/*	AUDIT_FACTS *facts;
/*	const AUDIT_SELECT *select;
/*	const char *path;
/*	int	flags;
/*
/*	int	audit_input_is_new(facts, path, id)
/*	AUDIT_FACTS *facts;
/*	const char *path;
/*	uint64_t *id;
/*
/*	void	audit_input_finish(facts, select)
/*	AUDIT_FACTS *facts;
/*	const AUDIT_SELECT *select;
/*
/*	void	audit_input_note(facts, path, format, ...)
/*	AUDIT_FACTS *facts;
/*	const char *path;
/*	const char *format;
/* DESCRIPTION
/*	audit_input() adds one file, a log or a summary. Problems are
/*	logged and become notes; the result is zero when not all of the
/*	file could be used. The flags are zero or more of the following.
/* .IP AUDIT_INPUT_PROGRESS
/*	Show progress on the standard error stream.
/* .IP AUDIT_INPUT_RESUME
/*	A log that is known from earlier is read only from where
/*	reading ended then.
/* .IP AUDIT_INPUT_SUMMARY
/*	The file must be a summary. This run goes on where it ended.
/* .PP
/*	audit_input_is_new() says that a file is a log that is not
/*	known and not very short, and returns a number that two files with the same first
/*	bytes have in common.
/*
/*	audit_input_finish() must be called after the last file. It
/*	joins lines that were cut, see audit_join(3), and then the lines
/*	that belong together, see audit_settle(3). After that the facts
/*	can be reported, but no longer be added to.
/*
/*	audit_input_note() logs a warning and makes a note.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

/* Utility library. */

#include <argv.h>
#include <msg.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_identity.h"
#include "audit_input.h"
#include "audit_join.h"
#include "audit_prefix.h"
#include "audit_read.h"
#include "audit_settle.h"
#include "audit_silence.h"
#include "audit_summary.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

#define VERBOSE_LINES	10		/* not understood, per -v */
#define VERBOSE_LEN	200

#define FRAGMENT_MAX	65536		/* of a line that was cut */

 /*
  * Progress.
  */
static int progress_shown;
static time_t progress_time;

/* show_progress - after every block */

static void show_progress(const char *path, off_t done, off_t size)
{
    time_t  now = time((time_t *) 0);

    if (now == progress_time)
	return;
    progress_time = now;
    progress_shown = 1;
    if (size > 0)
	vstream_fprintf(VSTREAM_ERR, "\r%s: %3d%% of %lu Mbyte\033[K", path,
			(int) (100.0 * done / size),
			(unsigned long) (size >> 20));
    else
	vstream_fprintf(VSTREAM_ERR, "\r%s: %lu Mbyte\033[K", path,
			(unsigned long) (done >> 20));
    (void) vstream_fflush(VSTREAM_ERR);
}

#define PROGRESS_FN(flags) \
	(((flags) & AUDIT_INPUT_PROGRESS) ? show_progress : (AUDIT_PROGRESS_FN) 0)

/* end_progress - before other output */

static void end_progress(void)
{
    if (progress_shown) {
	vstream_fprintf(VSTREAM_ERR, "\r\033[K");
	(void) vstream_fflush(VSTREAM_ERR);
	progress_shown = 0;
    }
}

/* audit_input_note - problem with the input */

void    audit_input_note(AUDIT_FACTS *facts, const char *path,
			         const char *format,...)
{
    VSTRING *text = vstring_alloc(100);
    va_list ap;

    va_start(ap, format);
    vstring_vsprintf(text, format, ap);
    va_end(ap);
    end_progress();
    msg_warn("%s: %s", path, STR(text));
    argv_add(facts->notes, path, STR(text), (char *) 0);
    vstring_free(text);
}

/* show_unknown - line that is not understood */

static void show_unknown(const char *path, const char *text)
{
    static int shown;

    if (shown < VERBOSE_LINES * msg_verbose) {
	shown++;
	end_progress();
	msg_info("%s: not understood: %s", path, text);
    }
}

/* check_summary - look at all of it before believing any of it */

static const char *check_summary(AUDIT_SUMMARY *sp, AUDIT_READER *rp,
				         char **text, size_t *len)
{
    *text = audit_read_rest(rp, len);
    if (audit_read_problem(rp))
	return (audit_read_problem(rp));
    audit_summary_text(sp, *text, *len);
    return (audit_summary_end(sp));
}

/* input_summary - add summary */

static int input_summary(AUDIT_FACTS *facts, AUDIT_READER *rp, const char *path,
			         int flags)
{
    char   *text;
    size_t  len;
    AUDIT_SUMMARY *sp = audit_summary_begin(facts, AUDIT_SUMMARY_CHECK);
    const char *problem = check_summary(sp, rp, &text, &len);
    int     known = audit_summary_known(sp);

    if (problem != 0)
	audit_input_note(facts, path, "this summary was not used: %s", problem);
    else if (known && msg_verbose)
	msg_info("%s: nothing new", path);
    audit_read_close(rp);
    if (problem == 0 && known == 0) {
	audit_summary_free(sp);
	sp = audit_summary_begin(facts, AUDIT_SUMMARY_CHECKED
				 | (flags & AUDIT_INPUT_SUMMARY ?
				    AUDIT_SUMMARY_TOTALS : 0));
	audit_summary_text(sp, text, len);
	if ((problem = audit_summary_end(sp)) != 0)
	    msg_fatal_status(2, "%s: %s", path, problem);
    }
    audit_summary_free(sp);
    return (problem == 0);
}

 /*
  * A log while it is read.
  */
typedef struct {
    AUDIT_FACTS *facts;
    const AUDIT_SELECT *select;
    AUDIT_LOG *log;
    AUDIT_READER *reader;
    AUDIT_CLOCK clock;
    const char *path;
    VSTRING *last;			/* end of last line, null if not
					 * needed */
    unsigned long count;		/* lines */
} INPUT;

/* keep_fragment - text of a line that was cut, if that is possible */

static char *keep_fragment(const char *text, size_t len)
{
    return (len <= FRAGMENT_MAX && memchr(text, 0, len) == 0 ?
	    mystrndup(text, len) : 0);
}

/* input_line - one line, zero if it was cut */

static int input_line(INPUT *ip, char *text, size_t len)
{
    static VSTRING *copy;
    AUDIT_LOG *log = ip->log;
    AUDIT_LINE line;
    int     is_first = (ip->count == 0 && log->offset == 0);

    if (audit_read_partial(ip->reader) && len > 0
	&& (log->tail_text = keep_fragment(text, len)) != 0)
	return (0);
    ip->count++;
    if (ip->last)
	audit_identity_last(ip->last, text, len);
    if (audit_prefix_is_other(text, len)) {
	ip->facts->lines[AUDIT_LINE_OTHER] += 1;
	return (1);
    }
    if (msg_verbose || is_first) {
	if (copy == 0)
	    copy = vstring_alloc(100);
	vstring_strncpy(copy, text, is_first || len < VERBOSE_LEN ?
			len : VERBOSE_LEN);
    }
    audit_line_parse(&line, &ip->clock, text, len);
    if (is_first && line.type == AUDIT_LINE_UNKNOWN
	&& strlen(STR(copy)) == len
	&& (log->head_text = keep_fragment(STR(copy), len)) != 0)
	 /* it may be the end of a line that was cut */ ;
    else
	audit_learn_line(ip->facts, log, &line, ip->select);
    if (msg_verbose && line.type == AUDIT_LINE_UNKNOWN)
	show_unknown(ip->path, printable(vstring_str(
				     vstring_truncate(copy, VERBOSE_LEN)), '?'));
    return (1);
}

/* input_lines - all lines of a log */

static void input_lines(INPUT *ip)
{
    AUDIT_LOG *log = ip->log;
    off_t   cut = 0;
    char   *text;
    size_t  len;

    if (log->tail_text) {
	myfree(log->tail_text);
	log->tail_text = 0;
    }
    audit_log_open(ip->facts, log);
    while (cut == 0 && (text = audit_read_line(ip->reader, &len)) != 0)
	if (input_line(ip, text, len) == 0)
	    cut = len;
    audit_log_close(ip->facts, log);
    log->offset = audit_read_offset(ip->reader) - cut;
}

/* input_notes - what is wrong with a log, zero if it is damaged */

static int input_notes(INPUT *ip, unsigned long unknown,
		               unsigned long nul_lines)
{
    AUDIT_FACTS *facts = ip->facts;
    AUDIT_READER *rp = ip->reader;
    int     ok = (audit_read_problem(rp) == 0);

    /*
     * The first line of a log may be the end of one that was cut.
     */
#define MAY_BE_CUT(ip)	((ip)->log->head_text != 0 && (ip)->count > 0)

    if (AUDIT_SILENCE_MOSTLY(unknown, ip->count - MAY_BE_CUT(ip)))
	audit_input_note(facts, ip->path, "%lu of %lu lines were not "
			 "understood; is this a mail log? (option -v shows "
			 "some)", unknown, ip->count - MAY_BE_CUT(ip));
    if (ok == 0)
	audit_input_note(facts, ip->path, "%s", audit_read_problem(rp));
    if (audit_read_overlong(rp) > 0)
	audit_input_note(facts, ip->path,
			 "%lu lines of more than %d bytes were skipped",
			 audit_read_overlong(rp), AUDIT_READ_LINE_MAX);
    if (nul_lines > 0)
	audit_input_note(facts, ip->path, "%lu lines have null bytes",
			 nul_lines);
    if (ip->clock.backwards > 0)
	audit_input_note(facts, ip->path, "the clock ran backwards %lu times,"
			 " by up to %ld seconds", ip->clock.backwards,
			 (long) ip->clock.worst);
    facts->lines[AUDIT_LINES_OVERLONG] += audit_read_overlong(rp);
    return (ok);
}

/* input_log - add log */

static int input_log(AUDIT_FACTS *facts, const AUDIT_SELECT *select,
		             AUDIT_READER *rp, const char *path,
		             VSTRING *head, int flags)
{
    INPUT   input;
    unsigned long nul_lines = facts->lines[AUDIT_LINES_NULL];
    unsigned long unknown = facts->lines[AUDIT_LINE_UNKNOWN];
    int     is_old = 0;
    int     ok;

    memset((void *) &input, 0, sizeof(input));
    if (flags & AUDIT_INPUT_RESUME) {
	input.log = audit_identity_find(facts, &rp, path, head,
					PROGRESS_FN(flags), &is_old);
	if (rp == 0) {
	    audit_input_note(facts, path, "cannot read it again: %s",
			     strerror(errno));
	    return (0);
	}
	if (is_old) {
	    audit_read_close(rp);
	    return (1);
	}
	if (audit_read_is_plain(rp) == 0)
	    input.last = vstring_alloc(100);
    }
    input.facts = facts;
    input.select = select;
    input.reader = rp;
    input.path = path;
    audit_clock_init(&input.clock, audit_read_mtime(rp));
    if (input.log == 0)
	input.log = audit_log_create(facts, path, audit_read_mtime(rp));
    input.log->limit = audit_read_mtime(rp);
    input_lines(&input);
    end_progress();
    unknown = facts->lines[AUDIT_LINE_UNKNOWN] - unknown;
    ok = input_notes(&input, unknown,
		     facts->lines[AUDIT_LINES_NULL] - nul_lines);
    if (flags & AUDIT_INPUT_RESUME)
	audit_identity_set(input.log, path, head, input.count ? input.last : 0);
    if (input.last)
	vstring_free(input.last);
    if (msg_verbose)
	msg_info("%s: %lu lines, %lu of them not understood", path,
		 input.count, unknown + MAY_BE_CUT(&input));
    audit_read_close(rp);
    return (ok);
}

/* open_input - open file, and have a look at it */

static AUDIT_READER *open_input(const char *path, VSTRING *head, int flags)
{
    AUDIT_READER *rp;
    const char *text;
    size_t  len;

    if ((rp = audit_read_open(path, PROGRESS_FN(flags))) != 0) {
	text = audit_read_head(rp, &len);
	vstring_memcpy(head, text, len);
    }
    return (rp);
}

/* audit_input - add one file */

int     audit_input(AUDIT_FACTS *facts, const AUDIT_SELECT *select,
		            const char *path, int flags)
{
    VSTRING *head = vstring_alloc(AUDIT_READ_HEAD);
    AUDIT_READER *rp;
    int     ok = 0;

    if ((rp = open_input(path, head, flags)) == 0)
	audit_input_note(facts, path, "cannot open: %s", strerror(errno));
    else if (audit_summary_is(STR(head), LEN(head)))
	ok = input_summary(facts, rp, path, flags);
    else if (flags & AUDIT_INPUT_SUMMARY)
	audit_input_note(facts, path, "this is not a summary");
    else
	ok = input_log(facts, select, rp, path, head, flags);
    vstring_free(head);
    return (ok);
}

/* audit_input_is_new - a log that was not seen before */

int     audit_input_is_new(AUDIT_FACTS *facts, const char *path, uint64_t *id)
{
    VSTRING *head = vstring_alloc(AUDIT_READ_HEAD);
    AUDIT_READER *rp = 0;
    AUDIT_LOG *log;
    int     is_new = 0;

    if (strcmp(path, "-") != 0 && (rp = open_input(path, head, 0)) != 0) {
	is_new = (audit_summary_is(STR(head), LEN(head)) == 0);
	for (log = facts->logs; log && is_new; log = log->next)
	    is_new = (audit_identity_is(log, STR(head), LEN(head)) == 0);

	/*
	 * A short one may be an earlier copy of one that is not known yet.
	 */
	if (LEN(head) < AUDIT_READ_HEAD)
	    is_new = 0;
	*id = audit_identity_hash(STR(head), LEN(head));
	audit_read_close(rp);
    }
    vstring_free(head);
    return (is_new);
}

/* audit_input_finish - conclusions */

void    audit_input_finish(AUDIT_FACTS *facts, const AUDIT_SELECT *select)
{
    audit_read_forget();
    audit_join(facts, select);
    audit_settle_all(facts);
}
