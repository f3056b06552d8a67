"""ci/fetch-upstream: where the source comes from, and what is refused."""

import hashlib
import io
import pathlib
import subprocess
import tarfile

import pytest

VERSION = "3.10.13"
NO_NETWORK = ("unshare", "--net")


def source_tarball(path, version):
    """A tarball that has just what tells a Postfix and its version."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in (
            ("src/global/mail_version.h", f'#define MAIL_VERSION_NUMBER\t"{version}"\n'),
            ("makedefs", "# nothing\n"),
        ):
            data = text.encode()
            info = tarfile.TarInfo(f"postfix-{version}/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_cache_is_used_without_network(repository):
    done = repository.ok("ci/fetch-upstream", "3.10", prefix=NO_NETWORK)
    assert done.stdout.strip() == f"{repository.cache}/postfix-{VERSION}.tar.gz"
    assert done.stderr == ""


def test_no_network_and_empty_cache(bare):
    bare.fails("cannot be reached", "ci/fetch-upstream", "3.10", prefix=NO_NETWORK)
    assert not list(bare.cache.glob("postfix-*"))
    assert not list(bare.cache.glob("work.*"))


def test_no_network_stops_make(bare):
    bare.fails("POSTFIX_SOURCE=", "make", prefix=NO_NETWORK)
    assert bare.leftovers() == []


def test_damaged_cache_is_dropped(repository):
    cached = repository.cache / f"postfix-{VERSION}.tar.gz"
    data = cached.read_bytes()
    cached.unlink()
    cached.write_bytes(data[:-1000])
    done = repository.fails(
        "cannot be reached", "ci/fetch-upstream", "3.10", prefix=NO_NETWORK
    )
    assert "damaged, getting it anew" in done.stderr
    assert not cached.exists()


def test_unknown_release(bare):
    bare.fails("unknown release line `9.9'", "ci/fetch-upstream", "9.9")


def test_release_without_series(repository):
    """It gets the nearest one, as soon as there is a source."""
    repository.fails(
        "the archive of bookworm cannot be reached",
        "make",
        "RELEASE=3.7",
        prefix=NO_NETWORK,
    )
    assert repository.leftovers() == []


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda data: data[: len(data) // 2], "damaged: not a complete tar archive"),
        (lambda data: b"", "damaged: not a complete tar archive"),
        (lambda data: b"not a tarball", "damaged: not a complete tar archive"),
    ],
    ids=["truncated", "empty", "garbage"],
)
def test_given_tarball_damaged(bare, tarball, damage, message):
    given = bare.path.parent / "given.tar.gz"
    given.write_bytes(damage(tarball.read_bytes()))
    bare.fails(message, "make", f"POSTFIX_SOURCE={given}")
    assert bare.leftovers() == []


def test_given_tarball_wrong_hash(bare):
    given = source_tarball(bare.path.parent / "given.tar.gz", VERSION)
    digest = hashlib.sha256(given.read_bytes()).hexdigest()
    bare.fails(
        f"wrong SHA-256 for Postfix {VERSION}: {digest}, expected",
        "make",
        f"POSTFIX_SOURCE={given}",
    )
    assert bare.leftovers() == []


def test_given_tarball_unsupported_version(bare):
    given = source_tarball(bare.path.parent / "given.tar.gz", "2.11.3")
    bare.fails(
        "Postfix 2.11.3 is too far from what is supported (3.10)",
        "make",
        f"POSTFIX_SOURCE={given}",
    )
    assert bare.leftovers() == []


def test_given_tarball_other_release(bare):
    given = source_tarball(bare.path.parent / "given.tar.gz", "3.10.99")
    bare.fails(
        "this is Postfix 3.10.99, but release 3.7 was asked for",
        "ci/fetch-upstream",
        "3.7",
        POSTFIX_SOURCE=given,
    )


def test_given_tarball_newer_patch_level(bare):
    given = source_tarball(bare.path.parent / "given.tar.gz", "3.10.99")
    done = bare.ok("ci/fetch-upstream", POSTFIX_SOURCE=given)
    assert "not the patch level that the patches were made against" in done.stderr
    assert done.stdout.strip() == str(given)


def test_given_tarball_not_postfix(bare):
    given = bare.path.parent / "given.tar.gz"
    with tarfile.open(given, "w:gz") as archive:
        archive.add(__file__, "something/else.py")
    bare.fails("not a Postfix source archive", "make", f"POSTFIX_SOURCE={given}")
    assert bare.leftovers() == []


def test_given_nothing(bare):
    bare.fails("no such file or directory", "make", "POSTFIX_SOURCE=/nowhere")
    assert bare.leftovers() == []


def test_given_directory(bare, tarball):
    subprocess.run(["tar", "-xf", tarball, "-C", bare.path.parent], check=True)
    given = bare.path.parent / f"postfix-{VERSION}"
    done = bare.ok("ci/prepare", POSTFIX_SOURCE=given)
    assert done.stdout.strip() == f"{bare.path}/build/postfix-{VERSION}"
    assert (bare.path / f"build/postfix-{VERSION}/src/tls/tls_sample.c").exists()

    # Later runs do not ask for it again.
    bare.ok("ci/prepare", prefix=NO_NETWORK)

    (given / "src/util/Makefile").write_text("")
    bare.fails("not pristine", "ci/prepare", POSTFIX_SOURCE=given)


def test_given_directory_not_postfix(bare):
    bare.fails("not a Postfix source directory", "make", "POSTFIX_SOURCE=/usr")


def test_without_apt(bare):
    """Where there is no apt-get the way on is POSTFIX_SOURCE."""
    tools = bare.path.parent / "bin"
    tools.mkdir()
    for directory in ("/bin", "/usr/bin"):
        for tool in pathlib.Path(directory).iterdir():
            if not tool.name.startswith("apt") and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    bare.fails(
        "there is no apt-get here", "ci/fetch-upstream", "3.10", PATH=tools
    )


class Archive:
    """A Debian archive of our own, signed with a key of our own.

    The program is run in a mount namespace where that key takes the place of
    the distribution's, and the archive that of the machine's sources.
    """

    def __init__(self, path):
        self.path = path
        self.home = path / "gnupg"
        self.home.mkdir(parents=True, mode=0o700)
        self.gpg("--quick-gen-key", "archive@example.com", "ed25519", "sign", "never")
        self.keyring = path / "keyring.gpg"
        self.keyring.write_bytes(
            self.gpg("--export", "archive@example.com", capture_output=True).stdout
        )
        self.root = path / "archive"
        self.machine = path / "sources.list"
        self.machine.write_text(f"deb file:{self.root} bookworm main\n")

    def gpg(self, *args, **more):
        return subprocess.run(
            ["gpg", "--homedir", self.home, "--batch", "--quiet", "--yes",
             "--passphrase", "", "--pinentry-mode", "loopback", *map(str, args)],
            check=True, **more,
        )

    def publish(self, version, suite="trixie", with_file=True, revision="1"):
        """Offer a source package of Postfix."""
        pool = self.root / "pool"
        pool.mkdir(parents=True, exist_ok=True)
        name = f"postfix_{version}.orig.tar.gz"
        source_tarball(pool / name, version)
        data = (pool / name).read_bytes()
        if not with_file:
            (pool / name).unlink()
        dist = self.root / "dists" / suite
        index = dist / "main/source/Sources"
        index.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(data).hexdigest()
        dsc = f"{'0' * 64} 1 postfix_{version}-{revision}.dsc"
        index.write_text(
            f"Package: postfix\nFormat: 3.0 (quilt)\nBinary: postfix\n"
            f"Version: {version}-{revision}\nMaintainer: nobody\nArchitecture: any\n"
            f"Directory: pool\nChecksums-Sha256:\n {dsc}\n"
            f" {digest} {len(data)} {name}\n\n"
        )
        text = index.read_bytes()
        (dist / "Release").write_text(
            f"Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\n"
            f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nComponents: main\n"
            f"Architectures: amd64\nSHA256:\n"
            f" {hashlib.sha256(text).hexdigest()} {len(text)} main/source/Sources\n"
        )
        self.gpg("--local-user", "archive@example.com", "--clearsign",
                 "--output", dist / "InRelease", dist / "Release")
        return digest

    def fetch(self, repository, check, *args):
        config = self.path / "apt.conf"
        empty = self.path / "empty"
        empty.mkdir(exist_ok=True)
        config.write_text(
            f'Dir::Etc::SourceList "{self.machine}";\n'
            f'Dir::Etc::SourceParts "{empty}";\n'
        )
        script = (
            f"mount --bind {self.keyring} $(readlink -f"
            " /usr/share/keyrings/debian-archive-keyring.gpg) &&"
            ' exec "$0" "$@"'
        )
        return check(
            *args,
            prefix=("unshare", "--mount", "--net", "sh", "-c", script),
            APT_CONFIG=config,
        )


@pytest.fixture
def archive(tmp_path):
    made = Archive(tmp_path / "made")
    yield made
    made.gpg("--version", stdout=subprocess.DEVNULL)
    subprocess.run(["gpgconf", "--homedir", made.home, "--kill", "all"], check=True)


def test_archive_newer_patch_level(bare, archive):
    """Accepted, said so, and kept: the archive's signature vouches for it."""
    digest = archive.publish("3.10.99")
    done = archive.fetch(bare, bare.ok, "ci/fetch-upstream", "3.10")
    kept = bare.cache / "postfix-3.10.99.tar.gz"
    assert done.stdout.strip() == str(kept)
    assert "3.10.99: not the patch level" in done.stderr
    assert "accepted" in done.stderr
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest

    again = bare.ok("ci/fetch-upstream", "3.10", prefix=NO_NETWORK)
    assert again.stdout.strip() == str(kept)


