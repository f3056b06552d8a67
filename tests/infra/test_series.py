"""ci/series: one patch for all of it, and the way to work on the series."""

import subprocess

import pytest

from fake_releases import SMTP, TLS, numbered, patch, release, series, with_lines

TREE = "build/edit-3.10.13"
SAMPLE = "postfix/src/tls/tls_sample.c"
PATCH = "patches/3.10/sample.patch"


def test_patch_turns_pristine_into_ours(repository, tarball):
    repository.ok("make", "patch")
    patch = repository.path / "build/postfix-3.10.13-tls-fallback.patch"
    first = patch.read_bytes()
    subprocess.run(["tar", "-xf", tarball, "-C", repository.path.parent], check=True)
    plain = repository.path.parent / "postfix-3.10.13"
    subprocess.run(
        ["patch", "-p1", "--fuzz=0", "-s", "-d", plain, "-i", patch], check=True
    )
    repository.ok("ci/prepare")
    subprocess.run(
        ["diff", "-r", plain, repository.path / "build/postfix-3.10.13"], check=True
    )

    # The same again, also from scratch.
    subprocess.run(["rm", "-r", repository.path / "build"], check=True)
    repository.ok("make", "patch")
    assert patch.read_bytes() == first


def test_refresh_without_edits_changes_nothing(repository):
    repository.ok("make", "edit")
    before = repository.read(PATCH)
    repository.ok("make", "refresh")
    assert repository.read(PATCH) == before


def test_refresh_without_edit(repository):
    repository.fails("`make edit' comes first", "make", "refresh")


def test_edit_of_a_patched_file_goes_into_its_patch(repository):
    repository.ok("make", "edit")
    makefile = repository.path / TREE / "src/tls/Makefile.in"
    makefile.write_text(makefile.read_text() + "# the end\n")
    repository.ok("make", "refresh")
    assert repository.read(PATCH).startswith("Register the sample, so that")
    assert "+# the end\n" in repository.read(PATCH)
    repository.ok("make", "lint")
    assert "# the end\n" in (
        repository.ok("ci/prepare"),
        repository.read("build/postfix-3.10.13/src/tls/Makefile.in"),
    )[1]


def test_edit_of_an_unpatched_file_needs_a_patch(repository):
    repository.ok("make", "edit")
    header = repository.path / TREE / "src/tls/tls.h"
    header.write_text(header.read_text() + "/* the end */\n")
    repository.fails("no patch has src/tls/tls.h yet", "make", "refresh")
    assert header.read_text().endswith("/* the end */\n")

    repository.ok("make", "refresh", "PATCH=sample.patch")
    text = repository.read(PATCH)
    assert "+/* the end */\n" in text
    assert text.index("src/tls/Makefile.in") < text.index("src/tls/tls.h")
    assert header.read_text().endswith("/* the end */\n")


def test_edit_into_a_new_patch(repository):
    repository.ok("make", "edit")
    header = repository.path / TREE / "src/tls/tls.h"
    header.write_text(header.read_text() + "/* the end */\n")
    repository.ok("make", "refresh", "PATCH=second.patch")
    assert repository.read("patches/3.10/series") == "sample.patch\nsecond.patch\n"
    assert "+/* the end */\n" in repository.read("patches/3.10/second.patch")
    repository.fails("1 faults found", "make", "lint")  # it has no header yet


def test_added_file_is_one_file_in_both_places(repository):
    repository.ok("make", "edit")
    link = repository.path / TREE / "src/tls/tls_sample.c"
    link.write_text("/* through the link */\n")
    assert repository.read(SAMPLE) == "/* through the link */\n"
    repository.write(SAMPLE, "/* in its place */\n")
    assert link.read_text() == "/* in its place */\n"


@pytest.mark.parametrize("command", ["edit", "refresh"])
def test_replaced_link_is_brought_home(repository, command):
    """Many editors write a new file and rename it."""
    repository.ok("make", "edit")
    link = repository.path / TREE / "src/tls/tls_sample.c"
    link.unlink()
    link.write_text("/* by a renaming editor */\n")
    repository.ok("make", command)
    assert repository.read(SAMPLE) == "/* by a renaming editor */\n"
    assert link.is_symlink()


