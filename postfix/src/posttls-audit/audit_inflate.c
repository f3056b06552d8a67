/*++
/* NAME
/*	audit_inflate 3
/* SUMMARY
/*	compressed logs
/* SYNOPSIS
/*	#include "audit_inflate.h"
/*
/*	const AUDIT_FORMAT *audit_format_find(text, len)
/*	const char *text;
/*	size_t	len;
/*
/*	AUDIT_INFLATE *audit_inflate_create(format)
/*	const AUDIT_FORMAT *format;
/*
/*	AUDIT_INFLATE_STATUS audit_inflate(inflate)
/*	AUDIT_INFLATE *inflate;
/*
/*	void	audit_inflate_free(inflate)
/*	AUDIT_INFLATE *inflate;
/* DESCRIPTION
/*	This module hides the differences between compression libraries.
/*	Support for zlib is always there, for libzstd with -DUSE_ZSTD,
/*	and for liblzma with -DUSE_LZMA. To teach the program another
/*	format, add a row to the table.
/*
/*	audit_format_find() recognizes a format by the first bytes of a
/*	file. The result is a null pointer for plain text. Without
/*	functions in the result the format is known by its name only.
/*
/*	audit_inflate_create() prepares for one or more compressed
/*	streams, one after the other.
/*
/*	audit_inflate() uncompresses from inflate->in to inflate->out,
/*	and updates these and their lengths. The result is
/*	AUDIT_INFLATE_MORE when one of them is exhausted,
/*	AUDIT_INFLATE_END at the end of a stream (the next call starts
/*	another one), or AUDIT_INFLATE_BAD, with the cause in
/*	inflate->error. There may be more output than there was room
/*	for until a call leaves room.
/*
/*	audit_inflate_free() destroys its argument.
/* DIAGNOSTICS
/*	Fatal error: a library cannot be initialized.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <string.h>
#include <zlib.h>

#ifdef USE_ZSTD
#include <zstd.h>
#endif

#ifdef USE_LZMA
#include <lzma.h>
#endif

/* Utility library. */

#include <msg.h>
#include <mymalloc.h>

/* Application-specific. */

#include "audit_inflate.h"

#define GZIP_WINDOW_BITS	(15 + 16)	/* 16: with gzip header */

 /*
  * What an attacker's file may make a library ask for. Files that the
  * compression commands make with their own defaults, and up to "zstd --long"
  * and "xz -9", need less.
  */
#define ZSTD_WINDOW_LOG		27
#define LZMA_MEMORY		((uint64_t) 128 << 20)

/* gzip_open - start */

static void *gzip_open(void)
{
    z_stream *zp = (z_stream *) mymalloc(sizeof(*zp));

    memset((void *) zp, 0, sizeof(*zp));
    if (inflateInit2(zp, GZIP_WINDOW_BITS) != Z_OK)
	msg_fatal_status(2, "initialize zlib: %s", zp->msg ? zp->msg : "unknown error");
    return ((void *) zp);
}

/* gzip_run - uncompress */

static AUDIT_INFLATE_STATUS gzip_run(AUDIT_INFLATE *ip)
{
    z_stream *zp = (z_stream *) ip->state;
    int     status;

    zp->next_in = (unsigned char *) ip->in;
    zp->avail_in = ip->in_len;
    zp->next_out = ip->out;
    zp->avail_out = ip->out_len;
    status = inflate(zp, Z_NO_FLUSH);
    ip->in = zp->next_in;
    ip->in_len = zp->avail_in;
    ip->out = zp->next_out;
    ip->out_len = zp->avail_out;
    if (status == Z_STREAM_END)
	return ((void) inflateReset(zp), AUDIT_INFLATE_END);
    if (status == Z_OK || status == Z_BUF_ERROR)
	return (AUDIT_INFLATE_MORE);
    ip->error = (zp->msg ? zp->msg : zError(status));
    return (AUDIT_INFLATE_BAD);
}

/* gzip_close - finish */

static void gzip_close(void *state)
{
    (void) inflateEnd((z_stream *) state);
    myfree(state);
}

#ifdef USE_ZSTD

/* zstd_open - start */

