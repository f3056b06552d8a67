"""The mail servers that the examples of the documentation talk about.

Inside a throw-away clone of the machine (ci/sandbox) the addresses of RFC 5737
belong to the loopback interface, a name server knows example.com and its
sisters, and a certification authority is among those that the system trusts.
Thus a reader's commands can be executed as they are printed.
"""

import dataclasses
import json
import subprocess
import time
from pathlib import Path

from testenv.peer import Behaviour, Peers, Transcript
from testenv.pki import Cert, Pki
from testenv.postfix import MailLog, POLL, require_sandbox, run

WORK = Path("/var/tmp/docs")
TRANSCRIPT = WORK / "transcript"        # of all conversations, see peer.py
RESOLVER = "127.0.0.53"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
LOG_FILE = Path("/var/log/mail.log")
PATIENCE = 60

GOOD = Behaviour()
EXPIRED = Behaviour(cert=Cert(expired=True))
WRONG_NAME = Behaviour(cert=Cert(names=("www.hosting.example",)))
NO_STARTTLS = Behaviour(starttls="absent")

SERVERS = {                             # domain: (mail server, its address)
    "example.com": ("mx1.example.com", "192.0.2.25"),
    "example.net": ("mx.example.net", "192.0.2.26"),
    "example.org": ("mail.example.org", "192.0.2.27"),
}


class ExampleNet:
    """Servers, names, and the installed Postfix."""

    def __init__(self):
        require_sandbox()
        WORK.mkdir()
        self.peers = Peers(Pki(WORK / "pki"), Transcript(TRANSCRIPT))
        self.sent = 0
        self.log = None

    def start(self):
        """Start the servers, and Postfix as `make install' left it."""
        self.start_servers()
        # The port belongs to the servers.
        run("postconf", "-MX", "smtp/inet")
        # Mail for the addresses of the loopback interface is not for us.
        run("postconf", "inet_interfaces = 127.0.0.1")
        self.start_postfix()

    def start_servers(self):
        for domain, (_, address) in SERVERS.items():
            run("ip", "addr", "add", address + "/32", "dev", "lo")
            self.server(domain, GOOD)
        with CA_BUNDLE.open("a") as bundle:
            bundle.write(self.peers.pki.ca_file.read_text())
        self._start_resolver()
        self.peers.start()

    def start_postfix(self):
        run("postfix", "start")
        if self.log is None:
            self.log = MailLog(LOG_FILE)

    def stop(self):
        run("postfix", "stop", check=False)

    def server(self, domain, behaviour):
        """Let the mail server of a domain be like this from now on."""
        host, address = SERVERS[domain]
        self.peers.add(dataclasses.replace(behaviour, host=host, addr=address))

    def _start_resolver(self):
        data = []
        for domain, (host, address) in SERVERS.items():
            data.append(f"{domain}. MX 10 {host}.")
            data.append(f"{host}. A {address}")
        conf = WORK / "unbound.conf"
        conf.write_text("\n".join([
            "server:", "  interface: " + RESOLVER,
            "  access-control: 127.0.0.0/8 allow", '  chroot: ""',
            '  username: ""', '  pidfile: ""', "  do-daemonize: no",
            "  use-syslog: no", f'  logfile: "{WORK / "unbound.log"}"',
            *(f'  local-zone: "{domain}." static' for domain in SERVERS),
            *(f'  local-data: "{record}"' for record in data)]) + "\n")
        subprocess.Popen(["unbound", "-d", "-c", str(conf)],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        Path("/etc/resolv.conf").write_text(f"nameserver {RESOLVER}\n")
        deadline = time.time() + PATIENCE
        while subprocess.run(
                ["getent", "hosts", "mx1.example.com"],
                stdout=subprocess.DEVNULL).returncode != 0:
            if time.time() > deadline:
                raise TimeoutError("no answer from unbound")
            time.sleep(POLL)

    def send(self, recipient):
        """Send one message; return its message ID."""
        self.sent += 1
        message_id = f"{self.sent}@docs"
        run("sendmail", "-i", "-f", "sender@sandbox.example", recipient,
            input=f"Message-Id: <{message_id}>\nSubject: hello\n\nHello.\n")
        return message_id

    def settle(self, message_id):
        """Return when the message was delivered, bounced or deferred."""
        wanted = f"message-id=<{message_id}>"

        def done(lines):
            queue_id = next((line.text.split(":")[0] for line in lines
                             if line.text.endswith(wanted)), None)
            return queue_id and any(
                line.text.startswith(queue_id + ": ")
                and (line.text.endswith(": removed") or "status=deferred"
                     in line.text) for line in lines)

        self.log.wait_for(done, PATIENCE, "end of message " + message_id)
        self.log.barrier()

    def mail(self, recipient):
        """Send one message; return when Postfix is done with it, for now."""
        self.settle(self.send(recipient))

    def arrived(self):
        """The IDs of the messages that servers have accepted, in order."""
        events = [json.loads(line) for line in
                  TRANSCRIPT.read_text().splitlines(keepends=True)
                  if line.endswith("\n")]
        return [event["message_id"].strip("<>") for event in events
                if event["event"] == "message"]
