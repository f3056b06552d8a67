"""What is in the packages, and how they are made."""

import os
import re
import subprocess
from collections import Counter

import pytest

from testenv.clone import TOP

WORDS = ["smtp_tls_fallback_level", "smtp_tls_audit_template"]


def dpkg_deb(option, file):
    return subprocess.run(["dpkg-deb", option, file], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def names(file):
    """The files of a package, versions apart."""
    return {line.split()[5].split(" -> ")[0]
            for line in dpkg_deb("--contents", file).splitlines()
            if not line.startswith("d")}


def content(file, name):
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", file], check=True,
                         stdout=subprocess.PIPE).stdout
    data = subprocess.run(["tar", "-xO", "./" + name.lstrip("./")], input=tar,
                          check=True, stdout=subprocess.PIPE).stdout
    if name.endswith(".gz"):
        data = subprocess.run(["gzip", "-dc"], input=data, check=True,
                              stdout=subprocess.PIPE).stdout
    return data.decode(errors="replace")


@pytest.fixture(scope="session")
def update_files(packages):
    """What keeps a summary of the log up to date, when it is enabled.

    Debian 13 has units in /usr/lib, Debian 12 in /lib."""
    units, = [name.rpartition("/")[0] for name in names(packages.debians("postfix"))
              if name.endswith("/system/postfix.service")]
    return {f"{units}/posttls-audit.service", f"{units}/posttls-audit.timer",
            "./usr/lib/sysusers.d/posttls-audit.conf",
            "./usr/share/posttls-audit/tls-audit-update"}


def field(file, name):
    return subprocess.run(["dpkg-deb", "--field", file, name], check=True,
                          text=True, stdout=subprocess.PIPE).stdout.strip()


def below(lower, higher):
    return subprocess.run(["dpkg", "--compare-versions", lower, "lt",
                           higher]).returncode == 0


def test_version_between_debians(packages):
    debian, ours = packages.debian, packages.version
    assert below(debian, ours)
    assert below(debian + "+b1", ours), "a rebuild of Debian's hides ours"
    match = re.fullmatch(r"(.*\+deb\d+u)(\d+)", debian)
    assert match, "the test has to learn what comes after " + debian
    assert below(ours, match[1] + str(int(match[2]) + 1))
    assert below(ours, debian + ".1")


def test_same_packages_as_debians(packages):
    for debians in packages.debian_directory.glob("*.deb"):
        name = debians.name.split("_")[0]
        ours = packages.ours(name)
        assert field(ours, "Version") == packages.version


def test_bugs_go_to_who_builds(packages):
    """Debian's maintainers are named as the origin, and not asked for help."""
    changes, = packages.directory.glob("*.changes")
    builder = re.search("^Changed-By: (.*)", changes.read_text(), re.M)[1]
    address = re.fullmatch(".+ <(.+@.+)>", builder)[1]
    assert address == os.environ.get("DEBEMAIL", address)
    for debians in packages.debian_directory.glob("*.deb"):
        ours = packages.ours(debians.name.split("_")[0])
        assert field(ours, "Maintainer") == builder
        assert field(ours, "Bugs") == "mailto:" + address
        maintainer = field(debians, "Maintainer")
        assert field(ours, "Original-Maintainer") == maintainer != builder
    dsc, = packages.directory.glob("*.dsc")
    assert re.search("^Maintainer: (.*)", dsc.read_text(), re.M)[1] == builder
    assert "\nUploaders:" not in dsc.read_text()


def test_only_our_files_are_new(packages, update_files):
    new, missing = set(), set()
    for debians in packages.debian_directory.glob("*.deb"):
        name = debians.name.split("_")[0]
        theirs, ours = names(debians), names(packages.ours(name))
        new |= {(name, file) for file in ours - theirs}
        missing |= {(name, file) for file in theirs - ours}
    assert not missing
    readme = "./usr/share/doc/postfix/TLS_FALLBACK_README.gz"
    news = "./usr/share/doc/postfix/NEWS.Debian.gz"
    engines = "./usr/share/doc/postfix/tls-audit"
    shipped = {name for name in new if name[1].startswith(engines)}
    assert {name.removesuffix(".gz") for _, name in shipped} == {
        f"{engines}/{path.name}" for path in (TOP / "postfix/auxiliary/tls-audit").iterdir()}
    assert new - shipped == {
        *(("postfix", file) for file in update_files),
        ("postfix", "./usr/lib/postfix/sbin/smtp-tls-check"),
        ("postfix", "./usr/sbin/posttls-audit"),
        *([("postfix", news)] if news not in names(packages.debians("postfix")) else []),
        ("postfix", "./usr/share/doc/postfix/README.TLS_FALLBACK.gz"),
        ("postfix", "./usr/share/man/man1/posttls-audit.1.gz"),
        ("postfix-doc", readme),
        ("postfix-doc", "./usr/share/doc/postfix/html/TLS_FALLBACK_README.html"),
        ("postfix-doc", "./usr/share/doc/postfix/html/posttls-audit.1.html"),
    }


