"""Tests of the set-up, the build and the sandbox.

Each test works on a copy of the repository's programs in a directory of its
own, with a small series instead of the real one, so that it may break things.
Upstream's source is the real one, from the cache.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ["ci", "Makefile", "Makefile.init"]
ORDINARY_USER = ("setpriv", "--reuid=65534", "--clear-groups")

ADDED = "src/tls/tls_sample.c"
SAMPLE = "/* Sample. */\nint     tls_sample(void);\n\nint     tls_sample(void) { return 7; }\n"
PATCH = """\
Register the sample, so that the tests have a patch that applies.

--- a/src/tls/Makefile.in
+++ b/src/tls/Makefile.in
@@ -1,5 +1,5 @@
 SHELL	= /bin/sh
-SRCS	= tls_prng_dev.c tls_prng_egd.c tls_prng_file.c tls_fprint.c \\
+SRCS	= tls_sample.c tls_prng_dev.c tls_prng_egd.c tls_prng_file.c tls_fprint.c \\
 	tls_prng_exch.c tls_stream.c tls_bio_ops.c tls_misc.c tls_dh.c \\
 	tls_verify.c tls_dane.c tls_certkey.c tls_session.c \\
 	tls_client.c tls_server.c tls_scache.c tls_mgr.c tls_seed.c \\
@@ -10,7 +10,7 @@
 	tls_proxy_client_start_print.c tls_proxy_client_start_scan.c \\
 	tls_proxy_server_start_print.c tls_proxy_server_start_scan.c \\
 	tls_proxy_client_misc.c tlsrpt_wrapper.c
-OBJS	= tls_prng_dev.o tls_prng_egd.o tls_prng_file.o tls_fprint.o \\
+OBJS	= tls_sample.o tls_prng_dev.o tls_prng_egd.o tls_prng_file.o tls_fprint.o \\
 	tls_prng_exch.o tls_stream.o tls_bio_ops.o tls_misc.o tls_dh.o \\
 	tls_verify.o tls_dane.o tls_certkey.o tls_session.o \\
 	tls_client.o tls_server.o tls_scache.o tls_mgr.o tls_seed.o \\
"""


def clean_environment(**more):
    """The environment without what would steer the programs."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("RELEASE", "POSTFIX_SOURCE", "PATCH", "FROM", "SINCE", "V")
        and not name.startswith("MAKE")
    }
    env.update({name: str(value) for name, value in more.items()})
    return env


class Repository:
    """A copy of the repository's programs, with its own series and cache."""

    def __init__(self, path):
        self.path = path
        self.cache = path.parent / "cache"
        for name in PROGRAMS:
            source = TOP / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(
                source, path / name
            )
        self.write("patches/3.10/series", "sample.patch\n")
        self.write("patches/3.10/sample.patch", PATCH)
        self.write("postfix/" + ADDED, SAMPLE)

    def write(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, name):
        return (self.path / name).read_text()

    def run(self, *command, prefix=(), timeout=300, **env):
        env.setdefault("POSTFIX_CACHE", self.cache)
        return subprocess.run(
            [*map(str, prefix), *map(str, command)],
            cwd=self.path,
            env=clean_environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def ok(self, *command, **more):
        done = self.run(*command, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def fails(self, message, *command, **more):
        """The command fails, and says so in one message that has `message'."""
        done = self.run(*command, **more)
        errors = [
            line
            for line in done.stderr.splitlines()
            if ": error: " in line or line.startswith("error: ")
        ]
        assert done.returncode != 0, done.stdout + done.stderr
        assert len(errors) == 1, done.stderr
        assert message in errors[0], done.stderr
        return done

    def open_to_all(self):
        """Let an ordinary user in; pytest's directories are root's alone."""
        for directory in (self.path, *self.path.parents):
            if str(directory) not in ("/", "/tmp"):
                directory.chmod(0o755)

    def leftovers(self):
        """What an interrupted or failed preparation might have left."""
        build = self.path / "build"
        return sorted(
            str(file.relative_to(build))
            for file in build.rglob("*")
            if build.exists()
            and len(file.relative_to(build).parts) <= 2
            and not file.name.endswith((".lock", ".log"))
            and file != build / ".state"
        )


@pytest.fixture(scope="session")
def tarball():
    """Upstream's pristine source, as the set-up fetched it."""
    done = subprocess.run(
        ["sh", "ci/fetch-upstream", "3.10"],
        cwd=TOP,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return pathlib.Path(done.stdout.strip())


@pytest.fixture
def bare(tmp_path):
    """A copy of the repository with an empty cache."""
    path = tmp_path / "a repository"
    path.mkdir()
    return Repository(path)


@pytest.fixture
def repository(bare, tarball):
    """A copy of the repository whose cache has upstream's source."""
    bare.cache.mkdir()
    for name in (tarball.name, tarball.name + ".sha256"):
        os.link(tarball.parent / name, bare.cache / name) if os.stat(
            tarball
        ).st_dev == os.stat(bare.cache).st_dev else shutil.copy2(
            tarball.parent / name, bare.cache / name
        )
    return bare


@pytest.fixture(scope="session")
def built():
    """The repository itself, with a tree built, whatever release is in use."""
    done = subprocess.run(
        ["sh", "ci/build", "update"],
        cwd=TOP,
        env=clean_environment(MAKEFLAGS="", RELEASE="3.10"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return TOP


@pytest.fixture
def copy_of_built(built, tmp_path):
    """A copy of the repository with its built tree, for tests that change it."""
    path = tmp_path / "a repository"
    for name in ("postfix", "patches", "proto", "build/upstream", "build/postfix-3.10.13"):
        shutil.copytree(built / name, path / name, symlinks=True)
    shutil.copytree(
        built / "build/.state",
        path / "build/.state",
        ignore=shutil.ignore_patterns("layer-*", "room", "*.lock", "release"),
    )
    for name in PROGRAMS:
        (shutil.copytree if (built / name).is_dir() else shutil.copy2)(
            built / name, path / name
        )
    made = Repository.__new__(Repository)
    made.path = path
    made.cache = tmp_path / "cache"
    return made
