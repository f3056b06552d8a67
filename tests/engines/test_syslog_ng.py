"""syslog-ng: the same records in the same database, with its own parser."""

import collections
import gzip
import re
import subprocess
import time
from pathlib import Path

import pytest

from engines import SHIPPED, TOP, Database, wait_for
from test_rsyslog import KINDS

PACKAGES = TOP / "build/engines/syslog-ng"
CONFIG = Path("/var/tmp/syslog-ng.conf")
LOG = Path("/var/tmp/syslog-ng-maillog")
MATRIX = gzip.decompress((TOP / "tests/log/matrix.log.gz").read_bytes()).decode()
STAMP = time.strftime("%b %e %H:%M:%S ")
GOOD = "relay=mx.bad.test[127.0.0.9]:25, auth=Verified, level=secure"
COUNT = "SELECT count(*) FROM event"


class Collector:
    """The database, syslog-ng, and a log."""

    def __init__(self):
        self.database = Database("syslog-ng")
        for package in PACKAGES.glob("*.deb"):
            files = subprocess.run(["dpkg-deb", "--fsys-tarfile", package],
                                   stdout=subprocess.PIPE, check=True).stdout
            subprocess.run(["tar", "-x", "-C", "/", "--keep-directory-symlink"], input=files,
                           check=True)
        subprocess.run(["install", SHIPPED / "tls-audit-load", "/usr/local/bin"], check=True)
        CONFIG.write_text((SHIPPED / "syslog-ng.conf").read_text().replace(
            "/var/log/maillog", str(LOG)))
        Path("/var/lib/syslog-ng").mkdir(exist_ok=True)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["syslog-ng", "-F", "-f", CONFIG, "--no-caps"])

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0

    def append(self, text):
        with LOG.open("a", encoding="utf-8") as log:
            log.write(text)

    def record(self, queue_id, record):
        """Log this record, and wait until it and everything before it has been dealt with."""
        self.append(f"{STAMP}bad postfix/smtp[77]: {queue_id}: tlsaudit: {record}\n"
                    f"{STAMP}marker postfix/smtp[1]: F{queue_id}: tlsaudit: {GOOD}\n")
        wait_for(lambda: self.database.value(f"{COUNT} WHERE queue_id = 'F{queue_id}'"), "marker")


@pytest.fixture(scope="module", name="world")
def make_world():
    """A log with every kind of line comes in while PostgreSQL comes and goes."""
    world = Collector()
    lines = MATRIX.splitlines(keepends=True)
    third = len(lines) // 3
    world.append("".join(lines[:third]))
    world.start()
    wait_for(lambda: world.database.value(COUNT), "first record")
    world.database.stop()
    world.append("".join(lines[third:2 * third]))
    world.database.start()
    world.append("".join(lines[2 * third:]))
    world.database.stop("immediate")
    world.database.start()
    world.record("4A0001", GOOD)
    yield world
    world.stop()


def test_every_record_is_there_once(world):
    logged = collections.Counter()
    for line in MATRIX.splitlines():
        match = re.match(r".{15} \S+ (postfix\S*/[sl]mtp\[\d+\]): (.*)", line)
        for kind, pattern in KINDS if match else ():
            if inner := re.match(pattern, match[2]):
                logged[kind, match[1], inner[1]] += 1
    assert len({kind for kind, *_ in logged}) == 4
    assert collections.Counter({
        (row["kind"], row["process"], row["queue_id"]): row["count"]
        for row in world.database.rows("SELECT kind, process, queue_id, count(*) FROM event "
                                       "WHERE host = 'client' GROUP BY 1, 2, 3")}) == logged
    assert world.database.rows("SELECT * FROM rejected") == []


def test_replayed_log(world):
    before = world.database.value(COUNT)
    world.append(MATRIX)
    world.record("4A0002", GOOD)
    assert world.database.value(COUNT) == before + 2
    assert world.database.value("SELECT sum(lines) FROM input "
                                "WHERE problem = 'was there already'") > 200


@pytest.mark.parametrize("record, why", [
    ('{"relay":"mx.bad.test[127.', "JSON"),
    ("relay=mx.bad", "relay"),
    ("relay=mx.bad.test[127.0.0.9]:25, level=secu", "level"),
    ("level=secure, x=" + 65536 * "x", "too long"),
])
def test_damaged_record(world, record, why):
    queue_id = f"4B{abs(hash(record)) % 10**6:06}"
    world.record(queue_id, record)
    assert world.database.value(f"{COUNT} WHERE queue_id = '{queue_id}'") == 0
    assert world.database.rows("SELECT why, times FROM rejected "
                               f"WHERE line LIKE '%{queue_id}%'") == [{"why": why, "times": 1}]


def test_line_that_was_cut(world):
    world.append(f"{STAMP}bad postfix/smtp[77]: 4C0001: tlsau\n")
    world.record("4C0002", GOOD)
    assert world.database.rows("SELECT why FROM rejected WHERE line LIKE '%4C0001%'") == [
        {"why": "cut"}]


def test_values_come_unchanged(world):
    """Whatever is in them, on the way through SQL."""
    value = r"""it's \\ 'so' \', '); DROP TABLE tls_audit.event; -- $(id) `id` %s :z {"} """ \
        + "\u00e4\u20ac;"
    world.record("4D0001", f"{GOOD}, x={value}")
    row, = world.database.rows("SELECT attrs FROM event WHERE queue_id = '4D0001'")
    assert row["attrs"]["x"] == value


def test_help_and_usage():
    loader = SHIPPED / "tls-audit-load"
    assert subprocess.run(["/usr/bin/python3", loader, "--help"], stdout=subprocess.PIPE, check=True).stdout
    assert subprocess.run(["/usr/bin/python3", loader], stderr=subprocess.PIPE, check=False).returncode == 2
