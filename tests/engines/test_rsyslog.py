"""rsyslog and PostgreSQL: every audit record, exactly once, whatever happens.

Three Postfix instances deliver through faults, PostgreSQL is stopped and started
in between. Then the views must say what posttls-audit says from the same logs,
and what is not a good record is counted, and does no harm.
"""

import collections
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from engines import SHIPPED, TOP, Database, Rsyslog, audit, quoted, wait_for
from mail import LOGS, Site

MESSAGES = 2000
LIMITS = ("-m", "5", "-M", "0")                 # posttls-audit
JUDGE = "5, '0 days'"                           # the same, for the database

# A log of its own for each kind of trouble.
REPLAYED, BAD, LARGE = (Path(f"/var/tmp/engines-{name}.log")
                        for name in ("replayed", "bad", "large"))
UDP_PORT = 5514

INPUTS = "".join([
    'module(load="imfile")\nmodule(load="imuxsock")\nmodule(load="imudp")\n',
    f'input(type="imudp" address="127.0.0.1" port="{UDP_PORT}")\n',
    *(Rsyslog.input_file(path) for path in (LOGS["mx1"], LOGS["mx2"], REPLAYED, BAD, LARGE)),
    # What the third line of rsyslog-input.conf is for, and the usual file.
    "if " + (SHIPPED / "rsyslog-input.conf").read_text().split("\n#if ")[1],
    'if $inputname == "imuxsock" and $syslogtag startswith "postfix/" then {\n'
    f'  action(type="omfile" file="{LOGS["mx3"]}" template="RSYSLOG_TraditionalFileFormat")\n}}\n'])


class Collection:
    """Everything, and the way to it."""

    def __init__(self):
        for path in LOGS.values():
            path.unlink(missing_ok=True)
        self.database = Database("rsyslog")
        self.rsyslog = Rsyslog(INPUTS)
        self.markers = 0

    def marker(self):
        """A good record that was not there before."""
        self.markers += 1
        return (f"{time.strftime('%b %e %H:%M:%S')} marker postfix/smtp[1]: "
                f"{self.markers:06X}: tlsaudit: relay=mx.marker[127.0.0.1]:25, level=none, "
                "auth=Cleartext, nexthop=marker.test")

    def append(self, path, text):
        with path.open("ab") as log:
            log.write(text if isinstance(text, bytes) else text.encode())

    def flush(self, path):
        """Wait until everything in this log is in the database."""
        marker = self.marker()
        self.append(path, marker + "\n")
        self.wait_for_marker(marker)

    def wait_for_marker(self, marker):
        queue_id = re.search(r"\]: (\w+):", marker)[1]
        wait_for(lambda: self.database.value(
            f"SELECT count(*) FROM event WHERE queue_id = '{queue_id}' AND host = 'marker'"),
            "record in the database")

    def counts(self, where="true"):
        return {row["kind"]: row["count"] for row in self.database.rows(
            f"SELECT kind, count(*) FROM event WHERE {where} GROUP BY 1")}

    def rejected(self):
        return {(row["why"], row["line"]): row["times"] for row in self.database.rows(
            "SELECT why, line, times FROM rejected")}


@pytest.fixture(scope="module", name="world")
def make_world():
    """2,000 messages are under way while PostgreSQL comes and goes."""
    world = Collection()
    world.rsyslog.start()
    wait_for(Path("/dev/log").exists, "/dev/log")
    site = Site()
    site.start()
    third = MESSAGES // 3
    site.send(third)
    site.finish()
    world.database.stop()
    site.send(third)
    site.finish()
    world.database.start()
    site.change()
    site.send(MESSAGES - 2 * third)
    world.database.stop("immediate")
    world.database.start()
    site.finish()
    site.stop()
    for path in (LOGS["mx1"], LOGS["mx2"]):
        world.flush(path)
    yield world
    world.rsyslog.stop()


KINDS = (("audit", r"(\w+): tlsaudit: (.*)"),
         ("fallback", r"warning: (\w+): tls fallback: (.*)"),
         ("refused", r"warning: (\w+): tls fallback refused: (.*)"),
         ("status", r"(\w+): to=<(.*)"))


