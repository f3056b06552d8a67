"""What depends on state: cached connections, resumed sessions, several hosts."""

import dataclasses

import pytest

from testenv import messages, postfix
from testenv.harness import Audit, Behaviour, Case, Dns, Expect, Fell, parse_audit
from testenv.pki import Cert

B = Behaviour
SECURE = "secure match=hostname"
WRONG_NAME = Cert(names=("other.example",))
UNKNOWN_CA = Cert(issuer="other")


def cached(agent, proxy=False):
    """Parameters that keep connections open for other deliveries."""
    params = ((agent + "_connection_cache_destinations", "static:all"),
              (agent + "_connection_cache_time_limit", "60s"))
    if proxy:
        params += ((agent + "_tls_connection_reuse", "yes"),)
    return params


def reuse_case(agent, name, server, policy, proxy, **more):
    return Case(f"{agent}-reuse-{name}", peers=(server,), policy=policy,
                agent=agent, params=cached(agent, proxy), **more)


def for_each_agent(table):
    return pytest.mark.parametrize(
        "case, first, warnings, clear", [
            pytest.param(reuse_case(agent, *row[:4], **row[4]), *row[5:],
                         id=f"{agent}-{row[0]}")
            for row in table for agent in ("smtp", "lmtp")])


# name, server, policy, through tlsproxy, more of the case; the first audit
# line, the warnings with it, and whether everything is in cleartext.
REUSE = [
    ("none", B(), "none", False, {},
     Audit("none", "none", "Cleartext"), (), True),
    ("may-clear", B(starttls="absent"), "may", False, {},
     Audit("may", "may", "Cleartext"), (), True),
    ("fell-clear", B(starttls="absent"), SECURE, False,
     {"fallback": "secure=may"},
     Audit("may", "secure", "Cleartext", policy="secure", reason="nostarttls"),
     (Fell("secure", "may", "nostarttls", messages.NO_STARTTLS),), True),
    ("proxy-encrypt", B(), "encrypt", True, {},
     Audit("encrypt", "encrypt", "Trusted"), (), False),
    ("proxy-tls12", B(tls=("TLSv1_2", "TLSv1_2")), "encrypt", True, {},
     Audit("encrypt", "encrypt", "Trusted"), (), False),
    ("proxy-secure", B(), SECURE + " servername=mx.sni.test", True, {},
     Audit("secure", "secure", "Verified"), (), False),
    ("proxy-mismatch", B(cert=WRONG_NAME), SECURE, True,
     {"fallback": "secure=encrypt"},
     Audit("encrypt", "secure", messages.NAMELESS, policy="secure",
           reason="mismatch"),
     (Fell("secure", "encrypt", "mismatch", messages.WRONG_NAME),), False),
    ("proxy-untrusted", B(cert=UNKNOWN_CA), SECURE + " fallback=may", True, {},
     Audit("may", "secure", "Untrusted", policy="secure", reason="untrusted"),
     (Fell("secure", "may", "untrusted", messages.UNKNOWN_CA),), False),
]


@for_each_agent(REUSE)
def test_every_delivery_has_its_line(case, first, warnings, clear, world):
    """Three deliveries over one connection; the warning comes once."""
    for number in range(3):
        message_id, = world.deliver(case)
        result = world.result(case, [message_id])
        result.check(Expect(
            audit=(dataclasses.replace(first, reuse=number, connection=0),),
            warnings=warnings if number == 0 else (),
            connections=1, handshakes=0 if clear else 1,
            clear_mails=number + 1 if clear else 0, messages=number + 1))


NOT_CACHED = Case("smtp-reuse-tls-direct", policy="encrypt",
                  params=cached("smtp"))


@pytest.mark.parametrize("case", [NOT_CACHED], ids=lambda case: case.name)
def test_tls_without_proxy_is_not_cached(case, world):
    for number in range(2):
        message_id, = world.deliver(case)
        world.result(case, [message_id]).check(Expect(
            audit=(Audit("encrypt", "encrypt", "Trusted"),),
            connections=number + 1, handshakes=number + 1,
            messages=number + 1))


# Two destinations at one server, with one delivery service: the first may
# fall back, the second may not.
SHARED = B(addr="127.9.0.1", host="shared.test", cert=WRONG_NAME)
SHARED_CLEAR = B(addr="127.9.0.2", host="shared-clear.test", starttls="absent")


def sharing(agent, proxy):
    """The cases that share one server, by what their policy allows."""
    kind = "proxy" if proxy else "clear"
    port = {"smtp": 25, "lmtp": 24}[agent]
    server = SHARED if proxy else SHARED_CLEAR
    # Different nexthop strings for one host and port.
    nexthops = {"lax": "[{host}]", "strict": f"[{{host}}]:{port}"}
    policies = {"lax": SECURE + " fallback=may", "strict": SECURE}
    return {name: Case(f"{agent}-shared-{kind}-{name}",
                       peers=(server,), policy=policies[name],
                       nexthop=nexthops[name], agent=agent,
                       params=cached(agent, proxy))
            for name in nexthops}


