"""Sequences of messages, and what each of the messages may come to.

A sequence is data: destinations that share servers, and messages to them,
while policies, the DNS and the servers change.  outcome() says what an uncached
delivery of one message comes to.  It is written from the design, and shares
nothing with the code under test.
"""

from dataclasses import dataclass

from hypothesis import strategies

from testenv import messages
from testenv.peer import Behaviour as B
from testenv.pki import Cert
from testenv.releases import has

# The servers, by what is the matter with them.
SERVERS = {
    "good": B(),
    "tls-1.2": B(tls=("TLSv1_2", "TLSv1_2")),
    "wrong-name": B(cert=Cert(names=("other.example",))),
    "unknown-ca": B(cert=Cert(issuer="other")),
    "no-starttls": B(starttls="absent"),
    "refused": B(starttls="454 4.7.0 not now"),
    "broken": B(handshake="close"),
    "lost": B(lose_in_tls="MAIL"),
}

# The policies, as written in the policy table; without one, the base level is
# in force.
POLICIES = {
    "": "",
    "none": "none",
    "may": "may",
    "encrypt": "encrypt",
    "fingerprint": "fingerprint match={spki}",
    "verify": "verify match=hostname",
    "secure": "secure match=hostname",
    "dane": "dane",
    "dane-only": "dane-only",
}
PKIX = ("verify", "secure")
DANE = ("dane", "dane-only")
STRONG = PKIX + DANE + ("fingerprint",)
FALLBACKS = ("", "encrypt", "may")
BASES = ("none", "may", "secure")

# What the DNS says about a server's key.
TLSA = ("good", "none", "failing")

# How connections are kept, and whether by tlsproxy(8).
CACHING = ("destinations", "destinations-proxy", "demand", "demand-proxy")

# What happens where a sequence goes on with other policies.
CHANGES = ("table", "reload")
HOSTS, DESTINATIONS = 2, 3


@dataclass(frozen=True)
class Policy:
    """What is asked for at one destination."""

    level: str = "secure"
    fallback: str = ""


@dataclass(frozen=True)
class Message:
    """One message, by the number of its destination."""

    to: int = 0
    tls_not_required: bool = False
    old: bool = False


@dataclass(frozen=True)
class Step:
    """The servers are like this, and these messages arrive together."""

    servers: tuple = ("good",) * HOSTS
    messages: tuple = (Message(),)


@dataclass(frozen=True)
class Phase:
    """A time in which policies and DNS stay as they are."""

    policies: tuple = (Policy(),) * DESTINATIONS
    tlsa: tuple = ("good",) * HOSTS
    steps: tuple = (Step(),)


@dataclass(frozen=True)
class Sequence:
    """Everything that happens; hosts has the server of each destination."""

    phases: tuple = (Phase(),)
    change: str = "table"
    hosts: tuple = (0,) * DESTINATIONS
    caching: str = "destinations"
    base: str = "none"
    sasl: bool = False                  # passwords for other destinations

    def states(self):
        """(number of the phase, phase, step), in order."""
        return [(number, phase, step) for number, phase
                in enumerate(self.phases) for step in phase.steps]


def possible(sequence):
    """Whether the Postfix in the sandbox has all that is used."""
    return has("tls-required-header") or not any(
        message.tls_not_required for _, _, step in sequence.states()
        for message in step.messages)


def tuples(strategy, least, most):
    return strategies.lists(strategy, min_size=least,
                            max_size=most).map(tuple)


def fixed(values, size):
    return strategies.tuples(*[strategies.sampled_from(values)] * size)


@strategies.composite
def policies(draw):
    level = draw(strategies.sampled_from(tuple(POLICIES)))
    return Policy(level, draw(strategies.sampled_from(FALLBACKS))
                  if level in STRONG else "")


def sequences():
    """The Hypothesis strategy; the first of each choice is the simplest."""
    message = strategies.builds(
        Message, strategies.integers(0, DESTINATIONS - 1),
        strategies.booleans() if has("tls-required-header")
        else strategies.just(False), strategies.booleans())
    step = strategies.builds(Step, fixed(tuple(SERVERS), HOSTS),
                             tuples(message, 1, 3))
    phase = strategies.builds(
        Phase, strategies.tuples(*[policies()] * DESTINATIONS),
        fixed(TLSA, HOSTS), tuples(step, 1, 3))
    return strategies.builds(
        Sequence, tuples(phase, 1, 2), strategies.sampled_from(CHANGES),
        fixed(tuple(range(HOSTS)), DESTINATIONS),
        strategies.sampled_from(CACHING), strategies.sampled_from(BASES),
        strategies.booleans())


@dataclass(frozen=True)
class Outcome:
    """What became of a message, and what the record says."""

    status: str
    protocol: str = ""                  # empty: cleartext
    level: str = ""
    configured: str = ""
    policy: str = ""
    reason: str = ""
    auth: str = ""


DEFERRED = Outcome("deferred")


def outcome(base, policy, message, server, tlsa):
    """What an uncached delivery comes to."""
    configured, allowed = policy.level or base, policy.fallback
    level = configured
    if message.tls_not_required:        # at "may", before any of this
        configured, allowed = base, ""
        level = "none" if base == "none" else "may"
    reason = ""

    def sent(auth):
        protocol = ("" if auth == "Cleartext" else
                    "TLSv1.2" if server == "tls-1.2" else "TLSv1.3")
        return Outcome("sent", protocol, level, configured,
                       configured if reason else "", reason, auth)

    # What the DNS says, before there is a connection.
    if level in DANE and tlsa != "good":
        if level == "dane" and tlsa == "none":
            level = "may"               # by definition (RFC 7672)
        elif not allowed:
            return DEFERRED
        else:
            level = allowed
            reason = "tlsa-lookup" if tlsa == "failing" else "tlsa-missing"

    if level == "none":
        return sent("Cleartext")

    # No TLS.
    if server in ("no-starttls", "refused", "broken", "lost"):
        if level != "may" and allowed != "may":
            return DEFERRED
        if server in ("broken", "lost") and not message.old:
            return DEFERRED             # it may pass
        if level != "may":
            reason = reason or {
                "no-starttls": "nostarttls", "refused": "starttls-refused",
                "broken": "handshake", "lost": "tls-lost"}[server]
        level = "may"
        return sent("Cleartext")

    # TLS, with this certificate.
    trust = "Untrusted" if server == "unknown-ca" else "Trusted"
    if level not in STRONG:
        return sent(trust)
    if server in ("good", "tls-1.2"):
        return sent("Verified")
    if not allowed:
        return DEFERRED
    if level in PKIX:
        reason = "untrusted" if server == "unknown-ca" else "mismatch"
        auth = trust if server == "unknown-ca" else messages.NAMELESS
    else:
        reason, auth = "mismatch", "Untrusted"
    level = allowed
    return sent(auth)


def allowed_outcomes(sequence, number, message):
    """What the message of a step may come to over any connection that could
    be there: one that was made in this or in an earlier state. What the DNS
    said then may have made it what it is; what it says now counts, too."""
    states = sequence.states()
    policy = states[number][1].policies[message.to]
    host = sequence.hosts[message.to]
    return {outcome(sequence.base, policy, message, step.servers[host], tlsa)
            for _, phase, step in states[:number + 1]
            for tlsa in (phase.tlsa[host], states[number][1].tlsa[host])}


def uncached_outcome(sequence, number, message):
    """What it comes to without any."""
    _, phase, step = sequence.states()[number]
    host = sequence.hosts[message.to]
    return outcome(sequence.base, phase.policies[message.to], message,
                   step.servers[host], phase.tlsa[host])
