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
/*	joins a last line that was not complete with the first line of
/*	the log that goes on with it, and then the lines that belong
/*	together. After that the facts can be reported, but no longer be
/*	added to.
/*
/*	audit_input_note() logs a warning and makes a note.
/* LINES THAT WERE CUT
/* .ad
/* .fi
/*	A log may end in the middle of a line, because someone is still
/*	writing or because it was cut or rotated there. Such text stays
/*	open. So does the first line of a log when it is not understood.
/*	The first line of one log continues the last one of another
/*	when that log ended before this one began, there is none that
/*	ended later, and both have a host in common. Logs that have no
/*	line with data are in the order of their names.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Utility library. */

#include <argv.h>
#include <htable.h>
#include <msg.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_input.h"
#include "audit_prefix.h"
#include "audit_read.h"
#include "audit_silence.h"
#include "audit_summary.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

#define VERBOSE_LINES	10		/* not understood, per -v */
#define VERBOSE_LEN	200

#define TAIL_LEN	1024		/* bytes that identify a place */
#define HEAD_LINES	32		/* more would not fit anyway */
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

/* fnv_hash - 64-bit FNV-1a, as audit_read_skip() has it */

static uint64_t fnv_hash(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    while (len-- > 0)
	hash = (hash ^ *(const unsigned char *) text++)
	    * UINT64_C(0x100000001b3);
    return (hash);
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

/* has_head - does the log begin like this */

static int has_head(const AUDIT_LOG *log, const char *head, size_t len)
{
    return (log->head_len > 0 && log->head_len <= len
	    && fnv_hash(head, log->head_len) == log->head_hash);
}

/* complete_lines - how much of this text */

static size_t complete_lines(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] != '\n')
	len--;
    return (len);
}

/* format_line - how the first lines of a log are remembered */

static void format_line(VSTRING *buf, const char *head, size_t len)
{
    uint64_t hash = fnv_hash(head, len);

    vstring_sprintf_append(buf, "%s%d:%08lx%08lx", LEN(buf) ? " " : "",
			   (int) len, (unsigned long) (hash >> 32),
			   (unsigned long) (hash & 0xffffffffUL));
}

/* begins_with_line - a log line, and not a piece of one */

static int begins_with_line(const char *head, size_t len)
{
    const char *end = memchr(head, '\n', len);
    AUDIT_CLOCK clock;
    AUDIT_LINE line;
    VSTRING *copy;

    if (end == 0)
	return (0);
    copy = vstring_strncpy(vstring_alloc(100), head, end - head);
    audit_clock_init(&clock, time((time_t *) 0));
    audit_line_parse(&line, &clock, STR(copy), LEN(copy));
    vstring_free(copy);
    return (line.type != AUDIT_LINE_UNKNOWN);
}

/* is_early_copy - an earlier copy, when the log had not even a head */

static int is_early_copy(const AUDIT_LOG *log, const char *head, size_t len)
{
    static VSTRING *buf;
    const char *cp;

    if (len >= log->head_len || log->head_lines == 0
	|| (len = complete_lines(head, len)) == 0)
	return (0);
    if (buf == 0)
	buf = vstring_alloc(100);
    VSTRING_RESET(buf);
    format_line(buf, head, len);
    cp = strstr(log->head_lines, STR(buf));
    return (cp != 0 && (cp == log->head_lines || cp[-1] == ' '));
}

/* find_log - find what is known about a log, and go to where reading ended */

static AUDIT_LOG *find_log(AUDIT_FACTS *facts, AUDIT_READER **rp,
			           const char *path, VSTRING *head, int flags,
			           int *is_old)
{
    AUDIT_LOG *best;
    AUDIT_LOG *log;
    off_t   limit = 0;
    uint64_t hash;
    int     may_be_copy = (LEN(head) < AUDIT_READ_HEAD
			   && begins_with_line(STR(head), LEN(head)));

    /*
     * Start with the one of which most is known: a short one with the same
     * begin may be an earlier copy.
     */
    for (;;) {
	for (best = 0, log = facts->logs; log; log = log->next) {
	    if (may_be_copy && is_early_copy(log, STR(head), LEN(head))) {
		*is_old = 1;
		return (log);
	    }
	    if (has_head(log, STR(head), LEN(head))
		&& (limit == 0 || log->offset < limit)
		&& (best == 0 || log->offset > best->offset))
		best = log;
	}
	if (best == 0)
	    return (0);

	/*
	 * An earlier copy has nothing that is new.
	 */
	*is_old = (audit_read_skip(*rp, best->offset, &hash, best->tail_len) == 0);
	if (*is_old || hash == best->tail_hash)
	    return (best);

	/*
	 * Something else that begins in the same way. Start again.
	 */
	limit = best->offset;
	audit_read_close(*rp);
	if ((*rp = audit_read_open(path, flags & AUDIT_INPUT_PROGRESS ?
				   show_progress : 0)) == 0 || limit == 0)
	    return (0);
    }
}

