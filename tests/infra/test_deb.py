"""ci/deb: which source package it takes, and the version of what it makes of it.

Asked with --show, of an archive of our own; what is built of the real one is
tested in tests/deb.
"""

import fcntl
import os
import re
import signal
import subprocess

import pytest

from conftest import clean_environment
from test_fetch import NO_NETWORK, archive  # noqa: F401

with open("/etc/os-release") as file:
    OS_RELEASE = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
CODENAME = OS_RELEASE["VERSION_CODENAME"]
NUMBER = OS_RELEASE["VERSION_ID"].strip('"')


@pytest.fixture
def show(bare, archive):  # noqa: F811
    def run(revision="1", version="3.10.99", check=bare.ok, **env):
        archive.publish(version, suite=CODENAME, revision=revision)
        done = archive.fetch(
            bare, lambda *command, **more: check(*command, **more, **env),
            "ci/deb", "--show")
        return done.stdout.split()

    return run


def below(lower, higher):
    return subprocess.run(["dpkg", "--compare-versions", lower, "lt",
                           higher]).returncode == 0


@pytest.mark.parametrize(
    "revision, higher",
    [
        # From the development branch, as in a new release; the first update.
        ("1", [f"1+deb{NUMBER}u1", "1.1", "2"]),
        # A stable or security update.
        (f"0+deb{NUMBER}u1", [f"0+deb{NUMBER}u2", f"0+deb{NUMBER}u1.1", "1"]),
        (f"0+deb{NUMBER}u9", [f"0+deb{NUMBER}u10", "1"]),
    ],
)
def test_version(show, revision, higher):
    debian, ours = show(revision)
    assert debian == "3.10.99-" + revision
    for lower in (debian, debian + "+b1", debian + "+b12"):
        assert below(lower, ours)
    for version in higher:
        assert below(ours, "3.10.99-" + version)
    assert below(ours, "3.10.100-1")


def test_version_follows_the_commit(show, bare):
    """The same for the same commit, higher for each change."""
    def git(*command, date="2026-01-02T03:04:05Z"):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.com",
                        *command], cwd=bare.path, check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "GIT_COMMITTER_DATE": date,
                            "GIT_AUTHOR_DATE": date})

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    _, first = show()
    assert first.endswith("+tlsfallback20260102.030405")
    bare.write("README", "of no importance to the packages\n")
    assert show()[1] == first
    file = bare.write("postfix/src/tls/tls_sample.c", "int     x;\n")
    os.utime(file, (1800000000, 1800000000))
    _, edited = show()
    assert edited.endswith("+tlsfallback20270115.080000")
    assert below(first, edited)
    git("commit", "-q", "-a", "-m", "second", date="2026-01-02T03:04:06Z")
    _, second = show()
    assert below(first, second)


def test_version_without_git(show, bare):
    for directory in ("postfix", "patches", "ci"):
        for file in (bare.path / directory).rglob("*"):
            os.utime(file, (1700000000, 1700000000))
    assert show()[1].endswith("+tlsfallback20231114.221320")


def test_newest_is_taken_and_kept_offline(show, bare, archive):  # noqa: F811
    show(f"0+deb{NUMBER}u9")
    assert show(f"0+deb{NUMBER}u10")[0] == f"3.10.99-0+deb{NUMBER}u10"
    # The archive is gone, what its index had is not.
    archive.root.rename(archive.root.parent / "gone")
    done = archive.fetch(bare, bare.ok, "ci/deb", "--show")
    assert done.stdout.split()[0] == f"3.10.99-0+deb{NUMBER}u10"
    assert "warning: not all indexes could be renewed" in done.stderr


def test_line_without_series(show):
    """The nearest one is carried over, when the packages are made."""
    debian, ours = show(version="3.9.1")
    assert debian == "3.9.1-1" and below(debian, ours)


def test_line_that_is_too_far(show, bare):
    show(version="4.0.1", check=lambda *command, **more: bare.fails(
        "Postfix 4.0.1-1, which is too far from what is supported", *command, **more))


def test_other_line_was_asked_for(show, bare):
    show(RELEASE="3.7", check=lambda *command, **more: bare.fails(
        f"{CODENAME} has Postfix 3.10.99-1; RELEASE=3.7 cannot be made from it",
        *command, **more))


def test_no_network_and_empty_cache(bare):
    bare.fails("cannot be reached", "ci/deb", "--show", prefix=NO_NETWORK)


def test_not_debian(bare):
    other = bare.path.parent / "os-release"
    other.write_text('ID=fedora\nPRETTY_NAME="Fedora Linux 43"\n')
    done = bare.fails(
        "this is Fedora Linux 43", "ci/deb",
        prefix=("unshare", "--mount", "sh", "-c",
                f'mount --bind {other} "$(readlink -f /etc/os-release)" && exec "$0" "$@"'))
    assert re.search("INSTALL tells", done.stderr)
    assert bare.leftovers() == []


@pytest.fixture
def start(bare):
    """Start ci/deb, and be able to read what it says."""
    started = []

    def run(*arguments, **env):
        started.append(subprocess.Popen(
            ["sh", "ci/deb", *arguments], cwd=bare.path, text=True,
            env=clean_environment(POSTFIX_CACHE=bare.cache, **env),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def slow_apt(bare):
    """An apt-get that says when it has begun to get the index, and does not end."""
    begun = bare.path.parent / "begun"
    os.mkfifo(begun)
    bare.write("bin/apt-get", f'#!/bin/sh\ncase "$*" in *update*) echo yes >{begun};'
               " exec sleep 600;; esac\nexec /usr/bin/apt-get \"$@\"\n").chmod(0o755)
    return begun, f"{bare.path / 'bin'}:{os.environ['PATH']}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(bare, start, number):
    begun, path = slow_apt(bare)
    process = start("--show", PATH=path)
    assert begun.read_text() == "yes\n"
    os.killpg(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert (stdout, stderr.splitlines()[-1]) == ("", "deb: interrupted")
    assert bare.leftovers() == ["deb"]
    assert list((bare.path / "build/deb").iterdir()) == []


def test_second_run_says_that_it_waits(bare, start):
    bare.cache.mkdir()
    with open(bare.cache / "deb.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = start("--show", PATH=slow_apt(bare)[1])
        assert process.stderr.readline() == "deb: waiting for another run to end\n"
    assert process.stderr.readline().startswith("deb: getting the index of ")
    os.killpg(process.pid, signal.SIGTERM)
