"""Messages for pickup(8), put where postdrop(1) would put them.

That takes no process for each, and a message can have any age: it has arrived
when its first record says so.  postdrop(1) and record(3) have the format.
"""

import itertools
import os
import shutil
import socket
import time

SENDER = "sender@sender.test"
LINE_LIMIT = 2048                       # line_length_limit
READY = 0o700                           # the mode of a file that is complete


def record(kind, text):
    """One record; the length is in groups of 7 bits, the lowest first."""
    data = text.encode("utf-8")
    length, rest = bytearray(), len(data)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    length.append(rest)
    return kind.encode("ascii") + bytes(length) + data


def line_records(line):
    """A long line is in several records."""
    while len(line) > LINE_LIMIT:
        yield record("L", line[:LINE_LIMIT])
        line = line[LINE_LIMIT:]
    yield record("N", line)


def compose(message_id, recipients, headers=(), body="Hello.\n"):
    """The lines of a message."""
    return [f"From: {SENDER}", f"To: {', '.join(recipients)}",
            "Subject: e2e", f"Message-Id: <{message_id}>",
            "Date: Thu, 1 Jan 2026 00:00:00 +0000", *headers,
            "", *body.splitlines()]


class Maildrop:
    """That of one Postfix instance."""

    def __init__(self, queue):
        self.queue = queue
        self._numbers = itertools.count(int(time.time()) << 16)

    def leave(self, message_id, recipients, sender=SENDER, age=0, sendopts=0, **content):
        """Leave a message, as old as that (in seconds). sendopts: the flags that
        sendmail(1) makes of its -O options, in the record with the sizes;
        content: see compose()."""
        path = self.queue / "maildrop" / f"{next(self._numbers):X}"
        text = compose(message_id, recipients, **content)
        with open(path, "wb", opener=lambda file, flags: os.open(
                file, flags, 0o600)) as stream:
            stream.write(b"".join([
                record("T", f"{int(time.time() - age)} 0"),
                *([record("C", f"0 0 0 0 0 {sendopts}")] if sendopts else []),
                record("S", sender),
                *(record("R", recipient) for recipient in recipients),
                record("M", ""),
                *(part for line in text for part in line_records(line)),
                record("X", ""), record("E", "")]))
        shutil.chown(path, "postfix")
        path.chmod(READY)

    def wake_pickup(self):
        """Or it would only look again after a while."""
        with socket.socket(socket.AF_UNIX) as trigger:
            trigger.connect(str(self.queue / "public" / "pickup"))
            trigger.send(b"W")
