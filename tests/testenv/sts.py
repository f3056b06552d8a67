"""MTA-STS policies from the real postfix-mta-sts-resolver.

The policies lie on a web server of their own (HTTPS, with a certificate of the
trusted authority); the resolver finds them through the tests' DNS, as RFC 8461
asks for.  How Postfix uses the resolver is POLICY_MAPS: it asks for policies in
enforce mode first, and then for those in testing mode, which get fallback=may:
deliver, record, report.
"""

import http.server
import os
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from testenv.pki import Cert
from testenv.postfix import POLL

WEB = "127.0.0.60"
HOST, PORT = "127.0.0.1", 8461

POLICY_MAPS = (
    f"socketmap:inet:{HOST}:{PORT}:enforce, "
    f"pipemap:{{socketmap:inet:{HOST}:{PORT}:testing, "
    "regexp:{{/^(secure .*)/ $$1 fallback=may}}}")

DAEMON_YML = f"""\
host: {HOST}
port: {PORT}
cache:
  type: internal
  options:
    cache_size: 1000
default_zone:
  strict_testing: false
  timeout: 10
zones:
  enforce:
    strict_testing: false
    timeout: 10
  testing:
    strict_testing: true
    timeout: 10
"""


def add_records(zones, domain):
    """What the DNS must say about a domain with an STS policy."""
    zones.add("test", "_mta-sts." + domain, 'TXT "v=STSv1; id=20260101"')
    zones.add("test", "mta-sts." + domain, "A " + WEB)


class StsResolver:
    """The web server with the policies, and the resolver daemon."""

    def __init__(self, directory, pki):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.pki = pki
        self.policies = {}              # web host -> text

    def add(self, domain, mode, hosts):
        self.policies["mta-sts." + domain] = "".join(
            line + "\r\n" for line in (
                "version: STSv1", "mode: " + mode,
                *("mx: " + host for host in hosts), "max_age: 86400"))

    def start(self):
        self._start_web()
        config = self.directory / "mta-sts-daemon.yml"
        config.write_text(DAEMON_YML)
        subprocess.Popen(
            ["mta-sts-daemon", "-c", str(config), "-v", "debug", "-l",
             str(self.directory / "log")],
            env={**os.environ, "SSL_CERT_FILE": str(self.pki.ca_file)})
        deadline = time.time() + 30
        while True:
            try:
                socket.create_connection((HOST, PORT)).close()
                return
            except OSError:
                if time.time() > deadline:
                    raise
                time.sleep(POLL)

    def _start_web(self):
        policies = self.policies

        class Handler(http.server.BaseHTTPRequestHandler):
            """Serves the policy of the host that was asked for."""

            def do_GET(self):
                host = self.headers.get("Host", "").partition(":")[0]
                known = (self.path == "/.well-known/mta-sts.txt"
                         and host in policies)
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(policies.get(host, "").encode())

            def log_message(self, *_):
                """The resolver has a log of its own."""

        issued = self.pki.get(Cert(names=tuple(policies)), "")
        server = http.server.ThreadingHTTPServer((WEB, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.chain_file, issued.key_file)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
