"""With a fallback to "may", never weaker than "may", nor later.

Each server meets a destination whose policy is "may", and one for each level
that authenticates, with the fallback level "may": with settings that are those
of opportunistic TLS, and with stricter ones.  What the policy "may" came to, as
the server saw it, is what the others are measured by.  Cost: about 20 seconds.
"""

import pytest

import matrix
from testenv.harness import Behaviour, Case, Dns
from testenv.pki import Cert

B = Behaviour
TLS_1_2 = ("TLSv1_2", "TLSv1_2")
AGES = (True, False)                    # old, young
PROTOCOLS = ("", "TLSv1.2", "TLSv1.3")  # from weak to strong; "": none

# Stricter settings of mandatory TLS, and what the policy can add to them.
SETTINGS = {
    "same": ((), ""),
    "protocols": ((("smtp_tls_mandatory_protocols", ">=TLSv1.3"),), ""),
    "protocols-p": ((), "protocols=>=TLSv1.3"),
    "exclude": ((("smtp_tls_mandatory_exclude_ciphers", "AES128"),), ""),
    "exclude-p": ((), "exclude=AES128"),
}

# The servers: those of the matrix, and some that only strict settings mind.
SERVERS = {name: obstacle.server for name, obstacle in matrix.OBSTACLES.items()
           if "smtp" in obstacle.transports and not obstacle.needs
           and not obstacle.policy and (
               obstacle.server != B() or name == "nothing")}
PICKY = {
    "only-1.2": B(tls=TLS_1_2),
    "only-aes128": B(tls=TLS_1_2, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
    "1.2-unknown-ca": B(tls=TLS_1_2, cert=Cert(issuer="other")),
    "1.2-lost": B(tls=TLS_1_2, lose_in_tls="MAIL"),
}
FOR_STRICT = ("nothing", "hs-close", "nostarttls", "unknown-ca")
TLSA = ("good", "wrong", "none", "bogus")


def case_for(level, settings, server_name, server, old, proxy, tlsa="good"):
    params, more = SETTINGS[settings]
    policy = matrix.LEVELS[level]
    if level != "may":
        policy = " ".join(filter(None, (policy, more, "fallback=may")))
    if proxy:
        params += (("smtp_tls_connection_reuse", "yes"),)
    where = {}
    if level in matrix.DANE:
        where = {"dns": Dns(tlsa, insecure_mx=level == "half-dane"),
                 "nexthop": "{domain}"}
    # It is a label of a domain name: 63 characters.
    name = "-".join(("as-may", level, settings, server_name.replace(".", ""),
                     tlsa, "old" if old else "young",
                     "proxy" if proxy else ""))
    name = name.rstrip("-")
    assert len(name) < 61, name
    return Case(name, peers=(server,), policy=policy, params=params, old=old,
                **where)


def pairs():
    """(what "may" does, what a fallback does), with the same server."""
    for old in AGES:
        for proxy in (False, True):
            for name, server in {**SERVERS, **PICKY}.items():
                reference = case_for("may", "same", name, server, old, proxy)
                for settings in SETTINGS:
                    strict = settings != "same"
                    if strict and name not in (*PICKY, *FOR_STRICT):
                        continue
                    if proxy and not (strict and name in PICKY):
                        continue
                    for level in matrix.STRONG:
                        if strict and level not in ("secure", "dane-only"):
                            continue
                        for tlsa in TLSA if (level == "dane-only" and name in (
                                "nothing", "hs-close", "only-1.2")
                                and not proxy) else ("good",):
                            yield reference, case_for(
                                level, settings, name, server, old, proxy,
                                tlsa)


PAIRS = list(pairs())


def strength(result):
    """What the server saw: -1 for nothing at all, 0 for cleartext."""
    received = result.of("message")
    if not received:
        return -1
    event, = received
    if not event["tls"]:
        return 0
    protocol, = [shown["protocol"] for shown in result.of("handshake")
                 if shown["connection"] == event["connection"]
                 and shown["ok"]]
    return PROTOCOLS.index(protocol)


@pytest.fixture(scope="module")
def delivered(world):
    """All of them, at the same time, and once: later is too late."""
    world.deliver(*(case for case in world.cases.values()
                    if case.name.startswith("as-may-")))
    return world


@pytest.mark.parametrize("pair", [
    pytest.param(pair, marks=pytest.mark.cases(*pair), id=pair[1].name)
    for pair in PAIRS])
def test_never_weaker_nor_later_than_may(pair, delivered):
    may, strong = map(delivered.result, pair)
    assert strength(strong) >= strength(may), (
        may.statuses(), strong.statuses(), strong.texts("tls fallback"))


def test_may_is_no_easy_measure(delivered):
    """It has every strength, or there was nothing to compare with."""
    found = {strength(delivered.result(may)) for may, _ in PAIRS
             if may.name in delivered.cases}
    assert found == {-1, *range(len(PROTOCOLS))}
