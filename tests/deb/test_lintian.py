"""lintian finds no error or warning that Debian's own packages do not have."""

import json
import os
import re
import subprocess

# Who builds, and not what was built: these are not meant for Debian's archive.
NOT_FOR_DEBIAN = (
    "source-nmu-has-incorrect-version-number", "no-nmu-in-changelog",
    "maintainer-upload-has-incorrect-version-number",
    "changelog-should-mention-nmu", "bugs-field-does-not-refer-to-debian-infrastructure",
    "maintainer-address-malformed", "mail-address-loops-or-bounces",
    "bogus-mail-host", "root-in-contact", "unknown-field Original-Maintainer",
    "package-has-long-file-name",  # for a CD, with our version in it
)


def lintian(*files):
    """Errors and warnings, less versions and line numbers, which are always new."""
    root = ["--allow-root"] if os.geteuid() == 0 else []
    done = subprocess.run(["lintian", *root, "--no-cfg", "--tag-display-limit", "0",
                           "--fail-on", "none", *map(str, files)],
                          text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {re.sub(r"\d+", "N", line): line for line in done.stdout.splitlines()
            if line.startswith(("E: ", "W: "))}


def remark(line):
    """From `E: postfix: some-tag ...' or `W: postfix source: some-tag ...'."""
    return line.split(": ", 2)[2]


def of_debians(packages):
    """Once for each version of Debian's packages and of lintian: it takes long."""
    version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "lintian"],
                             text=True, capture_output=True, check=True).stdout
    kept = packages.debian_directory.parent / f"lintian-{version}.json"
    if not kept.exists():
        new = kept.with_suffix(".new")
        new.write_text(json.dumps(lintian(
            *(packages.debian_directory.parent / "source").glob("*.dsc"),
            *packages.debian_directory.glob("*.deb"))))
        new.rename(kept)
    return json.loads(kept.read_text())


def test_nothing_new(packages):
    debians = of_debians(packages)
    ours = lintian(*packages.directory.glob("*.changes"))
    assert debians, "Debian's own packages are not without any"
    new = [line for form, line in ours.items()
           if form not in debians and not remark(line).startswith(NOT_FOR_DEBIAN)]
    assert new == []
