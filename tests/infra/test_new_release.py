"""ci/new-release: the nearest series on a new upstream release."""

import hashlib
import re
import shutil

import pytest

from conftest import TOP
from fake_releases import (
    SMTP, TLS, numbered, pack, patch, pinned, release, series, with_lines,
)

NO_NETWORK = ("unshare", "--net")

smtp, tls = numbered("smtp"), numbered("tls")
ONE = patch(
    (SMTP, smtp, with_lines(smtp, 10, 30, 50)),
    header="One: a change in one file, in three places, as the tests want it.\n\n",
)
TWO = patch(
    (TLS, tls, with_lines(tls, 20)),
    header="Two: another file has one change, and that is all there is.\n\n",
)


@pytest.fixture
def supported(bare):
    """A repository that supports Postfix 3.10 with two patches."""
    series(bare, "3.10", {"one.patch": ONE, "two.patch": TWO})
    pinned(bare, v3_10=made(bare, "3.10.13"))
    return bare


def made(repository, version, **changed):
    return release(repository.path.parent / f"postfix-{version}", version, **changed)


def try_on(repository, source, status):
    done = repository.run("ci/new-release", source)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def patches(repository):
    return {
        str(file.relative_to(repository.path)): file.read_text()
        for file in (repository.path / "patches").rglob("*")
        if file.is_file()
    }


def hunk(done, file, number):
    """What the report says of a hunk."""
    found = re.findall(rf"^    {re.escape(file)} +hunk {number} +(.*)$", done.stdout, re.M)
    assert len(found) == 1, done.stdout
    return found[0]


def test_everything_applies(supported):
    tree = made(supported, "3.12.0")
    before = patches(supported)
    done = try_on(supported, tree, 0)
    assert hunk(done, SMTP, 1) == "applies at line 8"
    assert hunk(done, TLS, 1) == "applies at line 18"
    assert done.stdout.splitlines()[-1] == (
        "Postfix 3.12.0 with patches/3.10: 4 hunks: 4 exact, 0 with offset,"
        " 0 only with fuzz, 0 there already, 0 do not apply, 0 of missing files;"
        " files shadowed: 0; patches/3.12 started: 2 of 2 patches"
    )
    after = patches(supported)
    assert {name: text for name, text in after.items() if "/3.10/" in name} == before
    for name in ("series", "one.patch", "two.patch"):
        assert after["patches/3.12/" + name] == before["patches/3.10/" + name]
    out = supported.path / "build/new-release-3.12.0"
    assert [file.name for file in out.iterdir()] == ["report"]
    assert (out / "report").read_text() == done.stdout
    assert not list((supported.path / "build/.state").glob("new-release.*"))


def test_what_it_says_comes_next_works(supported):
    """The table line as printed, then the commands as printed."""
    tarball = pack(made(supported, "3.12.0", smtp=["new\n"] * 4 + smtp))
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    done = try_on(supported, tarball, 0)
    assert f"Postfix 3.12.0, SHA-256 {digest}" in done.stderr
    entry = f"3.12\tsid\t3.12.0\t{digest}"
    assert entry in done.stdout.splitlines()
    table = "ci/upstream.table"
    supported.write(table, supported.read(table) + entry + "\n")
    commands = re.findall(r"^- (make [^()]*lint)$", done.stdout, re.M)
    assert commands == [f"make RELEASE=3.12 POSTFIX_SOURCE={tarball} lint"]
    lint = supported.ok(*commands[0].split())
    assert "patches/3.12 on Postfix 3.12.0: 2 patches, 4 added" in lint.stdout

    # Once there, the line need not be added again.
    assert entry not in try_on(supported, tarball, 0).stdout


