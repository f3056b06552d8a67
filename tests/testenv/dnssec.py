"""Real DNSSEC for the cases that need it: nsd behind unbound.

One zone, test., is signed and its key is unbound's trust anchor.  Below it,
insecure.test. is delegated without DS record, and bogus.test. with the DS
record of a key that never signed it, so that every answer from there fails
validation.  A name server that never answers serves silent.test.
"""

import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from testenv.postfix import POLL, run

HERE = "127.0.0.53"                     # unbound, for Postfix
NSD = "127.0.0.1@5300"
SILENT = "127.0.0.54"                   # the server that never answers

UNSIGNED_ZONE = "insecure.test"
BOGUS_ZONE = "bogus.test"
SILENT_ZONE = "silent.test"
TTL = 300


@dataclass(frozen=True)
class Dns:
    """What the DNS says about a case's destination.

    tlsa: good, wrong, none, bogus, slow, unusable (matching type unknown),
    pkix (usage 1, not usable for SMTP), ta (of the trusted authority), or
    several of them joined by a plus sign; what has no usage of its own is
    DANE-EE(3) SPKI(1) SHA-256(1); or a tuple of these, one for each server.
    insecure_mx: the domain is in an unsigned
    zone, its server's name is not.  insecure: both are.  preferences: of the
    servers, when not one after the other.  srv: the service that they have SRV
    records for.
    """

    tlsa: object = "good"
    insecure_mx: bool = False
    insecure: bool = False
    preferences: tuple = ()
    srv: str = ""


def digest_hex(colons):
    return colons.replace(":", "")


def tlsa_data(kind, issued, authority_spki):
    """The record data for one word of Dns.tlsa."""
    return {
        "good": "3 1 1 " + digest_hex(issued.spki_digest),
        "wrong": "3 1 1 " + "00" * 32,
        "unusable": "3 1 99 " + digest_hex(issued.spki_digest),
        "pkix": "1 1 1 " + digest_hex(issued.spki_digest),
        "ta": "2 1 1 " + authority_spki,
    }[kind]


