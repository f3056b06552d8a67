"""One Postfix instance in the sandbox, and its log as it grows.

Everything that waits here waits for an event: a line in the log, a file in a
queue.  A time limit only says when to give up.
"""

import dataclasses
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from testenv.maildrop import SENDER, Maildrop, compose

CONFIG = Path("/etc/postfix")
LOG_FILE = Path("/var/log/postfix-e2e.log")
POLL = 0.02                             # seconds between looks at a file

MAIN_CF = {
    "compatibility_level": "3.10",
    "maillog_file": str(LOG_FILE),
    "myhostname": "client.test",
    "mydestination": "",
    "local_recipient_maps": "",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "all",
    "mynetworks": "127.0.0.0/8",
    "alias_maps": "",
    "alias_database": "",
    "notify_classes": "",
    "transport_maps": "texthash:/etc/postfix/transport",
    "default_process_limit": "40",
    # A failing case must not make others wait, nor its own next message.
    "default_destination_concurrency_failed_cohort_limit": "100000",
    "smtp_host_lookup": "native",
    "lmtp_host_lookup": "native",
    "smtp_tls_policy_maps": "texthash:/etc/postfix/tls_policy",
    "lmtp_tls_policy_maps": "texthash:/etc/postfix/tls_policy",
    "smtp_tls_loglevel": "1",
    "lmtp_tls_loglevel": "1",
    "smtp_tls_security_level": "none",
    "lmtp_tls_security_level": "none",
    # The default, but not in all releases.
    "smtp_tls_dane_insecure_mx_policy": "dane",
    "smtp_tls_session_cache_database": "btree:$data_directory/smtp_scache",
    "lmtp_tls_session_cache_database": "btree:$data_directory/lmtp_scache",
    # Or no connection would be kept for longer than this.
    "connection_cache_ttl_limit": "600s",
    # A young message must not grow old, nor a deferred one be tried again,
    # while it waits for the last one of its batch.
    "minimal_backoff_time": "3h",
    "maximal_backoff_time": "3h",
    "queue_run_delay": "3h",
    "smtp_address_preference": "ipv4",
    "lmtp_address_preference": "ipv4",
}

# pickup looks again every second: a message that sendmail announces while
# pickup is starting would otherwise wait for a minute.
MASTER_CF = """\
# service type private unpriv chroot wakeup maxproc command
pickup    unix n - n 1    1 pickup
cleanup   unix n - n -    0 cleanup
qmgr      unix n - n 300  1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n -    - trivial-rewrite
bounce    unix - - n -    0 bounce
defer     unix - - n -    0 bounce
trace     unix - - n -    0 bounce
verify    unix - - n -    1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n -    - proxymap
showq     unix n - n -    - showq
error     unix - - n -    - error
retry     unix - - n -    - error
discard   unix - - n -    - discard
scache    unix - - n -    1 scache
tlsproxy  unix - - n -    0 tlsproxy
postlog   unix-dgram n - n - 1 postlogd
smtp      unix - - n -    - smtp
lmtp      unix - - n -    - lmtp
"""


def run(*command, check=True, **options):
    """Run a command; return its standard output."""
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stderr}")
    return done.stdout


def require_sandbox():
    """Never touch a machine that somebody uses."""
    if socket.gethostname() != "sandbox.example":
        raise SystemExit("this is not the sandbox: run tests/run")


QUEUE_ID = re.compile(r"(?:warning: )?([0-9A-F]{6,}): ")
ADDRESS = re.compile(r"\[(127\.[\d.]+|::1)\]")
LINE = re.compile(r"^\w{3} [ \d]\d [\d:]{8} \S+ (?P<program>[^\[]+)"
                  r"\[(?P<pid>\d+)\]: (?P<text>.*)$")


@dataclass(frozen=True)
class Line:
    """One line of the mail log."""

    program: str                        # postfix/smtp, postfix/SERVICE/smtp
    pid: int
    text: str
    number: int = 0                     # place in the log

    def __str__(self):
        return f"{self.program}[{self.pid}]: {self.text}"


