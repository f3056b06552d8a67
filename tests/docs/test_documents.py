"""The documents: followed by a program, rendered, installed, checked.

These tests start on the machine itself, and make the clones they need.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

import document
import mantools
from testenv.clone import TOP, environment, in_clone

README = "README_FILES/TLS_FALLBACK_README"
PARAMETERS = {                          # and their defaults
    "smtp_tls_fallback_level": "empty", "lmtp_tls_fallback_level": "empty",
    "smtp_tls_fallback_delay": "0s", "lmtp_tls_fallback_delay": "0s",
    "smtp_tls_audit_template": "empty", "lmtp_tls_audit_template": "empty",
}
SAME_RENDERER = "1.3.2a"                # of html2text, for the committed README


def run(*command, cwd=TOP, **options):
    done = subprocess.run([str(word) for word in command], cwd=cwd, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def prepared(*options):
    return Path(run("sh", "ci/prepare", *options).strip())


@pytest.fixture(scope="module")
def tree():
    run("sh", "ci/build", "update")
    return prepared()


@pytest.fixture(scope="module")
def pristine():
    run("sh", "ci/build", "--pristine", "update")
    return prepared("--pristine")


# A reader's way.

@pytest.mark.parametrize("name", ["proto/TLS_FALLBACK_README.html", "README.md"])
def test_every_step(name):
    run(*in_clone("tests/docs/walk.py", name), env=environment())


def test_what_an_unpatched_postfix_says():
    run(*in_clone("tests/docs/walk.py", "--pristine", "proto/TLS_FALLBACK_README.html",
                  options=["--pristine"]), env=environment())


def test_readme_first_commands():
    """The demo shows what README.md says; the check is what runs this test."""
    blocks = [block for block in document.read(TOP / "README.md")
              if block.section == "Try it"]
    commands, log = blocks
    assert [command for command, _ in commands.commands] == [
        "ci/demo", "ci/check"]
    shown = [document.normal(line.split("sandbox ", 1)[-1])
             for line in run("ci/demo").splitlines()]
    trusted_without_name = "True" in run(
        *in_clone("-c", "from testenv import releases;"
                  " print(releases.has('trusted-without-name'))"), env=environment())
    for record in log.records:
        record = document.as_logged(record, trusted_without_name)
        pattern = document.record_pattern(record)
        assert any(map(pattern.fullmatch, shown)), record
    assert "usage: ci/check" in run("ci/check", "--help")


def test_readme_is_one_screen_and_its_paths_exist():
    text = (TOP / "README.md").read_text()
    assert len(text.splitlines()) <= 90
    paths = [path for cell in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
             for path in re.findall(r"`([^`]+)`", cell)]
    paths += re.findall(r"\]\(([^)]+)\)", text)
    assert len(paths) >= 7
    for path in paths:
        assert (TOP / path).exists(), path


def test_readme_tells_a_reviewer_the_truth():
    text = (TOP / "README.md").read_text()
    added, removed = re.search(
        r"at most (\d+) added\s+and (\d+)\s+removed lines", text).groups()
    limits = (TOP / "ci/series").read_text()
    assert f"\nMAX_ADDED={added}\nMAX_REMOVED={removed}\n" in limits
    version, lines = re.search(
        r"^Version ([\d.]+).*?, for Postfix ([\d., and]+): ", text, re.MULTILINE).groups()
    assert f"\n## {version} (" in (TOP / "CHANGELOG.md").read_text()
    assert f'"{version}' in (
        TOP / "postfix/src/posttls-audit/audit_version.h").read_text()
    assert set(re.findall(r"[\d.]+\d", lines)) == {
        series.parent.name for series in TOP.glob("patches/*/series")}


# Rendering.

def plain(text):
    """Words, whatever a renderer does with lines and bold letters."""
    return " ".join(re.sub(r".\x08", "", text).split())


def test_committed_readme_is_the_rendering(tree):
    rendered = (tree / README).read_text()
    committed = (TOP / README).read_text()
    version = subprocess.run(["html2text", "-version"], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if SAME_RENDERER in version.stdout:
        assert committed == rendered, f"copy it from {tree}"
    else:
        assert plain(committed) == plain(rendered)


def test_printed_text_can_be_pasted():
    """What test_every_step carries out is printed line by line, unfolded."""
    printed = (TOP / README).read_text()
    blocks = document.read(TOP / "proto/TLS_FALLBACK_README.html")
    assert len(blocks) > 20
    for block in blocks:
        lines = (re.escape(line) and r"\1" + re.escape(line) for line in block.lines)
        pattern = r"^( {4,})(?=\S)" + r"\n".join(lines).replace(r"\1", "", 1) + "\n\n"
        assert re.search(pattern, printed, re.MULTILINE), block.lines


def test_rendered_and_hyperlinked(tree):
    page = (tree / "html/postconf.5.html").read_text()
    manual = (tree / "man/man5/postconf.5").read_text()
    for name, default in PARAMETERS.items():
        assert f'<a name="{name}">{name}</a>' in page
        assert f"\n.SH {name} (default: {default})" in manual
        assert f'<a href="postconf.5.html#{name}">{name}</a>' in (
            tree / "html/TLS_FALLBACK_README.html").read_text() or "lmtp" in name
        if "lmtp" in name:
            continue
        assert f"\\fB{name} ({default})\\fR" in (
            tree / "man/man8/smtp.8").read_text()
        assert f'postconf.5.html#{name}">' in (tree / "html/smtp.8.html").read_text()
    for name in ("html/TLS_README.html", "html/postconf.5.html",
                 "html/smtp.8.html", "html/index.html"):
        assert '<a href="TLS_FALLBACK_README.html"' in (tree / name).read_text(), name
    assert "TLS_FALLBACK_README" in (tree / "README_FILES/AAAREADME").read_text()
    assert "the optional \"fallback\" attribute" in plain(
        (tree / "README_FILES/TLS_README").read_text())


# Upstream's own: mantools/postlink names a page that does not exist.
UPSTREAMS_DEAD_LINKS = {"socketmap_table.html"}


@pytest.mark.parametrize("name", [
    "TLS_FALLBACK_README.html", "posttls-audit.1.html", "TLS_README.html",
    "smtp.8.html", "index.html"])
def test_links_lead_somewhere(tree, name):
    """One text is for all releases, and not all of them have the same pages."""
    dead = set()
    for page, anchor in re.findall(r'href="([^":#]*)(?:#([^"]*))?"',
                                   (tree / "html" / name).read_text()):
        target = tree / "html" / (page or name)
        if not target.exists():
            dead.add(page)
        elif anchor and f'name="{anchor}"' not in target.read_text():
            dead.add(page + "#" + anchor)
    assert dead <= UPSTREAMS_DEAD_LINKS


def test_fallback_attribute_at_every_authenticated_level(tree):
    """The policy table's description names them, and what they override."""
    for name, start, end in (
            ("TLS_README.html", '<a name="client_tls_policy">', "<h[234]>"),
            ("postconf.proto", "%PARAM smtp_tls_policy_maps\n", "%(PARAM|CLASS)")):
        text = (tree / "proto" / name).read_text()
        text = re.split(end, text[text.index(start) + len(start):])[0]
        said = plain(re.sub("<[^>]*>", "", text))
        for attribute, parameter in (("fallback", "smtp_tls_fallback_level"),
                                     ("fallback_delay", "smtp_tls_fallback_delay")):
            assert re.search(
                r'With the levels dane, dane-only, fingerprint, verify and secure,'
                rf'.*? optional "{attribute}" attribute overrides the (main\.cf )?{parameter}'
                ' parameter', said), (name, attribute)


