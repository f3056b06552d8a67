/*++
/* NAME
/*	tls_audit_cert 3
/* SUMMARY
/*	what a server certificate would have been good for
/* SYNOPSIS
/*	#include <tls_audit_cert.h>
/*
/*	TLS_AUDIT_CERT *tls_audit_cert(tls_context)
/*	TLS_SESS_STATE *tls_context;
/*
/*	const char *tls_audit_cert_error(cert)
/*	const TLS_AUDIT_CERT *cert;
/*
/*	const char *tls_audit_cert_expires(result, cert)
/*	VSTRING *result;
/*	TLS_AUDIT_CERT *cert;
/*
/*	int	tls_audit_cert_match(cert, patterns, nexthop, host)
/*	TLS_AUDIT_CERT *cert;
/*	const ARGV *patterns;
/*	const char *nexthop;
/*	const char *host;
/*
/*	void	tls_audit_cert_free(cert)
/*	TLS_AUDIT_CERT *cert;
/*
/*	int	tls_audit_cert_print(print_fn, stream, flags, ptr)
/*	ATTR_PRINT_COMMON_FN print_fn;
/*	VSTREAM *stream;
/*	int	flags;
/*	const void *ptr;
/*
/*	int	tls_audit_cert_scan(scan_fn, stream, flags, ptr)
/*	ATTR_SCAN_COMMON_FN scan_fn;
/*	VSTREAM *stream;
/*	int	flags;
/*	void	*ptr;
/* DESCRIPTION
/*	This module answers, after a TLS handshake and without any
/*	effect on its result, whether the server certificate would
/*	have satisfied the levels "verify" and "secure". OpenSSL verifies the
/*	certificate chain at all levels; what is left to do is to apply
/*	the limits that OpenSSL has only with a level that authenticates,
/*	and to compare names. The rules are those of tls_client(3).
/*
/*	tls_audit_cert() returns what is known about the certificate
/*	of a server. This is computed when it is asked for the first
/*	time, while the session is with this process, and is kept in
/*	the TLS session state. The result is a null pointer when the
/*	session is with tlsproxy(8), and when that was not asked for the
/*	certificate.
/*
/*	tls_audit_cert_error() returns OpenSSL's text for the first
/*	verification error, or a null pointer when there was none, or
/*	when there is no certificate. A name that does not match
/*	is no error in this sense.
/*
/*	tls_audit_cert_expires() returns the end of the validity of the
/*	certificate in UTC, formatted as with RFC 3339, or a null
/*	pointer when there is no certificate.
/*
/*	tls_audit_cert_match() returns non-zero when the certificate
/*	chain is trusted as with "verify" and "secure", and when a name in
/*	the certificate matches one of the patterns.
/*
/*	tls_audit_cert_free() destroys a result from tls_audit_cert().
/*	It does nothing with a null pointer.
/*
/*	tls_audit_cert_print() and tls_audit_cert_scan() send
/*	and receive a possibly null TLS_AUDIT_CERT pointer, for use with
/*	SEND_ATTR_FUNC(tls_audit_cert_print, (const void *) cert) and
/*	RECV_ATTR_FUNC(tls_audit_cert_scan, (void *) &cert). The
/*	scan result is -1 when the information is incomplete.
/*
/*	Arguments:
/* .IP tls_context
/*	TLS session state, after the handshake.
/* .IP cert
/*	Result from tls_audit_cert().
/* .IP result
/*	Storage for the result. The buffer is overwritten.
/* .IP patterns
/*	Names as with smtp_tls_secure_cert_match.
/* .IP nexthop
/*	The destination domain, that the pattern "nexthop" stands for.
/* .IP host
/*	The server name, that the pattern "hostname" stands for.
/* BUGS
/*	When a TLS session is resumed, OpenSSL has the server certificate
/*	and the verification result of the first handshake, but not the
/*	rest of the chain. The limits for keys and signatures are then
/*	not applied to issuer certificates. With TLSA records or
/*	fingerprints, where OpenSSL did not verify the chain as with
/*	"secure", a resumed session does not match.
/*
/*	Protocols and ciphers of the TLS connection are not compared with
/*	those that are mandatory with "verify" and "secure".
/* SEE ALSO
/*	tls_audit(3) TLS audit template
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

#ifdef STRCASECMP_IN_STRINGS_H
#include <strings.h>
#endif

/* Utility library. */

#include <argv.h>
#include <attr.h>
#include <midna_domain.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstring.h>

/* TLS library. */

#include <tls.h>
#include <tls_audit_cert.h>

