"""Every combination of policy level, obstacle, fallback and transport.

The tables below are the documentation of what is tried; the next case costs
one line.  What must happen is said by oracle.py, which knows the design and
not the code.
"""

import itertools
from dataclasses import dataclass

import oracle
from testenv import rpk
from testenv.dnssec import Dns
from testenv.harness import Behaviour, Case
from testenv.pki import Cert
from testenv.releases import has, has_all

B = Behaviour

# The policy levels, as written in the policy table.  {spki} is the digest of
# the server's key.
LEVELS = {
    "none": "none",
    "may": "may",
    "encrypt": "encrypt",
    "fingerprint": "fingerprint match={spki}",
    "verify": "verify match=hostname",
    "secure": "secure match=hostname",
    "dane": "dane",
    "half-dane": "dane",
    "dane-only": "dane-only",
}
DANE = ("dane", "half-dane", "dane-only")
PKIX = ("verify", "secure")
STRONG = ("fingerprint",) + PKIX + DANE
TLS = ("may", "encrypt") + STRONG


@dataclass(frozen=True)
class Obstacle:
    """One way to be in the way."""

    reason: str                         # keyword; empty: nothing in the way
    server: Behaviour = B()
    levels: tuple = TLS                 # where it can occur
    tlsa: str = "good"                  # what the DNS says, for DANE
    insecure_mx: bool = False
    insecure: bool = False
    policy: str = ""                    # more of the policy table entry
    trust: str = "Trusted"              # what PKIX alone makes of the server
    report: str = "validation-failure"  # where TLS reports go (RFC 8460)
    where: str = ""                     # for tls-lost
    late: bool = False                  # found in the handshake
    eased: bool = False                 # not there for opportunistic TLS
    transports: tuple = ("smtp", "proxy", "lmtp", "wrapper", "rpk")
    needs: tuple = ()                   # of Postfix, see releases.py


WRONG_DIGEST = ":".join(["00"] * 32)
STS = ("policy_type=sts policy_domain=example.com "
       "mx_host_pattern=*.elsewhere.example")

OBSTACLES = {
    "nothing": Obstacle("", levels=tuple(LEVELS)),
    "nostarttls": Obstacle("nostarttls", B(starttls="absent"),
                           tuple(LEVELS), report="starttls-not-supported"),
    "refused-454": Obstacle("starttls-refused", B(starttls="454 4.7.0 later"),
                            report="starttls-not-supported"),
    "refused-502": Obstacle("starttls-refused", B(starttls="502 5.5.1 never"),
                            report="starttls-not-supported"),
    "no-protocol": Obstacle("handshake", B(tls=("TLSv1_2", "TLSv1_2")),
                            policy="protocols=TLSv1.3", eased=True),
    "hs-close": Obstacle("handshake", B(handshake="close")),
    "hs-alert": Obstacle("handshake", B(handshake="alert")),
    "hs-garbage": Obstacle("handshake", B(handshake="garbage"), PKIX),
    "lost-ehlo": Obstacle("tls-lost", B(lose_in_tls="EHLO"), where="EHLO"),
    "lost-mail": Obstacle("tls-lost", B(lose_in_tls="MAIL"), where="MAIL"),
    "lost-data": Obstacle("tls-lost", B(lose_in_tls="DATA"), where="DATA"),
    "lost-dot": Obstacle("tls-lost", B(lose_in_tls="dot"), where="dot"),
    # Certificates.
    "unknown-ca": Obstacle("untrusted", B(cert=Cert(issuer="other")),
                           trust="Untrusted"),
    "self-signed": Obstacle("untrusted", B(cert=Cert(issuer="self")), PKIX,
                            trust="Untrusted"),
    "expired": Obstacle("untrusted", B(cert=Cert(expired=True)),
                        trust="Untrusted", report="certificate-expired"),
    "not-yet": Obstacle("untrusted", B(cert=Cert(not_yet=True)), PKIX,
                        trust="Untrusted"),
    "client-only": Obstacle("untrusted", B(cert=Cert(client_only=True)), PKIX,
                            trust="Untrusted"),
    "expired-wrong-name": Obstacle(
        "untrusted", B(cert=Cert(names=("other.example",), expired=True)),
        PKIX, trust="Untrusted", report="certificate-expired"),
    "wrong-name": Obstacle("mismatch", B(cert=Cert(names=("other.example",))),
                           ("may", "encrypt") + PKIX,
                           report="certificate-host-mismatch"),
    "wrong-key": Obstacle("mismatch", levels=("fingerprint",) + DANE,
                          tlsa="wrong", trust="Trusted",
                          report="certificate-not-trusted"),
    "wrong-ta": Obstacle("mismatch", B(cert=Cert(issuer="other")), DANE,
                         tlsa="ta", trust="Untrusted",
                         report="certificate-not-trusted"),
    # The DNS.
    "tlsa-bogus": Obstacle("tlsa-lookup", levels=DANE, tlsa="bogus",
                           report="dnssec-invalid"),
    "tlsa-slow": Obstacle("tlsa-lookup", levels=("dane", "dane-only"),
                          tlsa="slow", transports=("smtp",),
                          report="dnssec-invalid"),
    "tlsa-missing": Obstacle("tlsa-missing", levels=("dane", "dane-only"),
                             tlsa="none", report="dane-required"),
    "tlsa-unusable": Obstacle("tlsa-unusable", levels=("dane", "dane-only"),
                              tlsa="pkix", report="tlsa-invalid"),
    "tlsa-unknown": Obstacle("tlsa-unusable", levels=("dane", "dane-only"),
                             tlsa="unusable", late=True,
                             report="tlsa-invalid"),
    "insecure-mx": Obstacle("insecure-mx", levels=("dane-only",),
                            insecure_mx=True,
                            transports=("smtp", "proxy", "wrapper", "rpk"),
                            report="dane-required"),
    "insecure-host": Obstacle("insecure-mx", levels=("dane-only",),
                              insecure=True, report="dane-required"),
    # The STS policy names other hosts.
    "sts-mx": Obstacle("sts-mx", levels=("secure",), policy=STS,
                       needs=("sts-attributes",)),
}