def lines_of(name):
    """What this server has logged: kind -> its lines, without time stamp."""
    found = collections.Counter()
    for line in LOGS[name].read_text().splitlines():
        host, _, text = line[16:].partition(" ")
        match = host != "marker" and re.match(r"(postfix/smtp\[\d+\]): (.*)", text)
        for kind, pattern in KINDS if match else ():
            if inner := re.match(pattern, match[2]):
                found[kind, match[1], inner[1]] += 1
    return found


def host_of(name):
    """mx3 logs by way of the machine's rsyslog."""
    return "sandbox" if name == "mx3" else name


def test_configuration(world):
    checked = world.rsyslog.check()
    assert checked.returncode == 0 and "error" not in checked.stdout, checked.stdout


@pytest.mark.parametrize("name", LOGS)
def test_every_record_is_there_once(world, name):
    logged = lines_of(name)
    assert sum(count for (kind, *_), count in logged.items() if kind == "audit") > MESSAGES / 4
    stored = collections.Counter({
        (row["kind"], row["process"], row["queue_id"]): row["count"]
        for row in world.database.rows(
            "SELECT kind, process, queue_id, count(*) FROM event "
            f"WHERE host = '{host_of(name)}' GROUP BY 1, 2, 3")})
    assert stored == logged


def test_nothing_is_wrong_with_the_input(world):
    assert world.rejected() == {}


@pytest.mark.parametrize("name", ("mx1", "mx2"))
def test_attributes_are_those_of_the_record(world, name):
    """Of json and full, each with its type."""
    for line in LOGS[name].read_text().splitlines():
        if match := re.search(r" (\w+): tlsaudit: (.*)$", line):
            break
    if name == "mx1":
        logged = json.loads(match[2])
    else:
        logged = dict(pair.split("=", 1) for pair in match[2].split(", "))
    row, = world.database.rows("SELECT * FROM event WHERE kind = 'audit' AND "
                               f"queue_id = '{match[1]}'")
    stored = {**row.pop("attrs"), **{key: value for key, value in row.items() if value}}
    for attribute, value in logged.items():
        if attribute == "cert_expires":
            value = value.replace("Z", "+00:00")
        if not attribute.startswith("relay_"):
            assert stored[attribute] == value, attribute


# What the views say, and what posttls-audit says.

@pytest.fixture(scope="module", name="report")
def make_report(world):
    return json.loads(audit("-j", *LIMITS, *LOGS.values()))


def seconds(when):
    """A time as posttls-audit shows it."""
    return when and re.sub(r"(\.\d+)?\+00:00$", "Z", when)


FALLBACK_KEYS = ("deliveries", "warnings", "relay", "policy", "level", "reason")
MODIFIED = 1796000000                   # 2026-11-30, after all of these logs
VERDICTS = ("verdict", "destination", "source", "policy", "deliveries", "verified", "warnings",
            "why", "reason", "fallback", "hosts", "failing_hosts")
TIMES = ("first_verified", "last_verified", "last_failure")


def test_readiness(world, report):
    said = [tuple(row[key] for key in VERDICTS + TIMES) for row in report["readiness"]]
    assert len(said) >= len(LOGS)
    rows = world.database.rows(f"SELECT * FROM judge({JUDGE}) WHERE authenticates")
    found = [tuple(row[key] for key in VERDICTS) + tuple(seconds(row[key]) for key in TIMES)
             for row in rows]
    assert sorted(found, key=repr) == sorted(said, key=repr)
    assert {row["verdict"] for row in rows} >= {"enforce", "mixed", "broken"}


def test_attainable(world, report):
    """Destinations without an authenticated policy; template json only."""
    said = [tuple(row[key] for key in ("verdict", "destination", "policy", "deliveries",
                                       "attainable", "secure", "why"))
            for row in report["attainable"]]
    found = [tuple(row.values()) for row in world.database.rows(
        "SELECT verdict, destination, policy, deliveries, verified, secure, why "
        f"FROM judge({JUDGE}) WHERE NOT authenticates")]
    assert sorted(found, key=repr) == sorted(said, key=repr)
    assert {row[0] for row in found} == {"could enforce", "cannot"}


def test_proposals(world):
    said = {line for line in audit("-P", *LIMITS, *LOGS.values()).splitlines() if "\t" in line}
    found = {row["entry"] for row in world.database.rows(
        f"SELECT entry FROM propose({JUDGE}) WHERE entry IS NOT NULL AND destination <> 'marker.test'")}
    assert found == said
    assert "[mx.may.test]\tsecure fallback=may" in found


