"""Lists of hosts, and what must happen with each.

A destination has several hosts, and each of them is something (KINDS).  The
oracle says who gets the message, how, and at what cost.  It is written from
the design's paragraph "Several hosts" and does not go through rounds: it looks
for the best that any host has to offer, and only then counts what finding it
costs.
"""

from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings, strategies

from testenv import messages
from testenv.dnssec import Dns
from testenv.harness import Audit, Behaviour, Case, Expect, Fell, Refused
from testenv.pki import Cert

# All hosts of one kind show the same certificate, and no host has tickets, so
# that thousands of them need few TLS contexts.
NAME = "good.example"
LEVELS = {"secure": "secure match=" + NAME, "dane-only": "dane-only"}

STRICT, ENCRYPTED, CLEARTEXT, NOTHING = range(4)


def host(cert=Cert(names=(NAME,)), **more):
    return Behaviour(cert=cert, tickets=False, **more)


@dataclass(frozen=True)
class HostKind:
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
    eased: bool = False                 # is tried again as for "may"
    session: bool = False               # counts for smtp_mx_session_limit
    levels: tuple = tuple(LEVELS)


# A server that does not take the message now. With pipelining it would get one
# that is empty.
LATER = {"replies": {"MAIL": "451 4.3.0 later"}, "pipelining": False}

