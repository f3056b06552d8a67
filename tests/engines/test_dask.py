"""tls-audit-dask: many logs on the workers of a cluster, with the result of one pass."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from engines import SHIPPED, TOP, audit, wait_for

DRIVER = SHIPPED / "tls-audit-dask"
HOSTS, LOGS_PER_HOST = 20, 10
ADDRESS = "tcp://127.0.0.1:8786"
OPTIONS = ("--no-dashboard", "--host", "127.0.0.1")


@pytest.fixture(scope="module", name="logs")
def make_logs(tmp_path_factory):
    """20 hosts with 10 rotated logs each, some compressed, cut anywhere."""
    directory = tmp_path_factory.mktemp("logs")
    whole = directory / "whole"
    subprocess.run([TOP / "tests/log/loggen", "--size", "8", "--destinations", "300", whole],
                   check=True)
    lines = whole.read_bytes().splitlines(keepends=True)
    whole.unlink()
    logs = []
    for host in range(HOSTS):
        name = f" mx{host} ".encode()
        part = lines[len(lines) * host // HOSTS:len(lines) * (host + 1) // HOSTS]
        for number in range(LOGS_PER_HOST):
            path = directory / f"mx{host}" / f"mail.log.{LOGS_PER_HOST - number}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"".join(line.replace(b" mx1 ", name, 1) for line in part[
                len(part) * number // LOGS_PER_HOST:len(part) * (number + 1) // LOGS_PER_HOST]))
            os.utime(path, (1798000000 + number, 1798000000 + number))
            if number % 3 == 0:
                subprocess.run(["gzip", path], check=True)
                path = path.with_name(path.name + ".gz")
            logs.append(path)
    assert len(logs) == HOSTS * LOGS_PER_HOST
    return logs


@pytest.fixture(scope="module", name="one_pass")
def make_one_pass(logs):
    return audit("-j", *logs)


def processes_of(path):
    """Process IDs of what runs this program, by its arguments."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if str(path).encode() in (directory / "cmdline").read_bytes().split(b"\0"):
                found.append(int(directory.name))
        except OSError:
            pass
    return found


class Cluster:
    """A scheduler and workers, as processes."""

    def __init__(self, workers, directory):
        self.directory = directory
        self.processes = [self.start("dask-scheduler", "--port", "8786")]
        self.workers = [self.start("dask-worker", "--nworkers", "1", "--nthreads", "1",
                                   "--no-nanny", "--local-directory", directory, ADDRESS)
                        for _ in range(workers)]
        self.wait(workers)

    def start(self, *command):
        log = (self.directory / f"{command[0]}.log").open("a")
        return subprocess.Popen([*map(str, command), *OPTIONS], stdout=log, stderr=log,
                                cwd=self.directory)

    def wait(self, workers):
        """Until all of them are there."""
        wait_for(lambda: (self.directory / "dask-scheduler.log").read_text().count(
            "Register worker") >= workers, "workers")

    def stop(self):
        for process in self.workers + self.processes:
            process.kill()
            process.wait()


@pytest.fixture(name="cluster")
def make_cluster(request, tmp_path):
    cluster = Cluster(request.param, tmp_path)
    yield cluster
    cluster.stop()


def driver(*arguments, **options):
    return subprocess.Popen(["/usr/bin/python3", DRIVER, *map(str, arguments)],
                            stderr=subprocess.PIPE, text=True,
                            **options)


@pytest.mark.parametrize("cluster", [4], indirect=True)
@pytest.mark.parametrize("stream", [(), ("--stream",)], ids=["shared", "streamed"])
def test_a_worker_is_killed(cluster, logs, one_pass, tmp_path, stream):
    """While it works: nothing is missing, and nothing counts twice."""
    slow = tmp_path / "slow"            # each log takes long enough to be killed in
    slow.write_text('#!/bin/sh\nsleep 0.05\nexec posttls-audit "$@"\n')
    slow.chmod(0o755)
    running = driver("-s", ADDRESS, "-o", tmp_path / "summary", "--program", slow, *stream, *logs)
    wait_for(lambda: processes_of(slow), "posttls-audit at work")
    cluster.workers[0].send_signal(signal.SIGKILL)
    _, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors
    assert cluster.workers[0].wait() == -signal.SIGKILL
    assert re.search("(Remove|Closing|closed).*", (tmp_path / "dask-scheduler.log").read_text())
    assert audit("-j", tmp_path / "summary") == one_pass


