"""Our Debian packages, and Debian's own of the same version."""

import os
import subprocess
from pathlib import Path

import pytest

from testenv.clone import TOP

DOWNLOADS = TOP / "build/.state/deb-depends"


def program(*command):
    done = subprocess.run(
        command, cwd=TOP, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items()
             if name not in ("RELEASE", "POSTFIX_SOURCE")
             and not name.startswith("MAKE")})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Packages:
    def __init__(self):
        self.summary = program("sh", "ci/deb")
        self.debian_directory = Path(program("sh", "ci/deb", "--debian").strip())
        self.debian, self.version = program("sh", "ci/deb", "--show").split()
        self.directory = TOP / "build/deb"

    def ours(self, name):
        file, = self.directory.glob(f"{name}_{self.version}_*.deb")
        return file

    def debians(self, name):
        file, = self.debian_directory.glob(f"{name}_*.deb")
        return file


@pytest.fixture(scope="session")
def packages():
    return Packages()


@pytest.fixture(scope="session")
def dependencies(packages):
    """What Debian's packages need and this machine does not have, for a clone
    that has no network."""
    names = {file.name.split("_")[0] for file in packages.debian_directory.glob("*.deb")}
    (DOWNLOADS / "partial").mkdir(parents=True, exist_ok=True)
    for old in DOWNLOADS.glob("postfix*"):
        old.unlink()
    program("apt-get", "-q", "-y", "-o", f"Dir::Cache::archives={DOWNLOADS}",
            "-o", "APT::Keep-Downloaded-Packages=true",
            "-o", "APT::Sandbox::User=root", "--download-only", "--reinstall",
            "--no-install-recommends", "install", *sorted(names))
    for file in DOWNLOADS.glob("postfix*.deb"):
        file.unlink()
    return DOWNLOADS