static void *zstd_open(void)
{
    ZSTD_DCtx *zp;

    if ((zp = ZSTD_createDCtx()) == 0)
	msg_fatal_status(2, "initialize libzstd: out of memory");
    (void) ZSTD_DCtx_setParameter(zp, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    return ((void *) zp);
}

/* zstd_run - uncompress */

static AUDIT_INFLATE_STATUS zstd_run(AUDIT_INFLATE *ip)
{
    ZSTD_inBuffer in = {ip->in, ip->in_len, 0};
    ZSTD_outBuffer out = {ip->out, ip->out_len, 0};
    size_t  status;

    status = ZSTD_decompressStream((ZSTD_DCtx *) ip->state, &out, &in);
    ip->in += in.pos;
    ip->in_len -= in.pos;
    ip->out += out.pos;
    ip->out_len -= out.pos;
    if (ZSTD_isError(status)) {
	ip->error = ZSTD_getErrorName(status);
	return (AUDIT_INFLATE_BAD);
    }
    return (status == 0 ? AUDIT_INFLATE_END : AUDIT_INFLATE_MORE);
}

/* zstd_close - finish */

static void zstd_close(void *state)
{
    (void) ZSTD_freeDCtx((ZSTD_DCtx *) state);
}

#define ZSTD_FUNCTIONS	zstd_open, zstd_run, zstd_close

#else

#define ZSTD_FUNCTIONS	0, 0, 0

#endif

#ifdef USE_LZMA

/* xz_start - start a stream */

static void xz_start(lzma_stream *zp)
{
    if (lzma_stream_decoder(zp, LZMA_MEMORY, 0) != LZMA_OK)
	msg_fatal_status(2, "initialize liblzma: out of memory");
}

/* xz_open - start */

static void *xz_open(void)
{
    static const lzma_stream initial = LZMA_STREAM_INIT;
    lzma_stream *zp = (lzma_stream *) mymalloc(sizeof(*zp));

    *zp = initial;
    xz_start(zp);
    return ((void *) zp);
}

/* xz_error - what is wrong */

static const char *xz_error(lzma_ret status)
{
    switch (status) {
    case LZMA_FORMAT_ERROR:
	return ("file format not recognized");
    case LZMA_OPTIONS_ERROR:
	return ("unsupported compression options");
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR:
	return ("needs too much memory");
    default:
	return ("compressed data is corrupt");
    }
}

/* xz_run - uncompress */

static AUDIT_INFLATE_STATUS xz_run(AUDIT_INFLATE *ip)
{
    lzma_stream *zp = (lzma_stream *) ip->state;
    lzma_ret status;

    zp->next_in = ip->in;
    zp->avail_in = ip->in_len;
    zp->next_out = ip->out;
    zp->avail_out = ip->out_len;
    status = lzma_code(zp, LZMA_RUN);
    ip->in = zp->next_in;
    ip->in_len = zp->avail_in;
    ip->out = zp->next_out;
    ip->out_len = zp->avail_out;
    if (status == LZMA_STREAM_END)
	return (xz_start(zp), AUDIT_INFLATE_END);
    if (status == LZMA_OK || status == LZMA_BUF_ERROR)
	return (AUDIT_INFLATE_MORE);
    ip->error = xz_error(status);
    return (AUDIT_INFLATE_BAD);
}

/* xz_close - finish */

static void xz_close(void *state)
{
    lzma_end((lzma_stream *) state);
    myfree(state);
}

#define XZ_FUNCTIONS	xz_open, xz_run, xz_close

#else

#define XZ_FUNCTIONS	0, 0, 0

#endif

 /*
  * Other formats are recognized so that nobody wonders what became of a log.
  */
static const AUDIT_FORMAT formats[] = {
    {"gzip", "\037\213", 2, gzip_open, gzip_run, gzip_close},
    {"zstd", "\050\265\057\375", 4, ZSTD_FUNCTIONS},
    {"xz", "\375" "7zXZ", 6, XZ_FUNCTIONS},
    {"bzip2", "BZh", 3, 0, 0, 0},
    {0},
};

/* audit_format_find - recognize a format */

const AUDIT_FORMAT *audit_format_find(const char *text, size_t len)
{
    const AUDIT_FORMAT *fp;

    for (fp = formats; fp->name; fp++)
	if (len >= fp->magic_len && memcmp(text, fp->magic, fp->magic_len) == 0)
	    return (fp);
    return (0);
}

/* audit_inflate_create - prepare */

AUDIT_INFLATE *audit_inflate_create(const AUDIT_FORMAT *format)
{
    AUDIT_INFLATE *ip = (AUDIT_INFLATE *) mymalloc(sizeof(*ip));

    memset((void *) ip, 0, sizeof(*ip));
    ip->format = format;
    ip->state = format->open();
    return (ip);
}

/* audit_inflate - uncompress */

AUDIT_INFLATE_STATUS audit_inflate(AUDIT_INFLATE *ip)
{
    return (ip->format->run(ip));
}

/* audit_inflate_free - destroy */

void    audit_inflate_free(AUDIT_INFLATE *ip)
{
    ip->format->close(ip->state);
    myfree((void *) ip);
}
