"""Tests of posttls-audit(1).

The program is $POSTTLS_AUDIT, default that of the build tree (ci/prepare). Golden
reports are in the source directory, where upstream's `make tests' finds them.
"""

import bz2
import collections
import gzip
import json
import os
import pathlib
import pty
import random
import re
import subprocess
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
SOURCE = TOP / "postfix" / "src" / "posttls-audit"
MANPAGE = SOURCE / "posttls-audit.c"
MATRIX_LOG = HERE / "matrix.log.gz"

STAMP = "2026-11-21T18:31:00Z mx1"
RELAY = "mx.example.com[192.0.2.1]:25"

OK, FALLBACK, ERROR = 0, 1, 2


def find_program():
    named = os.environ.get("POSTTLS_AUDIT")
    if named:
        return pathlib.Path(named).resolve()
    tree = subprocess.run(["sh", TOP / "ci/prepare"], stdout=subprocess.PIPE,
                          text=True, check=True).stdout.strip()
    program = pathlib.Path(tree, "bin/posttls-audit")
    assert program.is_file(), "no posttls-audit; run `make', or set POSTTLS_AUDIT"
    return program


PROGRAM = find_program()


def environment():
    env = dict(os.environ, TZ="UTC", COLUMNS="250")
    for parent in PROGRAM.parents:
        if (parent / "lib" / "libpostfix-util.so").is_file():
            env["LD_LIBRARY_PATH"] = str(parent / "lib")
            break
    return env


def run(*args, text=b"", status=OK, timeout=60):
    """Output of the program, given text on standard input."""
    if isinstance(text, str):
        text = text.encode()
    done = subprocess.run([PROGRAM, *map(str, args)], input=text, timeout=timeout,
                          capture_output=True, env=environment(), check=False)
    assert done.returncode == status, done.stderr.decode()
    return done


def report(*args, **kwargs):
    """The JSON report."""
    return json.loads(run("-j", *args, **kwargs).stdout)


def lines_of(result):
    return {row["kind"]: row["lines"] for row in result["lines"]}


def table(result, name, *keys, value):
    """A JSON table as a dictionary."""
    return {tuple(row[key] for key in keys): row[value] for row in result[name]}


def audit(queue_id="4A01", stamp=STAMP, pid=1, **attrs):
    """An audit line."""
    attrs = {"relay": RELAY, **attrs}
    pairs = ", ".join(f"{name}={value}" for name, value in attrs.items())
    return f"{stamp} postfix/smtp[{pid}]: {queue_id}: tlsaudit: {pairs}\n"


def status(tls, queue_id="4A01", domain="example.com", dsn="2.0.0", pid=1,
           reply="250 Ok", relay=RELAY):
    """A delivery status line of Postfix 3.11."""
    word = "sent" if dsn.startswith("2") else "deferred"
    return (f"{STAMP} postfix/smtp[{pid}]: {queue_id}: to=<user@{domain}>, relay={relay},"
            f" delay=1, delays=0.1/0.1/0.4/0.4, tls={tls}, dsn={dsn}, status={word} ({reply})\n")


def warning(queue_id="4A01", pid=1, **attrs):
    """A fallback warning."""
    attrs = {"relay": RELAY, "nexthop": "example.com", "policy": "secure",
             "level": "encrypt", "reason": "mismatch", "detail": "x", **attrs}
    pairs = ", ".join(f"{name}={value}" for name, value in attrs.items())
    return f"{STAMP} postfix/smtp[{pid}]: warning: {queue_id}: tls fallback: {pairs}\n"


@pytest.fixture(scope="module", name="generated")
def make_generated(tmp_path_factory):
    """A small log of realistic mix."""
    path = tmp_path_factory.mktemp("log") / "generated.log"
    subprocess.run([HERE / "loggen", "--size", "3", "--destinations", "300", path],
                   check=True)
    return path


# Text, JSON and Prometheus tell the same story.

def parse_text(text):
    """Tables of a text report: {title: [row, ...]}, columns by their place."""
    tables = {}
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line and set(line) == {"-"}:
            rows = tables[lines[number - 1]] = []
            for row in lines[number + 1:]:
                if not row:
                    break
                if row.startswith("    "):
                    rows.append(re.split(r"  +", row.strip()))
    return tables


