"""MTA-STS: an enforced policy, and a policy in testing mode by means of
fallback=may."""

import html
import re

import pytest

from testenv import messages, sts
from testenv.clone import TOP
from testenv.harness import Audit, Behaviour, Case, Dns, Expect, Fell
from testenv.pki import Cert

B = Behaviour
UNKNOWN_CA = B(cert=Cert(issuer="other"))
NO_STARTTLS = B(starttls="absent")
MAPS = (("smtp_tls_policy_maps", sts.POLICY_MAPS),)
VERIFIED = Expect(audit=(Audit("secure", "secure", "Verified"),))


def case(mode, name, server, expect):
    return Case(f"smtp-sts-{mode}-{name}", peers=(server,), sts=mode,
                dns=Dns("none"), nexthop="{domain}", params=MAPS,
                expect=expect)


def fell(reason, detail, auth, **more):
    return Expect(audit=(Audit("may", "secure", auth, policy="secure",
                               reason=reason),),
                  warnings=(Fell("secure", "may", reason, detail),), **more)


CASES = [
    case("enforce", "good", B(), VERIFIED),
    case("enforce", "untrusted", UNKNOWN_CA, Expect(
        status="deferred", dsn="4.7.5", messages=0,
        reason="Server certificate not verified")),
    case("enforce", "nostarttls", NO_STARTTLS, Expect(
        status="deferred", dsn="4.7.4", messages=0, handshakes=0)),
    case("testing", "good", B(), VERIFIED),
    case("testing", "untrusted", UNKNOWN_CA,
         fell("untrusted", messages.UNKNOWN_CA, "Untrusted")),
    case("testing", "mismatch", B(cert=Cert(names=("other.example",))),
         fell("mismatch", messages.WRONG_NAME, messages.NAMELESS)),
    case("testing", "nostarttls", NO_STARTTLS,
         fell("nostarttls", messages.NO_STARTTLS, "Cleartext", handshakes=0,
              clear_mails=1)),
    case("none", "nostarttls", NO_STARTTLS, Expect(
        audit=(Audit("none", "none", "Cleartext"),), handshakes=0,
        clear_mails=1)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sts(case, world):
    world.result(case).check(case.expect)


def test_the_documents_say_the_same():
    """The recipe in TLS_FALLBACK_README is the one that is used above."""
    text = (TOP / "proto/TLS_FALLBACK_README.html").read_text()
    section = text.partition("MTA-STS </a>")[2]
    recipe = re.search(r"smtp_tls_policy_maps =\s+(.*?)\s*</pre>", section,
                       re.DOTALL).group(1)
    assert " ".join(html.unescape(recipe).split()) == sts.POLICY_MAPS
