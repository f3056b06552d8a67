"""The cases that a reviewer asks for first.

Each line of CASES is one destination: what its server does, what its policy
is, and what must have happened, in full.  Every one of them runs over smtp and
over lmtp.  What a case does not say about its audit line (protocol, cipher,
digests, key exchange, ...) is taken from what the server recorded.
"""

import dataclasses

import pytest

from testenv import messages
from testenv.harness import (Audit, Behaviour, Case, Expect, Fell, Refused)
from testenv.pki import Cert

B = Behaviour

# Servers.
GOOD = B()
WRONG_NAME = B(cert=Cert(names=("other.example",)))
UNKNOWN_CA = B(cert=Cert(issuer="other"))
SELF_SIGNED = B(cert=Cert(issuer="self"))
EXPIRED = B(cert=Cert(expired=True))
NO_STARTTLS = B(starttls="absent")
REFUSED_454 = B(starttls="454 4.7.0 not now")
REFUSED_502 = B(starttls="502 5.5.1 no such command")
CLOSES = B(handshake="close")
ALERTS = B(handshake="alert")
OLD_TLS = B(tls=("TLSv1_2", "TLSv1_2"))

SECURE = "secure match=hostname"
FINGERPRINT = "fingerprint match=" + ":".join(["00"] * 32)


def delivered(audit, **more):
    """Delivered once, with this audit line."""
    return Expect(audit=(audit,), **more)


def deferred(dsn, reason, **more):
    """Not delivered; without an audit line, since no data was sent."""
    return Expect(status="deferred", dsn=dsn, reason=reason,
                  **{"messages": 0, **more})


def fell(policy, level, reason, detail, auth, **more):
    """Delivered after one fallback."""
    return delivered(Audit(level, policy, auth, policy=policy, reason=reason),
                     warnings=(Fell(policy, level, reason, detail),), **more)


NOT_VERIFIED = deferred("4.7.5", "Server certificate not verified")
NOT_OFFERED = deferred(
    "4.7.4", "TLS is required, but was not offered by host {namaddr}",
    handshakes=0)
NOT_STARTED = deferred("4.7.5", "Cannot start TLS: handshake failure")
IN_CLEAR = {"handshakes": 0, "clear_mails": 1}
TWICE = {"connections": 2, "handshakes": 1, "clear_mails": 1}
THRICE = {"connections": 3, "handshakes": 2, "clear_mails": 1}
BROKEN = Fell("secure", "may", "handshake", messages.HANDSHAKE)


def lost(where, rule=()):
    return deferred("4.4.2", messages.LOST % messages.WHILE[where],
                    warnings=rule)


