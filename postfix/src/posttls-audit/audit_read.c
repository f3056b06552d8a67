/*++
/* NAME
/*	audit_read 3
/* SUMMARY
/*	log file reader
/* SYNOPSIS
/*	#include "audit_read.h"
/*
/*	AUDIT_READER *audit_read_open(path, progress)
/*	const char *path;
/*	AUDIT_PROGRESS_FN progress;
/*
/*	char	*audit_read_line(reader, len)
/*	AUDIT_READER *reader;
/*	size_t	*len;
/*
/*	time_t	audit_read_mtime(reader)
/*	AUDIT_READER *reader;
/*
/*	unsigned long audit_read_overlong(reader)
/*	AUDIT_READER *reader;
/*
/*	const char *audit_read_problem(reader)
/*	AUDIT_READER *reader;
/*
/*	void	audit_read_close(reader)
/*	AUDIT_READER *reader;
/* DESCRIPTION
/*	This module reads plain or gzip compressed text, which is told
/*	from the content. Input is read in large blocks, and a line is
/*	not copied, except when it straddles two blocks.
/*
/*	audit_read_open() opens a file, or the standard input when the
/*	name is "-". The result is a null pointer in case of error,
/*	with the cause in errno. After every block the progress
/*	function, if not null, is called with the name, the number of
/*	bytes read so far, and the file size or zero.
/*
/*	audit_read_line() returns the next line without its newline
/*	character, or a null pointer at the end. There is room for a
/*	null byte after the last character. The result is valid until
/*	the next call. A line of more than AUDIT_READ_LINE_MAX bytes
/*	is skipped, and counted.
/*
/*	audit_read_mtime() returns the time that the file was last
/*	modified, or the present time when the input is not a file.
/*
/*	audit_read_overlong() returns the number of lines skipped.
/*
/*	audit_read_problem() says why reading stopped before the proper
/*	end of the input, or returns a null pointer. Whatever came
/*	before has been returned by audit_read_line().
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
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* Utility library. */

#include <msg.h>
#include <mymalloc.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_read.h"

#define STR	vstring_str

 /*
  * A block that fits into the processor's second-level cache is still there
  * when the line parser wants to see it.
  */
#define BLOCK_SIZE	((size_t) AUDIT_READ_LINE_MAX)

 /*
  * Other formats are recognized so that nobody wonders what became of a log.
  */
typedef struct {
    const char *magic;
    size_t  len;
    const char *name;
} AUDIT_FORMAT;

static const AUDIT_FORMAT foreign_formats[] = {
    {"BZh", 3, "bzip2"},
    {"\3757zXZ", 5, "xz"},
    {"\050\265\057\375", 4, "zstd"},
    {0},
};

#define MAGIC_MAX		5

#define GZIP_MAGIC		"\037\213"
#define GZIP_MAGIC_LEN		2
#define GZIP_WINDOW_BITS	(15 + 16)	/* 16: with gzip header */

struct AUDIT_READER {
    char   *path;
    int     fd;
    off_t   size;			/* zero if unknown */
    off_t   offset;			/* bytes read from file */
    time_t  mtime;
    AUDIT_PROGRESS_FN progress;
    char   *buf;			/* two blocks, and a null byte */
    char   *next;			/* next line */
    char   *end;			/* end of text in buffer */
    int     eof;
    unsigned long overlong;
    z_stream *gzip;			/* null if plain text */
    int     gzip_started;		/* in the middle of a gzip member */
    unsigned char *gzip_buf;		/* compressed block */
    VSTRING *problem;			/* null if none */
};

/* audit_read_stop - no more input because of a problem */

static void PRINTFLIKE(2, 3) audit_read_stop(AUDIT_READER *rp,
					             const char *format,...)
{
    va_list ap;

    rp->eof = 1;
    if (rp->problem == 0)
	rp->problem = vstring_alloc(100);
    va_start(ap, format);
    vstring_vsprintf(rp->problem, format, ap);
    va_end(ap);
}

/* read_block - read from file */

