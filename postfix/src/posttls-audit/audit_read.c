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
/*	char	*audit_read_rest(reader, len)
/*	AUDIT_READER *reader;
/*	size_t	*len;
/*
/*	void	audit_read_forget()
/*
/*	const char *audit_read_head(reader, len)
/*	AUDIT_READER *reader;
/*	size_t	*len;
/*
/*	int	audit_read_skip(reader, offset, hash, len)
/*	AUDIT_READER *reader;
/*	off_t	offset;
/*	uint64_t *hash;
/*	size_t	len;
/*
/*	off_t	audit_read_offset(reader)
/*	AUDIT_READER *reader;
/*
/*	int	audit_read_partial(reader)
/*	AUDIT_READER *reader;
/*
/*	int	audit_read_is_plain(reader)
/*	AUDIT_READER *reader;
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
/*	This module reads plain or compressed text, which is told from
/*	the content. Input is read in large blocks, and a line is
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
/*	audit_read_rest() returns all text that is left, with a null byte
/*	after it. The result may be changed, and is valid until the next
/*	call with any reader, which uses the same memory.
/*	audit_read_forget() gives that back.
/*
/*	audit_read_head() returns the start of the text, without taking
/*	it: AUDIT_READ_HEAD bytes, or fewer when that is all there is.
/*	The result is valid until the next call. Use this before any
/*	line is read.
/*
/*	audit_read_skip() goes to a place in the text before any line
/*	is read. Offsets count bytes of uncompressed text. The hash is
/*	the 64-bit FNV-1a hash of the \fIlen\fR bytes before that place,
/*	or as many as there are. The result is zero when the text ends
/*	earlier. A plain file is not read up to that place.
/*
/*	audit_read_offset() returns the offset of the text that comes
/*	after what was returned or skipped.
/*
/*	audit_read_partial() says whether the last line that was returned
/*	had no newline character, because the text ended there.
/*
/*	audit_read_is_plain() says whether the input is a plain file, so
/*	that another reader gets to any place in it at once.
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

/* Utility library. */

#include <msg.h>
#include <mymalloc.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_inflate.h"
#include "audit_pool.h"
#include "audit_read.h"

#define STR	vstring_str

 /*
  * A block that fits into the processor's second-level cache is still there
  * when the line parser wants to see it.
  */
#define BLOCK_SIZE	((size_t) AUDIT_READ_LINE_MAX)

 /*
  * A hash that is easy to compute elsewhere.
  */
#define FNV_START	((uint64_t) 0xcbf29ce484222325ULL)
#define FNV_PRIME	((uint64_t) 0x100000001b3ULL)

struct AUDIT_READER {
    char   *path;
    int     fd;
    off_t   size;			/* zero if unknown */
    off_t   offset;			/* bytes read from file */
    off_t   text_end;			/* offset of end, as text */
    int     seekable;			/* plain file */
    int     partial;			/* last line had no newline */
    time_t  mtime;
    AUDIT_PROGRESS_FN progress;
    char   *buf;			/* two blocks, and a null byte */
    char   *next;			/* next line */
    char   *end;			/* end of text in buffer */
    int     eof;
    unsigned long overlong;
    AUDIT_INFLATE *inflate;		/* null if plain text */
    int     started;			/* in the middle of a stream */
    int     full;			/* there may be more output */
    unsigned char *packed;		/* compressed block */
    VSTRING *problem;			/* null if none */
};

 /*
  * Buffers that are not used at present. There are never more than two.
  */
typedef struct SPARE_BUFFER {
    struct SPARE_BUFFER *next;
} SPARE_BUFFER;

static SPARE_BUFFER *spare_buffers;

/* get_buffer - two blocks and a null byte */

static char *get_buffer(void)
{
    static AUDIT_POOL *pool;
    SPARE_BUFFER *buf = spare_buffers;

    if (buf != 0) {
	spare_buffers = buf->next;
	return ((char *) buf);
    }
    if (pool == 0)
	pool = audit_pool_create();
    return ((char *) audit_pool_alloc(pool, 2 * BLOCK_SIZE + 1));
}

