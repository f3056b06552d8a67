#!/usr/bin/python3
"""Compare Postfix with and without the patch set; see tests/bench/run.

Both run at the same time, each in its own sandbox, and are asked in turns, so
that what else the machine does hits both.  The result is the median of all
rounds; the ratio is the median of the ratios within each round.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from testenv.clone import TOP, environment, in_clone

BUILD = TOP / "build"
OUTPUT = BUILD / "bench"

# name, patched service, pristine service, goal. The goal for a rate is that 1
# is no further from the quartiles of all rounds' ratios than they are apart.
RATES = [
    (f"{title}, {template}", f"{transport}-{template}",
     transport + "-empty", "same" if template == "empty" else "")
    for transport, title in (("clear", "cleartext"), ("tls", "TLS"),
                             ("reuse", "TLS with tlsproxy reuse"))
    for template in ("empty", "standard", "full")
] + [("fallback (mismatch) to encrypt, against encrypt", "mismatch-empty",
      "encrypt-empty", "same")]

# After a fallback, sessions are not saved, so that the next connection sees
# whether the certificate was repaired.
SESSION_RATES = [("fallback, against encrypt, with a TLS session cache",
                  "mismatch-empty", "encrypt-empty", "")]

# Instructions: name, what is measured, what it is compared with, and the
# greatest ratio. One that has a record is compared with a delivery that writes
# another line of the same length, see with_line().
PATCHED, PRISTINE = "patched", "pristine"
INSTRUCTIONS = [
    ("cleartext, empty", (PATCHED, "clear-empty"), (PRISTINE, "clear-empty"),
     1.0005),
    ("TLS, empty", (PATCHED, "tls-empty"), (PRISTINE, "tls-empty"), 1.0005),
    ("TLS at encrypt, names checked for the record, against not",
     (PATCHED, "encrypt-names"), (PATCHED, "encrypt-level"), 1.003),
    ("fallback (mismatch) to encrypt, against encrypt",
     (PATCHED, "mismatch-empty"), (PRISTINE, "encrypt-empty"), None),
]
RECORDS = [
    ("cleartext, standard", "clear-standard", "clear-empty", 1.007),
    ("cleartext, full", "clear-full", "clear-empty", 1.010),
    ("cleartext, json", "clear-json", "clear-empty", 1.010),
    ("TLS, standard", "tls-standard", "tls-empty", 1.007),
    ("TLS, full", "tls-full", "tls-empty", 1.010),
    ("TLS, json", "tls-json", "tls-empty", 1.010),
]

# Bytes, between one profile and the next; not a part of a page.
PADDING = 1111

MEMORY = [("cleartext", "clear-full", "clear-empty"),
          ("TLS, fallback, full", "mismatch-full", "encrypt-empty")]


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def round_name(number, rounds):
    return "warm-up" if number < 0 else f"round {number + 1} of {rounds}"


class Side:
    """A sandbox with one of the two."""

    def __init__(self, name):
        self.name = name
        option = ["--pristine"] if name == "pristine" else []
        self.process = subprocess.Popen(
            in_clone("tests/bench/side.py", name, OUTPUT,
                     options=(*option, "--bind", OUTPUT)),
            cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment())
        self.version = self._answer()["version"]

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: the {self.name} side ended")
        answer = json.loads(line)
        if "error" in answer:
            raise SystemExit(f"bench: {self.name}: {answer['error']}")
        return answer

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Bench:
    def __init__(self, options):
        self.options = options
        self.rows = []
        self.sides = {name: Side(name) for name in ("patched", "pristine")}

    def version(self):
        versions = {side.version for side in self.sides.values()}
        assert len(versions) == 1, versions
        return versions.pop()

    def row(self, name, unit, patched, pristine, goal="", met=None,
            digits=1, **more):
        self.rows.append({
            "name": name, "unit": unit, "patched": round(patched, digits),
            "pristine": round(pristine, digits),
            "ratio": round(patched / pristine, 4) if pristine else None,
            "goal": goal, "met": met, **more})

    def rates(self):
        self.rate_rows([row for row in RATES if not self.options.short
                        or row[0] in (RATES[0][0], RATES[3][0], RATES[9][0])])

    def sessions(self):
        for side in self.sides.values():
            side.ask(do="sessions")
        self.rate_rows(SESSION_RATES)

    def exim(self):
        """For orientation: the patched side's fallback against Exim's."""
        if not (OUTPUT / "exim").is_dir():
            say("no Exim here")
            return
        side = self.sides["patched"]
        messages = max(50, self.options.messages // 5)
        rates = {"patched": [], "pristine": []}
        for number in range(-1, self.options.rounds):
            say("Exim, " + round_name(number, self.options.rounds))
            answers = (side.ask(do="rate", service="mismatch-empty",
                                messages=messages),
                       side.ask(do="exim", messages=messages))
            if number >= 0:
                rates["patched"].append(answers[0])
                rates["pristine"].append(answers[1])
        self.rate_row("verification failed, delivered; Exim in place of the "
                      "pristine Postfix", rates, "")

    def rate_rows(self, rows):
        """Rounds over all rows, not rows over all rounds: time matters."""
        options = self.options
        collected = {row[0]: {"patched": [], "pristine": []} for row in rows}
        for number in range(-1, options.rounds):
            say("rates, " + round_name(number, options.rounds))
            for name, patched, pristine, _ in rows:
                services = {"patched": patched, "pristine": pristine}
                order = sorted(services, reverse=number % 2)
                for side in order:
                    answer = self.sides[side].ask(
                        do="rate", service=services[side],
                        messages=options.messages)
                    if number >= 0:
                        collected[name][side].append(answer)
        for name, _, _, goal in rows:
            self.rate_row(name, collected[name], goal)

    def rate_row(self, name, answers, goal):
        def median(side, what):
            return statistics.median(a[what] for a in answers[side])

        ratios = [a["rate"] / b["rate"] for a, b in
                  zip(answers["patched"], answers["pristine"])]
        ratio = statistics.median(ratios)
        low, _, high = statistics.quantiles(ratios, n=4)
        self.row("deliveries per second: " + name, "1/s",
                 median("patched", "rate"), median("pristine", "rate"),
                 goal="1 within noise" if goal else "",
                 met=low - (high - low) <= 1 <= high + (high - low)
                 if goal else None,
                 quartiles=[round(low, 4), round(high, 4)])
        self.rows[-1]["ratio"] = round(ratio, 4)
        if name.startswith("fallback"):
            for what in ("connections", "handshakes"):
                patched, pristine = (median(side, what) for side in
                                     ("patched", "pristine"))
                self.row(f"{what} per delivery: {name}", "", patched,
                         pristine, goal="equal" if goal else "",
                         met=patched == pristine if goal else None, digits=4)

    def count(self, *services):
        """Median instructions per delivery, in all and for log lines."""
        answers = [[] for _ in services]
        for number in range(self.options.profiles):
            for at, (side, service) in list(enumerate(services))[
                    ::-1 if number % 2 else 1]:
                answers[at].append(self.sides[side].ask(
                    do="instructions", service=service,
                    messages=self.options.profile_messages,
                    padding=number * PADDING))
        return [(statistics.median(count for answer in mine
                                   for count in answer["instructions"]),
                 statistics.median(answer["logging"] for answer in mine))
                for mine in answers]

    def instructions(self):
        for name, mine, other, goal in INSTRUCTIONS:
            say(f"instructions: {name}")
            (count, _), (base, _) = self.count(mine, other)
            self.instructions_row(name, count, base, goal)
        for name, mine, other, goal in RECORDS:
            say(f"instructions: {name}")
            self.with_line(name, goal, *self.count((PATCHED, mine),
                                                   (PRISTINE, other)))

    def with_line(self, name, goal, mine, other):
        """The record's own line is not what the record costs: any line does."""
        line = mine[1] - other[1]
        self.instructions_row(f"{name}: one msg_info(3) line of that length",
                              other[0] + line, other[0], None)
        self.instructions_row(f"{name}, against one such line",
                              mine[0], other[0] + line, goal)

    def instructions_row(self, name, count, base, goal):
        self.row("instructions per delivery: " + name, "", count, base,
                 digits=0, goal=f"at most {goal:.5g}" if goal else "",
                 met=count / base <= goal if goal else None)

    def memory(self):
        steps = [max(100, self.options.memory // 10), self.options.memory]
        for name, patched, pristine in MEMORY:
            say(f"memory after {steps[-1]} deliveries: {name}")
            sizes = {}
            for side, service in (("patched", patched),
                                  ("pristine", pristine)):
                sizes[side] = self.sides[side].ask(
                    do="memory", service=service, steps=steps)["memory"]
            for step, mine, theirs in zip(steps, sizes["patched"],
                                          sizes["pristine"]):
                self.row(f"memory after {step} deliveries: {name}",
                         "kB", mine, theirs, digits=0)
            growth = sizes["patched"][-1] - sizes["patched"][0]
            self.rows[-1].update(
                goal="flat", growth=growth,
                met=growth <= max(256, sizes["pristine"][-1]
                                  - sizes["pristine"][0]))

    def run(self):
        for part in ("instructions", "rates", "memory", "exim",
                     "sessions"):
            if part in self.options.parts:
                getattr(self, part)()
        for side in self.sides.values():
            side.close()


def machine():
    cpu = next((line.split(":")[1].strip() for line in
                Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    return f"{os.cpu_count()} x {cpu}, {system}, Linux {platform.release()}"


def table(rows):
    lines = ["| | patched | pristine | ratio | goal | met |",
             "|---|---:|---:|---:|---|---|"]
    for row in rows:
        met = {True: "yes", False: "**no**", None: ""}[row["met"]]
        patched, pristine = (
            f"{row[side]:{',g' if row[side] < 1e6 else ',.0f'}} {row['unit']}"
            for side in ("patched", "pristine"))
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.4f}"
        lines.append(
            f"| {row['name']} | {patched} | {pristine} | {ratio} | {row['goal']} | {met} |")
    return "\n".join(line.replace("  ", " ") for line in lines)


def document(path, text):
    """Replace what is between the markers."""
    before, _, rest = path.read_text().partition("<!-- begin table -->\n")
    _, marker, after = rest.partition("<!-- end table -->")
    if not marker:
        raise SystemExit(f"bench: {path} has no place for the table")
    path.write_text(f"{before}<!-- begin table -->\n{text}\n{marker}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-s", "--short", action="store_true",
                        help="fewer rounds, rows and messages")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--messages", type=int, help="in each round")
    parser.add_argument("--memory", type=int, metavar="DELIVERIES")
    parser.add_argument("--parts", nargs="+", default=[
        "instructions", "rates", "memory", "exim",
        "sessions"])
    parser.add_argument("--document", type=Path, metavar="FILE",
                        help="write the table into this file")
    options = parser.parse_args()
    for name, short, long in (("rounds", 3, 7), ("messages", 100, 1000),
                              ("memory", 300, 10000)):
        if getattr(options, name) is None:
            setattr(options, name, short if options.short else long)
    options.profiles = 1 if options.short else 7
    options.profile_messages = 6
    OUTPUT.mkdir(parents=True, exist_ok=True)
    began = time.time()
    bench = Bench(options)
    bench.run()
    (BUILD / "bench.json").write_text(json.dumps(bench.rows, indent=1) + "\n")
    minutes = int(time.time() - began + 59) // 60
    text = (f"Measured on {time.strftime('%Y-%m-%d')}, in {minutes} minutes:"
            f" Postfix {bench.version()}, {machine()}.\n\n{table(bench.rows)}")
    print(text)
    if options.document:
        document(options.document, text)
    missed = [row["name"] for row in bench.rows if row["met"] is False]
    say(f"{len(bench.rows)} rows in build/bench.json;"
        f" goals missed: {'; '.join(missed) or 'none'}")
    broken = [row["name"] for row in bench.rows if is_broken(row)]
    if broken:
        say(f"far from what it should be: {'; '.join(broken)}")
    return 1 if broken else 0


def is_broken(row):
    """Whether a missed goal cannot be the noise of a busy machine."""
    return row["met"] is False and (
        row["goal"] in ("equal", "flat")
        or row["goal"].startswith("at most") and row["ratio"] > 1.05)


if __name__ == "__main__":
    sys.exit(main())
