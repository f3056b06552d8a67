"""What a document tells its reader to do, and what it says will happen.

A document is read as a sequence of preformatted blocks, in HTML or Markdown.
What a block is follows from how it begins:

    # command           to be carried out as root; lines without "#" that follow
                        the command's last line are its output, where "..."
                        stands for any lines. Commands go on where quotes, "|"
                        or a backslash leave them open.
    /etc/postfix/NAME:  the content of that file, indented
    postfix/NAME[PID]:  log records, folded: further lines of one are indented
"""

import html
import re
from dataclasses import dataclass, field
from pathlib import Path

CONFIG = "/etc/postfix/"


@dataclass
class Block:
    """One preformatted block and the section that it is in."""

    section: str
    lines: list
    kind: str = ""                      # commands, files, log, other
    commands: list = field(default_factory=list)    # (command, output)
    files: dict = field(default_factory=dict)       # name: content
    records: list = field(default_factory=list)

    def __post_init__(self):
        first = self.lines[0]
        if first.startswith("# "):
            self.kind = "commands"
            self._read_commands()
        elif first.startswith(CONFIG) and first.endswith(":"):
            self.kind = "files"
            self._read_files()
        elif re.match(r"postfix/\S+\[\d+\]: ", first):
            self.kind = "log"
            self._read_records()
        else:
            self.kind = "other"

    def _read_commands(self):
        unfinished = False
        for line in self.lines:
            if unfinished:
                command = self.commands[-1][0] + "\n" + line
                self.commands[-1] = (command, [])
            elif line.startswith("# "):
                command = line[2:]
                self.commands.append((command, []))
            else:
                self.commands[-1][1].append(line)
                continue
            unfinished = (command.count("'") % 2 == 1
                          or command.endswith(("|", "\\")))

    def _read_files(self):
        for line in self.lines:
            if line.startswith(CONFIG):
                name = line.rstrip(":")
                self.files[name] = ""
            else:
                assert not line or line.startswith("    "), line
                self.files[name] += line[4:] + "\n"

    def _read_records(self):
        for line in self.lines:
            if line[0] in " \t":
                self.records[-1] += " " + line.strip()
            else:
                self.records.append(line)


def read_html(text):
    """The blocks of an HTML document; sections are its anchors."""
    section = ""
    for match in re.finditer(r'<a name="([^"]+)">|<pre>\n?(.*?)</pre>', text,
                             re.DOTALL):
        if match[1]:
            section = match[1]
        else:
            content = html.unescape(re.sub(r"<[^>]+>", "", match[2]))
            yield Block(section, content.rstrip().split("\n"))


def read_markdown(text):
    """The fenced blocks of a Markdown document; sections are its headings."""
    section = ""
    for match in re.finditer(r"^```\w*\n(.*?)^```$|^#+ ([^\n]+)$", text,
                             re.DOTALL | re.MULTILINE):
        if match[2]:
            section = match[2]
        else:
            yield Block(section, match[1].rstrip().split("\n"))


def read(path):
    text = Path(path).read_text(encoding="utf-8")
    reader = read_html if str(path).endswith(".html") else read_markdown
    return list(reader(text))


def output_pattern(lines):
    """A pattern for output, where a line "..." stands for any lines."""
    return re.compile("".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n"
        for line in lines))


DIGEST = r"(?:[0-9A-F]{2}:){3,}(?:\.\.\.:)?(?:[0-9A-F]{2}:)*[0-9A-F]{2}"
VARIABLE = (                            # what differs from one run to the next
    (r"^(\S+)\[\d+\]: ", r"\1[PID]: "),
    (r"(: |queue_id=)(?:[0-9A-F]{6,}|[0-9A-Za-z]{10,})(?=[:,])", r"\1QUEUEID"),
    (r"\bdelay=[\d.]+", "delay=N"),
    (r"\bdelays=[\d./]+(, tls=[^,]+)?", "delays=N"),  # Postfix 3.11 has tls=
    (r"\bsize=\d+", "size=N"),
    (r"\bprotocol=TLSv1\.[23], cipher=\w+", "protocol=P, cipher=C"),
    (DIGEST, "DIGEST"),
    (r"\s+", " "),
    (r"(tlsaudit: {|,)\s(?=[\"{])", r"\1"),     # a JSON object that was folded
)


def as_logged(record, trusted_without_name):
    """A record of a document, as a release of Postfix logs it.

    Documents show what a recent release does. See tests/e2e/releases.py.
    """
    if not trusted_without_name and "policy=" in record:
        record = record.replace("auth=Trusted", "auth=Untrusted")
    return record


def record_pattern(record):
    """A pattern for log records, where "..." stands for any attributes."""
    return re.compile(".*?".join(map(re.escape, normal(record).split("..."))))


def normal(record):
    """A log record without what differs from one run to the next."""
    for pattern, replacement in VARIABLE:
        record = re.sub(pattern, replacement, record)
    return record
