"""The web page of posttls-audit(1): valid, self-contained, and harmless.

About 20 seconds, most of them in the browser.
"""

import html.parser
import json
import re
import struct
import subprocess
import zlib

import pytest

from test_posttls_audit import GOOD, RELAY, STAMP, run

HOSTILE = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onload='x", "&amp;&#60;",
    "</svg></style><b>", "]]>", "<!--", "javascript:alert(1)", "\u202egnp.exe", "\u2066x", "a\u200bb",
    "\ufeff", "a" * 500, "caf\u00e9", "{{7*7}}", "%s%n",
]
INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\x00-\x08\x0b-\x1f\x7f-\x9f]")
VOID = {"meta", "br"}


def records():
    """Deliveries over three days, each with someone else's idea of a name."""
    lines = []
    for number, name in enumerate(HOSTILE * 3):
        day = f"2026-11-{20 + number % 3}T12:00:00Z mx1"
        members = {"relay": f"{name}[192.0.2.1]:25", "level": "encrypt", "policy": "secure",
                   "configured": "secure", "reason": name, "auth": name, "protocol": name,
                   "cipher": name, "kex": name, "nexthop": name, "cert_digest": name}
        lines.append(f"{day} postfix/smtp[1]: 4A{number:02X}: tlsaudit: "
                     + json.dumps(members, ensure_ascii=False) + "\n")
    return "".join(lines)


@pytest.fixture(scope="module", name="page")
def make_page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page")
    log = path / "<img src=x>\u202e.log"
    log.write_text(records() + GOOD * 30 + "not a log line\n" * 200, encoding="utf-8")
    page = path / "page.html"
    page.write_bytes(run("-H", log).stdout)
    return page


class Page(html.parser.HTMLParser):
    """Collect what is in the page, and whether each element is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text = [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attr) for attr in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attr) for attr in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_valid(page):
    done = subprocess.run(["tidy", "-q", "-e", page], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_empty_log_is_valid_too(tmp_path):
    for number, text in enumerate(("", GOOD, "nonsense\n")):
        page = tmp_path / f"{number}.html"
        page.write_bytes(run("-H", text=text).stdout)
        done = subprocess.run(["tidy", "-q", "-e", page], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")


def test_self_contained_and_harmless(page):
    parsed = Page(page.read_text(encoding="utf-8"))
    assert parsed.open == []
    assert not {"script", "img", "link", "iframe", "object"} & set(parsed.tags)
    names = {name for _tag, name, _value in parsed.attributes}
    assert not [name for name in names if name.startswith("on")] and "src" not in names
    for _tag, name, value in parsed.attributes:
        if name in ("href", "fill"):
            assert value.startswith(("#", "url(#"))
    assert "url(" not in re.sub(r"url\(#p\d\)", "", page.read_text(encoding="utf-8"))
    assert "@import" not in page.read_text(encoding="utf-8")


def test_names_are_shown_as_they_are(page):
    text = Page(page.read_text(encoding="utf-8")).text
    assert not INVISIBLE.search(text)
    for name in HOSTILE:
        shown = INVISIBLE.sub("\ufffd", name).lower()
        assert shown in text or shown[:20] in text


def test_what_is_not_utf8():
    line = f"{STAMP} postfix/smtp[1]: 4A01: tlsaudit: level=may, relay={RELAY}, kex=".encode()
    text = run("-H", text=line + b"\xc0\xbc\xff\xe2\x80\n").stdout.decode("utf-8")
    assert Page(text).open == []


def test_numbers_are_in_the_plots(page):
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"<title>2026-11-2\d: authenticated \d+</title>", text)) == 1
    assert "fell back from that: 48" in Page(text).text
    assert "authenticated: 30" in Page(text).text


def test_weeks_when_there_are_many_days():
    lines = []
    for month in range(1, 12):
        lines += [GOOD.replace("2026-11-21", f"2026-{month:02}-{day:02}") for day in (1, 9, 17, 25)]
    text = run("-H", text="".join(lines)).stdout.decode()
    assert "Deliveries by week" in text and "week of 2026-" in text


# The browser.

def browse(page, *options):
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               "--disable-dev-shm-usage", "--disable-background-networking",
               "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-component-update",
               f"--user-data-dir={page.parent}/profile", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout


def pixels(path):
    """Rows of a PNG file, as Chromium writes it: 8 bits, with or without alpha."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, _height, depth, kind = struct.unpack(">IIBB", data[16:26])
    size = {2: 3, 6: 4}[kind]
    assert depth == 8
    packed, place = b"", 8
    while place < len(data):
        length, = struct.unpack(">I", data[place:place + 4])
        if data[place + 4:place + 8] == b"IDAT":
            packed += data[place + 8:place + 8 + length]
        place += 12 + length
    raw = zlib.decompress(packed)
    rows, before = [], bytearray(width * size)
    for start in range(0, len(raw), width * size + 1):
        row = bytearray(raw[start + 1:start + 1 + width * size])
        for n, value in enumerate(row):
            left = row[n - size] if n >= size else 0
            up, corner = before[n], before[n - size] if n >= size else 0
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda x: abs(guess - x))
            row[n] = (value + (0, left, up, (left + up) // 2, paeth)[raw[start]]) & 255
        rows.append(row)
        before = row
    return rows, size


def brightness(rows):
    return sum(map(sum, rows)) / sum(map(len, rows))


def test_in_a_browser(page):
    """Nothing in it runs, and the document is what was written."""
    text = browse(page, "--dump-dom").decode("utf-8")
    shown = Page(text)
    assert {"script", "img"} & set(shown.tags) == set()
    assert "TLS problems" in shown.text


@pytest.mark.parametrize("options, low, high", [
    ((), 200, 255), (("--force-dark-mode", "--blink-settings=preferredColorScheme=0"), 10, 90)])
def test_light_and_dark(page, options, low, high, tmp_path):
    path = tmp_path / "shot.png"
    browse(page, "--window-size=400,300", f"--screenshot={path}", *options)
    rows, _size = pixels(path)
    assert low < brightness(rows) < high


def test_print(page, tmp_path):
    path = tmp_path / "page.pdf"
    browse(page, f"--print-to-pdf={path}")
    assert path.read_bytes().startswith(b"%PDF-") and path.stat().st_size > 20000
