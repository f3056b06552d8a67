"""Bad configuration: the exact warning, and what happened to the mail.

A typing error never weakens anything, and never stops mail that needs no
fallback.  Every bad parameter value therefore gets two destinations: one whose
certificate has the wrong name, which must be treated as if there were no
fallback, and a good one, which must get its mail.
"""

import dataclasses

import pytest

from testenv.harness import Audit, Behaviour, Case, Expect, differences
from testenv.pki import Cert

GOOD = Behaviour()
WRONG_NAME = Behaviour(cert=Cert(names=("other.example",)))
SECURE = "secure match=hostname"
DEFERRED = Expect(status="deferred", dsn="4.7.5", messages=0,
                  reason="Server certificate not verified")
DELIVERED = Expect(audit=(Audit("secure", "secure", "Verified"),))

LEVELS = "dane, dane-only, fingerprint, verify, secure"
NO_EQUALS = "specify policy_level=fallback_level"
BAD_POLICY = "the policy level must be one of " + LEVELS
BAD_FALLBACK = "the fallback level must be one of encrypt, may"
TWICE = f"specify each of {LEVELS} at most once"


def warnings_at_start(result):
    """The warnings of the delivery agents that handled these messages, that
    are not about a message or a server."""
    pids = {line.pid for line in result.agent_lines()}
    return [line.text for pid in pids
            for line in result.world.postfix.log.by_pid[pid]
            if "_tls_" in line.text and line.text.startswith("warning: ")]


# The value, the offending word, the explanation.
BAD_LEVELS = [
    ("secure", "secure", NO_EQUALS),
    ("secure=may verify dane=may", "verify", NO_EQUALS),
    ("secure = may", "secure", NO_EQUALS),
    ("secure=may, paranoid=may", "paranoid=may", BAD_POLICY),
    ("secure=may encrypt=may", "encrypt=may", BAD_POLICY),
    ("secure=may, may=may", "may=may", BAD_POLICY),
    ("secure=may half-dane=may", "half-dane=may", BAD_POLICY),
    ("secure=none", "secure=none", BAD_FALLBACK),
    ("secure=may verify=verify", "verify=verify", BAD_FALLBACK),
    ("secure=", "secure=", BAD_FALLBACK),
    ("secure=may, Secure=may", "Secure=may", TWICE),
    ("secure=may secure=encrypt verify=bad", "secure=encrypt", TWICE),
]


@dataclasses.dataclass(frozen=True)
class BadLevel:
    """One bad parameter value with its two destinations."""

    agent: str
    number: int
    value: str
    word: str
    why: str

    def case(self, kind, server, expect):
        return Case(f"{self.agent}-badlevel{self.number}-{kind}",
                    peers=(server,), policy=SECURE, fallback=self.value,
                    agent=self.agent, expect=expect)

    @property
    def cases(self):
        return (self.case("mismatch", WRONG_NAME, DEFERRED),
                self.case("good", GOOD, DELIVERED))


def parameters(bad):
    """A test's parameter, together with the cases that it needs."""
    return pytest.param(bad, marks=pytest.mark.cases(*bad.cases),
                        id=bad.cases[0].name)


@pytest.mark.parametrize("bad", [
    parameters(BadLevel(agent, number, *row))
    for number, row in enumerate(BAD_LEVELS) for agent in ("smtp", "lmtp")])
def test_bad_fallback_level(bad, world):
    warning = (f'warning: {bad.agent}_tls_fallback_level: bad value "{bad.word}": {bad.why}; '
               'ignoring the whole parameter')
    for case in bad.cases:
        result = world.result(case)
        result.check(case.expect)
        assert warnings_at_start(result) == [warning]


# The template, the warning, the text that is logged for a delivery.
BUILT_IN = ('unknown built-in template "%s": specify standard, full or json, '
            'or text with $name; ignoring the parameter')
UNKNOWN = 'unknown attribute "%s" expands to nothing'
UNBALANCED = 'unbalanced {} or () at "%s"; ignoring the parameter'
TEMPLATES = [
    ("fulll", BUILT_IN % "fulll", None),
    ("relay", BUILT_IN % "relay", None),
    ("tlsaudit: auth=$auth who=${who} $who", UNKNOWN % "who",
     "tlsaudit: auth=Verified who= "),
    ("tlsaudit: auth=${auth?{${nobody}}:{none}} x", UNKNOWN % "nobody",
     "tlsaudit: auth= x"),
    ("tlsaudit: ${auth:${nobody}}$level", UNKNOWN % "nobody",
     "tlsaudit: secure"),
    ("relay=${relay", UNBALANCED % "${relay", None),
    ("relay=$(relay,level=$level", UNBALANCED % "$(relay,level=$level", None),
    ("$auth,${level?{x}", UNBALANCED % "${level?{x}", None),
    # These are good.
    ("standard", None, "tlsaudit: relay={relay}, auth=Verified, level=secure, "
     "protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384"),
    ("tlsaudit: $(auth) ${level} $fs$$", None,
     "tlsaudit: Verified secure yes$"),
    ("tlsaudit: ${policy?fell}${policy:firm} "
     "${{$level} == {secure}?{a}:{b}} ${{$nrcpt} > {1}?{many}:{one}}", None,
     "tlsaudit: firm a one"),
    ("tlsaudit: $relay$relay", None, "tlsaudit: {relay}{relay}"),
    ("no keyword at all $nrcpt", None, "no keyword at all 1"),
]


