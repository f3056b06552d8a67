"""Our own fault is never taken for the server's.

What smtp(8) needs is killed, stopped, or replaced by something else, at a
moment that the server picks, so that it is exact: the server does it before
it goes on.  And what it is to trust is missing, unreadable or empty.  The
message is old, and the policy has a fallback to cleartext: whatever happens, no
server may see the message outside of TLS, or anything taken for a fallback.

What is stopped or does not answer makes smtp(8) wait for LIMIT seconds, all
of them at the same time.  Cost: about 20 seconds.
"""

import dataclasses
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from testenv.clone import TOP
from testenv.harness import OLD_ENOUGH, Behaviour, Case
from testenv.releases import mail_version

B = Behaviour
SECURE = "secure match=hostname"
LIMIT = 4                               # seconds until smtp(8) gives up
IMPATIENT = tuple((name, f"{LIMIT}s") for name in (
    "smtp_starttls_timeout", "smtp_helo_timeout", "smtp_mail_timeout",
    "smtp_rcpt_timeout", "smtp_data_init_timeout", "smtp_data_done_timeout",
    "smtp_rset_timeout", "smtp_quit_timeout", "ipc_timeout")
                  ) + tuple(OLD_ENOUGH.items())
DIRECTORY = Path("/var/tmp/e2e-faults")