def test_replaced_link_and_edited_original_is_a_conflict(repository):
    repository.ok("make", "edit")
    link = repository.path / TREE / "src/tls/tls_sample.c"
    link.unlink()
    link.write_text("/* here */\n")
    repository.write(SAMPLE, "/* there */\n")
    repository.fails("was edited both in postfix/ and in", "make", "refresh")
    assert (link.read_text(), repository.read(SAMPLE)) == ("/* here */\n", "/* there */\n")


def test_file_added_later_appears_in_the_tree(repository):
    repository.ok("make", "edit")
    repository.write("postfix/src/tls/tls_more.c", "/* more */\n")
    repository.ok("make", "edit")
    assert (repository.path / TREE / "src/tls/tls_more.c").is_symlink()


def test_changed_series_and_edited_tree_is_a_conflict(repository):
    repository.ok("make", "edit")
    makefile = repository.path / TREE / "src/tls/Makefile.in"
    makefile.write_text(makefile.read_text() + "# the end\n")
    changed = repository.read(PATCH).replace("tls_sample.o", "tls_sample2.o")
    repository.write(PATCH, changed)
    repository.fails("has edits: src/tls/Makefile.in", "make", "edit")
    repository.fails("has changed since", "make", "refresh")
    assert makefile.read_text().endswith("# the end\n")
    assert repository.read(PATCH) == changed


def test_changed_series_replaces_an_unedited_tree(repository):
    repository.ok("make", "edit")
    repository.write(PATCH, repository.read(PATCH).replace("tls_sample.o", "tls_other.o"))
    repository.ok("make", "edit")
    assert "tls_other.o" in repository.read(TREE + "/src/tls/Makefile.in")


def test_lint_accepts_and_counts(repository):
    done = repository.ok("make", "lint")
    assert (
        "patches/3.10 on Postfix 3.10.13: 1 patches, 0 added and 0 removed lines"
        in done.stdout
    )


def lint_finds(repository, message):
    done = repository.run("make", "lint")
    assert done.returncode != 0
    assert message in done.stderr, done.stderr
    assert "1 faults found" in done.stderr, done.stderr


def test_lint_unlisted_patch(repository):
    repository.write("patches/3.10/other.patch", "")
    lint_finds(repository, "patches/3.10/other.patch is not in the series")


def test_lint_missing_patch(repository):
    repository.write("patches/3.10/series", "sample.patch\nother.patch\n")
    lint_finds(repository, "series names other.patch, which does not exist")


def test_lint_header(repository):
    text = repository.read(PATCH)
    repository.write(PATCH, text[text.index("--- a"):])
    lint_finds(repository, "no header that says what it is for")


def test_lint_does_not_apply(repository):
    repository.write(PATCH, repository.read(PATCH).replace("tls_fprint.c", "gone.c"))
    lint_finds(repository, "src/tls/Makefile.in hunk #1")


@pytest.mark.parametrize(
    "old, new",
    [
        ("--- a/src/tls/Makefile.in\n", "--- a/src/tls/Makefile.in\t2026-01-01\n"),
        ("@@ -1,5 +1,5 @@\n SHELL\t= /bin/sh\n", "@@ -2,4 +2,4 @@\n"),
        ("--- a/src", "Index: b/src/tls/Makefile.in\n--- a/src"),
    ],
    ids=["timestamp", "less-context", "index-line"],
)
def test_lint_normal_form(repository, old, new):
    text = repository.read(PATCH)
    assert old in text
    repository.write(PATCH, text.replace(old, new, 1))
    lint_finds(repository, "patches/3.10/sample.patch is not in normal form")


def test_lint_shadowed_file(repository):
    repository.write("postfix/src/tls/tls.h", "/* ours */\n")
    lint_finds(repository, "postfix/src/tls/tls.h shadows a file of Postfix 3.10.13")


def test_lint_executable(repository):
    (repository.path / SAMPLE).chmod(0o755)
    lint_finds(repository, "postfix/src/tls/tls_sample.c is executable")


