"""postconf(1) knows our parameters like any other."""

import shutil
import subprocess

import pytest

from testenv.postfix import write_old

PARAMETERS = [agent + "_tls_" + name for agent in ("smtp", "lmtp")
              for name in ("fallback_level", "fallback_delay",
                           "audit_template")]
DEFAULT = {"fallback_level": "", "fallback_delay": " 0s", "audit_template": ""}
VALUE = {"fallback_level": "dane=encrypt, secure=may",
         "fallback_delay": "4h",
         "audit_template": "tlsaudit: relay=${relay} auth=$auth "
         "${policy?, policy=${policy}} $(level) ${nosuchname}"}


def value_of(parameter, values=VALUE):
    return values[parameter.partition("_tls_")[2]]


@pytest.fixture
def directory(tmp_path):
    """A configuration of its own, that uses all parameters."""
    for name in ("main.cf.proto", "master.cf.proto", "postfix-files",
                 "dynamicmaps.cf"):
        shutil.copy("/etc/postfix/" + name, tmp_path / name)
    write_old(
        tmp_path / "main.cf", "compatibility_level = 3.10\n" + "".join(
            f"{name} = {value_of(name)}\n" for name in PARAMETERS))
    shutil.copy("/etc/postfix/master.cf.proto", tmp_path / "master.cf")
    return tmp_path


def postconf(directory, *options):
    """Standard output and standard error of postconf."""
    done = subprocess.run(["postconf", "-c", str(directory), *options],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_default_is_nothing(parameter, directory):
    assert postconf(directory, "-d", parameter) == (
        f"{parameter} ={value_of(parameter, DEFAULT)}\n", "")


def test_all_defaults_list_them(directory):
    names = [line.partition(" =")[0] for line
             in postconf(directory, "-d")[0].splitlines()]
    assert set(PARAMETERS) <= set(names)


@pytest.mark.parametrize("options", [(), ("-n",), ("-p",), ("-x",),
                                     ("-n", "-x")], ids=" ".join)
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_value(parameter, options, directory):
    """Also with -x the template is as it was written."""
    stdout, stderr = postconf(directory, *options, parameter)
    if "-n" in options:
        stdout = stdout.replace("\n    ", " ")
    assert (stdout, stderr) == (f"{parameter} = {value_of(parameter)}\n", "")


def test_no_warning_about_names_in_a_template(directory):
    for options in ((), ("-n",), ("-x",), ("-M",), ("-P",)):
        assert postconf(directory, *options)[1] == ""


def test_typo_is_still_found(directory):
    """The test above would see a warning if there were one."""
    with (directory / "main.cf").open("a") as stream:
        stream.write("smtp_tls_audit_templat = full\n")
    assert "unused parameter: smtp_tls_audit_templat=full" in postconf(
        directory, "-n")[1]


def test_in_master_cf(directory):
    with (directory / "master.cf").open("a") as stream:
        stream.write("special unix - - n - - smtp\n"
                     "  -o { smtp_tls_audit_template = $relay ${auth} }\n"
                     "  -o smtp_tls_fallback_level=secure=may\n")
    stdout, stderr = postconf(directory, "-P",
                              "special/unix/smtp_tls_audit_template")
    assert (stdout, stderr) == (
        "special/unix/smtp_tls_audit_template = $relay ${auth}\n", "")


def test_comment_out(directory):
    postconf(directory, "-#", *PARAMETERS)
    text = (directory / "main.cf").read_text()
    for name in PARAMETERS:
        assert f"#{name} = {value_of(name)}\n" in text
    assert postconf(directory, "-n", *PARAMETERS)[0] == ""


def test_edit_and_reset(directory):
    postconf(directory, "-e", "smtp_tls_audit_template=standard")
    assert postconf(directory, "-n", "smtp_tls_audit_template")[0] == (
        "smtp_tls_audit_template = standard\n")
    postconf(directory, "-X", "smtp_tls_audit_template")
    assert postconf(directory, "-h", "smtp_tls_audit_template")[0] == "\n"
