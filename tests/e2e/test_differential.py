"""What is kept between deliveries changes nothing that matters.

Random sequences of messages are delivered to the same servers twice at a time:
with connections and TLS sessions kept, and without.  Whatever came about, the
security of each delivery as its server saw it, and the record of it, must be
what some uncached delivery of that message could have given; without anything
kept, what sequences.outcome() says.

Many sequences go side by side, a step of each at a time.  Cost: about two
minutes for 300 sequences, as ci/check has them.  By hand, more of them, and
others:

    tests/run e2e -k differential --sequences=5000 --sequences-seed=2

One that fails is shrunk by Hypothesis and printed; it belongs into KEPT.
"""

import itertools
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase as Part, given, seed, settings

from testenv import instance, postfix
import sequences
from testenv.dnssec import digest_hex
from testenv.harness import OUTPUT, parse_audit
from testenv.peer import Behaviour
from testenv.resolver import Resolver
from sequences import Message, Phase, Policy, Sequence, Step

ADDRESS = "127.0.0.55"                  # of our resolver
ROOT = Path("/var/tmp/e2e-sequences")
PATIENCE = 120                          # seconds until a step is overdue
TOGETHER = 100                          # sequences side by side
AGE = 7200                              # of an old message
BACKOFF = 3600                          # what is younger is young
PORT = 25
UNCACHED = "off"

# Sequences that have failed, or that everybody thinks of first.
KEPT = {
    # Nothing new: the policy gets stricter while a connection is kept.
    "may-then-secure": Sequence((
        Phase((Policy("may"),) * 3, steps=(Step(("no-starttls",) * 2),)),
        Phase((Policy("secure"),) * 3))),
    # What goes out first is kept under the nexthop, and in cleartext.
    "tls-not-required-then-secure": Sequence((Phase((Policy("secure"),) * 3, (
        "good", "good"), (Step(messages=(Message(0, True),)), Step())),)),
    # The same, found by address, where "dane" has become "may".
    "tls-not-required-then-dane": Sequence((Phase((
        Policy("dane", "may"),) * 3, ("failing",) * 2, (
            Step(messages=(Message(0, True),)), Step())),), sasl=True),
    # What the server was, with a policy that the DNS makes the same.
    "may-then-dane-without-tlsa": Sequence((
        Phase((Policy("may"),) * 3),
        Phase((Policy("dane"),) * 3, ("none",) * 2,
              (Step(("tls-1.2",) * 2),))), caching="destinations-proxy"),
    # Cleartext by policy is not what is left when TLS has failed.
    "none-then-may": Sequence((
        Phase((Policy("none"),) * 3),
        Phase((Policy("may"),) * 3, steps=(
            Step(messages=(Message(0, old=True),)),)))),
}

MAIN = {
    "default_destination_concurrency_limit": "1",
    "initial_destination_concurrency": "1",
    "minimal_backoff_time": f"{BACKOFF}s",
    "maximal_backoff_time": f"{BACKOFF}s",
    # One attempt, and the queue is empty.
    "bounce_queue_lifetime": "0",
    "maximal_queue_lifetime": "0",
    "transport_maps": "lmdb:$config_directory/transport",
    "smtp_tls_policy_maps": "hash:$config_directory/tls_policy",
    "smtp_tls_secure_cert_match": "hostname",
    "smtp_dns_support_level": "dnssec",
    "smtp_host_lookup": "dns",
    "smtp_tls_audit_template": "full",
    "smtp_tls_session_cache_database": "",
    "connection_cache_ttl_limit": "600s",
    "smtp_connection_cache_time_limit": "600s",
    "smtp_connection_cache_on_demand": "no",
}
SESSIONS = "btree:$data_directory/smtp_scache"
CACHING = {
    UNCACHED: {},
    "destinations": {"smtp_connection_cache_destinations": "static:all",
                     "smtp_tls_session_cache_database": SESSIONS},
    "demand": {"smtp_connection_cache_on_demand": "yes",
               "smtp_tls_session_cache_database": SESSIONS},
}
PROXY = {"smtp_tls_connection_reuse": "yes"}
SASL = {"smtp_sasl_auth_enable": "yes",
        "smtp_sasl_password_maps": "inline:{elsewhere.example=joe:secret}"}


