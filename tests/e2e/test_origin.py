"""What is in force is the policy of the message at hand, whatever a connection
was made for; and a fallback is for what the server shows, not for our own
settings."""

import pytest

from testenv import messages
from testenv.harness import Audit, Behaviour, Case, Dns, Expect, Fell, Refused
from testenv.pki import Cert
from testenv.releases import applicable

B = Behaviour
SECURE = "secure match=hostname"
CACHE = (("smtp_connection_cache_destinations", "static:all"),
         ("smtp_connection_cache_time_limit", "60s"))
NO_TLS = ("TLS-Required: no",)
SASL_ELSEWHERE = (("smtp_sasl_auth_enable", "yes"),
                  ("smtp_sasl_password_maps",
                   "inline:{other.example=joe:secret}"),
                  ("smtp_sasl_security_options", "noanonymous"))


def deliver(world, case, headers=()):
    """Deliver one message; return its result."""
    message_id = world.send(case, headers=headers)
    world.finish([message_id])
    return world.result(case, [message_id])


def in_clear(result):
    return [event["tls"] for event in result.of("message")].count(False)


# A message with "TLS-Required: no" leaves a connection behind.  The first
# server could do better; the second one never could.
LEFT = [Case("smtp-left-none-good", policy=SECURE, params=CACHE,
             needs=("tls-required-header",)),
        Case("smtp-left-none-fallback", peers=(B(cert=Cert(issuer="other")),),
             policy=SECURE + " fallback=encrypt", params=CACHE,
             needs=("tls-required-header",)),
        Case("smtp-left-may-clear", peers=(B(starttls="absent"),),
             policy=SECURE, needs=("tls-required-header",),
             params=CACHE + (("smtp_tls_security_level", "may"),))]


@pytest.mark.parametrize("case", applicable(LEFT), ids=lambda case: case.name)
def test_what_the_lax_left_is_not_for_the_strict(case, world):
    lax = deliver(world, case, NO_TLS)
    assert [fields["auth"] for fields in lax.audits()] == ["Cleartext"]
    assert "policy" not in lax.audits()[0]
    assert in_clear(lax) == 1

    strict = deliver(world, case)
    assert len(strict.connections()) == 2, "it took the other's connection"
    assert in_clear(strict) == 1
    if "good" in case.name:
        fields, = strict.audits()
        assert (fields["level"], fields["auth"]) == ("secure", "Verified")
    elif "fallback" in case.name:
        fields, = strict.audits()
        assert (fields["level"], fields["reason"]) == ("encrypt", "untrusted")
        assert len(strict.texts("tls fallback: ")) == 1
    else:
        assert strict.audits() == []

    # The lax one's connection is still there, for its like.
    again = deliver(world, case, NO_TLS)
    assert len(again.connections()) == 2
    assert again.audits()[0]["reuse"] == "1"
    assert again.audits()[0]["configured"] == lax.audits()[0]["configured"]


LEFT_DANE = Case(
    "smtp-left-dane-bogus", peers=(B(starttls="absent"),), policy="dane",
    fallback="dane=may", dns=Dns("bogus"), nexthop="{domain}",
    needs=("tls-required-header",),
    params=CACHE + SASL_ELSEWHERE + (("smtp_tls_security_level", "may"),))


@pytest.mark.parametrize("case", applicable([LEFT_DANE]), ids=lambda case: case.name)
def test_what_the_lax_left_has_no_reason(case, world):
    deliver(world, case, NO_TLS)
    result = deliver(world, case)
    fields, = result.audits()
    assert (fields["level"], fields["policy"], fields["configured"],
            fields["reason"]) == ("may", "dane", "dane", "tlsa-lookup")
    assert [line.split("reason=")[1].split(",")[0] for line
            in result.texts("tls fallback: ")] == ["tlsa-lookup", "nostarttls"]
    assert len(result.connections()) == 2


# Opportunistic TLS that failed leaves a connection in cleartext, too.
YOUNG_MAY = Case("smtp-left-may-young", peers=(B(handshake="close"),),
                 policy="may", params=CACHE + (("minimal_backoff_time", "3"),))


@pytest.mark.parametrize("case", [YOUNG_MAY], ids=lambda case: case.name)
def test_young_message_is_as_careful_with_opportunistic_tls(case, world):
    old = world.send(case, age=4)
    world.finish([old])
    assert in_clear(world.result(case, [old])) == 1
    young = deliver(world, case)
    assert [status[2] for status in young.statuses()] == ["deferred"]
    assert in_clear(young) == 1


# Never weaker than "may", where the settings of "may" are the weaker ones.
def may_would(name, server, params, protocol, **more):
    return Case("smtp-as-may-" + name, peers=(server,), policy=SECURE,
                fallback="secure=may", params=params, expect=Expect(
                    audit=(Audit("may", "secure", "Trusted", policy="secure",
                                 reason="handshake"),),
                    warnings=(Fell("secure", "may", "handshake",
                                   messages.HANDSHAKE),),
                    connections=2, handshakes=2), **more), protocol


