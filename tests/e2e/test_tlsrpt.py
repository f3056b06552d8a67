"""TLS reports: for each obstacle, what the destination's collector learns.

A failure is reported once, whether a fallback follows or not, and success never
after a fallback.  The cases are those of the matrix; what must be reported is
written from RFC 8460 and the design.
"""

import dataclasses

import pytest

import matrix
from testenv import tlsrpt
from testenv.dnssec import Dns
from testenv.harness import Behaviour, Case
from testenv.pki import Cert
from testenv.releases import has
from testenv.tlsrpt import SUCCESS, Report

BEFORE_CONNECTING = ("tlsa-lookup", "tlsa-missing", "tlsa-unusable",
                     "insecure-mx", "sts-mx")
STS_DOMAIN = "example.com"


def result_type(level, obstacle, fallback):
    """What must be reported: nothing, success, or a failure."""
    reason = obstacle.reason
    if level == "none":
        return ""
    if reason in ("nostarttls", "starttls-refused"):
        return obstacle.report if level != "may" else ""
    if reason in BEFORE_CONNECTING and not obstacle.late:
        if level == "dane" and reason in ("tlsa-missing", "tlsa-unusable"):
            return SUCCESS              # no DANE policy, by definition
        return obstacle.report if fallback else ""
    if reason in ("", "tls-lost"):
        return SUCCESS                  # the TLS session was all right
    if reason in ("untrusted", "mismatch") and level in ("may", "encrypt"):
        return SUCCESS
    if reason == "untrusted" and level not in matrix.PKIX:
        return SUCCESS                  # a digest is all that matters
    return obstacle.report


def policy(case, level, obstacle, sts):
    """Policy type, policy domain (the host where it is DANE), TLSA records,
    host patterns."""
    found = obstacle.reason not in BEFORE_CONNECTING or obstacle.late
    if sts:
        return "sts", STS_DOMAIN, 0, sts
    if level not in matrix.DANE or (level == "dane" and obstacle.reason in (
            "tlsa-missing", "tlsa-unusable") and not obstacle.late):
        return "no-policy-found", "{domain}", 0, ()
    return "tlsa", "{host}", int(found), ()


def make(level, name, fallback, transport, with_sts=False):
    obstacle = matrix.OBSTACLES[name]
    case = matrix.make(level, name, fallback, transport, True)
    case = dataclasses.replace(
        case, name="r" + case.name[1:] + ("-sts" if with_sts else ""),
        nexthop="{domain}", dns=case.dns or Dns("none"), tlsrpt=True)
    sts = ()
    if name == "sts-mx":
        sts = ("*.elsewhere.example",)
    elif with_sts:
        sts = ("mx0." + case.domain,)
        case = dataclasses.replace(case, policy=case.policy + (
            f" policy_type=sts policy_domain={STS_DOMAIN} mx_host_pattern={sts[0]}"))
    reported = result_type(level, obstacle, matrix.FALLBACKS[fallback][2])
    kind, domain, tlsa, patterns = policy(case, level, obstacle, sts)
    return case, [Report("{domain}", kind, domain, reported, tlsa=tlsa,
                         mx_patterns=patterns)] if reported else []


def combinations():
    """Each transport that reports, where the fallback is greatest."""
    for level, name, fallback, transport, old in matrix.combinations():
        if fallback in ("unset", "p-encrypt", "p-may") and old and (
                transport == "smtp"
                or transport == "proxy" and fallback == "p-may"):
            yield level, name, fallback, transport
            if level == "secure" and transport == "smtp" and name != "sts-mx":
                yield level, name, fallback, transport, True


TABLE = [make(*row) for row in combinations()]
HOSTS = Case(
    "r-hosts", peers=(Behaviour(cert=Cert(names=("other.example",))),
                      Behaviour()),
    policy="secure match=hostname", nexthop="{domain}", dns=Dns("none"),
    tlsrpt=True)
CACHED = Case(
    "r-cached", peers=(Behaviour(cert=Cert(issuer="other")),),
    policy="secure match=hostname", fallback="secure=may", nexthop="{domain}",
    dns=Dns("none"), tlsrpt=True,
    params=(("smtp_connection_cache_destinations", "static:all"),
            ("smtp_connection_cache_time_limit", "60s"),
            ("smtp_tls_connection_reuse", "yes")))


def in_full(report, world, case, server=0):
    """With the names that the case has got."""
    shown = world.behaviours[case.name][server]
    names = {"domain": world.mail_domain(case), "host": shown.host}
    failed = report.result != SUCCESS
    return dataclasses.replace(
        report, domain=report.domain.format(**names),
        policy_domain=report.policy_domain.format(**names),
        host=shown.host if failed else "", addr=shown.addr if failed else "")


def test_built_where_the_library_is():
    assert tlsrpt.is_built() == (tlsrpt.HEADER.exists()
                                 and has("tls-reports"))


if tlsrpt.is_built():
    @pytest.mark.parametrize("case, reports", TABLE,
                             ids=[case.name for case, _ in TABLE])
    def test_report(case, reports, world):
        result = world.result(case)
        result.check(case.expect)
        assert world.reports(case) == [
            in_full(report, world, case) for report in reports]

    @pytest.mark.cases(HOSTS)
    def test_success_of_the_second_host(world):
        """What one host has failed in says nothing about the next."""
        world.deliver(HOSTS)
        assert world.reports(HOSTS) == [
            in_full(Report("{domain}", "no-policy-found", "{domain}",
                           result), world, HOSTS, number)
            for number, result in enumerate(
                ("certificate-host-mismatch", SUCCESS))]

    @pytest.mark.cases(CACHED)
    def test_cached_connection(world):
        """What is delivered over it is no new TLS session."""
        world.deliver(CACHED)
        world.deliver(CACHED)
        result = world.result(CACHED)
        assert len(result.connections()) == 1
        assert len(result.audits()) == 2
        assert world.reports(CACHED) == [
            in_full(Report("{domain}", "no-policy-found", "{domain}",
                           "validation-failure"), world, CACHED)]
