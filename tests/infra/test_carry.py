"""ci/carry: the nearest series, on a release that it was not made against."""

import hashlib
import pathlib
import shutil
import subprocess

import pytest

from conftest import TOP, clean_environment
from fake_releases import SMTP, TLS, numbered, pack, patch, pinned, release, series, with_lines

smtp, tls = numbered("smtp"), numbered("tls")
ONE = patch((SMTP, smtp, with_lines(smtp, 10, 30)))
TWO = patch((SMTP, with_lines(smtp, 10, 30), with_lines(smtp, 10, 30, 50)),
            (TLS, tls, with_lines(tls, 20)))
NO_NETWORK = ("unshare", "--net")


@pytest.fixture
def supported(bare):
    """Postfix 3.7 and 3.10, made up, with the same two patches."""
    sources = {}
    for line, version in (("3.7", "3.7.11"), ("3.10", "3.10.13")):
        series(bare, line, {"one.patch": ONE, "two.patch": TWO})
        sources["v" + line.replace(".", "_")] = made(bare, version)
    pinned(bare, **sources)
    return bare


def made(repository, version, **changed):
    return release(repository.path.parent / f"postfix-{version}", version, **changed)


def replaced(lines, *numbers):
    return ["other\n" if n in numbers else line for n, line in enumerate(lines, 1)]


def carry(repository, tree):
    """The series, as a directory, and what was said."""
    done = repository.ok("ci/carry", tree)
    return pathlib.Path(done.stdout.strip()), done.stderr


def applied(directory, tree, name=SMTP):
    """The file as the series leaves it; every patch applies exactly."""
    work = tree.parent / "applied"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(tree, work)
    for patch_name in (directory / "series").read_text().split():
        subprocess.run(["patch", "-p1", "--fuzz=0", "-s", "-d", work, "-i",
                        directory / patch_name], check=True)
    return (work / name).read_text().splitlines(True)


@pytest.mark.parametrize("version, line", [
    ("3.10.13", "3.10"), ("3.10.4", "3.10"), ("3.7.11", "3.7"), ("3.8.6", "3.7"),
    ("3.9.1", "3.7"), ("3.6.20", "3.7"), ("3.11.0", "3.10"),
])
def test_exact(supported, version, line):
    """The nearest series as it is. A line of its own needs no words."""
    found, said = carry(supported, made(supported, version))
    assert found == supported.path / "patches" / line
    if version.startswith(line + "."):
        assert not said
    else:
        assert f"no series was made against Postfix {version}; patches/{line} " in said
        assert "2 files exactly, 0 merged." in said
        assert "`make tests' and `make matrix'" in said
        assert carry(supported, supported.path.parent / f"postfix-{version}")[1] == ""


@pytest.mark.parametrize("version", ["3.10.4", "3.8.6"])
def test_merged(supported, version):
    """The second hunk's context is another; it goes where it belongs all the same."""
    other = ["more\n"] + replaced(smtp, 28, 53)
    tree = made(supported, version, smtp=other)
    found, said = carry(supported, tree)
    assert found != supported.path / "patches/3.10"
    assert "1 files exactly, 1 merged (src/smtp/smtp.c)." in said
    assert (found / "series").read_text() == "one.patch\ntwo.patch\n"
    assert applied(found, tree) == with_lines(other, 11, 31, 51)
    assert applied(found, tree, TLS) == with_lines(tls, 20)
    one = (found / "one.patch").read_text()
    assert one == patch((SMTP, other, with_lines(other, 11, 31)))

    # Said once; and again when the series has changed.
    assert carry(supported, tree) == (found, "")
    for line in ("3.7", "3.10"):
        supported.write(f"patches/{line}/two.patch", "More. " + TWO)
    assert "1 merged" in carry(supported, tree)[1]


def test_conflict_and_decision(supported):
    other = replaced(smtp, 30)
    tree = made(supported, "3.8.6", smtp=other)
    for _ in range(2):
        done = supported.fails(
            f"patches/3.7 conflicts with Postfix 3.8.6: {SMTP}:31 (in build/merge-3.8.6",
            "ci/carry", tree)
        assert done.stdout == ""
    file = supported.path / "build/merge-3.8.6" / SMTP
    text = file.read_text()
    assert text.splitlines()[30] == "<<<<<<< Postfix 3.8.6"
    assert not list((supported.path / "build/.state").glob("carried-*"))

    before, _, rest = text.partition("<<<<<<<")
    after = rest.partition(">>>>>>> patches/3.7\n")[2]
    file.write_text(before + "decided\n" + after)
    found, said = carry(supported, tree)
    assert "1 merged" in said
    assert "decided\n" in applied(found, tree)
    assert applied(found, tree, TLS) == with_lines(tls, 20)


def test_decision_about_another_series_is_not_taken(supported):
    """What was decided is kept beside, and asked again."""
    tree = made(supported, "3.8.6", smtp=replaced(smtp, 30))
    supported.fails("conflicts with", "ci/carry", tree)
    (supported.path / "build/merge-3.8.6" / SMTP).write_text("decided\n")
    supported.write("patches/3.7/two.patch", "More. " + TWO)
    supported.fails("conflicts with", "ci/carry", tree)
    assert (supported.path / "build/merge-3.8.6.old" / SMTP).read_text() == "decided\n"


