"""Verdicts that an administrator may act on: a scenario for each way to be wrong."""

import os
import re
import subprocess
import time

import pytest

from test_posttls_audit import (FALLBACK, OK, PROGRAM, RELAY, STAMP, audit, environment, report,
                                run, warning)

DAY = 86400
START = 1793491200
GOOD = {"level": "secure", "auth": "Verified", "protocol": "TLSv1.3"}
BAD = {"level": "encrypt", "policy": "secure", "auth": "Trusted", "reason": "mismatch"}
OPEN = {"level": "may", "auth": "Trusted", "attainable": "secure"}


def stamp(days, host="mx1"):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime(START + int(days * DAY))) + host


def spread(count, days, line):
    """Lines from one to the last of some days."""
    return [line(number, days * number / (count - 1)) for number in range(count)]


def delivered(number, days, host="mx1", **attrs):
    return audit(queue_id=f"4D{number:04d}", pid=number + 1, stamp=stamp(days, host), **attrs)


def recipient(number, days, domain, dsn="2.0.0", reply="250 Ok", relay=RELAY):
    """A delivery status line of Postfix 3.10."""
    word = "sent" if dsn.startswith("2") else "deferred"
    return (f"{stamp(days)} postfix/smtp[{number + 1}]: 4D{number:04d}: to=<user@{domain}>,"
            f" relay={relay}, delay=1, delays=0/0/0/1, dsn={dsn}, status={word} ({reply})\n")


def stuck(domain, count=20, first=100):
    return [recipient(first + number, 11 + number / DAY, domain, "4.7.5",
                      "Server certificate not verified") for number in range(count)]


def in_order(*parts):
    return "".join(sorted((line for part in parts for line in part), key=lambda line: line[:20]))


def row_of(result, destination):
    row, = [row for row in result["readiness"] if row["destination"] == destination]
    return row


def active(text, *args):
    """Policy table entries that are not comments."""
    lines = run("-P", *args, text=text).stdout.decode().splitlines()
    return [line for line in lines if line and line[0] != "#"]


@pytest.mark.parametrize("nexthop", [{"nexthop": "example.com"}, {}])
def test_stuck_mail_is_not_ready(nexthop):
    sent = spread(30, 10, lambda n, days: delivered(n, days, **GOOD, **nexthop)
                  + recipient(n, days, "example.com"))
    text = "".join(sent + stuck("example.com"))
    assert row_of(report(text="".join(sent)), "example.com")["verdict"] == "enforce"
    result = report("-x", text=text, status=FALLBACK)
    row = row_of(result, "example.com")
    assert (row["verdict"], row["deliveries"], row["verified"], row["reason"]) \
        == ("mixed", 50, 30, "not-verified")
    assert [(row["destination"], row["relay"], row["recipients"]) for row in result["failures"]] \
        == [("example.com", RELAY, 20)]
    assert [row["destination"] for row in result["regressions"]] == ["example.com"]
    assert active(text) == []


ROUTE = {"nexthop": "[relay.example.net]"}


def routed(domain, stuck_domain, nexthop=ROUTE):
    """Mail of one domain was delivered by way of a nexthop, mail of another one is stuck."""
    return "".join(spread(30, 10, lambda n, days: delivered(n, days, **GOOD, **nexthop)
                          + recipient(n, days, domain)) + stuck(stuck_domain))


@pytest.mark.parametrize("stuck_domain", ["example.com", "example.org"])
def test_stuck_mail_of_a_route(stuck_domain):
    """With relayhost or transport_maps, the nexthop is not the domain of the recipient."""
    text = routed("example.com", stuck_domain)
    result = report(text=text)
    row = row_of(result, "[relay.example.net]")
    assert (row["verdict"], row["deliveries"], row["verified"], row["reason"], row["why"]) \
        == ("mixed", 50, 30, "not-verified", "20 not verified: not-verified")
    assert [row["destination"] for row in result["regressions"]] == ["[relay.example.net]"]
    assert row_of(result, stuck_domain)["source"] == "recipient"
    assert active(text) == []