def processes(service):
    """The processes of one service."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue                    # it has ended
        if service.encode() in words and b"-n" in words:
            yield int(path.parent.name)


ARMED = set()                           # services whose time has come
HIT = set()                             # services of which a process was hit


@dataclass(frozen=True)
class Fault:
    """What happens to a service, and when."""

    service: str
    what: signal.Signals
    moment: str
    in_tls: bool = False

    def __call__(self, moment, in_tls):
        if (self.service in ARMED
                and (moment, in_tls) == (self.moment, self.in_tls)):
            for process in processes(self.service):
                os.kill(process, self.what)
                HIT.add(self.service)


def service_line(name, command, chroot="n", limit=0):
    return f"{name} unix - n {chroot} - {limit} {command}"


# A service of its own for each case, so that no other case is hit: its
# program, the parameter with its name, and its share of what there is.
DAEMONS = {
    "tlsproxy": ("tlsproxy_service_name", 0, "tlsproxy"),
    "scache": ("connection_cache_service_name", 1, "scache"),
    "tlsmgr": ("tlsmgr_service_name", 1, "tlsmgr"
               " -o smtp_tls_session_cache_database=btree:/var/lib/postfix/{}"
               " -o lmtp_tls_session_cache_database="
               " -o tls_random_exchange_name=/var/lib/postfix/{}.random"),
}


def fault_case(name, daemon, what, moment, in_tls=False, params=()):
    service = "x-" + name
    parameter, limit, command = DAEMONS[daemon]
    return Case("smtp-fault-" + name, peers=(B(
        meanwhile=Fault(service, what, moment, in_tls)),),
        policy=SECURE, fallback="secure=may",
        params=IMPATIENT + ((parameter, service),) + params, daemons=(
            service_line(service, command.replace("{}", service),
                         limit=limit),))


PROXY = (("smtp_tls_connection_reuse", "yes"),)
CACHE = (("smtp_connection_cache_destinations", "static:all"),)
SIGNALS = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}
MOMENTS = ("connect", "EHLO", "STARTTLS", "hello")

# scache(8) is asked before there is a connection, and gets it afterwards. A
# tlsproxy(8) that was stopped before it greets makes smtp(8) wait for as long,
# with or without our patches, until the watchdog ends it.
FAULTS = [
    *(fault_case("proxy-killed-" + moment.lower(), "tlsproxy",
                 signal.SIGKILL, moment, params=PROXY) for moment in MOMENTS),
    fault_case("proxy-stopped-hello", "tlsproxy", signal.SIGSTOP, "hello",
               params=PROXY),
    *(fault_case(f"tlsmgr-{how}-{moment.lower()}{more}", "tlsmgr",
                 what, moment, params=params)
      for how, what in SIGNALS.items() for moment in MOMENTS
      for more, params in (("", ()), ("-proxy", PROXY))),
    *(fault_case(f"scache-{how}-{moment.lower()}", "scache", what,
                 moment, True, params=CACHE + PROXY)
      for how, what in SIGNALS.items() for moment in ("EHLO", "MAIL", "dot")),
]


# In the place of tlsproxy(8).  A Postfix that knows nothing of fallbacks is
# one of another version, until "postfix reload" after an upgrade.
def stand_in(name, command):
    service = "x-" + name
    return Case("smtp-fault-" + name, policy=SECURE, fallback="secure=may",
                params=IMPATIENT + PROXY + (
                    ("tlsproxy_service_name", service),),
                daemons=(service_line(service, command),) if command else ())


PRISTINE = TOP / "build/pristine" / f"postfix-{mail_version()}" / "libexec/tlsproxy"
STAND_INS = [
    stand_in("proxy-nowhere", ""),
    stand_in("proxy-ends", "spawn user=nobody argv=/bin/true"),
    stand_in("proxy-talks", "spawn user=nobody argv=/bin/echo status 0"),
    stand_in("proxy-waits", "spawn user=nobody argv=/bin/sleep 8"),
    # Where the unpatched tree was not built there is none.
    *([stand_in("proxy-other-version", "tlsproxy-pristine")]
      if PRISTINE.exists() else ()),
]


def install_other_version():
    """Where master(8) looks for it."""
    if PRISTINE.exists():
        daemons = subprocess.run(["postconf", "-h", "daemon_directory"],
                                 capture_output=True, text=True,
                                 check=True).stdout.strip()
        subprocess.run(["cp", str(PRISTINE), daemons + "/tlsproxy-pristine"],
                       check=True)


def check_never_weaker(result):
    """Delivered as the policy says, or not at all, and no fallback."""
    ours = {f"<{message_id}>" for message_id in result.message_ids}
    received = [event for event in result.of("message")
                if event["message_id"] in ours]
    secure = [event for event in received if event["tls"]]
    assert received == secure
    assert result.commands("MAIL", tls=False) == []
    assert result.texts("tls fallback: ") == []
    assert [fields["level"] for fields in result.audits()] == [
        "secure"] * len(secure)
    assert [fields["auth"] for fields in result.audits()] == [
        "Verified"] * len(secure)
    assert [status[2] for status in result.statuses()] == (
        ["sent"] if secure else ["deferred"])


# What is to be trusted, by parameter.  CA_FILE stands for the good one.
CA_FILE = "/var/tmp/e2e-pki/trusted-ca.pem"
EMPTY, GARBAGE = DIRECTORY / "empty.pem", DIRECTORY / "garbage.pem"
LOCKED = DIRECTORY / "locked.pem"       # root's alone
HASHED = DIRECTORY / "hashed"           # a good CApath
NOTHING = DIRECTORY / "nothing"         # an empty one
MISSING = DIRECTORY / "missing"


def trust_case(name, works=False, policy="", **more):
    params = {"smtp_tls_CAfile": "", "smtp_tls_CApath": "",
              **more.pop("params", {})}
    return works, Case("smtp-trust-" + name, policy=SECURE + policy,
                       fallback="secure=may",
                       params=tuple({**OLD_ENOUGH, **params}.items())
                       + tuple(more.pop("also", ())), **more)


def trust_cases(kind, also=(), daemons=None):
    """In and out of the chroot, with tlsproxy(8) and without."""
    for chroot in (False, True):
        where = kind + ("-chroot" if chroot else "")

        def case(name, works=False, policy="", where=where, chroot=chroot,
                 **params):
            service = f"x-{where}-{name}"
            return trust_case(
                f"{where}-{name}", works, policy, chroot=chroot,
                params=params, also=also if not daemons else
                also + (("tlsproxy_service_name", service),),
                daemons=() if not daemons else (
                    service_line(service, daemons, "y" if chroot else "n"),))

        yield case("good", True, smtp_tls_CAfile=CA_FILE)
        yield case("file-missing", smtp_tls_CAfile=str(MISSING))
        yield case("file-empty", smtp_tls_CAfile=str(EMPTY))
        yield case("file-garbage", smtp_tls_CAfile=str(GARBAGE))
        yield case("file-directory", smtp_tls_CAfile=str(NOTHING))
        # A directory of certificates is read when it is needed: in there.
        yield case("path-good", not chroot, smtp_tls_CApath=str(HASHED))
        yield case("path-missing", smtp_tls_CApath=str(MISSING))
        yield case("path-empty", smtp_tls_CApath=str(NOTHING))
        yield case("nothing")
        yield case("tafile-missing", policy=f" tafile={MISSING}")
        yield case("tafile-empty", policy=f" tafile={EMPTY}")
        yield case("tafile-garbage", policy=f" tafile={GARBAGE}")
        yield case("tafile-locked", policy=f" tafile={LOCKED}")


TRUST = [*trust_cases("direct"),
         *trust_cases("proxy", PROXY, "tlsproxy")]


def make_files(ca_file):
    for directory in (DIRECTORY, HASHED, NOTHING):
        directory.mkdir(exist_ok=True)
    EMPTY.touch()
    GARBAGE.write_text("This is no certificate.\n")
    LOCKED.write_bytes(ca_file.read_bytes())
    LOCKED.chmod(0o600)
    link = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in",
                           str(ca_file)], capture_output=True, text=True,
                          check=True).stdout.strip()
    (HASHED / (link + ".0")).write_bytes(ca_file.read_bytes())


@pytest.fixture(scope="module")
def faulty(world):
    """The world when everything has gone wrong, all at the same time.

    What is to be hit gets a first message, and is there for the second.
    """
    make_files(world.peers.pki.ca_file)
    install_other_version()
    cases = [case for case in world.cases.values()
             if case.name.startswith(("smtp-fault-", "smtp-trust-"))]
    world.deliver(*(case for case in cases if case in FAULTS))
    # The second one is not to go where the first one went.
    assert world.wait_for_hang_up(FAULTS)
    ARMED.update(case.peers[0].meanwhile.service for case in FAULTS)
    world.deliver(*(dataclasses.replace(case, old=True) for case in cases))
    yield world
    for service in ARMED:               # what was stopped must not outlive us
        for process in processes(service):
            os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.name)
def test_fault_is_not_the_servers(case, faulty):
    first, second = faulty.sent[case.name]
    assert [event["message_id"] for event in
            faulty.result(case, [first]).of("message")][:1] == [
                f"<{first}>"]
    assert case.peers[0].meanwhile.service in HIT
    check_never_weaker(faulty.result(case, [second]))


@pytest.mark.parametrize("case", STAND_INS, ids=lambda case: case.name)
def test_what_is_not_tlsproxy(case, faulty):
    result = faulty.result(case)
    check_never_weaker(result)
    if case.name.endswith("-other-version") and result.of("message"):
        return                          # the two understand each other
    assert result.of("message") == []
    assert [re.sub(".*reason=", "", text) for text in
            result.texts("tls fallback refused: ")] == [
                "handshake, rule=local-config"]


@pytest.mark.parametrize("works, case", TRUST,
                         ids=[case.name for _, case in TRUST])
def test_what_is_to_be_trusted(works, case, faulty):
    result = faulty.result(case)
    check_never_weaker(result)
    assert len(result.of("message")) == works
    if "-path-" in case.name or case.name.endswith("-nothing"):
        assert [re.sub(".*reason=", "", text) for text in
                result.texts("tls fallback refused: ")] == (
                    [] if works else ["untrusted, rule=local-config"])


def test_trusting_nobody_is_told_once(faulty):
    """By each process that had such a delivery."""
    lines = [line for line in faulty.postfix.log.lines
             if "no certificate of a trusted authority" in line.text]
    assert lines
    processes = [(line.program, line.pid) for line in lines]
    assert len(processes) == len(set(processes))