def service_name(caching, sequence):
    """The delivery service for a sequence."""
    return (caching.replace("-", "") + sequence.base
            + ("sasl" if sequence.sasl else ""))


def services():
    """Every combination that a sequence can ask for."""
    found = {}
    for caching, base, sasl in itertools.product(
            (UNCACHED,) + sequences.CACHING, sequences.BASES, (False, True)):
        kind, _, proxy = caching.partition("-")
        found[service_name(caching, Sequence(base=base, sasl=sasl))] = (
            "smtp", {"smtp_tls_security_level": base, **CACHING[kind],
                     **(PROXY if proxy else {}), **(SASL if sasl else {})})
    return found


class Place:
    """Where a sequence takes place: its servers, names and messages."""

    def __init__(self, world, number, sequence):
        self.number, self.sequence = number, sequence
        self.peers = world.peers
        self.transcript = world.transcript
        self.servers = [
            {kind: self._server(host, behaviour) for kind, behaviour
             in sequences.SERVERS.items()} for host in range(sequences.HOSTS)]
        self.sent = []                  # (step number, message, caching, ID)
        self.phase = 0

    def _server(self, host, behaviour):
        name = f"h{host}.s{self.number}.test"
        number = self.number * sequences.HOSTS + host
        return Behaviour(**{
            **vars(behaviour), "host": name, "port": PORT,
            "addr": f"127.{100 + number // 40000}.{number // 200 % 200}.{number % 200 + 1}"})

    def good_key(self, host):
        return self.peers.issued(self.servers[host]["good"]).spki_digest

    def domain(self, destination):
        return f"d{destination}.s{self.number}.test"

    def policy_lines(self):
        """The policy table for the present phase."""
        phase = self.sequence.phases[self.phase]
        for number, policy in enumerate(phase.policies):
            text = sequences.POLICIES[policy.level].replace(
                "{spki}", self.good_key(self.sequence.hosts[number]))
            if policy.fallback:
                text += " fallback=" + policy.fallback
            if text:
                yield f"{self.domain(number)} {text}\n"

    def transport_lines(self):
        """Which service delivers, with the same nexthop for all of them."""
        for caching in (self.sequence.caching, UNCACHED):
            service = service_name(caching, self.sequence)
            for number in range(sequences.DESTINATIONS):
                yield f"{service}.{self.domain(number)} {service}:{self.domain(number)}\n"

    def find(self, labels, kind):
        """What the DNS says."""
        number = int(labels[-3][1:])
        if kind == "MX":
            return [f"10 h{self.sequence.hosts[number]}.s{self.number}.test."]
        if kind == "A":
            return [self.servers[number]["good"].addr]
        if kind == "TLSA":
            says = self.sequence.phases[self.phase].tlsa[number]
            if says == "failing":
                return None
            if says == "good":
                return ["3 1 1 " + digest_hex(self.good_key(number))]
        return []

    def take(self, step_number, maildrop):
        """Let the messages of one step arrive; return their IDs."""
        _, _, step = self.sequence.states()[step_number]
        for host, kind in enumerate(step.servers):
            self.peers.add(self.servers[host][kind])
        submitted = []
        for number, message in enumerate(step.messages):
            for caching in (self.sequence.caching, UNCACHED):
                message_id = f"s{self.number}.{step_number}.{number}.{caching}@e2e"
                domain = f"{service_name(caching, self.sequence)}.{self.domain(message.to)}"
                maildrop.leave(
                    message_id, [f"user@{domain}"], sender="",
                    age=AGE if message.old else 0, headers=(
                        "TLS-Required: no",) if message.tls_not_required else ())
                self.sent.append((step_number, message, caching, message_id))
                submitted.append(message_id)
        return submitted

    def events(self):
        """What the servers saw."""
        return [event for server in self.servers
                for event in self.transcript.events(
                    server["good"].addr, PORT)]