# Name, server, policy, fallback, what must have happened; and more fields.
TABLE = [
    # No obstacle: nothing but the audit line.
    ("none", GOOD, "none", "",
     delivered(Audit("none", "none", "Cleartext"), **IN_CLEAR)),
    ("may", UNKNOWN_CA, "may", "", delivered(Audit("may", "may", "Untrusted"))),
    ("may-nostarttls", NO_STARTTLS, "may", "",
     delivered(Audit("may", "may", "Cleartext"), **IN_CLEAR)),
    ("may-handshake-old", CLOSES, "may", "",
     delivered(Audit("may", "may", "Cleartext"), **TWICE), {"old": True}),
    ("encrypt", GOOD, "encrypt", "",
     delivered(Audit("encrypt", "encrypt", "Trusted"))),
    ("encrypt-tls12", OLD_TLS, "encrypt", "",
     delivered(Audit("encrypt", "encrypt", "Trusted"))),
    ("encrypt-rsa-cert", B(cert=Cert(key="rsa"), curve="prime256v1"),
     "encrypt", "", delivered(Audit("encrypt", "encrypt", "Trusted"))),
    ("encrypt-rsa-kex", B(cert=Cert(key="rsa"), tls=("TLSv1_2", "TLSv1_2"),
                          ciphers="AES256-GCM-SHA384"),
     "encrypt", "", delivered(Audit("encrypt", "encrypt", "Trusted"))),
    ("verify", GOOD, "verify", "verify=may",
     delivered(Audit("verify", "verify", "Verified"))),
    ("secure", GOOD, SECURE, "secure=may",
     delivered(Audit("secure", "secure", "Verified"))),
    ("secure-sni", GOOD, SECURE + " servername=mx.sni.test", "",
     delivered(Audit("secure", "secure", "Verified"))),

    # mismatch
    ("mismatch", WRONG_NAME, SECURE, "", NOT_VERIFIED),
    ("mismatch-encrypt", WRONG_NAME, SECURE, "secure=encrypt",
     fell("secure", "encrypt", "mismatch", messages.WRONG_NAME,
          messages.NAMELESS)),
    ("mismatch-may", WRONG_NAME, SECURE, "secure=may",
     fell("secure", "may", "mismatch", messages.WRONG_NAME,
          messages.NAMELESS)),
    ("mismatch-verify", WRONG_NAME, "verify", "secure=may verify=encrypt",
     fell("verify", "encrypt", "mismatch", messages.WRONG_NAME,
          messages.NAMELESS)),
    ("mismatch-tls12", B(cert=WRONG_NAME.cert, tls=("TLSv1_2", "TLSv1_2")),
     SECURE, "secure=encrypt",
     fell("secure", "encrypt", "mismatch", messages.WRONG_NAME,
          messages.NAMELESS)),
    ("mismatch-fingerprint", GOOD, FINGERPRINT, "fingerprint=encrypt",
     fell("fingerprint", "encrypt", "mismatch", messages.NO_FINGERPRINT_MATCH,
          "Untrusted")),
    ("mismatch-fingerprint-unset", GOOD, FINGERPRINT, "", NOT_VERIFIED),
    ("mismatch-other-level", WRONG_NAME, SECURE, "verify=may, dane=may",
     NOT_VERIFIED),

    # untrusted
    ("untrusted", UNKNOWN_CA, SECURE, "", NOT_VERIFIED),
    ("untrusted-encrypt", UNKNOWN_CA, SECURE, "secure=encrypt",
     fell("secure", "encrypt", "untrusted", messages.UNKNOWN_CA, "Untrusted")),
    ("untrusted-may", UNKNOWN_CA, SECURE, "secure=may",
     fell("secure", "may", "untrusted", messages.UNKNOWN_CA, "Untrusted")),
    ("untrusted-self-signed", SELF_SIGNED, "verify", "verify=may",
     fell("verify", "may", "untrusted", messages.SELF_SIGNED, "Untrusted")),
    ("untrusted-expired", EXPIRED, SECURE, "secure=encrypt",
     fell("secure", "encrypt", "untrusted", messages.EXPIRED, "Untrusted")),

    # The policy table's attribute wins over the parameter.
    ("attribute-may", WRONG_NAME, SECURE + " fallback=may", "",
     fell("secure", "may", "mismatch", messages.WRONG_NAME,
          messages.NAMELESS)),
    ("attribute-encrypt", WRONG_NAME, SECURE + " fallback=encrypt",
     "secure=may",
     fell("secure", "encrypt", "mismatch", messages.WRONG_NAME,
          messages.NAMELESS)),
    ("attribute-none", WRONG_NAME, SECURE + " fallback=none", "secure=may",
     NOT_VERIFIED),
    ("upper-case", WRONG_NAME, SECURE + " fallback=MAY", "SECURE=Encrypt",
     fell("secure", "may", "mismatch", messages.WRONG_NAME,
          messages.NAMELESS)),

    # nostarttls
    ("nostarttls", NO_STARTTLS, SECURE, "", NOT_OFFERED),
    ("nostarttls-encrypt", NO_STARTTLS, SECURE, "secure=encrypt", NOT_OFFERED),
    ("nostarttls-may", NO_STARTTLS, SECURE, "secure=may",
     fell("secure", "may", "nostarttls", messages.NO_STARTTLS, "Cleartext",
          **IN_CLEAR)),
    ("nostarttls-policy-encrypt", NO_STARTTLS, "encrypt", "secure=may",
     NOT_OFFERED),

    # starttls-refused
    ("refused-454", REFUSED_454, SECURE, "secure=encrypt",
     deferred("4.7.0", "TLS is required, but host {namaddr} refused to start "
              "TLS: 454 4.7.0 not now", handshakes=0)),
    ("refused-454-may", REFUSED_454, SECURE, "secure=may",
     fell("secure", "may", "starttls-refused", messages.REFUSED_454,
          "Cleartext", **IN_CLEAR)),
    ("refused-502-may", REFUSED_502, FINGERPRINT, "fingerprint=may",
     fell("fingerprint", "may", "starttls-refused", messages.REFUSED_502,
          "Cleartext", **IN_CLEAR)),

    # handshake
    ("handshake-close", CLOSES, SECURE, "", NOT_STARTED, {"old": True}),
    ("handshake-close-encrypt", CLOSES, SECURE, "secure=encrypt", NOT_STARTED,
     {"old": True}),
    ("handshake-close-may-new", CLOSES, SECURE, "secure=may",
     dataclasses.replace(NOT_STARTED, connections=2, handshakes=2, warnings=(
         BROKEN, Refused("secure", "may", "handshake", "backoff")))),
    ("handshake-close-may-old", CLOSES, SECURE, "secure=may",
     dataclasses.replace(
         fell("secure", "may", "handshake", messages.HANDSHAKE, "Cleartext",
              **THRICE), warnings=(BROKEN,) * 2), {"old": True}),
    ("handshake-alert-may-old", ALERTS, SECURE, "secure=may",
     dataclasses.replace(
         fell("secure", "may", "handshake", messages.HANDSHAKE, "Cleartext",
              **THRICE), warnings=(BROKEN,) * 2), {"old": True}),
    ("handshake-protocol-may", OLD_TLS, SECURE + " protocols=TLSv1.3",
     "secure=may",
     fell("secure", "may", "handshake", messages.HANDSHAKE, "Trusted",
          connections=2, handshakes=2)),

    # tls-lost
    ("lost-mail", B(lose_in_tls="MAIL"), SECURE, "secure=encrypt",
     lost("MAIL"), {"old": True}),
    ("lost-mail-may-new", B(lose_in_tls="MAIL"), SECURE, "secure=may",
     lost("MAIL", (Refused("secure", "may", "tls-lost", "backoff"),))),
    *((
        f"lost-{where.lower()}-may-old", B(lose_in_tls=where), SECURE,
        "secure=may",
        fell("secure", "may", "tls-lost", messages.LOST % messages.WHILE[where],
             "Cleartext", **TWICE), {"old": True})
      for where in messages.WHILE),

    # wrappermode: nothing in cleartext, but a certificate may be forgiven.
    ("wrapper-mismatch-may", B(cert=WRONG_NAME.cert, wrapper=True, port=465),
     SECURE, "secure=may",
     fell("secure", "encrypt", "mismatch", messages.WRONG_NAME,
          messages.NAMELESS),
     {"nexthop": "[{host}]:465"}),
    ("wrapper-handshake-may-old", B(handshake="close", wrapper=True, port=465),
     SECURE, "secure=may",
     dataclasses.replace(NOT_STARTED, warnings=(
         Refused("secure", "may", "handshake", "wrappermode"),)),
     {"nexthop": "[{host}]:465", "old": True}),
    ("wrapper-lost-may-old", B(lose_in_tls="MAIL", wrapper=True, port=465),
     SECURE, "secure=may",
     lost("MAIL", (Refused("secure", "may", "tls-lost", "wrappermode"),)),
     {"nexthop": "[{host}]:465", "old": True}),

    # The final reply refuses: the data was sent, so there is a line.
    ("refused-at-dot", B(final_reply="554 5.7.1 not this one"), "encrypt", "",
     Expect(status="bounced", dsn="5.7.1", messages=0, audit=(
         Audit("encrypt", "encrypt", "Trusted", dsn="5.7.1"),))),
    ("deferred-at-dot", B(cert=WRONG_NAME.cert,
                          final_reply="451 4.3.0 later"),
     SECURE, "secure=encrypt",
     Expect(status="deferred", dsn="4.3.0", messages=0, warnings=(
         Fell("secure", "encrypt", "mismatch", messages.WRONG_NAME),),
            audit=(Audit("encrypt", "secure", messages.NAMELESS, policy="secure",
                         reason="mismatch", dsn="4.3.0"),))),
    # No data sent, no line.
    ("recipient-refused", B(rcpt_replies={"user": "550 5.1.1 unknown"}),
     "encrypt", "",
     Expect(status="bounced", dsn="5.1.1", messages=0)),
    # Several recipients are one transfer.
    ("three-recipients", GOOD, "encrypt", "",
     delivered(Audit("encrypt", "encrypt", "Trusted", nrcpt=3)),
     {"recipients": ("a", "b", "c")}),
    ("one-of-three-unknown", B(rcpt_replies={"b": "550 5.1.1 unknown"}),
     "encrypt", "",
     delivered(Audit("encrypt", "encrypt", "Trusted", nrcpt=2),
               statuses=(("5.1.1", "bounced"), ("2.0.0", "sent"),
                         ("2.0.0", "sent"))),
     {"recipients": ("a", "b", "c")}),
    # The other ways to write, or not to write, a template.
    ("no-template", WRONG_NAME, SECURE, "secure=may",
     Expect(warnings=(Fell("secure", "may", "mismatch",
                           messages.WRONG_NAME),)), {"template": ""}),
    # IPv6, and a literal address.
    ("literal-address", NO_STARTTLS, SECURE, "secure=may",
     fell("secure", "may", "nostarttls", messages.NO_STARTTLS, "Cleartext",
          **IN_CLEAR), {"nexthop": "[{addr}]"}),
    ("no-pipelining", B(cert=UNKNOWN_CA.cert, pipelining=False), SECURE,
     "secure=may",
     fell("secure", "may", "untrusted", messages.UNKNOWN_CA, "Untrusted")),
]


def make(agent, name, server, policy, fallback, expect, more=None):
    if agent == "lmtp":
        expect = as_lmtp(expect)
    return Case(f"{agent}-{name}", peers=(server,), policy=policy,
                fallback=fallback, agent=agent, expect=expect, **(more or {}))


def as_lmtp(expect):
    """LMTP says LHLO where SMTP says EHLO."""
    def change(text):
        return text.replace("the EHLO", "the LHLO")
    return dataclasses.replace(
        expect, reason=change(expect.reason),
        warnings=tuple(dataclasses.replace(warning,
                                           detail=change(warning.detail))
                       if isinstance(warning, Fell) else warning
                       for warning in expect.warnings))


CASES = [make(agent, *row) for row in TABLE for agent in ("smtp", "lmtp")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case, world):
    world.result(case).check(case.expect)


def plain_cases():
    """The cases for a comparison with the unpatched Postfix."""
    return CASES
