"""Every row of the table, end to end."""

import json

import pytest

import matrix
import table
from testenv.harness import Differences


@pytest.fixture(scope="module")
def results():
    """What happened, for the table of results."""
    rows = []
    yield rows
    table.RESULTS.write_text(json.dumps(rows, indent=1))


def brief(status, audit):
    """A delivery in a few words."""
    if not audit:
        return status
    return f"{status}, level={audit['level']}, auth={audit['auth']}"


@pytest.mark.parametrize("case", matrix.CASES, ids=lambda case: case.name)
def test_matrix(case, world, results):
    result = world.result(case)
    statuses = [" ".join(status[1:3]) for status in result.statuses()]
    audits = result.audits()
    expect = case.expect
    row = {"case": case.name,
           "expected": brief(f"{expect.dsn} {expect.status}",
                             vars(expect.audit[0]) if expect.audit else None),
           "got": brief(", ".join(statuses), audits[0] if audits else None),
           "time": result.seconds(), "good": False}
    results.append(row)
    try:
        result.check(expect)
    except Differences as error:
        row["wrong"] = error.names
        raise
    row["good"] = True