class Run:
    """Delivers sequences, side by side, and says what is wrong with them."""

    def __init__(self, world):
        self.world = world
        self.instance = instance.Instance(ROOT, ADDRESS)
        self.places = {}                # by number
        self.verdicts = {}              # by sequence
        self._numbers = itertools.count()
        self._tables_written = 0

    def start(self):
        self.instance.configure(
            {**MAIN, "smtp_tls_CAfile": str(self.world.peers.pki.ca_file)},
            services())
        self.write_tables(())
        Resolver(ADDRESS, self.find)
        self.instance.start()

    def find(self, name, kind):
        """What the DNS says: MX and address records, and TLSA."""
        if kind == "NS":                # does anybody validate?
            return ["ns.test."]
        match = re.search(r"\b[dh]\d\.s(\d+)\.test$", name)
        place = self.places.get(int(match[1])) if match else None
        return place.find(name.split("."), kind) if place else []

    def write_tables(self, places):
        """A new route is there at once. Who uses the policy table sees that
        it has changed (what matters is the file's time, in seconds), and
        starts again: otherwise it would still have the DNS of before.
        """
        self._tables_written += 1
        written = time.time() - 100000 + self._tables_written
        for name, kind, lines in (
                ("transport", "lmdb", Place.transport_lines),
                ("tls_policy", "hash", Place.policy_lines)):
            table = self.instance.config / name
            table.write_text("".join(line for place in places
                                     for line in lines(place)))
            postfix.run("postmap", "-c", str(self.instance.config),
                        f"{kind}:{table}")
        os.utime(str(table) + ".db", (written, written))

    def deliver(self, wanted):
        """Deliver these sequences and judge each."""
        wanted = [sequence for sequence in dict.fromkeys(wanted)
                  if sequence not in self.verdicts]
        groups = {}
        for sequence in wanted:
            change = sequence.change if len(sequence.phases) > 1 else ""
            groups.setdefault(change, []).append(sequence)
        done = 0
        for change, group in groups.items():
            for first in range(0, len(group), TOGETHER):
                part = group[first:first + TOGETHER]
                self._deliver_together(part, change)
                done += len(part)
                self.world.say("sequences", done, len(wanted))

    def _deliver_together(self, group, change):
        places = []
        for sequence in group:
            number = next(self._numbers)
            self.places[number] = Place(self.world, number, sequence)
            places.append(self.places[number])
        for phase in range(2 if change else 1):
            for place in places:
                place.phase = phase
            self.write_tables(places)
            if phase and change == "reload":
                self.instance.reload()
            steps = [[number for number, (which, _, _) in enumerate(
                place.sequence.states()) if which == phase]
                for place in places]
            for row in itertools.zip_longest(*steps):
                self._take_step([(place, number) for place, number
                                 in zip(places, row) if number is not None])
        for place in places:
            self.verdicts[place.sequence] = self.judge(place)
            del self.places[place.number]

    def _take_step(self, row):
        submitted = [message_id for place, number in row
                     for message_id in place.take(number, self.instance.maildrop)]
        self.instance.maildrop.wake_pickup()
        self.instance.finish(submitted, PATIENCE)

    # Judging.

    def judge(self, place):
        """The complaints about one sequence."""
        complaints, handshakes, messages = [], {}, {}
        connections = {}                # what went over each, in order
        for event in place.events():
            if event["event"] == "handshake" and event["ok"]:
                handshakes[event["connection"]] = event
            elif event["event"] == "message":
                message_id = event["message_id"][1:-1]
                messages.setdefault(message_id, []).append(event)
                connections.setdefault(event["connection"],
                                       []).append(message_id)
        for number, message, caching, message_id in place.sent:
            got = self.outcome_of(message_id, messages, handshakes)
            allowed = (
                sequences.allowed_outcomes(place.sequence, number, message)
                if caching != UNCACHED else
                {sequences.uncached_outcome(place.sequence, number, message)})
            if got not in allowed:
                others = "".join(f"  not {each}\n" for each in allowed)
                complaints.append(f"step {number}, {message}, {caching}:\n  got {got}\n"
                                  f"{others}{self.log_of(message_id)}")
        weak = {message_id for _, message, _, message_id in place.sent
                if message.tls_not_required}
        for used_by in connections.values():
            if used_by[0] in weak and not weak.issuperset(used_by):
                complaints.append(f"what {used_by[0]} left behind served all of {used_by[1:]}\n")
        return complaints

    def log_of(self, message_id):
        return "".join(f"  {line}\n" for line in self.instance.log
                       .by_queue_id.get(self.instance.log.queue_ids.get(message_id), ()))

    def outcome_of(self, message_id, messages, handshakes):
        """The security as the server saw it, and the record."""
        queue_id = self.instance.log.queue_ids.get(message_id)
        if queue_id is None:
            return f"still under way after {PATIENCE} s"
        lines = self.instance.log.by_queue_id[queue_id]
        statuses = [line.text.partition("status=")[2].split(" ")[0]
                    for line in lines if ", status=" in line.text
                    and line.program.endswith("/smtp")]
        audits = [parse_audit(line.text) for line in lines
                  if ": tlsaudit: " in line.text]
        received = messages.get(message_id, [])
        if statuses != ["sent"] or len(audits) != 1 or len(received) != 1:
            return sequences.Outcome(*statuses) if not (
                audits or received) and len(statuses) == 1 else (
                f"{statuses}, {audits}, received {len(received)} times")
        audit, = audits
        event, = received
        shown = handshakes.get(event["connection"]) if event["tls"] else None
        seen = {name: shown[name] if shown else "" for name in
                ("protocol", "cipher", "cert_digest")}
        told = {name: audit.get(name, "") for name in seen}
        if told != seen or f"[{event['addr']}]:{event['port']}" not in audit["relay"]:
            return f"the record says {audit}, the server {seen}"
        return sequences.Outcome("sent", seen["protocol"], *(
            audit.get(name, "") for name in
            ("level", "configured", "policy", "reason", "auth")))