KINDS = {
    "good": HostKind("g", host(), offer=STRICT),
    "mismatch": HostKind(
        "m", host(Cert(names=("other.example",))), "4.7.5", "mismatch",
        ENCRYPTED, detail=messages.WRONG_NAME, auth=messages.NAMELESS,
        levels=("secure",)),
    "mismatch-tlsa": HostKind(
        "k", host(), "4.7.5", "mismatch", ENCRYPTED, tlsa="wrong",
        detail=messages.NO_TLSA_MATCH, auth="Untrusted", levels=("dane-only",)),
    "untrusted": HostKind(
        "u", host(Cert(names=(NAME,), issuer="other")), "4.7.5", "untrusted",
        ENCRYPTED, detail=messages.UNKNOWN_CA, auth="Untrusted",
        levels=("secure",)),
    "no-tlsa": HostKind(
        "t", host(), "4.7.5", "tlsa-missing", ENCRYPTED, stays=False,
        connects=0, handshakes=0, detail="no TLSA records found",
        auth="Trusted", tlsa="none", levels=("dane-only",)),
    "nostarttls": HostKind(
        "n", host(starttls="absent"), "4.7.4", "nostarttls", CLEARTEXT,
        handshakes=0, detail=messages.NO_STARTTLS),
    "refused": HostKind(
        "r", host(starttls="454 4.7.0 not now"), "4.7.0", "starttls-refused",
        CLEARTEXT, handshakes=0, detail=messages.REFUSED_454),
    "refused-hard": HostKind(
        "h", host(starttls="502 5.5.1 no such command"), "5.5.1",
        "starttls-refused", CLEARTEXT, handshakes=0,
        detail=messages.REFUSED_502, bounces=True),
    "broken": HostKind(
        "b", host(handshake="close"), "4.7.5", "handshake", CLEARTEXT,
        stays=False, detail=messages.HANDSHAKE, waits=True, eased=True),
    "lost": HostKind(
        "l", host(lose_in_tls="MAIL"), "4.4.2", "tls-lost", CLEARTEXT,
        stays=False, detail=messages.LOST % messages.WHILE["MAIL"], waits=True,
        session=True),
    "unreachable": HostKind("x", host(), "4.4.1", connects=0, handshakes=0),
    "busy": HostKind("y", host(greeting="421 4.3.2 busy"), "4.3.2", handshakes=0),
    "later": HostKind("z", host(**LATER), "4.3.0", session=True),
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


class Delivery:
    """What one delivery comes to, as it goes on."""

    def __init__(self, level, fallback):
        self.level, self.fallback = level, fallback
        self.connections = self.handshakes = 0
        self.fell, self.held = [], []

    def connect(self, kind, handshakes=None):
        self.connections += kind.connects
        self.handshakes += (kind.handshakes if handshakes is None
                            else handshakes)

    def warn(self, number, kind, level):
        self.fell.append(Fell(self.level, level, kind.reason, kind.detail,
                              host=number))

    def hold(self, number, kind):
        self.held.append(Refused(self.level, self.fallback, kind.reason,
                                 "backoff", host=number))

    def used(self, number, level, kind=None):
        """The message goes to this host."""
        fell = kind is not None
        clear = fell and kind.offer == CLEARTEXT
        return Expect(
            audit=(Audit(level, self.level,
                         kind.auth if fell else "Verified",
                         policy=self.level if fell else "",
                         reason=kind.reason if fell else "", host=number),),
            warnings=tuple(self.fell), connections=self.connections,
            handshakes=self.handshakes, clear_mails=1 if clear else 0)

    def failed(self, status, dsn):
        return Expect(status=status, dsn=dsn, messages=0,
                      warnings=tuple(self.fell + self.held),
                      connections=self.connections, handshakes=self.handshakes)


# Limits of a round; 0 is for Postfix's default.
SESSION_LIMIT, ADDRESS_LIMIT = 2, 5


def in_reach(kinds, addresses, sessions):
    """The hosts that the limits leave in a round."""
    found = []
    for kind in kinds[:addresses or ADDRESS_LIMIT]:
        found.append(kind)
        if sum(each.session for each in found) == (sessions or SESSION_LIMIT):
            break
    return found


def expect(level, names, fallback, old, addresses=0, sessions=0):
    """What must happen with the first message for these hosts."""
    kinds = in_reach([KINDS[name] for name in names], addresses, sessions)
    mail = Delivery(level, fallback)
    offers, dsn = [], ""

    # Everybody once, until one is good.
    for number, kind in enumerate(kinds):
        mail.connect(kind)
        has, held = offer(kind, fallback, old)
        if has == STRICT:
            return mail.used(number, level)
        # Perhaps it is only what the level asks for that is too much.
        if kind.eased and fallback == "may":
            has, held = ENCRYPTED, False
        if kind.bounces and has == NOTHING and not any(
                before != NOTHING for before in offers):
            return mail.failed("bounced", kind.dsn)
        if held:
            mail.hold(number, kind)
        offers.append(has)
        dsn = kind.dsn

    def numbers(wanted):
        return [number for number, has in enumerate(offers) if has == wanted]

    # The last one stays where it is, if nobody is better.
    last = len(kinds) - 1
    if (offers[last] != NOTHING and kinds[last].stays
            and offers[last] == min(offers)):
        now = fallback if offers[last] == ENCRYPTED else "may"
        mail.warn(last, kinds[last], now)
        return mail.used(last, now, kinds[last])

    # Those that are said to have encryption.
    for number in numbers(ENCRYPTED):
        kind = kinds[number]
        mail.warn(number, kind, fallback)
        if kind.eased:
            mail.connect(kind)
            dsn = kind.dsn
            offers[number], held = offer(kind, fallback, old)
            if held:
                mail.hold(number, kind)
            continue
        mail.connections += 1
        mail.handshakes += 1
        return mail.used(number, fallback, kind)

    # The others.
    for number in numbers(CLEARTEXT):
        mail.warn(number, kinds[number], "may")
        mail.connections += 1
        return mail.used(number, "may", kinds[number])
    return mail.failed("deferred", dsn)


def cached():
    """Parameters that keep connections open for other deliveries."""
    return (("smtp_connection_cache_destinations", "static:all"),
            ("smtp_connection_cache_time_limit", "600s"),
            ("smtp_tls_connection_reuse", "yes"))


NOBODY = iter(f"192.0.{number // 250}.{number % 250 + 1}"
              for number in range(60000))


@dataclass(frozen=True)
class List:
    """A list of hosts, and what else the outcome depends on."""

    level: str = "secure"
    names: tuple = ("good",)
    fallback: str = ""
    old: bool = True
    caching: bool = False
    addresses: int = 0                  # smtp_mx_address_limit
    sessions: int = 0                   # smtp_mx_session_limit

    def params(self):
        limits = (("smtp_mx_address_limit", self.addresses),
                  ("smtp_mx_session_limit", self.sessions))
        return (cached() if self.caching else ()) + tuple(
            (name, str(limit)) for name, limit in limits if limit)

    def name(self, prefix="r"):
        return "-".join(filter(None, (
            prefix, self.level[0] + "".join(
                KINDS[name].letter for name in self.names),
            self.fallback or "none", "old" if self.old else "young",
            self.addresses and f"a{self.addresses}",
            self.sessions and f"s{self.sessions}",
            self.caching and "cached")))

    def expect(self):
        return expect(self.level, self.names, self.fallback, self.old,
                      self.addresses, self.sessions)


def make(hosts, prefix="r"):
    """The case for a list of hosts."""
    kinds = [KINDS[name] for name in hosts.names]
    servers = tuple(
        host(addr=next(NOBODY)) if not kind.connects and kind.offer == NOTHING
        else kind.server for kind in kinds)
    return Case(
        hosts.name(prefix), peers=servers, policy=LEVELS[hosts.level],
        fallback=hosts.fallback and f"{hosts.level}={hosts.fallback}",
        nexthop="{domain}", old=hosts.old, params=hosts.params(),
        dns=Dns(tuple(kind.tlsa for kind in kinds)
                if hosts.level == "dane-only" else "none"),
        expect=hosts.expect())


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
    later
    later good
    later mismatch
    mismatch later
    mismatch later later good
    lost lost good
    nostarttls lost later good
    mismatch unreachable unreachable busy busy good
    nostarttls nostarttls busy busy unreachable mismatch
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


# How many addresses and sessions each round may have, by the limits.
LIMITED_LISTS = {
    (1, 0): """
        mismatch good
        broken good
        nostarttls mismatch
        unreachable mismatch
    """,
    (2, 0): """
        mismatch nostarttls good
        nostarttls mismatch good
        broken broken mismatch
        unreachable busy mismatch
    """,
    (0, 1): """
        later good
        mismatch later good
        lost good
        nostarttls lost mismatch
        broken mismatch broken good
    """,
    (0, 3): """
        later later good
        lost later later good
        mismatch later lost later good
    """,
    (3, 1): """
        mismatch busy later good
        nostarttls broken mismatch good
    """,
}

FALLBACKS = ("", "encrypt", "may")


def written():
    """The tables' lists."""
    for level, lists, old in (("secure", SECURE_LISTS, True),
                              ("dane-only", DANE_LISTS, True),
                              ("secure", YOUNG_LISTS, False)):
        for names in rows(lists):
            for fallback in FALLBACKS:
                for caching in (False, True):
                    yield List(level, names, fallback, old, caching)
    for limits, lists in LIMITED_LISTS.items():
        for names in rows(lists):
            for fallback in FALLBACKS:
                yield List("secure", names, fallback, True, False, *limits)


CASES = [make(hosts) for hosts in written()]


@strategies.composite
def lists(draw):
    """The Hypothesis strategy for others."""
    level = draw(strategies.sampled_from(tuple(LEVELS)))
    kinds = [name for name, kind in KINDS.items() if level in kind.levels]
    names = draw(strategies.lists(strategies.sampled_from(kinds),
                                  min_size=1, max_size=6))
    return List(level, tuple(names),
                draw(strategies.sampled_from(FALLBACKS)),
                draw(strategies.booleans()), draw(strategies.booleans()),
                *draw(strategies.sampled_from(
                    ((0, 0),) * 3 + tuple(LIMITED_LISTS))))


def random_cases(number, which):
    """So many of them, and none that is in the tables."""
    drawn = {}

    @seed(which)
    @settings(max_examples=number * 2, deadline=None, database=None,
              phases=(Phase.generate,),
              suppress_health_check=list(HealthCheck))
    @given(lists())
    def draw(hosts):
        drawn.setdefault(hosts)

    draw()
    for hosts in written():
        drawn.pop(hosts, None)
    found = list(drawn)[:number]
    assert len(found) == number, len(found)
    return [make(hosts, "random") for hosts in found]