# The fallback: the parameter, the attribute, what they come to.
FALLBACKS = {
    "unset": ("", "", ""),
    "p-encrypt": ("encrypt", "", "encrypt"),
    "p-may": ("may", "", "may"),
    "a-none": ("may", "none", ""),
    "a-encrypt": ("may", "encrypt", "encrypt"),
    "a-may": ("encrypt", "may", "may"),
}
# Where there is nothing to fall back from.
WEAK_FALLBACKS = ("unset", "p-may")

TRANSPORTS = {
    "smtp": ("smtp", {}),
    "proxy": ("smtp", {"smtp_tls_connection_reuse": "yes"}),
    "lmtp": ("lmtp", {}),
    "wrapper": ("smtp", {}),
}
# A server that shows a raw public key to a client that wants no certificate.
if rpk.AVAILABLE and has("raw-public-keys"):
    TRANSPORTS["rpk"] = ("smtp", {"smtp_tls_enable_rpk": "yes"})
ALL_STRONG_LEVELS = ("dane", "dane-only", "fingerprint", "verify", "secure")
WRAPPER_PORT = 465

# Young messages must wait; one way of each kind is enough.
ALSO_YOUNG = ("hs-close", "lost-mail")


def combinations():
    """(level, obstacle, fallback, transport, old) of everything that can
    occur."""
    for level, (name, obstacle), fallback, transport in itertools.product(
            LEVELS, OBSTACLES.items(), FALLBACKS, TRANSPORTS):
        agent = TRANSPORTS[transport][0]
        if not has_all(obstacle.needs):
            continue
        if level not in obstacle.levels or transport not in obstacle.transports:
            continue
        if level not in STRONG and fallback not in WEAK_FALLBACKS:
            continue
        if level == "half-dane" and agent == "lmtp":
            continue                    # it comes from an unsigned MX record
        if transport == "wrapper":
            if level in ("none", "may") or obstacle.reason in (
                    "nostarttls", "starttls-refused"):
                continue                # there is no STARTTLS
            if level == "dane" and obstacle.reason == "tlsa-missing":
                continue                # "may" is not possible, as upstream says
        yield level, name, fallback, transport, True
        if name in ALSO_YOUNG:
            yield level, name, fallback, transport, False


def make(level, name, fallback, transport, old):
    """The case for one combination."""
    obstacle = OBSTACLES[name]
    agent, params = TRANSPORTS[transport]
    parameter, attribute, allowed = FALLBACKS[fallback]
    policy = LEVELS[level]
    if name == "wrong-key":
        policy = policy.replace("{spki}", WRONG_DIGEST)
    for more in (obstacle.policy, attribute and "fallback=" + attribute):
        if more:
            policy += " " + more
    wrapper, raw_key = transport == "wrapper", transport == "rpk"
    port = f":{WRAPPER_PORT}" if wrapper else ""
    # Only what depends on its age must wait to become old.
    ages = obstacle.reason in ("handshake", "tls-lost")
    server = Behaviour(**{**vars(obstacle.server), "wrapper": wrapper,
                          "raw_key": raw_key,
                          "port": WRAPPER_PORT if wrapper else 25})
    dns = None
    nexthop = "[{host}]" + port
    if level in DANE:
        dns = Dns(obstacle.tlsa, insecure=obstacle.insecure,
                  insecure_mx=obstacle.insecure_mx or level == "half-dane")
        nexthop = ("{domain}" if agent == "smtp" else "{host}") + port
    return Case(
        f"m-{level}-{name}-{fallback}-{transport}{'' if old else '-young'}",
        peers=(server,), policy=policy, agent=agent, nexthop=nexthop, dns=dns,
        fallback=" ".join(f"{strong}={parameter}" for strong
                          in ALL_STRONG_LEVELS) if parameter else "",
        params=tuple(params.items()), old=ages and old,
        expect=oracle.outcome(level, obstacle, allowed, wrapper=wrapper,
                              lmtp=agent == "lmtp", old=old,
                              raw_key=raw_key))


CASES = [make(*combination) for combination in combinations()]


def on_one_transport():
    """The names of the cases that try each combination once, on its transports in turn."""
    found = {}
    for (*combination, transport, old), case in zip(combinations(), CASES):
        found.setdefault((*combination, old), []).append(case.name)
    return {names[number % len(names)] for number, names in enumerate(found.values())}


def plain_cases():
    """The cases for a comparison with the unpatched Postfix: one for each
    situation that does not depend on our parameters."""
    return [case for case in CASES if "-unset-" in case.name]