def test_archive_pinned_version_wrong_hash(bare, archive):
    archive.publish(VERSION)
    archive.fetch(
        bare,
        lambda *command, **more: bare.fails(
            f"wrong SHA-256 for Postfix {VERSION}", *command, **more
        ),
        "ci/fetch-upstream",
        "3.10",
    )
    assert not list(bare.cache.glob("postfix-*"))


def test_archive_without_the_file(bare, archive):
    archive.publish("3.10.99", with_file=False)
    archive.fetch(
        bare,
        lambda *command, **more: bare.fails(
            "names postfix_3.10.99.orig.tar.gz, but the archive does not have it",
            *command,
            **more,
        ),
        "ci/fetch-upstream",
        "3.10",
    )
    assert not list(bare.cache.glob("postfix-*"))


def test_archive_without_the_release(bare, archive):
    archive.publish("3.9.1")
    archive.fetch(
        bare,
        lambda *command, **more: bare.fails(
            "trixie no longer has a Postfix 3.10", *command, **more
        ),
        "ci/fetch-upstream",
        "3.10",
    )


def test_archive_hands_out_only_what_came_before(bare, archive):
    """The pinned version is taken from the pool, but not as a new release."""
    archive.publish("3.10.99", with_file=False)
    pool = archive.root / "pool/main/p/postfix"
    pool.mkdir(parents=True)
    before = source_tarball(pool / "postfix_3.10.98.orig.tar.gz", "3.10.98")
    digest = hashlib.sha256(before.read_bytes()).hexdigest()
    bare.write("ci/upstream.table", f"3.10 trixie 3.10.98 {digest}\n")

    for version in ("3.10", "3.10.99"):
        archive.fetch(
            bare,
            lambda *command, **more: bare.fails(
                "names postfix_3.10.99.orig.tar.gz, but the archive does not have it",
                *command, **more
            ),
            "ci/fetch-upstream", "--new", version,
        )
    kept = bare.cache / "postfix-3.10.98.tar.gz"
    for arguments in (("3.10",), ("--new", "3.10.98")):
        done = archive.fetch(bare, bare.ok, "ci/fetch-upstream", *arguments)
        assert done.stdout.strip() == str(kept)
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest
        kept.unlink()