#define STR(x)	vstring_str(x)
#define LEN(x)	VSTRING_LEN(x)

 /*
  * Levels that use TLSA records or fingerprints, instead of the trusted
  * authorities.
  */
#define DANE_VERIFIED(level) \
	(TLS_DANE_BASED(level) || (level) == TLS_LEV_FPRINT)

 /*
  * OpenSSL security level 1, that tls_client(3) uses with levels that
  * authenticate.
  */
#define MIN_SECURITY_LEVEL	1
#define MIN_SECURITY_BITS	80

/* strong_key - is the public key good enough? */

static int strong_key(X509 *x509)
{
    EVP_PKEY *pkey = X509_get0_pubkey(x509);

    return (pkey != 0 && EVP_PKEY_security_bits(pkey) >= MIN_SECURITY_BITS);
}

/* strong_signature - is the issuer's signature good enough? */

static int strong_signature(X509 *x509)
{
    int     bits;

    return (X509_get_signature_info(x509, (int *) 0, (int *) 0, &bits,
				    (uint32_t *) 0) != 0
	    && bits >= MIN_SECURITY_BITS);
}

/* weak_error - apply the limits of OpenSSL security level 1 */

static int weak_error(SSL *con, X509 *leaf)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(con);
    int     count;
    int     i;

    if (!strong_key(leaf))
	return (X509_V_ERR_EE_KEY_TOO_SMALL);
    if (chain == 0)				/* resumed */
	return (strong_signature(leaf) ? X509_V_OK : X509_V_ERR_CA_MD_TOO_WEAK);

    /*
     * Nobody depends on the signature of the trust anchor.
     */
    count = sk_X509_num(chain);
    for (i = 0; i < count; i++) {
	if (!strong_key(sk_X509_value(chain, i)))
	    return (X509_V_ERR_CA_KEY_TOO_SMALL);
	if (i < count - 1 && !strong_signature(sk_X509_value(chain, i)))
	    return (X509_V_ERR_CA_MD_TOO_WEAK);
    }
    return (X509_V_OK);
}

/* verify_again - verify as if there were no TLSA records or fingerprints */

static int verify_again(SSL *con, X509 *leaf)
{
    X509_STORE_CTX *ctx;
    X509_VERIFY_PARAM *param;
    int     error = X509_V_ERR_UNSPECIFIED;

    if (SSL_session_reused(con) || (ctx = X509_STORE_CTX_new()) == 0)
	return (error);
    if (X509_STORE_CTX_init(ctx, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(con)),
			    leaf, SSL_get_peer_cert_chain(con)) == 1
	&& X509_STORE_CTX_set_default(ctx, "ssl_server") == 1) {
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_auth_level(param, MIN_SECURITY_LEVEL);
	X509_VERIFY_PARAM_set_depth(param, SSL_get_verify_depth(con));
	if (X509_verify_cert(ctx) == 1)
	    error = X509_V_OK;
	else
	    error = X509_STORE_CTX_get_error(ctx);
    }
    X509_STORE_CTX_free(ctx);
    return (error);
}

/* handshake_error - first verification error, other than of the name */

static int handshake_error(TLS_SESS_STATE *tls)
{
    int     result = SSL_get_verify_result(tls->con);

    /*
     * There is no detailed error when a session was resumed. A mismatch may
     * hide an error that is found later, with a release from before August
     * 2025.
     */
    if (tls->errorcode != X509_V_OK
	&& tls->errorcode != X509_V_ERR_HOSTNAME_MISMATCH)
	return (tls->errorcode);
    return (result == X509_V_ERR_HOSTNAME_MISMATCH ? X509_V_OK : result);
}

/* tls_audit_cert - what is known about the server certificate */

TLS_AUDIT_CERT *tls_audit_cert(TLS_SESS_STATE *tls)
{
    TLS_AUDIT_CERT *cert;

    if (tls->audit_cert != 0 || tls->con == 0)
	return (tls->audit_cert);

    cert = (TLS_AUDIT_CERT *) mymalloc(sizeof(*cert));
    cert->resumed = tls->session_reused;
    cert->error = cert->chain_error = handshake_error(tls);
    cert->der = 0;
    if ((cert->x509 = TLS_PEEK_PEER_CERT(tls->con)) != 0) {
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	X509_up_ref(cert->x509);
#endif
	if (DANE_VERIFIED(tls->level))
	    cert->chain_error = verify_again(tls->con, cert->x509);
	else if (cert->error == X509_V_OK && !TLS_MUST_MATCH(tls->level))
	    cert->error = cert->chain_error = weak_error(tls->con, cert->x509);
	ERR_clear_error();
    }
    return (tls->audit_cert = cert);
}

