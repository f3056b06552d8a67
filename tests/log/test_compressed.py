"""Compressed logs, with the libraries that ci/makefiles.default names."""

import gzip
import lzma
import subprocess

import pytest

from test_posttls_audit import ERROR, GOOD, audit, lines_of, report


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data,
                          stdout=subprocess.PIPE, check=True).stdout


PACKERS = {"gzip": gzip.compress, "xz": lzma.compress, "zstd": zstd}


@pytest.mark.parametrize("name", PACKERS)
def test_compressed(name, tmp_path):
    """One stream, several, and padding; large and small."""
    pack = PACKERS[name]
    one = tmp_path / "one"
    one.write_bytes(pack(GOOD.encode() * 20000))
    two = tmp_path / "two"
    two.write_bytes(pack(GOOD.encode()) + pack(b"") + pack(GOOD.encode() * 4) + bytes(1000))
    result = report(one, two, "-", text=pack(GOOD.encode() * 10))
    assert lines_of(result)["audit"] == 20000 + 5 + 10
    assert result["notes"] == []


@pytest.mark.parametrize("name", PACKERS)
def test_truncated(name, tmp_path):
    whole = PACKERS[name]("".join(audit(queue_id=f"4{n * 7919 % 65536:X}", level="may")
                                  for n in range(500)).encode())
    path = tmp_path / "cut"
    for size in range(6, len(whole), max(len(whole) // 12, 1)):
        path.write_bytes(whole[:size])
        assert [row["problem"] for row in report(path, status=ERROR)["notes"]] \
            == [f"{name} file is truncated; using what was read"]


@pytest.mark.parametrize("name", PACKERS)
def test_damaged(name, tmp_path):
    pack = (lambda data: zstd(data, "--check")) if name == "zstd" else PACKERS[name]
    whole = bytearray(pack("".join(
        audit(queue_id=f"4{n * 7919 % 65536:X}", level="may") for n in range(500)).encode()))
    whole[len(whole) // 2] ^= 0xff
    path = tmp_path / "bad"
    path.write_bytes(whole)
    problems = [row["problem"] for row in report(path, status=ERROR)["notes"]]
    assert problems[0].startswith(f"{name} file is damaged: ")


def test_memory_of_the_compressed_is_bounded(tmp_path):
    """A few bytes cannot make the program use any amount of memory."""
    path = tmp_path / "wide"
    # Frame header: no checksum, no size, a window of 1 Gbyte.
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00\xa0" + zstd(GOOD.encode())[6:])
    problems = [row["problem"] for row in report(path, status=ERROR)["notes"]]
    assert len(problems) == 1 and problems[0].startswith("zstd file is damaged: ")
