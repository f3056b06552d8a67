#!/usr/bin/python3
"""Findings of upstream's documentation checks: mantools/check-*.

As a program: print what they find in one tree and not in the other, in the form
of the stop lists in proto/.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

# Not the name of the directory, which follows a rule of upstream's releases.
LEFT_OUT = {"check-snapshot-nonprod"}


def findings(tree):
    """The findings in a built tree: {check: {line}}."""
    tree = Path(tree).resolve()
    result = {}
    with tempfile.TemporaryDirectory() as tools:
        subprocess.run(["cc", "-w", "-o", tools + "/comment",
                        tree / "mantools/comment.c"], check=True)
        # As later releases have it in mantools/dehtml: with the default width,
        # words are cut in two where a line is too long.
        lynx = Path(tools, "lynx")
        lynx.write_text("#!/bin/sh\nexec /usr/bin/lynx -width=256 \"$@\"\n")
        lynx.chmod(0o755)
        env = {**os.environ, "PATH": tools + ":" + os.environ["PATH"],
               "LD_LIBRARY_PATH": str(tree / "lib"),
               "MAIL_CONFIG": str(tree / "conf"), "LC_ALL": "C"}
        for check in sorted(tree.glob("mantools/check-*")):
            if check.name in LEFT_OUT:
                continue
            with check.open() as script:
                shell = "perl" if "perl" in script.readline() else "sh"
            done = subprocess.run(
                [shell, check], cwd=tree, env=env, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            # A check that cannot run finds nothing.
            if done.stderr:
                raise RuntimeError(f"{check.name}: {done.stderr.decode(errors='replace')}")
            result[check.name] = set(
                done.stdout.decode(errors="replace").splitlines())
    return result


def new_findings(tree, pristine):
    """What is found in the tree and not in the pristine one."""
    before = findings(pristine)
    return {check: sorted(found - before[check])
            for check, found in findings(tree).items()
            if found - before[check]}


if __name__ == "__main__":
    for name, lines in new_findings(*sys.argv[1:]).items():
        print(name)
        print("".join(line + "\n" for line in lines))
