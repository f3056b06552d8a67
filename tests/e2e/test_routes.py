"""Several hosts that are found, limited, kept or left in other ways.

The lists of hosts and the oracle are those of rounds.py.  Cost: half a minute,
most of it for a hundred deliveries one after the other.
"""

import dataclasses

import pytest

import rounds
from testenv.dnssec import Dns
from testenv.harness import Audit, Case, Expect, Fell
from testenv.releases import applicable
from rounds import KINDS, LATER, List, host

# What there is to be said of each; SRV records and address lists only differ
# in how the hosts are found.
FOUND = """
    mismatch good
    mismatch untrusted
    nostarttls mismatch
    mismatch nostarttls
    broken lost
    refused-hard mismatch
    nostarttls refused unreachable
    broken nostarttls mismatch good
"""


def by_srv(case):
    """Hosts that SRV records name."""
    return dataclasses.replace(
        case, nexthop="{domain}:submission", needs=("srv-records",),
        dns=Dns("none", srv="submission"),
        params=case.params + (("use_srv_lookup", "submission"),))


def by_address(case):
    """One LMTP host with all the addresses."""
    return dataclasses.replace(
        case, agent="lmtp", nexthop="{host}", dns=None,
        peers=tuple(dataclasses.replace(peer, host="all." + case.domain)
                    for peer in case.peers),
        params=(("lmtp_randomize_addresses", "no"),))


ROUTES = {"srv": by_srv, "lmtp": by_address}
ROUTED = [route(rounds.make(List("secure", names, fallback), name))
          for name, route in ROUTES.items()
          for names in rounds.rows(FOUND) for fallback in rounds.FALLBACKS]


@pytest.mark.parametrize("case", applicable(ROUTED),
                         ids=lambda case: case.name)
def test_route(case, world):
    world.result(case).check(case.expect)


# A server that takes one of two recipients.
HALF = {"rcpt_replies": {"other": "451 4.2.1 later"}}
PARTIAL = {}


def partial(names, fallback, audit, warnings=(), connections=2, handshakes=2,
            clear_mails=0, **more):
    """A name that ends with a plus sign is of a server like that."""
    kinds = [KINDS[name.rstrip("+")] for name in names.split()]
    label = names.replace(" ", "-").replace("+", "-half")
    case = Case(
        f"partial-{fallback or 'none'}-{label}", policy=rounds.LEVELS["secure"],
        peers=tuple(dataclasses.replace(kind.server, **HALF)
                    if name.endswith("+") else kind.server
                    for name, kind in zip(names.split(), kinds)),
        fallback=fallback and "secure=" + fallback, nexthop="{domain}",
        dns=Dns("none"), old=True, recipients=("user", "other"),
        expect=Expect(audit=audit, warnings=warnings, connections=connections,
                      handshakes=handshakes, clear_mails=clear_mails,
                      messages=len(audit), **more))
    PARTIAL[case.name] = case


def verified(number, **more):
    return Audit("secure", "secure", "Verified", host=number, **more)


def fell(number, kind, level):
    """The record and the warning for a delivery that fell back."""
    kind = KINDS[kind]
    return (Audit(level, "secure", kind.auth, policy="secure",
                  reason=kind.reason, host=number),
            Fell("secure", level, kind.reason, kind.detail, host=number))


def in_order(*fallen):
    """The records, and the warnings."""
    return {"audit": tuple(audit for audit, _ in fallen),
            "warnings": tuple(fell for _, fell in fallen if fell)}


partial("good+ good", "", (verified(0), verified(1)))
partial("good+ good", "may", (verified(0), verified(1)))
partial("good+ mismatch", "encrypt", **in_order(
    (verified(0), None), fell(1, "mismatch", "encrypt")))
partial("good+ mismatch", "", (verified(0),), statuses=(
    ("2.0.0", "sent"), ("4.7.5", "deferred")))
partial("good+ nostarttls", "may", handshakes=1, clear_mails=1, **in_order(
    (verified(0), None), fell(1, "nostarttls", "may")))
partial("mismatch good+", "encrypt", connections=3, handshakes=3, **in_order(
    (verified(1), None), fell(0, "mismatch", "encrypt")))
