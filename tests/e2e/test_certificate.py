"""What the record says of a certificate: names that the server chose, and
connections and sessions on which the certificate was not seen again."""

import json

import pytest

from testenv import messages
from testenv.harness import Behaviour, Case
from testenv.pki import Cert

B = Behaviour
MAY = {"policy": "may", "template": "json"}
FORGED = "\nJan  1 00:00:00 client postfix/smtp[99999999]: 666666: tlsaudit: {}"


def record_of(result):
    """The record of a delivery, which is one line of the log."""
    text, = result.texts("tlsaudit: ")
    assert text.isprintable() and text.isascii() and len(text) < 2000
    return json.loads(text.partition(": tlsaudit: ")[2],
                      object_pairs_hook=members)


def members(pairs):
    """No name twice."""
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


# Bytes of the common name, and what is on record: nothing for what Postfix
# itself takes for no name.
NAMES = {
    "member": (b'x","level":"secure', 'x","level":"secure'),
    "attribute": (b", level=secure, auth=Verified", ", level=secure, auth=Verified"),
    "backslash": (b'\\", "level":"secure\\', '\\", "level":"secure\\'),
    "lines": (b"mx" + FORGED.encode(), None),
    "escape": (b"\x1b[2J\x07", None),
    "delete": (b"x\x7f", None),
    "nul": (b"good.example\0.evil.example", None),
    "two-directions": ("\u202eelpmaxe.doog".encode(), "\u202eelpmaxe.doog"),
    "line-separator": ("a\u2028b".encode(), "a\u2028b"),
    "next-line": ("a\x85b".encode(), "a\x85b"),
    "bucher": ("b\u00fccher.example".encode(), "b\u00fccher.example"),
    "beyond-16-bits": ("\U0001f512".encode() * 30, "\U0001f512" * 30),
    "255-bytes": (b"x" * 255, "x" * 255),
    "256-bytes": (b"x" * 256, None),
    "45-kilobytes": (b"x" * 45000, None),
}
# What OpenSSL does not accept as a certificate: no text that says that it is
# UTF-8 and is not, and no more than 100 kilobytes.
NO_CERTIFICATES = {
    "not-utf-8": b"b\xfccher.example",
    "overlong": b"\xc0\xafetc",
    "surrogate": b"\xed\xa0\x80x",
    "64-kilobytes-twice": b"x" * 65536,
}
PROXY = (("smtp_tls_connection_reuse", "yes"),)


def hostile(names):
    return {(name, kind): Case(
        f"smtp-certificate-{name}-{kind}", params=params,
        peers=(B(cert=Cert(issuer="self", raw=raw)),), **MAY)
        for name, raw in names.items()
        for kind, params in (("direct", ()), ("proxy", PROXY))}


HOSTILE = hostile({name: raw for name, (raw, _) in NAMES.items()})
REFUSED = hostile(NO_CERTIFICATES)


@pytest.fixture(scope="module")
def delivered(world):
    world.deliver(*HOSTILE.values(), *REFUSED.values())
    return world


@pytest.mark.cases(*HOSTILE.values())
@pytest.mark.parametrize("key", HOSTILE, ids="-".join)
def test_hostile_name(key, delivered):
    result = delivered.result(HOSTILE[key])
    record = record_of(result)
    shown = NAMES[key[0]][1]
    assert record.get("subject") == shown
    # A self-signed certificate has its own name twice.
    assert record.get("issuer") == shown
    assert (record["level"], record["auth"], record.get("attainable")) == (
        "may", "Untrusted", None)
    assert record["verify_error"] == messages.SELF_SIGNED
    assert record["cert_digest"] == result.of("handshake")[0]["cert_digest"]
    assert not [line for line in delivered.postfix.log.lines
                if line.program == "unparsable" or line.pid == 99999999]


@pytest.mark.cases(*REFUSED.values())
@pytest.mark.parametrize("key", REFUSED, ids="-".join)
def test_no_certificate(key, delivered):
    """A young message waits, as after any failed handshake."""
    result = delivered.result(REFUSED[key])
    assert [status[1:3] for status in result.statuses()] == [
        ("4.7.5", "deferred")]
    assert result.texts("tlsaudit: ") == result.of("message") == []
    assert not any(event["ok"] for event in result.of("handshake"))


# What was found out with the first delivery is known with the others.
# Only the error has another text in older releases, when a session is resumed.
CERTIFICATES = {
    "good": (Cert(), "secure", None, None),
    "other-name": (Cert(names=("other.example",)), None, None, None),
    "unknown-ca": (Cert(issuer="other"), None, messages.UNKNOWN_CA,
                   messages.UNKNOWN_CA_RESUMED),
}
KEPT = {
    "connection": (("smtp_connection_cache_destinations", "static:all"),
                   ("smtp_connection_cache_time_limit", "600s"),
                   ("connection_cache_ttl_limit", "600s"), *PROXY),
    "session": (),
    "session-proxy": PROXY,
}
LATER = {
    (name, kept, version): Case(
        f"smtp-later-{name}-{kept}-{version.replace('_', '')}",
        peers=(B(cert=CERTIFICATES[name][0], tls=(version, version)),),
        params=KEPT[kept], **MAY)
    for name in CERTIFICATES for kept in KEPT
    for version in ("TLSv1_2", "TLSv1_3")}


@pytest.mark.cases(*LATER.values())
@pytest.mark.parametrize("key", LATER, ids="-".join)
def test_later_deliveries_know_the_certificate(key, world):
    case = LATER[key]
    name, kept, _ = key
    _, attainable, error, error_resumed = CERTIFICATES[name]
    records = []
    for _ in range(3):
        message_id, = world.deliver(case)
        result = world.result(case, [message_id])
        records.append(record_of(result))
    resumed = [event["resumed"] for event in result.of("handshake")]
    if kept == "connection":
        assert resumed == [False]
        assert [record.get("reuse", 0) for record in records] == [0, 1, 2]
    else:
        assert resumed == [False, True, True]
    for number, record in enumerate(records):
        is_resumed = kept != "connection" and resumed[number]
        assert record.get("resumed", False) == is_resumed
        for attribute in ("cert_digest", "spki_digest", "cert_expires",
                          "subject", "issuer", "auth"):
            assert record[attribute] == records[0][attribute], attribute
        assert record.get("attainable") == attainable
        assert record.get("verify_error") == (
            error_resumed if is_resumed else error)