def test_fallbacks_of_today(world):
    said = json.loads(audit("-j", "-s", "today", *LOGS.values()))["fallbacks"]
    keys = FALLBACK_KEYS
    found = [(row["destination"], *(row[key] for key in keys), seconds(row["first"]),
              seconds(row["last"])) for row in world.database.rows(
                  "SELECT *, coalesce(reason, '-') AS reason FROM fallbacks_today")]
    assert sorted(found) == sorted((row["nexthop"], *(row[key] for key in keys), row["first"],
                                    row["last"]) for row in said)
    assert len(found) >= 5


def test_certificates(world, report):
    found = {(seconds(row["expires"]), row["destination"], row["relay"],
              seconds(row["last_seen"])) for row in world.database.rows(
                  "SELECT * FROM certificates_expiring")}
    assert found == {(row["expires"], row["destination"], row["relay"], row["last"])
                     for row in report["certificates"]}
    assert len(found) >= 5


def test_first_delivery_after_a_change_of_key(world, report):
    said = {(row["relay"], row["changed"], row["old"], row["new"], row["old_last_seen"])
            for row in report["digest_changes"] if row["kind"] == "key"}
    rows = world.database.rows("SELECT * FROM key_changes")
    assert {(row["relay"], seconds(row["changed"]), row["old"], row["new"],
             seconds(row["old_last_seen"])) for row in rows} == said
    assert {row["destination"]: row["verified"] for row in rows} == {
        "[mx.key.test]": True, "[mx.breaks.test]": False}
    for row in rows:
        line, = [line for path in LOGS.values() for line in path.read_text().splitlines()
                 if f" {row['queue_id']}: tlsaudit:" in line]
        assert row["new"] in line


def test_undelivered(world, report):
    """Deferred before there was an audit record, and without tls=."""
    said = {(row["recipients"], row["reason"], row["destination"], row["relay"])
            for row in report["failures"]}
    assert {(row["recipients"], row["reason"], row["destination"], row["relay"])
            for row in world.database.rows("SELECT * FROM undelivered")} == said
    assert [row[1:3] for row in said] == [("not-verified", "strict.test")]


# The logs that posttls-audit is tested with: every kind of line, of Postfix 3.11, too.

LINE = re.compile(r"(?P<time>\w{3} [ \d]\d [\d:]{8}|\S+) (?P<host>\S+) "
                  r"(?P<program>\S*[sl]mtp)\[(?P<pid>\d+)\]: (?P<text>.*)")


def event_of(line):
    """What postlog.rulebase makes of a line."""
    match = LINE.fullmatch(line)
    for kind, pattern in KINDS if match else ():
        if inner := re.fullmatch(pattern, match["text"]):
            return {**match.groupdict(), "kind": kind, "queue_id": inner[1], "text": inner[2]}
    return None


def judged_alike(world, lines, name, tmp_path, minimum=20, days=7):
    """The database's verdicts are those of posttls-audit from the same lines."""
    log = tmp_path / "log"
    log.write_text("\n".join(lines) + "\n")
    os.utime(log, (MODIFIED, MODIFIED))
    database = "log_" + re.sub(r"\W", "_", name)
    world.database.run("createdb", "-h", world.database.place, database)
    world.database.install(database)
    events = [event for event in map(event_of, lines) if event]
    read = f"to_timestamp({MODIFIED})"
    world.database.sql("".join(
        f"SELECT tls_audit.load({read}, 'x', {quoted(json.dumps(event))});\n"
        for event in events), database=database)
    report = json.loads(audit("-j", "-m", minimum, "-M", f"{days}d", log))
    found = world.database.rows(
        f"SELECT * FROM judge({minimum}, '{days} days', (SELECT max(time) FROM event))",
        "postgres", database)
    assert events and (found or report["readiness"] == [])
    tables = [(True, report["readiness"])]
    if any(row["kind"] == "attainable" and row["lines"] for row in report["lines"]):
        tables.append((False, report["attainable"]))
    for authenticates, rows in tables:
        keys = ("verdict", "destination", "policy", "deliveries")
        said = {tuple(row[key] for key in keys) for row in rows}
        judged = {tuple(row[key] for key in keys) for row in found
                  if row["authenticates"] == authenticates}
        assert (judged - said, said - judged) == (set(), set())
    keys = ("destination", "policy", "reason")
    assert sorted(tuple(row[key] for key in keys) for row in found if row["regressed"]) \
        == sorted(tuple(row[key] for key in keys) for row in report["regressions"])
    said = [(row["nexthop"], *(row[key] for key in FALLBACK_KEYS)) for row in report["fallbacks"]]
    assert sorted(said) == sorted(
        (row["destination"], *(row[key] for key in FALLBACK_KEYS)) for row in world.database.rows(
            "SELECT *, coalesce(reason, '-') AS reason FROM fallbacks('-infinity')", "postgres",
            database))
    return report