@pytest.mark.parametrize("package, pattern, words", [
    ("postfix", r"man5/postconf\.5\.gz", WORDS),
    ("postfix", r"man8/smtp\.8(postfix)?\.gz", WORDS),
    ("postfix", r"man1/posttls-audit\.1\.gz", ["posttls"]),
    ("postfix-doc", r"html/postconf\.5\.html", WORDS),
    ("postfix-doc", r"html/smtp\.8\.html", WORDS),
    ("postfix-doc", r"html/TLS_README\.html", ["TLS_FALLBACK_README"]),
    ("postfix-doc", r"doc/postfix/TLS_README\.gz", ["TLS_FALLBACK_README"]),
    ("postfix-doc", r"doc/postfix/TLS_FALLBACK_README\.gz", WORDS),
])
def test_documentation_is_rendered(packages, package, pattern, words):
    file = packages.ours(package)
    name, = [name for name in names(file) if re.search(pattern + "$", name)]
    text = content(file, name)
    for word in words:
        assert word in text, name


def test_administrator_is_told(packages):
    """What apt-listchanges shows names the document that comes with postfix."""
    ours = packages.ours("postfix")
    news = content(ours, "./usr/share/doc/postfix/NEWS.Debian.gz")
    assert news.startswith(f"postfix ({packages.version}) ")
    for word in WORDS + ["postfix reload", '"fallback" attributes']:
        assert word in " ".join(news.split()), word
    document = re.search(r"/usr/share/doc/postfix/[\w.]*\w", news)[0]
    rendered = content(packages.ours("postfix-doc"),
                       "./usr/share/doc/postfix/TLS_FALLBACK_README.gz")
    # Debian 13 has another html2text, which wraps lines at other places.
    assert content(ours, "." + document).split() == rendered.split()


def test_debians_packages_are_kept(packages):
    """The archive has only its newest; going back is possible after that."""
    kept = packages.directory / "debian"
    assert ({file.name: file.read_bytes() for file in kept.iterdir()}
            == {file.name: file.read_bytes()
                for file in packages.debian_directory.glob("*.deb")})


def test_program_uses_what_it_is_linked_with(packages):
    """dpkg-shlibdeps has seen posttls-audit: it needs zlib."""
    assert re.search(r"\bzlib1g\b", field(packages.ours("postfix"), "Depends"))


def test_package_for_log_hosts(packages, update_files):
    """The same program, that needs nothing of Postfix; never both at a time."""
    ours, postfix = packages.ours("postfix-tls-audit"), packages.ours("postfix")
    files = {name for name in names(ours) if not name.startswith("./usr/share/doc/")}
    program = {"./usr/sbin/posttls-audit", "./usr/share/man/man1/posttls-audit.1.gz"}
    assert files == update_files | program
    for name in files - {"./usr/sbin/posttls-audit"}:
        assert content(ours, name) == content(postfix, name), name
    assert "postfix" not in field(ours, "Depends")
    for file in (ours, postfix):
        for relation in ("Provides", "Conflicts", "Replaces"):
            assert "posttls-audit" in field(file, relation).replace(",", " ").split()


