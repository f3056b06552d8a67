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
    print(f"{'case':<{width}}  {'expected':<40} {'got':<40} time")
    for row in rows:
        print(f"{row['case']:<{width}}  {row['expected']:<40} {row['got']:<40} {row['time']:5.2f}"
              + ("" if row["good"] else f"  WRONG: {', '.join(row.get('wrong', ['see above']))}"))
    print(f"{len(rows)} cases, {sum(not row['good'] for row in rows)} wrong")


if __name__ == "__main__":
    main()
