"""What posttls-audit(1) reads: log formats, audit records.

A log is written again in the way in which each program writes it, and the report
must not change.
"""

import collections
import datetime
import gzip
import json
import random
import re
import subprocess

import pytest

from test_posttls_audit import (GOOD, MATRIX_LOG, PROGRAM, RELAY, SOURCE, STAMP,
                                environment, lines_of, report, run)

UTC = datetime.timezone.utc
LINE = re.compile(r"(\S+) (\S+) ([^:\[ ]+)(?:\[(\d+)\])?: (.*)\n")


def dump(members):
    return json.dumps(members, separators=(",", ":")) + "\n"


def docker(inner, when, **more):
    """As Go's encoder does, which has an opinion on < > &."""
    text = dump({"log": inner, "stream": "stdout", **more, "time": nano(when)})
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def nano(when):
    return when.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")


def traditional(when):
    return when.strftime("%b %e %H:%M:%S")


def usec(when):
    return f"{int(when.timestamp())}123456"


def journal(when, host, tag, pid, text):
    members = {"__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": usec(when),
               "__MONOTONIC_TIMESTAMP": "7", "_TRANSPORT": "syslog", "PRIORITY": "6",
               "_HOSTNAME": host, "SYSLOG_IDENTIFIER": tag, "MESSAGE": text}
    if pid:
        members |= {"SYSLOG_PID": pid, "_PID": pid}
    return members


def tagged(tag, pid):
    return f"{tag}[{pid}]" if pid else tag


def bytes_of(members):
    members["MESSAGE"] = list(members["MESSAGE"].encode())
    return members


# name: function of (when, host, tag, pid, text), and what a line would look like
# there: in UTC, as the program runs.

FORMATS = {
    "syslog": lambda when, host, tag, pid, text:
        f"{traditional(when)} {host} {tagged(tag, pid)}: {text}\n",
    "syslog with microseconds": lambda when, host, tag, pid, text:
        f"{traditional(when)}.123456 {host} {tagged(tag, pid)}: {text}\n",
    "PRI": lambda when, host, tag, pid, text:
        f"<22>{traditional(when)} {host} {tagged(tag, pid)}: {text}\n",
    "RFC 5424": lambda when, host, tag, pid, text:
        f"<22>1 {nano(when)} {host} {tag} {pid or '-'} - - {text}\n",
    "RFC 5424 with data": lambda when, host, tag, pid, text:
        f"1 {nano(when)} {host} {tag} {pid or '-'} ID1 "
        rf'[x@1 a="\"]" b=""][y] ' + f"\ufeff{text}\n",
    "Solaris": lambda when, host, tag, pid, text:
        f"{traditional(when)} {host} {tagged(tag, pid)}: [ID 197553 mail.info] {text}\n",
    "FreeBSD": lambda when, host, tag, pid, text:
        f"{traditional(when)} <mail.info> {host} {tagged(tag, pid)}: {text}\n",
    "busybox": lambda when, host, tag, pid, text:
        f"{traditional(when)} {host} mail.info {tagged(tag, pid)}: {text}\n",
    "journalctl short-full": lambda when, host, tag, pid, text:
        f"{when.strftime('%a %Y-%m-%d %H:%M:%S UTC')} {host} {tagged(tag, pid)}: {text}\n",
    "journalctl short-unix": lambda when, host, tag, pid, text:
        f"{int(when.timestamp())}.123456 {host} {tagged(tag, pid)}: {text}\n",
    "journalctl json": lambda *parts: dump(journal(*parts)),
    "journalctl json, bytes": lambda *parts: dump(bytes_of(journal(*parts))),
    "journalctl json-sse": lambda *parts: "data: " + dump(journal(*parts)),
    "journalctl json-seq": lambda *parts: "\x1e" + dump(journal(*parts)),
    "docker json-file": lambda when, host, tag, pid, text:
        docker(f"{traditional(when)} {host} {tagged(tag, pid)}: {text}\n", when),
    "docker json-file, attributes, elsewhere": lambda when, host, tag, pid, text:
        docker(f"{traditional(when - datetime.timedelta(hours=5))} {host}"
               f" {tagged(tag, pid)}: {text}\r\n", when, attrs={"tag": "x\\"}),
    "docker logs -t": lambda when, host, tag, pid, text:
        f"{nano(when)} {traditional(when)} {host} {tagged(tag, pid)}: {text}\n",
    "docker compose logs": lambda when, host, tag, pid, text:
        f"mail-1  | {traditional(when)} {host} {tagged(tag, pid)}: {text}\n",
    "docker compose logs -t": lambda when, host, tag, pid, text:
        f"mail_1.x  | {nano(when)} {traditional(when)} {host} {tagged(tag, pid)}: {text}\n",
    "docker compose logs, in color": lambda when, host, tag, pid, text:
        f"\x1b[36mmail-1  | \x1b[0m{traditional(when)} {host} {tagged(tag, pid)}: {text}\n",
    "Kubernetes CRI": lambda when, host, tag, pid, text:
        f"{nano(when)} stdout F {traditional(when)} {host} {tagged(tag, pid)}: {text}\n",
    "podman k8s-file": lambda when, host, tag, pid, text:
        f"{nano(when)[:-1]}+00:00 stderr F {nano(when)} {host} {tagged(tag, pid)}: {text}\n",
    "kubectl logs": lambda when, host, tag, pid, text:
        f"[pod/mail-0/postfix] {traditional(when)} {host} {tagged(tag, pid)}: {text}\n",
}

