"""tests/run: every suite is there, and nothing else is."""

import re
import subprocess

from conftest import TOP, clean_environment


def run(*arguments):
    return subprocess.run(["sh", "tests/run", *arguments], cwd=TOP, env=clean_environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_help_names_every_suite():
    directories = {file.parent.name for pattern in ("*/test_*.py", "*/run")
                   for file in (TOP / "tests").glob(pattern)}
    help_ = run("--help")
    assert help_.returncode == 0 and not help_.stderr
    named = set(re.findall(r"\w+", re.sub(r"\n +.*", "", help_.stdout)))
    assert len(directories) >= 11 and directories <= named, directories - named


def test_without_a_suite():
    done = run()
    assert done.returncode == 2 and not done.stdout
    assert "usage: tests/run SUITE" in done.stderr


def test_unknown_suite():
    done = run("e2", "-k", "x")
    assert done.returncode == 1 and not done.stdout
    assert done.stderr == (
        "tests/run: error: there is no suite `e2' (--help shows which there are)\n")
