/*++
/* NAME
/*	audit_read_fuzz 3
/* SUMMARY
/*	libFuzzer target for the log file reader
/* SYNOPSIS
/*	#include "audit_read.h"
/*
/*	int	LLVMFuzzerTestOneInput(data, size)
/*	const uint8_t *data;
/*	size_t	size;
/* DESCRIPTION
/*	This module is not part of posttls-audit(1). It reads a file
/*	in any compressed format with audit_read(3), writes to every
/*	line, the room for a null byte included, and checks that
/*	offsets add up, and that any place can be returned to.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#define _GNU_SOURCE			/* memfd_create() */

#include <sys_defs.h>
#include <sys/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Application-specific. */

#include "audit_read.h"

int     LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define CHECK(condition) do { if (!(condition)) abort(); } while (0)

#define HASH_LEN	100

 /*
  * A few bytes may be compressed text of any length.
  */
#define ENOUGH		((off_t) 1 << 20)

/* read_all - read all lines, and return the offset after the last one */

static off_t read_all(const char *path)
{
    AUDIT_READER *rp = audit_read_open(path, (AUDIT_PROGRESS_FN) 0);
    off_t   offset = 0;
    char   *line;
    size_t  len;

    CHECK(rp != 0);
    CHECK(audit_read_head(rp, &len) != 0 && len <= AUDIT_READ_HEAD);
    while (offset < ENOUGH && (line = audit_read_line(rp, &len)) != 0) {
	CHECK(len <= AUDIT_READ_LINE_MAX);
	memset(line, 0, len + 1);
	if (audit_read_overlong(rp) == 0)
	    CHECK(audit_read_offset(rp) == offset + (off_t) len
		  + (audit_read_partial(rp) ? 0 : 1));
	offset = audit_read_offset(rp);
    }
    audit_read_close(rp);
    return (offset);
}

/* skip_to - can this offset be skipped to */

static int skip_to(const char *path, off_t offset, uint64_t *hash)
{
    AUDIT_READER *rp = audit_read_open(path, (AUDIT_PROGRESS_FN) 0);
    int     ok;

    CHECK(rp != 0);
    if ((ok = audit_read_skip(rp, offset, hash, HASH_LEN)) != 0)
	CHECK(audit_read_offset(rp) == offset);
    audit_read_close(rp);
    return (ok);
}

/* LLVMFuzzerTestOneInput - read one file */

int     LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int     fd = memfd_create("fuzz", 0);
    char    path[64];
    uint64_t hash;
    off_t   end;

    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t) size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    end = read_all(path);
    CHECK(skip_to(path, end, &hash));
    CHECK(skip_to(path, end / 2, &hash));
    (void) close(fd);
    return (0);
}
