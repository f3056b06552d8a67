"""What the releases of Postfix differ in, as far as a test can see it.

This table is the one place that knows.  The cases of the matrix and of the
tests name what they need (Case.needs, Obstacle.needs); what the Postfix in the
sandbox does not have is not tried.  The oracle and the texts in details.py ask
for what is only said differently.  test_pristine.py compares the table with
the unpatched Postfix.
"""

import functools
import subprocess

# A feature has the release that it came with.  A correction, which upstream
# makes in all releases that it maintains, has its date in upstream's HISTORY.
SINCE = {
    # Destinations can be looked up by SRV records.
    "srv-records": "3.8",
    # Policy table entries can name the hosts of an MTA-STS policy.
    "sts-attributes": "3.10",
    # Servers may show a raw public key, if OpenSSL (3.2) can.
    "raw-public-keys": "3.9",
    # Domains can ask for TLS reports, if Postfix was built with libtlsrpt.
    "tls-reports": "3.10",
    # A message can ask for delivery without TLS.
    "tls-required-header": "3.10",
    # A sender can ask for TLS on every hop.
    "requiretls": "3.11",
    # The delivery status says what became of the TLS level.
    "tls-status": "3.11",
    # A certificate is trusted also when no name in it matches.
    "trusted-without-name": "20250730",
    # The first error of a verification is its result.  Before, it was the
    # last: that is what a resumed session remembers.
    "first-error-is-result": "20250730",
    # Resumption makes no use of the server's key, and none is logged.
    "no-signature-on-resumption": "20250212",
}


@functools.cache
def value(parameter):
    """A parameter of the Postfix in the sandbox, as it was built."""
    return subprocess.run(["postconf", "-dh", parameter],
                          stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def mail_version():
    return value("mail_version")


def has(feature):
    """Whether the Postfix in the sandbox has this."""
    since = SINCE[feature]
    if "." in since:
        return number(mail_version()) >= number(since)
    return int(value("mail_release_date")) >= int(since)


def number(version):
    """3.10.13 is 3, 10, 13; of a snapshot, what is before the date counts."""
    return tuple(map(int, version.partition("-")[0].split(".")))


def has_all(features):
    return all(map(has, features))


def applicable(cases):
    """The cases that can occur with the Postfix in the sandbox."""
    return [case for case in cases if has_all(case.needs)]