/* free_buffer - done with it */

static void free_buffer(char *buf)
{
    SPARE_BUFFER *spare = (SPARE_BUFFER *) buf;

    spare->next = spare_buffers;
    spare_buffers = spare;
}

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

/* more_input - more compressed text, zero at the end */

static int more_input(AUDIT_READER *rp)
{
    AUDIT_INFLATE *ip = rp->inflate;

    if (ip->in_len == 0) {
	ip->in = rp->packed;
	ip->in_len = read_block(rp, (char *) rp->packed, BLOCK_SIZE);
    }
    return (ip->in_len > 0);
}

/* inflate_block - uncompress */

static size_t inflate_block(AUDIT_READER *rp, char *buf, size_t len)
{
    AUDIT_INFLATE *ip = rp->inflate;
    const char *name = ip->format->name;
    AUDIT_INFLATE_STATUS status;

    ip->out = (unsigned char *) buf;
    ip->out_len = len;
    while (ip->out_len == len && rp->eof == 0) {

	/*
	 * The library may still have output from the input that it was given.
	 */
	if (rp->full == 0 && more_input(rp) == 0) {
	    if (rp->eof == 0 && rp->started)
		audit_read_stop(rp, "%s file is truncated; using what was read",
				name);
	    rp->eof = 1;
	    break;
	}

	/*
	 * A file may have several streams, and null bytes after the last one
	 * when it was on a tape, or as padding.
	 */
	if (rp->started == 0) {
	    while (ip->in_len > 0 && *ip->in == 0)
		ip->in++, ip->in_len--;
	    if (ip->in_len == 0)
		continue;
	    rp->started = 1;
	}
	status = audit_inflate(ip);
	rp->full = (status == AUDIT_INFLATE_MORE && ip->out_len == 0);
	if (status == AUDIT_INFLATE_END)
	    rp->started = 0;
	else if (status == AUDIT_INFLATE_BAD)
	    audit_read_stop(rp, "%s file is damaged: %s; using what was read",
			    name, ip->error);
    }
    return (len - ip->out_len);
}

/* read_text - one block */

static size_t read_text(AUDIT_READER *rp, char *buf)
{
    size_t  count = (rp->inflate ? inflate_block(rp, buf, BLOCK_SIZE) :
		     read_block(rp, buf, BLOCK_SIZE));

    rp->text_end += count;
    if (count == 0)
	rp->eof = 1;
    return (count);
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
    count = read_text(rp, rp->end);
    rp->end += count;
    return (count);
}

/* start_inflate - switch to compressed input if that is what it is */

static void start_inflate(AUDIT_READER *rp)
{
    const AUDIT_FORMAT *format;
    AUDIT_INFLATE *ip;

    if ((format = audit_format_find(rp->buf, rp->end - rp->buf)) == 0)
	return;
    if (format->open == 0) {
	audit_read_stop(rp, "%s compressed; specify the output from \"%s -dc\" "
			"instead", format->name, format->name);
    } else {
	ip = rp->inflate = audit_inflate_create(format);
	rp->packed = (unsigned char *) mymalloc(2 * BLOCK_SIZE);
	ip->in = rp->packed;
	ip->in_len = rp->end - rp->buf;
	memcpy(rp->packed, rp->buf, ip->in_len);
	rp->eof = 0;
    }
    rp->next = rp->end = rp->buf;
    rp->text_end = 0;
    rp->seekable = 0;
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
    rp->seekable = (S_ISREG(st.st_mode) && fd != STDIN_FILENO);
    rp->mtime = (S_ISREG(st.st_mode) ? st.st_mtime : time((time_t *) 0));
    rp->buf = get_buffer();
    rp->next = rp->end = rp->buf;
    while (rp->end - rp->buf < AUDIT_MAGIC_MAX && fill_buffer(rp) > 0)
	 /* void */ ;
    start_inflate(rp);
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

    rp->partial = 0;
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
	    rp->partial = 1;
	    *len = rp->end - line;
	    return (line);
	} else {
	    return (0);
	}
    }
}

 /*
  * Memory for a text that is read as a whole. Summaries are large, and there
  * may be many, so the next one has the same memory.
  */