def test_archive_whose_index_has_gone_on(bare, archive):
    """The pool may have the pinned version for a while."""
    archive.publish("3.11.1")
    pool = archive.root / "pool/main/p/postfix"
    pool.mkdir(parents=True)
    before = source_tarball(pool / "postfix_3.10.98.orig.tar.gz", "3.10.98")
    digest = hashlib.sha256(before.read_bytes()).hexdigest()
    bare.write("ci/upstream.table", f"3.10 trixie 3.10.98 {digest}\n")
    done = archive.fetch(bare, bare.ok, "ci/fetch-upstream", "3.10")
    assert done.stdout.strip() == str(bare.cache / "postfix-3.10.98.tar.gz")


def test_new_release_line(bare, archive):
    """One that the table does not have is in sid, if anywhere."""
    archive.publish("3.12.3", suite="sid")
    done = archive.fetch(bare, bare.ok, "ci/fetch-upstream", "--new", "3.12")
    kept = bare.cache / "postfix-3.12.3.tar.gz"
    assert done.stdout.strip() == str(kept)
    again = bare.ok("ci/fetch-upstream", "--new", "3.12.3", prefix=NO_NETWORK)
    assert again.stdout.strip() == str(kept)
    bare.fails("unknown release line `3.12'", "ci/fetch-upstream", "3.12")


