"""Cases: what is set up, what is sent, and what must have happened.

A Case is data: the servers of one destination, how that destination is
configured, and the mail that goes there.  All selected cases share one Postfix
instance: every case has its own domain, host names and addresses, and a case
that needs other parameter values gets its own delivery service.  World sets
all that up, sends the mail and hands out, per case, a Result: the log lines,
what the servers recorded, the state of the queue.  Expect is what a Result is
compared with.
"""

import dataclasses
import hashlib
import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from testenv import messages as texts
from testenv import postfix, sts, tlsrpt
from testenv.clone import TOP
from testenv.dnssec import Dns, Zones  # noqa: F401 (for those who write cases)
from testenv.peer import Behaviour, Peers, Transcript
from testenv.pki import Pki
from testenv.releases import has

OUTPUT = TOP / "build" / "e2e"
PATIENCE = 60                           # seconds until a delivery is overdue
AT_ONCE = 30                            # messages under way
AGE = 2                                 # seconds; older than OLD_ENOUGH's limit

# With this limit a message that is AGE seconds old counts as old.
OLD_ENOUGH = {"minimal_backoff_time": "1"}

FULL_FIELDS = ("relay level policy configured auth protocol cipher cert_digest "
               "spki_digest reason nexthop kex fs sigalg sni reuse queue_id "
               "nrcpt size dsn").split()


@dataclass(frozen=True)
class Case:
    """One destination, and the mail for it."""

    name: str
    peers: tuple = (Behaviour(),)
    policy: str = ""                    # the policy table entry
    fallback: str = ""                  # smtp_ or lmtp_tls_fallback_level
    template: str = "full"              # smtp_ or lmtp_tls_audit_template
    params: tuple = ()                  # more parameters, as (name, value)
    agent: str = "smtp"                 # smtp, lmtp
    chroot: bool = False
    daemons: tuple = ()                 # more lines of master.cf
    nexthop: str = "[{host}]"           # may use {host} {addr} {domain}
    policy_key: str = ""                # when not the nexthop
    recipients: tuple = ("user",)
    dns: object = None                  # Dns; without it, /etc/hosts
    sts: str = ""                       # mode of its MTA-STS policy
    tlsrpt: bool = False                # the domain wants TLS reports
    old: bool = False                   # its mail is AGE seconds old
    headers: tuple = ()
    body: str = "Hello.\n"
    sendopts: int = 0                   # flags, from sendmail(1)'s options
    needs: tuple = ()                   # of Postfix, see releases.py
    expect: object = None

    @property
    def domain(self):
        return self.name + ".test"


@dataclass(frozen=True)
class Fell:
    """One fallback warning: fields after nexthop."""

    policy: str
    level: str
    reason: str
    detail: str
    host: int = 0                       # index of the server


@dataclass(frozen=True)
class Refused:
    """One "fallback refused" warning: fields after nexthop."""

    policy: str
    fallback: str
    reason: str
    rule: str
    host: int = 0


@dataclass(frozen=True)
class Audit:
    """One audit line; what is not here comes from the server's record."""

    level: str
    configured: str
    auth: str
    policy: str = ""
    reason: str = ""
    nrcpt: int = 1
    dsn: str = "2.0.0"
    reuse: int = 0
    host: int = 0
    connection: int = -1                # of this server's: which one, in order
    nexthop: str = ""                   # when not the case's


@dataclass(frozen=True)
class Expect:
    """What must have happened."""

    status: str = "sent"                # sent, deferred, bounced; per recipient
    dsn: str = "2.0.0"
    reason: str = ""                    # text in the status line's parentheses
    statuses: tuple = ()                # (dsn, status) when recipients differ
    warnings: tuple = ()                # Fell and Refused, in order
    audit: tuple = ()
    connections: int = 1
    handshakes: int = 1                 # attempted
    clear_mails: int = 0                # MAIL commands outside TLS
    messages: int = 1                   # accepted by the servers


