#!/usr/bin/python3
"""Run the cases without fallback and without audit template, and write down
what was logged and said, in a form that can be compared.

This is done with the patched and with the pristine Postfix; the two files must
be the same (test_pristine.py).  What differs between any two runs is replaced
by a fixed word: queue IDs, process IDs, times, digests.
"""

import argparse
import dataclasses
import json
import re
from pathlib import Path

from testenv.harness import OUTPUT, World
from testenv.releases import mail_version

# Cases that get more than one message.
REPEATED = {"smtp-reuse-", "lmtp-reuse-", "smtp-resumed-"}
REPETITIONS = 3

VARIABLE = [
    (re.compile(r"\b[0-9A-F]{64}\b"), "DIGEST"),
    (re.compile(r"\b(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\b"), "DIGEST"),
    (re.compile(r"delay=[\d.]+, delays=[\d./]+"), "DELAYS"),
    (re.compile(r"\w{3}, [ \d]?\d \w{3} \d{4} [\d:]{8} [+-]\d{4} \(\w+\)"),
     "DATE"),
    (re.compile(r"from userid \d+"), "USER"),
]


def all_cases():
    """Every case whose configuration the pristine Postfix understands."""
    import matrix
    import test_core
    import test_design
    import test_requiretls
    import test_safety
    import test_state
    return [
        dataclasses.replace(
            case, fallback="", template="",
            peers=tuple(without_chance(case, server) for server in case.peers))
        for module in (test_core, test_design, test_requiretls, test_safety,
                       test_state, matrix)
        for case in module.plain_cases()]


def without_chance(case, server):
    """No TLS 1.3 tickets: whether a client that hangs up after the handshake
    has seen them depends on chance."""
    resumes = case.name.startswith("smtp-resumed-")
    return dataclasses.replace(server, tickets=resumes)


def normal(text, queue_ids):
    """The text without what differs between runs."""
    for number, queue_id in enumerate(queue_ids):
        text = re.sub(rf"\b{queue_id}\b", f"QUEUEID{number}", text)
    for pattern, word in VARIABLE:
        text = pattern.sub(word, text)
    return text


def spoken(result):
    """What was said, connection by connection."""
    wanted = {"connect": (), "command": ("text", "tls"),
              "reply": ("text", "tls"), "login": ("user", "ok", "tls"),
              "handshake": ("ok", "protocol", "cipher", "kex", "sni",
                            "resumed", "error"),
              "message": ("tls", "sender", "recipients", "text")}
    connections = {}
    for event in result.events:
        if event["event"] in wanted:
            connections.setdefault(event["connection"], []).append([
                event["event"], *(event.get(key) if key != "text" else
                                  normal(event["text"], result.queue_ids)
                                  for key in wanted[event["event"]])])
    return [without_lost_quit(connections[key]) for key in sorted(connections)]


def without_lost_quit(events):
    """The events, without a QUIT straight after the handshake.

    A client that hangs up there has not read everything that the server sent,
    so that the kernel may reset the connection before the server reads QUIT.
    """
    for place, event in enumerate(events):
        if event[0] == "handshake" and event[1]:
            rest = [event for event in events[place + 1:]
                    if event[0] == "command"]
            if [event[1] for event in rest] in ([], ["QUIT"]):
                return [event for event in events[:place + 1]]
    return events


def logged(result):
    """What the delivery agents logged."""
    return [normal(line.text, result.queue_ids) for line in sorted(
        result.agent_lines() + result.tls_log, key=lambda line: line.number)]


def repeated(case):
    return case.name.startswith(tuple(REPEATED))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", help="where to write the JSON result")
    options = parser.parse_args()
    cases = all_cases()
    world = World(cases, output=OUTPUT / "plain" / Path(options.output).stem,
                  plain=True)
    world.start()
    try:
        # What is cached does not last for ever: repeat at once.
        world.deliver(*(case for case in cases if not repeated(case)))
        for case in filter(repeated, cases):
            for _ in range(REPETITIONS):
                world.deliver(case)
        if world.overdue:
            raise SystemExit(f"plain: still under way: {world.overdue}")
        found = {case.name: {"log": logged(world.result(case)),
                             "dialogue": spoken(world.result(case))}
                 for case in cases}
    finally:
        world.stop()
    Path(options.output).write_text(json.dumps(
        {"version": mail_version(), "cases": found}, indent=1))
    lines = sum(len(case["log"]) for case in found.values())
    connections = sum(len(case["dialogue"]) for case in found.values())
    print(f"{options.output}: {len(found)} cases, {lines} log lines, {connections} connections")


if __name__ == "__main__":
    main()
