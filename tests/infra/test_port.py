"""make port: a change in one series is carried to the others."""

import subprocess

import pytest

from conftest import TOP
from fake_releases import HEADER, SMTP, TLS, numbered, patch, release, series, with_lines

VERSIONS = {"3.7": "3.7.11", "3.10": "3.10.13", "3.11": "3.11.6"}
DIRECTIONS = [(here, there) for here in VERSIONS for there in VERSIONS if here != there]

smtp, tls = numbered("smtp"), numbered("tls")


def source(line):
    """The lines have come and gone between the releases, so that places differ."""
    added = list(VERSIONS).index(line)
    return ["new\n"] * added + smtp[:40] + [f"of {line}\n"] * added + smtp[40:]


def patched(lines):
    return with_lines(lines, lines.index("smtp line 20\n") + 1)


@pytest.fixture
def lines(bare):
    """A repository with three made-up release lines, each in its edit tree."""
    for line, version in VERSIONS.items():
        upstream = source(line)
        series(bare, line, {
            "one.patch": patch((SMTP, upstream, patched(upstream))),
            "two.patch": patch(
                (SMTP, patched(upstream), patched(upstream)[:-1] + ["the end\n"]),
                (TLS, tls, with_lines(tls, 20)),
            ),
        })
        made = release(bare.path.parent / f"postfix-{version}", version, smtp=upstream)
        bare.ok("ci/prepare", "--upstream", RELEASE=line, POSTFIX_SOURCE=made)
    return bare


def tree(line):
    return f"build/edit-{VERSIONS[line]}/"


def edit(repository, line, old, new, name=SMTP):
    repository.ok("make", "edit", f"RELEASE={line}")
    text = repository.read(tree(line) + name)
    assert old in text
    repository.write(tree(line) + name, text.replace(old, new))


def commit(repository):
    for command in (
        ["init", "-q"], ["add", "patches"],
        ["-c", "user.name=x", "-c", "user.email=x", "commit", "-q", "-m", "x"],
    ):
        subprocess.run(["git", *command], cwd=repository.path, check=True)


@pytest.mark.parametrize("here, there", DIRECTIONS)
def test_edit_is_carried(lines, here, there):
    """From each line to each other, into the patch that has it here; and back home."""
    edit(lines, here, "smtp line 50\n", "smtp line 50\n// edited\n")
    lines.ok("make", "port", f"FROM={here}", f"RELEASE={there}")
    ours = lines.read(tree(there) + SMTP)
    assert "smtp line 50\n// edited\n" in ours
    assert "edited" not in lines.read(f"patches/{there}/two.patch")
    lines.ok("make", "refresh", f"RELEASE={there}")
    for line in (here, there):
        assert "+// edited\n" in lines.read(f"patches/{line}/two.patch")
        assert "edited" not in lines.read(f"patches/{line}/one.patch")
    third, = set(VERSIONS) - {here, there}
    assert "edited" not in lines.read(f"patches/{third}/two.patch")
    lint = lines.ok("make", "lint").stdout
    if {here, there} != {"3.7", "3.11"}:
        assert f"{sorted([here, there], key=list(VERSIONS).index)[0]} -> " in lint
        assert "(100%), 0 new" in lint


def test_all_others(lines):
    edit(lines, "3.10", "tls line 40\n", "// edited\n", TLS)
    lines.ok("make", "port", "FROM=3.10")
    for line in ("3.7", "3.11"):
        assert "tls line 39\n// edited\n" in lines.read(tree(line) + TLS)