TEXT_COLUMNS = {
    # title: JSON member, and the members of a row, in the order of columns
    "SMTP TLS connection stats (deliveries)": ("levels", ("deliveries", "state")),
    "SMTP TLS policy diagnostics (recipients)":
        ("policy_diagnostics", ("recipients", "state")),
    "Readiness of destinations with an authenticated policy":
        ("verdicts", ("destinations", "verdict")),
    "Readiness by destination":
        ("readiness", ("verdict", "deliveries", "verified", "warnings", "policy",
                       "destination", "source", "why")),
    "TLS fallbacks":
        ("fallback_reasons", ("deliveries", "warnings", "policy", "level", "reason")),
    "TLS fallbacks by destination":
        ("fallbacks", ("deliveries", "warnings", "nexthop", "relay", "policy",
                       "level", "reason")),
    "TLS fallbacks refused":
        ("fallbacks_refused", ("warnings", "rule", "reason", "policy", "fallback")),
    "Recipients not delivered because of TLS":
        ("failure_reasons", ("recipients", "reason")),
    "Recipients not delivered, by destination":
        ("failures", ("recipients", "reason", "destination", "relay")),
    "Destinations that could be enforced, and no longer can":
        ("regressions", ("destination", "policy", "reason")),
    "Destinations without an authenticated policy":
        ("attainable_verdicts", ("destinations", "verdict")),
    "Attainable by destination":
        ("attainable", ("verdict", "deliveries", "attainable", "secure", "policy",
                        "destination", "source", "why")),
    "Server certificates that expire within 14 days":
        ("certificates", (None, "destination", "relay")),
    "Deliveries by day (UTC)": ("history", ("day", "deliveries", "state")),
    "TLS fallbacks by day (UTC)":
        ("fallback_history", ("day", "deliveries", "warnings", "policy", "level", "reason")),
    "Server authentication":
        ("auth", ("deliveries", None, "connections", None, "auth")),
    "TLS protocols": ("protocols", ("deliveries", None, "connections", None, "protocol")),
    "TLS ciphers": ("ciphers", ("deliveries", None, "connections", None, "cipher")),
    "TLS key exchange":
        ("key_exchanges", ("deliveries", None, "connections", None, "key_exchange")),
    "Protection of recorded traffic":
        ("properties", ("deliveries", None, "connections", None, "property", "answer")),
    "Changed server certificates and keys": ("digest_changes", ("relay", "kind")),
    "Weak spots": ("weak_spots", ("deliveries", "connections", "relay", "weakness")),
    "TLS connections by server":
        ("relays", ("verified", "trusted", "untrusted", "anonymous", "relay")),
    "Lines read": ("lines", ("lines", "description")),
    "Problems with the input": ("notes", ("file", "problem")),
    "Time of the first and last line used": ("period", ("edge",)),
}
NO_HEADING = {"levels", "policy_diagnostics", "verdicts", "attainable_verdicts", "lines",
              "period", "notes"}
HISTORY = {"history", "fallback_history"}


@pytest.mark.parametrize("log", ["report.in", "feature.in", "upstream.in",
                                 "matrix", "generated"])
def test_round_trip(log, generated):
    path = {"matrix": MATRIX_LOG, "generated": generated}.get(log, SOURCE / log)
    result = report(path)
    texts = parse_text(run("-n", 0, path).stdout.decode())
    seen = set()
    for title, rows in texts.items():
        member, columns = TEXT_COLUMNS[title]
        seen.add(member)
        if member == "lines":
            result[member] = [row for row in result[member] if row["lines"]]
        if rows == [["none"]]:
            assert result[member] == []
            continue
        if member not in NO_HEADING:
            rows = [row for row in rows[1:]] if rows[0][0] != "none" else []
        assert len(rows) == len(result[member]), title
        for row, expected in zip(rows, result[member]):
            for cell, name in zip(row, columns):
                if name:
                    want = expected[name]
                    assert cell == ("-" if want is None else str(want)), (title, row)
    for member, rows in result.items():
        nothing = not rows or member.endswith("verdicts") and not any(
            row["destinations"] for row in rows)
        if member in HISTORY:  # not for a single day
            nothing = len({row["day"] for row in rows}) < 2
        assert member in seen or member == "omitted" or nothing, member


def metrics_of(text):
    """{(metric, label value, ...): number}"""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)\{(.*)\} (\d+)", line).groups()
            values = re.findall(r'\w+="((?:[^"\\]|\\.)*)"', labels)
            assert (name, *values) not in found
            found[(name, *values)] = int(value)
    return found


@pytest.mark.parametrize("log", ["report.in", "feature.in", "upstream.in", "empty",
                                 "matrix", "generated"])
