"""ci/need: what is missing is installed, or named, and nothing else happens."""

import pathlib
import subprocess

import pytest

from conftest import ORDINARY_USER

MISSING = "build\tno-such-package\tcommand:no-such-command\tthis test\n"


@pytest.fixture
def lacking(repository):
    with open(repository.path / "ci/packages.table", "a") as table:
        table.write(MISSING)
    repository.open_to_all()
    return repository


def test_nothing_missing(repository):
    done = repository.ok("ci/need", "build", "sandbox")
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(
    "command",
    [["ci/need", "build"], ["ci/demo"], ["ci/check"]],
    ids=["need", "demo", "check"],
)
def test_ordinary_user(lacking, command):
    done = lacking.fails("As root: apt-get install no-such-package", *command,
                         prefix=ORDINARY_USER)
    assert "no-such-package      this test" in done.stderr
    assert not (lacking.path / "build").exists()


def test_unknown_group(repository):
    repository.fails("has no group everything", "ci/need", "build", "everything")


def test_check_installs_nothing(lacking):
    lacking.fails("As root: ci/need build", "ci/need", "--check", "build")
    lacking.fails("As root: ci/need build", "make")
    assert not (lacking.path / "build/apt.log").exists()


def test_build_with_other_options_needs_less(lacking):
    """Only who takes the defaults needs what they need."""
    lacking.ok("make", "makefiles", "CCARGS=-DNO_DB", "AUXLIBS=")


@pytest.mark.parametrize("command", ["ci/demo", "ci/check"])
def test_ordinary_user_with_nothing_missing(repository, command):
    repository.open_to_all()
    repository.fails("only root can", command, prefix=ORDINARY_USER)
    assert not (repository.path / "build").exists()


@pytest.mark.parametrize("command", ["ci/need build", "ci/demo", "ci/check"])
def test_without_apt(lacking, command):
    tools = lacking.path.parent / "bin"
    tools.mkdir()
    for directory in ("/sbin", "/usr/sbin", "/bin", "/usr/bin"):
        for tool in pathlib.Path(directory).iterdir():
            if not tool.name.startswith("apt") and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    lacking.fails("there is no apt-get here", *command.split(), PATH=tools)
    assert not (lacking.path / "build").exists()


@pytest.mark.parametrize("policy", ["", "#!/bin/sh\nexit 101\n"], ids=["", "policy"])
def test_apt_cannot_help(lacking, built, policy):
    """In the clone, where apt may try what it likes, and has no network.

    The machine's own policy on starting services stays, ours does not.
    """
    done = subprocess.run(
        ["sh", "ci/sandbox", "sh", "-c",
         'policy=/usr/sbin/policy-rc.d; rm -f $policy; cd "$0";'
         '[ -z "$1" ] || printf %s "$1" >$policy;'
         "sh ci/need build; echo status $?; ! [ -e $policy ] || cat $policy",
         lacking.path, policy],
        cwd=built, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    assert "Unable to locate package no-such-package" in done.stderr
    assert "error: apt could not install them" in done.stderr
    assert done.stdout == "status 1\n" + policy


def test_missing_package_is_installed(repository, built):
    """With a package of our own, offered by an archive of our own."""
    script = r"""
        set -e
        rm -f /usr/sbin/policy-rc.d
        mkdir -p /srv/archive/p/DEBIAN /srv/archive/p/usr/bin
        cd /srv/archive
        printf '#!/bin/sh\n' >p/usr/bin/no-such-command
        chmod +x p/usr/bin/no-such-command
        printf '%s\n' 'Package: no-such-package' 'Version: 1' \
            'Architecture: all' 'Maintainer: nobody <nobody@example.com>' \
            'Description: test' >p/DEBIAN/control
        # A package must not start its service.
        printf '%s\n' '#!/bin/sh' 'test ! -x /usr/sbin/policy-rc.d ||
            /usr/sbin/policy-rc.d x start; echo $? >/root/policy' >p/DEBIAN/postinst
        chmod +x p/DEBIAN/postinst
        dpkg-deb -b p no-such-package.deb >/dev/null
        {
            dpkg-deb -f no-such-package.deb
            echo "Filename: ./no-such-package.deb"
            echo "Size: $(stat -c %s no-such-package.deb)"
            echo "SHA256: $(sha256sum no-such-package.deb | cut -d' ' -f1)"
        } >Packages
        rm -rf /etc/apt/sources.list.d/* /var/lib/apt/lists/*
        echo 'deb [trusted=yes] file:/srv/archive ./' >/etc/apt/sources.list
        cd "$0"
        sh ci/need build
        no-such-command
        cat /root/policy
        test ! -e /usr/sbin/policy-rc.d
        sh ci/need build
    """
    with open(repository.path / "ci/packages.table", "a") as table:
        table.write(MISSING)
    done = subprocess.run(
        ["sh", "ci/sandbox", "sh", "-c", script, repository.path],
        cwd=built, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["101"]
    assert "no-such-package      this test" in done.stderr
