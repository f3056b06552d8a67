"""Tests of summary files: parts of a log add up, and nothing is lost or counted twice."""

import gzip
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

import pytest

from test_posttls_audit import (ERROR, OK, PROGRAM, STAMP, TOP, environment, lines_of, report,
                               run)

HOSTS = ("mx1", "mx2", "relay.example.net")


def make_lines(rng, count, hosts=HOSTS, start=1793491200, year=True):
    """Lines of several hosts and processes, interleaved, in every form that matters."""
    queues = []
    clock = start
    lines = []
    for number in range(count):
        clock += rng.choice((0, 0, 1, 1, 2, 900))
        queues.append([clock, message(rng, number, rng.choice(hosts))])
        # Several messages are under way at a time.
        while len(queues) > 12 or (queues and number == count - 1):
            which = rng.randrange(len(queues))
            clock += rng.random() < 0.3
            host, text = queues[which][1].pop(0)
            form = "%Y-%m-%dT%H:%M:%SZ" if year else "%b %e %H:%M:%S"
            lines.append((host, f"{time.strftime(form, time.gmtime(clock))} {host} {text}\n"))
            if not queues[which][1]:
                queues.pop(which)
    return lines


def message(rng, number, host):
    """What one message leaves in the log of a host."""
    dest = f"d{rng.randrange(40)}.example"
    relay = f"mx{rng.randrange(2)}.{dest}[192.0.2.{rng.randrange(250)}]:25"
    qid = f"4Q{number:06X}"
    tag = f"postfix/{rng.choice(('smtp', 'lmtp'))}[{rng.randrange(100, 130)}]"
    policy = rng.choice(("may", "secure", "verify", "dane", "encrypt"))
    broken = policy in ("secure", "verify", "dane") and rng.random() < 0.3
    level = rng.choice(("may", "encrypt")) if broken else policy
    lines = [f"{tag}: Trusted TLS connection established to {relay}: TLSv1.3 with cipher"
             " TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519"] * rng.randrange(2)
    if broken:
        lines.append(f"{tag}: warning: {qid}: tls fallback: relay={relay}, nexthop={dest},"
                     f" policy={policy}, level={level}, reason=mismatch, detail=x")
    attrs = [f"relay={relay}", f"level={level}"]
    attrs += [f"policy={policy}"] if broken else []
    attrs += [f"auth={'Untrusted' if broken or policy == 'may' else 'Verified'}",
              "protocol=TLSv1.3", f"cert_digest=AA:{rng.randrange(256):02X}"]
    if rng.random() < 0.5:
        attrs += [f"nexthop={dest}"] + (["reason=mismatch"] if broken else [])
    if rng.random() < 0.3:
        attrs += [f"attainable={rng.choice(('secure', 'verify'))}",
                  "cert_expires=2026-11-20T00:00:00Z"]
    audit = f"{tag}: {qid}: tlsaudit: " + ", ".join(attrs)
    tls = f"{policy}:{level}" if broken else policy
    tls = f" tls={tls}," if rng.random() < 0.5 else ""
    status = [f"{tag}: {qid}: to=<u{n}@{rng.choice((dest, dest, 'other.example'))}>,"
              f" relay={relay}, delay=1, delays=0/0/0/1,{tls} dsn=2.0.0, status=sent (250 Ok)"
              for n in range(rng.randrange(1, 4))]
    if rng.random() < 0.1:
        status = [line.replace("dsn=2.0.0, status=sent (250 Ok)", "dsn=4.7.5,"
                  " status=deferred (Server certificate not verified)") for line in status]
        lines += status
    else:
        at = rng.randrange(len(status) + 1)
        lines += status[:at] + [audit] * (rng.random() < 0.9) + status[at:]
    lines.append(f"postfix/qmgr[9]: {qid}: removed")
    return [(host, line) for line in lines]


def text_of(lines):
    return "".join(line for _host, line in lines).encode()


