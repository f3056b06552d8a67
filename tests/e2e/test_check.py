"""`postfix check' says what is wrong with a parameter, before any mail is delivered."""

import shutil
import subprocess

import pytest

from testenv.postfix import write_old

# Setting in main.cf, or service and setting in master.cf; what is reported.
BAD = {
    "level": ("smtp_tls_fallback_level = secure=may, verify", "bad value \"verify\""),
    "lmtp-level": ("lmtp_tls_fallback_level = may=may", "\"may=may\""),
    "through-a-name": ("mine = secure=dane\nsmtp_tls_fallback_level = $mine",
                       "\"secure=dane\""),
    "built-in": ("smtp_tls_audit_template = ful", "\"ful\""),
    "attribute": ("smtp_tls_audit_template = $relay $relai", "\"relai\""),
    "syntax": ("lmtp_tls_audit_template = ${relay", "${relay"),
    "delay": ("smtp_tls_fallback_delay = 4x", "\"4x\""),
    "master.cf": ("smtp/unix/smtp_tls_fallback_level=dane", "\"dane\""),
}
GOOD = {
    "empty": "smtp_tls_fallback_level =\nsmtp_tls_audit_template =",
    "level": "smtp_tls_fallback_level = secure=may, DANE=encrypt",
    "built-in": "lmtp_tls_audit_template = Full",
    "template": "smtp_tls_audit_template = ${policy?{$policy}:{ok}}",
}


PATIENCE = 300                          # seconds; `postfix check' reads many files


@pytest.fixture
def configure(tmp_path):
    """A configuration with one setting; its directory."""
    for name in ("main.cf.proto", "master.cf.proto", "postfix-files",
                 "dynamicmaps.cf"):
        shutil.copy(f"/etc/postfix/{name}", tmp_path / name)
    shutil.copy("/etc/postfix/master.cf.proto", tmp_path / "master.cf")

    def run(setting):
        in_master = setting.startswith("smtp/unix/")
        write_old(
            tmp_path / "main.cf", "compatibility_level = 3.6\n" + ("" if in_master else setting + "\n"))
        if in_master:
            subprocess.run(["postconf", "-c", str(tmp_path), "-P", setting], check=True)
        return tmp_path

    return run


def warnings(stderr):
    return [line for line in stderr.splitlines() if "smtp-tls-check" in line]


def check(directory):
    """What the program says about the settings that postconf(1) prints."""
    settings = "".join(
        subprocess.run(["postconf", "-c", str(directory), option], check=True, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for option in ("-x", "-Px"))
    daemons = subprocess.run(["postconf", "-h", "daemon_directory"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.strip()
    done = subprocess.run([f"{daemons}/smtp-tls-check"], input=settings, text=True,
                          capture_output=True, timeout=PATIENCE, check=False,
                          env={"MAIL_CONFIG": str(directory)})
    assert (done.returncode == 0) or warnings(done.stderr), done.stderr
    return warnings(done.stderr)


@pytest.mark.parametrize("name", BAD)
def test_bad(name, configure):
    setting, expected = BAD[name]
    parameter = setting.splitlines()[-1].partition("=")[0].strip()
    warning, = check(configure(setting))
    assert f"warning: {parameter}: " in warning
    assert expected in warning


@pytest.mark.parametrize("name", GOOD)
def test_good(name, configure):
    assert check(configure(GOOD[name])) == []


@pytest.mark.parametrize("setting, count", [
    (BAD["built-in"][0], 1), (BAD["master.cf"][0], 1), (GOOD["level"], 0)])
def test_postfix_check(setting, count, configure):
    done = subprocess.run(["postfix", "-c", str(configure(setting)), "check"], text=True,
                          capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert len(warnings(done.stderr)) == count


def test_postfix_reload(configure):
    """Also where no Postfix runs with this configuration: before it says so."""
    directory = configure(BAD["level"][0])
    (directory / "main.cf").open("a").write(f"data_directory = {directory}/data\n"
                                            f"queue_directory = {directory}/queue\n")
    (directory / "queue/pid").mkdir(parents=True)
    (directory / "data").mkdir()
    done = subprocess.run(["postfix", "-c", str(directory), "reload"], text=True,
                          capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode != 0
    assert len(warnings(done.stderr)) == 1, done.stderr
