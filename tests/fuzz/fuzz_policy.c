/*++
/* NAME
/*	fuzz_policy 1
/* SUMMARY
/*	the fallback attribute of TLS policy table entries
/* DESCRIPTION
/*	The first byte of the input chooses what DNS says; the rest is a
/*	table entry. Compared are the entry as it is, and the same entry with
/*	the attribute appended: that must not change what the entry
/*	means, except that an obstacle can be followed by a fallback.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#define _GNU_SOURCE			/* strcasestr() */
#include "fuzz.h"
#include <netinet/in.h>
#include <dict.h>
#include <dns.h>
#include <mail_params.h>
#include <maps.h>
#undef STR
#include "smtp.h"

 /*
  * What the functions that we replace say. Without that, input could read
  * files and send DNS queries.
  */
static char *table_entry;
static int dns_says;

#define DNS_TLSA_OK		0
#define DNS_TLSA_ERROR		1
#define DNS_TLSA_NONE		2
#define DNS_TLSA_UNUSABLE	3
#define DNS_INSECURE_MX		4
#define DNS_CHOICES		5

 /*
  * Postfix 3.9 and later support raw public keys, which have a fingerprint of
  * the key only.
  */
#ifdef TLS_CERT_FLAG_PRESENT
#define PKEY_ONLY(arg)
#else
#define PKEY_ONLY(arg)	arg,
#endif

extern const char *__wrap_maps_find(MAPS *, const char *, int);
extern TLS_DANE *__wrap_tls_dane_resolve(unsigned, const char *, DNS_RR *, int);
extern int __wrap_tls_dane_load_trustfile(TLS_DANE *, const char *);
extern void __wrap_tls_dane_add_fpt_digests(TLS_DANE *, PKEY_ONLY(int) const char *, const char *, int);

const char *__wrap_maps_find(MAPS *unused_maps, const char *unused_name,
			             int unused_flags)
{
    return (table_entry);
}

int     __wrap_tls_dane_load_trustfile(TLS_DANE *unused_dane, const char *path)
{
    return (*path == '/');
}

/* add_tlsa - something to match */

static void add_tlsa(TLS_DANE *dane)
{
    TLS_TLSA *tlsa = (TLS_TLSA *) mymalloc(sizeof(*tlsa));

    memset((void *) tlsa, 0, sizeof(*tlsa));
    tlsa->data = (unsigned char *) mymalloc(1);
    tlsa->next = dane->tlsa;
    dane->tlsa = tlsa;
}

void    __wrap_tls_dane_add_fpt_digests(TLS_DANE *dane,
				            PKEY_ONLY(int unused_pkey_only)
					        const char *digest,
				         const char *unused_delim, int unused_mode)
{
    if (ISALNUM(*digest))
	add_tlsa(dane);
}

TLS_DANE *__wrap_tls_dane_resolve(unsigned unused_port, const char *unused_proto,
				          DNS_RR *unused_rr, int unused_force)
{
    TLS_DANE *dane;

    if (dns_says == DNS_TLSA_ERROR)
	return (0);
    dane = tls_dane_alloc();
    dane->base_domain = mystrdup("mx.example");
    if (dns_says == DNS_TLSA_NONE) {
	dane->flags = TLS_DANE_FLAG_NORRS;
    } else if (dns_says == DNS_TLSA_UNUSABLE) {
	dane->flags = TLS_DANE_FLAG_EMPTY;
    } else {
	add_tlsa(dane);
    }
    return (dane);
}

/* look_up - policy for this table entry */

static int look_up(SMTP_STATE *state, const char *entry, SMTP_TLS_POLICY *tls)
{
    int     ok;

    table_entry = mystrdup(entry);
    ok = smtp_tls_policy_cache_query(state->why, tls, state->iterator);
    myfree(table_entry);
    MUST(ok == (tls->level != TLS_LEV_INVALID));
    MUST(ok || STR(state->why->status)[0] == '4');
    return (ok);
}

/* check_policy - what must hold for every accepted entry */

