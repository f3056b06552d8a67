"""Silence is not good news: nothing to report about is said, first and plainly."""

import json
import re

import pytest

from test_posttls_audit import FALLBACK, GOOD, OK, STAMP, status, run

OTHER = f"{STAMP} postfix/qmgr[1]: 4A01: removed\n"
CASES = {
    # name: text, what the note says
    "nothing": ("", "there are no lines"),
    "nonsense": ("nonsense\n" * 10, "no line was understood"),
    "no audit": (OTHER * 10, "smtp_tls_audit_template"),
}
FORMATS = {"text": (), "json": ("-j",), "metrics": ("-p",), "policy": ("-P",), "html": ("-H",)}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("problems", [(), ("-e",)])
def test_silence(case, form, problems):
    text, note = CASES[case]
    arguments = (*FORMATS[form], *problems)
    done = run("-x", *arguments, text=text, status=FALLBACK)
    assert run(*arguments, text=text, status=OK).stdout
    assert note in done.stderr.decode()
    out = done.stdout.decode()
    assert note in out
    if form == "json":
        assert note in json.loads(out)["notes"][0]["problem"]
    elif form == "html":
        assert out.index(note) < out.index('id="verdicts"')
    else:
        assert note in "".join(out.lstrip("\n").splitlines()[:3])


@pytest.mark.parametrize("text, options", [
    (GOOD, ()), (status("may"), ()), (GOOD, ("-s", "2030-01-01")), (GOOD, ("-r", "x"))])
def test_not_silent(text, options):
    """A quiet hour is no problem."""
    done = run("-xj", *options, text=text)
    assert json.loads(done.stdout)["notes"] == [] and done.stderr == b""


@pytest.mark.parametrize("bad, good, said", [(6, 4, True), (5, 5, False), (4, 6, False)])
def test_more_than_half_is_not_understood(bad, good, said, tmp_path):
    path = tmp_path / "log"
    path.write_text(GOOD * good + "what is this\n" * bad)
    done = run("-j", path)
    notes = [row["problem"] for row in json.loads(done.stdout)["notes"]]
    assert [bool(re.match(r"6 of 10 lines were not understood; ", note)) for note in notes] \
        == ([True] if said else [])
    assert (b"not understood" in done.stderr) is said