class MailLog:
    """Follows the log file; everybody can wait for what it says."""

    def __init__(self, path=LOG_FILE):
        self.path = path
        self.lines = []
        self.by_queue_id = {}           # lines about one message
        self.by_address = {}            # other lines about one server
        self.by_pid = {}
        self.queue_ids = {}             # by message ID
        self.removed = set()            # queue IDs
        self._changed = threading.Condition()
        self._barriers = 0
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        while not self.path.exists():
            time.sleep(POLL)
        rest = ""
        with self.path.open(encoding="utf-8", errors="surrogateescape",
                            newline="\n") as stream:
            while True:
                text = stream.read()
                if not text:
                    time.sleep(POLL)
                    continue
                *complete, rest = (rest + text).split("\n")
                new = [self._parse(line) for line in complete]
                with self._changed:
                    for line in new:
                        self._add(line)
                    self._changed.notify_all()

    def _add(self, line):
        line = dataclasses.replace(line, number=len(self.lines))
        self.lines.append(line)
        self.by_pid.setdefault(line.pid, []).append(line)
        if match := QUEUE_ID.match(line.text):
            self.by_queue_id.setdefault(match[1], []).append(line)
            self._add_progress(match[1], line.text[match.end():])
        else:
            for address in set(ADDRESS.findall(line.text)):
                self.by_address.setdefault(address, []).append(line)

    def _add_progress(self, queue_id, text):
        if text.startswith("message-id=<"):
            self.queue_ids.setdefault(text[12:-1], queue_id)
        elif text == "removed":
            self.removed.add(queue_id)

    @staticmethod
    def _parse(line):
        match = LINE.match(line)
        if match is None:
            return Line("unparsable", 0, line)
        return Line(match["program"], int(match["pid"]), match["text"])

    def wait_for(self, condition, timeout, what):
        """Wait until condition(lines) gives a true value; return that."""
        with self._changed:
            value = self._changed.wait_for(lambda: condition(self.lines),
                                           timeout)
        if not value:
            raise TimeoutError(f"no {what} within {timeout} s")
        return value

    def barrier(self):
        """Return when everything logged before this call can be read.

        All programs log through one datagram socket, so what they sent before
        our own line is in the file before our line is.
        """
        self._barriers += 1
        mark = f"barrier {self._barriers}"
        run("postlog", "-t", "e2e", mark)
        self.wait_for(lambda lines: any(
            line.program == "postfix/e2e" or line.text == mark
            for line in lines if line.text == mark), 30, mark)


def master_override(params):
    """The -o options of a master.cf entry; braces only where needed, as they
    would have to balance."""
    return "".join(
        ("\n    -o { %s = %s }" if " " in value else "\n    -o %s=%s")
        % (name, value) for name, value in params.items())


SPOOL = Path("/var/spool/postfix")


def furnish_chroot():
    """What the C library wants to read in there."""
    etc = SPOOL / "etc"
    etc.mkdir(exist_ok=True)
    for name in ("hosts", "resolv.conf", "services", "nsswitch.conf"):
        source = Path("/etc") / name
        if source.exists():
            shutil.copy(source, etc / name)


def write_old(path, text):
    """Write a configuration file. Whoever reads one that is new waits until it is
    two seconds old: somebody may still be writing."""
    path.write_text(text)
    os.utime(path, (time.time() - 10,) * 2)


class Postfix:
    """Writes a configuration, runs it, puts mail into it."""

    def __init__(self):
        self.maildrop = Maildrop(SPOOL)
        self.log = None
        self.started = False

    def configure(self, main, services, transport, policy, extra_master=""):
        """services: name -> (smtp or lmtp, parameters, chroot)."""
        require_sandbox()
        lines = [f"{name} = {value}" for name, value in {**MAIN_CF, **main}.items()]
        write_old(CONFIG / "main.cf", "\n".join(lines) + "\n")
        master = MASTER_CF
        for name, (agent, params, chroot) in services.items():
            master += f"{name} unix - - {'y' if chroot else 'n'} - - {agent}{master_override(params)}\n"
        (CONFIG / "master.cf").write_text(master + extra_master)
        self.write_table("transport", transport)
        self.write_table("tls_policy", policy)

    @staticmethod
    def write_table(name, table):
        write_old(CONFIG / name, "".join(
            f"{key}\t{value}\n" for key, value in table.items()))

    def start(self):
        self.log = MailLog()
        LOG_FILE.unlink(missing_ok=True)
        run("postfix", "start")
        self.started = True
        self.log.wait_for(lambda lines: any(
            "daemon started" in line.text for line in lines), 30,
            "start of Postfix")

    def reload(self):
        """Read the configuration again; return when that has happened."""
        before = len(self.log.lines)
        run("postfix", "reload")
        self.log.wait_for(lambda lines: any(
            "reload -- version" in line.text for line in lines[before:]), 30,
            "reload of Postfix")

    def stop(self):
        if self.started:
            run("postfix", "stop")
            self.started = False

    @staticmethod
    def keep(directory):
        """Leave a copy of the configuration."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("main.cf", "master.cf", "transport", "tls_policy"):
            if (CONFIG / name).exists():
                shutil.copy(CONFIG / name, directory / name)

    @staticmethod
    def sendmail(message_id, recipients):
        """Submit one message the way that users do."""
        run("sendmail", "-i", "-f", SENDER, *recipients,
            input="\n".join(compose(message_id, recipients)) + "\n")

    def queue_id(self, message_id, timeout=60):
        return self.log.wait_for(
            lambda _: self.log.queue_ids.get(message_id), timeout, message_id)

    @staticmethod
    def queue():
        """The mail queue, by queue ID."""
        entries = {}
        for line in run("postqueue", "-j").splitlines():
            entry = json.loads(line)
            entries[entry["queue_id"]] = entry
        return entries
