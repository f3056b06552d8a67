"""Servers that show a raw public key: there is nothing but the key to match."""

import pytest

import details
import rpk
from harness import Audit, Behaviour, Case, Expect, Fell
from pki import Cert
from releases import applicable

RAW = Behaviour(raw_key=True)
RAW_RSA = Behaviour(raw_key=True, cert=Cert(key="rsa"))
UNWILLING = Behaviour()
TLS12 = Behaviour(raw_key=True, tls=("TLSv1_2", "TLSv1_2"))
WRONG = ":".join(["00"] * 32)
NEEDS = ("raw-public-keys",)


def delivered(level, configured, auth, **more):
    return Expect(audit=(Audit(level, configured, auth),), **more)


def fell(policy, level, detail):
    return Expect(
        audit=(Audit(level, policy, "Untrusted", policy=policy,
                     reason="mismatch"),),
        warnings=(Fell(policy, level, "mismatch", detail),))


# Name, server, policy, fallback, what must have happened.
TABLE = [
    ("fingerprint", RAW, "fingerprint match={spki} enable_rpk=yes",
     "fingerprint=may", delivered("fingerprint", "fingerprint", "Verified")),
    ("fingerprint-rsa", RAW_RSA, "fingerprint match={spki} enable_rpk=yes",
     "fingerprint=may", delivered("fingerprint", "fingerprint", "Verified")),
    ("fingerprint-tls12", TLS12, "fingerprint match={spki} enable_rpk=yes",
     "fingerprint=may", delivered("fingerprint", "fingerprint", "Verified")),
    ("fingerprint-certificate", UNWILLING,
     "fingerprint match={spki} enable_rpk=yes", "fingerprint=may",
     delivered("fingerprint", "fingerprint", "Verified")),
    ("fingerprint-unasked", RAW, "fingerprint match={spki} enable_rpk=no",
     "fingerprint=may", delivered("fingerprint", "fingerprint", "Verified")),
    ("fingerprint-wrong-key", RAW,
     "fingerprint match=%s enable_rpk=yes" % WRONG, "fingerprint=encrypt",
     fell("fingerprint", "encrypt", details.NO_FINGERPRINT_MATCH)),
    ("fingerprint-wrong-key-unset", RAW,
     "fingerprint match=%s enable_rpk=yes" % WRONG, "",
     Expect(status="deferred", dsn="4.7.5",
            reason="Server certificate not verified", messages=0)),
    ("encrypt", RAW, "encrypt enable_rpk=yes", "",
     delivered("encrypt", "encrypt", "Untrusted")),
    ("may", RAW, "may enable_rpk=yes", "",
     delivered("may", "may", "Untrusted")),
    # A name cannot be verified in a key: the certificate is asked for.
    ("secure", RAW, "secure match=hostname", "secure=may",
     delivered("secure", "secure", "Verified")),
]
PROXY = (("smtp_tls_connection_reuse", "yes"),)


def make(row, agent, kind, params):
    name, server, policy, fallback, expect = row
    return Case("%s-rpk-%s" % (kind, name), peers=(server,), policy=policy,
                fallback=fallback, agent=agent, params=params, expect=expect,
                needs=NEEDS)


CASES = applicable(
    make(row, *transport) for row in TABLE for transport in (
        ("smtp", "smtp", ()), ("lmtp", "lmtp", ()), ("smtp", "proxy", PROXY))
) if rpk.AVAILABLE else []


# Of an empty table pytest would make a test that is skipped.
if CASES:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_rpk(case, world):
        world.result(case).check(case.expect)


def plain_cases():
    """The cases for a comparison with the unpatched Postfix."""
    return CASES
