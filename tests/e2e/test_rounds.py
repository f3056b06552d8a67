"""Several hosts: who gets the message, how, and what that costs.

Besides the lists in the tables of rounds.py there are random ones; all are
delivered together.  Cost: about a minute for 300 of them, as ci/check has them
on its main line.  By hand, more of them, and others:

    tests/run e2e -k random_list --lists=5000 --lists-seed=2
"""

import pytest

import rounds


def pytest_generate_tests(metafunc):
    if metafunc.function is test_random_list:
        option = metafunc.config.getoption
        metafunc.parametrize("case", rounds.random_cases(
            option("--lists"), option("--lists-seed")),
            ids=lambda case: case.name)


@pytest.mark.parametrize("case", rounds.CASES, ids=lambda case: case.name)
def test_list(case, world):
    result = world.result(case, world.sent[case.name][:1])
    result.check(case.expect)


def test_random_list(case, world):
    world.result(case, world.sent[case.name][:1]).check(case.expect)


def test_enough_lists():
    assert len(rounds.CASES) >= 400