@pytest.mark.parametrize("version", ["3.10.99", "3.12.0"])
def test_the_way_to_a_complete_series(supported, version):
    """One hunk is rejected, one patch left out; what is said leads to the end."""
    line = version.rpartition(".")[0]
    tree = made(supported, version, smtp=replaced(smtp, 30), tls=replaced(tls, 20))
    tarball = pack(tree)
    done = try_on(supported, tarball, 1)
    steps = [step[2:] for step in done.stdout.splitlines() if step.startswith("- ")]
    entry = next(text for text in done.stdout.splitlines() if text.startswith(line + "\t"))
    supported.write("ci/upstream.table", entry + "\n")

    for step in [step for step in steps if step.startswith("cp ")]:
        supported.ok("sh", "-c", step)
    edit = next(step for step in steps if step.endswith(" edit"))
    assert edit == f"make RELEASE={line} POSTFIX_SOURCE={tarball} edit"
    supported.ok(*edit.split())
    for name, lines in ((SMTP, smtp), (TLS, tls)):
        file = supported.path / f"build/edit-{version}" / name
        file.write_text(file.read_text().replace("other\n", "other\n// by hand\n"))
    refresh = f"make RELEASE={line} refresh"
    assert any(step.startswith(refresh + " ") for step in steps)
    supported.fails(f"no patch has {TLS} yet", *refresh.split())
    supported.ok(*refresh.split(), "PATCH=two.patch")
    left_out = f"patches/{line}/two.patch"
    if line != "3.10":
        assert "headers of the patches that were left out: patches/3.10" in steps
        supported.write(left_out, TWO.split("---")[0] + supported.read(left_out))
        supported.ok(*edit.split())
    assert supported.read(left_out).startswith("Two: another file")
    assert supported.read(f"patches/{line}/series") == "one.patch\ntwo.patch\n"
    assert f"make RELEASE={line} lint" in steps
    lint = supported.ok("make", f"RELEASE={line}", "lint")
    assert f"on Postfix {version}: 2 patches, 4 added and 0 removed" in lint.stdout


def test_offset(supported):
    """Applies, and the new series has the new line numbers."""
    moved = smtp[:20] + ["new\n"] * 7 + smtp[20:]
    done = try_on(supported, made(supported, "3.12.0", smtp=moved, tls=tls[5:]), 0)
    assert hunk(done, SMTP, 1) == "applies at line 8"
    assert hunk(done, SMTP, 2) == "applies at line 36, offset 7 lines"
    assert hunk(done, SMTP, 3) == "applies at line 57, offset 7 lines"
    assert hunk(done, TLS, 1) == "applies at line 13, offset -5 lines"
    assert ": 4 hunks: 1 exact, 3 with offset, 0" in done.stdout
    assert supported.read("patches/3.12/one.patch") == patch(
        (SMTP, moved, with_lines(moved, 10, 37, 57)), header=ONE.split("---")[0]
    )


def replaced(lines, *numbers):
    return [
        "other\n" if number in numbers else line
        for number, line in enumerate(lines, 1)
    ]


@pytest.mark.parametrize(
    "numbers, says",
    [
        ((28,), "APPLIES ONLY WITH FUZZ 1, at line 29"),
        ((28, 29), "APPLIES ONLY WITH FUZZ 2, at line 29"),
    ],
    ids=["fuzz-1", "fuzz-2"],
)
@pytest.mark.parametrize("version", ["3.12.0", "3.10.99"])
def test_hunk_that_can_be_merged(supported, version, numbers, says):
    """The three-way merge has no conflict: the series is complete."""
    changed = replaced(smtp, *numbers)
    done = try_on(supported, made(supported, version, smtp=changed), 0)
    assert hunk(done, SMTP, 2) == says
    assert "1 files exactly, 1 merged (src/smtp/smtp.c)" in done.stderr
    assert "All of it was merged" in done.stdout
    out = f"build/new-release-{version}"
    where = "patches/3.12" if version == "3.12.0" else out + "/patches"
    assert supported.read(where + "/one.patch") == patch(
        (SMTP, changed, with_lines(changed, 10, 30, 50)), header=ONE.split("---")[0]
    )
    assert supported.read(where + "/two.patch") == TWO
    assert supported.read(where + "/series") == "one.patch\ntwo.patch\n"
    assert not list((supported.path / out).glob("*.rej"))
    if version == "3.10.99":
        assert f"- cp {out}/patches/* patches/3.10/" in done.stdout.splitlines()


