#!/usr/bin/python3
"""Show defects of the unpatched Postfix, with the servers of these tests.

usage: tests/run defects [NAME]...

Without a name, all of them that the release can have. Prints for each of them
whether it is there, with the evidence. The exit status is 0 when all are, 1
when one is not: then docs/UPSTREAM.md is out of date.
"""

import sys

from testenv.harness import OUTPUT, Behaviour, Case, World
from testenv.pki import Cert
from testenv.releases import has

B = Behaviour
SECURE = "secure match=hostname"
FAILURE = "sts-policy-fetch-error"
STS = ("policy_type=sts policy_domain=example.com policy_failure=" + FAILURE)
CACHED = (("smtp_connection_cache_destinations", "static:all"),
          ("smtp_connection_cache_time_limit", "60s"))
PROXY = (("smtp_tls_connection_reuse", "yes"),)
UNKNOWN_CA = B(cert=Cert(issuer="other"))


def logged(world, text):
    return [str(line) for line in world.postfix.log.lines if text in line.text]


CLEAR = Case("tls-required-no", policy=SECURE, params=CACHED)


def cached_cleartext(world):
    """Policy "secure", and the second message goes out in cleartext, over the
    connection that one with "TLS-Required: no" left behind."""
    for headers in (("TLS-Required: no",), ()):
        message_id = world.send(CLEAR, headers=headers)
        world.finish([message_id])
    result = world.result(CLEAR)
    return [event for event in result.of("message")
            if event["message_id"] == f"<{message_id}>"
            and not event["tls"]]


POLICY_FAILURE = [Case("policy-failure" + name, peers=(UNKNOWN_CA,),
                       policy=f"{SECURE} {STS}", params=params)
                  for name, params in (("", ()), ("-proxy", PROXY))]


def policy_failure(world):
    """The attribute policy_failure decides what is logged and reported of a
    certificate, but not with smtp_tls_connection_reuse."""
    world.deliver(*POLICY_FAILURE)
    direct, proxied = (
        [str(line) for line in world.result(case).tls_log
         if "certificate verification failed" in line.text]
        for case in POLICY_FAILURE)
    assert all(FAILURE in text for text in direct) and direct
    return [text for text in proxied if FAILURE not in text]


PANIC = Case("fingerprint-0", policy="fingerprint match=0")


def fingerprint_panic(world):
    """A typing error in a policy table ends the delivery agent."""
    message_id = world.send(PANIC)
    world.postfix.queue_id(message_id)
    return world.postfix.log.wait_for(
        lambda _: logged(world, "panic: "), 30, "panic") and logged(
            world, "panic: ")


DEFECTS = {
    "tls-required-no": (cached_cleartext, [CLEAR], "tls-required-header"),
    "policy-failure": (policy_failure, POLICY_FAILURE, "sts-attributes"),
    "fingerprint-0": (fingerprint_panic, [PANIC], ""),
}


def main():
    names = sys.argv[1:]
    unknown = set(names) - set(DEFECTS)
    if unknown:
        sys.exit(f"{__doc__}\nunknown: {' '.join(sorted(unknown))}; known: {' '.join(DEFECTS)}")
    wanted = {name: defect for name, defect in DEFECTS.items()
              if name in (names or DEFECTS)
              and (not defect[2] or has(defect[2]))}
    world = World([case for _, cases, _ in wanted.values() for case in cases],
                  output=OUTPUT / "upstream", plain=True)
    world.start()
    missing = 0
    try:
        for name, (show, _, _) in wanted.items():
            try:
                evidence = show(world)
            except TimeoutError as error:
                evidence, why = [], error
            else:
                why = "no sign of it"
            print(f"{name}: PRESENT" if evidence else f"{name}: not there: {why}")
            for item in evidence[:1]:
                print(f"    {item}")
            missing += not evidence
    finally:
        world.stop()
    sys.exit(missing > 0)


if __name__ == "__main__":
    main()
