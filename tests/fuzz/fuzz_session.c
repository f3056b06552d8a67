/*++
/* NAME
/*	fuzz_session 1
/* SUMMARY
/*	properties of connections in the connection cache
/* DESCRIPTION
/*	The first bytes of the input are the policy in force, and how it is
/*	known; the rest are endpoint properties as scache(8) would return
/*	them. They
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
#include <dsn_buf.h>
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
  * The policies in force, and how they are known: after a lookup, or not yet,
  * because the connection was found by nexthop. A fallback may have taken place
  * in the lookup, or may be held back because the message is too young.
  */
static const int policy_levels[] = {
    TLS_LEV_NONE, TLS_LEV_MAY, TLS_LEV_ENCRYPT, TLS_LEV_FPRINT,
    TLS_LEV_DANE, TLS_LEV_DANE_ONLY, TLS_LEV_VERIFY, TLS_LEV_SECURE,
};
static const int fallback_levels[] = {
    TLS_LEV_NONE, TLS_LEV_MAY, TLS_LEV_ENCRYPT,
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

#define BY_LOOKUP	0
#define BY_NEXTHOP	1
#define BY_FALLBACK	2
#define BY_DELAY	3
#define BY_COUNT	4

#define LOOKUP_OBSTACLE	TLS_OBSTACLE_TLSA_LOOKUP

static SMTP_STATE *state;
static DELIVER_REQUEST request;
static DSN_BUF *why;

 /*
  * What the table and main.cf say.
  */
static int table_level;
static int table_fallback;
static int table_delay;

extern void __wrap_smtp_tls_policy_configured(SMTP_TLS_POLICY *, SMTP_ITERATOR *);

/* __wrap_smtp_tls_policy_configured - without tables */

void    __wrap_smtp_tls_policy_configured(SMTP_TLS_POLICY *tls,
					          SMTP_ITERATOR *unused_iter)
{
    SMTP_TLS_FALLBACK_INIT(&tls->fb);
    tls->level = tls->fb.configured = table_level;
    tls->fb.allowed = table_fallback;
    tls->fb.delay = table_delay;
}

/* set_policy - like smtp_tls_policy_cache_query(), without tables */

static void set_policy(int level, int fallback, int how)
{
    SMTP_TLS_POLICY *tls = state->tls;

    table_level = level;
    table_fallback = (TLS_MUST_MATCH(level) ? fallback : TLS_LEV_NONE);
    table_delay = (how == BY_DELAY ? 3600 : 0);
    smtp_tls_policy_dummy(tls);
    if (how == BY_NEXTHOP)
	return;
    tls->why = why;
    __wrap_smtp_tls_policy_configured(tls, state->iterator);
    if (how == BY_FALLBACK && table_fallback != TLS_LEV_NONE) {
	tls->level = table_fallback;
	tls->fb.policy = level;
	tls->fb.reason = tls->fb.obstacle = LOOKUP_OBSTACLE;
    }
}

/* check_session - a session that would be used */

static void check_session(int how)
{
    const SMTP_TLS_POLICY *tls = state->tls;
    const SMTP_TLS_FALLBACK *fb = &tls->fb;
    int     in_tls = (state->session->tls_context != 0);

    MUST(tls->level >= TLS_LEV_NONE && tls->level <= TLS_LEV_SECURE);
    MUST(in_tls || tls->level <= TLS_LEV_MAY);
    MUST(smtp_tls_effective_level(state) <= tls->level
	 || tls->level == TLS_LEV_NONE);
    MUST(fb->cleartext == !in_tls);

    /*
     * The settings are those of the policy in force, and not of the cache.
     */
    MUST(fb->configured == table_level);
    MUST(fb->allowed == table_fallback);
    MUST(fb->delay == table_delay);

    /*
     * A fallback is one that the policy in force permits. Nothing is less
     * than the policy without a fallback.
     */
    if (SMTP_TLS_FELL_BACK(tls)) {
	MUST(str_tls_obstacle(fb->reason) != 0);
	MUST(TLS_MUST_MATCH(table_level));
	MUST(table_fallback == TLS_LEV_MAY || table_fallback == TLS_LEV_ENCRYPT);
	MUST(fb->policy == table_level);
	MUST(tls->level == table_fallback
	     || (tls->level == TLS_LEV_NONE && table_fallback == TLS_LEV_MAY));
	MUST(in_tls || table_fallback == TLS_LEV_MAY);
	MUST(how != BY_DELAY);
	MUST(how != BY_FALLBACK || fb->reason == LOOKUP_OBSTACLE);
    } else {
	MUST(fb->reason == TLS_OBSTACLE_NONE);
	MUST(how != BY_FALLBACK || table_fallback == TLS_LEV_NONE);
	MUST(tls->level == table_level
	     || (tls->level == TLS_LEV_NONE && table_level == TLS_LEV_MAY));
    }
}

/* write_seed - properties of one session */

static void write_seed(const char *dir, const char *name, int policy_index,
		            int fallback_index, int level, int policy,
		            int reason, int with_tls, int how)
{
    SMTP_SESSION *session;
    TLS_SESS_STATE *ctx;
    VSTRING *path = vstring_alloc(100);
    VSTREAM *fp;
    int     fd;

    set_policy(policy_levels[policy_index], fallback_levels[fallback_index],
	       BY_LOOKUP);
    state->tls->level = level;
    state->tls->fb.policy = policy;
    state->tls->fb.reason = reason;
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
    VSTREAM_PUTC(policy_index + COUNT(policy_levels) * how, fp);
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

    write_seed(dir, "none", 0, 0, TLS_LEV_NONE, NO_FALLBACK, 0, BY_LOOKUP);
    write_seed(dir, "may", 1, 0, TLS_LEV_MAY, NO_FALLBACK, 0, BY_LOOKUP);
    write_seed(dir, "may-tls", 1, 0, TLS_LEV_MAY, NO_FALLBACK, 1, BY_NEXTHOP);
    write_seed(dir, "may-retry", 1, 0, TLS_LEV_NONE, NO_FALLBACK, 0, BY_NEXTHOP);
    write_seed(dir, "secure", 7, 2, TLS_LEV_SECURE, NO_FALLBACK, 1, BY_DELAY);
    write_seed(dir, "secure-encrypt", 7, 2, TLS_LEV_ENCRYPT, TLS_LEV_SECURE,
	       TLS_OBSTACLE_MISMATCH, 1, BY_NEXTHOP);
    write_seed(dir, "secure-may-clear", 7, 1, TLS_LEV_MAY, TLS_LEV_SECURE,
	       TLS_OBSTACLE_NOSTARTTLS, 0, BY_LOOKUP);
    write_seed(dir, "secure-delay", 7, 1, TLS_LEV_MAY, TLS_LEV_SECURE,
	       TLS_OBSTACLE_NOSTARTTLS, 0, BY_DELAY);
    write_seed(dir, "dane-only-tlsa", 5, 2, TLS_LEV_ENCRYPT, TLS_LEV_DANE_ONLY,
	       LOOKUP_OBSTACLE, 1, BY_FALLBACK);
    write_seed(dir, "fingerprint-may-retry", 3, 1, TLS_LEV_NONE,
	       TLS_LEV_FPRINT, TLS_OBSTACLE_HANDSHAKE, 0, BY_LOOKUP);
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
    why = dsb_create();
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
    int     how;
    int     fd;

    if (len < 2)
	return (0);
    level = policy_levels[data[0] % COUNT(policy_levels)];
    fallback = fallback_levels[data[1] % COUNT(fallback_levels)];
    how = data[0] / COUNT(policy_levels) % BY_COUNT;
    set_policy(level, fallback, how);
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
	if (smtp_tls_reuse_ok(state)) {
	    smtp_tls_reuse(state);
	    check_session(how);
	}
	smtp_session_free(state->session);
	state->session = 0;
    }
    close_streams();
    return (0);
}
