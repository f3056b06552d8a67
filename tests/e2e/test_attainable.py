"""What would have been: `attainable` against what "verify" and "secure" do.

Each kind of server stands there several times: for mail with policies that do
not look at its names, whose record has a prediction, and for mail with the
policies "secure" and "verify", where it comes true or not.  The servers are all
those of the matrix, and more of what a certificate can be.
"""

import dataclasses
import json
from dataclasses import dataclass

import pytest

from testenv import messages
import matrix
from testenv.harness import Behaviour, Case, Dns
from testenv.pki import Cert

B = Behaviour


@dataclass(frozen=True)
class Server:
    """One kind of server, and what is said of its certificate."""

    server: Behaviour = B()
    cert: Cert = None                   # instead of the server's
    match: tuple = ()                   # names for "secure" and for "verify"
    nexthop: str = "[{host}]"
    dns: Dns = None
    params: tuple = ()                  # smtp_tls_..., lmtp_tls_...
    error: str = ""                     # verify_error


def chain(error="", params=(), **cert):
    return Server(cert=Cert(**cert), error=error, params=params)


def named(*names, match=(), **cert):
    """{host} and {domain} are those of the case."""
    return Server(cert=Cert(names=names, **cert), match=match)


def from_matrix(obstacle):
    """A server of the matrix, for who does not ask for more than TLS."""
    works = obstacle.reason not in ("handshake", "nostarttls", "starttls-refused")
    return Server(obstacle.server,
                  error=messages.of_certificate(obstacle.server.cert) if works else "")


# Each server once, and not those that hang up before they have the message.
KINDS = {}
for name, obstacle in matrix.OBSTACLES.items():
    if (obstacle.reason not in ("handshake", "tls-lost")
            or name == "no-protocol"):
        KINDS.setdefault(repr(obstacle.server), (name, from_matrix(obstacle)))
KINDS = dict(KINDS.values())
KINDS.update({
    # Chains.
    "weak-key": chain(messages.WEAK_KEY, key="weak"),
    "weak-digest": chain(messages.WEAK_DIGEST, sha1=True),
    "rsa": chain(key="rsa"),
    "intermediate": chain(intermediates=1),
    "deep": chain(intermediates=3),
    "too-deep": chain("certificate chain too long", intermediates=3,
                      params=(("scert_verifydepth", "1"),)),
    # Names.
    "wildcard": named("*.{domain}"),
    "wildcard-deep": named("*.test"),
    "wildcard-partial": named("m*.{domain}"),
    "upper-case": named("MX0.{DOMAIN}"),
    "name-only-in-subject": named(alternative=False),
    "name-besides-others": named("other.example", subject="{host}"),
    "only-verify": named(match=("other.example", "hostname")),
    "only-secure": named(match=("nexthop", "other.example")),
    "neither": named(match=("other.example", "another.example")),
    "second-of-two": named(match=("other.example:{host}", "other.example")),
    "subdomain": named(match=(".{domain}", "other.example")),
    "dot-nexthop": Server(B(host="{domain}"), Cert(names=("any.{domain}",))),
    "dot-nexthop-deep": Server(B(host="{domain}"),
                             Cert(names=("any.where.{domain}",))),
    "idna": named("xn--bcher-kva.example",
                  match=("b\u00fccher.example", "hostname")),
    "idna-subdomain": named("mx.xn--bcher-kva.example",
                            match=("\u3002b\u00fccher.example", "hostname")),
    "idna-other": named("xn--bcher-kva.example",
                        match=("b\u00f6cher.example", "hostname")),
    "single-dot": named(match=(".", "other.example")),
    "address": Server(cert=Cert(addresses=("{addr}",)), nexthop="[{addr}]"),
    "other-address": Server(cert=Cert(addresses=("127.0.0.1",)),
                          nexthop="[{addr}]"),
    # A destination that has not the name of its server.
    "mx": Server(dns=Dns("none"), nexthop="{domain}"),
    "mx-nexthop": Server(cert=Cert(names=("{domain}",)), dns=Dns("none"),
                       nexthop="{domain}"),
})

