#!/usr/bin/python3
"""One of the two mail systems that are compared, in its own sandbox.

Started by bench.py, with the kind of Postfix (patched or pristine) and the
directory that is to have profiles (for callgrind_annotate(1)) and a copy of the
mail log.  Reads one JSON command per line from standard input, and
answers each with one line of JSON:

    {"do": "rate", "service": S, "messages": N}
    {"do": "instructions", "service": S, "messages": N, "padding": N}
    {"do": "memory", "service": S, "steps": [N, ...]}
    {"do": "exim", "messages": N}       rate of the nearest relative
    {"do": "sessions"}                  from now on, with a TLS session cache

A service is a delivery agent with parameters of its own, see SERVICES.
"""

import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from testenv import postfix
from testenv.clone import TOP
from testenv.pki import Cert, Pki

PORT = 2525
PATIENCE = 120                         # seconds
SINK = "sink.test"
CALLGRIND = Path("/var/tmp/callgrind")

TRANSPORTS = {
    "clear": {"smtp_tls_security_level": "none"},
    "tls": {"smtp_tls_security_level": "secure"},
    "reuse": {"smtp_tls_security_level": "secure",
              "smtp_tls_connection_reuse": "yes",
              "smtp_connection_cache_destinations": "static:all"},
    "encrypt": {"smtp_tls_security_level": "encrypt"},
    "mismatch": {"smtp_tls_security_level": "secure",
                 "smtp_tls_secure_cert_match": "other.test",
                 "smtp_tls_fallback_level": "secure=encrypt"},
}
TEMPLATES = {
    "empty": "",
    "standard": "standard",
    "full": "full",
    "json": "json",
    # Of nearly the same length; the first has to look at the certificate.
    "names": "tlsaudit: ${attainable}",
    "level": "tlsaudit: ${level}",
}

MAIN = {
    "smtp_connection_cache_on_demand": "no",
    "smtp_tls_policy_maps": "",
    "smtp_tls_session_cache_database": "",
    "smtp_tls_secure_cert_match": "hostname",
    "smtp_tls_loglevel": "0",
    "default_process_limit": "100",
    "default_destination_concurrency_limit": "10",
    "in_flow_delay": "0",
    "smtpd_peername_lookup": "no",
    "smtpd_banner": "$myhostname ESMTP",
    "maximal_queue_lifetime": "1h",
    "maillog_file": "/var/log/mail.log",
    "smtpd_relay_restrictions": "permit_mynetworks reject",
    "smtpd_client_connection_count_limit": "0",
}

# Exim as a client that delivers also when the certificate does not verify. It
# sees a name that is not in the certificate, like the service "mismatch".
EXIM = TOP / "build/bench/exim/usr/sbin/exim4"
EXIM_PORT = 26
EXIM_HOST = "exim-sink.test"
EXIM_CONFIG = """\
primary_hostname = client.test
exim_path = {exim}
spool_directory = /var/spool/exim-bench
log_file_path = /var/log/exim-bench/%slog
tls_advertise_hosts =
keep_environment =
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  accept
begin routers
sink:
  driver = manualroute
  route_list = * {host}::{sink} byname
  self = send
  transport = remote
begin transports
remote:
  driver = smtp
  hosts_require_tls = *
  tls_verify_certificates = {ca_file}
  tls_try_verify_hosts = *
  hosts_try_dane =
  connection_max_messages = 1
begin retry
* * F,1h,1m
"""


def services():
    """Name -> parameters; each also as a single process and under callgrind."""
    found = {}
    for transport, params in TRANSPORTS.items():
        for name, template in TEMPLATES.items():
            found[f"{transport}-{name}"] = dict(
                params, smtp_tls_audit_template=template)
    return found


def domain(service):
    return service + ".test"