static void check_policy(const SMTP_TLS_POLICY *tls)
{
    const SMTP_TLS_FALLBACK *fb = &tls->fb;

    MUST(tls->level >= TLS_LEV_NONE && tls->level <= TLS_LEV_SECURE);
    MUST(fb->allowed == TLS_LEV_NONE || fb->allowed == TLS_LEV_MAY
	 || fb->allowed == TLS_LEV_ENCRYPT);
    MUST(fb->allowed == TLS_LEV_NONE || TLS_MUST_MATCH(fb->configured));
    MUST(fb->cleartext == 0);
    if (SMTP_TLS_FELL_BACK(tls)) {
	MUST(fb->policy == fb->configured);
	MUST(fb->reason == fb->obstacle && fb->reason != TLS_OBSTACLE_NONE);
	MUST(fb->rule == TLS_FALLBACK_RULE_NONE);
	MUST(tls->level == fb->allowed);
    } else {
	MUST(fb->reason == TLS_OBSTACLE_NONE);
    }
}

int     LLVMFuzzerInitialize(int *unused_argc, char ***unused_argv)
{
    msg_output(fuzz_message);
    smtp_mode = 1;
    smtp_host_lookup_mask = SMTP_HOST_FLAG_DNS;
    smtp_dns_support = SMTP_DNS_DNSSEC;
    smtp_tls_insecure_mx_policy = TLS_LEV_DANE;
    smtp_tls_ctx = (TLS_APPL_STATE *) mymalloc(1);	/* not null */
    var_smtp_tls_level = "none";
    var_smtp_tls_policy = "static:replaced";
    var_smtp_tls_per_site = var_smtp_tls_sni = var_smtp_tls_tafile = "";
    var_smtp_tls_fallback_level = var_smtp_sasl_passwd = "";
    var_smtp_tls_proto = var_smtp_tls_mand_proto = "";
    var_smtp_tls_ciph = var_smtp_tls_mand_ciph = "medium";
    var_smtp_tls_excl_ciph = var_smtp_tls_mand_excl = "";
    var_smtp_tls_fpt_cmatch = "";
    var_smtp_tls_fpt_dgst = "sha256";
    var_smtp_tls_sec_cmatch = "nexthop, dot-nexthop";
    var_smtp_tls_vfy_cmatch = "hostname";
    smtp_tls_list_init();
    smtp_tls_fallback_init();
    return (0);
}

int     LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static VSTRING *entry;
    static SMTP_STATE *state;
    static DELIVER_REQUEST request;
    static DNS_RR rr;
    static const char *const values[] = {"none", "may", "encrypt"};
    static const int levels[] = {TLS_LEV_NONE, TLS_LEV_MAY, TLS_LEV_ENCRYPT};
    SMTP_TLS_POLICY plain;
    SMTP_TLS_POLICY tls;
    int     choice;
    int     plain_ok;
    int     ok;

    if (len < 1)
	return (0);
    if (state == 0) {
	entry = vstring_alloc(100);
	state = smtp_state_alloc();
	state->request = &request;
	rr.qname = rr.rname = "mx.example";
	SMTP_ITER_INIT(state->iterator, "example", "mx.example", "192.0.2.1",
		       htons(25), state);
	state->iterator->rr = state->iterator->mx = &rr;
    }
    dns_says = data[0] % DNS_CHOICES;
    choice = data[0] / DNS_CHOICES % 3;
    rr.dnssec_valid = (dns_says != DNS_INSECURE_MX);
    fuzz_string(entry, data + 1, len - 1);

    /*
     * As it is. The text is alive until the cache is flushed.
     */
    plain_ok = look_up(state, STR(entry), &plain);
    if (plain_ok)
	check_policy(&plain);
    smtp_tls_policy_cache_flush();
    if (strcasestr(STR(entry), "fallback") != 0)
	return (0);
    MUST(plain.fb.allowed <= TLS_LEV_NONE);
    MUST(!SMTP_TLS_FELL_BACK(&plain));

    /*
     * With the attribute. A brace that was left open would swallow it.
     */
    if (strchr(STR(entry), CHARS_BRACE[0]) != 0)
	return (0);
    vstring_sprintf_append(entry, " fallback=%s", values[choice]);
    ok = look_up(state, STR(entry), &tls);
    if (ok)
	check_policy(&tls);
    if (plain_ok && ok) {
	MUST(tls.level == plain.level && !SMTP_TLS_FELL_BACK(&tls));
	MUST(tls.fb.allowed == levels[choice]
	     || (tls.level == TLS_LEV_NONE && tls.fb.allowed == TLS_LEV_NONE));
    } else if (plain_ok) {
	MUST(!TLS_MUST_MATCH(plain.fb.configured));
    } else if (ok) {
	MUST(SMTP_TLS_FELL_BACK(&tls) && tls.fb.allowed == levels[choice]);
	MUST(dns_says != DNS_TLSA_OK);
    }
    smtp_tls_policy_cache_flush();
    return (0);
}
