"""What releases.py says of this Postfix is what the unpatched one shows: in the
parameters that it has, or in what it logged (plain.py)."""

import subprocess

import pytest

from releases import SINCE, has
from test_pristine import runs  # noqa: F401 (a fixture)

# A parameter that came with the feature.
PARAMETERS = {
    "sts-attributes": "smtp_tls_enforce_sts_mx_patterns",
    "tls-required-header": "tls_required_enable",
}

# A case, what it can log, and how often: with the correction, and without.
LOGGED = {
    "trusted-without-name": ("smtp-mismatch", "Untrusted TLS connection",
                             0, 1),
    # In three deliveries, of which two resume the session of the first.
    "no-signature-on-resumption": ("smtp-resumed-good", "server-signature",
                                   1, 3),
}

# What upstream corrected together cannot be seen one by one.
TOGETHER = {"first-error-is-result": "trusted-without-name"}


@pytest.mark.parametrize("feature", PARAMETERS)
def test_feature(feature):
    shown = subprocess.run(["postconf", "-d", PARAMETERS[feature]],
                           capture_output=True, text=True, check=True)
    assert has(feature) == (shown.stdout != "")


@pytest.mark.parametrize("feature", LOGGED)
def test_correction(feature, runs):  # noqa: F811
    case, text, with_it, without = LOGGED[feature]
    lines = runs["pristine"][case]["log"]
    found = sum(text in line for line in lines)
    assert found == (with_it if has(feature) else without)


def test_nothing_is_left_out():
    assert PARAMETERS.keys() | LOGGED.keys() | TOGETHER.keys() == SINCE.keys()
    for feature, other in TOGETHER.items():
        assert SINCE[feature] == SINCE[other]