@pytest.mark.parametrize(
    "numbers, says", [((30,), "DOES NOT APPLY (line 28 in 3.10)")], ids=["fails"]
)
def test_hunk_that_does_not_apply(supported, numbers, says):
    """It is left out and kept; those around it are in the series."""
    changed = replaced(smtp, *numbers)
    done = try_on(supported, made(supported, "3.12.0", smtp=changed), 1)
    assert hunk(done, SMTP, 1) == "applies at line 8"
    assert hunk(done, SMTP, 2) == says
    assert "conflicts with Postfix 3.12.0: src/smtp/smtp.c:31 (in" in done.stderr
    merged = supported.read("build/new-release-3.12.0/merge-3.12.0/" + SMTP)
    assert merged.splitlines()[30].startswith("<<<<<<< ")
    assert hunk(done, SMTP, 3).startswith("applies at line ")
    assert hunk(done, TLS, 1) == "applies at line 18"
    assert supported.read("patches/3.12/one.patch") == patch(
        (SMTP, changed, with_lines(changed, 10, 50)), header=ONE.split("---")[0]
    )
    rejected = supported.read("build/new-release-3.12.0/one.patch.rej")
    assert rejected == patch((SMTP, smtp, with_lines(smtp, 30)), header="").replace(
        "@@ -28,6 +28,7 @@", "@@ -28,6 +29,7 @@"
    )
    assert "by hand: build/new-release-3.12.0/*.rej" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("started: 2 of 2 patches")

    # Trying again is harmless: nothing is written over.
    before = patches(supported)
    done = try_on(supported, made(supported, "3.12.0", smtp=changed), 0)
    assert "trying patches/3.12 on" in done.stderr
    assert patches(supported) == before
    assert supported.read("build/new-release-3.12.0.old/one.patch.rej") == rejected


def test_two_rejected_hunks_of_a_file(supported):
    done = try_on(supported, made(supported, "3.12.0", smtp=replaced(smtp, 10, 50)), 1)
    assert "1 exact" not in done.stdout and "2 do not apply" in done.stdout
    rejected = supported.read("build/new-release-3.12.0/one.patch.rej")
    assert re.findall(r"^(?:---|\+\+\+|@@) .*$", rejected, re.M) == [
        f"--- a/{SMTP}", f"+++ b/{SMTP}", "@@ -8,6 +8,7 @@", "@@ -48,6 +50,7 @@",
    ]


def test_patch_that_upstream_has_taken(supported):
    """The merge finds that nothing of it is left to do."""
    done = try_on(supported, made(supported, "3.12.0", tls=with_lines(tls, 20)), 0)
    assert hunk(done, TLS, 1) == "IS THERE ALREADY, at line 18"
    assert "patches/3.12 started: 1 of 2 patches" in done.stdout
    assert supported.read("patches/3.12/series") == "one.patch\n"
    assert not (supported.path / "patches/3.12/two.patch").exists()


def test_hunk_taken_by_upstream_does_not_hide_the_others(supported):
    done = try_on(supported, made(supported, "3.12.0", smtp=with_lines(smtp, 10)), 0)
    assert hunk(done, SMTP, 1) == "IS THERE ALREADY, at line 8"
    assert hunk(done, SMTP, 2).startswith("applies at line ")
    assert hunk(done, SMTP, 3).startswith("applies at line ")
    merged = supported.read("patches/3.12/one.patch")
    assert merged.count("\n+// ours") == ONE.count("\n+// ours") - 1


def test_missing_file(supported):
    series(supported, "3.10", {"both.patch": patch(
        (SMTP, smtp, with_lines(smtp, 10)), (TLS, tls, with_lines(tls, 20, 40))
    )})
    done = try_on(supported, made(supported, "3.12.0", tls=None), 1)
    assert hunk(done, TLS, 2) == "NO SUCH FILE (line 38 in 3.10)"
    assert f"Postfix 3.12.0 has no {TLS}\n" in done.stdout
    assert "1 exact" in done.stdout and "2 of missing files" in done.stdout
    assert supported.read("patches/3.12/both.patch") == patch(
        (SMTP, smtp, with_lines(smtp, 10))
    )
    assert supported.read("build/new-release-3.12.0/both.patch.rej") == patch(
        (TLS, tls, with_lines(tls, 20, 40)), header=""
    )


