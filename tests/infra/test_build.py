"""Makefile.init: upstream's way to build, and no more work than needed."""

import re
import subprocess

import pytest

from conftest import ORDINARY_USER, clean_environment

TREE = "build/postfix-3.10.13"

# What upstream's INSTALL tells people to write, quotes and all.
ARGUMENTS = [
    "shared=yes",
    "dynamicmaps=no",
    r"CCARGS=-DUSE_TLS -DDEF_SERVER_SASL_TYPE=\"dovecot\"  -DNO_DB -DNO_NIS",
    "AUXLIBS=-lssl -lcrypto",
    "OPT=-O2",
]


def makedefs(tree):
    """The configuration, except where the tree is."""
    text = (tree / "conf/makedefs.out").read_text()
    return re.sub(r"^SHLIB_ENV = .*$", "", text, flags=re.M)


def compiled(repository):
    """The source files that the last build compiled."""
    log = repository.read("build/postfix-3.10.13.log")
    return set(re.findall(r" -c (?:\./)?(\S+\.c)$", log, re.M))


def linked(repository):
    log = repository.read("build/postfix-3.10.13.log")
    return set(re.findall(r" -o (\S+) ", log))


@pytest.mark.parametrize("arguments", [[], ARGUMENTS], ids=["none", "some"])
def test_makefiles_passes_everything_on(repository, tarball, arguments):
    """As if upstream's own `make makefiles' had been run in the build tree."""
    repository.ok("make", "-f", "Makefile.init", "makefiles", *arguments)
    subprocess.run(["tar", "-xf", tarball, "-C", repository.path.parent], check=True)
    plain = repository.path.parent / "postfix-3.10.13"
    command = 'exec make makefiles "$@"'
    if not arguments:
        command = f". '{repository.path}/ci/makefiles.default'; {command}"
    subprocess.run(
        ["sh", "-c", command, "sh", *arguments],
        cwd=plain, check=True, capture_output=True,
    )
    assert makedefs(repository.path / TREE) == makedefs(plain)


def test_arguments_are_remembered(repository):
    """Where a patch changes a Makefile.in, configuring is repeated as it was."""
    repository.ok("make", "makefiles", *ARGUMENTS)
    before = makedefs(repository.path / TREE)
    configured = repository.read("build/.state/postfix-3.10.13.configured")
    patch = repository.path / "patches/3.10/sample.patch"
    patch.write_text(patch.read_text().replace("+SRCS\t=", "+# new\n+SRCS\t=").replace(
        "@@ -1,5 +1,5 @@", "@@ -1,5 +1,6 @@").replace("@@ -10,7 +10,7 @@", "@@ -10,7 +11,7 @@"))
    # A compiler that does nothing: only configuring is looked at.
    repository.run("make", "CC=false")
    assert repository.read("build/.state/postfix-3.10.13.configured") != configured
    assert "# new" in repository.read(TREE + "/src/tls/Makefile")
    assert makedefs(repository.path / TREE) == before


def test_own_arguments_are_not_upstreams(repository):
    repository.ok("make", "makefiles", "RELEASE=3.10", "V=1", *ARGUMENTS)
    options = repository.read("build/.state/options-3.10")
    assert "RELEASE" not in options
    assert "V=1" not in options
    assert "dynamicmaps=no" in options


def test_failed_build_is_reported(repository):
    repository.ok("make", "makefiles")
    repository.write("postfix/src/tls/tls_sample.c", "syntax error\n")
    repository.write("postfix/src/util/no_such.c", "")
    done = repository.fails("the build failed; see", "make", "CC=false")
    assert done.returncode != 0


def test_nothing_to_do(copy_of_built):
    copy_of_built.ok("make")
    assert compiled(copy_of_built) == set()
    assert linked(copy_of_built) == set()


def test_changed_source_file(copy_of_built):
    """One object, its library, and what is linked with that."""
    copy_of_built.ok("make")
    source = copy_of_built.path / "postfix/src/tls/tls_fallback.c"
    source.write_text(source.read_text() + "\n/* One more line. */\n")
    copy_of_built.ok("make")
    assert compiled(copy_of_built) == {"tls_fallback.c"}
    assert "libpostfix-tls.so" in linked(copy_of_built)
    assert "libpostfix-global.so" not in linked(copy_of_built)