def test_stuck_mail_beside_a_route():
    """What may be about something else is not held against a nexthop."""
    neighbor = spread(30, 10, lambda n, days: delivered(
        n + 50, days, **GOOD, nexthop="example.net") + recipient(n + 50, days, "example.net"))
    for text, row in (
            # Two domains at one hoster's server.
            (routed("example.com", "example.org", {"nexthop": "example.com"}), "example.com"),
            # The server has mail for another nexthop.
            ("".join(sorted([*neighbor, routed("example.com", "example.org")],
                            key=lambda line: line[:20])), "[relay.example.net]"),
            # That domain has audit lines of its own.
            (routed("example.com", "example.org") + delivered(
                60, 10, **GOOD, nexthop="example.org"
            ).replace(RELAY, "mx.example.org[192.0.2.9]:25"), "[relay.example.net]")):
        assert row_of(report(text=text), row)["verdict"] == "enforce"


def test_only_stuck_mail():
    row = row_of(report("-x", text="".join(stuck("example.com")), status=FALLBACK), "example.com")
    assert (row["verdict"], row["deliveries"], row["verified"]) == ("broken", 20, 0)


def test_two_domains_at_one_relay():
    """Template `standard`: a warning is about the domain of its own message."""
    good = spread(40, 10, lambda n, days: delivered(n, days, **GOOD)
                  + recipient(n, days, "one.example"))
    bad = [warning(queue_id=f"4D{n:04d}", pid=n + 1, nexthop="two.example")
           .replace(STAMP, stamp(11))
           + delivered(n, 11, level="encrypt", policy="secure", auth="Trusted")
           + recipient(n, 11, "two.example") for n in range(100, 105)]
    text = "".join(good + bad)
    rows = {row["destination"]: (row["verdict"], row["deliveries"], row["verified"], row["source"])
            for row in report(text=text)["readiness"]}
    assert rows == {"one.example": ("enforce", 40, 40, "recipient"),
                    "two.example": ("broken", 5, 0, "nexthop")}
    assert active(text) == ["two.example\tsecure fallback=encrypt"]


def test_what_cannot_be_told_apart_is_the_relays():
    text = "".join(spread(40, 10, lambda n, days: delivered(n, days, **GOOD)
                          + recipient(n, days, "one.example") + recipient(n, days, "two.example")))
    row, = report(text=text)["readiness"]
    assert (row["destination"], row["source"]) == ("mx.example.com", "relay")


@pytest.mark.parametrize("attrs", [GOOD, OPEN, {**BAD}])
@pytest.mark.parametrize("domain", [None, "rcpt.example"])
def test_a_guessed_key_is_never_active(attrs, domain):
    def line(number, days, **more):
        text = delivered(number, days, **attrs, **more)
        return text + recipient(number, days, domain) if domain else text

    assert active("".join(spread(30, 10, line))) == []
    known = "".join(spread(30, 10, lambda n, days: line(n, days, nexthop="sure.example")))
    assert [entry.split("\t")[0] for entry in active(known)] == ["sure.example"]


def test_time_counts():
    minute = spread(20, 60 / DAY, lambda n, days: delivered(n, 80 + days, **GOOD,
                                                            nexthop="minute.example"))
    old = spread(30, 10, lambda n, days: delivered(n, days, **GOOD, nexthop="old.example"))
    long = spread(20, 8, lambda n, days: delivered(n, 82 + days, **GOOD, nexthop="long.example"))
    text = in_order(minute, old, long)
    result = report(text=text)
    assert {row["destination"]: (row["verdict"], row["why"]) for row in result["readiness"]} == {
        "minute.example": ("too few", "less than 7 days"),
        "old.example": ("too few", "last seen 80 days ago"),
        "long.example": ("enforce", None)}
    row = row_of(result, "long.example")
    assert row["first_verified"] == stamp(82).split()[0]
    assert row["last_verified"] == stamp(90).split()[0]
    assert active(text) == ["long.example\tsecure fallback=none"]
    assert row_of(report("-M", "1s", text=text), "minute.example")["verdict"] == "enforce"
    assert row_of(report("-M", "9d", text=text), "long.example")["why"] == "less than 9 days"
    shown = run(text=text).stdout.decode()
    assert "first verified" in shown and "last verified" in shown


