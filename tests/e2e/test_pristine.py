"""Without fallback level and template, nothing is different from upstream.

`tests/run e2e' has made both files, with the same cases in two sandboxes: what
smtp(8) and lmtp(8) logged, and what they said to the servers, byte for byte.

Also, that releases.py is right about upstream.
"""

import difflib
import json
import re
import subprocess

import pytest

from testenv.harness import OUTPUT
from testenv.releases import SINCE, has, mail_version

FILES = {name: OUTPUT / "plain" / (name + ".json")
         for name in ("pristine", "patched")}


@pytest.fixture(scope="module")
def runs():
    missing = [str(path) for path in FILES.values() if not path.exists()]
    assert not missing, "run `tests/run e2e', which makes " + ", ".join(missing)
    found = {name: json.loads(path.read_text())
             for name, path in FILES.items()}
    for run in found.values():
        assert run["version"] == mail_version(), (
            "run `tests/run e2e': there are only results of Postfix "
            + run["version"])
    return {name: run["cases"] for name, run in found.items()}


def pretty(data):
    return json.dumps(data, indent=1).splitlines()


def test_same_cases(runs):
    assert runs["pristine"].keys() == runs["patched"].keys()
    assert len(runs["pristine"]) >= 100


@pytest.mark.parametrize("what", ["log", "dialogue"])
def test_same(what, runs):
    different = [
        "\n".join([name, *difflib.unified_diff(
            pretty(case[what]), pretty(runs["patched"][name][what]),
            "pristine", "patched", lineterm="", n=2)])
        for name, case in runs["pristine"].items()
        if case[what] != runs["patched"][name][what]]
    assert not different, "\n".join(different)


def test_something_is_compared(runs):
    """Empty logs would be equal, too."""
    lines = [line for case in runs["patched"].values() for line in case["log"]]
    assert any("status=sent" in line for line in lines)
    assert any("status=deferred" in line for line in lines)
    assert not [line for line in lines if re.match(
        r"(?:warning: )?QUEUEID\d: (?:tls fallback|tlsaudit)", line)]


# What Postfix has, is seen in a parameter that came with it, ...
PARAMETERS = {
    "srv-records": "use_srv_lookup",
    "sts-attributes": "smtp_tls_enforce_sts_mx_patterns",
    "raw-public-keys": "smtp_tls_enable_rpk",
    "tls-required-header": "tls_required_enable",
    "tls-reports": "smtp_tlsrpt_enable",
    "requiretls": "requiretls_enable",
    "tls-status": "smtp_log_tls_feature_status",
}

# ... or in how often a case logs something: with the correction, and without.
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
def test_feature_of_the_release(feature):
    shown = subprocess.run(["postconf", "-d", PARAMETERS[feature]],
                           capture_output=True, text=True, check=True)
    assert has(feature) == (shown.stdout != "")


@pytest.mark.parametrize("feature", LOGGED)
def test_correction_of_the_release(feature, runs):
    case, text, with_it, without = LOGGED[feature]
    found = sum(text in line for line in runs["pristine"][case]["log"])
    assert found == (with_it if has(feature) else without)


def test_all_features_are_looked_for():
    assert PARAMETERS.keys() | LOGGED.keys() | TOGETHER.keys() == SINCE.keys()
    for feature, other in TOGETHER.items():
        assert SINCE[feature] == SINCE[other]