/* tls_audit_cert_free - destroy */

void    tls_audit_cert_free(TLS_AUDIT_CERT *cert)
{
    if (cert == 0)
	return;
    if (cert->der)
	vstring_free(cert->der);
    if (cert->x509)
	X509_free(cert->x509);
    myfree((void *) cert);
}

/* parsed - the certificate, parsed when it is needed */

static X509 *parsed(TLS_AUDIT_CERT *cert)
{
    const unsigned char *cp;

    if (cert->x509 == 0 && cert->der != 0 && LEN(cert->der) > 0) {
	cp = (const unsigned char *) STR(cert->der);
	cert->x509 = d2i_X509((X509 **) 0, &cp, LEN(cert->der));
	ERR_clear_error();
    }
    return (cert->x509);
}

/* tls_audit_cert_error - text for verification error */

const char *tls_audit_cert_error(const TLS_AUDIT_CERT *cert)
{
    return (cert->error == X509_V_OK ? 0 :
	    X509_verify_cert_error_string(cert->error));
}

/* tls_audit_cert_expires - end of validity */

const char *tls_audit_cert_expires(VSTRING *result, TLS_AUDIT_CERT *cert)
{
    X509   *x509 = parsed(cert);
    struct tm tm;

    if (x509 == 0 || ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm) != 1)
	return (0);
    vstring_sprintf(result, "%04d-%02d-%02dT%02d:%02d:%02dZ",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		    tm.tm_hour, tm.tm_min, tm.tm_sec);
    return (STR(result));
}

/* full_stop - length of a leading dot, or of what IDNA takes for one */

static int full_stop(const char *name)
{
#ifndef NO_EAI
    static const char *const others[] = {
	"\343\200\202", "\357\274\216", "\357\275\241", 0,
    };
    const char *const *cpp;

    for (cpp = others; *cpp; cpp++)
	if (strncmp(name, *cpp, 3) == 0 && name[3] != 0)
	    return (3);
#endif
    return (*name == '.' && name[1] != 0);
}

/* expand_pattern - the name that a pattern stands for, null if there is none */

static const char *expand_pattern(VSTRING *result, const char *pattern,
				        const char *nexthop, const char *host)
{
    const char *name = pattern;
    const char *aname;
    int     subdomains = 0;
    int     dot;

    if (strcasecmp(pattern, "nexthop") == 0) {
	name = nexthop;
    } else if (strcasecmp(pattern, "dot-nexthop") == 0) {
	name = nexthop;
	subdomains = 1;
    } else if (strcasecmp(pattern, "hostname") == 0) {
	name = host;
    } else if ((dot = full_stop(pattern)) > 0) {
	name = pattern + dot;
	subdomains = 1;
    }
    if (name == 0 || *name == 0 || strcmp(name, ".") == 0)
	return (0);
#ifndef NO_EAI
    if (!allascii(name) && (aname = midna_domain_to_ascii(name)) != 0)
	name = aname;
#endif
    vstring_strcpy(result, subdomains ? "." : "");
    vstring_strcat(result, name);
    return (STR(result));
}

 /*
  * OpenSSL 3 takes a name for an IP address when it looks like one, and then
  * asks for that address in addition to any of the names.
  */
#if OPENSSL_VERSION_NUMBER >= 0x30000000L

static int is_address(const char *name)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);

    if (address == 0)
	return (0);
    ASN1_OCTET_STRING_free(address);
    return (1);
}

#else
#define is_address(name)	(0)
#endif

#define MAY_BE_ADDRESS(name) \
	((name)[strspn((name), "0123456789.")] == 0 || strchr((name), ':') != 0)

/* tls_audit_cert_match - would this certificate have been accepted? */

int     tls_audit_cert_match(TLS_AUDIT_CERT *cert, const ARGV *patterns,
			           const char *nexthop, const char *host)
{
    static VSTRING *buf;
    X509   *x509;
    const char *name;
    int     names = 0;
    int     name_ok = 0;
    int     addresses = 0;
    int     address_ok = 0;
    int     i;

    if (cert->chain_error != X509_V_OK || (x509 = parsed(cert)) == 0)
	return (0);
    if (buf == 0)
	buf = vstring_alloc(100);

    for (i = 0; i < patterns->argc; i++) {
	if ((name = expand_pattern(buf, patterns->argv[i], nexthop, host)) == 0)
	    continue;
	if (MAY_BE_ADDRESS(name) && is_address(name)) {
	    if (addresses++ == 0)
		address_ok = (X509_check_ip_asc(x509, name, 0) == 1);
	} else if (names++, !name_ok) {
	    name_ok = (X509_check_host(x509, name, LEN(buf),
				       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
				       (char **) 0) == 1);
	}
    }
    ERR_clear_error();
    return (names + addresses > 0
	    && (names == 0 || name_ok) && (addresses == 0 || address_ok));
}

 /*
  * These names appear only here.
  */