static size_t read_block(AUDIT_READER *rp, char *buf, size_t len)
{
    ssize_t count;

    while ((count = read(rp->fd, buf, len)) < 0 && errno == EINTR)
	 /* void */ ;
    if (count < 0) {
	audit_read_stop(rp, "read error: %s; using what was read", strerror(errno));
	return (0);
    }
    rp->offset += count;
    if (rp->progress)
	rp->progress(rp->path, rp->offset, rp->size);
    return (count);
}

/* gzip_input - more compressed text, zero at the end */

static int gzip_input(AUDIT_READER *rp)
{
    z_stream *zp = rp->gzip;

    if (zp->avail_in == 0) {
	zp->next_in = rp->gzip_buf;
	zp->avail_in = read_block(rp, (char *) rp->gzip_buf, BLOCK_SIZE);
    }
    return (zp->avail_in > 0);
}

/* gzip_block - uncompress */

static size_t gzip_block(AUDIT_READER *rp, char *buf, size_t len)
{
    z_stream *zp = rp->gzip;
    int     status;

    zp->next_out = (unsigned char *) buf;
    zp->avail_out = len;
    while (zp->avail_out == len && rp->eof == 0) {
	if (gzip_input(rp) == 0) {
	    if (rp->eof == 0 && rp->gzip_started)
		audit_read_stop(rp, "gzip file is truncated; using what was read");
	    rp->eof = 1;
	    break;
	}

	/*
	 * A gzip file may have several members, and null bytes after the
	 * last one when it was on a tape.
	 */
	if (rp->gzip_started == 0) {
	    while (zp->avail_in > 0 && *zp->next_in == 0)
		zp->next_in++, zp->avail_in--;
	    if (zp->avail_in == 0)
		continue;
	    rp->gzip_started = 1;
	}
	status = inflate(zp, Z_NO_FLUSH);
	if (status == Z_STREAM_END) {
	    rp->gzip_started = 0;
	    (void) inflateReset(zp);
	} else if (status != Z_OK && status != Z_BUF_ERROR) {
	    audit_read_stop(rp, "gzip file is damaged: %s; using what was read",
			    zp->msg ? zp->msg : zError(status));
	}
    }
    return (len - zp->avail_out);
}

/* fill_buffer - move incomplete line to the start, and add a block */

static size_t fill_buffer(AUDIT_READER *rp)
{
    size_t  have = rp->end - rp->next;
    size_t  count;

    if (rp->eof)
	return (0);
    memmove(rp->buf, rp->next, have);
    rp->next = rp->buf;
    rp->end = rp->buf + have;
    count = (rp->gzip ? gzip_block(rp, rp->end, BLOCK_SIZE) :
	     read_block(rp, rp->end, BLOCK_SIZE));
    rp->end += count;
    if (count == 0)
	rp->eof = 1;
    return (count);
}

/* start_gzip - switch to gzip input if that is what it is */

static void start_gzip(AUDIT_READER *rp)
{
    z_stream *zp;

    if (rp->end - rp->buf < GZIP_MAGIC_LEN
	|| memcmp(rp->buf, GZIP_MAGIC, GZIP_MAGIC_LEN) != 0)
	return;
    zp = rp->gzip = (z_stream *) mymalloc(sizeof(*zp));
    memset((void *) zp, 0, sizeof(*zp));
    if (inflateInit2(zp, GZIP_WINDOW_BITS) != Z_OK)
	msg_fatal_status(2, "initialize zlib: %s", zp->msg ? zp->msg : "unknown error");
    rp->gzip_buf = (unsigned char *) mymalloc(2 * BLOCK_SIZE);
    zp->avail_in = rp->end - rp->buf;
    zp->next_in = rp->gzip_buf;
    memcpy(rp->gzip_buf, rp->buf, zp->avail_in);
    rp->next = rp->end = rp->buf;
    rp->eof = 0;
}

/* refuse_foreign - recognize other compressed formats */