def test_changed_patch(copy_of_built):
    """A patch of one upstream file compiles that file."""
    copy_of_built.ok("make")
    copy_of_built.write(
        "patches/3.10/test.patch",
        "A line more at the end, for the test to see it compiled.\n\n"
        "--- a/src/bounce/bounce.c\n+++ b/src/bounce/bounce.c\n"
        "@@ -1,3 +1,4 @@\n+/* test */\n"
        + "".join(
            " " + line
            for line in copy_of_built.read(TREE + "/src/bounce/bounce.c").splitlines(True)[:3]
        ),
    )
    series = copy_of_built.read("patches/3.10/series")
    copy_of_built.write("patches/3.10/series", series + "test.patch\n")
    copy_of_built.ok("make")
    assert compiled(copy_of_built) == {"bounce.c"}
    assert linked(copy_of_built) == {"bounce"}


def test_clean_keeps_the_cache(repository):
    repository.ok("ci/prepare")
    repository.ok("make", "clean")
    assert not (repository.path / "build").exists()
    assert list(repository.cache.glob("postfix-*.tar.gz"))


@pytest.mark.parametrize(
    "program",
    ["fetch-upstream", "prepare", "build", "series", "carry", "new-release", "sandbox",
     "need", "check", "demo", "deb"],
)
def test_help(repository, program):
    done = repository.ok("sh", "ci/" + program, "--help")
    assert done.stdout.startswith("usage: ci/" + program)
    assert not (repository.path / "build").exists()


PROGRAMS = [
    ("ci/build", "update"), ("ci/prepare",), ("ci/series", "patch"), ("ci/series", "lint"),
]


def one_line(repository, message, *command, prefix):
    """An error of ours, and nothing that a shell or mktemp(1) says."""
    done = repository.fails(message, *command, prefix=prefix)
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("command", PROGRAMS, ids=" ".join)
def test_tree_of_somebody_else(repository, command):
    """Nothing can be written; or only what was made before cannot."""
    repository.open_to_all()
    one_line(repository, "cannot write in", *command, prefix=ORDINARY_USER)
    repository.write("build/.state/build.lock", "")
    repository.write("build/.state/prepare.lock", "")
    one_line(repository, "cannot write in", *command, prefix=ORDINARY_USER)
    for directory in ("build", "build/.state"):
        (repository.path / directory).chmod(0o777)
    if command != ("ci/series", "lint"):
        (repository.path / "postfix").chmod(0o777)
        repository.cache.chmod(0o777)
        done = repository.run(*command, prefix=ORDINARY_USER)
        assert ".lock: it is read-only, or somebody else's" in done.stderr
        assert "ermission denied" not in done.stderr


@pytest.mark.parametrize("command", PROGRAMS, ids=" ".join)
def test_read_only_tree(repository, command):
    """Also for the superuser."""
    script = 'mount --bind . . && mount -o remount,ro,bind . && cd "$PWD" && exec "$@"'
    one_line(repository, "cannot write in", *command,
             prefix=("unshare", "-m", "sh", "-c", script, "sh"))


def test_option_without_its_value(repository):
    repository.fails("--without needs a type of table", "ci/installed-layout", "--without")


def test_make_help(repository):
    assert "make upgrade" in repository.ok("make", "help").stdout


def test_upgrade_and_back(built):
    """In a clone that has an unpatched Postfix, with a setting of its own."""
    script = """
        set -e
        postconf 'smtp_tls_security_level = encrypt'
        cp /etc/postfix/main.cf /tmp/main.cf
        known() { postconf -d smtp_tls_fallback_level 2>&1; }
        known
        make upgrade >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
        known
        cmp /tmp/main.cf /etc/postfix/main.cf
        postfix check
        sh ci/build --pristine upgrade >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
        known
        cmp /tmp/main.cf /etc/postfix/main.cf
        postfix check
    """
    done = subprocess.run(
        ["sh", "ci/sandbox", "--pristine", "sh", "-c", script],
        cwd=built, env=clean_environment(RELEASE="3.10"), stdin=subprocess.DEVNULL,
        capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    before, during, after = done.stdout.splitlines()
    assert "unknown parameter" in before
    assert during == "smtp_tls_fallback_level ="
    assert after == before


def test_install(built):
    """In a clone whose Postfix is taken away first."""
    script = """
        set -e
        rm -rf /etc/postfix /usr/lib/postfix /usr/libexec/postfix /var/spool/postfix
        rm -f /usr/sbin/sendmail /usr/sbin/postconf /usr/bin/mailq
        make install POSTFIX_INSTALL_OPTS=-non-interactive >/tmp/log 2>&1 ||
            { cat /tmp/log; exit 1; }
        postfix check
        postconf -h mail_version
        ls /usr/bin/mailq
    """
    done = subprocess.run(
        ["sh", "ci/sandbox", "sh", "-c", script],
        cwd=built, env=clean_environment(RELEASE="3.10"), stdin=subprocess.DEVNULL,
        capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("3.10.13\n")
    assert "/usr/bin/mailq" in done.stdout
