"""`postfix check' says what is wrong with a parameter, before any mail is delivered."""

import shutil
import subprocess

import pytest

# Setting in main.cf, or service and setting in master.cf; what is reported.
BAD = {
    "level": ("smtp_tls_fallback_level = secure=may, verify", "bad value \"verify\""),
    "lmtp-level": ("lmtp_tls_fallback_level = may=may", "\"may\""),
    "through-a-name": ("mine = secure=dane\nsmtp_tls_fallback_level = $mine",
                       "\"secure=dane\""),
    "built-in": ("smtp_tls_audit_template = ful", "\"ful\""),
    "attribute": ("smtp_tls_audit_template = $relay $relai", "\"relai\""),
    "syntax": ("lmtp_tls_audit_template = ${relay", "${relay"),
    "master.cf": ("smtp/unix/smtp_tls_fallback_level=dane", "\"dane\""),
}
GOOD = {
    "empty": "smtp_tls_fallback_level =\nsmtp_tls_audit_template =",
    "level": "smtp_tls_fallback_level = secure=may, DANE=encrypt",
    "built-in": "lmtp_tls_audit_template = Full",
    "template": "smtp_tls_audit_template = ${policy?{$policy}:{ok}}",
}


@pytest.fixture
def check(tmp_path):
    """Run `postfix check' with one setting; what it says about our parameters."""
    for name in ("main.cf.proto", "master.cf.proto", "postfix-files",
                 "dynamicmaps.cf"):
        shutil.copy(f"/etc/postfix/{name}", tmp_path / name)
    shutil.copy("/etc/postfix/master.cf.proto", tmp_path / "master.cf")

    def run(setting):
        in_master = setting.startswith("smtp/unix/")
        (tmp_path / "main.cf").write_text(
            "compatibility_level = 3.6\n" + ("" if in_master else setting + "\n"))
        if in_master:
            subprocess.run(["postconf", "-c", str(tmp_path), "-P", setting], check=True)
        done = subprocess.run(["postfix", "-c", str(tmp_path), "check"], text=True,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stderr.splitlines() if "smtp-tls-check" in line]

    return run


@pytest.mark.parametrize("name", BAD)
def test_bad(name, check):
    setting, expected = BAD[name]
    parameter = setting.splitlines()[-1].partition("=")[0].strip()
    warning, = check(setting)
    assert f"warning: {parameter}: " in warning
    assert expected in warning


@pytest.mark.parametrize("name", GOOD)
def test_good(name, check):
    assert check(GOOD[name]) == []
