"""Without fallback level and template, nothing is different from upstream.

tests/e2e/run has made both files, with the same cases in two sandboxes: what
smtp(8) and lmtp(8) logged, and what they said to the servers, byte for byte.
"""

import difflib
import json
import re

import pytest

from harness import OUTPUT

FILES = {name: OUTPUT / "plain" / (name + ".json")
         for name in ("pristine", "patched")}


@pytest.fixture(scope="module")
def runs():
    missing = [str(path) for path in FILES.values() if not path.exists()]
    assert not missing, "run tests/e2e/run, which makes " + ", ".join(missing)
    return {name: json.loads(path.read_text()) for name, path in FILES.items()}


def pretty(data):
    return json.dumps(data, indent=1).splitlines()


def test_same_cases(runs):
    assert runs["pristine"].keys() == runs["patched"].keys()
    assert len(runs["pristine"]) >= 100


@pytest.mark.parametrize("what", ["log", "dialogue"])
def test_same(what, runs):
    different = [
        "%s\n%s" % (name, "\n".join(difflib.unified_diff(
            pretty(case[what]), pretty(runs["patched"][name][what]),
            "pristine", "patched", lineterm="", n=2)))
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
