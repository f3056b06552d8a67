"""A mail system in use, for scenarios that put another Postfix in its place.

It runs in the sandbox, with the servers of examples.py to deliver to. What must
hold is stated with check(); the first one that does not ends the scenario.
"""

import dataclasses
import re
import subprocess
import time
from collections import Counter
from pathlib import Path

from testenv.examples import (CA_BUNDLE, EXPIRED, GOOD, LOG_FILE, PATIENCE, POLL,
                              ExampleNet, run)

CONFIG = Path("/etc/postfix")
POLICY = CONFIG / "tls_policy"
STALLS = dataclasses.replace(GOOD, handshake="stall")

SETTINGS = [
    f"maillog_file = {LOG_FILE}", "inet_interfaces = 127.0.0.1",
    "smtp_tls_security_level = may", "smtp_tls_loglevel = 1",
    f"smtp_tls_CAfile = {CA_BUNDLE}", "smtp_tls_connection_reuse = yes",
    "smtp_starttls_timeout = 10s",
    f"smtp_tls_policy_maps = hash:{POLICY}",
    # What an administrator has in main.cf, and would be angry to lose.
    "mydestination = ", "local_recipient_maps = ", "notify_classes = ",
]
TEMPLATES_OFF = ["smtp_tls_fallback_level", "smtp_tls_audit_template"]


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
        raise Broken(f"`{command}': status {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def quiet(command):
    """A command that succeeds and has nothing to complain about."""
    output = shell(command)
    complaints = [line for line in output.splitlines()
                  if re.search("warning|error|fatal", line)]
    check(not complaints, f"`{command}' does not complain {complaints}")
    return output


def wait_until(condition, what):
    deadline = time.time() + PATIENCE
    while not condition():
        if time.time() > deadline:
            raise Broken(f"no {what} after {PATIENCE} seconds")
        time.sleep(POLL)


def messages_in(queue):
    return sum(1 for path in Path("/var/spool/postfix", queue).rglob("*")
               if path.is_file())


class MailSystem:
    """The system that is upgraded, and the mail in it."""

    def __init__(self):
        self.world = ExampleNet()
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
        run("postmap", f"hash:{POLICY}")

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
                        if line.text.endswith(f"message-id=<{held}>"))
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
        check(not missing, f"no message is lost {sorted(missing)}")
        counts = Counter(self.world.arrived())
        check(all(counts[message] == 1 for message in self.due),
              f"{len(self.due)} messages have arrived, each once")
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


def carry_out(scenario, *arguments):
    """The exit status; the end of the log where something does not hold."""
    try:
        scenario(*arguments)
    except (Broken, RuntimeError, TimeoutError) as fault:
        print(f"FAILED: {fault}")
        if LOG_FILE.exists():
            print("".join(LOG_FILE.read_text().splitlines(keepends=True)[-40:]))
        return 1
    print("scenario complete")
    return 0
