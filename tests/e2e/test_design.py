"""Rules of the design that are not a row of the matrix: obstacles that follow
each other, local faults, and what else has a say in the TLS level."""

import dataclasses
import re

import pytest

from testenv import messages
from testenv.harness import (Audit, Behaviour, Case, Dns, Expect, Fell, Refused,
                     parse_audit)
from testenv.pki import Cert
from testenv.releases import applicable

B = Behaviour
SECURE = "secure match=hostname"
WRONG_NAME = Cert(names=("other.example",))
UNKNOWN_CA = Cert(issuer="other")
NO_TLSA = "no TLSA records found"
TWICE = {"connections": 2, "handshakes": 1, "clear_mails": 1}
IN_CLEAR = {"handshakes": 0, "clear_mails": 1}


def case_of(name, server, policy, fallback, expect, **more):
    return Case("smtp-" + name, peers=(server,), policy=policy,
                fallback=fallback, expect=expect, **more)


def dane(name, server, tlsa, policy, fallback, expect, **more):
    return case_of(name, server, policy, fallback, expect, dns=Dns(tlsa),
                   nexthop="{domain}", **more)


UNTRUSTED = Fell("secure", "may", "untrusted", messages.UNKNOWN_CA)
LOST = Fell("secure", "may", "tls-lost", messages.LOST % messages.WHILE["MAIL"])
MISSING = Fell("dane-only", "may", "tlsa-missing", NO_TLSA)

# The first obstacle is the reason, the level is the last, each is warned about.
FOLLOWING = [
    case_of("untrusted-lost", B(cert=UNKNOWN_CA, lose_in_tls="MAIL"), SECURE,
            "secure=may", Expect(
                audit=(Audit("may", "secure", "Cleartext", policy="secure",
                             reason="untrusted"),),
                warnings=(UNTRUSTED, LOST), **TWICE), old=True),
    case_of("untrusted-lost-young", B(cert=UNKNOWN_CA, lose_in_tls="MAIL"),
            SECURE, "secure=may", Expect(
                status="deferred", dsn="4.4.2", messages=0, warnings=(
                    UNTRUSTED, Refused("secure", "may", "tls-lost",
                                       "backoff")))),
    case_of("untrusted-lost-encrypt", B(cert=UNKNOWN_CA, lose_in_tls="MAIL"),
            SECURE, "secure=encrypt", Expect(
                status="deferred", dsn="4.4.2", messages=0, warnings=(
                    dataclasses.replace(UNTRUSTED, level="encrypt"),)),
            old=True),
    dane("missing-nostarttls", B(starttls="absent"), "none", "dane-only",
         "dane-only=may", Expect(
             audit=(Audit("may", "dane-only", "Cleartext", policy="dane-only",
                          reason="tlsa-missing"),),
             warnings=(MISSING, Fell("dane-only", "may", "nostarttls",
                                     messages.NO_STARTTLS)), **IN_CLEAR)),
    dane("missing-handshake", B(handshake="close"), "none", "dane-only",
         "dane-only=may", Expect(
             audit=(Audit("may", "dane-only", "Cleartext", policy="dane-only",
                          reason="tlsa-missing"),),
             warnings=(MISSING, Fell("dane-only", "may", "handshake",
                                     messages.HANDSHAKE)), **TWICE), old=True),
    dane("missing-nostarttls-encrypt", B(starttls="absent"), "none",
         "dane-only", "dane-only=encrypt", Expect(
             status="deferred", dsn="4.7.4", messages=0, handshakes=0,
             warnings=(dataclasses.replace(MISSING, level="encrypt"),))),
    # "dane" is "encrypt" when no TLSA record is usable; that may still fall.
    *(dane("unusable-nostarttls-" + kind, B(starttls="absent"), kind, "dane",
           "dane=may", Expect(
               audit=(Audit("may", "dane", "Cleartext", policy="dane",
                            reason="nostarttls"),),
               warnings=(Fell("dane", "may", "nostarttls",
                              messages.NO_STARTTLS),), **IN_CLEAR))
      for kind in ("pkix", "unusable")),
    dane("unusable-strict", B(starttls="absent"), "pkix", "dane", "",
         Expect(status="deferred", dsn="4.7.4", messages=0, handshakes=0)),
    # "dane" without TLSA records is "may": that is no fallback.
    dane("missing-may", B(starttls="absent"), "none", "dane", "dane=may",
         Expect(audit=(Audit("may", "dane", "Cleartext"),), **IN_CLEAR)),
]

