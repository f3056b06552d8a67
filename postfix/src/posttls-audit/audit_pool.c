/*++
/* NAME
/*	audit_pool 3
/* SUMMARY
/*	memory for what stays
/* SYNOPSIS
/*	#include "audit_pool.h"
/*
/*	AUDIT_POOL *audit_pool_create()
/*
/*	void	*audit_pool_alloc(pool, len)
/*	AUDIT_POOL *pool;
/*	size_t	len;
/*
/*	void	audit_pool_free(pool)
/*	AUDIT_POOL *pool;
/* DESCRIPTION
/*	What is known about a destination or a server is never deleted
/*	one by one. This module provides memory for many such small
/*	things: without the overhead that each would have with
/*	mymalloc(3), and in the order in which they were made, so that
/*	what is used together is close together.
/*
/*	audit_pool_create() makes an empty pool.
/*
/*	audit_pool_alloc() returns memory that is filled with zeros and
/*	aligned for pointers and numbers.
/*
/*	audit_pool_free() destroys a pool with everything in it.
/* DIAGNOSTICS
/*	Fatal error: out of memory.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <sys/mman.h>
#include <stdint.h>
#include <string.h>

/* Utility library. */

#include <msg.h>
#include <mymalloc.h>

/* Application-specific. */

#include "audit_pool.h"

 /*
  * With ten thousands of destinations, a large part of the time goes to
  * looking up where a page of memory is, and to getting one in the first
  * place. Where the system has huge pages, there are few of them. Memory that
  * is not touched costs nothing.
  * 
  * Tools that look for memory errors want each thing on its own.
  */
#if defined(__SANITIZE_ADDRESS__)
#define POOL_CHUNK	((size_t) 0)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_CHUNK	((size_t) 0)
#endif
#endif

#if !defined(POOL_CHUNK) && defined(MADV_HUGEPAGE) && defined(MAP_ANONYMOUS)
#define POOL_HUGE_PAGE	((size_t) 1 << 21)
#define POOL_CHUNK	((size_t) 1 << 24)
#endif

#ifndef POOL_CHUNK
#define POOL_CHUNK	((size_t) 1 << 16)
#endif

#define POOL_ALIGN	(sizeof(uint64_t))

 /*
  * A chunk begins with this.
  */
typedef struct POOL_CHUNK_INFO {
    struct POOL_CHUNK_INFO *next;
    void   *base;			/* as it was allocated */
    size_t  len;			/* same */
} POOL_CHUNK_INFO;

struct AUDIT_POOL {
    POOL_CHUNK_INFO *chunks;
    char   *next;			/* not used yet */
    size_t  left;			/* bytes from there */
};

#ifdef POOL_HUGE_PAGE

/* new_chunk - zeros, from the system */

static POOL_CHUNK_INFO *new_chunk(size_t len)
{
    POOL_CHUNK_INFO *chunk;
    char   *base;
    size_t  map_len = len + POOL_HUGE_PAGE;

    base = (char *) mmap((void *) 0, map_len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, (off_t) 0);
    if (base == (char *) MAP_FAILED)
	msg_fatal("audit_pool: insufficient memory for %lu bytes: %m",
		  (unsigned long) len);
    chunk = (POOL_CHUNK_INFO *)
	(base + (POOL_HUGE_PAGE - (uintptr_t) base % POOL_HUGE_PAGE));
    (void) madvise((void *) chunk, len, MADV_HUGEPAGE);
    chunk->base = (void *) base;
    chunk->len = map_len;
    return (chunk);
}

#define FREE_CHUNK(chunk)	((void) munmap((chunk)->base, (chunk)->len))

#else

/* new_chunk - zeros */

static POOL_CHUNK_INFO *new_chunk(size_t len)
{
    POOL_CHUNK_INFO *chunk = (POOL_CHUNK_INFO *) mymalloc(len);

    memset((void *) chunk, 0, len);
    return (chunk);
}

#define FREE_CHUNK(chunk)	myfree((void *) (chunk))

#endif

/* audit_pool_create - make empty pool */

AUDIT_POOL *audit_pool_create(void)
{
    AUDIT_POOL *pool = (AUDIT_POOL *) mymalloc(sizeof(*pool));

    memset((void *) pool, 0, sizeof(*pool));
    return (pool);
}

/* audit_pool_alloc - memory from a pool */

void   *audit_pool_alloc(AUDIT_POOL *pool, size_t len)
{
    POOL_CHUNK_INFO *chunk;
    size_t  chunk_len;
    char   *ptr;

    len = (len + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
    if (len > pool->left) {
	chunk_len = sizeof(*chunk) + len;
	if (chunk_len < POOL_CHUNK)
	    chunk_len = POOL_CHUNK;
	chunk = new_chunk(chunk_len);
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	pool->next = (char *) (chunk + 1);
	pool->left = chunk_len - sizeof(*chunk);
    }
    ptr = pool->next;
    pool->next += len;
    pool->left -= len;
    return ((void *) ptr);
}

/* audit_pool_free - destroy pool */

void    audit_pool_free(AUDIT_POOL *pool)
{
    POOL_CHUNK_INFO *chunk;

    while ((chunk = pool->chunks) != 0) {
	pool->chunks = chunk->next;
	FREE_CHUNK(chunk);
    }
    myfree((void *) pool);
}