@pytest.mark.parametrize("lines, ok", [(320, True), (321, False)])
def test_lint_limit(repository, lines, ok):
    repository.ok("make", "edit")
    header = repository.path / TREE / "src/tls/tls.h"
    header.write_text(header.read_text() + "/* one more */\n" * lines)
    repository.ok("make", "refresh", "PATCH=sample.patch")
    if ok:
        assert "320 added and 0 removed" in repository.ok("make", "lint").stdout
    else:
        lint_finds(repository, "321 added and 0 removed lines in src/, limits 320 and 80")


def test_lint_limit_of_removed_lines(repository):
    repository.ok("make", "edit")
    header = repository.path / TREE / "src/tls/tls.h"
    header.write_text("".join(header.read_text().splitlines(True)[:-81]))
    repository.ok("make", "refresh", "PATCH=sample.patch")
    lint_finds(repository, "0 added and 81 removed lines in src/, limits 320 and 80")


smtp, tls = numbered("smtp"), numbered("tls")
ONE = patch((SMTP, smtp, with_lines(smtp, 10, 30, 50)))
TWO = patch((TLS, tls, with_lines(tls, 20)))


@pytest.fixture
def two_lines(bare):
    """A repository that supports two release lines, both made up and unpacked."""
    for line, version in (("3.7", "3.7.11"), ("3.10", "3.10.13")):
        series(bare, line, {"one.patch": ONE, "two.patch": TWO})
        source = release(bare.path.parent / f"postfix-{version}", version)
        bare.ok("ci/prepare", "--upstream", RELEASE=line, POSTFIX_SOURCE=source)
    return bare


def drift(repository):
    """What lint says of the two series, and its exit status is 0."""
    lines = repository.ok("ci/series", "lint").stdout.splitlines()
    assert lines[0].startswith("patches/3.7 on Postfix 3.7.11: ")
    assert lines[-2].startswith("patches/3.10 on Postfix 3.10.13: ")
    return lines[1:-2]


def test_lint_of_every_line(two_lines):
    """Each with its own source, in the order of versions; with make or without."""
    for command in (("ci/series", "lint"), ("make", "lint")):
        assert two_lines.ok(*command).stdout.splitlines() == [
            "patches/3.7 on Postfix 3.7.11: 2 patches, 4 added and 0 removed lines in"
            " src/ (limits 320 and 80)",
            "patches/3.7 -> patches/3.10: 4 of 4 changed lines are the same (100%), 0 new",
            "patches/3.10 on Postfix 3.10.13: 2 patches, 4 added and 0 removed lines in"
            " src/ (limits 320 and 80)",
            "postfix/: 1 files, 4 lines",
        ]


def test_lint_of_one_line(two_lines):
    done = two_lines.ok("make", "lint", "RELEASE=3.10")
    assert "patches/3.10 on" in done.stdout and "patches/3.7" not in done.stdout
    done = two_lines.ok("make", "lint", "RELEASE=3.7")
    assert "patches/3.7 on" in done.stdout and "patches/3.10 on" not in done.stdout
    source = two_lines.path.parent / "postfix-3.7.11"
    assert two_lines.ok("make", "lint", f"POSTFIX_SOURCE={source}").stdout == done.stdout


def test_lint_finds_the_faults_of_every_line(two_lines):
    two_lines.write("patches/3.7/other.patch", "")
    headless = ONE[ONE.index("---"):]
    two_lines.write("patches/3.10/one.patch", headless)
    done = two_lines.run("ci/series", "lint")
    assert done.returncode != 0
    assert "patches/3.7/other.patch is not in the series" in done.stderr
    assert "patches/3.10/one.patch: no header" in done.stderr
    assert "2 faults found" in done.stderr


def test_lint_of_a_line_whose_source_cannot_be_had(two_lines):
    """The others are checked. It is an error where this one was asked for."""
    subprocess.run(["rm", "-r", two_lines.path / "build"], check=True)
    source = two_lines.path.parent / "postfix-3.10.13"
    two_lines.ok("ci/prepare", "--upstream", POSTFIX_SOURCE=source)
    alone = ("unshare", "--net")
    done = two_lines.ok("ci/series", "lint", prefix=alone)
    assert "patches/3.7 is not checked: its source is not available" in done.stderr
    assert "patches/3.10 on Postfix 3.10.13: 2 patches" in done.stdout
    two_lines.fails("the archive of bookworm", "ci/series", "lint", RELEASE="3.7",
                    prefix=alone)