# Local faults: no fallback hides them.
NOT_READABLE = "/nonexistent/ca.pem"
LOCAL = [
    case_of("local-protocols", B(), SECURE + " protocols=TLSv9",
            "secure=may", Expect(
                status="deferred", dsn="4.7.5", messages=0, handshakes=0,
                warnings=(Refused("secure", "may", "handshake",
                                  "local-config"),)), old=True),
    case_of("local-ciphers", B(), SECURE + " ciphers=bogus", "secure=may",
            Expect(status="deferred", dsn="4.7.5", messages=0, handshakes=0,
                   warnings=(Refused("secure", "may", "handshake",
                                     "local-config"),)), old=True),
    case_of("local-engine", B(), SECURE, "secure=may", Expect(
        status="deferred", dsn="4.7.5", messages=0, handshakes=0,
        reason="TLS is required, but our TLS engine is unavailable",
        warnings=(Refused("secure", "may", "handshake", "local-config"),)),
            params=(("smtp_tls_CAfile", NOT_READABLE),), old=True),
    case_of("local-dnssec", B(), "dane-only", "dane-only=may", Expect(
        status="deferred", dsn="4.7.5", messages=0, connections=0,
        handshakes=0, reason="client TLS configuration problem",
        warnings=(Refused("dane-only", "may", "tlsa-lookup",
                          "local-config"),))),
    case_of("local-fingerprint", B(), "fingerprint match=nothex",
            "fingerprint=may", Expect(
                status="deferred", dsn="4.7.5", messages=0, connections=0,
                handshakes=0, reason="client TLS configuration problem")),
    case_of("local-fingerprint-length", B(), "fingerprint match=AA:BB:CC",
            "fingerprint=may", Expect(
                status="deferred", dsn="4.7.5", messages=0,
                reason="Server certificate not verified",
                warnings=(Refused("fingerprint", "may", "mismatch",
                                  "local-config"),))),
    case_of("local-tafile", B(), SECURE + " tafile=" + NOT_READABLE,
            "secure=may", Expect(
                status="deferred", dsn="4.7.5", messages=0, connections=0,
                handshakes=0, reason="client TLS configuration problem")),
    case_of("local-table", B(), "", "secure=may", Expect(
        status="deferred", dsn="4.7.5", messages=0, connections=0,
        handshakes=0, reason="client TLS configuration problem"),
            params=(("smtp_tls_policy_maps", "fail:table"),)),
]

# A message must be old enough for a fallback, whatever the obstacle.
DELAY_MISMATCH = Expect(status="deferred", dsn="4.7.5", messages=0, warnings=(
    Refused("secure", "may", "mismatch", "delay"),))
FELL_MISMATCH = Expect(
    audit=(Audit("may", "secure", messages.NAMELESS, policy="secure",
                 reason="mismatch"),),
    warnings=(Fell("secure", "may", "mismatch", messages.WRONG_NAME),))