def test_new_version(bare, archive):
    """One version was asked for, and no other will do."""
    archive.publish("3.12.3", suite="sid")
    archive.fetch(
        bare,
        lambda *command, **more: bare.fails(
            "sid does not have a Postfix 3.12.2", *command, **more
        ),
        "ci/fetch-upstream", "--new", "3.12.2",
    )
    assert not list(bare.cache.glob("postfix-*"))
    archive.fetch(bare, bare.ok, "ci/fetch-upstream", "--new", "3.12.3")
    assert (bare.cache / "postfix-3.12.3.tar.gz").is_file()


def test_new_patch_level_in_the_archive(repository, archive):
    """The archive is asked, whatever the cache has."""
    archive.publish("3.10.99")
    done = archive.fetch(repository, repository.ok, "ci/fetch-upstream", "--new", "3.10")
    assert done.stdout.strip() == f"{repository.cache}/postfix-3.10.99.tar.gz"
    for version in (VERSION, "3.10.99"):
        done = repository.ok("ci/fetch-upstream", "--new", version, prefix=NO_NETWORK)
        assert done.stdout.strip() == f"{repository.cache}/postfix-{version}.tar.gz"

    # What is in the cache is not got twice.
    (archive.root / "pool/postfix_3.10.99.orig.tar.gz").unlink()
    again = archive.fetch(repository, repository.ok, "ci/fetch-upstream", "--new", "3.10")
    assert again.stdout.strip() == f"{repository.cache}/postfix-3.10.99.tar.gz"


def test_new_release_from_the_archive(bare, archive):
    """ci/new-release with a version."""
    digest = archive.publish("3.12.3", suite="sid")
    done = archive.fetch(bare, bare.run, "ci/new-release", "3.12")
    assert done.returncode == 1, done.stderr  # the sample is not made for it
    assert f"trying patches/3.10 on Postfix 3.12.3, SHA-256 {digest}" in done.stderr
    assert f"3.12\tsid\t3.12.3\t{digest}" in done.stdout.splitlines()


def test_given_tarball_new_release(bare):
    given = source_tarball(bare.path.parent / "given.tar.gz", "3.12.3")
    done = bare.ok("ci/fetch-upstream", "--new", POSTFIX_SOURCE=given)
    assert done.stdout.strip() == str(given)
    bare.fails(
        "this is Postfix 3.12.3, but release 3.13 was asked for",
        "ci/fetch-upstream", "--new", "3.13", POSTFIX_SOURCE=given,
    )


def test_archive_with_wrong_signature(bare, archive):
    archive.publish("3.10.99")
    inrelease = archive.root / "dists/trixie/InRelease"
    inrelease.write_text(inrelease.read_text().replace("Suite: trixie", "Suite: trixif"))
    archive.fetch(
        bare,
        lambda *command, **more: bare.fails(
            "its signature is not valid", *command, **more
        ),
        "ci/fetch-upstream",
        "3.10",
    )
    assert not list(bare.cache.glob("postfix-*"))


def test_machine_apt_is_untouched(bare, archive):
    def state():
        return {
            str(file): file.lstat().st_mtime_ns
            for directory in ("/etc/apt", "/var/lib/apt", "/var/cache/apt")
            for file in pathlib.Path(directory).rglob("*")
        }

    before = state()
    archive.publish("3.10.99")
    archive.fetch(bare, bare.ok, "ci/fetch-upstream", "3.10")
    assert state() == before
