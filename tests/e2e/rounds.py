"""Lists of hosts, and what must happen with each.

A destination has several hosts, and each of them is something (KINDS).  The
oracle says who gets the message, how, and at what cost.  It is written from
the design's paragraph "Several hosts" and does not go through rounds: it looks
for the best that any host has to offer, and only then counts what finding it
costs.
"""

from dataclasses import dataclass

import details
from dnssec import Dns
from harness import Audit, Behaviour, Case, Expect, Fell, Refused
from pki import Cert

# All hosts of one kind show the same certificate, and no host has tickets, so
# that thousands of them need few TLS contexts.
NAME = "good.example"
LEVELS = {"secure": "secure match=" + NAME, "dane-only": "dane-only"}

STRICT, ENCRYPTED, CLEARTEXT, NOTHING = range(4)


def host(cert=Cert(names=(NAME,)), **more):
    return Behaviour(cert=cert, tickets=False, **more)


@dataclass(frozen=True)
class Kind:
    """What a host is."""

    letter: str                         # in the name of a case
    server: Behaviour
    dsn: str = ""                       # what it is deferred with
    reason: str = ""                    # the obstacle's keyword
    offer: int = NOTHING                # what is left of it
    stays: bool = True                  # on the connection that is there
    connects: int = 1                   # connections when it is tried
    handshakes: int = 1                 # likewise
    detail: str = ""
    auth: str = "Cleartext"             # of what is left
    tlsa: str = "good"
    waits: bool = False                 # for the message to become old
    bounces: bool = False               # a hard error, without a fallback
    levels: tuple = tuple(LEVELS)


KINDS = {
    "good": Kind("g", host(), offer=STRICT),
    "mismatch": Kind(
        "m", host(Cert(names=("other.example",))), "4.7.5", "mismatch",
        ENCRYPTED, detail=details.WRONG_NAME, auth=details.NAMELESS,
        levels=("secure",)),
    "mismatch-tlsa": Kind(
        "k", host(), "4.7.5", "mismatch", ENCRYPTED, tlsa="wrong",
        detail=details.NO_TLSA_MATCH, auth="Untrusted", levels=("dane-only",)),
    "untrusted": Kind(
        "u", host(Cert(names=(NAME,), issuer="other")), "4.7.5", "untrusted",
        ENCRYPTED, detail=details.UNKNOWN_CA, auth="Untrusted",
        levels=("secure",)),
    "no-tlsa": Kind(
        "t", host(), "4.7.5", "tlsa-missing", ENCRYPTED, stays=False,
        connects=0, handshakes=0, detail="no TLSA records found",
        auth="Trusted", tlsa="none", levels=("dane-only",)),
    "nostarttls": Kind(
        "n", host(starttls="absent"), "4.7.4", "nostarttls", CLEARTEXT,
        handshakes=0, detail=details.NO_STARTTLS),
    "refused": Kind(
        "r", host(starttls="454 4.7.0 not now"), "4.7.0", "starttls-refused",
        CLEARTEXT, handshakes=0, detail=details.REFUSED_454),
    "refused-hard": Kind(
        "h", host(starttls="502 5.5.1 no such command"), "5.5.1",
        "starttls-refused", CLEARTEXT, handshakes=0,
        detail=details.REFUSED_502, bounces=True),
    "broken": Kind(
        "b", host(handshake="close"), "4.7.5", "handshake", CLEARTEXT,
        stays=False, detail=details.HANDSHAKE, waits=True),
    "lost": Kind(
        "l", host(lose_in_tls="MAIL"), "4.4.2", "tls-lost", CLEARTEXT,
        stays=False, detail=details.LOST % details.WHILE["MAIL"], waits=True),
    "unreachable": Kind("x", host(), "4.4.1", connects=0, handshakes=0),
    "busy": Kind("y", host(greeting="421 4.3.2 busy"), "4.3.2", handshakes=0),
}


def offer(kind, fallback, old):
    """What a host has to offer, and whether a rule holds it back."""
    if kind.offer == CLEARTEXT and fallback != "may":
        return NOTHING, False
    if kind.offer == ENCRYPTED and not fallback:
        return NOTHING, False
    if kind.waits and not old:
        return NOTHING, True
    return kind.offer, False


