"""One World for all cases of the selected tests."""

import time

import pytest

import matrix
from testenv.harness import Case, World


def pytest_addoption(parser):
    parser.addoption("--sequences", type=int, default=300, metavar="N",
                     help="random sequences of messages (300)")
    parser.addoption("--sequences-seed", type=int, default=1, metavar="N",
                     help="which ones (1)")
    parser.addoption("--one-transport", action="store_true",
                     help="the matrix on one transport for each combination, in turn")
    parser.addoption("--lists", type=int, default=1000, metavar="N",
                     help="random lists of hosts (1000)")
    parser.addoption("--lists-seed", type=int, default=1, metavar="N",
                     help="which ones (1)")


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "cases(*cases): the cases that a test works with")


def pytest_collection_modifyitems(config, items):
    """A table of which no case is for this release is no test, and is not
    one that was skipped either."""
    left_out = {item for item in items if any(
        "got empty parameter set" in mark.kwargs.get("reason", "")
        for mark in item.iter_markers("skip"))}
    if config.getoption("--one-transport"):
        kept = matrix.on_one_transport()
        left_out.update(item for item in items if item.originalname == "test_matrix"
                        and item.callspec.params["case"].name not in kept)
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def cases_of(item):
    """The cases of one test: its "case" argument and its "cases" marker."""
    found = []
    for mark in item.iter_markers("cases"):
        found.extend(mark.args)
    callspec = getattr(item, "callspec", None)
    if callspec and isinstance(callspec.params.get("case"), Case):
        found.append(callspec.params["case"])
    return found


class Progress:
    """Says on the terminal how far the mail has got."""

    STEP = 5                            # seconds between two remarks
    MANY = 10                           # messages that are worth a remark

    def __init__(self, capture):
        self.capture = capture
        self.said = time.monotonic()

    def __call__(self, what, done, total):
        if total < self.MANY or time.monotonic() < self.said + self.STEP:
            return
        self.said = time.monotonic()
        with self.capture.global_and_fixture_disabled():
            print(f"e2e: {what} {done} of {total}", flush=True)


@pytest.fixture(scope="session")
def world(request):
    """Postfix and the servers, with the mail of all one-message cases sent."""
    cases, batch = {}, {}
    for item in request.session.items:
        for case in cases_of(item):
            assert cases.setdefault(case.name, case) == case, case.name
            if case.expect is not None:
                batch[case.name] = case
    capture = request.config.pluginmanager.getplugin("capturemanager")
    world = World(list(cases.values()), say=Progress(capture))
    world.start()
    try:
        world.deliver(*batch.values())
        yield world
    finally:
        world.stop()