def parts_of(rng, lines, tmp_path, cuts, by_host=False):
    """The log in pieces: by host, or not, and then at any offset.

    Shorter ones could be the beginning of another one: a log is known by its content.
    """
    texts = [text_of(lines)]
    if by_host:
        texts = [text_of([line for line in lines if line[0] == host]) for host in HOSTS]
    parts = []
    for text in texts:
        places = sorted(rng.sample(range(1, len(text)), cuts // len(texts)))
        places = [place for last, place in zip([0, *places], places) if place - last > 100]
        for begin, end in zip([0, *places], [*places, len(text)]):
            parts.append(tmp_path / f"part-{len(parts)}")
            parts[-1].write_bytes(text[begin:end])
    return parts


def merge_randomly(rng, paths, tmp_path):
    """One summary, from random groups of random groups."""
    number = 0
    while len(paths) > 1:
        group = [paths.pop(rng.randrange(len(paths)))
                 for _ in range(min(len(paths), rng.randrange(2, 30)))]
        number += 1
        merged = tmp_path / f"merged-{number}"
        run("-S", merged, *group, timeout=600)
        paths.append(merged)
    return paths[0]


def cut_file(rng, path, cuts, directory):
    """A file in pieces, some of them compressed; it need not fit into memory."""
    directory.mkdir(exist_ok=True)
    places = [0, *sorted(rng.sample(range(1, path.stat().st_size), cuts)), path.stat().st_size]
    with open(path, "rb") as text:
        for number, (begin, end) in enumerate(zip(places, places[1:])):
            part = directory / f"{path.name}-{number}"
            part.write_bytes(text.read(end - begin))
            if number % 4 == 0:
                subprocess.run(["gzip", "-1", part], check=True)
                part = part.with_name(f"{part.name}.gz")
            yield part


@pytest.mark.parametrize("by_host", [False, True])
@pytest.mark.parametrize("messages, cuts", [(600, 60), (100, 200)])
@pytest.mark.parametrize("seed", range(2))
def test_partition(seed, messages, cuts, by_host, tmp_path):
    """Many of the smallest pieces are parts of a line, and have no host to be known by."""
    rng = random.Random(seed)
    lines = make_lines(rng, messages, year=seed % 2 == 0)
    whole = tmp_path / "whole"
    whole.write_bytes(text_of(lines))
    parts = parts_of(rng, lines, tmp_path, cuts, by_host)
    stamp = 1793491200 + 60 * 86400
    for path in (whole, *parts):
        os.utime(path, (stamp, stamp))
    want = run("-j", whole).stdout
    assert json.loads(want)["notes"] == []
    assert run("-j", "-w", 3, *parts).stdout == want
    got = run("-j", merge_randomly(rng, parts, tmp_path)).stdout
    assert got == want


@pytest.mark.parametrize("names", [("log.2", "log.1", "log"), ("log", "log-2", "log-10"),
                                   ("mail.log.10", "mail.log.9", "mail.log.8")])
def test_names_say_where_a_line_goes_on(names, tmp_path):
    """The pieces have no host in common, and the second one is part of a line."""
    first = STAMP + " postfix/smtp[1]: 4A01: tlsaudit: relay=a[1]:25, level=may, auth=Trusted\n"
    second = first.replace("mx1", "mx2").replace("31:00", "31:01")
    third = second.replace("mx2", "mx3")
    text = (first + second + third).encode()
    places = [0, len(first) + 25, len(first) + 40, len(text)]
    for name, begin, end in zip(names, places, places[1:]):
        (tmp_path / name).write_bytes(text[begin:end])
    (tmp_path / "other").write_text(third[:30])
    paths = [tmp_path / name for name in names]
    lines = lines_of(report(*paths, tmp_path / "other"))
    assert (lines["audit"], lines["not_understood"]) == (3, 1)


@pytest.mark.parametrize("by_host", [False, True])
def test_partition_of_a_large_log(by_host, request, tmp_path):
    """The same with a log of any size, from more and from larger hosts.

    One piece in four is compressed; --log-size=1024 makes 200 pieces of a Gbyte.
    """
    size = request.config.getoption("log_size")
    rng = random.Random(size)
    whole = tmp_path / "whole"
    hosts = 5
    subprocess.run([TOP / "tests/log/loggen", "--size", str(size), "--hosts", str(hosts),
                    "--destinations", str(50 * size), whole], check=True)
    logs = [whole]
    if by_host:
        logs = [tmp_path / f"mx{number + 1}" for number in range(hosts)]
        subprocess.run(["awk", "-v", f"to={tmp_path}/", '{ print >to $4 }', whole], check=True)
    parts = [part for log in logs
             for part in cut_file(rng, log, 200 // len(logs), tmp_path / "parts")]
    pieces = len(parts)
    assert pieces == 200 + len(logs)
    for path in (whole, *parts):
        os.utime(path, (1793491200 + 60 * 86400, 1793491200 + 60 * 86400))
    began = time.monotonic()
    want = run("-j", whole, timeout=600).stdout
    once = time.monotonic()
    assert json.loads(want)["notes"] == []
    assert lines_of(json.loads(want))["audit"] > 100 * size
    assert run("-j", "-w", 2, *parts, timeout=600).stdout == want
    each = time.monotonic()
    assert run("-j", merge_randomly(rng, parts, tmp_path), timeout=600).stdout == want
    print(f"{size} Mbyte: at once {once - began:.1f} s, {pieces} pieces {each - once:.1f} s,"
          f" merged in groups {time.monotonic() - each:.1f} s")


def test_order_of_files_does_not_matter(tmp_path):
    rng = random.Random(7)
    lines = make_lines(rng, 300)
    parts = parts_of(rng, lines, tmp_path, 12)
    want = run("-j", *parts).stdout
    assert run("-j", *reversed(parts)).stdout == want


def write(path, data, mode="wb"):
    with open(path, mode) as out:
        out.write(data)


@pytest.mark.parametrize("rotation", ["rename", "copytruncate", "gzip", "none"])
@pytest.mark.parametrize("seed", range(3))
def test_rotation(rotation, seed, tmp_path):
    """A log that grows, also in the middle of a line, and is rotated now and then."""
    rng = random.Random(seed)
    text = text_of(make_lines(rng, 400))
    whole = tmp_path / "whole"
    whole.write_bytes(text)
    want = run("-j", whole).stdout
    log = tmp_path / "log"
    summary = tmp_path / "summary"
    log.touch()
    places = sorted(rng.sample(range(1, len(text)), 25))
    old = []
    for number, (begin, end) in enumerate(zip([0, *places], [*places, len(text)])):
        write(log, text[begin:end], "ab")
        if number % 3:
            run("-S", summary, *old, log)
        if number % 5 == 4 and rotation != "none":
            old.append(tmp_path / f"log.{number}")
            if rotation == "copytruncate":
                shutil.copy(log, old[-1])
                log.write_bytes(b"")
            else:
                log.rename(old[-1])
                log.touch()
            if rotation == "gzip" and len(old) > 1:
                packed = pathlib.Path(f"{old[-2]}.gz")
                packed.write_bytes(gzip.compress(old[-2].read_bytes()))
                old[-2].unlink()
                old[-2] = packed
    run("-S", summary, *old, log)
    assert run("-j", "-S", summary).stdout == want
    assert run("-j", "-S", summary, *old, log, *old).stdout == want
    assert run("-j", summary).stdout == want


def test_copies_are_one_log(tmp_path):
    text = text_of(make_lines(random.Random(1), 100))
    for name in ("a", "b", "c"):
        write(tmp_path / name, text)
    write(tmp_path / "c", text[:len(text) // 2])
    want = report(tmp_path / "a")
    assert report("-S", tmp_path / "s", tmp_path / "a", tmp_path / "b", tmp_path / "c") == want


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("size", [300, 700, 1023, 1024, 5000])
def test_early_copy(size, workers, tmp_path):
    """However short a copy is, and whichever comes first, no line counts twice."""
    text = text_of(make_lines(random.Random(1), 100))
    log = tmp_path / "log"
    copy = tmp_path / "copy"
    write(log, text)
    write(copy, text[:text.rindex(b"\n", 0, size) + 1])
    want = report(log)
    for number, runs in enumerate(([[log], [copy]], [[copy], [log]], [[log, copy]], [[copy, log]],
                                   [[log], [log, copy], [copy, log]])):
        summary = tmp_path / f"summary-{number}"
        for paths in runs:
            run("-S", summary, "-w", workers, *paths)
        assert report(summary) == want, runs


def test_pieces_with_the_same_first_line(tmp_path):
    """What differs later is not the same log."""
    first, *lines = [line for _host, line in make_lines(random.Random(1), 40)]
    paths = [tmp_path / name for name in "abc"]
    write(paths[0], "".join([first, *lines[:2]]).encode())
    write(paths[1], "".join([first, *lines[2:4]]).encode())
    write(paths[2], "".join([first, *lines[4:60]]).encode())
    want = lines_of(report(*paths))
    for order in (paths, paths[::-1]):
        summary = tmp_path / f"summary-{order[0].name}"
        for path in order:
            run("-S", summary, path)
        assert lines_of(report(summary)) == want


def start(*args):
    return subprocess.Popen([PROGRAM, *map(str, args)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, env=environment())


def test_killed_at_any_system_call(tmp_path):
    """What is left says what it said before, or everything; the next run goes on from it."""
    text = text_of(make_lines(random.Random(3), 1500))
    log, summary, trace = (tmp_path / name for name in ("log", "summary", "trace"))

    def traced(*options):
        return subprocess.run(
            ["strace", "-qq", "-o", trace, *options, PROGRAM, "-S", summary, log],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
            check=False, timeout=60).returncode

    write(log, text[:len(text) // 2])
    run("-S", summary, log)
    before = summary.read_bytes()
    write(log, text)
    wants = [run("-j", summary).stdout, run("-j", log).stdout]
    assert traced() == OK
    names = re.findall(r"^(?!execve)(\w+)\(", trace.read_text(), re.M)
    left = []
    for number, name in enumerate(names):
        summary.write_bytes(before)
        nth = names[:number + 1].count(name)
        assert traced("-e", f"inject={name}:signal=SIGKILL:when={nth}") == -signal.SIGKILL
        left.append(wants.index(run("-j", summary).stdout))
        assert run("-j", "-S", summary, log).stdout == wants[1]
    assert left == sorted(left)
    assert set(left) == {0, 1}


def test_two_at_once(tmp_path):
    lines = make_lines(random.Random(4), 800)
    log = tmp_path / "log"
    other = tmp_path / "other"
    half = len(lines) // 2
    write(log, text_of(lines[:half]))
    write(other, text_of(lines[half:]))
    want = run("-j", log, other).stdout
    summary = tmp_path / "summary"
    for _ in range(5):
        summary.unlink(missing_ok=True)
        running = [start("-S", summary, path) for path in (log, other, log, other)]
        assert [process.wait() for process in running] == [OK] * 4
        assert run("-j", "-S", summary).stdout == want


def test_full_disk(tmp_path):
    """On a file system that is too small for the new file, the old one stays."""
    disk = tmp_path / "disk"
    disk.mkdir()
    log = tmp_path / "log"
    text = text_of(make_lines(random.Random(5), 1500))
    write(log, text[:20000])
    script = f"""
        mount -t tmpfs -o size=64k tmpfs {disk} || exit 77
        {PROGRAM} -S {disk}/s {log} >/dev/null || exit 1
        cp {disk}/s {tmp_path}/before
        cat {tmp_path}/rest >>{log}
        {PROGRAM} -S {disk}/s {log} >/dev/null 2>{tmp_path}/errors
        [ $? = 2 ] || exit 2
        cmp {disk}/s {tmp_path}/before || exit 3
        cp {disk}/s {tmp_path}/s
        ls {disk} >{tmp_path}/left
    """
    write(tmp_path / "rest", text[20000:])
    # In a change root, a user namespace is not permitted, and root needs none.
    unshare = ["unshare", "-m" if os.geteuid() == 0 else "-rm"]
    done = subprocess.run([*unshare, "sh", "-c", script], env=environment(), check=False)
    assert done.returncode == 0
    assert "No space left" in (tmp_path / "errors").read_text()
    assert (tmp_path / "left").read_text().split() == ["s", "s.lock"]
    assert run("-j", "-S", tmp_path / "s", log).stdout == run("-j", log).stdout


@pytest.fixture(name="summary")
def make_summary(tmp_path):
    write(tmp_path / "log", text_of(make_lines(random.Random(6), 60)))
    run("-S", tmp_path / "summary", tmp_path / "log")
    return tmp_path / "summary"


def run_all(commands):
    """Results of runs at the same time: a program that ends with an error waits a second."""
    running = [subprocess.Popen([PROGRAM, *map(str, args)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=environment())
               for args in commands]
    return [(process, *process.communicate()) for process in running]


def test_damage(summary, tmp_path):
    """Every change of a byte and every end is noticed, and nothing is overwritten."""
    rng = random.Random(8)
    whole = summary.read_bytes()
    bad = []
    while len(bad) < 120:
        data = bytearray(whole)
        place = rng.randrange(len(data))
        data[place] ^= 1 << rng.randrange(8)
        for text in (bytes(data), whole[:place]):
            if text.startswith(b"posttls-audit summary"):  # recognized, that is
                bad.append((tmp_path / f"bad-{len(bad)}", text))
                write(*bad[-1])
    log = tmp_path / "log"
    for (path, text), (process, _output, errors) in zip(
            bad, run_all(("-S", path, log) for path, _text in bad)):
        assert process.returncode == ERROR
        assert b"not changed" in errors
        assert path.read_bytes() == text
    for process, output, _errors in run_all(("-j", path, log) for path, _text in bad):
        assert process.returncode == ERROR
        result = json.loads(output)
        assert "this summary was not used" in result["notes"][0]["problem"]
        assert lines_of(result)["audit"] > 0


def resign(text):
    """A summary with other content and the right check sum."""
    mask = (1 << 64) - 1
    state = 0
    lines = text.split(b"\n")[1:-2]
    for line in lines:
        words = [int.from_bytes(line[at:at + 8], "little")
                 for at in range(0, len(line) // 8 * 8, 8)]
        rest = line[len(words) * 8:]
        last = len(rest) + 1
        for byte in rest:
            last = (last << 8 | byte) & mask
        for word in [*words, last]:
            state = ((state ^ word) * 0x9E3779B97F4A7C15) & mask
            state ^= state >> 29
    return text[:text.rindex(b"end\t")] + f"end\t{len(lines)}\t{state:016x}\n".encode()


def test_later_versions(summary, tmp_path):
    whole = summary.read_bytes()
    assert resign(whole) == whole
    new = whole.replace(b"summary 1 0\n", b"summary 1 7\n")
    new = resign(new.replace(b"period\t", b"future\ta\tb\nperiod\t"))
    summary.write_bytes(new)
    merged = tmp_path / "merged"
    run("-S", merged, summary)
    assert b"\nfuture\ta\tb\n" in merged.read_bytes()
    assert run("-j", merged).stdout == run("-j", tmp_path / "log").stdout
    summary.write_bytes(whole.replace(b"summary 1 0\n", b"summary 2 0\n"))
    done = run("-S", summary, tmp_path / "log", status=ERROR)
    assert b"another version" in done.stderr


def test_overlap(tmp_path):
    """A part that is in both is not counted twice."""
    lines = make_lines(random.Random(9), 100)
    log = tmp_path / "log"
    write(log, text_of(lines[:100]))
    run("-S", tmp_path / "early", log)
    write(log, text_of(lines[100:]), "ab")
    run("-S", tmp_path / "late", log)
    want = run("-j", log).stdout
    # All of the second one is in the first one.
    assert run("-j", tmp_path / "late", tmp_path / "early").stdout == want
    assert run("-j", tmp_path / "late", tmp_path / "late").stdout == want
    result = report(tmp_path / "early", tmp_path / "late", status=ERROR)
    assert "more of" in result["notes"][0]["problem"]


@pytest.mark.parametrize("args", [("-r", "x"), ("-s", "today"), ("-u", "today")])
def test_selection_is_not_for_summaries(args, tmp_path):
    run("-S", tmp_path / "s", *args, "-", status=ERROR)


def test_history_is_kept_for_400_days(tmp_path):
    text = b""
    for day in range(0, 500, 10):
        stamp = time.strftime("%Y-%m-%dT12:00:00Z", time.gmtime(1750000000 + day * 86400))
        text += (f"{stamp} mx1 postfix/smtp[1]: 4A{day:04d}: tlsaudit: relay=a[1]:25,"
                 " level=secure, auth=Verified, nexthop=a.example\n").encode()
    write(tmp_path / "log", text)
    result = report(tmp_path / "log")
    days = [row["day"] for row in result["history"]]
    assert len(days) == 40 and days == sorted(days, reverse=True)
    assert sum(row["deliveries"] for row in result["levels"]) == 50


def test_history_by_week(tmp_path):
    """Weeks with gaps, with failures, alike and not, are the same after writing and reading."""
    rng = random.Random(11)
    text = b""
    for week in range(60):
        for number in range(rng.choice((0, 1, 1, 1, 2, 30))):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                  time.gmtime(1760000000 + week * 7 * 86400 + number * 60))
            bad = rng.random() < 0.1
            text += (f"{stamp} mx1 postfix/smtp[1]: 4B{week:03d}{number:03d}: tlsaudit: relay=a[1]:25,"
                     f" level={'encrypt' if bad else 'secure'},{' policy=secure,' * bad}"
                     f" auth={'Trusted' if bad else 'Verified'}, nexthop=a.example\n").encode()
    places = [text.index(b"\n", len(text) * n // 4) + 1 for n in range(4)] + [len(text)]
    places[0] = 0
    paths = [tmp_path / f"log-{number}" for number in range(4)]
    for path, begin, end in zip(paths, places, places[1:]):
        write(path, text[begin:end])
        run("-S", tmp_path / f"s-{path.name}", path)
    write(tmp_path / "whole", text)
    run("-S", tmp_path / "s", tmp_path / "whole")
    run("-S", tmp_path / "merged", *(tmp_path / f"s-{path.name}" for path in paths))
    states = [re.findall(rb"^state\t.*", (tmp_path / name).read_bytes(), re.M)
              for name in ("s", "merged")]
    assert states[0] == states[1]
    assert b" +" in states[0][0] and b"*" in states[0][0] and b":" in states[0][0]
    assert run("-j", tmp_path / "s").stdout == run("-j", tmp_path / "whole").stdout