def expect(level, names, fallback, old):
    """What must happen with the first message for these hosts."""
    kinds = [KINDS[name] for name in names]
    offers = [offer(kind, fallback, old) for kind in kinds]
    tried, remembered, bounced = [], False, False
    for number, kind in enumerate(kinds):
        tried.append(number)
        has, _ = offers[number]
        if has == STRICT:
            break
        if kind.bounces and has == NOTHING and not remembered:
            bounced = True
            break
        remembered = remembered or has != NOTHING
    cost = {"connections": sum(kinds[number].connects for number in tried),
            "handshakes": sum(kinds[number].handshakes for number in tried)}
    last = tried[-1]
    best = min(offers[number][0] for number in tried)

    if best == NOTHING or bounced:
        return Expect(
            status="bounced" if bounced else "deferred", dsn=kinds[last].dsn,
            messages=0, **cost, warnings=tuple(
                Refused(level, fallback, kinds[number].reason, "backoff",
                        host=number)
                for number in tried if offers[number][1]))
    if best == STRICT:
        return Expect(audit=(Audit(level, level, "Verified", host=last),),
                      **cost)

    # Who has the best? The last one, if it can go on as it is.
    having = [number for number in tried if offers[number][0] == best]
    if last in having and kinds[last].stays:
        used = last
    else:
        used = having[0]
        cost["connections"] += 1
        cost["handshakes"] += 1 if best == ENCRYPTED else 0
    kind = kinds[used]
    now = fallback if best == ENCRYPTED else "may"
    return Expect(
        audit=(Audit(now, level, kind.auth, policy=level, reason=kind.reason,
                     host=used),),
        warnings=(Fell(level, now, kind.reason, kind.detail, host=used),),
        clear_mails=1 if best == CLEARTEXT else 0, **cost)


def cached():
    """Parameters that keep connections open for other deliveries."""
    return (("smtp_connection_cache_destinations", "static:all"),
            ("smtp_connection_cache_time_limit", "600s"),
            ("smtp_tls_connection_reuse", "yes"))


_unreachable = 0


def make(level, names, fallback, old, caching, prefix="r", number=""):
    """The case for a list of hosts."""
    global _unreachable
    kinds = [KINDS[name] for name in names]
    servers = []
    for kind in kinds:
        server = kind.server
        if kind.connects == 0 and kind.offer == NOTHING:
            _unreachable += 1
            server = host(addr="192.0.%d.%d" % (
                _unreachable // 250, _unreachable % 250 + 1))
        servers.append(server)
    name = "-".join(filter(None, (
        prefix + str(number), level[0] + "".join(
            kind.letter for kind in kinds), fallback or "none",
        "old" if old else "young", caching and "cached")))
    return Case(
        name, peers=tuple(servers), policy=LEVELS[level],
        fallback="%s=%s" % (level, fallback) if fallback else "",
        nexthop="{domain}", hold=old, params=cached() if caching else (),
        dns=Dns(tuple(kind.tlsa for kind in kinds)
                if level == "dane-only" else "none"),
        expect=expect(level, names, fallback, old))


# The table. Each list is tried with each fallback level, with and without
# connection caching. The next case costs one line.
SECURE_LISTS = """
    good
    mismatch
    untrusted
    nostarttls
    refused
    refused-hard
    broken
    lost
    unreachable
    busy
    good good
    mismatch good
    untrusted good
    nostarttls good
    refused good
    refused-hard good
    broken good
    lost good
    unreachable good
    busy good
    good mismatch
    mismatch mismatch
    mismatch untrusted
    untrusted mismatch
    mismatch nostarttls
    mismatch refused-hard
    mismatch broken
    mismatch lost
    mismatch unreachable
    mismatch busy
    nostarttls mismatch
    refused mismatch
    refused-hard mismatch
    broken mismatch
    lost mismatch
    unreachable mismatch
    busy mismatch
    nostarttls nostarttls
    nostarttls refused
    nostarttls broken
    broken nostarttls
    broken broken
    broken lost
    lost broken
    lost lost
    nostarttls unreachable
    broken unreachable
    lost busy
    unreachable unreachable
    broken nostarttls good
    nostarttls mismatch good
    mismatch nostarttls broken
    nostarttls mismatch broken
    broken nostarttls mismatch
    broken mismatch nostarttls
    unreachable mismatch busy
    lost mismatch unreachable
    mismatch mismatch mismatch
    broken lost nostarttls unreachable
    nostarttls broken mismatch unreachable good
    mismatch untrusted mismatch untrusted mismatch
    nostarttls refused broken lost busy
    mismatch mismatch mismatch mismatch unreachable
    unreachable busy unreachable busy nostarttls
    broken broken broken broken good
"""

DANE_LISTS = """
    good
    mismatch-tlsa
    no-tlsa
    no-tlsa good
    mismatch-tlsa good
    no-tlsa no-tlsa
    no-tlsa mismatch-tlsa
    mismatch-tlsa no-tlsa
    no-tlsa nostarttls
    nostarttls no-tlsa
    no-tlsa unreachable
    no-tlsa broken lost
    broken no-tlsa
    nostarttls no-tlsa mismatch-tlsa
    no-tlsa no-tlsa no-tlsa good
    no-tlsa busy mismatch-tlsa nostarttls unreachable
"""

# A young message: what must wait, waits.
YOUNG_LISTS = """
    broken
    lost
    broken broken
    broken good
    broken mismatch
    mismatch lost
    broken nostarttls
    nostarttls broken
    lost unreachable
    broken lost busy
"""


def rows(text):
    return [tuple(line.split()) for line in text.strip().splitlines()]


CASES = [make(level, names, fallback, old, caching)
         for level, lists, old in (("secure", SECURE_LISTS, True),
                                   ("dane-only", DANE_LISTS, True),
                                   ("secure", YOUNG_LISTS, False))
         for names in rows(lists)
         for fallback in ("", "encrypt", "may")
         for caching in (False, True)]
