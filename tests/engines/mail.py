"""Three mail servers that deliver through faults, each in its own Postfix instance.

    mx1	template json, writes to maillog_file
    mx2	template full, writes to maillog_file
    mx3	template standard, logs by way of syslog(3)
"""

import functools
import itertools
from pathlib import Path

from testenv import instance
from engines import wait_for
from testenv.peer import Behaviour, Peers, Transcript
from testenv.pki import Cert, Pki

TEMPLATES = {"mx1": "json", "mx2": "full", "mx3": "standard"}
LOGS = {name: Path(f"/var/log/postfix-{name}.log") for name in TEMPLATES}

WRONG_NAME = Cert(names=("elsewhere.test",))
UNKNOWN = Cert(issuer="other")

# domain -> policy table entry, what its server is, and what it is later on
DESTINATIONS = {
    "good.test": ("secure fallback=may", Behaviour(), None),
    "verified.test": ("verify", Behaviour(), None),
    "mismatch.test": ("secure fallback=encrypt", Behaviour(cert=WRONG_NAME), None),
    "untrusted.test": ("secure fallback=may", Behaviour(cert=UNKNOWN), None),
    "clear.test": ("secure fallback=may", Behaviour(starttls="absent"), None),
    "refused.test": ("secure fallback=may", Behaviour(starttls="454 4.7.0 not now"), None),
    "strict.test": ("secure", Behaviour(cert=UNKNOWN), None),
    "may.test": ("may", Behaviour(), None),
    "poor.test": ("encrypt", Behaviour(cert=UNKNOWN), None),
    "bounce.test": ("secure", Behaviour(final_reply="554 5.7.1 not here"), None),
    "key.test": ("secure", Behaviour(), Behaviour(cert=Cert(serial=2))),
    "breaks.test": ("secure fallback=encrypt", Behaviour(), Behaviour(cert=WRONG_NAME)),
}


@functools.cache
def receivers():
    """Every server that receives mail; the ports can be had only once."""
    pki = Pki("/var/tmp/engines-pki")
    peers = Peers(pki, Transcript())
    peers.start()
    return pki, peers


class Site:
    """The mail servers, and the ones that receive their mail."""

    def __init__(self, names=tuple(TEMPLATES)):
        self.pki, self.peers = receivers()
        self.servers = {}
        self.numbers = itertools.count()
        self.pending = {name: set() for name in names}
        for number, (domain, (_policy, behaviour, _)) in enumerate(DESTINATIONS.items()):
            self.place(domain, behaviour, f"127.0.2.{number + 1}")
        Path("/etc/hosts").write_text("127.0.0.1 localhost\n" + "".join(
            f"{addr} mx.{domain}\n" for domain, addr in self.servers.items()))
        self.instances = {name: self.make_instance(name, TEMPLATES[name]) for name in names}

    def place(self, domain, behaviour, addr):
        self.servers[domain] = addr
        self.peers.add(Behaviour(**{**vars(behaviour), "addr": addr,
                                    "host": f"mx.{domain}"}))

    def make_instance(self, name, template):
        made = instance.Instance(f"/var/tmp/{name}", "127.0.0.1")
        made.configure({
            "myhostname": f"{name}.test",
            "transport_maps": "texthash:$config_directory/transport",
            "smtp_tls_policy_maps": "texthash:$config_directory/tls_policy",
            "smtp_tls_CAfile": str(self.pki.ca_file),
            "smtp_tls_audit_template": template,
            "default_process_limit": "8",
            **({"maillog_file": ""} if name == "mx3" else {}),
        }, {})
        (made.config / "transport").write_text("sender.test discard:\n" + "".join(
            f"{domain} smtp:[mx.{domain}]\n" for domain in DESTINATIONS))
        (made.config / "tls_policy").write_text("".join(
            f"[mx.{domain}] {policy}\n" for domain, (policy, *_) in DESTINATIONS.items()))
        return made

    def start(self):
        for made in self.instances.values():
            made.start()

    def stop(self):
        for made in self.instances.values():
            made.stop()

    def change(self):
        """From now on, some servers are others."""
        for domain, (_policy, _first, later) in DESTINATIONS.items():
            if later:
                self.place(domain, later, self.servers[domain])

    def send(self, count):
        """So many messages, evenly from each server to each destination.

        strict.test gets few, as its mail stays in the queue.
        """
        domains = [domain for domain in DESTINATIONS if domain != "strict.test"]
        names = list(self.instances)
        for number in range(count):
            turn = number // len(names)
            domain = ("strict.test" if turn % 50 == 0 else domains[turn % len(domains)])
            self.submit(names[number % len(names)], domain)
        self.wake()

    def submit(self, name, domain):
        """One message from this server; wake() sets it going."""
        message_id = f"{next(self.numbers)}@{name}"
        self.instances[name].maildrop.leave(
            message_id, [f"user@{domain}"], sender="")
        self.pending[name].add(message_id)

    def wake(self):
        for made in self.instances.values():
            made.maildrop.wake_pickup()

    def finish(self):
        """Wait until each message was delivered, bounced or deferred."""
        wait_for(lambda: not any(self.remaining(name) for name in self.instances),
                 "end of the deliveries")

    def remaining(self, name):
        log = self.instances[name].log
        self.pending[name] = {
            message_id for message_id in self.pending[name]
            if not any(", status=" in line.text for line in
                       log.by_queue_id.get(log.queue_ids.get(message_id), ()))}
        return self.pending[name]