def test_manual_page_comment_is_what_upstreams_tool_makes(tree, tmp_path):
    """Else `make manpages' would edit the program.

    Of upstream's releases, 3.7.11 has a comment that the tool edits.
    """
    run("cp", "-R", "-p", prepared("--upstream"), tmp_path / "tree")
    smtp = tmp_path / "tree/src/smtp/smtp.c"
    smtp.write_text(run("perl", "mantools/fixman", "proto/postconf.proto", smtp,
                        cwd=tmp_path / "tree"))
    series = TOP / "patches" / run("sh", "ci/prepare", "--release").strip() / "series"
    for name in series.read_text().split():
        run("patch", "-d", tmp_path / "tree", "-p1", "--fuzz=0", "--batch",
            "-i", series.with_name(name))
    rules = TOP / "proto/insertions"
    own = TOP / "proto/postconf.proto"
    assert run("awk", "-f", "ci/insert.awk", f"TREE={tmp_path / 'tree'}",
               f"PROTO={own}", own, rules) == ""
    assert "smtp_tls_fallback_level (empty)" in smtp.read_text()
    assert smtp.read_bytes() == (tree / "src/smtp/smtp.c").read_bytes()


def test_each_section_of_a_manual_page_is_rendered(tree):
    """The tool leaves out what looks like a part of the head of a page."""
    comment = (TOP / "postfix/src/posttls-audit/posttls-audit.c").read_text()
    comment = comment[:comment.index("/*--*/")]
    sections = re.findall(r"^/\* ([A-Z][A-Z ()]+)$", comment, re.MULTILINE)
    assert len(sections) > 12
    page = (tree / "man/man1/posttls-audit.1").read_text()
    shown = [title.strip('"') for title in re.findall(r"^\.SH (.*)$", page, re.MULTILINE)]
    assert [title for title in sections if title != "SUMMARY"] == shown
    named = set(re.findall(r'"([A-Z][A-Z ]+)" (?:below|above)', page.replace("\n", " ")))
    assert len(named) > 3 and named <= set(shown)