# What predicts, and what comes true. A fingerprint or a TLSA record leaves the
# chain for the audit to verify.
PREDICT = {"may": "may", "encrypt": "encrypt",
           "fingerprint": "fingerprint match={spki}"}
# Without TLSA records, this is "may".
PREDICT_IN_DNS = {"dane": "dane"}
COME_TRUE = ("secure", "verify")
TRANSPORTS = {"smtp": ("smtp", ()),
              "proxy": ("smtp", (("smtp_tls_connection_reuse", "yes"),)),
              "lmtp": ("lmtp", ())}
# The two agents are one program.
WITH_LMTP = ("intermediate", "weak-key", "only-verify", "neither")
ADDRESSES = iter(f"127.200.{number // 250}.{number % 250 + 1}"
                 for number in range(10000))


def make(name, kind, level, transport):
    """One server of this kind, and its mail."""
    agent, params = TRANSPORTS[transport]
    case = Case(f"a-{name}-{level}-{transport}")
    server, addr = kind.server, next(ADDRESSES)

    def expand(text):
        host = server.host.format(domain=case.domain) or "mx0." + case.domain
        return text.format(host=host, addr=addr, domain=case.domain,
                           DOMAIN=case.domain.upper())

    cert = kind.cert or server.cert
    cert = dataclasses.replace(
        cert, names=tuple(map(expand, cert.names)),
        subject=expand(cert.subject),
        addresses=tuple(map(expand, cert.addresses)))
    for which, names in zip(COME_TRUE, kind.match):
        params += ((f"{agent}_tls_{which}_cert_match", expand(names)),)
    params += tuple((agent + "_tls_" + key, value)
                    for key, value in kind.params)
    return dataclasses.replace(
        case, peers=(dataclasses.replace(server, addr=addr, cert=cert,
                                         host=expand(server.host)),),
        policy={**PREDICT, **PREDICT_IN_DNS}.get(level, level), agent=agent, nexthop=kind.nexthop,
        dns=kind.dns, params=params, template="json")


def group(name, transport):
    levels = ("may",) if transport != "smtp" else tuple(PREDICT)
    if KINDS[name].dns:
        levels += tuple(PREDICT_IN_DNS)
    return {level: make(name, KINDS[name], level, transport)
            for level in levels + COME_TRUE}


GROUPS = {(name, transport): group(name, transport)
          for name in KINDS for transport in TRANSPORTS
          if transport != "lmtp" or name in WITH_LMTP}
ALL = [case for cases in GROUPS.values() for case in cases.values()]


@pytest.fixture(scope="module")
def delivered(world):
    world.deliver(*ALL)
    return world


def record_of(result):
    """The record of a delivery as it is in the log."""
    texts = result.texts("tlsaudit: ")
    if not texts:
        return None
    assert len(texts) == 1
    return json.loads(texts[0].partition(": tlsaudit: ")[2])


def was_sent(world, case):
    return {status[2] for status in world.result(case).statuses()} == {"sent"}


def comes_true(world, cases):
    for level in COME_TRUE:
        if was_sent(world, cases[level]):
            return level
    return None


@pytest.mark.cases(*ALL)
@pytest.mark.parametrize("name,transport", GROUPS, ids="-".join)
def test_prediction_comes_true(name, transport, delivered):
    cases = GROUPS[name, transport]
    truth = comes_true(delivered, cases)
    for level, case in cases.items():
        record = record_of(delivered.result(case))
        if level in COME_TRUE and not was_sent(delivered, case):
            assert record is None
            continue
        if record is None:
            # Without TLS, where that is mandatory.
            assert level not in ("may", "dane") and truth is None
            continue
        if level == "dane":
            assert (record["configured"], record["level"]) == ("dane", "may")
        assert record.get("attainable") == truth, (level, record)
        if level in ("may", "encrypt", "dane"):
            assert record.get("verify_error", "") == KINDS[name].error, level


@pytest.mark.cases(*ALL)
def test_all_outcomes_occur(delivered):
    outcomes = {comes_true(delivered, cases) for cases in GROUPS.values()}
    assert outcomes == {"secure", "verify", None}