@pytest.mark.parametrize("name", ["report.in", "upstream.in", "feature.in"])
def test_logs_of_posttls_audit(world, name, tmp_path):
    text = (TOP / "postfix/src/posttls-audit" / name).read_text()
    judged_alike(world, text.splitlines(), name, tmp_path, 5, 0)


# A history, and what must become of it.

RELAY = "mx.example.com[192.0.2.1]:25"
FAILED = "Server certificate not verified"


def line(day, number, text):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(MODIFIED - 86400 * (20 - day)))
    return f"{stamp} mx1 postfix/smtp[{number}]: {text}"


def delivered(number, day, nexthop="example.com", relay=RELAY, domain=None, good=True):
    """A delivery, with its audit record and its status."""
    weaker = "level=secure, auth=Verified" if good else \
        "level=encrypt, policy=secure, auth=Trusted, reason=mismatch"
    return [line(day, number, f"{number:05X}: tlsaudit: relay={relay}, {weaker}, nexthop={nexthop}"),
            line(day, number, f"{number:05X}: to=<user@{domain or nexthop}>, relay={relay}, delay=1, "
                 "delays=0/0/0/1, dsn=2.0.0, status=sent (250 Ok)")]


def stuck(domain, day=11, relay=RELAY):
    return [line(day, number, f"{number:05X}: to=<user@{domain}>, relay={relay}, delay=1, "
                 f"delays=0/0/0/1, dsn=4.7.5, status=deferred ({FAILED})")
            for number in range(900, 920)]


def spread(days=10, count=30, first=1, **more):
    """Good deliveries, from now until some days later."""
    return [text for number in range(count)
            for text in delivered(first + number, days * number / (count - 1), **more)]


def warned(number, day):
    return [line(day, number, f"warning: {number:05X}: tls fallback refused: relay={RELAY}, "
                 "nexthop=example.com, policy=secure, fallback=may, reason=nostarttls, rule=sasl")]


ROUTE = {"nexthop": "[relay.example.net]"}