# Without a year, the log has to be younger than one.

YEARLESS = [name for name in FORMATS if "Dec" in FORMATS[name](
    datetime.datetime(2026, 12, 1, tzinfo=UTC), "h", "t", "1", "x")]


def log_lines():
    """The lines of the golden log, in parts; anything else as it is."""
    for line in (SOURCE / "report.in").read_text(encoding="utf-8").splitlines(True):
        found = LINE.fullmatch(line)
        if found:
            stamp, *rest = found.groups()
            yield datetime.datetime.fromisoformat(stamp), *rest


def facts(result):
    """What does not depend on how it was written."""
    return {name: rows for name, rows in result.items() if name != "notes"}


@pytest.fixture(scope="module", name="reference")
def make_reference():
    lines = list(log_lines())
    assert len(lines) > 30
    text = "".join(f"{when:%Y-%m-%dT%H:%M:%SZ} {host} {tagged(tag, pid)}: {text}\n"
                   for when, host, tag, pid, text in lines)
    return lines, facts(report(text=text))


@pytest.mark.parametrize("name", FORMATS)
def test_format(name, reference, tmp_path):
    lines, expected = reference
    path = tmp_path / "log"
    path.write_text("".join(FORMATS[name](*line) for line in lines), encoding="utf-8")
    assert facts(report(path)) == expected
    assert lines_of(expected)["not_understood"] == 0


def test_formats_mixed(reference):
    """One file with all of them, as one line after the other may have it."""
    lines, expected = reference
    names = [name for name in FORMATS if name not in YEARLESS]
    assert len(names) > 6
    result = report(text="".join(FORMATS[names[number % len(names)]](*line)
                                 for number, line in enumerate(lines)))
    assert lines_of(result) == lines_of(expected)
    assert result["levels"] == expected["levels"]


@pytest.mark.parametrize("name", FORMATS)
def test_format_cut_anywhere(name):
    """A line that was cut is understood or it is not; and so is the next one."""
    line = FORMATS[name](datetime.datetime(2026, 11, 21, 18, 31, tzinfo=UTC), "mx1",
                         "postfix/smtp", "1", f"4A01: tlsaudit: relay={RELAY}, level=may")
    text = "".join(line[:size] + "\n" + GOOD for size in range(1, len(line)))
    result = report(text=text)
    assert sum(lines_of(result).values()) == 2 * (len(line) - 1)
    assert lines_of(result)["audit"] >= len(line) - 1
    assert lines_of(result)["other_program"] == 0


def test_time_zone_by_name(tmp_path):
    """journalctl -o short-full has the name of the local time zone."""
    when = ("Sun 2026-10-25 02:30:00 CEST", "Sun 2026-10-25 02:30:00 CET")
    text = "".join(GOOD.replace(STAMP, f"{stamp} mx1") for stamp in when)
    path = tmp_path / "log"
    path.write_text(text)
    env = dict(environment(), TZ="Europe/Berlin")
    done = subprocess.run([PROGRAM, "-j", path], capture_output=True, env=env, check=True)
    assert [row["time"] for row in json.loads(done.stdout)["period"]] \
        == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]


# Audit records that are JSON.

def record(text, **attrs):
    """The same delivery, logged with the template json."""
    numbers = {"nrcpt", "size", "reuse", "relay_port"}
    members = {name: int(value) if name in numbers else
               value == "yes" if name in ("fs", "resumed") else value
               for name, value in attrs.items()}
    return text + json.dumps(members, ensure_ascii=False) + "\n"


def rewritten(line, number, every):
    found = re.fullmatch(r"(.*/[sl]mtp\[\d+\]: \w+: tlsaudit: )(.*)\n", line)
    if not found or number % every:
        return line
    return record(found[1], **dict(re.findall(r"(\w+)=(.*?)(?=, \w+=|$)", found[2])))