ONE_CIPHER = B(tls=("TLSv1_2", "TLSv1_2"), ciphers="AES128+AESGCM")

AS_MAY = [
    may_would("protocol", B(tls=("TLSv1_2", "TLSv1_2")),
              (("smtp_tls_mandatory_protocols", ">=TLSv1.3"),), "TLSv1.2"),
    may_would("protocol-proxy", B(tls=("TLSv1_2", "TLSv1_2")),
              (("smtp_tls_mandatory_protocols", ">=TLSv1.3"),
               ("smtp_tls_connection_reuse", "yes")), "TLSv1.2"),
    may_would("exclusion", ONE_CIPHER,
              (("smtp_tls_mandatory_exclude_ciphers", "AES128"),), "TLSv1.2"),
    may_would("grade", ONE_CIPHER,
              (("smtp_tls_mandatory_ciphers", "high"),
               ("tls_high_cipherlist", "AES256")), "TLSv1.2"),
]


@pytest.mark.parametrize("case, protocol", AS_MAY,
                         ids=[case.name for case, _ in AS_MAY])
def test_not_weaker_than_may(case, protocol, world):
    """Also a young message, which would not get cleartext, gets this."""
    result = world.result(case)
    result.check(case.expect)
    assert [event["protocol"] for event in result.of("handshake")
            if event["ok"]] == [protocol]


# STARTTLS that we do not want to see, or did not ask for.
NOT_OURS = Expect(status="deferred", dsn="4.7.4", messages=0, handshakes=0,
                  warnings=(Refused("secure", "may", "nostarttls",
                                    "local-config"),))


def own_fault(name, server, *params):
    return Case("smtp-own-fault-" + name, peers=(server,), policy=SECURE,
                fallback="secure=may", params=params, expect=NOT_OURS)


OWN_FAULT = [
    own_fault("discard", B(),
              ("smtp_discard_ehlo_keywords", "starttls")),
    own_fault("discard-map", B(),
              ("smtp_discard_ehlo_keyword_address_maps", "static:starttls")),
    own_fault("never-ehlo", B(), ("smtp_never_send_ehlo", "yes")),
    own_fault("not-always-ehlo", B(greeting="220 hello"),
              ("smtp_always_send_ehlo", "no")),
    own_fault("pix", B(greeting="220 ************************"),
              ("smtp_pix_workarounds", "disable_esmtp")),
]


@pytest.mark.parametrize("case", OWN_FAULT, ids=lambda case: case.name)
def test_starttls_that_we_threw_away(case, world):
    world.result(case).check(case.expect)


# A bad setting that is found after the DNS gave a reason to fall back.
BAD_SNI = Case(
    "smtp-own-fault-sni", policy="dane-only", fallback="dane-only=may",
    dns=Dns("none"), nexthop="{domain}",
    params=(("smtp_tls_servername", "bad..name"),),
    expect=Expect(status="deferred", dsn="4.7.5", messages=0, connections=0,
                  handshakes=0, warnings=(
                      Refused("dane-only", "may", "tlsa-missing",
                              "local-config"),)))


@pytest.mark.parametrize("case", [BAD_SNI], ids=lambda case: case.name)
def test_bad_servername_is_no_fallback(case, world):
    world.result(case).check(case.expect)


# Hosts that are not in the STS policy: said once, and only of a connection.
STS = ("secure policy_type=sts policy_domain=example.com "
       "mx_host_pattern=*.elsewhere.example fallback=may")
STS_CASES = [
    Case("smtp-sts-unreachable", peers=(B(addr="192.0.2.1"), B()), policy=STS,
         dns=Dns("none"), nexthop="{domain}", needs=("sts-attributes",),
         expect=Expect(
             audit=(Audit("may", "secure", "Trusted", policy="secure",
                          reason="sts-mx", host=1),),
             warnings=(Fell("secure", "may", "sts-mx",
                            "the host is not in the STS policy", host=1),))),
    Case("smtp-sts-retried", peers=(B(handshake="close"),), policy=STS,
         dns=Dns("none"), nexthop="{domain}", needs=("sts-attributes",),
         old=True, expect=Expect(
             audit=(Audit("may", "secure", "Cleartext", policy="secure",
                          reason="sts-mx"),),
             warnings=(Fell("secure", "may", "sts-mx",
                            "the host is not in the STS policy"),
                       Fell("secure", "may", "handshake", messages.HANDSHAKE)),
             connections=2, handshakes=1, clear_mails=1)),
]


@pytest.mark.parametrize("case", applicable(STS_CASES), ids=lambda case: case.name)
def test_sts_host_is_warned_about_once(case, world):
    world.result(case).check(case.expect)