def test_later_patch_builds_on_an_earlier_one(supported):
    first = with_lines(smtp, 30, 31)
    second = with_lines(first, 31, text="// again, after {line}")
    series(supported, "3.10", {
        "first.patch": patch((SMTP, smtp, first)),
        "second.patch": patch((SMTP, first, second)),
    })
    try_on(supported, made(supported, "3.12.0"), 0)
    assert supported.read("patches/3.12/second.patch") == supported.read(
        "patches/3.10/second.patch"
    )


def test_lines_of_a_patch_that_look_like_headers(supported):
    """Nothing but hunk headers begins a hunk."""
    before = smtp[:20] + ["-- old\n", "@@ -1 +1 @@\n"] + smtp[20:]
    after = smtp[:20] + ["++ new\n", "@@ -2 +2 @@\n"] + smtp[20:40] + ["more\n"] + smtp[40:]
    series(supported, "3.10", {"odd.patch": patch((SMTP, before, after))})
    done = try_on(supported, made(supported, "3.12.0", smtp=before), 0)
    assert ": 2 hunks: 2 exact" in done.stdout
    assert supported.read("patches/3.12/odd.patch") == patch((SMTP, before, after))


def test_shadowed_files(supported):
    supported.write("proto/OURS_README.html", "ours\n")
    tree = made(supported, "3.12.0")
    (tree / "src/tls/tls_sample.c").write_text("theirs\n")
    (tree / "proto").mkdir()
    (tree / "proto/OURS_README.html").write_text("theirs\n")
    done = try_on(supported, tree, 1)
    for name in ("postfix/src/tls/tls_sample.c", "proto/OURS_README.html"):
        assert f"Postfix 3.12.0 has a file of its own in place of {name}\n" in done.stdout
    assert "files shadowed: 2;" in done.stdout


def test_nothing_applies(supported):
    done = try_on(supported, made(supported, "3.12.0", smtp=["x\n"], tls=["x\n"]), 1)
    assert "patches/3.12 must be written anew" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("started: 0 of 2 patches")
    assert not (supported.path / "patches/3.12").exists()


@pytest.mark.parametrize(
    "version, nearest",
    [("3.6.1", "3.7"), ("3.9.2", "3.7"), ("3.11.0", "3.10"), ("4.0.0", "3.10")],
)
def test_nearest_series(supported, version, nearest):
    series(supported, "3.7", {"two.patch": TWO})
    done = try_on(supported, made(supported, version), 0)
    assert f"trying patches/{nearest} on Postfix {version}\n" in done.stderr
    assert f"Postfix {version} with patches/{nearest}: " in done.stdout


@pytest.mark.parametrize(
    "changed, status, summary",
    [
        (smtp, 0, "4 exact, 0 with offset"),
        (["new\n"] + smtp, 0, "1 exact, 3 with offset"),
        (replaced(smtp, 30), 1, "1 do not apply"),
    ],
    ids=["exact", "offset", "fails"],
)
def test_new_patch_level_of_a_supported_line(supported, changed, status, summary):
    """There is only the report."""
    tarball = pack(made(supported, "3.10.99", smtp=changed))
    before = patches(supported)
    done = try_on(supported, tarball, status)
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    assert "- ci/upstream.table: in place of the line of 3.10\n" in done.stdout
    assert f"3.10\ttrixie\t3.10.99\t{digest}" in done.stdout.splitlines()
    assert summary in done.stdout.splitlines()[-1]
    assert "started" not in done.stdout
    assert patches(supported) == before
    assert (supported.path / "build/new-release-3.10.99/patches").exists() == bool(status)
    # What the next build uses is not what was only tried.
    assert not (supported.path / "build/upstream/postfix-3.10.99").exists()