class World:
    """Postfix, the servers, and all cases."""

    def __init__(self, cases, output=OUTPUT, plain=False, main=None,
                 say=lambda *_: None):
        self.output = Path(output)
        self.say = say                  # progress: what, done, total
        for leftover in self.output.glob("*/failure"):
            shutil.rmtree(leftover.parent)
        self.plain = plain              # no fallback, no template anywhere
        self.cases = {case.name: case for case in cases}
        self.main = main or {}
        self.postfix = postfix.Postfix()
        self.output.mkdir(parents=True, exist_ok=True)
        self.transcript = Transcript(self.output / "transcript.jsonl")
        self.peers = Peers(Pki("/var/tmp/e2e-pki"), self.transcript)
        self.sent = {}                  # case name -> message IDs
        self.overdue = set()            # queue IDs given up on
        self._queue = None              # the queue after the last delivery
        self._under_way = []            # message IDs, the last time we looked
        self._next_address = 0
        self.behaviours = {}            # case name -> its servers, placed
        self.mail_domains = {}          # case name -> domain, when not its own
        self.zones = None
        self.collector = None
        for case in cases:
            self._place(case)

    # Setting up.

    def _address(self):
        """The next loopback address that nobody uses."""
        self._next_address += 1
        number = self._next_address
        return f"127.{10 + number // 40000}.{number // 200 % 200}.{number % 200 + 1}"

    def _place(self, case):
        """Give a case's servers their names and addresses."""
        placed = []
        for number, behaviour in enumerate(case.peers):
            port = behaviour.port
            if case.agent == "lmtp" and port == 25:
                port = 24
            addr = behaviour.addr or self._address()
            host = (addr if "{addr}" in case.nexthop
                    else behaviour.host or f"mx{number}.{case.domain}")
            placed.append(dataclasses.replace(
                behaviour, port=port, lmtp=case.agent == "lmtp",
                addr=addr, host=host))
        self.behaviours[case.name] = placed
        for behaviour in placed:
            self.peers.add(behaviour)

    def nexthop(self, case):
        first = self.behaviours[case.name][0]
        return case.nexthop.format(host=first.host, addr=first.addr,
                                   domain=self.mail_domain(case))

    def mail_domain(self, case):
        """The domain in recipient addresses."""
        return self.mail_domains.get(case.name, case.domain)

    def policy_of(self, case):
        """The policy table entry; in a plain run without our attribute."""
        policy = case.policy
        if "{spki}" in policy:
            issued = self.peers.issued(self.behaviours[case.name][0])
            policy = policy.replace("{spki}", issued.spki_digest)
        if not self.plain:
            return policy
        return " ".join(word for word in policy.split()
                        if not word.startswith(("fallback=",
                                                "fallback_delay=")))

    def params_of(self, case):
        params = dict(case.params)
        if not self.plain:
            prefix = case.agent + "_tls_"
            if case.fallback:
                params[prefix + "fallback_level"] = case.fallback
            if case.template:
                params[prefix + "audit_template"] = case.template
        servers = self.behaviours[case.name]
        first = servers[0]
        params = {key: value.replace("{host1}", servers[-1].host)
                  for key, value in params.items()}
        if case.old:
            params.update(OLD_ENOUGH)
        if case.dns:
            params[case.agent + "_dns_support_level"] = "dnssec"
            params[case.agent + "_host_lookup"] = "dns"
        if case.tlsrpt:
            params.update(tlsrpt.PARAMETERS)
        if first.wrapper:
            params[case.agent + "_tls_wrappermode"] = "yes"
        return params

    def service_of(self, case):
        """The name of the delivery service with this case's parameters."""
        wanted = json.dumps([case.agent, self.params_of(case)]
                            + [True] * case.chroot, sort_keys=True)
        return case.agent[0] + hashlib.sha256(wanted.encode()).hexdigest()[:8]

    def start(self):
        self._start_dns([case for case in self.cases.values() if case.dns])
        hosts = ["127.0.0.1 localhost client.test"]
        services, transport, policy = {}, {"sender.test": "discard:"}, {}
        for case in self.cases.values():
            for placed in self.behaviours[case.name]:
                if not case.dns and placed.host != placed.addr:
                    hosts.append(f"{placed.addr} {placed.host}")
            service = self.service_of(case)
            services[service] = (case.agent, self.params_of(case),
                                 case.chroot)
            nexthop = self.nexthop(case)
            transport[self.mail_domain(case)] = f"{service}:{nexthop}"
            if case.policy:
                policy[case.policy_key or nexthop] = self.policy_of(case)
        Path("/etc/hosts").write_text(
            "\n".join(dict.fromkeys(hosts)) + "\n")
        ca_file = str(self.peers.pki.ca_file)
        main = {"smtp_tls_CAfile": ca_file, "lmtp_tls_CAfile": ca_file,
                **self.main}
        self.postfix.configure(main, services, transport, policy, "".join(
            line + "\n" for case in self.cases.values()
            for line in case.daemons))
        if any(case.chroot for case in self.cases.values()):
            postfix.furnish_chroot()
        self.peers.start()
        self.postfix.start()

    def _start_dns(self, cases):
        """Serve what the cases want the DNS to say."""
        if not cases:
            return
        self.zones = Zones("/var/tmp/e2e-dns")
        for case in cases:
            servers = self.behaviours[case.name]
            if case.dns.insecure:
                servers = [dataclasses.replace(
                    server, host=server.host.replace(".test", ".insecure.test"))
                    for server in servers]
                self.behaviours[case.name] = servers
                for server in servers:
                    self.peers.add(server)
            self.mail_domains[case.name] = self.zones.add_case(
                case.domain, case.dns, servers,
                [self.peers.issued(server) for server in servers],
                self.peers.pki.authority_spki)
            if case.sts:
                sts.add_records(self.zones, case.domain)
            if case.tlsrpt:
                tlsrpt.add_records(self.zones, self.mail_domain(case))
        self.zones.start()
        if any(case.tlsrpt for case in cases):
            self.collector = tlsrpt.Collector()
            self.collector.start()
        self._start_sts([case for case in cases if case.sts])

    def _start_sts(self, cases):
        """Publish the MTA-STS policies, and start what looks for them."""
        if not cases:
            return
        resolver = sts.StsResolver("/var/tmp/e2e-sts", self.peers.pki)
        for case in cases:
            resolver.add(case.domain, case.sts, [
                server.host for server in self.behaviours[case.name]])
        resolver.start()

    def stop(self):
        self.postfix.stop()
        postfix.Postfix.keep(self.output)
        shutil.copy(postfix.LOG_FILE, self.output / "maillog")

    # Sending.

    def send(self, case, headers=None, age=None):
        """Submit one message for a case; return its message ID."""
        sent = self.sent.setdefault(case.name, [])
        message_id = f"{case.name}.{len(sent)}@e2e"
        sent.append(message_id)
        self._make_room()
        self.postfix.maildrop.leave(
            message_id, [f"{local}@{self.mail_domain(case)}"
                         for local in case.recipients],
            headers=case.headers if headers is None else headers,
            body=case.body, sendopts=case.sendopts,
            age=AGE * case.old if age is None else age)
        self.postfix.maildrop.wake_pickup()
        self._under_way.append(message_id)
        return message_id

    def _make_room(self):
        """Wait until less is under way: Postfix would start a process for
        each message."""
        deadline = time.time() + PATIENCE
        while len(self._under_way) >= AT_ONCE and time.time() < deadline:
            self._under_way = self._still_under_way(self._under_way)
            if len(self._under_way) >= AT_ONCE:
                time.sleep(postfix.POLL)
        if len(self._under_way) >= AT_ONCE:
            self._under_way = []        # finish() says which are overdue

    def _still_under_way(self, message_ids):
        """Those that Postfix is not done with, for now."""
        log = self.postfix.log
        return [message_id for message_id in message_ids
                if (queue_id := log.queue_ids.get(message_id)) is None
                or not (queue_id in log.removed or self._is_deferred(queue_id))]

    def finish(self, message_ids):
        """Wait until Postfix is done with these messages, for now."""
        deadline = time.time() + PATIENCE
        missing = self._still_under_way(message_ids)
        while missing and time.time() < deadline:
            self.say("delivered or deferred", len(message_ids) - len(missing),
                     len(message_ids))
            time.sleep(postfix.POLL)
            missing = self._still_under_way(missing)
        self.overdue.update(map(self.postfix.queue_id, missing))
        self.postfix.log.barrier()
        self._queue = None
        cases = [self.cases[name] for name in {
            message_id.rsplit(".", 1)[0] for message_id in message_ids}]
        self.wait_for_hang_up([case for case in cases
                               if not self.keeps_connections(case)],
                              max(deadline - time.time(), 1))

    @staticmethod
    def _is_deferred(queue_id):
        """Whether an attempt was made and the message waits for the next."""
        return all((postfix.SPOOL / queue / queue_id[0] / queue_id).exists()
                   for queue in ("deferred", "defer"))

    def wait_for_hang_up(self, cases, seconds=PATIENCE):
        """Wait until the servers have seen the end of each connection; return
        whether they have."""
        servers = {(placed.addr, placed.port) for case in cases
                   for placed in self.behaviours[case.name]}
        return self.transcript.wait_for(
            lambda: servers.isdisjoint(self.transcript.open), seconds)

    def keeps_connections(self, case):
        """Whether the connections of a case outlive its deliveries."""
        params = dict(case.params)
        return any(key.endswith(("connection_cache_destinations",
                                 "tls_connection_reuse")) for key in params)

    def deliver(self, *cases):
        """Send one message for each case and wait for all of them."""
        message_ids = []
        for case in cases:
            message_ids.append(self.send(case))
            self.say("submitted", len(message_ids), len(cases))
        self.finish(message_ids)
        return message_ids

    # Looking.

    def reports(self, case):
        """The TLS reports for a destination so far."""
        return self.collector.reports(self.mail_domain(case))

    def queue(self):
        """The mail queue after the last delivery."""
        if self._queue is None:
            self._queue = self.postfix.queue()
        return self._queue

    def result(self, case, message_ids=None):
        return Result(self, case, message_ids or self.sent[case.name])


