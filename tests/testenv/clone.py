"""A throw-away clone of the machine for a program of the tests (see ci/sandbox)."""

import os
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
TOP = TESTS.parent


def environment(**more):
    """For programs that import this package."""
    return {**os.environ, "PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1", **more}


def in_clone(*command, options=()):
    """The command that runs a Python program, named from TOP, in a clone."""
    return ["sh", str(TOP / "ci/sandbox"), *map(str, options), "/usr/bin/python3",
            *map(str, command)]
