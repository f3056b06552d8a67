#!/usr/bin/python3
"""Upgrade a mail system that is in use, use it, and go back: in the sandbox.

usage: scenario.py debian DIRECTORY     Debian's own packages, from DIRECTORY
       scenario.py upstream             what ci/sandbox --pristine has installed

The release line to upgrade to is $RELEASE.

What must hold is stated with check(); the first one that does not ends the
scenario with exit status 1.
"""

import dataclasses
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/docs"))

from world import (CA_BUNDLE, EXPIRED, GOOD, LOG_FILE, PATIENCE, POLL,  # noqa: E402
                   World, run)

CONFIG = Path("/etc/postfix")
POLICY = CONFIG / "tls_policy"
STALLS = dataclasses.replace(GOOD, handshake="stall")

SETTINGS = [
    "maillog_file = %s" % LOG_FILE, "inet_interfaces = 127.0.0.1",
    "smtp_tls_security_level = may", "smtp_tls_loglevel = 1",
    "smtp_tls_CAfile = %s" % CA_BUNDLE, "smtp_tls_connection_reuse = yes",
    "smtp_starttls_timeout = 10s",
    "smtp_tls_policy_maps = hash:%s" % POLICY,
    # What an administrator has in main.cf, and would be angry to lose.
    "mydestination = ", "local_recipient_maps = ", "notify_classes = ",
]
TEMPLATES_OFF = ["smtp_tls_fallback_level", "smtp_tls_audit_template"]

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


class Broken(Exception):
    """Something that must hold does not."""


def check(condition, what):
    if not condition:
        raise Broken(what)
    print("ok: " + what, flush=True)


def shell(command, **options):
    done = subprocess.run(command, shell=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        raise Broken("`%s': status %d:\n%s" % (command, done.returncode,
                                               done.stdout[-2000:]))
    return done.stdout


def quiet(command):
    """A command that succeeds and has nothing to complain about."""
    output = shell(command)
    complaints = [line for line in output.splitlines()
                  if re.search("warning|error|fatal", line)]
    check(not complaints, "`%s' does not complain %s" % (command, complaints))
    return output


def wait_until(condition, what):
    deadline = time.time() + PATIENCE
    while not condition():
        if time.time() > deadline:
            raise Broken("no %s after %d seconds" % (what, PATIENCE))
        time.sleep(POLL)


def messages_in(queue):
    return sum(1 for path in Path("/var/spool/postfix", queue).rglob("*")
               if path.is_file())


class MailSystem:
    """The system that is upgraded, and the mail in it."""

    def __init__(self):
        self.world = World()
        self.due = []                   # every message that must arrive

    def start(self):
        self.world.start_servers()
        run("postconf", "-MX", "smtp/inet")
        run("postconf", *SETTINGS)
        with (CONFIG / "main.cf").open("a") as main:
            main.write("\n# A comment of the administrator's.\n")
        with (CONFIG / "master.cf").open("a") as master:
            master.write("# A service of the administrator's.\n"
                         "tlsproxy unix - - n - 0 tlsproxy\n"
                         "slow unix - - n - 1 smtp\n"
                         "    -o smtp_tls_security_level=encrypt\n")
        self.policy("example.com secure\nexample.org encrypt\n")
        self.world.start_postfix()

    def policy(self, text):
        POLICY.write_text(text)
        run("postmap", "hash:%s" % POLICY)

    def send(self, recipient):
        self.due.append(self.world.send(recipient))
        return self.due[-1]

    def mail(self, recipient):
        self.world.settle(self.send(recipient))

    def fill_queues(self):
        """Deferred, active, held, and mail that nobody has looked at yet."""
        self.world.server("example.com", EXPIRED)
        self.world.server("example.org", STALLS)
        for _ in range(3):
            self.mail("user@example.com")
        held = self.send("user@example.com")
        self.world.settle(held)
        queue_id = next(line.text.split(":")[0] for line in self.world.log.lines
                        if line.text.endswith("message-id=<%s>" % held))
        run("postsuper", "-h", queue_id)
        self.send("user@example.org")
        wait_until(lambda: messages_in("active"), "active message")
        check(messages_in("deferred") == 3 and messages_in("hold") == 1
              and messages_in("active") == 1, "deferred, held and active mail")

    def stop(self):
        run("postfix", "stop")
        self.send("user@example.net")
        check(messages_in("maildrop") == 1, "mail that came while it was stopped")

    def repair_and_flush(self):
        self.world.server("example.com", GOOD)
        self.world.server("example.org", GOOD)
        run("postsuper", "-H", "ALL")
        # What was active may be deferred once more, by a process from before.
        wait_until(lambda: not messages_in("active"), "end of active mail")
        run("postqueue", "-f")
        self.all_arrived()

    def all_arrived(self):
        wait_until(lambda: self.queue_is_empty()
                   or set(self.due) <= set(self.world.arrived()),
                   "arrival of all mail")
        missing = set(self.due) - set(self.world.arrived())
        check(not missing, "no message is lost %s" % sorted(missing))
        counts = Counter(self.world.arrived())
        check(all(counts[message] == 1 for message in self.due),
              "%d messages have arrived, each once" % len(self.due))
        wait_until(self.queue_is_empty, "empty queue")

    @staticmethod
    def queue_is_empty():
        """After a reload the queue manager skips what a process from before
        delivers, or fails to deliver; it notices when it looks there again."""
        if run("postqueue", "-j") and not messages_in("active"):
            run("postqueue", "-f")
        return not run("postqueue", "-j")

    def logged(self, action):
        """The smtp(8) lines of the mail log that an action gives."""
        before = len(self.world.log.lines)
        action()
        return [line.text for line in self.world.log.lines[before:]
                if line.program.startswith("postfix/smtp")]

    def deferred_then_removed(self):
        """One message for a broken server that must wait, and is then lost
        on purpose."""
        message = self.world.send("user@example.com")
        self.world.settle(message)
        run("postsuper", "-d", "ALL", "deferred")


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
        check(not lost, "%s has lost nothing" % name)
        ours = [line for line in added if "fallback" in line or "audit" in line]
        check(not ours, "%s has nothing of this patch set; upstream's upgrade"
              " added %d lines" % (name, len(added)))
        for line in added:
            print("    %s: %s" % (name, line))


def pcre_table_works():
    """A table type that is a plugin, and on Debian a package of its own."""
    table = Path("/etc/postfix/x.pcre")
    table.write_text("/^x/ y\n")
    check(run("postmap", "-q", "xyz", "pcre:%s" % table) == "y\n",
          "the pcre plugin works")


def administrators_commands():
    quiet("postfix check")
    quiet("postconf -n")
    quiet("postfix tls all-default-client; test $? -le 1")
    check("smtp_tls_fallback_level =" in run("postconf", "-d", "smtp_tls_fallback_level"),
          "postconf knows the parameters")


def features_work(system):
    """Report-only for one destination, after `postfix reload'."""
    world = system.world
    world.server("example.com", EXPIRED)
    run("postconf", "smtp_tls_audit_template = standard")
    system.policy("example.com secure fallback=may\nexample.org encrypt\n")
    run("postfix", "reload")
    lines = system.logged(lambda: system.mail("user@example.com"))
    check(any(": tls fallback: relay=mx1.example.com[192.0.2.25]:25, "
              "nexthop=example.com, policy=secure, level=may, reason=untrusted, "
              "detail=certificate has expired" in line for line in lines),
          "fallback warning after `postfix reload'")
    check(any(": tlsaudit: relay=mx1.example.com[192.0.2.25]:25, auth=Untrusted, "
              "level=may, policy=secure" in line for line in lines),
          "audit record after `postfix reload'")
    world.server("example.com", GOOD)


def errors_make_it_stricter(system):
    """Each error: one warning per process, mail moves, nothing falls back."""
    world = system.world
    system.policy("example.com secure\nexample.org encrypt\n")
    for name, value, warning in ERRORS:
        run("postconf", *(x + " = " for x in TEMPLATES_OFF))
        run("postconf", "%s = %s" % (name, value))
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
                  if "warning: %s: " % name in line.text and warning in line.text]
        check(sorted(warned) == sorted(processes),
              "%s = %s: one warning per process" % (name, value))
        world.server("example.com", EXPIRED)
        lines = system.logged(system.deferred_then_removed)
        check(any("status=deferred (Server certificate not verified)" in line
                  for line in lines), "%s = %s: no fallback" % (name, value))
    world.server("example.com", GOOD)
    run("postconf", "-X", *TEMPLATES_OFF)
    run("postfix", "reload")