def test_file_that_is_gone(supported):
    supported.fails(f"conflicts with Postfix 3.8.6: {TLS}:", "ci/carry",
                    made(supported, "3.8.6", tls=None))


def test_pinned_source_that_is_not_there(supported):
    shutil.rmtree(supported.cache)
    tree = made(supported, "3.8.6", smtp=replaced(smtp, 28))
    done = supported.fails("the archive of trixie cannot be reached", "ci/carry", tree,
                           prefix=NO_NETWORK)
    assert "needs patches/3.7 merged, and that needs the source of 3.7.11" in done.stderr
    assert "3.7.11.tar.gz ci/prepare --upstream provides it" in done.stderr
    state = supported.path / "build/.state"
    assert not list(state.glob("carr*.[A-Za-z0-9]*-*"))
    assert not list((supported.path / "build").glob("merge-*"))

    given = pack(supported.path.parent / "postfix-3.7.11")
    digest = hashlib.sha256(given.read_bytes()).hexdigest()
    table = supported.read("ci/upstream.table").splitlines()
    supported.write("ci/upstream.table", "\n".join(
        line.rpartition("\t")[0] + "\t" + digest if line.startswith("3.7\t") else line
        for line in table) + "\n")
    supported.ok("ci/prepare", "--upstream", POSTFIX_SOURCE=given, prefix=NO_NETWORK)
    assert "1 merged" in supported.ok("ci/carry", tree, prefix=NO_NETWORK).stderr


@pytest.mark.parametrize("version", ["4.0.0", "2.11.3"])
def test_release_that_is_too_far(supported, version):
    source = pack(made(supported, version))
    supported.fails(f"Postfix {version} is too far from what is supported",
                    "make", f"POSTFIX_SOURCE={source}")
    assert not (supported.path / "build/upstream").exists()


@pytest.fixture(scope="module")
def sources():
    """The three real sources, unpacked."""
    found = {}
    for line in ("3.7", "3.10", "3.11"):
        done = subprocess.run(
            ["sh", "ci/prepare", "--upstream"], cwd=TOP, capture_output=True, text=True,
            env=clean_environment(RELEASE=line))
        assert done.returncode == 0, done.stderr
        found[line] = pathlib.Path(done.stdout.strip())
    return found


@pytest.fixture
def real(bare, tarball):
    """The real series and documentation."""
    for name in ("patches", "postfix", "proto"):
        shutil.rmtree(bare.path / name, ignore_errors=True)
        shutil.copytree(TOP / name, bare.path / name, symlinks=True)
    bare.cache = tarball.parent
    return bare


def as_version(source, path, version, edits):
    """A copy that says that it is another version, with some lines changed."""
    subprocess.run(["cp", "-a", source, path], check=True)
    header = "src/global/mail_version.h"
    edits = {header: [(f'MAIL_VERSION_NUMBER\t"{source.name[8:]}"',
                       f'MAIL_VERSION_NUMBER\t"{version}"')], **edits}
    for name, changes in edits.items():
        text = (path / name).read_text()
        for old, new in changes:
            assert text.count(old) == 1, (name, old)
            text = text.replace(old, new)
        (path / name).write_text(text)
    return path


@pytest.mark.parametrize("line, version", [("3.7", "3.8.6"), ("3.10", "3.10.3"),
                                           ("3.11", "3.12.0")])
def test_real_series_whose_surroundings_have_changed(real, sources, tmp_path, line, version):
    """Documentation never conflicts, wherever it stands; code near ours is merged."""
    tree = as_version(sources[line], tmp_path / "source", version, {
        "src/smtp/smtp.c": [
            ("/*\tTLS_README, Postfix STARTTLS howto",
             "/*\tSASLX_README, another howto\n/*\tTLS_README, Postfix STARTTLS howto"),
            ("    use_tls = (var_smtp_use_tls || var_smtp_enforce_tls);",
             "    use_tls = (var_smtp_enforce_tls || var_smtp_use_tls);"),
        ],
        "mantools/postlink": [
            ('    s;\\bsmtpd_enforce_tls\\b;',
             '    s;\\bnew_in_this\\b;x;g;\n    s;\\bsmtpd_enforce_tls\\b;')],
        "RELEASE_NOTES": [("IPL can continue with that license.", "IPL can go on.")],
    })
    done = real.ok("ci/prepare", RELEASE="", POSTFIX_SOURCE=tree, timeout=900)
    assert "1 merged (src/smtp/smtp.c)" in done.stderr
    assert "insertions" not in done.stderr
    built = real.path / f"build/postfix-{version}"
    for name, text in (
        ("RELEASE_NOTES", "Major changes - tls fallback patches"),
        ("mantools/postlink", "postconf.5.html#lmtp_tls_fallback_delay"),
        ("html/smtp.8.html", "postconf.5.html#smtp_tls_fallback_level"),
        ("html/TLS_README.html", "TLS_FALLBACK_README.html"),
        ("src/smtp/smtp.c", "smtp_tls_fallback_init();"),
    ):
        assert text in (built / name).read_text(), name
