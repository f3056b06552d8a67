"""What must happen, from the design's table of obstacles.

This is written from the design and shares nothing with the code under test:
first what a level demands, then, obstacle by obstacle, what is left of it.
"""

from testenv import messages
from testenv.harness import Audit, Expect, Fell, Refused

# What Postfix says when there is no fallback: status, DSN and text.
GIVES_UP = {
    "tlsa-lookup": ("deferred", "4.7.5", "TLSA lookup error for {host}:{port}"),
    "tlsa-missing": ("deferred", "4.7.5", "no TLSA records found"),
    "tlsa-unusable": ("deferred", "4.7.5", "TLSA records unusable"),
    "insecure-mx": ("deferred", "4.7.5", "non DNSSEC destination"),
    "sts-mx": ("deferred", "4.3.0",
               "server unavailable or unable to receive mail"),
    "nostarttls": ("deferred", "4.7.4",
                   "TLS is required, but was not offered by host {namaddr}"),
    "handshake": ("deferred", "4.7.5", "Cannot start TLS: handshake failure"),
    "untrusted": ("deferred", "4.7.5", "Server certificate not verified"),
    "mismatch": ("deferred", "4.7.5", "Server certificate not verified"),
}
BEFORE_CONNECTING = ("tlsa-lookup", "tlsa-missing", "tlsa-unusable",
                     "insecure-mx", "sts-mx")
PKIX = ("verify", "secure")
AUTHENTICATES = ("fingerprint", "dane", "half-dane", "dane-only") + PKIX
DETAIL = {
    "sts-mx": "the host is not in the STS policy",
    "nostarttls": messages.NO_STARTTLS,
    "handshake": messages.HANDSHAKE,
}


def gives_up(obstacle, lmtp, **seen):
    """Not delivered, as if there were no fallback."""
    if obstacle.reason == "tls-lost":
        status, dsn, why = "deferred", "4.4.2", lost(obstacle, lmtp)
    elif obstacle.reason == "starttls-refused":
        reply = obstacle.server.starttls
        status = "bounced" if reply.startswith("5") else "deferred"
        dsn = reply.split()[1]
        why = ("TLS is required, but host {namaddr} refused to start TLS: "
               + reply)
    else:
        status, dsn, why = GIVES_UP["mismatch" if obstacle.late
                                    else obstacle.reason]
        if obstacle.reason == "insecure-mx" and lmtp:
            why = GIVES_UP["tlsa-missing"][2]
    return Expect(status=status, dsn=dsn, reason=why, messages=0, **seen)


def lost(obstacle, lmtp):
    text = messages.LOST % messages.WHILE[obstacle.where]
    return text.replace("the EHLO", "the LHLO") if lmtp else text


def detail_of(obstacle, level, lmtp):
    """The end of the fallback warning."""
    reason, cert = obstacle.reason, obstacle.server.cert
    if reason == "tls-lost":
        return lost(obstacle, lmtp)
    if reason == "starttls-refused":
        return obstacle.server.starttls
    if reason == "untrusted":
        return messages.of_certificate(cert)
    if reason == "mismatch":
        return (messages.WRONG_NAME if level in PKIX
                else messages.NO_FINGERPRINT_MATCH if level == "fingerprint"
                else messages.NO_TLSA_MATCH)
    if reason == "insecure-mx" and lmtp:
        return GIVES_UP["tlsa-missing"][2]      # there is no MX record
    return DETAIL.get(reason) or GIVES_UP[reason][2]


def outcome(level, obstacle, fallback, wrapper, lmtp, old, raw_key=False):
    """What must happen at this level, with this obstacle.

    fallback: encrypt, may, or empty.  old: the message has waited for
    minimal_backoff_time.  raw_key: the client wants, and the server has, a raw
    public key where no name and no authority matter.
    """
    reason = obstacle.reason
    configured = "dane" if level == "half-dane" else level
    if level not in AUTHENTICATES:
        fallback = ""
    # Without cleartext, "may" is no less than "encrypt".
    lowest = "encrypt" if wrapper and fallback == "may" else fallback
    now, fell = configured, ()

    def delivered(auth, **seen):
        return Expect(
            audit=(Audit(now, configured, auth,
                         policy=configured if fell else "",
                         reason=reason if fell else ""),),
            warnings=fell, **seen)

    def seen(trust):
        """What is logged where nothing has to match: no authority vouches for
        a raw key."""
        return "Untrusted" if raw_key else trust

    def warn(new):
        return (Fell(configured, new, reason,
                     detail_of(obstacle, level, lmtp)),)

    def refused(rule, **seen):
        return gives_up(obstacle, lmtp, warnings=(
            Refused(configured, fallback, reason, rule),), **seen)

    # In the DNS, or in the STS policy, before there is a connection.
    if reason in BEFORE_CONNECTING and not obstacle.late:
        if level == "dane" and reason == "tlsa-missing":
            now = "may"                 # by definition (RFC 7672)
        elif level == "dane" and reason == "tlsa-unusable":
            now = "encrypt"             # likewise
        elif not fallback:
            return gives_up(obstacle, lmtp, connections=0, handshakes=0)
        else:
            now, fell = lowest, warn(lowest)
        return delivered(seen("Trusted"))

    # In the TLS library, which alone knows the matching types.
    if reason == "tlsa-unusable":
        if level == "dane":
            now = "encrypt"
            return delivered(seen("Trusted"))
        if not fallback:
            return gives_up(obstacle, lmtp)
        now, fell = lowest, warn(lowest)
        return delivered("Untrusted")

    if level == "none":
        return delivered("Cleartext", handshakes=0, clear_mails=1)

    # TLS is not offered, or refused.
    if reason in ("nostarttls", "starttls-refused"):
        if now != "may":
            if fallback != "may":
                return gives_up(obstacle, lmtp, handshakes=0)
            now, fell = "may", warn("may")
        return delivered("Cleartext", handshakes=0, clear_mails=1)

    # TLS does not work.
    if reason in ("handshake", "tls-lost"):
        if now != "may":
            if fallback != "may":
                return gives_up(obstacle, lmtp)
            if wrapper:
                return refused("wrappermode")
            now, fell = "may", warn("may")
        # The handshake is tried again, as a policy of "may" would.
        tries = 2 if reason == "handshake" and fell else 1
        if tries == 2 and obstacle.eased:
            return delivered(seen(obstacle.trust), connections=2, handshakes=2)
        fell = fell * tries
        if not old and not fell:
            return gives_up(obstacle, lmtp)
        if not old:
            return gives_up(
                obstacle, lmtp, connections=tries, handshakes=tries,
                warnings=fell[1:] + (Refused(configured, fallback, reason,
                                             "backoff"),))
        return delivered("Cleartext", connections=tries + 1, handshakes=tries,
                         clear_mails=1)

    # TLS works, with this certificate.
    if level in ("may", "encrypt"):
        return delivered(seen(obstacle.trust))
    if reason == "" or (reason == "untrusted" and level not in PKIX):
        # A digest is all that matters.
        return delivered("Trusted" if level == "half-dane" else "Verified")
    if not fallback:
        return gives_up(obstacle, lmtp)
    now, fell = lowest, warn(lowest)
    return delivered(messages.NAMELESS if level in PKIX and reason == "mismatch"
                     else "Untrusted")
