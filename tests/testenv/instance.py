"""A Postfix instance of its own, for mail by the hundred.

It runs beside the one of World, with its own configuration, queue, log and
resolv.conf(5).
"""

from pathlib import Path

from testenv import postfix
from testenv.maildrop import Maildrop


class Instance:
    """One Postfix, by the directory that everything of it is in."""

    def __init__(self, root, resolver):
        self.root = Path(root)
        self.config = self.root / "etc"
        self.queue = self.root / "spool"
        self.resolver = resolver
        self.log = None
        self.maildrop = Maildrop(self.queue)

    def configure(self, main, services):
        """services: name -> (smtp or lmtp, parameters)."""
        postfix.require_sandbox()
        for directory in (self.config, self.queue, self.root / "data"):
            directory.mkdir(parents=True, exist_ok=True)
        postfix.run("chown", "postfix", str(self.root / "data"))
        settings = {**postfix.MAIN_CF,
                    "queue_directory": str(self.queue),
                    "data_directory": str(self.root / "data"),
                    "maillog_file": str(self.log_file()), **main}
        postfix.write_old(self.config / "main.cf", "".join(
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

    def finish(self, message_ids, patience):
        """Wait until these messages have left the queue."""
        log = self.log
        log.wait_for(lambda _: all(
            log.queue_ids.get(message_id) in log.removed
            for message_id in message_ids), patience,
            f"end of {len(message_ids)} messages in {log.path}")
