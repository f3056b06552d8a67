"""ci/installed-layout, with a postconf that says what a test wants."""

import os
import shlex
import shutil
import subprocess

import pytest

from testenv.clone import TOP

POSTCONF = """\
#!/bin/sh
case $1 in
-m) printf '%s\\n' {types}; exit;;
-a|-A) printf '%s\\n' {sasl}; exit;;
esac
case $2 in
mail_version) echo {version};;
myorigin) echo {myorigin};;
config_directory) echo {config};;
meta_directory) echo {config};;
shlib_directory) echo {shlib};;
daemon_directory) echo {daemon};;
esac
"""


@pytest.fixture
def layout(tmp_path):
    config = tmp_path / "config"
    config.mkdir()
    shutil.copytree(TOP / "ci", tmp_path / "ci")
    (tmp_path / "patches").symlink_to(TOP / "patches")
    script = tmp_path / "ci/installed-layout"

    def edit(old, new):
        text = script.read_text()
        assert old in text
        script.write_text(text.replace(old, new))

    def run(*options, types="hash", sasl="cyrus", myorigin="example.com",
            shlib="/usr/lib/postfix", version="3.10.13", release="",
            daemon="'/usr/lib/my postfix'"):
        program = tmp_path / "postconf"
        program.write_text(POSTCONF.format(types=types, sasl=sasl, config=config,
                                           myorigin=myorigin, shlib=shlib,
                                           version=version, daemon=daemon))
        program.chmod(0o755)
        done = subprocess.run(
            ["sh", script, *options], text=True,
            env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin",
                 "RELEASE": release},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        words = shlex.split(done.stdout.replace("\\\n", " "))
        arguments = dict(word.split("=", 1) for word in words[2:])
        return done.returncode, words[:2], arguments, done.stderr

    run.config = config
    run.edit = edit
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


@pytest.mark.parametrize("command", ["debian-systemd-start", "start"])
def test_service_with_a_command_of_its_own(layout, command):
    script = layout.config / "postfix-script"
    script.write_text(f"case $1 in\n{command}) exit;;\nesac\n")
    status, _, arguments, remarks = layout(daemon=layout.config)
    assert status == 0 and arguments["daemon_directory"] == str(layout.config)
    assert ("postfix.service" in remarks) == (command == "debian-systemd-start")


NEWEST = max((path.parent.name for path in TOP.glob("patches/*/series")),
             key=lambda name: [int(number) for number in name.split(".")])


@pytest.mark.parametrize("installed, chosen", [
    ("3.7.11", "3.7"), ("3.10.13", "3.10"), ("3.10-20250117", "3.10"),
    ("3.5.25", NEWEST), ("3.8.6", NEWEST), ("99.0.1", None),
])
def test_same_release_line_or_the_newest(layout, installed, chosen):
    status, _, arguments, errors = layout(version=installed)
    assert (status, arguments.get("RELEASE")) == (int(chosen is None), chosen)
    assert ("no patches for a Postfix that is as new" in errors) == (chosen is None)
    assert "is older" not in errors


@pytest.mark.parametrize("installed, wanted, older", [
    ("3.7.11", "3.10", False), ("3.7.11", "3.7", False), ("3.10.13", "3.7", True),
])
def test_release_line_that_was_asked_for(layout, installed, wanted, older):
    status, _, arguments, errors = layout(version=installed, release=wanted)
    assert (status, arguments["RELEASE"]) == (0, wanted)
    assert (f"note: Postfix {wanted} is older" in errors) == older


def test_release_line_without_patches(layout):
    status, command, _, errors = layout(release="2.3")
    assert (status, command) == (1, [])
    assert "Postfix 2.3 is not supported" in errors


def test_less_than_the_defaults(layout):
    _, _, arguments, _ = layout(types="cidr", sasl="", shlib="no")
    assert arguments["CCARGS"] == "-DUSE_TLS -DNO_DB"
    assert arguments["AUXLIBS"] == "-lssl -lcrypto"
    assert arguments["shared"] == "no"


def test_origin_from_a_file(layout):
    _, _, arguments, _ = layout(myorigin="/etc/mailname")
    assert "-DMYORIGIN_FROM_FILE" in arguments["CCARGS"].split()


@pytest.mark.parametrize("what, name, header, package", [
    ("sqlite: tables", "sqlite", "sqlite3.h", "libsqlite3-dev"),
    ("TLSRPT", "tlsrpt", "tlsrpt.h", "libtlsrpt0-dev"),
])
def test_missing_header(layout, what, name, header, package):
    layout.edit(header, "no-such-header.h")
    (layout.config / "makedefs.out").write_text(
        f"# CCARGS=-DUSE_TLS -DUSE_{name.upper()}\n")
    status, command, _, errors = layout(types="hash " + name)
    assert (status, command) == (1, [])
    assert f"error: to build {what}, install {package} (or: --without {name})" in errors
    status, _, arguments, _ = layout("--without", name, types="hash " + name)
    assert status == 0
    assert name not in str(arguments["CCARGS"]).lower()
    assert name not in str(arguments["AUXLIBS"])


def test_tlsrpt(layout):
    layout.edit("tlsrpt.h", "stdio.h")
    (layout.config / "makedefs.out").write_text("# CCARGS=-DUSE_TLS -DUSE_TLSRPT\n")
    status, _, arguments, _ = layout()
    assert status == 0
    assert "-DUSE_TLSRPT" in arguments["CCARGS"].split()
    assert "-ltlsrpt" in arguments["AUXLIBS"].split()


def test_sasl_configuration_in_debians_place(layout):
    (layout.config / "sasl").mkdir()
    (layout.config / "sasl/smtpd.conf").write_text("pwcheck_method: saslauthd\n")
    status, _, _, errors = layout()
    assert status == 0
    assert f"note: for {layout.config}/sasl to be used" in errors


def test_no_postfix():
    done = subprocess.run(["sh", TOP / "ci/installed-layout"], text=True,
                          env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 1 and not done.stdout
    assert "error: there is no postconf here" in done.stderr