HOUR = (("smtp_tls_fallback_delay", "1h"),)
SECOND = (("smtp_tls_fallback_delay", "1s"),)
DELAY = [
    case_of("delay-mismatch", B(cert=WRONG_NAME), SECURE, "secure=may",
            DELAY_MISMATCH, params=HOUR),
    case_of("delay-good", B(), SECURE, "secure=may",
            Expect(audit=(Audit("secure", "secure", "Verified"),)),
            params=HOUR),
    case_of("delay-no-fallback", B(cert=WRONG_NAME), SECURE, "",
            dataclasses.replace(DELAY_MISMATCH, warnings=()), params=HOUR),
    case_of("delay-not-covered", B(starttls="absent"), SECURE,
            "secure=encrypt", Expect(status="deferred", dsn="4.7.4",
                                     messages=0, handshakes=0), params=HOUR),
    case_of("delay-nostarttls", B(starttls="absent"), SECURE, "secure=may",
            Expect(status="deferred", dsn="4.7.4", messages=0, handshakes=0,
                   warnings=(Refused("secure", "may", "nostarttls", "delay"),)),
            params=HOUR),
    case_of("delay-before-backoff", B(handshake="close"), SECURE, "secure=may",
            Expect(status="deferred", dsn="4.7.5", messages=0, warnings=(
                Refused("secure", "may", "handshake", "delay"),)), params=HOUR),
    dane("delay-missing", B(), "none", "dane-only", "dane-only=may", Expect(
        status="deferred", dsn="4.7.5", messages=0, connections=0,
        handshakes=0, reason=NO_TLSA, warnings=(
            Refused("dane-only", "may", "tlsa-missing", "delay"),)),
         params=HOUR),
    # The attribute wins over the parameter, either way.
    case_of("delay-attribute", B(cert=WRONG_NAME),
            SECURE + " fallback_delay=1h", "secure=may", DELAY_MISMATCH),
    case_of("delay-attributes", B(cert=WRONG_NAME),
            SECURE + " fallback_delay=60m fallback=may", "", DELAY_MISMATCH),
    case_of("delay-zero", B(cert=WRONG_NAME), SECURE + " fallback_delay=0",
            "secure=may", FELL_MISMATCH, params=HOUR),
    # When it is over.
    case_of("delay-over", B(cert=WRONG_NAME), SECURE, "secure=may",
            FELL_MISMATCH, params=SECOND, old=True),
    case_of("delay-over-attribute", B(cert=WRONG_NAME),
            SECURE + " fallback_delay=1s", "secure=may", FELL_MISMATCH,
            params=HOUR, old=True),
]

# Where the level comes from.
BY_PARAMETER = (("smtp_tls_security_level", "secure"),
                ("smtp_tls_secure_cert_match", "hostname"))
MAY_FALL = Expect(
    audit=(Audit("encrypt", "secure", messages.NAMELESS, policy="secure",
                 reason="mismatch"),),
    warnings=(Fell("secure", "encrypt", "mismatch", messages.WRONG_NAME),))
NO_TLS_REQUIRED = {"headers": ("TLS-Required: no",),
                   "needs": ("tls-required-header",)}
LEVEL = applicable([
    case_of("level-parameter", B(cert=WRONG_NAME), "", "secure=encrypt",
            MAY_FALL, params=BY_PARAMETER),
    # An unsigned MX record can make "dane" a "may": that is no fallback.
    case_of("level-insecure-mx", B(), "dane", "dane=encrypt",
            Expect(audit=(Audit("may", "dane", "Trusted"),)),
            dns=Dns("good", insecure_mx=True), nexthop="{domain}",
            params=(("smtp_tls_dane_insecure_mx_policy", "may"),)),
    case_of("tls-required-no", B(cert=WRONG_NAME), "", "secure=encrypt",
            Expect(audit=(Audit("may", "secure", "Trusted"),)),
            params=BY_PARAMETER, **NO_TLS_REQUIRED),
    case_of("tls-required-no-clear", B(starttls="absent"), "",
            "secure=encrypt",
            Expect(audit=(Audit("may", "secure", "Cleartext"),), **IN_CLEAR),
            params=BY_PARAMETER, **NO_TLS_REQUIRED),
])

# Over IPv6.
SIX = [dataclasses.replace(
    case_of("x", B(addr="::1", host="six.test", starttls="absent"), SECURE,
            "secure=may", Expect(
                audit=(Audit("may", "secure", "Cleartext", policy="secure",
                             reason="nostarttls"),),
                warnings=(Fell("secure", "may", "nostarttls",
                               messages.NO_STARTTLS),), **IN_CLEAR)),
    name=agent + "-ipv6", agent=agent) for agent in ("smtp", "lmtp")]