static AUDIT_POOL *room_pool;
static char *room;
static size_t room_size;

/* get_room - at least of this size, and keep what was used */

static char *get_room(size_t size, size_t used)
{
    AUDIT_POOL *old_pool = room_pool;
    char   *old_room = room;

    if (size > room_size) {
	room_size = size + size / 4;
	room_pool = audit_pool_create();
	room = (char *) audit_pool_alloc(room_pool, room_size);
	if (old_pool) {
	    memcpy(room, old_room, used);
	    audit_pool_free(old_pool);
	}
    }
    return (room);
}

/* audit_read_forget - no more text is read as a whole */

void    audit_read_forget(void)
{
    if (room_pool)
	audit_pool_free(room_pool);
    room_pool = 0;
    room = 0;
    room_size = 0;
}

/* audit_read_rest - everything that is left */

char   *audit_read_rest(AUDIT_READER *rp, size_t *len)
{
    size_t  used = rp->end - rp->next;
    size_t  size = used + (rp->seekable && rp->size > rp->offset ?
			   rp->size - rp->offset : 0);
    size_t  count;
    char   *text = get_room(size + BLOCK_SIZE + 1, (size_t) 0);

    memcpy(text, rp->next, used);
    rp->next = rp->end = rp->buf;
    while (rp->eof == 0) {
	text = get_room(used + BLOCK_SIZE + 1, used);
	if ((count = read_text(rp, text + used)) == 0)
	    break;
	used += count;
    }
    text[used] = 0;
    *len = used;
    return (text);
}

/* audit_read_head - start of the text */

const char *audit_read_head(AUDIT_READER *rp, size_t *len)
{
    while (rp->end - rp->next < AUDIT_READ_HEAD && fill_buffer(rp) > 0)
	 /* void */ ;
    *len = rp->end - rp->next;
    if (*len > AUDIT_READ_HEAD)
	*len = AUDIT_READ_HEAD;
    return (rp->next);
}

/* skip_text - skip bytes, zero if there are not as many */

static int skip_text(AUDIT_READER *rp, off_t count, uint64_t *hash)
{
    off_t   have;
    char   *stop;

    while (count > 0) {
	if (rp->next == rp->end && fill_buffer(rp) == 0)
	    return (0);
	have = rp->end - rp->next;
	stop = rp->next + (have < count ? have : count);
	count -= stop - rp->next;
	if (hash == 0)
	    rp->next = stop;
	for ( /* void */ ; rp->next < stop; rp->next++)
	    *hash = (*hash ^ (unsigned char) *rp->next) * FNV_PRIME;
    }
    return (1);
}

/* audit_read_skip - go to a place in the text */

int     audit_read_skip(AUDIT_READER *rp, off_t offset, uint64_t *hash,
			        size_t len)
{
    off_t   from = (offset > (off_t) len ? offset - (off_t) len : 0);

    if (rp->seekable && from > rp->text_end
	&& lseek(rp->fd, from, SEEK_SET) == from) {
	rp->next = rp->end = rp->buf;
	rp->offset = rp->text_end = from;
	rp->eof = 0;
    }
    *hash = FNV_START;
    return (skip_text(rp, from - audit_read_offset(rp), (uint64_t *) 0)
	    && skip_text(rp, offset - from, hash));
}

/* audit_read_offset - where the next line starts */

off_t   audit_read_offset(AUDIT_READER *rp)
{
    return (rp->text_end - (rp->end - rp->next));
}

/* audit_read_partial - was there no newline */

int     audit_read_partial(AUDIT_READER *rp)
{
    return (rp->partial);
}

/* audit_read_is_plain - offsets are file offsets */

int     audit_read_is_plain(AUDIT_READER *rp)
{
    return (rp->seekable);
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
    if (rp->inflate) {
	audit_inflate_free(rp->inflate);
	myfree((void *) rp->packed);
    }
    if (rp->problem)
	vstring_free(rp->problem);
    myfree(rp->path);
    free_buffer(rp->buf);
    myfree((void *) rp);
}
