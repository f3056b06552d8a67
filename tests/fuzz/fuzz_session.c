/*++
/* NAME
/*	fuzz_session 1
/* SUMMARY
/*	properties of connections in the connection cache
/* DESCRIPTION
/*	The first bytes of the input are the policy in force; the rest are
/*	endpoint properties as scache(8) would return them. They
/*	can be from another version of Postfix, or hostile. A session
/*	that is accepted must be one that this policy permits.
/*
/*	With the environment variable FUZZ_SESSION_SEEDS, the program
/*	instead writes properties of real sessions to that directory.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#include "fuzz.h"
#include <netinet/in.h>
#include <iostuff.h>
#include <vstream.h>
#include <mail_params.h>
#undef STR
#include "smtp.h"
#include <tls_fallback_compat.h>

 /*
  * The streams that smtp_session_activate() reads properties from. It does
  * not close them after an error, and we run it a million times.
  */
#define MAX_STREAMS	4

static VSTREAM *streams[MAX_STREAMS];

extern VSTREAM *__real_vstream_memreopen(VSTREAM *, VSTRING *, int);
extern VSTREAM *__wrap_vstream_memreopen(VSTREAM *, VSTRING *, int);
extern int __real_vstream_fclose(VSTREAM *);
extern int __wrap_vstream_fclose(VSTREAM *);

/* track - change one entry in the list of open streams */

static void track(VSTREAM *from, VSTREAM *to)
{
    int     i;

    for (i = 0; i < MAX_STREAMS; i++)
	if (streams[i] == from) {
	    streams[i] = to;
	    break;
	}
}

VSTREAM *__wrap_vstream_memreopen(VSTREAM *stream, VSTRING *buf, int flags)
{
    stream = __real_vstream_memreopen(stream, buf, flags);
    track((VSTREAM *) 0, stream);
    return (stream);
}

int     __wrap_vstream_fclose(VSTREAM *stream)
{
    track(stream, (VSTREAM *) 0);
    return (__real_vstream_fclose(stream));
}

/* close_streams - clean up after an error */

static void close_streams(void)
{
    int     i;

    for (i = 0; i < MAX_STREAMS; i++)
	if (streams[i])
	    (void) vstream_fclose(streams[i]);
}

 /*
  * The policies in force.
  */