static void refuse_foreign(AUDIT_READER *rp)
{
    const AUDIT_FORMAT *fp;
    size_t  have = rp->end - rp->buf;

    for (fp = foreign_formats; fp->magic; fp++) {
	if (have >= fp->len && memcmp(rp->buf, fp->magic, fp->len) == 0) {
	    audit_read_stop(rp, "%s compressed; specify the output from "
			    "\"%s -dc\" instead", fp->name, fp->name);
	    rp->next = rp->end = rp->buf;
	}
    }
}

/* audit_read_open - open file */

AUDIT_READER *audit_read_open(const char *path, AUDIT_PROGRESS_FN progress)
{
    AUDIT_READER *rp;
    struct stat st;
    int     fd;

    if (strcmp(path, "-") == 0) {
	fd = STDIN_FILENO;
	path = "standard input";
    } else if ((fd = open(path, O_RDONLY, 0)) < 0) {
	return (0);
    }
    if (fstat(fd, &st) < 0)
	return (0);
    if (S_ISDIR(st.st_mode)) {
	(void) close(fd);
	errno = EISDIR;
	return (0);
    }
    rp = (AUDIT_READER *) mymalloc(sizeof(*rp));
    memset((void *) rp, 0, sizeof(*rp));
    rp->path = mystrdup(path);
    rp->fd = fd;
    rp->progress = progress;
    rp->size = (S_ISREG(st.st_mode) ? st.st_size : 0);
    rp->mtime = (S_ISREG(st.st_mode) ? st.st_mtime : time((time_t *) 0));
    rp->buf = mymalloc(2 * BLOCK_SIZE + 1);
    rp->next = rp->end = rp->buf;
    while (rp->end - rp->buf < MAGIC_MAX && fill_buffer(rp) > 0)
	 /* void */ ;
    start_gzip(rp);
    refuse_foreign(rp);
    return (rp);
}

/* skip_overlong - throw away a line that fills the buffer */

static void skip_overlong(AUDIT_READER *rp)
{
    char   *newline;

    rp->overlong += 1;
    for (;;) {
	if ((newline = memchr(rp->next, '\n', rp->end - rp->next)) != 0) {
	    rp->next = newline + 1;
	    return;
	}
	rp->next = rp->end = rp->buf;
	if (fill_buffer(rp) == 0)
	    return;
    }
}

/* audit_read_line - next line */

char   *audit_read_line(AUDIT_READER *rp, size_t *len)
{
    char   *line;
    char   *newline;
    size_t  have;
    size_t  seen = 0;

    for (;;) {
	have = rp->end - rp->next;
	if ((newline = memchr(rp->next + seen, '\n', have - seen)) != 0) {
	    line = rp->next;
	    rp->next = newline + 1;
	    seen = 0;
	    if ((*len = newline - line) <= AUDIT_READ_LINE_MAX)
		return (line);
	    rp->overlong += 1;
	} else if (have > AUDIT_READ_LINE_MAX) {
	    skip_overlong(rp);
	    seen = 0;
	} else if (fill_buffer(rp) > 0) {
	    seen = have;
	} else if (rp->next < rp->end) {
	    line = rp->next;
	    rp->next = rp->end;
	    *len = rp->end - line;
	    return (line);
	} else {
	    return (0);
	}
    }
}

/* audit_read_mtime - file modification time */

time_t  audit_read_mtime(AUDIT_READER *rp)
{
    return (rp->mtime);
}

/* audit_read_overlong - number of lines skipped */

unsigned long audit_read_overlong(AUDIT_READER *rp)
{
    return (rp->overlong);
}

/* audit_read_problem - why the input ended */

const char *audit_read_problem(AUDIT_READER *rp)
{
    return (rp->problem ? STR(rp->problem) : 0);
}

/* audit_read_close - destroy reader */

void    audit_read_close(AUDIT_READER *rp)
{
    if (rp->fd != STDIN_FILENO)
	(void) close(rp->fd);
    if (rp->gzip) {
	(void) inflateEnd(rp->gzip);
	myfree((void *) rp->gzip);
	myfree((void *) rp->gzip_buf);
    }
    if (rp->problem)
	vstring_free(rp->problem);
    myfree(rp->path);
    myfree(rp->buf);
    myfree((void *) rp);
}
