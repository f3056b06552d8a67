#!/usr/bin/python3
"""Upgrade a mail system that is in use, use it, and go back: in the sandbox.

usage: scenario.py debian DIRECTORY     Debian's own packages, from DIRECTORY
       scenario.py upstream             what ci/sandbox --pristine has installed

The release line to upgrade to is $RELEASE.

What must hold is stated with check(); the first one that does not ends the
scenario with exit status 1.
"""

import os
import subprocess
import sys
from pathlib import Path

from testenv.clone import TOP
from testenv.examples import EXPIRED, GOOD
from testenv.mail_system import (CONFIG, TEMPLATES_OFF, MailSystem, administrators_commands,
                                 before_each_start, carry_out, check, features_work, quiet, run,
                                 shell, take_it_back)

# Values with an error: what the warning has, and the parameter.
ERRORS = [
    ("smtp_tls_fallback_level", "secure", "specify policy_level=fallback_level"),
    ("smtp_tls_fallback_level", "secured=may", "the policy level must be one of"),
    ("smtp_tls_fallback_level", "encrypt=may", "the policy level must be one of"),
    ("smtp_tls_fallback_level", "secure=none", "the fallback level must be one of"),
    ("smtp_tls_fallback_level", "secure=may secure=encrypt", "at most once"),
    ("smtp_tls_audit_template", "ful", "unknown built-in template \"ful\""),
    ("smtp_tls_audit_template", "relay=${relay", "unbalanced {} or ()"),
    ("smtp_tls_audit_template", "to $nexthops", "unknown attribute \"nexthops\""),
]


def configuration():
    return {name: (CONFIG / name).read_text().splitlines()
            for name in ("main.cf", "master.cf")}, {
        path.name: path.read_bytes() for path in CONFIG.glob("tls_policy*")}


def compare_configuration(before):
    """Only lines that upstream's own upgrade may add are new, none is lost."""
    texts, tables = before
    now_texts, now_tables = configuration()
    check(tables == now_tables, "the tables are untouched")
    for name, lines in texts.items():
        lost = [line for line in lines if line not in now_texts[name]]
        added = [line for line in now_texts[name] if line not in lines]
        check(not lost, f"{name} has lost nothing")
        ours = [line for line in added if "fallback" in line or "audit" in line]
        check(not ours, f"{name} has nothing of this patch set; upstream's upgrade"
              f" added {len(added)} lines")
        for line in added:
            print(f"    {name}: {line}")


def pcre_table_works():
    """A table type that is a plugin, and on Debian a package of its own."""
    table = Path("/etc/postfix/x.pcre")
    table.write_text("/^x/ y\n")
    check(run("postmap", "-q", "xyz", f"pcre:{table}") == "y\n",
          "the pcre plugin works")


def errors_make_it_stricter(system):
    """Each error: one warning per process, mail moves, nothing falls back."""
    world = system.world
    system.policy("example.com secure\nexample.org encrypt\n")
    for name, value, warning in ERRORS:
        run("postconf", *(x + " = " for x in TEMPLATES_OFF))
        run("postconf", f"{name} = {value}")
        run("postfix", "reload")
        world.server("example.com", GOOD)

        def two_messages():
            for _ in range(2):
                system.mail("user@example.com")

        before = len(world.log.lines)
        two_messages()
        lines = [line for line in world.log.lines[before:]
                 if line.program.startswith("postfix/smtp")]
        processes = {line.pid for line in lines}
        warned = [line.pid for line in lines
                  if f"warning: {name}: " in line.text and warning in line.text]
        check(sorted(warned) == sorted(processes),
              f"{name} = {value}: one warning per process")
        world.server("example.com", EXPIRED)
        lines = system.logged(system.deferred_then_removed)
        check(any("status=deferred (Server certificate not verified)" in line
                  for line in lines), f"{name} = {value}: no fallback")
    world.server("example.com", GOOD)
    run("postconf", "-X", *TEMPLATES_OFF)
    run("postfix", "reload")


def debian(directory):
    """From Debian's package, with its layout, and back to it."""
    def install():
        shell(f"dpkg -i {directory}/*.deb",
              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                   "DEBIAN_FRONTEND": "noninteractive"})
        before_each_start()

    Path("/usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    Path("/usr/sbin/policy-rc.d").chmod(0o755)
    shell("debconf-set-selections", input="".join(
        f"postfix postfix/{answer}\n" for answer in (
            "main_mailer_type select Internet Site",
            "mailname string sandbox.example")))
    install()
    packaged = run("postconf", "-h", "mail_version").strip()
    check(packaged, f"Debian's Postfix {packaged} is installed")
    pcre_table_works()
    files_before = set(shell("dpkg -L postfix").split())

    system = MailSystem()
    system.start()
    # As the resolver's address is written after the package was configured.
    before_each_start()
    system.mail("user@example.com")
    system.fill_queues()

    before = configuration()
    command = shell("ci/installed-layout 2>/dev/null", cwd=TOP)
    print(command)
    shell(command, cwd=TOP)
    # From here on `make' knows by itself.
    wanted = os.environ.pop("RELEASE")
    release = run("sh", "ci/prepare", "--release", cwd=TOP).strip()
    check(release == wanted, "`make' is for the release line of `make makefiles'")
    tree = Path(run("sh", "ci/prepare", cwd=TOP).strip())
    version = tree.name.partition("-")[2]
    shell("make", cwd=TOP)
    system.stop()
    shell("make upgrade", cwd=TOP)
    compare_configuration(before)
    check(run("postconf", "-h", "mail_version") == version + "\n"
          and version.startswith(release + "."), f"it is Postfix {version} now")
    for name in ("smtp", "qmgr", "master"):
        path = "/usr/lib/postfix/sbin/" + name
        check(path in files_before and Path(path).read_bytes()
              == (tree / "libexec" / name).read_bytes(), f"{path} was replaced")
    shell("postfix start")
    pcre_table_works()
    system.repair_and_flush()
    administrators_commands()
    features_work(system)

    take_it_back(system)
    system.fill_queues()
    system.stop()
    install()
    check(run("postconf", "-h", "mail_version").strip() == packaged,
          "back to Debian's Postfix")
    pcre_table_works()
    shell("postfix start")
    system.repair_and_flush()
    system.mail("user@example.com")
    system.all_arrived()
    run("postfix", "stop")


def upstream():
    """From the unpatched release, while it is running, and back to it."""
    system = MailSystem()
    system.start()
    pristine = quiet("postfix check") + quiet("postconf -n")
    system.mail("user@example.com")
    system.fill_queues()

    before = configuration()
    shell("make upgrade", cwd=TOP)
    compare_configuration(before)
    check(quiet("postfix check") + quiet("postconf -n") == pristine,
          "`postfix check' and `postconf -n' are as before")
    # Mail in the time between the two commands must not be lost.
    system.send("user@example.net")
    run("postfix", "reload")
    system.repair_and_flush()
    administrators_commands()
    quiet("postfix set-permissions")
    features_work(system)
    errors_make_it_stricter(system)

    take_it_back(system)
    system.fill_queues()
    system.stop()
    shell("sh ci/build --pristine upgrade", cwd=TOP)
    check("unknown parameter" in subprocess.run(
        ["postconf", "smtp_tls_fallback_level"], stderr=subprocess.PIPE,
        text=True).stderr, "back to the unpatched Postfix")
    shell("postfix start")
    system.repair_and_flush()
    system.mail("user@example.com")
    system.all_arrived()
    run("postfix", "stop")


def main():
    scenarios = {"debian": debian, "upstream": upstream}
    return carry_out(scenarios[sys.argv[1]], *sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
