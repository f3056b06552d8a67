"""ci/sandbox: a clone of the machine that leaves nothing behind."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import ORDINARY_USER, clean_environment


def sandbox(built, *args, **more):
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(
        ["sh", "ci/sandbox", *map(str, args)],
        cwd=built, env=clean_environment(RELEASE="3.10"), capture_output=True, text=True,
        timeout=1200,  # the other root may have to be made
        **more,
    )


def output(built, *args):
    done = sandbox(built, *args)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def processes_with(word):
    """Processes, of any namespace, whose command line has the word."""
    found = []
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (directory / "cmdline").read_bytes():
                found.append(int(directory.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return [pid for pid in found if pid != os.getpid()]


def wait_until(condition, what):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.mark.parametrize("status", [0, 1, 42])
def test_exit_status(built, status):
    assert sandbox(built, "sh", "-c", f"exit {status}").returncode == status


def test_exit_status_of_a_killed_command(built):
    done = sandbox(built, "sh", "-c", "kill -KILL $$")
    assert done.returncode == 128 + signal.SIGKILL


def test_standard_input(built):
    with open("/etc/os-release") as source:
        done = sandbox(built, "cat", stdin=source)
    assert done.stdout == pathlib.Path("/etc/os-release").read_text()


def test_arguments_and_directory(built):
    assert output(built, "sh", "-c", 'echo "$PWD|$1|$2"', "sh", "a  b", "*") == (
        f"{built}|a  b|*\n"
    )


def test_postfix_is_installed_and_not_started(built):
    text = output(
        built, "sh", "-c",
        "postconf -h mail_version maillog_file smtp_tls_fallback_level;"
        "postfix check; postfix status; id -un postfix; getent group postdrop;"
        "newaliases; postmap -q postmaster hash:/etc/aliases; postconf -m",
    )
    assert text.splitlines()[:3] == ["3.10.13", "/var/log/mail.log", ""]
    assert {"hash", "cdb", "lmdb", "pcre", "regexp"} <= set(text.split())


def test_pristine_postfix(built):
    done = sandbox(built, "--pristine", "postconf", "smtp_tls_fallback_level")
    assert "unknown parameter" in done.stderr
    assert done.stdout == ""


def test_mail_is_logged(built):
    text = output(
        built, "sh", "-c",
        "postfix start >/dev/null 2>&1; echo hello | sendmail -f a@b.example root;"
        "tail -n +1 -F /var/log/mail.log 2>/dev/null | grep -m1 status=; postfix abort",
    )
    assert "status=sent" in text


def test_network_is_loopback_alone(built):
    text = output(
        built, "sh", "-c",
        "hostname; ls /sys/class/net; python3 -c '"
        "import socket\n"
        "for family, address in ((2, \"127.9.9.9\"), (10, \"::1\")):\n"
        "    s = socket.create_server((address, 25), family=family)\n"
        "    socket.create_connection((address, 25), 5)\n"
        "    print(address)'",
    )
    assert text.split() == ["sandbox.example", "lo", "127.9.9.9", "::1"]


def test_files_written_are_lost(built, tmp_path):
    probes = [tmp_path / "probe", "/etc/probe", "/dev/shm/probe", "/run/probe",
              "/dev/probe", built / "probe", "/var/tmp/probe"]
    output(built, "touch", *probes)
    assert [probe for probe in probes if os.path.exists(probe)] == []


def test_bound_directory_is_the_machines(built, tmp_path):
    (tmp_path / "in").write_text("from outside")
    text = output(built, "--bind", tmp_path, "sh", "-c",
                  f"cat {tmp_path}/in; echo from inside >{tmp_path}/out")
    assert text == "from outside"
    assert (tmp_path / "out").read_text() == "from inside\n"


def test_no_process_of_the_machine_is_seen(built):
    pids = output(built, "sh", "-c", "ls -d /proc/[0-9]*").split()
    assert 2 <= len(pids) <= 6


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed(built, tmp_path, number):
    """Whatever ends it, no process and no mount stays."""
    ready = tmp_path / "ready"
    ready.mkdir()
    mounts = pathlib.Path("/proc/self/mounts").read_text()
    mark = f"mark{os.getpid()}.{number}"
    running = subprocess.Popen(
        ["sh", "ci/sandbox", "--bind", ready, "sh", "-c",
         "postfix start; (exec setsid sh -c 'sleep 1000; :' $0) & touch $1; wait",
         mark, ready / "yes"],
        cwd=built, env=clean_environment(RELEASE="3.10"), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    wait_until((ready / "yes").exists, "the clone does not start")
    assert processes_with(mark)
    running.send_signal(number)
    status = running.wait(60)
    assert status == (-number if number == signal.SIGKILL else 128 + number)
    wait_until(lambda: not processes_with(mark), "processes stay")
    assert pathlib.Path("/proc/self/mounts").read_text() == mounts
    assert not list((built / "build/.state/room").iterdir())


def test_daemons_end_with_the_command(built):
    mark = f"mark{os.getpid()}.daemon"
    output(built, "sh", "-c", "setsid sh -c 'sleep 1000; :' $0 >/dev/null 2>&1 &", mark)
    assert not processes_with(mark)


def test_second_start_installs_nothing(built):
    """What makes it fast: Postfix is there already, as a difference to the machine."""
    sandbox(built, "true")
    done = sandbox(built, "true")
    assert done.returncode == 0
    assert "installing" not in done.stderr and "building" not in done.stderr, done.stderr


def test_not_root(repository):
    repository.open_to_all()
    repository.fails(
        "only root can make a clone of the machine", "ci/sandbox", "true",
        prefix=ORDINARY_USER,
    )


def test_usage(repository):
    repository.fails("no command", "ci/sandbox")
    repository.fails("unknown option --oops", "ci/sandbox", "--oops", "true")
    repository.fails("/nowhere", "ci/sandbox", "--bind", "/nowhere", "true")
    repository.fails("/nowhere", "ci/sandbox", "--root", "/nowhere", "true")
    repository.fails("unknown root `debian-1'", "ci/sandbox", "--root", "debian-1", "true")
    repository.fails("--network needs --bare", "ci/sandbox", "--network", "true")


def in_other_root(built, *args):
    return output(built, "--root", "debian-13", *args)


def test_other_root(built):
    """Another system, with the same project at the same place."""
    text = in_other_root(built, "--bare", "sh", "-c",
                         ". /etc/os-release; echo $VERSION_CODENAME; pwd;"
                         "hostname; ls /sys/class/net; cat ci/roots.table")
    assert text == f"trixie\n{built}\nsandbox.example\nlo\n{(built / 'ci/roots.table').read_text()}"


def test_other_root_builds_apart(built, tmp_path):
    """What is built there is kept, and does not get mixed up."""
    try:
        in_other_root(built, "--bare", "--bind", tmp_path, "touch",
                      "build/probe", "probe", "/probe", tmp_path / "probe")
        assert (built / "build/debian-13/probe").exists()
        assert (tmp_path / "probe").exists()
        for lost in ("build/probe", "probe"):
            assert not (built / lost).exists()
    finally:
        (built / "build/debian-13/probe").unlink(missing_ok=True)
    assert in_other_root(built, "--bare", "sh", "-c", "ls -d /probe || :") == ""


def test_network_of_the_machine(built):
    interfaces = ["--bare", "sh", "-c", "ls /sys/class/net"]
    assert output(built, *interfaces) == "lo\n"
    theirs = subprocess.run(["ls", "/sys/class/net"], capture_output=True,
                            text=True, check=True).stdout
    assert output(built, "--network", *interfaces) == theirs


def test_no_network_and_no_root(built):
    done = sandbox(built, "--bare", "env", "POSTFIX_CACHE=/tmp/empty",
                   "sh", "ci/root", "debian-13")
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert done.returncode != 0
    assert len(errors) == 1
    assert "the archive of trixie cannot be reached" in errors[0]
    assert done.stdout == ""