@pytest.mark.parametrize("summaries", [False, True])
def test_hosts_that_disagree(summaries, tmp_path):
    name = {"nexthop": "example.com"}
    first = spread(30, 10, lambda n, days: delivered(n, days, "mx1", **GOOD, **name))
    other = spread(30, 10, lambda n, days: delivered(n, days, "mx2", level="verify",
                                                     auth="Verified", **name))
    name = {"nexthop": "half.example"}
    half = (spread(30, 10, lambda n, days: delivered(n, days, "mx1", **GOOD, **name))
            + spread(10, 9, lambda n, days: delivered(n, days, "mx2", **BAD, **name)))
    lines = in_order(first, other, half).splitlines(keepends=True)
    paths = [tmp_path / "mx1", tmp_path / "mx2"]
    for path in paths:
        path.write_text("".join(line for line in lines if f"Z {path.name} " in line))
    if summaries:
        for path in paths:
            run("-S", tmp_path / f"sum-{path.name}", path)
        paths = [tmp_path / f"sum-{path.name}" for path in paths]
    result = report(*paths)
    assert result == report(text="".join(lines))
    rows = {(row["destination"], row["policy"]): row for row in result["readiness"]}
    assert {key: (row["verdict"], row["hosts"], row["failing_hosts"], row["why"])
            for key, row in rows.items()} == {
        ("example.com", "secure"): ("enforce", "mx1", None, "policy of mx1"),
        ("example.com", "verify"): ("enforce", "mx2", None, "policy of mx2"),
        ("half.example", "secure"):
            ("mixed", "mx1 mx2", "mx2", "10 not verified: mismatch (on mx2)")}
    assert active("".join(lines)) == ["half.example\tsecure fallback=encrypt"]


def test_mixed_says_why():
    text = in_order(spread(30, 10, lambda n, days: delivered(n, days, **GOOD,
                                                             nexthop="example.com")),
                    [warning().replace(STAMP, stamp(9))])
    row = row_of(report(text=text), "example.com")
    assert (row["verdict"], row["deliveries"], row["verified"], row["why"]) \
        == ("mixed", 30, 30, "warned: mismatch")
    assert "warned: mismatch" in run(text=text).stdout.decode()


def test_solaris_prefix():
    text = "".join(spread(20, 10, lambda n, days: delivered(n, days, **GOOD,
                                                            nexthop="example.com")))
    solaris = text.replace("]: 4D", "]: [ID 197553 mail.info] 4D")
    assert solaris != text and report(text=solaris) == report(text=text)


LONG = "a-name-that-is-quite-long." * 4 + "example"


@pytest.mark.parametrize("columns", [None, 70, 80, 132, 400])
def test_tables_fit(columns):
    relay = f"mx.{LONG}[2001:db8:1234:5678:9abc:def0:1234:5678]:25"
    text = "".join(spread(1234, 10, lambda n, days: delivered(n, days, nexthop=LONG, relay=relay,
                                                              **BAD)))
    env = environment()
    del env["COLUMNS"]
    if columns:
        env["COLUMNS"] = str(columns)
    done = subprocess.run([PROGRAM], input=text.encode(), env=env, capture_output=True, check=True)
    shown = done.stdout.decode()
    assert "1234 not verified: mismatch" in shown
    assert len(re.findall(r"\b1234\b", shown)) >= 5
    assert "2026-11-11 00:00:00" in shown
    if columns == 400:
        assert LONG in shown and relay in shown
    else:
        assert max(map(len, shown.splitlines())) <= (columns or 80)
        assert LONG not in shown and "a-name-that-is-quite-" in shown and "..." in shown


def test_version_and_library_path():
    env = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    for options in (["-V"], ["--help"], ["-h"]):
        done = subprocess.run([PROGRAM, *options], env=env, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (OK, b"") and b"posttls-audit" in done.stdout