class Zones:
    """Collects records, then serves them."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.records = {"test": [], UNSIGNED_ZONE: [], BOGUS_ZONE: []}
        self._silent = None

    def add(self, zone, owner, data):
        self.records[zone].append(f"{owner}. {TTL} IN {data}")

    def add_case(self, domain, dns, servers, issued, authority_spki):
        """Records for a destination; return the domain that mail goes to."""
        label = domain.rpartition(".test")[0]
        mail_domain, zone = domain, "test"
        if dns.insecure_mx or dns.insecure:
            mail_domain, zone = f"{label}.{UNSIGNED_ZONE}", UNSIGNED_ZONE
        for number, (server, shown) in enumerate(zip(servers, issued)):
            host_zone = UNSIGNED_ZONE if dns.insecure else "test"
            preference = (dns.preferences[number] if dns.preferences
                          else 10 + number)
            self.add(zone, mail_domain, f"MX {preference} {server.host}.")
            if dns.srv:
                self.add(zone, f"_{dns.srv}._tcp.{mail_domain}",
                         f"SRV {preference} 0 {server.port} {server.host}.")
            self.add(host_zone, server.host, "A " + server.addr)
            base = f"_{server.port}._tcp.{server.host}"
            kinds = (dns.tlsa if isinstance(dns.tlsa, str)
                     else dns.tlsa[number]).split("+")
            for kind in kinds:
                if kind == "none":
                    continue
                if kind in ("bogus", "slow"):
                    broken = BOGUS_ZONE if kind == "bogus" else SILENT_ZONE
                    target = f"n{number}.{label}.{broken}"
                    self.add("test", base, f"CNAME {target}.")
                    if kind == "bogus":
                        self.add(broken, target, "TLSA " + tlsa_data(
                            "good", shown, authority_spki))
                    continue
                self.add(host_zone, base,
                         "TLSA " + tlsa_data(kind, shown, authority_spki))
        return mail_domain

    # Serving.

    def _key(self, zone):
        stem = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone,
                   cwd=self.directory).strip()
        return self.directory / stem

    def _write(self, zone, extra=()):
        path = self.directory / (zone + ".zone")
        path.write_text("\n".join([
            f"{zone}. {TTL} IN SOA ns.test. hostmaster.test. 1 3600 600 86400 60",
            f"{zone}. {TTL} IN NS ns.test.",
            *self.records[zone], *extra]) + "\n")
        return path

    def start(self):
        anchor = self._key("test")
        bogus_signer, bogus_claimed = self._key(BOGUS_ZONE), self._key(BOGUS_ZONE)
        files = {UNSIGNED_ZONE: self._write(UNSIGNED_ZONE)}
        bogus = self._write(BOGUS_ZONE)
        run("ldns-signzone", str(bogus), str(bogus_signer), cwd=self.directory)
        files[BOGUS_ZONE] = Path(str(bogus) + ".signed")
        ds_record = Path(str(bogus_claimed) + ".ds").read_text().strip()
        parent = self._write("test", [
            f"ns.test. {TTL} IN A 127.0.0.1",
            f"{UNSIGNED_ZONE}. {TTL} IN NS ns.test.",
            f"{BOGUS_ZONE}. {TTL} IN NS ns.test.", ds_record,
            f"{SILENT_ZONE}. {TTL} IN NS silent-ns.test.",
            f"silent-ns.test. {TTL} IN A {SILENT}"])
        run("ldns-signzone", "-n", str(parent), str(anchor), cwd=self.directory)
        files["test"] = Path(str(parent) + ".signed")
        self._silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._silent.bind((SILENT, 53))
        self._start_nsd(files)
        self._start_unbound(Path(str(anchor) + ".key"))
        Path("/etc/resolv.conf").write_text(
            f"nameserver {HERE}\noptions trust-ad edns0 timeout:3 attempts:2\n")
        self._wait_until_served()

    def _start_nsd(self, files):
        conf = self.directory / "nsd.conf"
        conf.write_text("\n".join([
            "server:", f"  ip-address: {NSD}", "  server-count: 1",
            '  username: ""', '  database: ""', '  pidfile: ""', '  xfrdfile: ""',
            f"  logfile: {self.directory}/nsd.log",
            f"  zonelistfile: {self.directory}/zone.list", "  hide-version: yes",
            "remote-control:", "  control-enable: no",
            *(f"zone:\n  name: {name}\n  zonefile: {file}"
              for name, file in files.items())]) + "\n")
        self._daemon("nsd", "-d", "-c", str(conf))

    def _start_unbound(self, anchor):
        conf = self.directory / "unbound.conf"
        conf.write_text("\n".join([
            "server:", f"  interface: {HERE}@53",
            "  access-control: 127.0.0.0/8 allow",
            '  chroot: ""', '  username: ""', '  pidfile: ""', "  do-daemonize: no",
            "  use-syslog: no", "  do-ip6: no", "  do-not-query-localhost: no",
            f"  directory: {self.directory}", f"  logfile: {self.directory}/unbound.log",
            '  module-config: "validator iterator"', f"  trust-anchor-file: {anchor}",
            '  local-zone: "test." nodefault', "  num-threads: 1",
            "  qname-minimisation: no", "  target-fetch-policy: \"0\"",
            "  outgoing-range: 512", "  num-queries-per-thread: 512",
            "stub-zone:", '  name: "test."', f"  stub-addr: {NSD}",
            *(f"stub-zone:\n  name: {zone}.\n  stub-addr: {NSD}"
              for zone in (UNSIGNED_ZONE, BOGUS_ZONE)),
            ]) + "\n")
        self._daemon("unbound", "-d", "-c", str(conf))

    @staticmethod
    def _daemon(*command):
        # It ends with the sandbox.
        subprocess.Popen(command, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)

    def _wait_until_served(self):
        deadline = time.time() + 30
        while time.time() < deadline:
            answer = run("drill", "-D", "@" + HERE, "ns.test", "A", check=False)
            if "rcode: NOERROR" in answer and " ad" in answer.partition(
                    "flags:")[2].partition(";")[0]:
                return
            time.sleep(POLL)
        raise TimeoutError(f"no validated answer from unbound; see {self.directory}")