@pytest.mark.parametrize("every", [1, 2, 3])
def test_records_in_any_mix(every):
    """All, half or a third of the audit lines of the matrix' log are JSON."""
    with gzip.open(MATRIX_LOG, "rt", encoding="utf-8") as file:
        lines = list(file)
    changed = [rewritten(line, number, every) for number, line in enumerate(lines)]
    assert sum(old != new for old, new in zip(lines, changed)) > 50
    expected = facts(report(text="".join(lines)))
    assert facts(report(text="".join(changed))) == expected


HOSTILE = ['", "level": "secure', "\\", "\x00\x01\x1f\x7f", "\n2026 mx1 postfix/smtp[1]: x",
           "</script><b>", "\u202e\u2066", "\U0001f600", "\ud800", "a" * 3000, "{", "}]", "'"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_hostile_values(value, ascii_only):
    """A value says nothing about any other attribute, and forges no line."""
    members = {"subject": value, "relay": RELAY, "level": "may", "issuer": value,
               "auth": "Untrusted", "verify_error": value}
    text = json.dumps(members, ensure_ascii=ascii_only)
    line = f"{STAMP} postfix/smtp[1]: 4A01: tlsaudit: {text}\n"
    result = report(text=(line + GOOD).encode("utf-8", "surrogatepass"))
    assert lines_of(result)["audit"] == 2 and lines_of(result)["not_understood"] == 0
    assert {row["state"] for row in result["levels"]} == {"may", "secure"}
    assert {row["auth"] for row in result["auth"] if row["deliveries"]} \
        == {"Untrusted", "Verified"}


@pytest.mark.parametrize("text", [
    "{", "{}", '{"relay"', '{"relay":', '{"relay":"a', '{"relay":"a"', '{"relay":"a",}',
    '{"relay":"a"}}', '{"relay":"\\q"}', '{"relay":"\\u12"}', "{relay:1}", '{"a":01x}',
    '{"a":nul}', '{"a":[}', '["relay"]', '{"a":+1}', '{"a" 1}', '{,"a":1}', '{"a":"\t"}'])
def test_not_a_record(text):
    result = report(text=f"{STAMP} postfix/smtp[1]: 4A01: tlsaudit: {text}\n" + GOOD)
    assert lines_of(result)["audit"] == 1 and lines_of(result)["not_understood"] == 1


def test_verbose_shows_what_is_not_understood():
    done = run("-v", text='{"log":"x\\n"}\n')
    assert b'not understood: {"log":"x\\n"}' in done.stderr


# The program by itself.

def test_runs_without_postfix():
    """From the build tree, and where there is no Postfix."""
    env = {"PATH": "/usr/bin:/bin"}
    for option, shown in (("-V", rb"posttls-audit \d+\.\d+ \(Postfix \d+\.\d+.*\)\n"),
                          ("--help", rb"(?s)usage: .*--help.*"), ("-h", rb"(?s)usage: .*")):
        done = subprocess.run([PROGRAM, option], env=env, capture_output=True, check=True)
        assert re.fullmatch(shown, done.stdout) and done.stderr == b""
    needs = subprocess.run(["ldd", PROGRAM], env=env, stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    assert "libpostfix" not in needs and "not found" not in needs


def test_a_line_says_the_same_in_any_company():
    """What was seen on the lines before makes reading faster, and no difference."""
    stamps = ("Nov 21 18:31:00", "2026-11-21T18:31:00Z", "2026-11-21T18:31:00.123456+01:00")
    hosts = ("mx1", "stdout", "std", "Nov", "<mail.info> mx1", "<mail", "mx1 mail.info", "X", "")
    tags = ("postfix/smtpd[12]: ", "postfix/smtp[12]: ", "postfix/smtp: ", "postfix/smtps[1]: ",
            "cron[1]: ", "cron: ", "mail.info postfix/qmgr[1]: ", "smtp[1]: ", "F ", "[1]: ", "x")
    texts = ("4A01: tlsaudit: relay=a[1]:25, level=may", "21 18:31:00 mx1 postfix/smtp[1]: x",
             "18:31:00 mx1 cron[1]: 4A01", "")
    lines = [f"{stamp} {host} {tag}{text}" for stamp in stamps for host in hosts
             for tag in tags for text in texts]
    rng = random.Random(4)
    lines = rng.sample(lines, 200)
    alone = collections.Counter()
    for line in lines:
        alone.update(lines_of(report(text=f"{line}\n")))
    lines *= 20
    rng.shuffle(lines)
    together = lines_of(report(text="".join(f"{line}\n" for line in lines)))
    for kind in ("audit", "client_other", "other_program", "not_understood"):
        assert together[kind] == 20 * alone[kind] > 0, kind