def test_log_host(packages):
    """Where Postfix is not: installed, and the service's command run as its user."""
    done = subprocess.run(["sh", TOP / "ci/sandbox", "--bare", "sh", "-ec", f"""
        test ! -e /usr/sbin/postconf
        dpkg -i {packages.ours("postfix-tls-audit")}
        posttls-audit -V
        test "$(systemctl is-enabled posttls-audit.timer)" = disabled
        systemd-sysusers
        systemd-analyze verify --man=no /lib/systemd/system/posttls-audit.timer
        install -d -o posttls-audit -g posttls-audit /var/lib/posttls-audit
        cp {TOP}/postfix/src/posttls-audit/report.in /var/log/mail.log
        chown root:adm /var/log/mail.log
        chmod 640 /var/log/mail.log
        cd /var/lib/posttls-audit
        command=$(sed -n 's/^ExecStart=//p' /lib/systemd/system/posttls-audit.service)
        setpriv --reuid=posttls-audit --regid=posttls-audit --init-groups $command
        ls -l
        dpkg -r postfix-tls-audit
        """], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for file in ("summary", "metrics.prom", "index.html"):
        assert re.search(rf"^-rw-r.*posttls-audit.* {file}$", done.stdout, re.M), done.stdout


def test_file_list_of_postfix(packages):
    """What `postfix set-permissions' works on has our files, as installed."""
    lists = {"postfix": "./etc/postfix/postfix-files"}
    doc_list = "./etc/postfix/postfix-files.d/doc.files"
    if doc_list in names(packages.ours("postfix-doc")):
        lists["postfix-doc"] = doc_list
    text = "".join(content(packages.ours(package), name)
                   for package, name in lists.items())
    assert "$command_directory/posttls-audit:" in text
    assert "$daemon_directory/smtp-tls-check:" in text
    assert "$manpage_directory/man1/posttls-audit.1.gz:" in text
    if "postfix-doc" in lists:
        assert "$readme_directory/TLS_FALLBACK_README.gz:" in text
        assert "$html_directory/TLS_FALLBACK_README.html:" in text


def test_source_package(packages, tmp_path):
    """It unpacks without fuzz; our patches are behind Debian's, and say why."""
    dsc, = packages.directory.glob("*.dsc")
    done = subprocess.run(["dpkg-source", "--no-check", "-x", dsc, tmp_path / "x"],
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    patches = tmp_path / "x/debian/patches"
    series = [line.split()[0] for line in (patches / "series").read_text().splitlines()
              if line.strip() and not line.startswith("#")]
    ours = [name for name in series if name.startswith("tls-fallback/")]
    assert ours == series[-len(ours):]
    for name in ours:
        text = (patches / name).read_text(errors="replace")
        for header in ("Description: ", "Author: ", "Forwarded: ", "Last-Update: "):
            assert re.search("^" + header, text, re.M), name
    assert (tmp_path / "x/src/posttls-audit/posttls-audit.c").exists()


def changed(patch, sign):
    """File and text of the lines that a patch adds (+) or removes (-)."""
    file = None
    for line in patch.read_text().splitlines():
        if line.startswith("+++ b/"):
            file = line[6:]
        elif file and line.startswith(sign) and not line.startswith(sign * 3):
            yield file, line[1:]


@pytest.mark.parametrize("special", sorted(TOP.glob("patches/debian/*/debian.patch")),
                         ids=lambda path: path.parent.name)
def test_debians_variant_is_the_same_change(special):
    """What stands in for parts of the series has neither more nor less."""
    series = TOP / "patches" / special.parent.name
    names = [line.split()[0] for line in (series / "series").read_text().splitlines()
             if line.strip() and not line.startswith("#")]
    files = {file for file, _ in changed(special, "+")}

    def net_change(*patches):
        """Several patches may change a line in turn: the first and the last count."""
        lines = Counter()
        for sign, count in (("+", 1), ("-", -1)):
            for patch in patches:
                for file, text in changed(patch, sign):
                    if file in files:
                        plain = re.sub(r"(README|\.\d)\.gz:", r"\1:", text)
                        lines[file, plain] += count
        return {line: count for line, count in lines.items() if count}

    assert net_change(special) == net_change(*(series / name for name in names)) != {}


def again(*option):
    done = subprocess.run(["sh", "ci/deb", *option], cwd=TOP, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    return done


def test_daily_job_is_silent(packages):
    done = again("--if-new")
    assert (done.stdout, done.stderr) == ("", "")


def test_same_again_is_quick(packages):
    done = again()
    assert "nothing has changed since the last time" in done.stderr
    assert done.stdout == packages.summary
