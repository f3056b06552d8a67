#!/usr/bin/python3
"""One of the two mail systems that are compared, in its own sandbox.

Started by bench.py, with the kind of Postfix (patched or pristine) and the
directory that is to have profiles (for callgrind_annotate(1)) and a copy of the
mail log.  Reads one JSON command per line from standard input, and
answers each with one line of JSON:

    {"do": "rate", "service": S, "messages": N}
    {"do": "instructions", "service": S, "messages": N}
    {"do": "memory", "service": S, "steps": [N, ...]}
    {"do": "sessions"}                  from now on, with a TLS session cache

A service is a delivery agent with parameters of its own, see SERVICES.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import postfix  # noqa: E402
from pki import Cert, Pki  # noqa: E402

PORT = 2525
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
TEMPLATES = ("empty", "standard", "full")

MAIN = {
    "smtp_connection_cache_on_demand": "no",
    "smtp_tls_session_cache_database": "",
    "smtp_tls_secure_cert_match": "hostname",
    "smtp_tls_loglevel": "0",
    "default_process_limit": "100",
    "default_destination_concurrency_limit": "10",
    "in_flow_delay": "0",
    "smtpd_peername_lookup": "no",
    "smtpd_banner": "$myhostname ESMTP",
    "maximal_queue_lifetime": "1h",
    "header_checks": "",
    "maillog_file": "/var/log/mail.log",
    "smtpd_relay_restrictions": "permit_mynetworks reject",
    "smtpd_client_connection_count_limit": "0",
}


def services():
    """Name -> parameters; each also as a single process and under callgrind."""
    found = {}
    for transport, params in TRANSPORTS.items():
        for template in TEMPLATES:
            found["%s-%s" % (transport, template)] = dict(
                params, smtp_tls_audit_template=""
                if template == "empty" else template)
    return found


def domain(service):
    return service + ".test"


class Side:
    def __init__(self, kind, output):
        postfix.require_sandbox()
        self.output = output
        self.profiles = output / ("profile." + kind)
        # It is not installed, but its libraries are.
        self.source, = map(str, ROOT.glob(
            "build/%spostfix-[0-9]*/bin/smtp-source"
            % ("pristine/" if kind == "pristine" else "")))
        pki = Pki("/var/tmp/bench-pki")
        issued = pki.get(Cert(), SINK)
        both = Path("/var/tmp/sink.pem")
        both.write_bytes(issued.chain_file.read_bytes()
                         + issued.key_file.read_bytes())
        self.sink = subprocess.Popen(
            [str(ROOT / "build/bench/tls-sink"), str(PORT), str(both)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        hosts = Path("/etc/hosts")
        hosts.write_text(hosts.read_text()
                         + "127.0.0.1 %s client.test\n" % SINK)
        self.pki = pki
        self.configure(str(pki.ca_file))

    def configure(self, ca_file):
        CALLGRIND.mkdir(mode=0o1777, exist_ok=True)
        CALLGRIND.chmod(0o1777)
        daemons = Path(postfix.run("postconf", "-h",
                                   "daemon_directory").strip())
        wrapper = daemons / "smtp-callgrind"
        wrapper.write_text(
            "#!/bin/sh\nexec /usr/bin/valgrind -q --vgdb=no --tool=callgrind "
            "--toggle-collect=smtp_connect --dump-after=smtp_connect "
            "--callgrind-out-file=%s/out %s/smtp \"$@\"\n"
            % (CALLGRIND, daemons))
        wrapper.chmod(0o755)
        system = postfix.Postfix()
        transport = {}
        plain, extra = {}, "127.0.0.1:25 inet n - n - 50 smtpd\n"
        for name, params in services().items():
            plain[name] = ("smtp", params)
            options = postfix.master_override(params)
            single = options + "\n    -o max_use=1000000 -o max_idle=1h"
            extra += "%s-one unix - - n - 1 smtp%s\n" % (name, single)
            extra += "%s-vg unix - - n - 1 smtp-callgrind%s\n" % (name, single)
            for suffix in ("", "-one", "-vg"):
                transport[domain(name + suffix)] = "%s:[%s]:%d" % (
                    name + suffix, SINK, PORT)
        system.configure({"smtp_tls_CAfile": ca_file, **MAIN}, plain,
                         transport, {}, extra)
        postfix.run("postfix", "start")
        system.started = True
        self.system = system

    def counters(self, wanted=0):
        """What the sink has seen, when it has seen that many messages."""
        self.sink.stdin.write("%d\n" % wanted)
        self.sink.stdin.flush()
        names = ("connections", "handshakes", "resumed", "messages", "tls")
        return dict(zip(names, map(int, self.sink.stdout.readline().split())))

    def send(self, service, messages):
        """Deliver; return seconds and what the sink has seen meanwhile."""
        before = self.counters()
        began = time.monotonic()
        # Sessions in parallel, messages, one sender to one recipient.
        subprocess.run(
            [self.source, "-s", "10", "-m", str(messages), "-l", "1000",
             "-f", "sender@sender.test", "-t", "user@" + domain(service),
             "127.0.0.1:25"], check=True, stdout=subprocess.DEVNULL)
        after = self.counters(before["messages"] + messages)
        seconds = time.monotonic() - began
        while self.system.queue():      # the last ones are still written down
            time.sleep(postfix.POLL)
        return seconds, {name: after[name] - before[name] for name in after}

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

    def instructions(self, service, messages):
        """User-space instructions of each delivery but the first."""
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
            raise RuntimeError("%s: %d profiles for %d deliveries"
                               % (service, len(counts), messages))
        # For callgrind_annotate(1).
        shutil.copy(CALLGRIND / ("out.%d" % messages),
                    "%s.%s" % (self.profiles, service))
        return {"instructions": counts}

    def memory(self, service, steps):
        """Private memory (kB) of one process after so many deliveries."""
        sizes, done = [], 0
        for step in steps:
            while done < step:
                count = min(1000, step - done)
                self.send(service + "-one", count)
                done += count
            rollup = Path("/proc/%d/smaps_rollup"
                          % self.process(service + "-one")).read_text()
            sizes.append(sum(int(kb) for kb in re.findall(
                r"^Private_(?:Clean|Dirty): +(\d+)", rollup, re.MULTILINE)))
        return {"memory": sizes}


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                       # whatever is printed is not an answer
    kind, output = sys.argv[1:]
    side = Side(kind, Path(output))
    answers.write("{}\n")              # ready
    answers.flush()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(side, command.pop("do"))(**command)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            answer = {"error": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    side.system.stop()
    shutil.copy("/var/log/mail.log", side.output / ("maillog." + kind))


if __name__ == "__main__":
    main()