# A relay for what cannot be delivered otherwise.
RELAY = (("smtp_fallback_relay", "[{host1}]"),)
WITH_RELAY = [
    Case("smtp-relay-strict", peers=(B(cert=WRONG_NAME), B()), policy=SECURE,
         params=RELAY, expect=Expect(
             audit=(Audit("none", "none", "Cleartext", host=1,
                          nexthop="[{host}]"),),
             connections=2, handshakes=1, clear_mails=1)),
    Case("smtp-relay-lax", peers=(B(cert=WRONG_NAME), B()), policy=SECURE,
         fallback="secure=encrypt", params=RELAY, expect=MAY_FALL),
]


@pytest.mark.parametrize("case", FOLLOWING + LOCAL + DELAY + LEVEL + SIX
                         + WITH_RELAY,
                         ids=lambda case: case.name)
def test_design(case, world):
    world.result(case).check(case.expect)


# The administrator changes the table, and says so.
CHANGED = Case("smtp-reload", peers=(B(cert=WRONG_NAME),), params=(
    ("smtp_tls_policy_maps", "texthash:/etc/postfix/reloaded_policy"),))


@pytest.mark.parametrize("case", [CHANGED], ids=["reload"])
def test_policy_change_with_reload(case, world):
    def policy(text):
        world.postfix.write_table("reloaded_policy",
                                  {world.nexthop(case): text})
        world.postfix.reload()

    for text, level in (("", None), (" fallback=may", "may"),
                        (" fallback=encrypt", "encrypt"), ("", None)):
        policy(SECURE + text)
        message_id, = world.deliver(case)
        result = world.result(case, [message_id])
        lines = result.texts("tlsaudit: ")
        assert [parse_audit(line)["level"] for line in lines] == (
            [level] if level else [])
        assert [status[2] for status in result.statuses()] == [
            "sent" if level else "deferred"]
        assert len(result.texts("tls fallback: ")) == len(lines)


# What has no audit line of its own parses, and nothing is logged in error.
def test_no_panic_and_no_fatal_error(world):
    """Also the error paths end in an orderly way."""
    bad = [str(line) for line in world.postfix.log.lines
           if line.text.startswith(("panic: ", "fatal: "))
           or "killed by signal" in line.text
           or "bad command startup" in line.text]
    assert bad == []


def plain_cases():
    """The cases for a comparison with the unpatched Postfix."""
    return [*FOLLOWING, *LOCAL, *LEVEL, *SIX, *WITH_RELAY]


# What OpenSSL says of each way to break a handshake, in one version or the
# other, whether smtp(8) has the connection or tlsproxy(8).
BROKEN = {
    "close": (B(handshake="close"), "", "lost connection"
              "|unexpected eof while reading"),
    "alert": (B(handshake="alert"), "", ".*alert handshake failure"),
    "garbage": (B(handshake="garbage"), "", "wrong version number"
                "|packet length too long|record layer failure"),
    "no-protocol": (B(tls=("TLSv1_2", "TLSv1_2")), " protocols=TLSv1.3",
                    ".*alert protocol version|unsupported protocol"),
}
REASONS = [(words, Case(f"smtp-reason-{name}-{transport}",
                        peers=(server,), policy=SECURE + more,
                        fallback="secure=may", params=params, old=True,
                        expect=Expect()))
           for name, (server, more, words) in BROKEN.items()
           for transport, params in (
               ("direct", ()),
               ("proxy", (("smtp_tls_connection_reuse", "yes"),)))]


@pytest.mark.parametrize("words, case", REASONS,
                         ids=[case.name for _, case in REASONS])
def test_reason_of_a_broken_handshake(words, case, world):
    texts = world.result(case).texts("tls fallback: ")
    assert texts and re.search(messages.broken_handshake(words), texts[0])
