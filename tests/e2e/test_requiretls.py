"""REQUIRETLS (RFC 8689): what the sender's wish leaves of a fallback.

With "enforce" there is none, with "opportunistic+starttls" there is none to
cleartext, and with "opportunistic" the wish is no more than noted.  A server
that announces REQUIRETLS is asked for it.
"""

import dataclasses

import pytest

from testenv import messages
from testenv.harness import Audit, Behaviour, Case, Dns, Expect, Fell, Refused
from testenv.pki import Cert
from testenv.releases import applicable

B = Behaviour
SECURE = "secure match=hostname"
WRONG_NAME = Cert(names=("other.example",))

# The obstacles: policy, server, what is said of it, how it goes without a
# rule, and what Postfix says when it does not go.
REQUIRETLS = 1 << 5                     # of "sendmail -O requiretls=yes"
SENDER = "Sender requested REQUIRETLS, but "
OBSTACLES = {
    "mismatch": (
        SECURE, B(cert=WRONG_NAME), messages.WRONG_NAME, {},
        {"enforce": ("bounced", "5.7.10", SENDER + "no matching server "
                     "certificate was found. The last attempted server was "
                     "{namaddr}")}),
    "nostarttls": (
        SECURE, B(starttls="absent"), messages.NO_STARTTLS,
        {"handshakes": 0, "clear_mails": 1},
        dict.fromkeys(("enforce", "opportunistic+starttls"), (
            "bounced", "5.7.30", SENDER + "TLS service was not offered by "
            "host {namaddr}"))),
    "starttls-refused": (
        SECURE, B(starttls=messages.REFUSED_454), messages.REFUSED_454,
        {"handshakes": 0, "clear_mails": 1},
        dict.fromkeys(("enforce", "opportunistic+starttls"), (
            "bounced", "5.7.10", SENDER + "host {namaddr} refused to start "
            "TLS: " + messages.REFUSED_454))),
    "handshake": (
        SECURE, B(handshake="close"), messages.HANDSHAKE,
        {"connections": 3, "handshakes": 2, "clear_mails": 1},
        dict.fromkeys(("enforce", "opportunistic+starttls"), (
            "deferred", "4.7.5", messages.NOT_STARTED))),
    "tls-lost": (
        SECURE, B(lose_in_tls="MAIL"), messages.LOST % messages.WHILE["MAIL"],
        {"connections": 2, "clear_mails": 1},
        dict.fromkeys(("enforce", "opportunistic+starttls"), (
            "deferred", "4.4.2", messages.LOST % messages.WHILE["MAIL"]))),
    "tlsa-missing": (
        "dane-only", B(), "no TLSA records found", {},
        {"enforce": ("deferred", "4.7.5", "no TLSA records found")}),
}
POLICIES = ("enforce", "opportunistic+starttls", "opportunistic")
WAIT = ("handshake", "tls-lost")
BEFORE_CONNECTING = ("tlsa-missing",)
IN_CLEAR = ("nostarttls", "starttls-refused", "handshake", "tls-lost")


def outcome(reason, policy):
    """What must happen where this is the obstacle."""
    entry, _, detail, seen, fails = OBSTACLES[reason]
    level = entry.split()[0]
    fell = (Fell(level, "may", reason, detail),)
    if policy in fails:
        status, dsn, text = fails[policy]
        seen = {"handshakes": min(seen.get("handshakes", 1), 1)}
        warnings = (Refused(level, "may", reason, "requiretls"),)
        if reason in BEFORE_CONNECTING:
            seen = {"connections": 0, "handshakes": 0}
        elif reason == "handshake" and policy != "enforce":
            # TLS is tried again; it is cleartext that is forbidden.
            seen = {"connections": 2, "handshakes": 2}
            warnings = fell + warnings
        return Expect(status=status, dsn=dsn, reason=text, messages=0,
                      warnings=warnings, **seen)
    auth = ("Cleartext" if reason in IN_CLEAR
            else messages.NAMELESS if reason == "mismatch" else "Trusted")
    return Expect(audit=(Audit("may", level, auth, policy=level,
                               reason=reason),),
                  warnings=fell * (2 if reason == "handshake" else 1), **seen)


def make(reason, policy):
    entry, server, *_ = OBSTACLES[reason]
    level = entry.split()[0]
    dns = {"dns": Dns("none"), "nexthop": "{domain}"} if (
        level == "dane-only") else {}
    return Case(f"smtp-requiretls-{policy.replace('+', '-')}-{reason}",
                peers=(dataclasses.replace(server, features=("REQUIRETLS",)),),
                policy=entry, fallback=level + "=may",
                params=(("smtp_requiretls_policy", policy),),
                sendopts=REQUIRETLS, old=reason in WAIT,
                needs=("requiretls",), expect=outcome(reason, policy), **dns)


CASES = applicable(
    [make(reason, policy) for reason in OBSTACLES for policy in POLICIES]
    + [Case(f"smtp-requiretls-{policy.replace('+', '-')}-good",
            peers=(B(features=("REQUIRETLS",)),), policy=SECURE,
            fallback="secure=may",
            params=(("smtp_requiretls_policy", policy),),
            sendopts=REQUIRETLS, needs=("requiretls",),
            expect=Expect(audit=(Audit("secure", "secure", "Verified"),)))
       for policy in POLICIES])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_requiretls(case, world):
    result = world.result(case)
    result.check(case.expect)
    for event in result.commands("MAIL"):
        assert event["text"].endswith(" REQUIRETLS") == event["tls"]


def plain_cases():
    """The cases for a comparison with the unpatched Postfix."""
    return CASES
