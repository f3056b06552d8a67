"""A Postfix instance of its own, for mail by the hundred.

It runs beside the one of World, with its own configuration, queue, log and
resolv.conf(5).  Messages are put where postdrop(1) would put them: without a
process for each, and with any age.
"""

import itertools
import os
import shutil
import socket
import time
from pathlib import Path

from testenv import postfix

BODY = "Hello."


def record(kind, text):
    """One record of a queue file; short ones have one byte of length."""
    data = text.encode("ascii")
    assert len(data) < 128
    return kind.encode("ascii") + bytes((len(data),)) + data


class Instance:
    """One Postfix, by the directory that everything of it is in."""

    def __init__(self, root, resolver):
        self.root = Path(root)
        self.config = self.root / "etc"
        self.queue = self.root / "spool"
        self.resolver = resolver
        self.log = None
        self._numbers = itertools.count(int(time.time()) << 16)

    def configure(self, main, services):
        """services: name -> (smtp or lmtp, parameters)."""
        postfix.require_sandbox()
        for directory in (self.config, self.queue, self.root / "data"):
            directory.mkdir(parents=True, exist_ok=True)
        postfix.run("chown", "postfix", str(self.root / "data"))
        settings = {**postfix.MAIN_CF, "header_checks": "",
                    "queue_directory": str(self.queue),
                    "data_directory": str(self.root / "data"),
                    "maillog_file": str(self.log_file()), **main}
        (self.config / "main.cf").write_text("".join(
            f"{name} = {value}\n" for name, value in settings.items()))
        (self.config / "master.cf").write_text(postfix.MASTER_CF + "".join(
            f"{name} unix - - n - - {agent}{postfix.master_override(params)}\n"
            for name, (agent, params) in services.items()))

    def log_file(self):
        """postlogd(8) only writes under certain directories."""
        return Path(f"/var/log/postfix-{self.root.name}.log")

    def command(self, *words):
        postfix.run(*words[:1], "-c", str(self.config), *words[1:])

    def start(self):
        resolv_conf = self.root / "resolv.conf"
        resolv_conf.write_text(
            f"nameserver {self.resolver}\noptions trust-ad edns0\n")
        self.log_file().unlink(missing_ok=True)
        self.log = postfix.MailLog(self.log_file())
        # Only this instance sees its resolv.conf.
        postfix.run("unshare", "--mount", "--propagation", "private",
                    "sh", "-ec", 'mount --bind "$1" /etc/resolv.conf; '
                    'postfix -c "$2" start', "sh", str(resolv_conf),
                    str(self.config))
        self.wait_for("daemon started", 0)

    def reload(self):
        """Return when the configuration has been read again."""
        before = len(self.log.lines)
        self.command("postfix", "reload")
        self.wait_for("reload -- version", before)

    def wait_for(self, text, after):
        self.log.wait_for(lambda lines: any(
            text in line.text for line in lines[after:]), 30, text)

    def stop(self):
        self.command("postfix", "stop")

    def submit(self, message_id, recipient, age=0, headers=()):
        """Leave a message for pickup(8), as old as that."""
        name = f"{next(self._numbers):X}"
        text = ["From: sender@sender.test", f"To: {recipient}",
                "Subject: e2e", f"Message-Id: <{message_id}>", *headers,
                "", BODY]
        path = self.queue / "maildrop" / name
        with open(path, "wb", opener=lambda file, flags: os.open(
                file, flags, 0o600)) as stream:
            stream.write(record("T", f"{int(time.time() - age)} 0")
                         + record("S", "") + record("R", recipient)
                         + record("M", "")
                         + b"".join(record("N", line) for line in text)
                         + record("X", "") + record("E", ""))
        shutil.chown(path, "postfix")
        path.chmod(0o700)               # now it is complete

    def wake_pickup(self):
        with socket.socket(socket.AF_UNIX) as trigger:
            trigger.connect(str(self.queue / "public" / "pickup"))
            trigger.send(b"W")

    def finish(self, message_ids, patience):
        """Wait until these messages have left the queue; return their IDs."""
        missing, queue_ids, gone = set(message_ids), {}, {}
        seen = 0
        deadline = time.time() + patience
        while missing and time.time() < deadline:
            lines = self.log.lines
            for line in lines[seen:]:
                seen += 1
                queue_id, _, text = line.text.partition(": ")
                if text.startswith("message-id=<"):
                    queue_ids[queue_id] = text[12:-1]
                elif text == "removed" and queue_id in queue_ids:
                    gone[queue_ids[queue_id]] = queue_id
                    missing.discard(queue_ids[queue_id])
            if missing:
                time.sleep(postfix.POLL)
        if missing:
            raise TimeoutError(f"{len(missing)} of {len(message_ids)} messages are still under way after "
                               f"{patience} s, see {self.log.path}")
        return gone