static const int policy_levels[] = {
    TLS_LEV_NOTFOUND,			/* found by nexthop: no lookup */
    TLS_LEV_NONE, TLS_LEV_MAY, TLS_LEV_ENCRYPT, TLS_LEV_FPRINT,
    TLS_LEV_DANE, TLS_LEV_DANE_ONLY, TLS_LEV_VERIFY, TLS_LEV_SECURE,
};
static const int fallback_levels[] = {
    TLS_LEV_NONE, TLS_LEV_MAY, TLS_LEV_ENCRYPT,
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static SMTP_STATE *state;
static DELIVER_REQUEST request;

/* set_policy - like smtp_tls_policy_cache_query(), without tables */

static void set_policy(int level, int fallback)
{
    smtp_tls_policy_dummy(state->tls);
    if (level != TLS_LEV_NOTFOUND) {
	state->tls->level = level;
	state->tls->fb->configured = level;
	state->tls->fb->allowed =
	    (TLS_MUST_MATCH(level) ? fallback : TLS_LEV_NONE);
    }
}

/* check_session - a session that would be used */

static void check_session(int level, int fallback)
{
    const SMTP_TLS_POLICY *tls = state->tls;
    const SMTP_TLS_FALLBACK *fb = tls->fb;
    int     in_tls = (state->session->tls_context != 0);

    MUST(tls->level >= TLS_LEV_NONE && tls->level <= TLS_LEV_SECURE);
    MUST(in_tls || tls->level <= TLS_LEV_MAY);
    MUST(smtp_tls_effective_level(state) <= tls->level
	 || tls->level == TLS_LEV_NONE);
    if (level != TLS_LEV_NOTFOUND)
	MUST(fb->configured == level);

    /*
     * A fallback is one that the policy in force permits.
     */
    if (SMTP_TLS_FELL_BACK(tls)) {
	MUST(str_tls_obstacle(fb->reason) != 0);
	MUST(level != TLS_LEV_NOTFOUND && TLS_MUST_MATCH(level));
	MUST(fallback == TLS_LEV_MAY || fallback == TLS_LEV_ENCRYPT);
	MUST(fb->policy == level);
	MUST(SMTP_TLS_KEY_LEVEL(tls) == fallback);
	MUST(in_tls || fallback == TLS_LEV_MAY);
    } else {
	MUST(fb->reason == TLS_OBSTACLE_NONE);
    }

    /*
     * Nothing authenticated without TLS, and nothing less than the policy
     * without a fallback. The level "dane" has exceptions by definition.
     */
    if (!SMTP_TLS_FELL_BACK(tls) && TLS_MUST_MATCH(fb->configured)) {
	MUST(TLS_MUST_MATCH(tls->level) || fb->configured == TLS_LEV_DANE);
    }
}

/* write_seed - properties of one session */

static void write_seed(const char *dir, const char *name, int policy_index,
		            int fallback_index, int level, int policy,
		            int reason, int with_tls)
{
    SMTP_SESSION *session;
    TLS_SESS_STATE *ctx;
    VSTRING *path = vstring_alloc(100);
    VSTREAM *fp;
    int     fd;

    set_policy(policy_levels[policy_index], fallback_levels[fallback_index]);
    state->tls->level = level;
    state->tls->fb->policy = policy;
    state->tls->fb->reason = reason;
    session = smtp_session_alloc(vstream_fdopen(open("/dev/null", O_RDWR, 0),
						O_RDWR), state->iterator,
				 (time_t) 0, 0);
    session->state = state;
    session->expire_time = 2000000000;
    if (with_tls) {
	session->features |= SMTP_FEATURE_FROM_PROXY;
	ctx = session->tls_context = (TLS_SESS_STATE *) mymalloc(sizeof(*ctx));
	memset((void *) ctx, 0, sizeof(*ctx));
	ctx->level = level;
	ctx->protocol = mystrdup("TLSv1.3");
	ctx->cipher_name = mystrdup("TLS_AES_256_GCM_SHA384");
	ctx->kex_name = mystrdup("X25519");
	ctx->peer_cert_fprint = mystrdup("00:11:22");
	ctx->namaddr = mystrdup("mx.example[192.0.2.1]:25");
	ctx->peer_sni = mystrdup("mx.example");
	ctx->peer_status = TLS_CRED_FLAG_CERT;
	ctx->errorcode = 62;
    }
    fd = smtp_session_passivate(session, state->dest_prop, state->endp_prop);
    (void) close(fd);
    vstring_sprintf(path, "%s/%s", dir, name);
    if ((fp = vstream_fopen(STR(path), O_CREAT | O_TRUNC | O_WRONLY, 0644)) == 0)
	msg_fatal("open %s: %m", STR(path));
    VSTREAM_PUTC(policy_index, fp);
    VSTREAM_PUTC(fallback_index, fp);
    vstream_fwrite(fp, STR(state->endp_prop), VSTRING_LEN(state->endp_prop));
    if (vstream_fclose(fp) != 0)
	msg_fatal("write %s: %m", STR(path));
    vstring_free(path);
}

/* write_seeds - one of each kind */

static void write_seeds(const char *dir)
{
#define NO_FALLBACK	TLS_LEV_NOTFOUND, TLS_OBSTACLE_NONE

    write_seed(dir, "none", 1, 0, TLS_LEV_NONE, NO_FALLBACK, 0);
    write_seed(dir, "may", 2, 0, TLS_LEV_MAY, NO_FALLBACK, 0);
    write_seed(dir, "may-tls", 2, 0, TLS_LEV_MAY, NO_FALLBACK, 1);
    write_seed(dir, "secure", 8, 2, TLS_LEV_SECURE, NO_FALLBACK, 1);
    write_seed(dir, "secure-encrypt", 8, 2, TLS_LEV_ENCRYPT, TLS_LEV_SECURE,
	       TLS_OBSTACLE_MISMATCH, 1);
    write_seed(dir, "secure-may-clear", 8, 1, TLS_LEV_MAY, TLS_LEV_SECURE,
	       TLS_OBSTACLE_NOSTARTTLS, 0);
    write_seed(dir, "fingerprint-may-retry", 4, 1, TLS_LEV_NONE,
	       TLS_LEV_FPRINT, TLS_OBSTACLE_HANDSHAKE, 0);
}

int     LLVMFuzzerInitialize(int *unused_argc, char ***unused_argv)
{
    const char *dir;

    msg_output(fuzz_message);
    smtp_mode = 1;
    var_smtp_cache_conn = 1;
    var_smtp_sasl_passwd = "";
    var_smtp_reuse_time = 300;
    smtp_tls_ctx = (TLS_APPL_STATE *) mymalloc(1);	/* not null */
    state = smtp_state_alloc();
    state->request = &request;
    SMTP_ITER_INIT(state->iterator, "example", "mx.example", "192.0.2.1",
		   htons(25), state);
    if ((dir = getenv("FUZZ_SESSION_SEEDS")) != 0) {
	write_seeds(dir);
	exit(0);
    }
    return (0);
}

int     LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int     level;
    int     fallback;
    int     fd;

    if (len < 2)
	return (0);
    level = policy_levels[data[0] % COUNT(policy_levels)];
    fallback = fallback_levels[data[1] % COUNT(fallback_levels)];
    set_policy(level, fallback);
    VSTRING_RESET(state->dest_prop);
    VSTRING_TERMINATE(state->dest_prop);
    VSTRING_RESET(state->endp_prop);
    vstring_memcpy(state->endp_prop, (const char *) data + 2, len - 2);
    VSTRING_TERMINATE(state->endp_prop);

    if ((fd = open("/dev/null", O_RDWR, 0)) < 0)
	msg_fatal("open /dev/null: %m");
    state->session = smtp_session_activate(fd, state->iterator,
					   state->dest_prop, state->endp_prop);
    if (state->session == 0) {
	(void) close(fd);
    } else {
	state->session->state = state;
	if (smtp_tls_fallback_reusable(state))
	    check_session(level, fallback);
	smtp_session_free(state->session);
	state->session = 0;
    }
    close_streams();
    return (0);
}