# name -> the lines, and the destinations that have regressed
HISTORIES = {
    "fails after it was ready": (spread() + delivered(800, 11, good=False), ["example.com"]),
    "fails in the week in which it became ready": (
        spread() + delivered(800, 10, good=False), ["example.com"]),
    "fails too early": (spread(days=3) + delivered(800, 4, good=False), []),
    "too few before it failed": (spread(count=10) + delivered(800, 11, good=False), []),
    "failed first": (delivered(800, 0, good=False) + spread(first=2), []),
    "a warning, no failure": (spread() + warned(800, 11), []),
    "warnings do not make it ready": (
        spread(days=6, count=12) + warned(800, 6) + delivered(801, 12, good=False), []),
    "stuck": (spread() + stuck("example.com"), ["example.com"]),
    "stuck behind a route": (
        spread(**ROUTE, domain="example.com") + stuck("example.org"), ["[relay.example.net]"]),
    "stuck at a provider": (spread() + stuck("example.org"), []),
    "stuck where there is another nexthop": (
        spread(**ROUTE, domain="example.com") + spread(first=100, nexthop="example.net")
        + stuck("example.org"), []),
    "stuck, and known elsewhere": (
        spread(**ROUTE, domain="example.com") + stuck("example.org") + delivered(
            990, 12, nexthop="example.org", relay="mx.example.org[192.0.2.9]:25"), []),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_history(world, name, tmp_path):
    lines, regressed = HISTORIES[name]
    report = judged_alike(world, sorted(lines, key=lambda text: text[:20]), name, tmp_path)
    assert [row["destination"] for row in report["regressions"]] == regressed
    assert report["readiness"]


# What is not good input.

@pytest.mark.parametrize("source", ("mx1", "mx2"))
def test_replayed_log(world, source):
    """A copy of a log, under another name: nothing is double, and it is said."""
    before = world.counts("host <> 'marker'")
    repeated = "SELECT coalesce(sum(lines), 0) FROM input WHERE problem = 'was there already'"
    seen = world.database.value(repeated)
    world.append(REPLAYED, LOGS[source].read_bytes())
    world.flush(REPLAYED)
    assert world.counts("host <> 'marker'") == before
    records = sum(lines_of(source).values())
    assert world.database.value(repeated) - seen == records + 1     # and a marker


GOOD = "relay=mx.bad.test[127.0.0.9]:25, auth=Verified, level=secure"
JSON = '{"relay":"mx.bad.test[127.0.0.9]:25","level":"secure","auth":"Verified"}'
HEAD = "bad postfix/smtp[77]: 4B0001: "
WARNING = ("bad postfix/smtp[77]: warning: 4B0001: tls fallback: relay=mx.bad.test[127.0.0.9]:25, "
           "nexthop=bad.test, policy=secure, level=may, reason=mismatch, detail=x")
STATUS = ("to=<a@bad.test>, relay=mx.bad.test[127.0.0.9]:25, delay=1, delays=0/0/0/1, "
          "tls=secure, dsn=4.7.5, status=deferred (Server certificate not trusted)")
STAMP = time.strftime("%b %e %H:%M:%S ")

# name -> what follows the time stamp (bytes: the whole line), and why it is not used
DAMAGED = {
    "cut after the time stamp": ("", "no log line"),
    "cut in the program": ("bad postf", "no log line"),
    "cut in the process ID": ("bad postfix/smtp[7", "no log line"),
    "cut in the queue ID": ("bad postfix/smtp[77]: 4B0001", "cut"),
    "cut before the record": (HEAD + "tlsau", "cut"),
    "cut before a warning": ("bad postfix/smtp[77]: warning: 4B0001: tls fa", "cut"),
    "no record": (HEAD + "tlsaudit:", "no attributes"),
    "cut in half, json": (HEAD + "tlsaudit: " + JSON[:40], "JSON"),
    "cut in half, standard": (HEAD + "tlsaudit: " + GOOD[:17], "relay"),
    "cut in a level": (HEAD + "tlsaudit: " + GOOD[:-2], "level"),
    "cut in a warning": (WARNING[:WARNING.index(", reason")], "cut"),
    "cut in a status": (HEAD + STATUS[:60], "no attributes"),
    "two lines in one": (HEAD + "tlsaudit: " + JSON[:40] + STAMP + HEAD + "tlsaudit: " + JSON,
                         "JSON"),
    "second half of a line": (b"net, level=secure, auth=Verified", "no log line"),
    "null bytes": (b"\0" * 100, "no log line"),
    "not text": ((STAMP + HEAD + "tlsaudit: relay=mx").encode() + b"\xff\xfe[1]:x, level=may",
                 "relay"),
    "no number": (HEAD + "tlsaudit: " + GOOD + ", dsn=oh", "dsn"),
    "not a date": (HEAD + "tlsaudit: " + JSON[:-1] + ',"cert_expires":"never"}', "cert_expires"),
    "no such day": (b"Feb 30 10:00:00 " + (HEAD + "tlsaudit: " + GOOD).encode(), "time"),
    "next month": ((time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime(time.time() + 30 * 86400))
                    + HEAD + "tlsaudit: " + GOOD).encode(), "in the future"),
    "years ago": (("2001-01-01T00:00:00Z " + HEAD + "tlsaudit: " + GOOD).encode(), "too old"),
    "64 kB": (HEAD + "tlsaudit: relay=mx.bad.test[127.0.0.9]:25, level=secure, x=" + 65536 * "x",
              "too long"),
    "64 kB, json": (HEAD + 'tlsaudit: {"level":"secure","x":"' + 65536 * "x" + '"}', "too long"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_line(world, name):
    """Counted and shown, once, also when it comes again; and nothing stops."""
    text, why = DAMAGED[name]
    line = text if isinstance(text, bytes) else (STAMP + text).encode()
    before, events = world.rejected(), world.counts("host <> 'marker'")
    world.append(BAD, line + b"\n")
    world.flush(BAD)
    new = {key: times for key, times in world.rejected().items() if before.get(key) != times}
    assert [key[0] for key in new] == [why] and list(new.values()) == [1], new
    world.append(BAD, line + b"\n")
    world.flush(BAD)
    assert [key for key, times in world.rejected().items() if before.get(key) != times] == list(new)
    assert world.counts("host <> 'marker'") == events
    assert world.database.rows(f"SELECT * FROM input WHERE problem = 'rejected: {why}'")


NOT_DAMAGED = {
    "json": (HEAD + "tlsaudit: " + JSON, {"audit": 1}),
    "quotes and backslashes": (HEAD + "tlsaudit: " + GOOD + r", x=it's \\ 'so' \', y=$1 :z",
                               {"audit": 1}),
    "UTF-8": (HEAD + "tlsaudit: " + GOOD + ", x=\u00e4\u20ac", {"audit": 1}),
    "comma in a value": (HEAD + "tlsaudit: comment=a, b, " + GOOD, {"audit": 1}),
    "null byte": (HEAD + "tlsaudit: " + JSON.replace("mx.", "m\0."), {"audit": 1}),
    "lmtp": (HEAD.replace("smtp", "lmtp") + "tlsaudit: " + GOOD, {"audit": 1}),
    "other syslog_name": (HEAD.replace("postfix", "out/relay") + "tlsaudit: " + GOOD,
                          {"audit": 1}),
    "warning": (WARNING, {"fallback": 1}),
    "status of 3.11": (HEAD + STATUS, {"status": 1}),
    "another program": (HEAD.replace("smtp", "smtpd") + "tlsaudit: " + GOOD, {}),
    "a program without process ID": ("bad dovecot: 4B0001: tlsaudit: " + GOOD, {}),
    "another line": ("bad postfix/smtp[77]: connect to mx[127.0.0.9]:25: Connection refused", {}),
    "a reply that looks like a record": (
        HEAD + "host mx.bad.test[127.0.0.9] said: 450 4B0001: tlsaudit: " + GOOD, {}),
}


@pytest.mark.parametrize("name", NOT_DAMAGED)
def test_line_that_is_not_damaged(world, name):
    text, new = NOT_DAMAGED[name]
    before, rejected = world.counts("host <> 'marker'"), world.rejected()
    world.append(BAD, STAMP + text.replace("4B0001", f"4C{abs(hash(name)) % 10**6:06}") + "\n")
    world.flush(BAD)
    after = world.counts("host <> 'marker'")
    assert {kind: after[kind] - before.get(kind, 0) for kind in after
            if after[kind] != before.get(kind, 0)} == new
    assert world.rejected() == rejected


def test_values_come_unchanged(world):
    """Whatever is in them, on the way through a shell-like language and SQL."""
    value = r"""it's \ 'so' \', $(id) `id` %s :z {"} """ + "\u00e4\u20ac;"
    world.append(BAD, f"{STAMP}bad postfix/smtp[77]: 4D0001: tlsaudit: {GOOD}, x={value}\n")
    world.flush(BAD)
    row, = world.database.rows("SELECT attrs FROM event WHERE queue_id = '4D0001'")
    assert row["attrs"]["x"] == value


@pytest.mark.parametrize("hours", (-24, 24))
def test_clock_that_is_a_day_off(world, hours):
    """Counted where it says it belongs, and shown."""
    when = time.gmtime(time.time() + hours * 3600)
    world.append(BAD, time.strftime("%Y-%m-%dT%H:%M:%SZ ", when)
                 + f"clock{hours} postfix/smtp[77]: 4E0001: tlsaudit: {GOOD}\n")
    world.flush(BAD)
    row, = world.database.rows(f"SELECT problem, lines FROM input WHERE host = 'clock{hours}'")
    assert row["lines"] == 1
    assert row["problem"].startswith("clock is " + ("ahead" if hours > 0 else "behind"))


def test_time_stamps_without_year_and_zone(world):
    """The latest one that is not in the future; the zone is the host's."""
    world.database.sql("INSERT INTO tls_audit.zone VALUES ('tokyo', 'Asia/Tokyo')")
    rows = {
        ("Feb 29 12:00:00", "2026-03-01", "x"): "2024-02-29T12:00:00+00:00",
        ("Dec 31 23:59:59", "2027-01-01", "x"): "2026-12-31T23:59:59+00:00",
        ("Jan  1 00:00:10", "2026-12-31T23:59:59Z", "x"): "2027-01-01T00:00:10+00:00",
        ("Nov  2 12:00:00", "2026-11-01", "x"): "2025-11-02T12:00:00+00:00",
        ("Nov  1 12:00:00", "2026-11-02", "tokyo"): "2026-11-01T03:00:00+00:00",
        ("2026-11-01T12:00:00+09:00", "2026-11-02", "x"): "2026-11-01T03:00:00+00:00",
    }
    for (stamp, read, host), when in rows.items():
        assert world.database.rows(
            f"SELECT parse_time('{stamp}', '{read}', '{host}') AS t", "postgres") == [{"t": when}]


def test_syslog_over_the_network(world):
    """A datagram a line, as rsyslog and syslogd(8) elsewhere send them."""
    before = world.counts()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for text in (f"<22>{STAMP}{HEAD}tlsaudit: {GOOD}".replace("bad ", "far "),
                     f"<22>{STAMP}{WARNING}".replace("bad ", "far "),
                     f"<22>{STAMP}{HEAD}tlsaudit: {JSON[:30]}".replace("bad ", "far "),
                     "<22>" + world.marker()):
            sender.sendto(text.encode(), ("127.0.0.1", UDP_PORT))
    world.wait_for_marker(text)
    assert world.counts("host = 'far'") == {"audit": 1, "fallback": 1}
    after = world.counts()
    assert after["audit"] - before["audit"] == 2 and after["fallback"] - before["fallback"] == 1
    assert ("JSON", "far") in {(row["why"], row["host"]) for row in world.database.rows(
        "SELECT why, host FROM rejected")}


def test_rsyslog_is_killed(world):
    """At any moment: what it had read is not lost, and does not count twice."""
    lines = [f"{STAMP}large postfix/smtp[{number % 40}]: 5F{number:06X}: tlsaudit: {GOOD}\n"
             for number in range(1200)]
    stored = "SELECT count(*) FROM event WHERE host = 'large'"
    world.rsyslog.stop()                # or it would read all other logs again, too
    world.rsyslog.start()
    for part in range(4):
        world.append(LARGE, "".join(lines[part * 300:part * 300 + 300]))
        wait_for(lambda: world.database.value(stored) > part * 300, "beginning of a part")
        world.rsyslog.kill()
        world.rsyslog.start()
    world.flush(LARGE)
    assert world.database.value(stored) == len(lines)


# The administrator.

def test_who_may_do_what(world):
    for user, statement in (("rsyslog", "SELECT * FROM tls_audit.event"),
                            ("rsyslog", "INSERT INTO tls_audit.zone VALUES ('a', 'UTC')"),
                            ("reader", "SELECT tls_audit.load(now(), 'x', '{}')"),
                            ("reader", "DELETE FROM tls_audit.event"),
                            ("reader", "SELECT tls_audit.maintain()")):
        with pytest.raises(AssertionError, match="permission denied"):
            world.database.sql(statement, user)


def test_every_view_can_be_read(world):
    """By the reader, who has no other right."""
    views = world.database.rows("SELECT viewname FROM pg_views WHERE schemaname = 'tls_audit'")
    assert len(views) >= 8
    for view in views:
        world.database.rows(f"SELECT * FROM {view['viewname']} LIMIT 1")


def test_retention(world):
    """Days that are too old go, as a whole; tomorrow's is there."""
    world.append(BAD, f"2026-01-02T03:04:05Z {HEAD}tlsaudit: {GOOD}\n")
    world.flush(BAD)
    events = world.database.value("SELECT count(*) FROM event")
    gone = world.database.rows("SELECT * FROM maintain('300 days')", "postgres")
    assert gone == [{"maintain": "event_20260102"}]
    assert world.database.value("SELECT count(*) FROM event") == events - 1
    tomorrow = time.strftime("event_%Y%m%d", time.gmtime(time.time() + 86400))
    assert world.database.value(f"SELECT to_regclass('tls_audit.{tomorrow}') IS NOT NULL")


def test_installing_again_keeps_the_data(world):
    before = world.counts(), world.rejected()
    world.database.install()
    assert (world.counts(), world.rejected()) == before
    test_every_view_can_be_read(world)


def test_installed_with_the_documentation():
    """As the list of files says that `make install' and `postfix set-permissions' use."""
    tree = subprocess.run(["sh", TOP / "ci/prepare"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()
    files = Path("/etc/postfix/postfix-files").read_text()
    for path in SHIPPED.iterdir():
        assert f"$readme_directory/tls-audit.{path.name}:f:" in files, path.name
        assert Path(tree, "README_FILES", f"tls-audit.{path.name}").read_bytes() \
            == path.read_bytes()