def shared_param(agent, proxy):
    cases = sharing(agent, proxy)
    return pytest.param(cases, proxy,
                        marks=pytest.mark.cases(*cases.values()),
                        id=f"{agent}-{'proxy' if proxy else 'clear'}")


@pytest.mark.parametrize("cases, proxy", [
    shared_param(agent, proxy) for agent in ("smtp", "lmtp")
    for proxy in (False, True)])
def test_fallen_back_connection_is_not_found_by_the_strict(cases, proxy,
                                                           world):
    lax, strict = cases["lax"], cases["strict"]
    message_id, = world.deliver(lax)
    result = world.result(lax, [message_id])
    assert len(result.texts("tls fallback: ")) == 1
    assert len(result.connections()) == 1

    message_id, = world.deliver(strict)
    result = world.result(strict, [message_id])
    assert [status[1:3] for status in result.statuses()] == [
        ("4.7.5" if proxy else "4.7.4", "deferred")]
    assert result.texts("tlsaudit: ") == []
    assert result.texts("tls fallback") == []
    assert len(result.connections()) == 2, "it took the other's connection"
    assert len(result.of("message")) == 1

    # The lax one's connection is still there, for itself.
    message_id, = world.deliver(lax)
    result = world.result(lax, [message_id])
    line, = result.texts("tlsaudit: ")
    assert parse_audit(line)["reuse"] == "1"
    assert parse_audit(line)["reason"] == (
        "mismatch" if proxy else "nostarttls")
    assert len(result.connections()) == 2


# The policy gets stricter while a connection that fell back is cached.
POLICY_TABLE = "/etc/postfix/changing_policy"


def changing_case(name, proxy, server):
    return Case("smtp-changing-" + name, peers=(server,),
                params=cached("smtp", proxy) + (
                    ("smtp_tls_policy_maps", "lmdb:" + POLICY_TABLE),))


CHANGING = [
    (changing_case("clear", False, B(starttls="absent")), "4.7.4"),
    (changing_case("proxy", True, B(cert=WRONG_NAME)), "4.7.5"),
]


def set_policies(world, policy):
    """(Re)build the table that changes under the delivery agents' hands."""
    with open(POLICY_TABLE, "w", encoding="ascii") as table:
        for case in [case for case, _ in CHANGING] + [TURNED_ON]:
            if case.name in world.cases:
                table.write(f"{world.nexthop(case)} {policy}\n")
    postfix.run("postmap", "lmdb:" + POLICY_TABLE)


@pytest.mark.parametrize("case, dsn", CHANGING,
                         ids=[case.name for case, _ in CHANGING])
def test_policy_in_force_decides_about_cached_connection(case, dsn, world):
    set_policies(world, SECURE + " fallback=may")
    world.deliver(case)
    message_id, = world.deliver(case)
    result = world.result(case, [message_id])
    assert parse_audit(result.texts("tlsaudit: ")[0])["reuse"] == "1"

    set_policies(world, SECURE)
    message_id, = world.deliver(case)
    result = world.result(case, [message_id])
    assert [status[1:3] for status in result.statuses()] == [(dsn, "deferred")]
    assert result.texts("tls") == []
    assert len(result.connections()) == 2
    assert len(result.of("message")) == 2


# A young message must not profit from what an old one was allowed.
BACKOFF = 3
AGEING = [(Case("smtp-ageing-" + name, peers=(server,), policy=SECURE,
                fallback="secure=may", params=cached("smtp") + (
                    ("minimal_backoff_time", str(BACKOFF)),)), tls_attempts)
          for name, server, tls_attempts in (
              ("handshake", B(handshake="close"), 2),
              ("lost", B(lose_in_tls="MAIL"), 1))]


@pytest.mark.parametrize("case, tls_attempts", AGEING,
                         ids=[case.name for case, _ in AGEING])
def test_young_message_does_not_use_cleartext_connection_of_old(
        case, tls_attempts, world):
    for number in range(2):
        old = world.send(case, age=BACKOFF + 1)
        world.finish([old])
        result = world.result(case, [old])
        assert [fields.get("reuse", "0") for fields in result.audits()] == [
            str(number)]
        assert len(result.connections()) == tls_attempts + 1

    young, = world.deliver(case)
    result = world.result(case, [young])
    line, = result.texts("tls fallback refused: ")
    assert line.endswith("rule=backoff")
    assert [status[2] for status in result.statuses()] == ["deferred"]
    assert result.audits() == []
    assert len(result.connections()) == 2 * tls_attempts + 1, (
        "it took the old one's connection")
    assert len(result.of("message")) == 2


# TLS session resumption.
UNVERIFIED = [Case("smtp-resumed-" + version.lower().replace("_", ""),
                   peers=(B(cert=UNKNOWN_CA, tls=(version, version)),),
                   policy=SECURE + " fallback=encrypt")
              for version in ("TLSv1_2", "TLSv1_3")]


