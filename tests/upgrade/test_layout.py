"""ci/installed-layout, with a postconf that says what a test wants."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

POSTCONF = """\
#!/bin/sh
case $1 in
-m) printf '%s\\n' {types}; exit;;
-a|-A) printf '%s\\n' {sasl}; exit;;
esac
case $2 in
mail_version) echo 3.10.13;;
myorigin) echo {myorigin};;
config_directory) echo {config};;
meta_directory) echo {config};;
shlib_directory) echo {shlib};;
daemon_directory) echo "/usr/lib/my postfix";;
esac
"""


@pytest.fixture
def layout(tmp_path):
    config = tmp_path / "config"
    config.mkdir()

    def run(*options, types="hash", sasl="cyrus", myorigin="example.com",
            shlib="/usr/lib/postfix"):
        program = tmp_path / "postconf"
        program.write_text(POSTCONF.format(types=types, sasl=sasl, config=config,
                                           myorigin=myorigin, shlib=shlib))
        program.chmod(0o755)
        done = subprocess.run(
            ["sh", TOP / "ci/installed-layout", *options], text=True,
            env={**os.environ, "PATH": "%s:/usr/bin:/bin" % tmp_path},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        words = shlex.split(done.stdout.replace("\\\n", " "))
        arguments = dict(word.split("=", 1) for word in words[2:])
        return done.returncode, words[:2], arguments, done.stderr

    run.config = config
    return run


def test_command(layout):
    status, command, arguments, _ = layout(types="hash pcre cidr")
    assert status == 0
    assert command == ["make", "makefiles"]
    assert arguments["CCARGS"].split() == [
        "-DUSE_TLS", "-DUSE_SASL_AUTH", "-DUSE_CYRUS_SASL",
        "-I/usr/include/sasl", "-DHAS_PCRE=2"]
    assert arguments["AUXLIBS"] == "-lssl -lcrypto -lsasl2 -ldb"
    assert arguments["AUXLIBS_PCRE"] == "-lpcre2-8"
    assert arguments["daemon_directory"] == "/usr/lib/my postfix"
    assert arguments["shared"] == arguments["dynamicmaps"] == "yes"


def test_less_than_the_defaults(layout):
    _, _, arguments, _ = layout(types="cidr", sasl="", shlib="no")
    assert arguments["CCARGS"] == "-DUSE_TLS -DNO_DB"
    assert arguments["AUXLIBS"] == "-lssl -lcrypto"
    assert arguments["shared"] == "no"


def test_origin_from_a_file(layout):
    _, _, arguments, _ = layout(myorigin="/etc/mailname")
    assert "-DMYORIGIN_FROM_FILE" in arguments["CCARGS"].split()


def test_missing_header(layout):
    """With whatever this machine has no headers for; nobody has all of them."""
    package_of = {"mysql": "default-libmysqlclient-dev", "pgsql": "libpq-dev",
                  "ldap": "libldap-dev", "sqlite": "libsqlite3-dev"}
    failed = [name for name in package_of if layout(types=name)[0] == 1]
    assert failed
    name = failed[0]
    status, command, _, errors = layout(types="hash " + name)
    assert (status, command) == (1, [])
    assert "error: to build %s: tables, install %s (or: --without %s)" % (
        name, package_of[name], name) in errors
    status, _, arguments, _ = layout("--without", name, types="hash " + name)
    assert status == 0
    assert name not in str(arguments).lower()


def test_sasl_configuration_in_debians_place(layout):
    (layout.config / "sasl").mkdir()
    (layout.config / "sasl/smtpd.conf").write_text("pwcheck_method: saslauthd\n")
    status, _, _, errors = layout()
    assert status == 0
    assert "note: for %s/sasl to be used" % layout.config in errors


def test_no_postfix():
    done = subprocess.run(["sh", TOP / "ci/installed-layout"], text=True,
                          env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 1 and not done.stdout
    assert "error: there is no postconf here" in done.stderr
