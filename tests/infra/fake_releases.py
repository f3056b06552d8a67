"""Upstream releases made up for a test: a few small files, at once unpacked."""

import difflib
import hashlib
import tarfile

HEADER = "Change the numbered lines, so that the tests have a patch that applies.\n\n"
SMTP = "src/smtp/smtp.c"
TLS = "src/tls/tls.h"


def numbered(name, count=60):
    """Lines that all differ, so that context finds its place."""
    return [f"{name} line {number}\n" for number in range(1, count + 1)]


def release(path, version, **changed):
    """A source tree; smtp and tls are the lines of its two files, or None."""
    files = {
        "makedefs": ["# nothing\n"],
        "src/global/mail_version.h": [f'#define MAIL_VERSION_NUMBER\t"{version}"\n'],
        SMTP: changed.get("smtp", numbered("smtp")),
        TLS: changed.get("tls", numbered("tls")),
    }
    for name, lines in files.items():
        if lines is not None:
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(lines))
    return path


def pack(tree):
    """The tarball of a tree."""
    made = tree.parent / f"{tree.name}.tar.gz"
    with tarfile.open(made, "w:gz") as archive:
        archive.add(tree, tree.name)
    return made


def with_lines(lines, *numbers, text="// ours, after {line}"):
    """The lines, with one of ours after each of the numbered ones."""
    made = list(lines)
    for number in sorted(numbers, reverse=True):
        made.insert(number, text.format(line=lines[number - 1].strip()) + "\n")
    return made


def patch(*changes, header=HEADER):
    """A patch in normal form, from (file, lines before, lines after)."""
    return header + "".join(
        "".join(difflib.unified_diff(old, new, f"a/{name}", f"b/{name}"))
        for name, old, new in sorted(changes)
    )


def series(repository, line, patches):
    """Make patches the series of the release line."""
    for file in (repository.path / "patches" / line).glob("*"):
        file.unlink()
    for name, text in patches.items():
        repository.write(f"patches/{line}/{name}", text)
    repository.write(f"patches/{line}/series", "".join(f"{name}\n" for name in patches))


def pinned(repository, **sources):
    """Make the trees what ci/upstream.table has, and put them into the cache.

    The names are release lines: v3_10 for 3.10.
    """
    repository.cache.mkdir(exist_ok=True)
    table = ""
    for line, tree in sources.items():
        version = tree.name.removeprefix("postfix-")
        kept = repository.cache / f"postfix-{version}.tar.gz"
        pack(tree).rename(kept)
        digest = hashlib.sha256(kept.read_bytes()).hexdigest()
        (repository.cache / (kept.name + ".sha256")).write_text(digest + "\n")
        table += f"{line.replace('_', '.').lstrip('v')}\ttrixie\t{version}\t{digest}\n"
    repository.write("ci/upstream.table", table)