#define TLS_ATTR_AUDIT_CERT_KNOWN	"audit_cert_known"
#define TLS_ATTR_AUDIT_CERT_RESUMED	"audit_cert_resumed"
#define TLS_ATTR_AUDIT_CERT_ERROR	"audit_cert_error"
#define TLS_ATTR_AUDIT_CERT_CHAIN	"audit_cert_chain_error"
#define TLS_ATTR_AUDIT_CERT_DER		"audit_cert_der"

/* encode - the certificate as it was received */

static VSTRING *encode(const TLS_AUDIT_CERT *cert)
{
    VSTRING *der;
    unsigned char *cp;
    int     len;

    if (cert->der)
	return (cert->der);
    der = vstring_alloc(1);
    if (cert->x509 != 0 && (len = i2d_X509(cert->x509, (unsigned char **) 0)) > 0) {
	VSTRING_SPACE(der, len);
	cp = (unsigned char *) STR(der);
	(void) i2d_X509(cert->x509, &cp);
	vstring_set_payload_size(der, len);
    }
    return (der);
}

/* tls_audit_cert_print - send to the process that logs the record */

int     tls_audit_cert_print(ATTR_PRINT_COMMON_FN print_fn, VSTREAM *fp,
			             int flags, const void *ptr)
{
    const TLS_AUDIT_CERT *cert = (const TLS_AUDIT_CERT *) ptr;
    VSTRING *der;
    int     ret;

    if (cert == 0)
	return (print_fn(fp, flags | ATTR_FLAG_MORE,
			 SEND_ATTR_INT(TLS_ATTR_AUDIT_CERT_KNOWN, 0),
			 ATTR_TYPE_END));
    der = encode(cert);
    ret = print_fn(fp, flags | ATTR_FLAG_MORE,
		   SEND_ATTR_INT(TLS_ATTR_AUDIT_CERT_KNOWN, 1),
		   SEND_ATTR_INT(TLS_ATTR_AUDIT_CERT_RESUMED, cert->resumed),
		   SEND_ATTR_INT(TLS_ATTR_AUDIT_CERT_ERROR, cert->error),
		   SEND_ATTR_INT(TLS_ATTR_AUDIT_CERT_CHAIN, cert->chain_error),
		   SEND_ATTR_DATA(TLS_ATTR_AUDIT_CERT_DER,
				  (ssize_t) LEN(der), STR(der)),
		   ATTR_TYPE_END);
    if (der != cert->der)
	vstring_free(der);
    return (ret);
}

/* tls_audit_cert_scan - receive in the process that logs the record */

int     tls_audit_cert_scan(ATTR_SCAN_COMMON_FN scan_fn, VSTREAM *fp,
			            int flags, void *ptr)
{
    TLS_AUDIT_CERT *cert;
    int     known;

    *(TLS_AUDIT_CERT **) ptr = 0;
    if (scan_fn(fp, flags | ATTR_FLAG_MORE,
		RECV_ATTR_INT(TLS_ATTR_AUDIT_CERT_KNOWN, &known),
		ATTR_TYPE_END) != 1)
	return (-1);
    if (!known)
	return (1);

    cert = (TLS_AUDIT_CERT *) mymalloc(sizeof(*cert));
    cert->x509 = 0;
    cert->der = vstring_alloc(2000);
    if (scan_fn(fp, flags | ATTR_FLAG_MORE,
		RECV_ATTR_INT(TLS_ATTR_AUDIT_CERT_RESUMED, &cert->resumed),
		RECV_ATTR_INT(TLS_ATTR_AUDIT_CERT_ERROR, &cert->error),
		RECV_ATTR_INT(TLS_ATTR_AUDIT_CERT_CHAIN, &cert->chain_error),
		RECV_ATTR_DATA(TLS_ATTR_AUDIT_CERT_DER, cert->der),
		ATTR_TYPE_END) != 4) {
	tls_audit_cert_free(cert);
	return (-1);
    }
    *(TLS_AUDIT_CERT **) ptr = cert;
    return (1);
}

#endif