@pytest.mark.parametrize("here, there", DIRECTIONS)
def test_conflict(lines, here, there):
    """Markers where both have changed the line; nothing is written back with them."""
    edit(lines, there, "smtp line 50\n", "theirs\n")
    lines.ok("make", "refresh", f"RELEASE={there}")
    edit(lines, here, "smtp line 50\n", "ours\n")
    edit(lines, here, "tls line 40\n", "// edited\n", TLS)
    before = lines.read(f"patches/{there}/two.patch")
    done = lines.fails(
        "1 conflicts are left", "make", "port", f"FROM={here}", f"RELEASE={there}"
    )
    text = lines.read(tree(there) + SMTP)
    number = text.splitlines().index(f"<<<<<<< patches/{there}") + 1
    assert f"{tree(there)}{SMTP}:{number}: conflict\n" in done.stderr
    assert (
        f"<<<<<<< patches/{there}\ntheirs\n||||||| patches/{here} before\n"
        f"smtp line 50\n=======\nours\n>>>>>>> patches/{here}\n"
    ) in text
    lines.fails(f"{SMTP}:{number}", "make", "refresh", f"RELEASE={there}")
    assert lines.read(f"patches/{there}/two.patch") == before

    head, _, rest = text.partition("<<<<<<<")
    lines.write(tree(there) + SMTP, head + "decided\n" + rest.partition(f">>>>>>> patches/{here}\n")[2])
    lines.ok("make", "refresh", f"RELEASE={there}")
    after = lines.read(f"patches/{there}/two.patch")
    assert "+decided\n" in after and "+// edited\n" in after and "theirs" not in after


def test_what_was_committed_since(lines):
    """On a branch, say: refreshed and committed long ago."""
    commit(lines)
    edit(lines, "3.10", "smtp line 50\n", "// edited\n")
    lines.ok("make", "refresh", "RELEASE=3.10")
    commit(lines)
    lines.fails("nothing has changed in patches/3.10 since HEAD", "make", "port", "FROM=3.10")
    lines.ok("make", "port", "FROM=3.10", "RELEASE=3.7", "SINCE=HEAD~1")
    assert "// edited\n" in lines.read(tree("3.7") + SMTP)
    lines.fails("no such commit", "make", "port", "FROM=3.10", "SINCE=nothing")


def test_what_is_not_committed(lines):
    """What was refreshed and what was not, together; and again, which changes nothing."""
    commit(lines)
    edit(lines, "3.10", "smtp line 50\n", "// edited\n")
    lines.ok("make", "refresh", "RELEASE=3.10")
    edit(lines, "3.10", "smtp line 55\n", "// more\n")
    lines.ok("make", "port", "FROM=3.10", "RELEASE=3.11")
    text = lines.read(tree("3.11") + SMTP)
    assert "// edited\n" in text and "// more\n" in text
    lines.fails("`make refresh RELEASE=3.11' comes first", "make", "port", "FROM=3.10",
                "RELEASE=3.11")
    lines.ok("make", "refresh", "RELEASE=3.11")
    again = lines.ok("make", "port", "FROM=3.10", "RELEASE=3.11")
    assert "patches/3.11 has it already" in again.stderr


def test_change_in_the_middle_stays_there(lines):
    """Quilt can put it into any patch; the other series gets it in the same one."""
    commit(lines)
    first = lines.read("patches/3.10/one.patch")
    lines.write("patches/3.10/one.patch", first.replace("+// ours", "+// mine"))
    lines.ok("make", "port", "FROM=3.10")
    for line in ("3.7", "3.11"):
        lines.ok("make", "refresh", f"RELEASE={line}")
        assert "+// mine, after smtp line 20" in lines.read(f"patches/{line}/one.patch")
        assert "mine" not in lines.read(f"patches/{line}/two.patch").replace(" // mine", "")
    lines.ok("make", "lint")


def test_new_patch_and_new_header(lines):
    commit(lines)
    upstream = source("3.10")
    two = lines.read("patches/3.10/two.patch")
    lines.write("patches/3.10/two.patch", two.replace("numbered lines", "counted lines"))
    middle = patched(upstream)
    lines.write("patches/3.10/new.patch", patch(
        (SMTP, middle, with_lines(middle, 10)), header="New. " + HEADER))
    lines.write("patches/3.10/two.patch", lines.read("patches/3.10/two.patch").replace(
        "@@ -58,5 +58,5 @@", "@@ -59,5 +59,5 @@"))
    lines.write("patches/3.10/series", "one.patch\nnew.patch\ntwo.patch\n")
    lines.ok("make", "port", "FROM=3.10")
    for line in ("3.7", "3.11"):
        assert lines.read(f"patches/{line}/series") == "one.patch\ntwo.patch\n"
        lines.ok("make", "refresh", f"RELEASE={line}")
        assert lines.read(f"patches/{line}/series") == "one.patch\nnew.patch\ntwo.patch\n"
        assert lines.read(f"patches/{line}/new.patch").startswith("New. Change the")
        assert "counted lines" in lines.read(f"patches/{line}/two.patch")
    lines.ok("make", "lint", "RELEASE=3.7")
    lines.ok("make", "lint", "RELEASE=3.11")


