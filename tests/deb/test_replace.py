"""Our packages in the place of Debian's, and back, in a clone; see replace.py."""

import subprocess

from testenv.clone import TOP, environment, in_clone


def test_upgrade_and_back(packages, dependencies):
    directories = [packages.debian_directory, dependencies]
    binds = [word for directory in (packages.directory, *directories)
             for word in ("--bind", directory)]
    done = subprocess.run(
        in_clone("tests/deb/replace.py", packages.summary, *directories,
                 options=("--bare", *binds)),
        cwd=TOP, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("scenario complete\n")