@pytest.fixture(scope="module")
def run(world):
    here = Run(world)
    here.start()
    yield here
    here.instance.stop()


def failure(sequence, complaints):
    """What to say, and what to keep."""
    text = f"{sequence!r}\n{''.join(complaints)}"
    (OUTPUT / "sequence-failed").write_text(text)
    return text


def options(pytestconfig, *parts):
    """Hypothesis, with nothing left to chance."""
    def decorate(test):
        return seed(pytestconfig.getoption("--sequences-seed"))(settings(
            max_examples=pytestconfig.getoption("--sequences") * 11 // 10,
            deadline=None,
            database=None, phases=parts,
            suppress_health_check=list(HealthCheck))(
                given(sequences.sequences())(test)))
    return decorate


@pytest.mark.parametrize("name", [
    name for name, sequence in KEPT.items() if sequences.possible(sequence)])
def test_kept_sequence(name, run):
    run.deliver(KEPT.values())
    complaints = run.verdicts[KEPT[name]]
    assert not complaints, failure(KEPT[name], complaints)


def test_random_sequences(run, pytestconfig):
    """The same seed draws the same sequences: first they are collected and
    delivered side by side, then looked at, and the first bad one is shrunk."""
    drawn = []

    def collect(sequence):
        drawn.append(sequence)

    options(pytestconfig, Part.generate)(collect)()
    run.deliver(drawn)

    def check(sequence):
        run.deliver([sequence])
        complaints = run.verdicts[sequence]
        assert not complaints, failure(sequence, complaints)

    bad = [sequence for sequence in drawn if run.verdicts[sequence]]
    print(f"{len(set(drawn))} sequences, {len(bad)} of them bad")
    for sequence in bad:
        print(failure(sequence, run.verdicts[sequence]))
    if bad:
        options(pytestconfig, Part.generate, Part.shrink)(check)()
        raise AssertionError(f"not bad again: {failure(bad[0], run.verdicts[bad[0]])}")
