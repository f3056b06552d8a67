#!/usr/bin/python3
"""usage: tests/upstream.py run TREE RESULTS
       tests/upstream.py compare PRISTINE-RESULTS PATCHED-RESULTS

run: run upstream's `make tests' in a built tree, one test at a time, so that
one that fails does not hide those after it, and write what came of each to a
file. To be run as root in ci/sandbox: the tests write in the tree, some want
an installed Postfix, and none may depend on the network.

compare: every test of the pristine tree must have the same result in the
patched one, down to what a failing test printed, and the patched tree must have
tests of its own, which pass. Ends with a line `N passed, N failed', where
a test that fails alike in both trees counts as passed.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

# Prerequisites of tests that are no tests.
STEPS = {"all", "test", "update", "default"}

NOBODY = 65534

# What differs from run to run whatever is tested.
VOLATILE = [
    (re.compile(r"\[\d+\]"), "[PID]"),
    (re.compile(r"0x[0-9a-f]+"), "ADDRESS"),
    (re.compile(r"/tmp/cc\w+\.o"), "OBJECT"),
    (re.compile(r"Makefile:\d+"), "Makefile:LINE"),
    (re.compile(r"\d+(\.\d+)?user.*"), "TIME"),
]


def directories(tree):
    text = (tree / "Makefile.in").read_text().replace("\\\n", " ")
    return re.search(r"^DIRS\s*=(.*)$", text, re.M).group(1).split()


def test_targets(directory):
    """What `tests' stands for: targets that have commands."""
    listing = subprocess.run(
        ["make", "-qp", "tests"],
        cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    ).stdout
    rules = {}
    for block in listing.split("\n\n"):
        rule = re.search(r"^([\w.+/-]+):(?!=) *(.*)$", block, re.M)
        if rule and "# Not a target" not in block:
            has_commands = re.search(r"^\t", block, re.M) is not None
            rules[rule.group(1)] = (rule.group(2).split(" | ")[0].split(), has_commands)
    found = []

    def expand(name):
        prerequisites, has_commands = rules.get(name, ([], True))
        if has_commands and name != "tests":
            if name not in found and name not in STEPS:
                found.append(name)
            return
        for prerequisite in prerequisites:
            expand(prerequisite)

    expand("tests")
    return found


def run_one(directory, target):
    try:
        done = subprocess.run(
            ["make", "--no-print-directory", target],
            cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=300,
        )
        output = done.stdout.decode("utf-8", "replace")
        return {"ok": done.returncode == 0, "output": output}
    except subprocess.TimeoutExpired:
        return {"ok": False, "output": "no end after 300 seconds\n"}


def run_directory(tree, directory):
    """Test programs first, so that a test's output is its own."""
    path = tree / directory
    targets = test_targets(path)
    if targets:
        run_one(path, "test")
    results = {}
    for target in targets:
        results[f"{directory}: {target}"] = run_one(path, target)
    print(directory.removeprefix("src/"), end=" ", file=sys.stderr, flush=True)
    return results


def meet_expectations(tree):
    """Be what the reference output of many tests was made by.

    An ordinary user of the American east coast with a word list.
    """
    words = pathlib.Path("/usr/share/dict/words")
    if not words.exists():
        words.parent.mkdir(parents=True, exist_ok=True)
        words.write_text("".join(f"word{n}\n" for n in range(10000)))
    subprocess.run(["chown", "-R", str(NOBODY), tree], check=True)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    for name in ("MAKEFLAGS", "MAKELEVEL"):
        os.environ.pop(name, None)
    os.environ.update(TZ="EST5EDT", LC_ALL="C.UTF-8")


def run(tree, output):
    """One directory at a time: a test in one may make a library of all."""
    tree = pathlib.Path(tree).resolve()
    results = {}
    output = open(output, "w")
    meet_expectations(tree)
    for name in directories(tree):
        results.update(run_directory(tree, name))
    print(file=sys.stderr)
    text = json.dumps(results, indent=1).replace(str(tree), "TREE")
    with output:
        output.write(text)
    return 0


def stable(text):
    for pattern, replacement in VOLATILE:
        text = pattern.sub(replacement, text)
    # The commands are not the test; what they print is. Some programs are made
    # when the first test wants them.
    return [
        line for line in text.splitlines()
        if not re.search(r"\s-[co] \S+|^(cc|gcc|cp|rm|ln|mv) ", line)
    ]


def compare(pristine_file, patched_file):
    pristine = json.loads(pathlib.Path(pristine_file).read_text())
    patched = json.loads(pathlib.Path(patched_file).read_text())
    passed = failed = 0
    for name in sorted(pristine.keys() | patched.keys()):
        old, new = pristine.get(name), patched.get(name)
        if new is None:
            fault = "is gone from the patched tree"
        elif old is None:
            fault = None if new["ok"] else "is ours, and fails"
        elif old["ok"] != new["ok"]:
            fault = f"passes only in the {'pristine' if old['ok'] else 'patched'} tree"
        elif not old["ok"] and stable(old["output"]) != stable(new["output"]):
            fault = "fails in both trees, but not alike"
        else:
            fault = None
        if fault:
            failed += 1
            print(f"{name} {fault}")
            for line in (new or old)["output"].splitlines()[-30:]:
                print("    " + line)
        else:
            passed += 1
    ours = sorted(patched.keys() - pristine.keys())
    alike = sorted(name for name in pristine if not pristine[name]["ok"])
    if alike:
        print("fail in the pristine tree too:", ", ".join(alike))
    print("only in the patched tree:", ", ".join(ours) or "none")
    if not ours:
        print("`make tests' runs no test of ours")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] in ("run", "compare"):
        sys.exit({"run": run, "compare": compare}[sys.argv[1]](*sys.argv[2:]))
    print(__doc__, file=sys.stderr)
    sys.exit(0 if sys.argv[1:] == ["--help"] else 2)