def test_dropped_patch(lines):
    commit(lines)
    lines.write("patches/3.10/series", "one.patch\n")
    (lines.path / "patches/3.10/two.patch").unlink()
    lines.ok("make", "port", "FROM=3.10")
    for line in ("3.7", "3.11"):
        lines.ok("make", "refresh", f"RELEASE={line}")
        assert lines.read(f"patches/{line}/series") == "one.patch\n"
        assert not (lines.path / f"patches/{line}/two.patch").exists()
        assert lines.read(tree(line) + TLS) == "".join(tls)


def test_edits_of_the_other_tree_are_kept(lines):
    edit(lines, "3.7", "smtp line 30\n", "// of 3.7 only\n")
    edit(lines, "3.10", "smtp line 50\n", "// edited\n")
    lines.ok("make", "port", "FROM=3.10", "RELEASE=3.7")
    lines.ok("make", "refresh", "RELEASE=3.7")
    text = lines.read("patches/3.7/two.patch")
    assert "+// edited\n" in text and "+// of 3.7 only\n" in text


def test_tree_that_is_removed_takes_what_was_carried_with_it(lines):
    edit(lines, "3.10", "smtp line 50\n", "// edited\n")
    lines.ok("make", "port", "FROM=3.10", "RELEASE=3.7")
    subprocess.run(["rm", "-r", lines.path / tree("3.7")], check=True)
    lines.ok("make", "edit", "RELEASE=3.7")
    before = lines.read("patches/3.7/two.patch")
    lines.ok("make", "refresh", "RELEASE=3.7")
    assert lines.read("patches/3.7/two.patch") == before


def test_mode_of_files(lines):
    """A program stays one."""
    (lines.path / tree("3.7")).parent.mkdir(exist_ok=True)
    for line in VERSIONS:
        (lines.path / f"build/upstream/{line}" / SMTP).chmod(0o755)
    edit(lines, "3.10", "smtp line 50\n", "// edited\n")
    lines.ok("make", "port", "FROM=3.10", "RELEASE=3.7")
    assert (lines.path / tree("3.7") / SMTP).stat().st_mode & 0o111
    lines.ok("make", "refresh", "RELEASE=3.7")
    subprocess.run(["quilt", "--quiltrc", "-", "pop", "-a"], check=True,
                   cwd=lines.path / tree("3.7"), capture_output=True)
    assert (lines.path / tree("3.7") / SMTP).stat().st_mode & 0o111


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), "FROM=RELEASE says which series has the change"),
        (("FROM=3.8",), "Postfix 3.8 is not supported"),
        (("FROM=3.10", "RELEASE=3.8"), "Postfix 3.8 is not supported"),
        (("FROM=3.10", "RELEASE=3.10"), "FROM and RELEASE are the same"),
        (("FROM=3.10",), "nothing has changed in patches/3.10"),
    ],
)
def test_wrong_arguments(lines, arguments, message):
    lines.fails(message, "make", "port", *arguments)


@pytest.mark.parametrize("here", VERSIONS)
def test_real_series(bare, here):
    """An edit of the real series of each line is found in both others."""
    subprocess.run(["rm", "-r", bare.path / "patches", bare.path / "postfix"], check=True)
    subprocess.run(["cp", "-R", TOP / "patches", TOP / "postfix", bare.path], check=True)
    bare.cache = None
    anchor = "\tif (SMTP_TLS_IS_FALLBACK_ATTR(name)) {\n"
    name = "src/smtp/smtp_tls_policy.c"
    environment = {"POSTFIX_CACHE": ""}
    bare.ok("make", "edit", f"RELEASE={here}", **environment)
    version = next((bare.path / "build").glob("edit-*")).name
    text = bare.read(f"build/{version}/{name}")
    assert anchor in text
    bare.write(f"build/{version}/{name}", text.replace(anchor, "\t/* Edited. */\n" + anchor))
    bare.ok("make", "port", f"FROM={here}", timeout=900, **environment)
    found = [file.name for file in (bare.path / "build").glob("edit-*")
             if "/* Edited. */" in (file / name).read_text()]
    assert len(found) == 3, found