/* set_head_lines - remember the begin, for copies that are shorter */

static void set_head_lines(AUDIT_LOG *log, VSTRING *head)
{
    VSTRING *buf = vstring_alloc(100);
    size_t  len;
    int     count = 0;

    for (len = 1; len <= (size_t) LEN(head) && count < HEAD_LINES; len++) {
	if (STR(head)[len - 1] == '\n') {
	    format_line(buf, STR(head), len);
	    count++;
	}
    }
    if (log->head_lines)
	myfree(log->head_lines);
    log->head_lines = vstring_export(buf);
}

/* set_identity - how to recognize this log next time */

static void set_identity(AUDIT_LOG *log, const char *path, VSTRING *head,
			         VSTRING *last)
{
    AUDIT_READER *rp;

    /*
     * A last line that is not complete counts: it may become longer, but what
     * there is of it stays.
     */
    log->head_len = LEN(head);
    log->head_hash = fnv_hash(STR(head), log->head_len);
    set_head_lines(log, head);
    if (last != 0) {
	log->tail_len = LEN(last);
	log->tail_hash = fnv_hash(STR(last), LEN(last));
    } else if ((rp = audit_read_open(path, 0)) != 0) {
	log->tail_len = (log->offset < TAIL_LEN ? log->offset : TAIL_LEN);
	(void) audit_read_skip(rp, log->offset, &log->tail_hash, log->tail_len);
	audit_read_close(rp);
    }
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

/* keep_last - remember the end of a line */

static void keep_last(VSTRING *last, const char *text, size_t len)
{
    if (len > TAIL_LEN - 1) {
	text += len - (TAIL_LEN - 1);
	len = TAIL_LEN - 1;
    }
    vstring_memcpy(last, text, len);
    VSTRING_ADDCH(last, '\n');
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
	keep_last(ip->last, text, len);
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
	input.log = find_log(facts, &rp, path, head, flags, &is_old);
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
	set_identity(input.log, path, head, input.count ? input.last : 0);
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

    if ((rp = audit_read_open(path, flags & AUDIT_INPUT_PROGRESS ?
			      show_progress : 0)) != 0) {
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
	    is_new = (has_head(log, STR(head), LEN(head)) == 0);

	/*
	 * A short one may be an earlier copy of one that is not known yet.
	 */
	if (LEN(head) < AUDIT_READ_HEAD)
	    is_new = 0;
	*id = fnv_hash(STR(head), LEN(head));
	audit_read_close(rp);
    }
    vstring_free(head);
    return (is_new);
}

 /*
  * When a log was written, for finding its neighbors.
  */
typedef struct {
    time_t  first;
    time_t  last;
} PERIOD;

/* log_period - first and last line of any host */

static void log_period(const AUDIT_LOG *log, PERIOD *period)
{
    HTABLE_INFO **list = htable_list(log->hosts);
    HTABLE_INFO **ht;
    const AUDIT_HOST *host;

    period->first = period->last = 0;
    for (ht = list; *ht; ht++) {
	host = (const AUDIT_HOST *) ht[0]->value;
	AUDIT_NOTE_FIRST(period->first, host->first);
	AUDIT_NOTE_LAST(period->last, host->last);
    }
    myfree((void *) list);
}

/* common_host - both logs have a host, or one of them has none */

static int common_host(const AUDIT_LOG *one, const AUDIT_LOG *other)
{
    HTABLE_INFO **list;
    HTABLE_INFO **ht;
    int     found = 0;

    if (one->hosts->used == 0 || other->hosts->used == 0)
	return (1);
    list = htable_list(one->hosts);
    for (ht = list; *ht && found == 0; ht++)
	found = (htable_locate(other->hosts, ht[0]->key) != 0);
    myfree((void *) list);
    return (found);
}

/* is_later - did one log end after the other */

static int is_later(const AUDIT_LOG *one, const AUDIT_LOG *other, int by_name)
{
    int     diff = audit_log_order(one->name, other->name);
    PERIOD  mine;
    PERIOD  its;

    /*
     * Logs that were rotated had the same name.
     */
    log_period(one, &mine);
    log_period(other, &its);
    if (mine.last && its.last && (by_name == 0 || diff == 0)) {
	if (mine.last != its.last)
	    return (mine.last > its.last);
	if (mine.first != its.first)
	    return (mine.first > its.first);
    }
    return (diff > 0);
}

/* find_begin - the log whose last line goes on in this one, or null */

static AUDIT_LOG *find_begin(AUDIT_FACTS *facts, const AUDIT_LOG *log)
{
    AUDIT_LOG *best = 0;
    AUDIT_LOG *try;
    PERIOD  mine;
    PERIOD  its;

    log_period(log, &mine);
    for (try = facts->logs; try; try = try->next) {
	if (try == log || try->tail_text == 0 || common_host(try, log) == 0)
	    continue;
	log_period(try, &its);
	if (mine.first && its.last ? its.last > mine.first :
	    audit_log_order(try->name, log->name) > 0)
	    continue;

	/*
	 * Within the same second the names decide.
	 */
	if (mine.first && its.first == mine.first && its.last == mine.last
	    && audit_log_order(try->name, log->name) > 0)
	    continue;
	if (best == 0 || is_later(try, best, mine.first == 0))
	    best = try;
    }
    return (best);
}

/* finish_text - account for a line that was cut */

static void finish_text(AUDIT_FACTS *facts, const AUDIT_SELECT *select,
			        const AUDIT_LOG *log, const char *begin,
			        const char *end)
{
    VSTRING *text = vstring_alloc(100);
    VSTRING *name = vstring_alloc(100);
    AUDIT_CLOCK clock;
    AUDIT_LINE line;
    AUDIT_LOG *other;

    /*
     * In the order of times and names it comes after the log.
     */
    vstring_sprintf(name, "%s~", log->name);
    vstring_sprintf(text, "%s%s", begin ? begin : "", end ? end : "");
    other = audit_log_create(facts, STR(name), log->limit);
    audit_clock_init(&clock, log->limit);
    audit_line_parse(&line, &clock, STR(text), LEN(text));
    audit_log_open(facts, other);
    audit_learn_line(facts, other, &line, select);
    audit_log_close(facts, other);
    vstring_free(text);
    vstring_free(name);
}

/* forget_text - done with it */

static void forget_text(char **text)
{
    if (*text)
	myfree(*text);
    *text = 0;
}

/* is_understood - does the text make sense without what came before it */

static int is_understood(const AUDIT_LOG *log, const char *text)
{
    VSTRING *copy = vstring_strcpy(vstring_alloc(100), text);
    AUDIT_CLOCK clock;
    AUDIT_LINE line;

    audit_clock_init(&clock, log->limit);
    audit_line_parse(&line, &clock, STR(copy), LEN(copy));
    vstring_free(copy);
    return (line.type != AUDIT_LINE_UNKNOWN);
}

/* compare_log_names - order of names, then of time */

static int compare_log_names(const void *a, const void *b)
{
    const AUDIT_LOG *left = *(AUDIT_LOG **) a;
    const AUDIT_LOG *right = *(AUDIT_LOG **) b;
    int     diff = audit_log_order(left->name, right->name);
    PERIOD  mine;
    PERIOD  its;

    if (diff != 0)
	return (diff);
    log_period(left, &mine);
    log_period(right, &its);
    if (mine.last != its.last)
	return (mine.last < its.last ? -1 : 1);
    return (mine.first < its.first ? -1 : mine.first > its.first);
}

#define IS_EMPTY(log)	((log)->offset == 0 && (log)->tail_text == 0)
#define IS_PIECE(log)	((log)->offset == 0 && (log)->tail_text != 0)

/* sorted_logs - logs that have text, in the order of their names */

static AUDIT_LOG **sorted_logs(AUDIT_FACTS *facts, size_t *count)
{
    AUDIT_LOG **list;
    AUDIT_LOG *log;

    *count = 0;
    for (log = facts->logs; log; log = log->next)
	*count += 1;
    list = (AUDIT_LOG **) mymalloc((*count + 1) * sizeof(*list));
    for (*count = 0, log = facts->logs; log; log = log->next)
	if (!IS_EMPTY(log))
	    list[(*count)++] = log;
    qsort((void *) list, *count, sizeof(*list), compare_log_names);
    return (list);
}

/* same_series - names that differ in numbers and punctuation only */

static int same_series(const char *one, const char *other)
{
    for (;;) {
	while (*one && !ISALPHA(*one))
	    one++;
	while (*other && !ISALPHA(*other))
	    other++;
	if (*one != *other)
	    return (0);
	if (*one == 0)
	    return (1);
	one++, other++;
    }
}

 /*
  * Logs that were rotated after they were read have the same name.
  */
#define SAME_NAME(one, other)	(strcmp((one)->name, (other)->name) == 0)

/* is_continued - may the last line of one log go on in the other one */

static int is_continued(const AUDIT_LOG *begin, const AUDIT_LOG *end)
{
    PERIOD  first;
    PERIOD  then;

    log_period(begin, &first);
    log_period(end, &then);
    if (first.last == 0 || then.first == 0) {
	if (SAME_NAME(begin, end))
	    return (0);
    } else if (first.last > then.first) {
	return (0);
    }
    return (same_series(begin->name, end->name) || common_host(begin, end));
}

/* join_chain - line that was cut into pieces, zero if it makes no sense */

static int join_chain(AUDIT_FACTS *facts, const AUDIT_SELECT *select,
		              AUDIT_LOG **list, size_t from, size_t to, int step)
{
    VSTRING *text = vstring_alloc(100);
    size_t  n;
    int     ok;

    for (n = from; n != to; n += step)
	vstring_strcat(text, list[n]->tail_text);
    vstring_strcat(text, list[to]->head_text);
    if ((ok = is_understood(list[from], STR(text))) != 0) {
	for (n = from; n != to; n += step)
	    forget_text(&list[n]->tail_text);
	forget_text(&list[to]->head_text);
	finish_text(facts, select, list[from], STR(text), (char *) 0);
    }
    vstring_free(text);
    return (ok);
}

/* join_neighbors - lines that go on in the log with the next name */

static void join_neighbors(AUDIT_FACTS *facts, const AUDIT_SELECT *select,
			           AUDIT_LOG **list, size_t count, int step)
{
    size_t  last = (step > 0 ? count - 1 : 0);
    size_t  from;
    size_t  to;

    /*
     * This is how a log looks that was cut on purpose, or (backwards) one that
     * was rotated. What follows a line that was cut may be no more than
     * another piece of it.
     */
    if (count == 0)
	return;
    for (from = count - 1 - last; from != last; from = to) {
	to = from + step;
	if (list[from]->tail_text == 0)
	    continue;
	while (to != last && list[to]->head_text == 0 && IS_PIECE(list[to])
	       && !SAME_NAME(list[from], list[to]))
	    to += step;
	if (list[to]->head_text == 0 || !is_continued(list[from], list[to])
	    || join_chain(facts, select, list, from, to, step) == 0)
	    to = from + step;
    }
}

/* join_middles - logs that have only the middle of a line */

static void join_middles(AUDIT_FACTS *facts, AUDIT_LOG **list, size_t count)
{
    AUDIT_LOG *begin;
    char   *text;
    size_t  n;

    for (n = 0; n < count; n++) {
	if (!IS_PIECE(list[n]) || is_understood(list[n], list[n]->tail_text)
	    || (begin = find_begin(facts, list[n])) == 0)
	    continue;
	text = concatenate(begin->tail_text, list[n]->tail_text, (char *) 0);
	forget_text(&begin->tail_text);
	forget_text(&list[n]->tail_text);
	begin->tail_text = text;
    }
}

/* audit_input_finish - conclusions */

void    audit_input_finish(AUDIT_FACTS *facts, const AUDIT_SELECT *select)
{
    AUDIT_LOG **list;
    AUDIT_LOG *log;
    AUDIT_LOG *begin;
    size_t  count;

    /*
     * What names tell is more certain than what times and hosts tell.
     */
    list = sorted_logs(facts, &count);
    join_neighbors(facts, select, list, count, 1);
    join_neighbors(facts, select, list, count, -1);
    join_middles(facts, list, count);
    myfree((void *) list);
    for (log = facts->logs; log; log = log->next) {
	if (log->head_text == 0)
	    continue;
	begin = find_begin(facts, log);
	finish_text(facts, select, begin ? begin : log,
		    begin ? begin->tail_text : 0, log->head_text);
	forget_text(&log->head_text);
	if (begin)
	    forget_text(&begin->tail_text);
    }
    for (log = facts->logs; log; log = log->next) {
	if (log->tail_text)
	    finish_text(facts, select, log, log->tail_text, (char *) 0);
	forget_text(&log->tail_text);
    }
    audit_groups_finish(facts);
}
