"""The built-in audit template json, as other programs read it.

The records are those of the unit test of tls_audit(3), which compares them with
what the module makes of hostile values.
"""

import json
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
START = b"tlsaudit: {"
LIMIT = 1900                            # bytes, said in postconf(5)
NUMBERS = {"reuse", "nrcpt", "size", "relay_port"}
BOOLEANS = {"fs", "resumed"}
RECORDS = [line for line in (TOP / "postfix/src/tls/tls_audit.ref")
           .read_bytes().split(b"\n") if line.startswith(START)]
OBJECTS = [line[len(START) - 1:] for line in RECORDS]
PARSED = [json.loads(text) for text in OBJECTS]


def test_records():
    assert len(RECORDS) > 10
    assert any("\u202e" in record.get("subject", "") for record in PARSED)
    assert any("\ufffd" in record.get("issuer", "") for record in PARSED)


@pytest.mark.parametrize("line", RECORDS)
def test_one_printable_line_below_the_limit(line):
    assert len(line) <= LIMIT
    assert all(0x20 <= byte < 0x7f for byte in line)


@pytest.mark.parametrize("text", OBJECTS)
def test_names_occur_once_and_have_their_type(text):
    pairs = json.loads(text, object_pairs_hook=list)
    assert len(dict(pairs)) == len(pairs)
    for name, value in pairs:
        assert type(value) is (int if name in NUMBERS else
                               bool if name in BOOLEANS else str), name


def test_jq():
    done = subprocess.run(["jq", "-c", "."], input=b"\n".join(OBJECTS),
                          stdout=subprocess.PIPE, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == PARSED


@pytest.fixture
def database():
    """psql, with a database of its own; PostgreSQL does not run as root."""
    programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"),
                   key=lambda path: float(path.parent.name))
    place = pathlib.Path(subprocess.run(
        ["mktemp", "-d"], stdout=subprocess.PIPE, text=True,
        check=True).stdout.strip())
    shutil.chown(place, "postgres", "postgres")

    def run(program, *args, text=None):
        return subprocess.run(
            ["runuser", "-u", "postgres", "--", programs / program, *args],
            input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=True, cwd="/").stdout

    run("initdb", "-D", place / "data", "-E", "UTF8", "--locale=C", "-A",
        "trust", "-N")
    run("pg_ctl", "-D", place / "data", "-w", "-l", place / "log", "-o",
        f"-k {place} -c listen_addresses='' -c fsync=off", "start")
    try:
        yield lambda text: run("psql", "-h", place, "-d", "postgres", "-qAt",
                               "-v", "ON_ERROR_STOP=1", text=text)
    finally:
        run("pg_ctl", "-D", place / "data", "-m", "immediate", "stop")
        shutil.rmtree(place)


def test_postgresql(database):
    answer = database("".join(f"SELECT $json${text.decode()}$json$::jsonb;\n"
                              for text in OBJECTS))
    assert [json.loads(line) for line in answer.split("\n") if line] == PARSED