def template_case(agent, number, template):
    return Case(f"{agent}-template{number}", peers=(GOOD,),
                policy=SECURE, template=template, agent=agent,
                expect=Expect())


@pytest.mark.parametrize("template, warning, text, case", [
    pytest.param(*row, template_case(agent, number, row[0]),
                 id=f"{agent}-{number}")
    for number, row in enumerate(TEMPLATES) for agent in ("smtp", "lmtp")])
def test_template(template, warning, text, case, world):
    result = world.result(case)
    prefix = case.agent + "_tls_audit_template: "
    assert warnings_at_start(result) == (
        ["warning: " + prefix + warning] if warning else [])
    relay = result.relay(result.servers[0])
    logged = [line.text.partition(": ")[2] for line in result.agent_lines()
              if "status=" not in line.text]
    assert logged == ([text.replace("{relay}", relay)] if text else [])
    differences(result.expected(case.expect),
                {**result.summary(case.expect), "audit": []})


# Policy table entries, and the warning about each.
CHOICE = "; specify one of encrypt, may, none"
A_TIME = "; specify a number and one of s, m, h, d, w"
BAD_ATTRIBUTES = [
    ("value", SECURE + " fallback=verify",
     'attribute "fallback" has a bad value: "verify"' + CHOICE),
    ("word", SECURE + " fallback=maybe",
     'attribute "fallback" has a bad value: "maybe"' + CHOICE),
    ("empty", SECURE + " fallback=",
     'attribute "fallback" has empty value'),
    ("twice", SECURE + " fallback=may fallback=may",
     'attribute "fallback" is specified multiple times'),
    ("none-twice", SECURE + " fallback=none fallback=may",
     'attribute "fallback" is specified multiple times'),
    ("may", "may fallback=may",
     'attribute "fallback" invalid at security level "may"'),
    ("encrypt", "encrypt fallback=none",
     'attribute "fallback" invalid at security level "encrypt"'),
    *(("delay-" + value, f"{SECURE} fallback_delay={value}",
       f'attribute "fallback_delay" has a bad value: "{value}"' + A_TIME)
      for value in ("soon", "4x", "4hours", "-1", "h", "99999999999")),
    ("delay-empty", SECURE + " fallback=may fallback_delay=",
     'attribute "fallback_delay" has empty value'),
    ("delay-twice", SECURE + " fallback_delay=1h fallback_delay=1h",
     'attribute "fallback_delay" is specified multiple times'),
    ("delay-may", "may fallback_delay=1h",
     'attribute "fallback_delay" invalid at security level "may"'),
    ("delay-encrypt", "encrypt fallback_delay=1h",
     'attribute "fallback_delay" invalid at security level "encrypt"'),
]


def attribute_case(agent, name, policy):
    return Case(f"{agent}-badattr-{name}", peers=(GOOD,), policy=policy,
                agent=agent, fallback="secure=may", expect=Expect(
                    status="deferred", dsn="4.7.5",
                    reason="client TLS configuration problem",
                    connections=0, handshakes=0, messages=0))


@pytest.mark.parametrize("warning, case", [
    pytest.param(warning, attribute_case(agent, name, policy),
                 id=f"{agent}-{name}")
    for name, policy, warning in BAD_ATTRIBUTES for agent in ("smtp", "lmtp")])
def test_bad_attribute(warning, case, world):
    result = world.result(case)
    result.check(case.expect)
    where = f'{case.agent}_tls_policy_maps, next-hop destination "{result.nexthop}": '
    assert [text for text in warnings_at_start(result)
            if result.nexthop in text] == ["warning: " + where + warning]


NONE_CASE = Case("smtp-badattr-none", policy="none fallback=may",
                 expect=Expect(audit=(Audit("none", "none", "Cleartext"),),
                               handshakes=0, clear_mails=1))


@pytest.mark.parametrize("case", [NONE_CASE], ids=["none"])
def test_attribute_with_tls_disabled(case, world):
    """Upstream ignores every attribute there, and says so."""
    result = world.result(case)
    result.check(case.expect)
    assert [text for text in warnings_at_start(result)
            if result.nexthop in text] == [
        f'warning: smtp_tls_policy_maps, next-hop destination "{result.nexthop}": ignoring '
        'attribute "fallback=may" with TLS disabled']
