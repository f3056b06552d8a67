#!/usr/bin/python3
"""Mail flows while everything around the SMTP client breaks.

Runs in the sandbox (tests/soak/run starts it there).  Servers change their
certificates, drop connections and stall; smtp(8), tlsproxy(8), scache(8) and
tlsmgr(8) are killed; Postfix is reloaded.  At the end the faults stop, the
queue is given time to drain, and what the servers recorded is compared with
what Postfix logged.  --plain is for Postfix without the patch set: the same
mail, faults and checks, as far as they apply.
"""

import argparse
import dataclasses
import json
import os
import random
import re
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

from testenv import postfix
from testenv.harness import Behaviour, Case, World, parse_audit
from testenv.pki import Cert

VICTIMS = ("smtp", "tlsproxy", "scache", "tlsmgr")
SECURE = "secure match=hostname"
GOOD = Cert()
DIRECT = (("smtp_tls_session_cache_database",
           "btree:/var/lib/postfix/soak_scache"),)
REUSE = (("smtp_connection_cache_destinations", "static:all"),
         ("smtp_tls_connection_reuse", "yes"))


@dataclasses.dataclass(frozen=True)
class Destination:
    """A case, and what may never happen there (with the patch set)."""

    case: Case
    clear: bool = False                 # may be delivered to in cleartext
    unverified: bool = False            # ... in TLS, without authentication


def destination(name, policy, params, **rules):
    return Destination(Case(name, peers=(Behaviour(),), policy=policy,
                            params=params), **rules)


DESTINATIONS = [
    destination("strict", SECURE, REUSE),
    destination("strict-direct", SECURE, DIRECT),
    destination("to-encrypt", SECURE + " fallback=encrypt", REUSE,
                unverified=True),
    destination("to-may", SECURE + " fallback=may", REUSE,
                unverified=True, clear=True),
    destination("to-may-direct", SECURE + " fallback=may", DIRECT,
                unverified=True, clear=True),
    destination("encrypt", "encrypt", REUSE, unverified=True),
    destination("may", "may", REUSE, unverified=True, clear=True),
]

# What a server can do to us, and how often.
MOODS = (
    [{}] * 10
    + [{"cert": Cert(names=("other.example",))}] * 4
    + [{"cert": Cert(issuer="other")}] * 3
    + [{"cert": Cert(expired=True)}]
    + [{"starttls": "absent"}, {"starttls": "454 4.7.0 not now"}]
    + [{"handshake": how} for how in ("close", "alert", "garbage", "stall")]
    + [{"lose_in_tls": where} for where in ("EHLO", "MAIL", "DATA", "body",
                                            "dot")]
    + [{"lose_in_clear": where} for where in ("EHLO", "dot")]
    + [{"final_reply": "451 4.3.0 try again"}]
)

MAIN = {
    "minimal_backoff_time": "2s", "maximal_backoff_time": "5s",
    "queue_run_delay": "3s", "transport_retry_time": "1s",
    "service_throttle_time": "1s", "smtp_starttls_timeout": "3s",
    "smtp_connect_timeout": "5s", "smtp_helo_timeout": "5s",
    "smtp_data_done_timeout": "10s", "smtp_connection_cache_time_limit": "3s",
}

FATAL = re.compile(r"\b(panic|fatal): ")
CRASH = re.compile(r"killed by signal (?!9\b)\d+")