def test_patch_has_the_rendered_files(tree, pristine, tmp_path):
    """A machine without the tools gets the same documentation."""
    run("make", "patch", env={**os.environ, "MAKEFLAGS": ""})
    patch = TOP / f"build/{tree.name}-tls-fallback.patch"
    source = tmp_path / "source"
    run("cp", "-R", "-p", prepared("--upstream"), source)
    run("patch", "-d", source, "-p1", "--fuzz=0", "--batch", "-i", patch)
    for name in (README, "README_FILES/TLS_README", "README_FILES/AAAREADME",
                 "html/TLS_FALLBACK_README.html", "html/TLS_README.html",
                 "html/postconf.5.html", "html/smtp.8.html", "html/lmtp.8.html",
                 "html/index.html", "html/posttls-audit.1.html",
                 "man/man1/posttls-audit.1", "man/man5/postconf.5",
                 "man/man8/smtp.8"):
        assert (source / name).read_bytes() == (tree / name).read_bytes(), name


# Installation.

def test_listed_for_installation(tree):
    listed = (tree / "conf/postfix-files").read_text()
    for name in ("$readme_directory/TLS_FALLBACK_README",
                 "$html_directory/TLS_FALLBACK_README.html",
                 "$manpage_directory/man1/posttls-audit.1"):
        assert f"\n{name}:f:root:-:644\n" in listed


def test_installed():
    run("sh", "ci/sandbox", "sh", "-c", """
        set -e
        cd "$(sh ci/prepare)"
        sh postfix-install -non-interactive install_root=/var/tmp/root \
            readme_directory=/readme html_directory=/html \
            manpage_directory=/man >/dev/null
        cd /var/tmp/root
        ls readme/TLS_FALLBACK_README html/TLS_FALLBACK_README.html \
            man/man1/posttls-audit.1
        grep -q smtp_tls_audit_template man/man5/postconf.5
        """)


# Upstream's own checks.

def test_no_new_findings(tree, pristine):
    assert mantools.new_findings(tree, pristine) == {}
