"""Several hosts: who gets the message, how, and what that costs."""

import dataclasses

import pytest

import rounds

CACHED = [case for case in rounds.CASES if case.name.endswith("-cached")]


@pytest.mark.parametrize("case", rounds.CASES, ids=lambda case: case.name)
def test_list(case, world):
    result = world.result(case, world.sent[case.name][:1])
    result.check(case.expect)


def test_enough_lists():
    assert len(rounds.CASES) >= 400