class Soak:
    """One run."""

    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.world = World([item.case for item in DESTINATIONS],
                           output=options.output, plain=options.plain,
                           main=MAIN)
        self.stop = threading.Event()
        self.kills = []                 # (time, program, pid)
        self.reloads = 0
        self.submitted = {}             # message ID -> (destination, recipients)
        self.problems = []

    # What happens.

    def feed(self):
        """Submit the messages, evenly over the time there is."""
        began = time.time()
        for number in range(self.options.messages):
            due = began + number * self.options.seconds / self.options.messages
            self.stop.wait(max(0, due - time.time()))
            item = DESTINATIONS[number % len(DESTINATIONS)]
            message_id = f"soak.{number}@e2e"
            recipients = [f"user{n}@{self.world.mail_domain(item.case)}"
                          for n in range(1 + number % 3)]
            self.world.postfix.sendmail(message_id, recipients)
            self.submitted[message_id] = (item, recipients)

    def change_moods(self, chance):
        while not self.stop.wait(chance.uniform(0.05, 0.2)):
            self.set_mood(chance.choice(DESTINATIONS), chance.choice(MOODS))

    def set_mood(self, item, mood):
        server = self.world.behaviours[item.case.name][0]
        self.world.peers.add(dataclasses.replace(server, **mood))

    def kill(self, chance):
        while not self.stop.wait(chance.uniform(0.3, 1.2)):
            program = chance.choice(VICTIMS)
            pids = running(program)
            if not pids:
                continue
            pid = chance.choice(pids)
            self.kills.append((time.time(), program, pid))
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                self.kills.pop()

    def reload(self, chance):
        while not self.stop.wait(chance.uniform(5, 10)):
            postfix.run("postfix", "reload")
            self.reloads += 1

    def run(self):
        self.version = postfix.run("postconf", "-h", "mail_version").strip()
        self.world.start()
        threads = [threading.Thread(target=work, daemon=True, args=(
            random.Random(self.random.random()),))
            for work in (self.change_moods, self.kill, self.reload)]
        for thread in threads:
            thread.start()
        self.feed()
        self.stop.set()
        for thread in threads:
            thread.join()
        for item in DESTINATIONS:
            self.set_mood(item, {})
        self.drain()
        self.world.postfix.log.barrier()
        self.world.stop()

    def drain(self):
        """Every server is good now: give the queue time to become empty."""
        deadline = time.time() + self.options.drain
        while postfix.Postfix.queue() and time.time() < deadline:
            postfix.run("postqueue", "-f")
            self.world.postfix.log.wait_for(
                lambda lines, seen=len(self.world.postfix.log.lines):
                len(lines) > seen, 30, "new line in the log")
            time.sleep(1)               # queue manager scans are not events
        self.left = postfix.Postfix.queue()

    # What must be true.

    def problem(self, text):
        self.problems.append(text)

    def check(self):
        log = self.world.postfix.log.lines
        self.events = [
            json.loads(line) for line in
            (Path(self.options.output) / "transcript.jsonl").open()]
        queue_ids = message_ids_by_queue_id(log)
        self.check_log(log)
        self.check_delivered(queue_ids)
        self.check_twice()
        self.check_secure()
        if not self.options.plain:
            self.check_audit(log, queue_ids)
        for place in ("/var/spool/postfix", "/var/lib/postfix"):
            for core in Path(place).rglob("core*"):
                if core.is_file():
                    self.problem(f"core file: {core}")

    def check_log(self, log):
        for line in log:
            if FATAL.search(line.text) or CRASH.search(line.text):
                self.problem(f"log: {line}")

    def deliveries(self):
        """(message ID, recipient) -> message events."""
        found = defaultdict(list)
        for event in self.events:
            if event["event"] == "message":
                for recipient in event["recipients"]:
                    found[event["message_id"].strip("<>"),
                          recipient.strip("<>")].append(event)
        return found

    def check_delivered(self, queue_ids):
        delivered = self.deliveries()
        queued = {(queue_ids.get(entry["queue_id"]), recipient["address"])
                  for entry in self.left.values()
                  for recipient in entry["recipients"]}
        for message_id, (_, recipients) in self.submitted.items():
            for recipient in recipients:
                key = message_id, recipient
                if key not in delivered and key not in queued:
                    self.problem(f"lost: {' for '.join(key)}")

    def check_twice(self):
        """A second delivery needs a kill before the first was written down."""
        connections = defaultdict(list)
        for event in self.events:
            connections[event["connection"]].append(event)
        self.twice = 0
        for key, events in self.deliveries().items():
            for event in events[:-1]:
                self.twice += 1
                if not self.was_interrupted(
                        event, connections[event["connection"]]):
                    self.problem(f"delivered twice without a reason: {' for '.join(key)}")

    def was_interrupted(self, event, connection):
        """Nothing followed on this connection, and a kill was why it ended."""
        after = connection[connection.index(event) + 1:]
        ends = [later["time"] for later in after if later["event"] == "close"]
        return (not any(later["event"] == "command" for later in after)
                and any(program in ("smtp", "tlsproxy")
                        and when > event["time"] - 0.5
                        and abs(end - when) < 1.5
                        for when, program, _ in self.kills for end in ends))

    def check_secure(self):
        """Every message on a connection that its destination permits."""
        shown = {}                      # connection -> digest in its handshake
        rules = {}
        good = {}
        for item in DESTINATIONS:
            server = self.world.behaviours[item.case.name][0]
            rules[server.addr] = item
            good[server.addr] = self.world.peers.issued(
                dataclasses.replace(server, cert=GOOD)).cert_digest
        for event in self.events:
            if event["event"] == "handshake" and event.get("ok"):
                shown[event["connection"]] = event["cert_digest"]
            if event["event"] != "message":
                continue
            item = rules[event["addr"]]
            if not event["tls"]:
                if not item.clear or (self.options.plain
                                      and item.case.name != "may"):
                    self.problem(f"in cleartext: {event['message_id']} at {item.case.name}")
            elif not item.unverified or (self.options.plain and
                                         item.case.name.startswith("to-")):
                if shown.get(event["connection"]) != good[event["addr"]]:
                    self.problem(
                        f"with a bad certificate: {event['message_id']} at {item.case.name}")
        self.good_digests = set(good.values())

    def check_audit(self, log, queue_ids):
        """As many recipients in audit lines as were logged as sent."""
        sent, audited = Counter(), Counter()
        killed = {pid for _, _, pid in self.kills}
        self.levels = Counter()
        for line in log:
            if not line.program.endswith("/smtp"):
                continue
            key = line.pid, line.text.partition(":")[0]
            if " status=sent " in line.text:
                sent[key] += 1
            elif ": tlsaudit: " in line.text:
                fields = parse_audit(line.text)
                self.levels[fields["level"], fields.get("reason", "-")] += 1
                if fields["dsn"].startswith("2"):
                    audited[key] += int(fields["nrcpt"])
                if (fields["level"] == "secure"
                        and fields["cert_digest"] not in self.good_digests):
                    self.problem(f"false claim: {line}")
        for key, count in sent.items():
            if audited[key] < count or (audited[key] > count
                                        and key[0] not in killed):
                self.problem(f"{key[1]}[{key[0]}]: {count} recipients sent,"
                             f" {audited[key]} in audit lines")

    def report(self):
        log = self.world.postfix.log.lines
        kills = Counter(program for _, program, _ in self.kills)
        result = {
            "postfix": "pristine" if self.options.plain else "patched",
            "version": self.version,
            "seed": self.options.seed,
            "messages": len(self.submitted),
            "recipients": sum(len(recipients) for _, recipients
                              in self.submitted.values()),
            "transfers": sum(event["event"] == "message"
                             for event in self.events),
            "still queued": len(self.left),
            "delivered twice": self.twice,
            "fallbacks": sum(": tls fallback: " in line.text for line in log),
            "refused": sum(": tls fallback refused: " in line.text
                           for line in log),
            "killed": dict(kills), "reloads": self.reloads,
            "deferred": sum(" status=deferred " in line.text for line in log),
            "problems": self.problems,
        }
        if not self.options.plain:
            result["audit lines"] = {" ".join(key): count for key, count
                                     in sorted(self.levels.items())}
        (Path(self.options.output) / "soak.json").write_text(
            json.dumps(result, indent=1) + "\n")
        return result


def running(program):
    """Process IDs in this sandbox, by program name."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if (directory / "comm").read_text().strip() == program:
                found.append(int(directory.name))
        except OSError:
            pass                        # it ended meanwhile
    return found


def message_ids_by_queue_id(log):
    found = {}
    for line in log:
        match = re.match(r"(\w+): message-id=<(.*)>$", line.text)
        if match:
            found[match[1]] = match[2]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True, metavar="DIR")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--seconds", type=int, default=240,
                        help="how long faults and new mail last")
    parser.add_argument("--drain", type=int, default=90, metavar="SECONDS",
                        help="how long to wait for the queue afterwards")
    parser.add_argument("--seed", type=int,
                        default=int.from_bytes(os.urandom(4), "big"))
    soak = Soak(parser.parse_args())
    postfix.require_sandbox()
    soak.run()
    soak.check()
    result = soak.report()
    for name, value in result.items():
        if name != "problems":
            print(f"{name:<16} {value}")
    counts = Counter(re.sub(r"[0-9A-F]{6,}|\d+", "#", text.partition(": ")[0])
                     for text in soak.problems)
    for text in soak.problems[:40]:
        print("PROBLEM: " + text)
    print(f"problems: {len(soak.problems)} {dict(counts) or ''}")
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