def test_drift_does_not_count_line_numbers_and_context(two_lines):
    """The same change at another place of another file."""
    moved = ["new\n"] * 5 + smtp[3:12] + ["other context\n"] + smtp[12:]
    before = two_lines.path.parent / "postfix-3.10.13"
    (before / SMTP).write_text("".join(moved))
    two_lines.ok("ci/prepare", "--upstream", RELEASE="3.10", POSTFIX_SOURCE=before)
    series(two_lines, "3.10", {
        "one.patch": patch((SMTP, moved, with_lines(moved, 12, 33, 53))),
        "two.patch": TWO,
    })
    assert two_lines.read("patches/3.10/one.patch") != ONE
    assert drift(two_lines) == [
        "patches/3.7 -> patches/3.10: 4 of 4 changed lines are the same (100%), 0 new"
    ]


def test_drift_names_what_differs(two_lines):
    other = with_lines(smtp, 10, 30, 40, 50)
    other.remove("// ours, after smtp line 10\n")
    del other[-1]
    series(two_lines, "3.10", {
        "one.patch": patch((SMTP, smtp, other)),
        "two.patch": TWO,
    })
    assert drift(two_lines) == [
        "patches/3.7 -> patches/3.10: 3 of 4 changed lines are the same (75%), 2 new",
        "    one.patch: 2 of 3, 2 new: src/smtp/smtp.c",
    ]


def test_drift_counts_order_and_file(two_lines):
    """The same lines in another order, or another file, are not the same."""

    def swap(lines):
        first, second = [n for n, line in enumerate(lines) if "after smtp" in line][:2]
        lines[first], lines[second] = lines[second], lines[first]
        return lines

    elsewhere = with_lines(smtp, 20, text="// ours, after tls line 20")
    series(two_lines, "3.10", {
        "two.patch": patch((SMTP, smtp, elsewhere)),
        "one.patch": patch((SMTP, elsewhere, swap(with_lines(elsewhere, 10, 31, 51)))),
    })
    assert drift(two_lines) == [
        "patches/3.7 -> patches/3.10: 2 of 4 changed lines are the same (50%), 2 new",
        "    one.patch: 2 of 3, 1 new: src/smtp/smtp.c",
        "    two.patch: 0 of 1, 1 new: src/tls/tls.h src/smtp/smtp.c",
    ]


def test_drift_names_patches_that_only_one_series_has(two_lines):
    series(two_lines, "3.7", {"one.patch": ONE, "old.patch": TWO})
    assert drift(two_lines) == [
        "patches/3.7 -> patches/3.10: 3 of 4 changed lines are the same (75%), 1 new",
        "    old.patch: only in patches/3.7, 1 lines",
        "    two.patch: only in patches/3.10, 1 lines",
    ]


def test_edit_trees_of_two_lines_side_by_side(two_lines):
    """What is edited in one goes into its series alone."""
    for line in ("3.7", "3.10"):
        two_lines.ok("make", "edit", f"RELEASE={line}")
    other = two_lines.path / "build/edit-3.10.13" / TLS
    other.write_text(other.read_text() + "/* both in work */\n")
    file = two_lines.path / "build/edit-3.7.11" / TLS
    file.write_text(file.read_text() + "/* the end */\n")
    two_lines.ok("make", "refresh", "RELEASE=3.7")
    assert "+/* the end */\n" in two_lines.read("patches/3.7/two.patch")
    assert two_lines.read("patches/3.10/two.patch") == TWO
    two_lines.ok("make", "refresh", "RELEASE=3.10")
    assert "+/* both in work */\n" in two_lines.read("patches/3.10/two.patch")
    assert "both in work" not in two_lines.read("patches/3.7/two.patch")
    for version in ("3.7.11", "3.10.13"):
        link = two_lines.path / f"build/edit-{version}" / "src/tls/tls_sample.c"
        assert link.resolve() == two_lines.path / SAMPLE
    two_lines.ok("make", "lint")
