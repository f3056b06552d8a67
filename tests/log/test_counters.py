"""Tests of Prometheus counters: with -S they never fall."""

import random
import shutil
import subprocess

import pytest

from test_posttls_audit import (ERROR, SOURCE, STAMP, audit, metrics_of, report, run, status,
                               warning)
from test_summary import make_lines, text_of, write

STATES = ("period_timestamp_seconds", "destinations", "attainable_destinations")


def counters(*args):
    """Metrics that are counters; promtool agrees that they are."""
    text = run("-p", *args).stdout
    check = subprocess.run(["promtool", "check", "metrics"], input=text,
                           capture_output=True, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")
    kinds = dict(line.split()[2:] for line in text.decode().splitlines()
                 if line.startswith("# TYPE"))
    for name, kind in kinds.items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert (kind == "gauge") == (name.removeprefix("posttls_audit_") in STATES), name
    return {key: value for key, value in metrics_of(text.decode()).items()
            if key[0].endswith("_total")}


def assert_not_fallen(before, after):
    assert set(before) <= set(after)
    fallen = {key: (before[key], after[key]) for key in before if after[key] < before[key]}
    assert not fallen


@pytest.mark.parametrize("rotation", ["rename", "copytruncate", "forgotten"])
@pytest.mark.parametrize("seed", range(2))
def test_growing_log(rotation, seed, tmp_path):
    """Cut at any place, also within a line, and rotated; old logs may be gone."""
    rng = random.Random(seed)
    text = text_of(make_lines(rng, 300))
    log = tmp_path / "log"
    old = tmp_path / "log.1"
    summary = tmp_path / "summary"
    before = {}
    places = sorted(rng.sample(range(1, len(text)), 20))
    for number, (begin, end) in enumerate(zip([0, *places], [*places, len(text)])):
        write(log, text[begin:end], "ab")
        after = counters("-S", summary, *[old] * old.exists(), log)
        assert_not_fallen(before, after)
        before = after
        if number % 5 == 4:
            if rotation == "copytruncate":
                shutil.copy(log, old)
                log.write_bytes(b"")
            else:
                log.rename(old)
                log.touch()
            if rotation == "forgotten":
                old.unlink()
    # A last line that was cut counts as not understood, until it is complete.
    assert before["posttls_audit_lines_total", "audit"] == text.count(b"tlsaudit:")
    assert counters("-S", summary) == before
    gauges = metrics_of(run("-p", log).stdout.decode())
    assert sum(value for key, value in before.items()
               if key[0] == "posttls_audit_deliveries_total") > sum(
        value for key, value in gauges.items() if key[0] == "posttls_audit_deliveries")


@pytest.mark.parametrize("early, late", [
    # Recipients are refused before the message is sent, at the same server.
    (status("secure"), audit(level="encrypt", policy="secure", nexthop="example.com",
                             reason="mismatch")),
    # The end of a line is written later.
    (f"{STAMP} postfix/smtp[1]: 4A01: tlsaudi", "t: relay=a[1]:25, level=may\n"),
    # The reason of a fallback comes with an older log.
    (audit(level="encrypt", policy="secure"), None),
], ids=["repeat", "cut", "older"])
def test_what_turns_out_to_be_something_else(early, late, tmp_path):
    """What a gauge takes back, a counter does not."""
    log = tmp_path / "log"
    summary = tmp_path / "summary"
    write(log, early.encode())
    gauges = [metrics_of(run("-p", log).stdout.decode())]
    before = counters("-S", summary, log)
    logs = [log]
    if late:
        write(log, late.encode(), "ab")
    else:
        logs.insert(0, tmp_path / "log.1")
        write(logs[0], warning().encode())
    gauges.append(metrics_of(run("-p", *logs).stdout.decode()))
    assert any(gauges[1].get(key, 0) < value for key, value in gauges[0].items())
    assert_not_fallen(before, counters("-S", summary, *logs))


def test_every_run_remembers(tmp_path):
    """A number that was shown by a run with other output is no reason to fall, either."""
    log = tmp_path / "log"
    summary = tmp_path / "summary"
    write(log, status("secure").encode())
    run("-j", "-S", summary, log)
    shown = counters("-S", summary)
    write(log, audit(level="encrypt", policy="secure", nexthop="example.com",
                     reason="mismatch").encode(), "ab")
    assert_not_fallen(shown, counters("-S", summary, log))


def test_counters_stay_with_their_file(tmp_path):
    """A summary that is added brings facts, and not what its file has told others."""
    log = tmp_path / "log"
    write(log, status("secure").encode())
    run("-S", tmp_path / "one", log)
    write(log, audit(level="encrypt", policy="secure", nexthop="example.com",
                     reason="mismatch").encode(), "ab")
    run("-S", tmp_path / "one", log)
    told = counters("-S", tmp_path / "one")
    fresh = counters("-S", tmp_path / "two", tmp_path / "one")
    assert told["posttls_audit_deliveries_total", "secure"] == 1
    assert ("posttls_audit_deliveries_total", "secure") not in fresh
    assert report(tmp_path / "one") == report(log) == report(tmp_path / "two")


def test_rank_is_no_reason(tmp_path):
    """With more words than a report has room for, each one has its counter."""
    rng = random.Random(1)
    log = tmp_path / "log"
    summary = tmp_path / "summary"
    before = {}
    for _ in range(5):
        text = "".join(audit(protocol=f"p{rng.randrange(40)}", level="may") for _ in range(100))
        write(log, text.encode(), "ab")
        after = counters("-S", summary, log)
        assert_not_fallen(before, after)
        before = after
    assert sum(key[0] == "posttls_audit_protocol_deliveries_total" for key in before) > 30


def test_nothing_is_told_that_is_not_remembered(tmp_path):
    """The next run would not know that it must not fall."""
    directory = tmp_path / "directory"
    directory.mkdir()
    (directory / "summary.tmp").mkdir()
    done = run("-p", "-S", directory / "summary", SOURCE / "report.in", status=ERROR)
    assert b"not changed" in done.stderr
    assert metrics_of(done.stdout.decode()) == {}


def test_without_a_summary_all_are_gauges():
    text = run("-p", SOURCE / "report.in").stdout.decode()
    assert "_total" not in text and " counter" not in text