class Result:
    """What happened to (some of) the messages of a case."""

    def __init__(self, world, case, message_ids):
        self.world, self.case = world, case
        self.message_ids = message_ids
        log = world.postfix.log
        self.queue_ids = [log.queue_ids[message_id]
                          for message_id in message_ids]
        self.servers = world.behaviours[case.name]
        self.nexthop = world.nexthop(case)
        self.log = [line for queue_id in self.queue_ids
                    for line in log.by_queue_id.get(queue_id, ())]
        self.tls_log = [line for placed in self.servers
                        for line in log.by_address.get(placed.addr, ())
                        if f"{placed.host}[{placed.addr}]" in line.text]
        self.events = [event for placed in self.servers for event
                       in world.transcript.events(placed.addr, placed.port)]

    # The log.

    def agent_lines(self):
        """What the delivery agent logged about our messages."""
        return [line for line in self.log
                if line.program.endswith(("/smtp", "/lmtp"))]

    def texts(self, start):
        """Texts that start like this, after the queue ID."""
        return [line.text for line in self.agent_lines()
                if re.match(r"(?:warning: )?\w+: " + start, line.text)]

    def audits(self):
        """The fields of the audit lines."""
        return [parse_audit(text) for text in self.texts("tlsaudit: ")]

    def seconds(self):
        """How long Postfix says that the delivery took."""
        for line in self.log:
            match = re.search(r", delays=([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+),",
                              line.text)
            if match:               # without the time before the queue manager
                return sum(map(float, match.groups()[1:]))
        return 0.0

    def statuses(self):
        """(recipient, dsn, status, reason) of every delivery status line."""
        found = []
        for line in self.log:
            match = re.match(r"\w+: to=<([^>]*)>.*, dsn=([\d.]+), "
                             r"status=(\w+) \((.*)\)$", line.text)
            if match:
                found.append(match.groups())
        return found

    def qmgr_size(self, queue_id):
        for line in self.log:
            match = re.match(queue_id + r": from=<[^>]*>, size=(\d+)",
                             line.text)
            if match:
                return int(match[1])
        raise AssertionError("no size logged for " + queue_id)

    # The servers.

    def of(self, kind, server=None):
        return [event for event in self.events if event["event"] == kind
                and (server is None or event["addr"] == server.addr)]

    def connections(self, server=None):
        return self.of("connect", server)

    def commands(self, verb, tls=None):
        return [event for event in self.of("command")
                if event["text"].upper().split(" ")[0] == verb
                and (tls is None or event["tls"] == tls)]

    def relay(self, server):
        return f"{server.host}[{server.addr}]:{server.port}"

    # Comparing.

    def audit_line(self, audit, queue_id):
        """The audit line that the server's own record asks for."""
        server = self.servers[audit.host]
        connections = self.connections(server)
        if not connections:
            return "no audit line: nobody connected to " + server.host
        connection = connections[audit.connection]["connection"]
        shown = [event for event in self.of("handshake", server)
                 if event["connection"] == connection and event["ok"]]
        values = {
            "relay": self.relay(server), "level": audit.level,
            "policy": audit.policy, "configured": audit.configured,
            "auth": audit.auth, "reason": audit.reason,
            "nexthop": self.expand(audit.nexthop, server) or self.nexthop,
            "queue_id": queue_id,
            "nrcpt": audit.nrcpt, "size": self.qmgr_size(queue_id),
            "dsn": audit.dsn, "reuse": audit.reuse or "",
        }
        if shown:
            tls = shown[0]
            secret = tls["protocol"] == "TLSv1.3" or "DHE" in tls["cipher"]
            values.update(
                protocol=tls["protocol"], cipher=tls["cipher"],
                cert_digest=tls["cert_digest"],
                spki_digest=tls["spki_digest"], sni=tls["sni"],
                kex=self.kex_name(tls), fs="yes" if secret else "no",
                sigalg=tls["signature"] if tls["protocol"] == "TLSv1.3"
                and not (tls["resumed"]
                         and has("no-signature-on-resumption")) else "")
        record = ", ".join(f"{name}={values[name]}" for name in FULL_FIELDS
                           if values.get(name, "") != "")
        return f"{queue_id}: tlsaudit: {record}"

    @staticmethod
    def kex_name(tls):
        """What Postfix can know: in TLS 1.2 no more than the cipher's name."""
        if tls["protocol"] == "TLSv1.3":
            return tls["kex"]
        family = tls["cipher"].split("-")[0]
        return family if family in ("ECDHE", "DHE") else "RSA"

    def warning_line(self, warning, queue_id):
        server = self.servers[warning.host]
        about = f"relay={self.relay(server)}, nexthop={self.nexthop}, policy={warning.policy}"
        if isinstance(warning, Refused):
            return (f"warning: {queue_id}: tls fallback refused: {about},"
                    f" fallback={warning.fallback}, reason={warning.reason}, rule={warning.rule}")
        return (f"warning: {queue_id}: tls fallback: {about}, level={warning.level},"
                f" reason={warning.reason}, detail={self.expand(warning.detail, server)}")

    def expand(self, text, server):
        return text.format(host=server.host, addr=server.addr,
                           port=server.port,
                           namaddr=f"{server.host}[{server.addr}]")

    def summary(self, expect):
        """The facts in a form that an Expect can be compared with."""
        queue = self.world.queue()
        facts = {
            "status": [status[1:3] for status in self.statuses()],
            "in queue": [queue[queue_id]["queue_name"] if queue_id in queue
                         else "gone" for queue_id in self.queue_ids],
            "warnings": [texts.without_reason(text)
                         for text in self.texts("tls fallback")],
            "audit": self.texts("tlsaudit: "),
            "connections": len(self.connections()),
            "handshakes": len(self.of("handshake")),
            "MAIL in cleartext": len(self.commands("MAIL", tls=False)),
            "messages": len(self.of("message")),
        }
        if expect.reason:
            facts["why"] = sorted({status[3] for status in self.statuses()})
        return facts

    def expected(self, expect):
        queue_id = self.queue_ids[0]
        statuses = (list(expect.statuses) or [(expect.dsn, expect.status)]
                    * len(self.case.recipients))
        waits = any(status == "deferred" for _, status in statuses)
        facts = {
            "status": statuses,
            "in queue": ["deferred" if waits else "gone"],
            "warnings": [self.warning_line(warning, queue_id)
                         for warning in expect.warnings],
            "audit": [self.audit_line(audit, queue_id)
                      for audit in expect.audit],
            "connections": expect.connections,
            "handshakes": expect.handshakes,
            "MAIL in cleartext": expect.clear_mails,
            "messages": expect.messages,
        }
        if expect.reason:
            facts["why"] = [self.expand(expect.reason, self.servers[0])]
        return facts

    def check(self, expect):
        """Compare with what must have happened; keep the evidence if not."""
        __tracebackhide__ = True
        try:
            late = self.world.overdue.intersection(self.queue_ids)
            assert not late, f"still under way after {PATIENCE} s"
            differences(self.expected(expect), self.summary(expect))
            self.check_logged_security()
            if has("tls-status"):
                self.check_tls_status()
        except Exception as error:
            self.keep(error)
            raise

    def check_logged_security(self):
        """What the audit lines call auth is what the TLS summary called it."""
        for text in self.texts("tlsaudit: "):
            fields = parse_audit(text)
            if fields.get("auth") == "Cleartext" or fields.get("reuse"):
                continue
            established = [line.text.split(" ")[0] for line in self.tls_log
                           if f"TLS connection established to {fields['relay']}" in line.text]
            assert established and established[-1] == fields["auth"]

    def check_tls_status(self):
        """After a fallback, the delivery status has policy:effective.

        For "dane", upstream has the name of the level that results from DNS.
        """
        statuses = [match.groups() for match in (
            re.search(r", relay=([^,]+), .*, tls=([^,/]+)[,/].* status=",
                      line.text) for line in self.agent_lines()) if match]
        for fields in self.audits():
            if "policy" not in fields:
                continue
            found = {tls for relay, tls in statuses
                     if relay == fields["relay"]}
            effective = ("none" if fields["auth"] == "Cleartext"
                         else fields["level"])
            names = {fields["policy"]}
            if "dane" in names:
                names |= {"halfdane", "encrypt"}
            assert len(found) == 1 and found <= {
                f"{name}:{effective}" for name in names}

    def keep(self, error):
        """Leave log, transcript and configuration in a folder of this case."""
        folder = self.world.output / self.case.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "failure").write_text(f"{type(error).__name__}: {error}\n")
        (folder / "log").write_text("".join(
            f"{line}\n" for line in self.tls_log + self.log))
        (folder / "transcript.jsonl").write_text("".join(
            json.dumps(event) + "\n" for event in self.events))
        postfix.Postfix.keep(folder)


class Differences(AssertionError):
    """What was not as expected, in a word each, and in full."""

    def __init__(self, names, text):
        super().__init__(text)
        self.names = names


def differences(expected, got):
    """Fail unless two dictionaries are the same; say where they differ."""
    __tracebackhide__ = True
    wrong = [key for key in expected if expected[key] != got[key]]
    if wrong:
        raise Differences(wrong, "".join(
            f"\n{key}:\n  expected {_listed(expected[key])}\n  got      {_listed(got[key])}"
            for key in wrong))


def _listed(value):
    if isinstance(value, list) and value:
        return "\n           ".join(map(str, value))
    return "nothing" if value == [] else str(value)


def parse_audit(text):
    """The fields of an audit line in the built-in format."""
    fields = text.partition(": tlsaudit: ")[2]
    return dict(item.partition("=")[::2] for item in fields.split(", "))