partial("nostarttls good+ mismatch", "may", connections=3, handshakes=2,
        **in_order((verified(1), None), fell(2, "mismatch", "may")))
partial("mismatch mismatch+", "encrypt", connections=3, handshakes=3,
        **in_order(fell(1, "mismatch", "encrypt"),
                   fell(0, "mismatch", "encrypt")))
partial("nostarttls mismatch+", "may", connections=3, handshakes=1,
        clear_mails=1, **in_order(fell(1, "mismatch", "may"),
                                  fell(0, "nostarttls", "may")))
partial("nostarttls mismatch+", "encrypt", (fell(1, "mismatch", "encrypt")[0],),
        (fell(1, "mismatch", "encrypt")[1],), handshakes=1, statuses=(
            ("4.2.1", "deferred"), ("2.0.0", "sent")))


@pytest.mark.parametrize("case", PARTIAL.values(), ids=lambda case: case.name)
def test_partial(case, world):
    world.result(case).check(case.expect)


# Equal preferences: the order is random, the outcome is not.
EQUAL = [Case(f"equal-{number}",
              peers=tuple(KINDS[name].server for name in names),
              policy=rounds.LEVELS["secure"], fallback="secure=may",
              nexthop="{domain}", dns=Dns("none", preferences=preferences),
              expect=Expect())
         for number, (names, preferences) in enumerate([
             (("good", "mismatch", "mismatch"), (10, 10, 10)),
             (("good", "nostarttls", "nostarttls", "nostarttls"), (10,) * 4),
             (("good", "nostarttls", "mismatch", "untrusted"),
              (20, 10, 10, 10)),
         ] * 3)]


@pytest.mark.parametrize("case", EQUAL, ids=lambda case: case.name)
def test_equal_preferences(case, world):
    result = world.result(case)
    accepted, = result.of("message")
    assert accepted["addr"] == result.servers[0].addr and accepted["tls"]
    assert [fields["auth"] for fields in result.audits()] == ["Verified"]
    assert result.texts("tls fallback") == []


# The relay for what the hosts do not take is another destination.
RELAY = Case("rounds-relay", peers=(host(addr="127.9.1.1", host="relay.test"),),
             dns=Dns("none"), policy="encrypt", nexthop="[relay.test]")


def relayed(names, fallback, connections, warnings, peers=None):
    kinds = [KINDS[name] for name in names.split()]
    return Case(
        "-".join(("relayed", fallback or "none", *names.split(),
                  "later" if peers else "now")),
        peers=tuple(dataclasses.replace(kind.server, **(peers or {}))
                    for kind in kinds),
        policy=rounds.LEVELS["secure"],
        fallback=fallback and "secure=" + fallback, nexthop="{domain}",
        dns=Dns("none"),
        params=(("smtp_fallback_relay", "[relay.test]"),),
        expect=Expect(connections=connections, warnings=warnings))


RELAYED = [
    relayed("mismatch nostarttls", "", 2, ()),
    # What a later round leaves goes there, and nothing before.
    relayed("mismatch mismatch", "encrypt", 3, (
        fell(1, "mismatch", "encrypt")[1], fell(0, "mismatch", "encrypt")[1]),
        peers=LATER),
    relayed("nostarttls mismatch", "may", 3, (
        fell(1, "mismatch", "may")[1], fell(0, "nostarttls", "may")[1]),
        peers=LATER),
]
NOT_RELAYED = [
    relayed("mismatch mismatch", "encrypt", 2,
            (fell(1, "mismatch", "encrypt")[1],)),
    relayed("mismatch busy", "may", 3,
            (fell(0, "mismatch", "may")[1],)),
]


@pytest.mark.cases(RELAY)
@pytest.mark.parametrize("case", RELAYED, ids=lambda case: case.name)
def test_fallback_relay_takes_the_rest(case, world):
    result = world.result(case)
    relay, = world.behaviours[RELAY.name]
    taken = [event for event in world.transcript.events(relay.addr, relay.port)
             if event["event"] == "message"
             and event["message_id"].strip("<>") in result.message_ids]
    assert [event["tls"] for event in taken] == [True]
    assert result.of("message") == []
    assert len(result.connections()) == case.expect.connections
    assert result.texts("tls fallback") == [
        result.warning_line(warning, result.queue_ids[0])
        for warning in case.expect.warnings]
    assert [status[2] for status in result.statuses()] == ["sent"]


