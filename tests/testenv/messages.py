"""The text of "detail" in fallback warnings, by obstacle.

These are OpenSSL's own words for a certificate that failed verification, and
Postfix's words for everything else.  {namaddr} is the server's name[address].
"""

import re

from testenv.releases import has

UNKNOWN_CA = "unable to get local issuer certificate"
UNKNOWN_CA_RESUMED = (UNKNOWN_CA if has("first-error-is-result")
                      else "unable to verify the first certificate")
SELF_SIGNED = "self-signed certificate"
EXPIRED = "certificate has expired"
NOT_YET = "certificate is not yet valid"
WRONG_PURPOSE = "unsuitable certificate purpose"
WEAK_KEY = "EE certificate key too weak"
WEAK_DIGEST = "CA signature digest algorithm too weak"
WRONG_NAME = "hostname mismatch"
NO_FINGERPRINT_MATCH = "no matching certificate or public key fingerprint"
NO_TLSA_MATCH = "no matching DANE TLSA records"
NO_STARTTLS = "TLS was not offered by the server"
REFUSED = "REPLY"
REFUSED_454 = REFUSED.replace("REPLY", "454 4.7.0 not now")
REFUSED_502 = REFUSED.replace("REPLY", "502 5.5.1 no such command")
NOT_STARTED = "Cannot start TLS: handshake failure"
HANDSHAKE = NOT_STARTED + " (REASON)"
LOST = "lost connection with {namaddr} while %s"

# What OpenSSL says of a certificate with this property (see pki.Cert); the first counts.
OF_CERTIFICATE = (
    ("expired", True, EXPIRED),
    ("not_yet", True, NOT_YET),
    ("client_only", True, WRONG_PURPOSE),
    ("key", "weak", WEAK_KEY),
    ("sha1", True, WEAK_DIGEST),
    ("issuer", "self", SELF_SIGNED),
    ("issuer", "other", UNKNOWN_CA),
)


def of_certificate(cert):
    """Why a certificate's chain is not trusted; empty when it is."""
    return next((text for name, value, text in OF_CERTIFICATE
                 if getattr(cert, name) == value), "")


# Where the connection can be lost, and what Postfix was doing then.
WHILE = {
    "EHLO": "performing the EHLO handshake",
    "MAIL": "sending MAIL FROM",
    "RCPT": "sending RCPT TO",
    "DATA": "sending DATA command",
    "dot": "sending end of data -- message may be sent more than once",
}

# Not a detail, but said of a certificate, too: the "auth" of one that is
# trusted, and has none of the names that were asked for.
NAMELESS = "Trusted" if has("trusted-without-name") else "Untrusted"


def broken_handshake(words):
    """The pattern of a detail with OpenSSL's words; these are a pattern, too."""
    return re.escape(HANDSHAKE).replace("REASON", f"(?:{words})") + "$"


def without_reason(text):
    """OpenSSL has many words for a broken handshake, and others in the next
    version: test_design.py knows some."""
    return re.sub(broken_handshake("[^()]+"), HANDSHAKE, text)
