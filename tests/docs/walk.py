#!/usr/bin/python3
"""Follow a document step by step, in the sandbox; see document.py.

Files are written and commands executed as printed. Before log records or a
command's output can appear something must happen to the mail servers, and mail
must be sent. That is not in the documents: it is in STORIES, by section, one for
each block that shows a result.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import document
from testenv import releases
from testenv.examples import (EXPIRED, GOOD, LOG_FILE, NO_STARTTLS, PATIENCE, WRONG_NAME,
                              ExampleNet, run)

CONFIG = Path("/etc/postfix")
TLS_POLICY = CONFIG / "tls_policy"
STAMP = "%b %e %H:%M:%S"                # in front of a log line


def postconf(*settings):
    run("postconf", *settings)
    run("postfix", "reload")


def all_is_well(world):
    world.mail("user@example.com")


def a_week_of_mail(world):
    """What one delivery logged, 19 times, as if it were some days ago."""
    if not world.sent:
        world.mail("user@example.com")
    log = LOG_FILE.read_text()
    lines = [line for line in log.splitlines() if "/smtp[" in line]
    length = len(time.strftime(STAMP))
    before = ""
    for number in range(19, 0, -1):
        then = time.localtime(time.time() - number * 10 * 3600)
        before += "".join(time.strftime(STAMP, then) + line[length:] + "\n"
                          for line in lines)
    LOG_FILE.write_text(before + log)


def no_more(_):
    """What was logged before is what is shown."""


def in_the_journal(_):
    """A clone has no systemd: what its journal would show is in the logfile."""
    journalctl = Path("/usr/local/bin/journalctl")
    journalctl.write_text(
        '#!/bin/sh\n[ "$*" = "-q -o short-iso -t postfix/smtp" ] || exit 1\n'
        f"exec cat {LOG_FILE}\n")
    journalctl.chmod(0o755)


def certificate_expires(world):
    world.server("example.com", EXPIRED)
    world.mail("user@example.com")


def deferred(world):
    world.mail("user@example.com")
    world.server("example.com", GOOD)


def wrong_name(world):
    run("postmap", str(TLS_POLICY))
    run("postfix", "reload")
    world.server("example.net", WRONG_NAME)
    world.mail("user@example.net")


def wrong_name_and_no_starttls(world):
    wrong_name(world)
    world.server("example.org", NO_STARTTLS)
    world.mail("user@example.org")


def have_password(world):
    (CONFIG / "sasl_passwd").write_text("example.org user:password\n")
    postconf("smtp_sasl_auth_enable=yes",
             "smtp_sasl_password_maps=texthash:/etc/postfix/sasl_passwd")
    world.mail("user@example.org")
    postconf("smtp_sasl_auth_enable=no", "smtp_sasl_password_maps=")


def bad_level(world):
    postconf("smtp_tls_fallback_level=secure=may, verify")
    world.mail("user@example.com")
    postconf("smtp_tls_fallback_level=")


def bad_template(world):
    postconf("smtp_tls_audit_template=ful")
    world.mail("user@example.com")
    postconf("smtp_tls_audit_template=standard")


def bad_attribute(world):
    policy = TLS_POLICY.read_text()
    TLS_POLICY.write_text("example.net secure fallback=maybe\n")
    run("postmap", str(TLS_POLICY))
    run("postfix", "reload")
    world.mail("user@example.net")
    TLS_POLICY.write_text(policy)


def unpatched(world):
    """Only for the pristine Postfix."""
    postconf("smtp_tls_policy_maps=texthash:/etc/postfix/tls_policy")
    TLS_POLICY.write_text("example.com secure fallback=may\n")
    world.mail("user@example.com")


TLS_FALLBACK_README = {
    "step1": [all_is_well, a_week_of_mail],
    "step2": [all_is_well],
    "step3": [certificate_expires, no_more, in_the_journal],
    "step4": [deferred],
    "template": [wrong_name, wrong_name],
    "obstacles": [wrong_name_and_no_starttls],
    "never": [have_password],
    "many": [no_more],
    "errors": [bad_level, bad_template, bad_attribute],
}
README = {
    "From report-only to enforced": [a_week_of_mail],
}
# Sections that need another Postfix, or none (see test_documents.py), or that
# others carry out ("sts": tests/e2e/test_sts.py, "timer": tests/log/test_update.py).
PRISTINE = "back"
ELSEWHERE = {"Try it", "sts", "timer"}

STORIES = {"TLS_FALLBACK_README.html": TLS_FALLBACK_README,
           "README.md": README}
PRISTINE_STORIES = {"TLS_FALLBACK_README.html": {PRISTINE: [unpatched]}}


class Walk:
    """The way of a reader through one document."""

    def __init__(self, path, pristine=False):
        self.blocks = document.read(path)
        stories = PRISTINE_STORIES if pristine else STORIES
        self.stories = {section: list(story) for section, story
                        in stories[Path(path).name].items()}
        self.pristine = pristine
        self.world = ExampleNet()
        self.faults = []
        self.steps = 0

    def fault(self, block, text):
        self.faults.append(f"section \"{block.section}\": {text}")

    def go(self):
        self.world.start()
        for block in self.blocks:
            if (block.section in self.stories if self.pristine
                    else block.section not in ELSEWHERE):
                getattr(self, "do_" + block.kind)(block)
        for section, rest in self.stories.items():
            if rest:
                self.faults.append(f"section \"{section}\": the story goes on, but the "
                                   "document does not")
        self.world.stop()

    def quiet(self, block, command, **variables):
        """Carry out a command that succeeds without complaint."""
        done = subprocess.run(command, shell=True, text=True, timeout=PATIENCE,
                              env={**os.environ, **variables},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        noise = [line for line in done.stderr.splitlines()
                 if "refreshing the Postfix mail system" not in line]
        if done.returncode != 0 or noise:
            self.fault(block, f"`{command}': status {done.returncode} {noise}")
        return done.stdout

    def do_files(self, block):
        if self.pristine:
            return
        for name, content in block.files.items():
            self.steps += 1
            path = Path(name)
            if path.name == "main.cf":
                for parameter in re.findall(r"^(\w+) *=", content, re.MULTILINE):
                    run("postconf", "-X", parameter)
                content = path.read_text() + content
            path.write_text(content)
            self.quiet(block, "postfix check")

    def do_commands(self, block):
        if self.pristine:
            return
        variables = {}                  # good until the end of the block
        for command, expected in block.commands:
            self.steps += 1
            assigned = re.match(r"(\w+)=", command)
            if assigned:
                variables[assigned[1]] = self.quiet(
                    block, f'{command}; printf %s "${assigned[1]}"')
                continue
            if expected:
                self.tell(block)
            printed = self.quiet(block, command, **variables)
            if not document.output_pattern(expected).fullmatch(
                    printed.expandtabs()):
                wanted = "\n".join(expected)
                self.fault(block, f"`{command}' prints:\n{printed}and not:\n{wanted}")

    def tell(self, block):
        """Let happen what the block shows the result of."""
        story = self.stories.get(block.section)
        if story:
            story.pop(0)(self.world)
        else:
            self.fault(block, "a result without a story")

    def do_log(self, block):
        if block.section == PRISTINE and not self.pristine:
            return
        before = len(self.world.log.lines)
        self.tell(block)
        logged = [document.normal(str(line))
                  for line in self.world.log.lines[before:]]
        for record in block.records:
            self.steps += 1
            record = document.as_logged(
                record, releases.has("trusted-without-name"))
            if not any(map(document.record_pattern(record).fullmatch, logged)):
                instead = "\n    ".join(line for line in logged if "/smtp[" in line)
                self.fault(block, f"not logged:\n    {document.normal(record)}\n"
                                  f"but:\n    {instead}")

    def do_other(self, block):
        self.fault(block, f"what is this? {block.lines[0]}")


def main():
    pristine = "--pristine" in sys.argv
    walk = Walk(sys.argv[-1], pristine)
    walk.go()
    for fault in walk.faults:
        print(fault)
    print(f"{walk.steps} steps")
    return 1 if walk.faults or not walk.steps else 0


if __name__ == "__main__":
    sys.exit(main())
