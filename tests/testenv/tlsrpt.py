"""TLS reports (RFC 8460): what smtp(8) hands to the collector on its machine.

A report is one datagram on the collector's socket, in the format of libtlsrpt:
a JSON object with one delivery's domain and policies.  Codes are those of
tlsrpt.h; a result of 0 means success.  Reports are only made for domains whose
DNS asks for them.
"""

import json
import os
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from testenv.dnssec import UNSIGNED_ZONE
from testenv.releases import has

SOCKET = "/run/tlsrpt.socket"
HEADER = Path("/usr/include/tlsrpt.h")
PARAMETERS = {
    "smtp_tlsrpt_enable": "yes",
    "smtp_tlsrpt_socket_name": SOCKET,
    "smtp_tls_security_level": "may",   # there are none where this is "none"
}
RECORD = "v=TLSRPTv1;rua=mailto:reports@sender.test"
BARRIER = b"barrier"

POLICY_TYPES = {1: "tlsa", 2: "sts", 9: "no-policy-found"}
RESULT_TYPES = {
    201: "starttls-not-supported", 202: "certificate-host-mismatch",
    203: "certificate-not-trusted", 204: "certificate-expired",
    205: "validation-failure", 301: "sts-policy-fetch-error",
    302: "sts-policy-invalid", 303: "sts-webpki-invalid",
    304: "tlsa-invalid", 305: "dnssec-invalid", 306: "dane-required",
}
SUCCESS = "success"


def is_built():
    """Whether the Postfix in the sandbox is linked with libtlsrpt, and uses
    it."""
    directory = subprocess.run(["postconf", "-h", "daemon_directory"],
                               stdout=subprocess.PIPE, text=True,
                               check=True).stdout.strip()
    return has("tls-reports") and "libtlsrpt" in subprocess.run(
        ["ldd", directory + "/smtp"], stdout=subprocess.PIPE, text=True,
        check=True).stdout


@dataclass(frozen=True)
class Report:
    """One report, as far as it does not depend on chance."""

    domain: str                         # that asked for reports
    policy: str                         # policy type
    policy_domain: str
    result: str                         # success, or an RFC 8460 result type
    host: str = ""                      # of the server that failed
    addr: str = ""
    tlsa: int = 0                       # how many TLSA records it shows
    mx_patterns: tuple = ()


def decode(datagram):
    """The Report in a datagram."""
    data = json.loads(datagram)
    assert data["pr"] == RECORD, data
    policy, = data["policies"]
    failures = policy.get("failure-details", [])
    assert len(failures) == policy["t"] == policy["f"], data
    failure = failures[0] if failures else {}
    kind = POLICY_TYPES[policy["policy-type"]]
    return Report(
        domain=data["d"], policy=kind, policy_domain=policy["policy-domain"],
        result=RESULT_TYPES[failure["c"]] if failures else SUCCESS,
        host=failure.get("n", ""), addr=failure.get("r", ""),
        tlsa=len(policy.get("policy-string", ())) if kind == "tlsa" else 0,
        mx_patterns=tuple(policy.get("mx-host", ())))


def add_records(zones, domain):
    """What the DNS must say about a domain that wants reports."""
    zone = UNSIGNED_ZONE if domain.endswith("." + UNSIGNED_ZONE) else "test"
    zones.add(zone, "_smtp._tls." + domain, f'TXT "{RECORD}"')


class Collector:
    """Receives the datagrams."""

    def __init__(self):
        self._reports = []
        self._barriers = 0
        self._changed = threading.Condition()

    def start(self):
        # The library does not wait for room in a queue of ten datagrams.
        Path("/proc/sys/net/unix/max_dgram_qlen").write_text("10000")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(SOCKET)
        os.chmod(SOCKET, 0o666)
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            datagram = self._socket.recv(1 << 20)
            with self._changed:
                if datagram == BARRIER:
                    self._barriers += 1
                else:
                    self._reports.append(decode(datagram))
                self._changed.notify_all()

    def reports(self, domain):
        """What was reported to a domain before this call."""
        with self._changed:
            before = self._barriers
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(BARRIER, SOCKET)
            assert self._changed.wait_for(lambda: self._barriers > before, 30)
            return [report for report in self._reports
                    if report.domain == domain]