def test_directory_has_no_hash(supported):
    done = try_on(supported, made(supported, "3.12.0"), 0)
    assert "3.12\tsid\t3.12.0\tSHA-256-OF-THE-TARBALL" in done.stdout.splitlines()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), "name a version, a tarball or a directory"),
        (("--no",), "unknown option --no"),
        (("3.10", "3.11"), "one version, tarball or directory at a time"),
        (("/nowhere.tar.gz",), "/nowhere.tar.gz: neither a version, as 3.12 or 3.12.1"),
        (("/usr",), "/usr: not a Postfix source directory"),
        (("Makefile",), "not a complete tar archive"),
    ],
)
def test_wrong_arguments(supported, arguments, message):
    before = patches(supported)
    supported.fails(message, "ci/new-release", *arguments)
    assert patches(supported) == before


def test_source_that_cannot_be_had(supported):
    """The message is that of ci/fetch-upstream."""
    done = supported.fails(
        "Give the source yourself: a tarball or a directory in place of",
        "ci/new-release", "3.12.1", prefix=NO_NETWORK,
    )
    assert "fetch-upstream: error: the archive of sid cannot be reached" in done.stderr
    assert "new-release: error: " not in done.stderr
    assert not (supported.path / "patches/3.12").exists()


def test_snapshot(supported):
    supported.fails(
        "Postfix 3.12 is not a release", "ci/new-release", made(supported, "3.12")
    )


def test_tree_that_was_built_in(supported):
    tree = made(supported, "3.12.0")
    (tree / "src/util").mkdir()
    (tree / "src/util/Makefile").write_text("")
    supported.fails("not pristine", "ci/new-release", tree)


def test_series_that_is_only_begun(supported):
    supported.write("patches/3.12/one.patch", "by hand\n")
    supported.fails(
        "patches/3.12 is there, but has no series",
        "ci/new-release", made(supported, "3.12.0"),
    )
    assert supported.read("patches/3.12/one.patch") == "by hand\n"


def test_failure_leaves_no_series(supported):
    supported.write("patches/3.10/series", "one.patch\ngone.patch\n")
    supported.fails(
        "patches/3.10/series names gone.patch, which does not exist",
        "ci/new-release", made(supported, "3.12.0"),
    )
    assert not (supported.path / "patches/3.12").exists()
    assert not list((supported.path / "build/.state").glob("new-release.*"))


def test_no_series_yet(supported):
    shutil.rmtree(supported.path / "patches")
    supported.fails(
        "there is no patch series yet", "ci/new-release", made(supported, "3.12.0")
    )


def test_make_target(supported):
    tree = made(supported, "3.12.0")
    done = supported.ok("make", "new-release", f"POSTFIX_SOURCE={tree}")
    assert "patches/3.12 started: 2 of 2 patches" in done.stdout
    supported.fails("name a version, a tarball or a directory", "make", "new-release")


def test_real_series_on_another_real_release(repository, tarball):
    """The series of one line on the source of another, as if it were new.

    Every hunk is either in the series that was started, or kept; and the series
    is fit for work.
    """
    shutil.rmtree(repository.path / "patches")
    old, new = "patches/3.7", "patches/3.10"
    for directory in (old, "postfix", "proto"):
        shutil.copytree(TOP / directory, repository.path / directory, dirs_exist_ok=True)
    (repository.path / "postfix/src/tls/tls_sample.c").unlink()
    done = try_on(repository, tarball, 1)

    def hunks(where):
        return sum(
            len(re.findall(r"^@@ ", file.read_text(), re.M))
            for file in (repository.path / where).iterdir() if file.is_file()
        )

    total, applied = hunks(old), len(re.findall(r" hunk \d+ +applies at", done.stdout))
    assert 0 < applied < total
    assert f": {total} hunks: " in done.stdout
    out = repository.path / "build/new-release-3.10.13"
    (out / "report").unlink()
    assert hunks(out) == total - applied
    assert hunks(new) <= applied  # neighbours may have become one
    lint = repository.ok("ci/series", "lint", RELEASE="3.10")
    assert "patches/3.10 on Postfix 3.10.13: " in lint.stdout