class MailSide:
    def __init__(self, kind, output):
        postfix.require_sandbox()
        self.output = output
        self.profiles = output / ("profile." + kind)
        # It is not installed, but its libraries are.
        self.source = postfix.run(
            "sh", str(TOP / "ci/prepare"),
            *(["--pristine"] if kind == "pristine" else [])
        ).strip() + "/bin/smtp-source"
        pki = Pki("/var/tmp/bench-pki")
        issued = pki.get(Cert(), SINK)
        both = Path("/var/tmp/sink.pem")
        both.write_bytes(issued.chain_file.read_bytes()
                         + issued.key_file.read_bytes())
        self.sink = subprocess.Popen(
            [str(TOP / "build/bench/tls-sink"), str(PORT), str(both)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        hosts = Path("/etc/hosts")
        hosts.write_text(hosts.read_text()
                         + f"127.0.0.1 {SINK} {EXIM_HOST} client.test\n")
        self.pki = pki
        self.exim_started = False
        self.configure(str(pki.ca_file))

    def configure(self, ca_file):
        CALLGRIND.mkdir(mode=0o1777, exist_ok=True)
        CALLGRIND.chmod(0o1777)
        daemons = Path(postfix.run("postconf", "-h",
                                   "daemon_directory").strip())
        self.wrapper = daemons / "smtp-callgrind"
        self.pad(0)
        system = postfix.Postfix()
        transport = {}
        plain, extra = {}, "127.0.0.1:25 inet n - n - 50 smtpd\n"
        for name, params in services().items():
            plain[name] = ("smtp", params, False)
            options = postfix.master_override(params)
            single = options + "\n    -o max_use=1000000 -o max_idle=1h"
            extra += f"{name}-one unix - - n - 1 smtp{single}\n"
            extra += f"{name}-vg unix - - n - 1 smtp-callgrind{single}\n"
            for suffix in ("", "-one", "-vg"):
                transport[domain(name + suffix)] = f"{name + suffix}:[{SINK}]:{PORT}"
        system.configure({"smtp_tls_CAfile": ca_file, **MAIN}, plain,
                         transport, {}, extra)
        postfix.run("postfix", "start")
        system.started = True
        self.system = system

    def pad(self, size):
        """Move what smtp(8) allocates, by the value of a parameter.

        The C library's string functions take another way near the end of a
        page, and OpenSSL compares some strings thousands of times. One place
        is as good as another, so there must be several. Without AVX2, the
        end of a page is nearer, and that way not so long.
        """
        self.wrapper.write_text(
            "#!/bin/sh\nGLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2 "
            "exec /usr/bin/valgrind -q --vgdb=no --tool=callgrind "
            "--toggle-collect=smtp_connect --dump-after=smtp_connect "
            f"--callgrind-out-file={CALLGRIND}/out {self.wrapper.parent}/smtp \"$@\" "
            f"-o alternate_config_directories=/{size * 'x'}\n")
        self.wrapper.chmod(0o755)

    def counters(self, wanted=0):
        """What the sink has seen, when it has seen that many messages."""
        self.sink.stdin.write(f"{wanted}\n")
        self.sink.stdin.flush()
        if not select.select([self.sink.stdout], [], [], PATIENCE)[0]:
            raise RuntimeError(f"{wanted} messages did not arrive within {PATIENCE} seconds")
        names = ("connections", "handshakes", "resumed", "messages", "tls")
        return dict(zip(names, map(int, self.sink.stdout.readline().split())))

    def inject(self, port, recipient, messages):
        """Messages of 1000 bytes, in ten sessions at a time."""
        subprocess.run(
            [self.source, "-s", "10", "-m", str(messages), "-l", "1000",
             "-f", "sender@sender.test", "-t", recipient,
             f"127.0.0.1:{port}"], check=True, stdout=subprocess.DEVNULL)

    def send(self, service, messages):
        """Deliver; return seconds and what the sink has seen meanwhile."""
        before = self.counters()
        began = time.monotonic()
        self.inject(25, "user@" + domain(service), messages)
        after = self.counters(before["messages"] + messages)
        seconds = time.monotonic() - began
        while self.system.queue():      # the last ones are still written down
            time.sleep(postfix.POLL)
        return seconds, {name: after[name] - before[name] for name in after}

    def exim(self, messages):
        """Deliveries per second; the daemon is started when first needed."""
        if not self.exim_started:
            self.start_exim()
        before = self.counters()
        began = time.monotonic()
        self.inject(EXIM_PORT, "user@exim.test", messages)
        after = self.counters(before["messages"] + messages)
        return {"rate": messages / (time.monotonic() - began),
                **{name: (after[name] - before[name]) / messages
                   for name in after}}

    def start_exim(self):
        postfix.run("useradd", "-r", "-U", "Debian-exim")
        for directory in ("/var/log/exim-bench", "/var/spool/exim-bench"):
            Path(directory).mkdir()
            shutil.chown(directory, "Debian-exim", "Debian-exim")
        # Where Debian's Exim looks; with another file it gives up privileges.
        config = Path("/etc/exim4/exim4.conf")
        config.parent.mkdir(exist_ok=True)
        config.write_text(EXIM_CONFIG.format(
            exim=EXIM, port=EXIM_PORT, sink=PORT, host=EXIM_HOST,
            ca_file=self.pki.ca_file))
        config.chmod(0o644)
        # Its libraries are not installed in the usual place.
        Path("/etc/ld.so.conf.d/bench.conf").write_text("".join(
            f"{path}\n" for path in EXIM.parents[1].glob("lib/*-linux-*")))
        postfix.run("ldconfig")
        postfix.run(str(EXIM), "-bd")
        while True:                     # it says nothing when it is ready
            try:
                socket.create_connection(("127.0.0.1", EXIM_PORT)).close()
                break
            except ConnectionRefusedError:
                time.sleep(postfix.POLL)
        self.exim_started = True

    def rate(self, service, messages):
        seconds, seen = self.send(service, messages)
        return {"rate": messages / seconds,
                **{name: count / messages for name, count in seen.items()}}

    @staticmethod
    def sessions():
        postfix.run("postconf", "smtp_tls_session_cache_database="
                    "btree:$data_directory/smtp_scache")
        postfix.run("postfix", "reload")
        return {}

    def process(self, service):
        """The process ID of a service that has one process."""
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                words = (directory / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"-n" in words and words[words.index(b"-n") + 1] == \
                    service.encode():
                return int(directory.name)
        raise RuntimeError("no process of service " + service)

    def instructions(self, service, messages, padding):
        """User-space instructions of each delivery but the first."""
        self.pad(padding)
        for old in CALLGRIND.glob("*"):
            old.unlink()
        self.send(service + "-vg", messages)
        os.kill(self.process(service + "-vg"), 15)
        counts = []
        for path in CALLGRIND.glob("out.*"):
            match = re.search(r"^(?:summary|totals): (\d+)", path.read_text(),
                              re.MULTILINE)
            number = int(path.suffix[1:])
            if match and 1 < number <= messages:
                counts.append(int(match[1]))
        if len(counts) != messages - 1:
            raise RuntimeError(f"{service}: {len(counts)} profiles for {messages} deliveries")
        profile = f"{self.profiles}.{service}"
        shutil.copy(CALLGRIND / f"out.{messages}", profile)
        return {"instructions": counts, "logging": self.logging(profile)}

    @staticmethod
    def logging(profile):
        """Instructions of one delivery inside msg_info(3)."""
        text = postfix.run("callgrind_annotate", "--inclusive=yes",
                           "--threshold=100", profile)
        found = re.findall(r"^ *([\d,]+) .*:msg_info(?:'\d)? \[", text,
                           re.MULTILINE)
        if not found:
            raise RuntimeError("no msg_info in " + profile)
        return max(int(count.replace(",", "")) for count in found)

    def memory(self, service, steps):
        """Private memory (kB) of one process after so many deliveries."""
        sizes, done = [], 0
        for step in steps:
            while done < step:
                count = min(1000, step - done)
                self.send(service + "-one", count)
                done += count
            rollup = Path(f"/proc/{self.process(service + '-one')}/smaps_rollup").read_text()
            sizes.append(sum(int(kb) for kb in re.findall(
                r"^Private_(?:Clean|Dirty): +(\d+)", rollup, re.MULTILINE)))
        return {"memory": sizes}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                       # whatever is printed is not an answer
    kind, output = sys.argv[1:]
    side = MailSide(kind, Path(output))
    answers.write(json.dumps({          # ready
        "version": postfix.run("postconf", "-h", "mail_version").strip()})
                  + "\n")
    answers.flush()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(side, command.pop("do"))(**command)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            answer = {"error": str(error)}
            for log in Path("/var/log/exim-bench").glob("*log"):
                shutil.copy(log, side.output)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    side.system.stop()
    shutil.copy("/var/log/mail.log", side.output / ("maillog." + kind))


if __name__ == "__main__":
    main()