def delivery(world, case):
    """Deliver one message; return its result and its audit fields."""
    message_id, = world.deliver(case)
    result = world.result(case, [message_id])
    lines = result.texts("tlsaudit: ")
    return result, parse_audit(lines[0]) if lines else {}


@pytest.mark.parametrize("case", UNVERIFIED, ids=lambda case: case.name)
def test_session_that_fell_back_is_not_resumed(case, world):
    """When the certificate is repaired, the next delivery knows."""
    for number in range(2):
        result, fields = delivery(world, case)
        handshake = result.of("handshake")[number]
        assert not handshake["resumed"]
        assert (fields["auth"], fields["level"], fields["reason"]) == (
            "Untrusted", "encrypt", "untrusted")
        assert fields["cert_digest"] == handshake["cert_digest"]
        assert len(result.texts("tls fallback: ")) == 1

    server = world.behaviours[case.name][0]
    world.peers.add(dataclasses.replace(server, cert=Cert(serial=1)))
    for resumed in (False, True):
        result, fields = delivery(world, case)
        assert result.of("handshake")[-1]["resumed"] == resumed
        assert (fields["auth"], fields["level"]) == ("Verified", "secure")
        assert "reason" not in fields and "policy" not in fields
        assert result.texts("tls fallback") == []

    # And worse again: the good session must not bless the bad certificate.
    world.peers.add(server)
    result, fields = delivery(world, case)
    assert (fields["auth"], fields["reason"]) == ("Untrusted", "untrusted")


GOOD_RESUMED = Case("smtp-resumed-good", policy=SECURE + " fallback=may")


@pytest.mark.parametrize("case", [GOOD_RESUMED], ids=lambda case: case.name)
def test_resumed_session_stays_verified(case, world):
    for number in range(2):
        message_id, = world.deliver(case)
        result = world.result(case, [message_id])
        result.check(Expect(audit=(Audit("secure", "secure", "Verified"),),
                            connections=number + 1, handshakes=number + 1,
                            messages=number + 1))
    assert [event["resumed"] for event in result.of("handshake")] == [
        False, True]


# A session that was saved without any fallback level, and is unverified.  (In
# TLS 1.3 a client that hangs up after the handshake gets no session to save.)
TURNED_ON = changing_case("resumed", False, B(cert=UNKNOWN_CA,
                                              tls=("TLSv1_2", "TLSv1_2")))


@pytest.mark.parametrize("case", [TURNED_ON], ids=lambda case: case.name)
def test_unverified_session_from_before_the_fallback_level(case, world):
    set_policies(world, SECURE)
    result, fields = delivery(world, case)
    assert [status[1:3] for status in result.statuses()] == [
        ("4.7.5", "deferred")]
    assert fields == {}

    set_policies(world, SECURE + " fallback=encrypt")
    for resumed in (True, False):
        result, fields = delivery(world, case)
        assert result.of("handshake")[-1]["resumed"] == resumed
        assert (fields["auth"], fields["level"], fields["reason"]) == (
            "Untrusted", "encrypt", "untrusted")
        assert result.texts("tls fallback: ") == [result.warning_line(
            Fell("secure", "encrypt", "untrusted",
                 messages.UNKNOWN_CA_RESUMED if resumed
                 else messages.UNKNOWN_CA),
            result.queue_ids[0])]


# Several hosts: one that authenticates comes before others.
def mx_case(name, first, second, fallback, expect):
    return Case("smtp-mx-" + name, peers=(first, second), policy="secure",
                fallback=fallback, dns=Dns("none"), nexthop="{domain}",
                expect=expect)


BAD, GOOD = B(cert=WRONG_NAME), B()
SEVERAL = [
    mx_case("strict", BAD, GOOD, "", Expect(
        audit=(Audit("secure", "secure", "Verified", host=1),),
        connections=2, handshakes=2)),
    mx_case("lax", BAD, GOOD, "secure=encrypt", Expect(
        audit=(Audit("secure", "secure", "Verified", host=1),),
        connections=2, handshakes=2)),
    mx_case("second-falls", B(starttls="absent"), BAD, "secure=encrypt",
            Expect(audit=(Audit("encrypt", "secure", messages.NAMELESS,
                                policy="secure", reason="mismatch", host=1),),
                   warnings=(Fell("secure", "encrypt", "mismatch",
                                  messages.WRONG_NAME, host=1),),
                   connections=2, handshakes=1)),
]


@pytest.mark.parametrize("case", SEVERAL, ids=lambda case: case.name)
def test_several_hosts(case, world):
    world.result(case).check(case.expect)


def plain_cases():
    """The cases for a comparison with the unpatched Postfix."""
    return [*(reuse_case(agent, *row[:4]) for agent in ("smtp", "lmtp")
              for row in REUSE), UNVERIFIED[0], GOOD_RESUMED, *SEVERAL]
