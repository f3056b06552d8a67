"""ci/prepare: the build tree is made as a whole, and kept up to date."""

import os

TREE = "build/postfix-3.10.13"


def times(repository):
    root = repository.path / TREE
    return {
        str(file.relative_to(root)): file.stat().st_mtime_ns
        for file in root.rglob("*")
        if file.is_file()
    }


def changed(before, after):
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_tree_is_upstream_plus_ours(repository):
    repository.ok("ci/prepare")
    assert "tls_sample.c tls_prng_dev.c" in repository.read(TREE + "/src/tls/Makefile.in")
    assert repository.read(TREE + "/src/tls/tls_sample.c") == repository.read(
        "postfix/src/tls/tls_sample.c"
    )


def test_only_changed_files_are_written(repository):
    repository.ok("ci/prepare")
    first = times(repository)
    repository.ok("ci/prepare")
    assert times(repository) == first

    repository.write("postfix/src/tls/tls_sample.c", "/* Other. */\n")
    repository.write("postfix/src/tls/tls_new.h", "/* New. */\n")
    repository.ok("ci/prepare")
    second = times(repository)
    assert changed(first, second) == {"src/tls/tls_sample.c", "src/tls/tls_new.h"}

    (repository.path / "postfix/src/tls/tls_new.h").unlink()
    repository.ok("ci/prepare")
    assert changed(second, times(repository)) == {"src/tls/tls_new.h"}

    repository.write("patches/3.10/series", "")
    repository.ok("ci/prepare")
    assert "tls_sample" not in repository.read(TREE + "/src/tls/Makefile.in")
    assert changed(second, times(repository)) == {
        "src/tls/tls_new.h",
        "src/tls/Makefile.in",
    }


def test_rejected_hunk(repository):
    patch = repository.path / "patches/3.10/sample.patch"
    patch.write_text(patch.read_text().replace("tls_prng_exch.c tls_stream.c", "other.c"))
    repository.fails(
        "patches/3.10/sample.patch does not apply to Postfix 3.10.13:"
        " src/tls/Makefile.in hunk #1",
        "make",
    )
    assert not (repository.path / TREE).exists()
    assert not list((repository.path / "build/.state").glob("prepare.[0-9]*"))


def test_rejected_hunk_leaves_the_last_good_tree(repository):
    repository.ok("ci/prepare")
    before = times(repository)
    patch = repository.path / "patches/3.10/sample.patch"
    good = patch.read_text()
    patch.write_text(good.replace("tls_prng_exch.c tls_stream.c", "other.c"))
    for _ in range(2):
        repository.fails("does not apply", "ci/prepare")
        assert times(repository) == before
    patch.write_text(good)
    repository.ok("ci/prepare")
    assert times(repository) == before


def test_fuzz_is_a_reject(repository):
    """A hunk that fits only when its outer context is ignored stops the build."""
    patch = repository.path / "patches/3.10/sample.patch"
    text = patch.read_text()
    patch.write_text(text.replace("--- a", "--- a", 1).replace(
        " SHELL\t= /bin/sh", " SHELL\t= /bin/other", 1))
    repository.fails("src/tls/Makefile.in hunk #1", "ci/prepare")


def test_patch_of_a_missing_file(repository):
    patch = repository.path / "patches/3.10/sample.patch"
    patch.write_text(patch.read_text().replace("src/tls/Makefile.in", "src/tls/gone.c"))
    repository.fails("src/tls/gone.c (no such file)", "ci/prepare")
    assert not (repository.path / TREE).exists()


def test_series_names_a_missing_patch(repository):
    repository.write("patches/3.10/series", "sample.patch\nother.patch\n")
    repository.fails(
        "patches/3.10/series names other.patch, which does not exist", "ci/prepare"
    )
    assert not (repository.path / TREE).exists()


def test_shadowed_upstream_file(repository):
    repository.write("postfix/src/tls/tls.h", "/* ours */\n")
    repository.fails("postfix/src/tls/tls.h shadows a file of upstream's", "ci/prepare")
    assert not (repository.path / TREE).exists()


def test_interrupted_preparation_is_cleared_away(repository):
    """What a killed run left neither stays nor does harm."""
    repository.write("build/.state/prepare.12345/new/makedefs", "half-done")
    repository.ok("ci/prepare")
    assert not list((repository.path / "build/.state").glob("prepare.[0-9]*"))


def test_pristine_tree_has_nothing_of_ours(repository):
    repository.ok("ci/prepare", "--pristine")
    root = repository.path / "build/pristine/postfix-3.10.13"
    assert "tls_sample" not in (root / "src/tls/Makefile.in").read_text()
    assert not os.path.exists(root / "src/tls/tls_sample.c")


def test_directory_name_that_tools_cannot_handle(repository):
    other = repository.path.parent / "with, comma"
    repository.path.rename(other)
    repository.path = other
    repository.fails("characters that make(1) or mount(8) cannot handle", "ci/prepare")
