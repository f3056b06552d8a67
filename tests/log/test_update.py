"""Tests of what keeps a summary, metrics and the page up to date by itself."""

import configparser
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import subprocess

import pytest

from test_counters import assert_not_fallen
from test_posttls_audit import ERROR, OK, PROGRAM, TOP, environment, metrics_of, run
from test_summary import make_lines, text_of, write

PARTS = TOP / "postfix/auxiliary/tls-audit"
UPDATE = PARTS / "tls-audit-update"
INSTALLED = "/usr/share/posttls-audit/tls-audit-update"
IS_ROOT = os.geteuid() == 0


@pytest.fixture(name="place")
def make_place(tmp_path):
    """A directory of an unprivileged user's, a program that it can execute, and a log."""
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    here = tmp_path / "var"
    here.mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(PROGRAM, tmp_path / "bin/posttls-audit")
    shutil.copy(UPDATE, tmp_path / "bin/tls-audit-update")
    (tmp_path / "bin/tls-audit-update").chmod(0o755)  # as it is installed
    if IS_ROOT:
        shutil.chown(here, "nobody", "nogroup")
    return here


def as_user(groups="adm"):
    """In front of a command: the user that the log is not for, but for a group."""
    if not IS_ROOT:
        return []
    return ["setpriv", f"--reuid={pwd.getpwnam('nobody').pw_uid}", "--regid=nogroup",
            f"--groups={groups}", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]


def update(place, *args, groups="adm", status=OK, command=None, **more):
    binaries = place.parent / "bin"
    env = {**environment(), "PATH": f"{binaries}:{os.environ['PATH']}",
           "MAIL_LOG": f"{place.parent}/mail.log", **more}
    done = subprocess.run([*as_user(groups), *(command or [binaries / "tls-audit-update"]),
                           *map(str, args)], cwd=place, env=env, capture_output=True,
                          check=False, timeout=60)
    assert done.returncode == status, done.stderr.decode()
    return done.stderr.decode()


def for_adm(path, data, mode="wb"):
    """A log as rsyslog makes it on Debian."""
    write(path, data, mode)
    if IS_ROOT:
        shutil.chown(path, "root", "adm")
    path.chmod(0o640)


def counters(place):
    text = (place / "metrics.prom").read_text()
    return {key: value for key, value in metrics_of(text).items() if key[0].endswith("_total")}


def test_log_that_is_rotated(place, tmp_path):
    rng = random.Random(1)
    text = text_of(make_lines(rng, 200))
    log = tmp_path / "mail.log"
    places = [0, *sorted(rng.sample(range(1, len(text)), 9)), len(text)]
    before = {}
    for number, (begin, end) in enumerate(zip(places, places[1:])):
        if number % 3 == 2:
            log.rename(tmp_path / "mail.log.1")
        for_adm(log, text[begin:end], "ab")
        update(place)
        assert_not_fallen(before, counters(place))
        before = counters(place)
        page = (place / "index.html").read_text()
        assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    write(tmp_path / "whole", text)
    want = run("-j", tmp_path / "whole").stdout
    assert run("-j", place / "summary").stdout == want
    left = {path.name for path in place.iterdir()}
    assert left == {"summary", "summary.lock", "metrics.prom", "index.html", "update.lock"}
    modes = {name: (place / name).stat().st_mode & 0o777 for name in left}
    assert modes["metrics.prom"] == 0o644
    assert modes["summary"] == modes["index.html"] == 0o640
    update(place, PAGE_MODE="644")
    assert (place / "index.html").stat().st_mode & 0o777 == 0o644


def test_only_the_group_may_read_the_log(place, tmp_path):
    for_adm(tmp_path / "mail.log", text_of(make_lines(random.Random(2), 10)))
    if IS_ROOT:
        errors = update(place, groups="nogroup", status=ERROR)
        assert "Permission denied" in errors
    update(place)
    assert counters(place)["posttls_audit_lines_total", "audit"] > 0


JOURNALCTL = """#!/bin/sh
# As journalctl(1) does: what comes after the place that the file has.
file=
for arg in "$@"; do
    case $arg in --cursor-file=*) file=${arg#*=};; esac
done
from=$(cat "$file" 2>/dev/null || echo 0)
tail -c +$((from + 1)) "$FAKE_JOURNAL"
wc -c <"$FAKE_JOURNAL" >"$file"
"""