def take_it_back(system):
    """As INSTALL says, before another version is installed."""
    system.policy("example.com secure\nexample.org encrypt\n")
    run("postconf", "-X", *TEMPLATES_OFF)
    run("postfix", "reload")


def before_each_start():
    """What the service of Debian's package does before it starts Postfix."""
    unit = Path("/usr/lib/systemd/system/postfix.service").read_text()
    if "ExecStartPre=+postfix check" in unit:
        shell("postfix check")          # Debian 13: that runs the script
    else:
        shell("/usr/lib/postfix/configure-instance.sh -")


def debian(directory):
    """From Debian's package, with its layout, and back to it."""
    def install():
        shell("dpkg -i %s/*.deb" % directory,
              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                   "DEBIAN_FRONTEND": "noninteractive"})
        before_each_start()

    Path("/usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    Path("/usr/sbin/policy-rc.d").chmod(0o755)
    shell("debconf-set-selections", input="".join(
        "postfix postfix/%s\n" % answer for answer in (
            "main_mailer_type select Internet Site",
            "mailname string sandbox.example")))
    install()
    packaged = run("postconf", "-h", "mail_version").strip()
    check(packaged, "Debian's Postfix %s is installed" % packaged)
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
          and version.startswith(release + "."), "it is Postfix %s now" % version)
    for name in ("smtp", "qmgr", "master"):
        path = "/usr/lib/postfix/sbin/" + name
        check(path in files_before and Path(path).read_bytes()
              == (tree / "libexec" / name).read_bytes(), "%s was replaced" % path)
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


def carry_out(scenario, *arguments):
    """The exit status; the end of the log where something does not hold."""
    try:
        scenario(*arguments)
    except (Broken, RuntimeError, TimeoutError) as fault:
        print("FAILED: %s" % fault)
        if LOG_FILE.exists():
            print("".join(LOG_FILE.read_text().splitlines(keepends=True)[-40:]))
        return 1
    print("scenario complete")
    return 0


def main():
    scenarios = {"debian": debian, "upstream": upstream}
    return carry_out(scenarios[sys.argv[1]], *sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
