"""Upgrades of mail systems that are in use, in throw-away clones; see scenario.py."""

import subprocess

import pytest

from testenv.clone import TOP, environment, in_clone


def scenario(*arguments, options=()):
    release = subprocess.run(["sh", "ci/prepare", "--release"], cwd=TOP, text=True,
                             stdout=subprocess.PIPE, check=True).stdout.strip()
    done = subprocess.run(
        in_clone("tests/upgrade/scenario.py", *arguments, options=options),
        cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
        env=environment(RELEASE=release))
    assert done.returncode == 0, done.stdout
    print(done.stdout)
    assert done.stdout.endswith("scenario complete\n")


def where_there_is(package):
    """The package's name if apt has heard of it: as words of a command."""
    done = subprocess.run(["apt-cache", "show", package], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [package] if done.returncode == 0 else []


@pytest.fixture
def packages(tmp_path):
    """Debian's postfix package, what it needs, and what to build its like needs.

    But not what is installed.
    """
    done = subprocess.run(
        ["apt-get", "-q", "-y", "-o", f"Dir::Cache::archives={tmp_path}",
         "-o", "APT::Sandbox::User=root", "--download-only", "--reinstall",
         "--no-install-recommends", "install", "postfix", "postfix-pcre",
         *where_there_is("libtlsrpt0-dev")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert list(tmp_path.glob("postfix_*.deb")), done.stdout
    return tmp_path


def test_from_debians_package_and_back(packages):
    scenario("debian", packages, options=("--bare", "--bind", packages))


def test_from_unpatched_release_and_back():
    scenario("upstream", options=("--pristine",))
