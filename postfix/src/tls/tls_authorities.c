/*++
/* NAME
/*	tls_authorities 3
/* SUMMARY
/*	is there any trusted certification authority
/* SYNOPSIS
/*	#include <tls.h>
/*
/*	int	tls_authorities_exist(tls_context)
/*	const TLS_SESS_STATE *tls_context;
/* AUXILIARY FUNCTIONS
/*	void	tls_authorities_path(ctx, CApath)
/*	SSL_CTX	*ctx;
/*	const char *CApath;
/* DESCRIPTION
/*	A program that trusts nobody can verify no certificate, and
/*	that says nothing about the certificate. OpenSSL has the same result
/*	for both. It loads a file with authorities
/*	when it is initialized, but looks into a directory only for the
/*	authority that it needs, and then it does not matter if
/*	the directory exists.
/*
/*	tls_authorities_exist() returns non-zero when the process that has
/*	the TLS session has loaded any certificate of an authority, or can
/*	read one in the directories where OpenSSL looks for them. For
/*	a session with tlsproxy(8), this is what tlsproxy(8) has found. Trust
/*	anchors of one session (TLSA records, tafile) do not count.
/*
/*	tls_authorities_path() remembers the directory, as OpenSSL does
/*	not tell. This is called when a TLS engine has loaded
/*	its authorities. OpenSSL's own directory is looked at when
/*	tls_append_default_CA says so.
/*
/*	Arguments:
/* .IP tls_context
/*	TLS session state, after the handshake.
/* .IP ctx
/*	TLS engine.
/* .IP CApath
/*	Directory, or a null pointer. The string is copied.
/* DIAGNOSTICS
/*	Fatal errors: out of memory.
/* SEE ALSO
/*	tls_handshake(3) outcome of a TLS client handshake
/*	c_rehash(1), names of files in the directory
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>

#ifdef USE_TLS

#include <string.h>
#include <unistd.h>

/* Utility library. */

#include <msg.h>
#include <mymalloc.h>
#include <scan_dir.h>
#include <vstring.h>

/* Global library. */

#include <mail_params.h>

/* TLS library. */

#include <tls.h>
#include <tls_authorities.h>

#define STR(x)	vstring_str(x)

static int path_index = -1;

/* free_path - with the TLS engine */

static void free_path(void *unused_parent, void *ptr,
		              CRYPTO_EX_DATA *unused_ad, int unused_idx,
		              long unused_argl, void *unused_argp)
{
    if (ptr)
	myfree(ptr);
}

/* tls_authorities_path - remember where OpenSSL will look */

void    tls_authorities_path(SSL_CTX *ctx, const char *CApath)
{
    if (path_index < 0
	&& (path_index = SSL_CTX_get_ex_new_index(0, (void *) 0,
						  (CRYPTO_EX_new *) 0,
						  (CRYPTO_EX_dup *) 0,
						  free_path)) < 0)
	msg_fatal("SSL_CTX_get_ex_new_index: out of memory");
    if (!SSL_CTX_set_ex_data(ctx, path_index,
			     (void *) mystrdup(CApath ? CApath : "")))
	msg_fatal("SSL_CTX_set_ex_data: out of memory");
}

/* authority_in_directory - is there a file with a name that is looked for? */

static int authority_in_directory(const char *path)
{
    SCAN_DIR *scan;
    VSTRING *file;
    const char *name;
    int     found = 0;

    /*
     * A hash value, and a number.
     */
#define HASH_LENGTH	8
#define IS_HASHED_NAME(s) \
	(strspn((s), "0123456789abcdef") == HASH_LENGTH \
	    && (s)[HASH_LENGTH] == '.' && (s)[HASH_LENGTH + 1] != 0 \
	    && strspn((s) + HASH_LENGTH + 1, "0123456789") \
		== strlen((s) + HASH_LENGTH + 1))

    /* scan_dir_open() is fatal when there is no such directory. */
    if (*path == 0 || access(path, R_OK | X_OK) < 0)
	return (0);
    file = vstring_alloc(100);
    scan = scan_dir_open(path);
    while (!found && (name = scan_dir_next(scan)) != 0) {
	if (!IS_HASHED_NAME(name))
	    continue;
	vstring_sprintf(file, "%s/%s", path, name);
	found = (access(STR(file), R_OK) == 0);
    }
    scan_dir_close(scan);
    vstring_free(file);
    return (found);
}

/* tls_authorities_exist - in whatever process has the TLS session */

int     tls_authorities_exist(const TLS_SESS_STATE *tls_context)
{
    SSL_CTX *ctx;
    const char *path;

    if (tls_context->con == 0)
	return (tls_context->authorities);

    ctx = SSL_get_SSL_CTX(tls_context->con);
    if (sk_X509_OBJECT_num(X509_STORE_get0_objects(
					   SSL_CTX_get_cert_store(ctx))) > 0)
	return (1);
    if (path_index < 0
	|| (path = (const char *) SSL_CTX_get_ex_data(ctx, path_index)) == 0)
	return (0);
    return (authority_in_directory(path)
	    || (var_tls_append_def_CA
		&& authority_in_directory(X509_get_default_cert_dir())));
}

#endif
