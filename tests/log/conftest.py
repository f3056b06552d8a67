"""Options of these tests."""


def pytest_addoption(parser):
    parser.addoption("--log-size", type=int, default=24, metavar="MBYTE",
                     help="size of the log that is cut into pieces (24)")
