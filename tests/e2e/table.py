#!/usr/bin/python3
"""Print the table of results of the last run of the matrix."""

import argparse
import json
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "build/e2e/matrix.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = json.loads(options.file.read_text())
    width = max(len(row["case"]) for row in rows)
    print("%-*s  %-40s %-40s %s" % (width, "case", "expected", "got", "time"))
    for row in rows:
        print("%-*s  %-40s %-40s %5.2f%s" % (
            width, row["case"], row["expected"], row["got"], row["time"],
            "" if row["good"] else "  WRONG"))
    print("%d cases, %d wrong" % (
        len(rows), sum(not row["good"] for row in rows)))


if __name__ == "__main__":
    main()