@pytest.mark.parametrize("cluster", [1, 2], indirect=True, ids=["1 worker", "2 workers"])
def test_speed(cluster, logs, one_pass, tmp_path, record_property, capsys):
    """With 1 and 2 workers; what it takes is shown, and depends on the machine."""
    began = time.monotonic()
    running = driver("-s", ADDRESS, "-o", tmp_path / "summary", *logs)
    _, errors = running.communicate(timeout=120)
    seconds = time.monotonic() - began
    assert (running.returncode, errors) == (0, "")
    record_property("seconds", seconds)
    with capsys.disabled():
        print(f"\ndask: {len(logs)} logs, {len(cluster.workers)} worker(s): {seconds:.2f} s")
    assert audit("-j", tmp_path / "summary") == one_pass


def test_cluster_of_its_own(logs, tmp_path):
    """Without a scheduler, on the processors of this host."""
    running = driver("-o", tmp_path / "summary", "-q", *logs[:20])
    _, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors
    assert audit("-j", tmp_path / "summary") == audit("-j", *logs[:20])


@pytest.mark.parametrize("cluster", [1], indirect=True)
def test_one_clear_line(cluster, logs, tmp_path):
    """When a log cannot be read, or there is no cluster: no summary, no stack trace."""
    for arguments, message in (
            (("-s", ADDRESS, "/no/such/log", logs[0]), "/no/such/log"),
            (("-s", ADDRESS, "--stream", "/no/such/log"), "No such file"),
            (("-s", ADDRESS, "--program", "/no/such/program", logs[0]), "/no/such/program"),
            (("-s", "tcp://127.0.0.1:1", logs[0]), "127.0.0.1:1")):
        running = driver("-o", tmp_path / "summary", *arguments)
        _, errors = running.communicate(timeout=120)
        assert running.returncode == 1
        last = errors.strip().splitlines()[-1]
        assert last.startswith("tls-audit-dask: error: ") and message in last, errors
        assert "Traceback" not in errors
        assert not (tmp_path / "summary").exists()


def test_driver_is_small():
    assert len(DRIVER.read_text().splitlines()) <= 150


# The same contract with engines that need no program of ours: what README shows.

def readme_commands(title):
    """The command lines of this part of README, a text for each indented block."""
    text = (SHIPPED / "README").read_text().split(f"\n\n{title}\n\n")[1]
    blocks = re.findall(r"(?:^\t.*\n)+", text, re.M)
    return [re.sub("^\t", "", block, flags=re.M) for block in blocks]


@pytest.fixture(name="archive")
def make_archive(logs, tmp_path):
    """The logs of some hosts, where README says that they are."""
    place = tmp_path / "archive"
    for directory in {path.parent for path in logs[:60]}:
        shutil.copytree(directory, place / directory.name)
    return place


def run_commands(commands, archive):
    subprocess.run(["sh", "-ec", commands], cwd=archive, check=True, timeout=120)
    assert audit("-j", archive / "all.summary") == audit("-j", *archive.glob("*/mail.log*"))


def test_parallel(archive):
    run_commands(readme_commands("GNU parallel")[0], archive)


def test_gearman(archive):
    worker, commands, *_ = readme_commands("Gearman")
    log = archive.with_name("gearmand.log")
    server = subprocess.Popen(["gearmand", "-L", "127.0.0.1", "-u", "root", "-l", log])
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.write("127.0.0.1 server\n")
    wait_for(lambda: subprocess.run(["gearadmin", "-h", "server", "--status"], check=False,
                                    capture_output=True).returncode == 0, "gearmand")
    workers = [subprocess.Popen(["sh", "-c", "exec " + worker], cwd=archive) for _ in range(2)]
    try:
        run_commands(commands, archive)
    finally:
        for process in (*workers, server):
            process.kill()
            process.wait()