def test_metrics(log, generated):
    path = {"matrix": MATRIX_LOG, "generated": generated,
            "empty": "/dev/null"}.get(log, SOURCE / log)
    text = run("-p", path).stdout
    check = subprocess.run(["promtool", "check", "metrics"], input=text,
                           capture_output=True, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")
    metrics = metrics_of(text.decode())
    result = report(path)
    for row in result["levels"]:
        assert metrics["posttls_audit_deliveries", row["state"]] == row["deliveries"]
    for row in result["fallback_reasons"]:
        key = row["policy"], row["level"], row["reason"]
        assert metrics["posttls_audit_fallback_deliveries", *key] == row["deliveries"]
        assert metrics["posttls_audit_fallback_warnings", *key] == row["warnings"]
    for row in result["verdicts"]:
        assert metrics["posttls_audit_destinations", row["verdict"]] == row["destinations"]


def test_metrics_have_no_names_of_others(generated):
    text = run("-p", generated).stdout.decode()
    assert "example" not in text and "2001:db8" not in text


def test_metrics_cardinality_is_bounded():
    text = "".join(audit(level=f"level{n}", auth=f"auth{n}", protocol=f"p{n}",
                         cipher=f"c{n}", kex=f"k{n}", reason=f"r{n}", policy=f"q{n}")
                   for n in range(2000))
    metrics = metrics_of(run("-p", text=text).stdout.decode())
    assert len(metrics) < 2000
    assert sum(value for key, value in metrics.items()
               if key[0] == "posttls_audit_deliveries") == 2000
    assert any("(other)" in key for key in metrics)


# The program against an independent count.

def recount(lines):
    """Count audit lines, with regular expressions."""
    levels = collections.Counter()
    auths = collections.Counter()
    fallbacks = collections.Counter()
    dests = collections.defaultdict(lambda: [0, 0])
    for line in lines:
        found = re.search(r"/[sl]mtp\[\d+\]: \w+: tlsaudit: (.*)", line)
        if not found:
            continue
        attrs = dict(re.findall(r"(\w+)=(.*?)(?=, \w+=|$)", found.group(1)))
        policy = attrs.get("policy")
        levels[(f"{policy}:" if policy else "") + attrs["level"]] += 1
        auths[attrs["auth"]] += 1
        if policy:
            fallbacks[policy, attrs["level"], attrs["reason"]] += 1
        if (policy or attrs["level"]) in ("dane", "dane-only", "fingerprint",
                                          "verify", "secure"):
            dest = dests[attrs["nexthop"]]
            dest[0] += 1
            dest[1] += policy is None
    return levels, auths, fallbacks, dests


def recount_routes(lines):
    """Nexthops by server, and those that have recipients in another domain."""
    nexthops = collections.defaultdict(set)
    audited = {}
    routes = set()
    for line in lines:
        found = re.search(r"/[sl]mtp\[\d+\]: (\w+): tlsaudit: relay=(.*?), .*, nexthop=(.*?),", line)
        if found:
            nexthops[found[2]].add(found[3])
            audited[found[1], found[2]] = found[3]
    for line in lines:
        found = re.search(r"/[sl]mtp\[\d+\]: (\w+): to=<.*?@(.*?)>, .*?relay=(.*?), ", line)
        if found and audited.get((found[1], found[3]), found[2]) != found[2]:
            routes.add(audited[found[1], found[3]])
    return nexthops, routes


@pytest.mark.parametrize("log", ["matrix", "generated"])
def test_recount(log, generated):
    path = {"matrix": MATRIX_LOG, "generated": generated}[log]
    with (gzip.open(path, "rt") if log == "matrix" else open(path, encoding="ascii")) as file:
        lines = list(file)
    levels, auths, fallbacks, dests = recount(lines)
    result = report(path)
    assert lines_of(result)["not_understood"] == 0
    assert sum(levels.values()) == lines_of(result)["audit"] > 100
    assert {row["state"]: row["deliveries"] for row in result["levels"]} == levels
    assert {row["auth"]: row["deliveries"] for row in result["auth"]
            if row["deliveries"]} == auths
    assert {key: count for key, count in table(
        result, "fallback_reasons", "policy", "level", "reason",
        value="deliveries").items() if count} == fallbacks
    # Recipients who were not delivered because of TLS count, too.
    failed = collections.Counter()
    nexthops, routes = recount_routes(lines)
    for row in result["failures"]:
        failed[row["destination"]] += row["recipients"]
        if not any(row["destination"] in names for names in nexthops.values()) \
                and len(nexthops[row["relay"]]) == 1:
            failed.update({name: row["recipients"] for name in nexthops[row["relay"]] & routes})
    audited = {row["destination"]: [row["deliveries"] - failed[row["destination"]],
                                    row["verified"]] for row in result["readiness"]}
    assert {name: counts for name, counts in audited.items() if counts[0]} == dests
    warnings = sum(" tls fallback: " in line for line in lines)
    assert sum(row["warnings"] for row in result["fallbacks"]) == warnings > 0
    assert sum(lines_of(result)[kind] for kind in (
        "audit", "fallback", "fallback_refused", "delivery_status", "tls_connection",
        "client_other", "other_program", "not_understood")) == len(lines)


# What Postfix 3.11 logs.

FEATURES = [line.split(", tls=")[1].split(",")[0]
            for line in (SOURCE / "feature.in").read_text().splitlines()]


@pytest.mark.parametrize("tls", FEATURES)
def test_feature(tls):
    level, *others = [word.strip("()") for word in tls.split("/")]
    result = report(text=status(tls))
    assert table(result, "levels", "state", value="deliveries") == {(level,): 1}
    assert table(result, "policy_diagnostics", "state", value="recipients") \
        == {(word,): 1 for word in others}


def test_display_of_the_discussion():
    """The summary that pflogsumm's author proposed, from lines that make it."""
    stats = {"none": 15, "may": 14, "may:none": 16, "may?": 14, "encrypt": 21,
             "fingerprint": 13, "dane": 20, "dane:encrypt": 22, "dane:halfdane": 10,
             "dane:may": 14, "dane?": 14, "secure": 14, "verify": 13}
    diagnostics = {"!requiretls:noencryption": 25, "requiretls:none": 22,
                   "!requiretls:nostarttls": 20, "requiretls": 19,
                   "!requiretls:none": 17, "requiretls?": 16,
                   "requiretls:nocertmatch": 15, "requiretls:nostarttls": 14,
                   "!requiretls:nocertmatch": 13}
    text = "".join(status(state) * count for state, count in stats.items())
    text += "".join(status(f"may/{state}") * count for state, count in diagnostics.items())
    stats["may"] += sum(diagnostics.values())
    tables = parse_text(run(text=text).stdout.decode())
    assert {tuple(row) for row in tables["SMTP TLS connection stats (deliveries)"]} \
        == {(str(count), state) for state, count in stats.items()}
    assert tables["SMTP TLS policy diagnostics (recipients)"] \
        == [[str(count), state] for state, count in diagnostics.items()]


@pytest.mark.parametrize("tls", ["", "!", "?", ":", "may:", ":none", "may//x", "/may",
                                 "May", "may none", "may/", "()", "(may"])
def test_bad_feature(tls):
    result = report(text=status(tls))
    # Nothing after the last "/" is no feature, but not a bad one.
    assert lines_of(result)["not_understood"] == (tls != "may/")


# One delivery, several lines.

def test_status_repeats_audit():
    text = (warning() + audit(level="encrypt", policy="secure", nexthop="example.com",
                              auth="Trusted", reason="mismatch")
            + status("secure:encrypt") * 3)
    result = report(text=text)
    assert table(result, "levels", "state", value="deliveries") == {("secure:encrypt",): 1}
    assert lines_of(result)["status_repeats"] == 3
    assert [(row["deliveries"], row["warnings"]) for row in result["fallbacks"]] == [(1, 1)]


def test_status_before_audit():
    """A rejected recipient, or LMTP's reply for a recipient but the last."""
    text = (warning() + status("secure:encrypt", dsn="5.1.1") * 2
            + audit(level="encrypt", policy="secure", nexthop="example.com",
                    auth="Trusted", reason="mismatch")
            + status("secure:encrypt"))
    result = report(text=text)
    assert table(result, "levels", "state", value="deliveries") == {("secure:encrypt",): 1}
    assert lines_of(result)["status_repeats"] == 3
    assert [(row["deliveries"], row["warnings"]) for row in result["fallbacks"]] == [(1, 1)]
    row, = result["readiness"]
    assert (row["deliveries"], row["verified"]) == (1, 0)


@pytest.mark.parametrize("change", [{"queue_id": "4A02"}, {"pid": 2},
                                    {"relay": "mx2.example.com[192.0.2.2]:25"}])
def test_status_is_another_delivery(change):
    one = audit(level="secure", nexthop="example.com", auth="Verified")
    other = status("secure", **change)
    for text in (one + other, other + one):
        assert table(report(text=text), "levels", "state", value="deliveries") \
            == {("secure",): 2}


def test_missing_attributes_come_from_the_warning():
    """That is the warning for the same message. Another message may be for another domain."""
    text = (warning() + audit(level="encrypt", policy="secure", auth="Trusted")
            + audit(queue_id="4A02", pid=7, level="encrypt", policy="secure", auth="Trusted"))
    assert {(row["nexthop"], row["reason"]): (row["deliveries"], row["warnings"])
            for row in report(text=text)["fallbacks"]} \
        == {("example.com", "mismatch"): (1, 1), ("mx.example.com", "-"): (1, 0)}


def test_missing_attributes_of_another_policy_stay_missing():
    text = warning() + audit(queue_id="4A02", pid=7, level="may", policy="verify", auth="Trusted")
    rows = table(report(text=text), "fallbacks", "nexthop", "policy", "reason",
                 value="deliveries")
    assert rows == {("example.com", "secure", "mismatch"): 0,
                    ("mx.example.com", "verify", "-"): 1}


# Template `standard` has no nexthop.

STANDARD = audit(auth="Verified", level="secure", protocol="TLSv1.3")


def sent(domain, queue_id="4A01"):
    """A delivery status line of Postfix 3.10."""
    return status("x", queue_id=queue_id, domain=domain).replace(" tls=x,", "")


@pytest.mark.parametrize("text, destination, source", [
    (STANDARD, "mx.example.com", "relay"),
    (STANDARD + sent("example.com"), "example.com", "recipient"),
    (STANDARD + sent("Example.COM"), "example.com", "recipient"),
    (STANDARD + sent("a.example") + sent("b.example"), "mx.example.com", "relay"),
    (STANDARD + sent("a.example", queue_id="4A02"), "mx.example.com", "relay"),
    # What a warning says is certain, but for the same message only.
    (warning(level="may", policy="may", nexthop="[mx.example.com]") + STANDARD
     + sent("a.example"), "[mx.example.com]", "nexthop"),
    (STANDARD + sent("a.example")
     + warning(queue_id="4A03", level="may", policy="may", nexthop="[mx.example.com]"),
     "a.example", "recipient"),
])
def test_destination_without_nexthop(text, destination, source):
    row, = report(text=text)["readiness"]
    assert (row["destination"], row["source"], row["deliveries"], row["verified"]) \
        == (destination, source, 1, 1)


# Readiness.

def verdicts(text, *args):
    """Time is another test's business."""
    rows = report("-M", 0, *args, text=text)["readiness"]
    return {row["destination"]: row["verdict"] for row in rows}


GOOD = audit(level="secure", auth="Verified", nexthop="example.com")
BAD = audit(level="may", policy="secure", auth="Untrusted", nexthop="example.com",
            reason="untrusted")


@pytest.mark.parametrize("text, verdict", [
    (GOOD * 20, "enforce"),
    (GOOD * 19, "too few"),
    (GOOD * 500 + BAD, "mixed"),
    (GOOD * 20 + warning(), "mixed"),
    (BAD * 50, "broken"),
    (BAD, "broken"),
    (warning(), "too few"),
    (status("secure", relay="x") * 20, "enforce"),
    (status("secure", relay="x") * 20 + status("secure?", dsn="4.4.1"), "enforce"),
    (status("secure", relay="x") * 20 + status("!secure", dsn="4.7.5"), "mixed"),
    (status("!secure", dsn="4.7.5") * 20, "broken"),
    (audit(level="half-dane", auth="Trusted", nexthop="example.com") * 20, "enforce"),
    (audit(level="dane", auth="Trusted", nexthop="example.com") * 20, "enforce"),
    (audit(level="secure", auth="Trusted", nexthop="example.com") * 20, "broken"),
    (audit(level="secure", nexthop="example.com") * 20, "enforce"),
])
def test_verdict(text, verdict):
    assert verdicts(text) == {"example.com": verdict}


@pytest.mark.parametrize("text", [
    audit(level="may", auth="Untrusted", nexthop="example.com"),
    # A DANE domain without TLSA records, or without usable ones.
    audit(level="may", configured="dane", auth="Trusted", nexthop="example.com"),
    audit(level="encrypt", configured="dane", auth="Trusted", nexthop="example.com"),
    audit(level="none", auth="Cleartext", nexthop="example.com"),
    status("(dane:may)"), status("(dane:encrypt)"), status("may:none"), status("unknown?"),
    status("secure?", dsn="4.4.1"),
])
def test_no_authenticated_policy(text):
    assert verdicts(text) == {}


def test_minimum():
    assert verdicts(GOOD * 3, "-m", 3) == {"example.com": "enforce"}
    assert verdicts(GOOD * 3, "-m", 4) == {"example.com": "too few"}


def test_policy_change_starts_again():
    old = audit(level="may", policy="verify", auth="Untrusted", nexthop="example.com",
                reason="untrusted", stamp="2026-11-20T00:00:00Z mx1")
    for text in (old * 5 + GOOD * 20, GOOD * 20 + old * 5):
        row, = report("-M", 0, text=text)["readiness"]
        assert (row["policy"], row["deliveries"], row["verified"], row["verdict"]) \
            == ("secure", 20, 20, "enforce")


def test_policy_table():
    text = (GOOD * 20
            + BAD.replace("example.com", "bad.example")
            + audit(level="fingerprint", auth="Verified", nexthop="fp.example") * 20
            + audit(level="secure", auth="Verified", relay="mx.relay.example[192.0.2.9]:25") * 20
            + audit(level="verify", auth="Verified", nexthop="few.example")
            + status("fingerprint:none", queue_id="4A02", domain="clear.example")
            + status("secure:none", queue_id="4A03", domain="none.example"))
    lines = run("-P", "-M", 0, text=text).stdout.decode().splitlines()
    assert [line for line in lines if line and line[0] != "#"] == [
        "bad.example\tsecure fallback=may",
        "example.com\tsecure fallback=none",
    ]
    assert "#fp.example\tfingerprint match=AS-BEFORE fallback=none" in lines
    # The domain of a recipient is not always what the table is searched for.
    assert lines.count("# this is a recipient domain, its nexthop was not logged") == 2
    assert "#NEXTHOP\tsecure fallback=may" in lines
    assert "#NEXTHOP\tfingerprint match=AS-BEFORE fallback=may" in lines
    assert "#NEXTHOP\tsecure fallback=none" in lines
    few = [n for n, line in enumerate(lines) if line.startswith("# few.example: too few")]
    assert lines[few[0] + 1] == "# no change"


@pytest.mark.parametrize("name", ["evil.example x", "#evil.example", "a\tb", 'a"b'])
def test_policy_table_is_not_forged(name):
    text = audit(level="secure", auth="Verified", nexthop=name) * 20
    lines = run("-P", text=text).stdout.decode().splitlines()
    assert all(not line or line[0] == "#" for line in lines), lines


# Options.

@pytest.mark.parametrize("text, code", [
    (GOOD, OK), (BAD, FALLBACK), (warning(), FALLBACK), (status("secure:may"), FALLBACK),
    (status("may:none"), OK), (status("(dane:may)"), OK), (status("!secure"), FALLBACK),
    ("", FALLBACK),
])
def test_exit_status(text, code):
    run("-x", text=text, status=code)
    run(text=text)


def test_exit_status_is_about_what_is_selected():
    run("-x", "-r", "other.example", text=BAD)
    run("-x", "-s", "2026-11-22", text=BAD)
    run("-x", "-u", "2026-11-21", text=BAD)


@pytest.mark.parametrize("args", [
    ("-Q",), ("-n", "x"), ("-n", "-1"), ("-s", "someday"), ("-s", "2026-13-01"),
    ("-u", "10y"), ("-j", "-p"), ("-p", "-P"), ("/no/such/file",), ("/",)])
def test_errors(args):
    done = run(*args, status=ERROR)
    assert done.stderr


def test_bad_file_does_not_stop_others(tmp_path):
    good = tmp_path / "good"
    good.write_text(GOOD)
    result = report("/no/such/file", good, status=ERROR)
    assert lines_of(result)["audit"] == 1
    assert [row["file"] for row in result["notes"]] == ["/no/such/file"]


def test_help_is_complete():
    source = MANPAGE.read_text()
    letters = set(re.search(r'#define OPTIONS\s+"(.*?)"', source).group(1)) - {":"}
    text = run("-h").stdout.decode()
    manual = source[:source.index("--*/")]
    for letter in letters:
        assert re.search(rf"^  -{letter}[ ,]", text, re.M), letter
        assert re.search(rf'\.IP "?\\fB-{letter}(\\fR| )', manual), letter


def test_manual_has_every_member_and_metric():
    source = MANPAGE.read_text()
    manual = source[:source.index("--*/")]
    result = report(SOURCE / "report.in")
    for member, rows in result.items():
        assert re.search(rf"\\fB{member}\\fR", manual), member
        for row in rows if isinstance(rows, list) else []:
            for name in row:
                assert re.search(rf"\b{name}\b", manual), (member, name)
    for name in {key[0] for key in metrics_of(
            run("-p", SOURCE / "report.in").stdout.decode())}:
        assert re.search(rf"\\fB{name}\\fR[*{{,\"]", manual), name


def test_top():
    text = "".join(audit(level="secure", auth="Verified", nexthop=f"d{n}.example")
                   for n in range(30))
    out = run(text=text).stdout.decode()
    assert len(re.findall(r"d\d+\.example", out)) == 20
    assert "and 10 more" in out
    names = re.findall(r"d\d+\.example", out)
    assert names == sorted(names)
    result = report("-n", 7, text=text)
    assert len(result["readiness"]) == 7 and result["omitted"]["readiness"] == 23
    assert len(report(text=text)["readiness"]) == 30


@pytest.mark.parametrize("pattern, found", [
    ("example.com", 1), ("EXAMPLE.*", 1), ("mx.example.com", 1), ("192.0.2.1", 0),
    ("*192.0.2.1*", 1), ("other", 0), ("*", 1)])
def test_pattern(pattern, found):
    result = report("-r", pattern, text=GOOD)
    assert (lines_of(result)["audit"], lines_of(result)["not_selected"]) == (found, 1 - found)


def test_pattern_that_is_a_nexthop():
    text = GOOD.replace("nexthop=example.com", "nexthop=[mx.example.com]:587")
    assert lines_of(report("-r", "[mx.example.com]:587", text=text))["audit"] == 1
    assert lines_of(report("-r", "[mx.example.com]:25", text=text))["audit"] == 0


def test_patterns_add_up():
    text = GOOD + GOOD.replace("example.com", "b.example") + GOOD.replace("example.com", "c.example")
    assert lines_of(report("-r", "b.*", "-r", "c.*", text=text))["audit"] == 2


@pytest.mark.parametrize("args, found", [
    (("-s", "2026-11-21 18:31"), 1), (("-s", "2026-11-21 18:31:01"), 0),
    (("-u", "2026-11-21T18:31:00"), 0), (("-u", "2026-11-21T18:31:01Z"), 1),
    (("-s", "2026-11-21T19:31:00+01:00"), 1), (("-s", "2026-11-21T19:31:01+0100"), 0),
    (("-s", "2026-11-21"), 1), (("-u", "2026-11-21"), 0)])
def test_period(args, found):
    assert lines_of(report(*args, text=GOOD))["audit"] == found


@pytest.mark.parametrize("option, ago, found", [
    ("3h", 2 * 3600, 1), ("1h", 2 * 3600, 0), ("2w", 86400, 1), ("today", 3 * 86400, 0),
    ("yesterday", 0, 1)])
def test_period_from_now(option, ago, found):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ mx1", time.gmtime(time.time() - ago))
    assert lines_of(report("-s", option, text=GOOD.replace(STAMP, stamp)))["audit"] == found


def test_problems_only():
    out = run("-e", text=GOOD * 20).stdout.decode()
    assert set(parse_text(out)) == {"Time of the first and last line used"}
    assert [row["verdict"] for row in report("-e", text=GOOD * 20 + BAD)["readiness"]] == ["mixed"]


def test_verbose():
    done = run("-v", text="nonsense\x1b[31m\n" + GOOD)
    assert b"not understood: nonsense?[31m" in done.stderr
    assert b"2 lines, 1 of them not understood" in done.stderr


def test_no_escape_sequences_in_output():
    done = run(text=audit(level="se\x1b[31mcure", cipher="\x07", nexthop="\x9b31m")
               + audit(level="\ttab", policy="\tx\ty", reason="a\tb")
               + audit(level="may", policy="secure", relay="r\ts", nexthop="n\tm",
                       reason="o\tp", cert_digest="q\tr")
               + audit(level="secure", relay="r\ts", nexthop="n\tm", cert_digest="s\tt"))
    assert not re.search(rb"[^\n -~]", done.stdout)


def test_progress_on_a_terminal(generated):
    """On a terminal, and on standard error only."""
    master, slave = pty.openpty()
    with subprocess.Popen([PROGRAM, generated], stdout=subprocess.PIPE, stderr=slave,
                          env=environment()) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                chunk = os.read(master, 4096)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        out = process.stdout.read()
    os.close(master)
    assert re.search(rb"generated\.log: +\d+% of \d+ Mbyte", shown)
    assert out == run(generated).stdout
    assert run(generated).stderr == b""


# Input.

FORMS = [
    "Nov 21 18:31:00 mx1", "2026-11-21T18:31:00+00:00 mx1",
    "2026-11-21T18:31:00.123456+00:00 mx1", "2026-11-21T19:31:00+0100 mx1",
    "2026-11-21T18:31:00Z mx1",
]


def dated(path, text, when):
    """A log that was last written to at some time."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    stamp = time.mktime(time.strptime(when, "%Y-%m-%d %H:%M:%S"))
    os.utime(path, (stamp, stamp))
    return path


def test_mixed_time_stamps(tmp_path):
    text = "".join(GOOD.replace(STAMP, form) for form in FORMS)
    path = dated(tmp_path / "log", text, "2026-11-21 19:00:00")
    result = report(path)
    assert [row["time"] for row in result["period"]] == ["2026-11-21T18:31:00Z"] * 2
    assert lines_of(result)["audit"] == len(FORMS)
    assert result["notes"] == []


def test_december_to_january(tmp_path):
    text = "".join(GOOD.replace(STAMP, stamp) for stamp in (
        "Dec 30 10:00:00 mx1", "Dec 31 23:59:59 mx1", "Jan  1 00:00:00 mx1",
        "Jan  3 10:00:00 mx1"))
    result = report(dated(tmp_path / "log", text, "2027-01-04 00:00:00"))
    assert [row["time"] for row in result["period"]] \
        == ["2026-12-30T10:00:00Z", "2027-01-03T10:00:00Z"]
    assert result["notes"] == []


def test_clock_backwards(tmp_path):
    text = "".join(GOOD.replace(STAMP, stamp) for stamp in (
        "Nov 21 10:00:00 mx1", "Nov 21 09:00:00 mx1", "Nov 21 09:00:10 mx1",
        "Nov 21 09:00:07 mx1"))
    path = dated(tmp_path / "log", text, "2026-11-21 12:00:00")
    done = run("-j", path)
    result = json.loads(done.stdout)
    assert [row["time"] for row in result["period"]] \
        == ["2026-11-21T09:00:00Z", "2026-11-21T10:00:00Z"]
    assert result["notes"] == [{"file": str(path), "problem":
                                "the clock ran backwards 1 times, by up to 3600 seconds"}]
    assert b"ran backwards" in done.stderr


def test_gzip_and_standard_input(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text(GOOD * 3)
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(GOOD.encode()) + gzip.compress(GOOD.encode() * 4))
    padded = tmp_path / "padded"
    padded.write_bytes(packed.read_bytes() + bytes(1000))
    result = report(plain, "-", packed, padded, text=gzip.compress(GOOD.encode() * 10))
    assert lines_of(result)["audit"] == 3 + 10 + 5 + 5
    assert result["notes"] == []


def test_truncated_gzip(tmp_path):
    rng = random.Random(1)
    whole = gzip.compress(b"".join(
        audit(queue_id=f"4{rng.randrange(1 << 40):X}", level="may").encode()
        for _ in range(500)))
    path = tmp_path / "cut"
    counts = []
    for size in range(3, len(whole), 97):
        path.write_bytes(whole[:size])
        result = report(path, status=ERROR)
        assert [row["problem"] for row in result["notes"]
                if "understood" not in row["problem"]] \
            == ["gzip file is truncated; using what was read"]
        counts.append(lines_of(result)["audit"])
    assert counts == sorted(counts) and counts[-1] > 400


def test_damaged_gzip(tmp_path):
    whole = bytearray(gzip.compress(GOOD.encode() * 1000))
    whole[-8] ^= 0xff  # checksum
    path = tmp_path / "bad"
    path.write_bytes(whole)
    result = report(path, status=ERROR)
    assert "gzip file is damaged" in result["notes"][0]["problem"]


def test_other_compression(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(bz2.compress(GOOD.encode() * 1000))
    result = report(path, status=ERROR)
    assert "-dc" in result["notes"][0]["problem"]
    assert lines_of(result)["not_understood"] == 0


@pytest.mark.parametrize("size", [1 << 18, (1 << 18) + 1, 1 << 20, 3 << 20])
@pytest.mark.parametrize("end", ["\n", ""])
def test_long_line(size, end):
    long = audit(level="may", comment="x" * size).rstrip("\n") + end
    result = report(text=GOOD + long + (GOOD if end else ""))
    assert lines_of(result)["audit"] == (2 if end else 1)
    assert lines_of(result)["overlong"] == 1
    assert "were skipped" in result["notes"][0]["problem"]


@pytest.mark.parametrize("size", range((1 << 18) - 300, (1 << 18) + 1, 37))
def test_line_that_nearly_fills_the_buffer(size):
    pad = size - len(audit(level="may", comment="").rstrip("\n"))
    result = report(text=GOOD + audit(level="may", comment="x" * pad) + GOOD)
    assert lines_of(result)["audit"] == 3


def test_null_bytes():
    text = bytes(5000) + GOOD.encode() + GOOD.encode().replace(b"Verified", b"Ver\0fied")
    result = report(text=text)
    assert lines_of(result)["audit"] == 2 and lines_of(result)["null_bytes"] == 2
    assert table(result, "auth", "auth", value="deliveries") == {("Verified",): 1,
                                                                ("Ver?fied",): 1}
    assert [row["problem"] for row in result["notes"]] == ["2 lines have null bytes"]


def test_no_newline_at_the_end_and_carriage_returns():
    assert lines_of(report(text=GOOD.rstrip("\n")))["audit"] == 1
    result = report(text=audit(auth="Verified", level="secure").replace("\n", "\r\n"))
    assert table(result, "levels", "state", value="deliveries") == {("secure",): 1}


def test_garbage():
    rng = random.Random(1)
    for _ in range(20):
        text = rng.randbytes(50000)
        lines = text.count(b"\n") + (not text.endswith(b"\n"))
        result = report(text=b"x" + text)
        assert lines_of(result)["not_understood"] == lines


def test_mutations():
    """Every report survives every damaged line, and stays well-formed."""
    rng = random.Random(1)
    lines = (SOURCE / "report.in").read_bytes()
    for _ in range(60):
        text = bytearray(lines)
        for _ in range(200):
            text[rng.randrange(len(text))] = rng.choice(b'\0\t\n"\\,=:[]<>/ \x80\xff(')
        result = report(text=bytes(text))
        assert sum(row["lines"] for row in result["lines"]) > 0
        run(text=bytes(text)).stdout.decode("utf-8")
        run("-P", text=bytes(text)).stdout.decode("utf-8")
        metrics = run("-p", text=bytes(text)).stdout
        check = subprocess.run(["promtool", "check", "metrics"], check=False,
                               input=metrics, capture_output=True)
        assert check.returncode == 0, check.stderr
        # Not every promtool says so.
        names = [line.rsplit(b" ", 1)[0] for line in metrics.splitlines()
                 if not line.startswith(b"#")]
        assert len(names) == len(set(names))


def test_internationalized_destination():
    good = audit(level="secure", auth="Verified", nexthop="bücher.example") * 20
    assert verdicts(good) == {"bücher.example": "enforce"}
    bad = good.encode("latin-1")
    assert verdicts(bad) == {"b?cher.example": "enforce"}


# Certificates.

def test_digest_changes():
    def line(hour, cert, key="K1"):
        return audit(level="may", stamp=f"2026-11-21T{hour:02d}:00:00Z mx1",
                     cert_digest=cert, spki_digest=key)
    text = line(1, "AA:AA") + line(2, "AA:AA") + line(3, "BB:BB") + line(4, "BB:BB", "K2")
    rows = report(text=text)["digest_changes"]
    assert [(row["kind"], row["old"], row["new"], row["changed"], row["old_last_seen"])
            for row in rows] == [
        ("certificate", "AA:AA", "BB:BB", "2026-11-21T03:00:00Z", "2026-11-21T02:00:00Z"),
        ("key", "K1", "K2", "2026-11-21T04:00:00Z", "2026-11-21T03:00:00Z")]


def test_digest_changes_are_bounded():
    text = "".join(audit(level="may", cert_digest=f"{n:04d}") for n in range(1000))
    assert len(report(text=text)["digest_changes"]) == 7


# Memory.

def test_memory(tmp_path):
    """50000 destinations, each with its own server and the full template."""
    digest = ":".join(["AB"] * 32)
    path = tmp_path / "log"
    with path.open("w") as out:
        for n in range(50000):
            out.write(audit(queue_id=f"4A{n}", relay=f"mx.d{n:05d}.example.com[2001:db8::{n:x}]:25",
                            level="encrypt", policy="secure", auth="Untrusted",
                            protocol="TLSv1", cipher="AES128-SHA", kex="RSA", fs="no",
                            cert_digest=digest, spki_digest=digest, reason="mismatch",
                            nexthop=f"d{n:05d}.example.com"))
    with subprocess.Popen([PROGRAM, path], stdout=subprocess.PIPE,
                          env=environment()) as process:
        process.stdout.read()
        _pid, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    assert process.returncode == OK
    assert usage.ru_maxrss / 1024 <= 100