def test_journal(place, tmp_path):
    """Where there is no log. A run that ends before the cursor moves repeats nothing."""
    lines = make_lines(random.Random(3), 100)
    journal = tmp_path / "journal"
    (tmp_path / "bin/journalctl").write_text(JOURNALCTL)
    (tmp_path / "bin/journalctl").chmod(0o755)
    journal.touch()
    assert "nothing in the log yet" in update(place, FAKE_JOURNAL=journal)
    for number, at in enumerate(range(0, len(lines), 80)):
        write(journal, text_of(lines[at:at + 80]), "ab")
        kept = (place / "cursor").read_bytes() if (place / "cursor").exists() else None
        update(place, FAKE_JOURNAL=journal)
        if number % 3 == 1:
            write(place / "cursor", kept)
            update(place, FAKE_JOURNAL=journal)
    update(place, FAKE_JOURNAL=journal)
    want = json.loads(run("-j", journal).stdout)
    got = json.loads(run("-j", place / "summary").stdout)
    assert got == want


def test_errors(place, tmp_path):
    assert "unknown option" in update(place, "-x", status=ERROR)
    assert "usage: tls-audit-update" in subprocess.run(
        ["sh", UPDATE, "--help"], capture_output=True, check=True).stdout.decode()
    for_adm(tmp_path / "mail.log", text_of(make_lines(random.Random(4), 10)))
    update(place)
    assert "No such file" in update(place, tmp_path / "absent", status=ERROR)
    before = (place / "metrics.prom").read_bytes()
    write(place / "summary", b"posttls-audit summary 1 0\ndamaged\n")
    assert "not changed" in update(place, status=ERROR)
    assert (place / "metrics.prom").read_bytes() == before


def unit(name):
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string((PARTS / name).read_text())
    return parser


def test_units(place, tmp_path):
    """systemd finds nothing to complain about, and what they start works."""
    directory = tmp_path / "units"
    directory.mkdir()
    for name in ("posttls-audit.service", "posttls-audit.timer"):
        text = (PARTS / name).read_text()
        (directory / name).write_text(text.replace(INSTALLED, str(tmp_path / "bin/tls-audit-update")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no",
                           *map(str, directory.iterdir())],
                          capture_output=True, text=True, check=False)
    # The complaints of the machine's own units are not ours.
    ours = [line for line in done.stderr.splitlines() if "posttls-audit" in line]
    assert (done.returncode, ours) == (0, [])
    service = unit("posttls-audit.service")["Service"]
    assert service["ExecStart"] == INSTALLED
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    for_adm(tmp_path / "mail.log", text_of(make_lines(random.Random(5), 10)))
    update(place, groups=service["SupplementaryGroups"],
           command=[service["ExecStart"].replace(INSTALLED, str(tmp_path / "bin/tls-audit-update"))])
    assert (place / "index.html").exists()


def test_user_of_the_units(tmp_path):
    """systemd-sysusers(8) makes the user, in the group that may read the log."""
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/group").write_text("adm:x:4:\n")
    subprocess.run(["systemd-sysusers", f"--root={root}", "-"], check=True, capture_output=True,
                   input=(PARTS / "posttls-audit.sysusers").read_bytes())
    user = unit("posttls-audit.service")["Service"]["User"]
    assert re.search(f"^{user}:.*:/var/lib/posttls-audit:", (root / "etc/passwd").read_text(), re.M)
    assert f"adm:x:4:{user}\n" in (root / "etc/group").read_text()


def test_cron_line(place, tmp_path):
    line, = [line for line in (PARTS / "posttls-audit.cron").read_text().splitlines()
             if not line.startswith("#")]
    match = re.fullmatch(r"\*/10( \*){4}\t(\S+)\t(.*)", line)
    assert match[2] == unit("posttls-audit.service")["Service"]["User"]
    command = match[3].replace(INSTALLED, str(tmp_path / "bin/tls-audit-update"))
    assert "%" not in command  # a newline, for cron(8)
    command = command.replace("/var/lib/posttls-audit", str(pathlib.Path(place)))
    for_adm(tmp_path / "mail.log", text_of(make_lines(random.Random(6), 10)))
    update(place, command=["sh", "-c", command])
    assert counters(place)["posttls_audit_lines_total", "audit"] > 0
