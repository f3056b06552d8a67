"""Raw public keys: what is not in the matrix, whose column "rpk" has them."""

import pytest

from testenv import rpk
from testenv.harness import Audit, Behaviour, Case, Expect
from testenv.pki import Cert
from testenv.releases import applicable

RAW = Behaviour(raw_key=True)
RAW_RSA = Behaviour(raw_key=True, cert=Cert(key="rsa"))
UNWILLING = Behaviour()
TLS12 = Behaviour(raw_key=True, tls=("TLSv1_2", "TLSv1_2"))
NEEDS = ("raw-public-keys",)
MATCH = "fingerprint match={spki} enable_rpk="

# Name, server, policy.  The key matches in each of them.
TABLE = [
    ("ecdsa", RAW, MATCH + "yes"),
    ("rsa", RAW_RSA, MATCH + "yes"),
    ("tls12", TLS12, MATCH + "yes"),
    ("certificate", UNWILLING, MATCH + "yes"),
    ("unasked", RAW, MATCH + "no"),
]
VERIFIED = Expect(audit=(Audit("fingerprint", "fingerprint", "Verified"),))
PROXY = (("smtp_tls_connection_reuse", "yes"),)


def make(row, agent, kind, params):
    name, server, policy = row
    return Case(f"{kind}-rpk-{name}", peers=(server,), policy=policy,
                fallback="fingerprint=may", agent=agent, params=params,
                expect=VERIFIED, needs=NEEDS)


CASES = applicable(
    make(row, *transport) for row in TABLE for transport in (
        ("smtp", "smtp", ()), ("lmtp", "lmtp", ()), ("smtp", "proxy", PROXY))
) if rpk.AVAILABLE else []


# Of an empty table pytest would make a test that is skipped.
if CASES:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_rpk(case, world):
        world.result(case).check(case.expect)