@pytest.mark.cases(RELAY)
@pytest.mark.parametrize("case", NOT_RELAYED, ids=lambda case: case.name)
def test_fallback_relay_is_not_needed(case, world):
    result = world.result(case)
    assert len(result.of("message")) == 1
    assert result.texts("tls fallback") == [
        result.warning_line(warning, result.queue_ids[0])
        for warning in case.expect.warnings]


# The next delivery, while the connection of the last one is kept.
AGAIN = [rounds.make(List("secure", names, fallback, old=False, caching=True),
                     "again")
         for names in rounds.rows("""
             good mismatch
             mismatch good
             unreachable mismatch good
             mismatch mismatch mismatch
             mismatch nostarttls
             nostarttls mismatch
             nostarttls refused good
             nostarttls refused nostarttls
         """)
         for fallback in ("encrypt", "may")
         if fallback == "may" or {"good", "mismatch"}.intersection(names)]
SAME = ("level", "policy", "configured", "reason", "auth", "protocol",
        "nexthop")


@pytest.mark.parametrize("case,connections", [
    pytest.param(dataclasses.replace(case, expect=None),
                 case.expect.connections, id=case.name) for case in AGAIN])
def test_kept_connection_at_each_place(case, connections, world):
    """It changes nothing but the cost, and is not warned about again.

    Hosts before its own are tried again: one of them may authenticate now.
    After a delivery for which none did, the next begins with the first host
    that is good enough.
    """
    first, second, third = (world.result(case, world.deliver(case))
                            for _ in range(3))
    before, = first.audits()
    for result in second, third:
        after, = result.audits()
        assert {name: after.get(name) for name in SAME} == {
            name: before.get(name) for name in SAME}
        fell_back = "policy" in after and "reuse" not in after
        assert len(result.texts("tls fallback: ")) == fell_back
        assert result.texts("tls fallback refused: ") == []
    assert "reuse" not in before and "reuse" in after
    assert len(third.of("message")) == 3
    assert len(third.connections()) <= 3 * connections - 2


# Many deliveries, one after the other, by a service of their own.
MANY = 100
STEADY = Case("steady", peers=(KINDS["mismatch"].server,) * 5,
              policy=rounds.LEVELS["secure"], fallback="secure=encrypt",
              nexthop="{domain}", dns=Dns("none"),
              params=(("smtp_mx_session_limit", "4"),))


@pytest.mark.cases(STEADY)
def test_steady_state(world):
    """Nobody authenticates: that is found out once, and each is verified."""
    def deliver():
        sent.extend(world.deliver(STEADY))
        return world.result(STEADY, sent[-1:])

    sent = []
    result = deliver()
    assert len(result.connections()) == 5
    for _ in range(MANY):
        result = deliver()
    assert len(result.of("message")) == MANY + 1
    assert len(result.connections()) - 5 <= 1.1 * MANY
    assert len(result.of("handshake")) == len(result.connections())
    for message_id in sent:
        result = world.result(STEADY, [message_id])
        assert len(result.texts("tls fallback: ")) == 1
        assert [fields["level"] for fields in result.audits()] == ["encrypt"]

    # Who authenticates now is used like that, and what was known is forgotten.
    first, second = result.servers[:2]
    world.peers.add(dataclasses.replace(first, cert=host().cert))
    result = deliver()
    assert [fields["auth"] for fields in result.audits()] == ["Verified"]
    world.peers.add(first)
    world.peers.add(dataclasses.replace(second, cert=host().cert))
    result = deliver()
    accepted, = (event for event in result.of("message")
                 if event["message_id"].strip("<>") == sent[-1])
    assert accepted["addr"] == second.addr
    assert [fields["auth"] for fields in result.audits()] == ["Verified"]
    assert result.texts("tls fallback") == []
