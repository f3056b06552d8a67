"""What must never happen, each with a test that would see it happen."""

import base64
import dataclasses

import pytest

from testenv import messages, postfix
from testenv.harness import Audit, Behaviour, Case, Expect, Fell, Refused
from testenv.peer import GONE
from testenv.pki import Cert

B = Behaviour
SECURE = "secure match=hostname"
USER, PASSWORD = "joe", "open-sesame"
WITH_LOGIN = dict(auth="always", passwords={USER: PASSWORD})
SASL = (("{agent}_sasl_auth_enable", "yes"),
        ("{agent}_sasl_password_maps", f"static:{USER}:{PASSWORD}"),
        ("{agent}_sasl_security_options", "noanonymous"),
        ("{agent}_sasl_tls_security_options", "noanonymous"))
OTHER_SASL = (SASL[0], ("{agent}_sasl_password_maps",
                        f"inline:{{other.example={USER}:{PASSWORD}}}"),
              *SASL[2:])


def sasl_case(agent, name, server, expect, fallback="secure=may",
              params=SASL, **more):
    return Case(f"{agent}-sasl-{name}", peers=(server,), policy=SECURE,
                fallback=fallback, agent=agent, expect=expect,
                params=tuple((key.replace("{agent}", agent), value)
                             for key, value in params), **more)


def held(reason, dsn, **more):
    return Expect(status="deferred", dsn=dsn, messages=0, warnings=(
        Refused("secure", "may", reason, "sasl"),), **more)


def sasl_cases(agent):
    wrong_name = Cert(names=("other.example",))
    return [
        sasl_case(agent, "mismatch", B(cert=wrong_name, **WITH_LOGIN),
                  held("mismatch", "4.7.5")),
        sasl_case(agent, "untrusted", B(cert=Cert(issuer="other"),
                                        **WITH_LOGIN),
                  held("untrusted", "4.7.5")),
        sasl_case(agent, "nostarttls", B(starttls="absent", **WITH_LOGIN),
                  held("nostarttls", "4.7.4", handshakes=0)),
        sasl_case(agent, "refused", B(starttls="454 4.7.0 not now",
                                      **WITH_LOGIN),
                  held("starttls-refused", "4.7.0", handshakes=0)),
        sasl_case(agent, "handshake", B(handshake="close", **WITH_LOGIN),
                  held("handshake", "4.7.5"), old=True),
        sasl_case(agent, "lost", B(lose_in_tls="EHLO", **WITH_LOGIN),
                  held("tls-lost", "4.4.2"), old=True),
    ]


def sent_secrets(result):
    """The places where a password, or part of a login, was seen."""
    secret = {PASSWORD, USER + "\0" + PASSWORD, f"\0{USER}\0{PASSWORD}"}
    coded = {base64.b64encode(text.encode()).decode().rstrip("=")
             for text in secret}
    return [event for event in result.of("command")
            if event["text"].upper().startswith("AUTH")
            or any(text in event["text"] for text in secret | coded)]


@pytest.mark.parametrize("case", [
    case for agent in ("smtp", "lmtp") for case in sasl_cases(agent)],
    ids=lambda case: case.name)
def test_no_password_without_authentication(case, world):
    result = world.result(case)
    result.check(case.expect)
    assert sent_secrets(result) == []


@pytest.mark.parametrize("case", [
    sasl_case(agent, "good", B(**WITH_LOGIN),
              Expect(audit=(Audit("secure", "secure", "Verified"),)))
    for agent in ("smtp", "lmtp")], ids=lambda case: case.name)
def test_password_with_authentication(case, world):
    """The other side of the coin: the login itself works."""
    result = world.result(case)
    result.check(case.expect)
    assert [(event["user"], event["ok"], event["tls"])
            for event in result.of("login")] == [(USER, True, True)]
    assert result.of("message")[0]["login"] == USER
    assert sent_secrets(result) != []


@pytest.mark.parametrize("case", [
    sasl_case(agent, "elsewhere", B(starttls="absent", **WITH_LOGIN),
              Expect(warnings=(Fell("secure", "may", "nostarttls",
                                    messages.NO_STARTTLS),),
                     audit=(Audit("may", "secure", "Cleartext",
                                  policy="secure", reason="nostarttls"),),
                     handshakes=0, clear_mails=1), params=OTHER_SASL)
    for agent in ("smtp", "lmtp")], ids=lambda case: case.name)
def test_sasl_for_other_destinations_only(case, world):
    """No password for this destination: the fallback is allowed."""
    result = world.result(case)
    result.check(case.expect)
    assert sent_secrets(result) == []


# Hostile servers.  FORGED would be a log line of its own.
FORGED = ("Jan  1 00:00:00 client postfix/smtp[99999999]: 666666: tlsaudit: "
          "relay=evil.example[192.0.2.1]:25, level=secure, auth=Verified")
NASTY = "\x1b[2J\x07\rX, policy=none, level=secure, \x7f\x9b"
SHOWN = "?[2J??X, policy=none, level=secure, ??"


def hostile(name, server, expect, **more):
    return Case("smtp-hostile-" + name, peers=(server,), policy=SECURE,
                fallback="secure=may", expect=expect, **more)


def fell(reason, detail, auth, **more):
    return Expect(audit=(Audit("may", "secure", auth, policy="secure",
                               reason=reason),),
                  warnings=(Fell("secure", "may", reason, detail),), **more)


HOSTILE = [
    hostile("starttls-reply", B(starttls="454 4.7.0 " + NASTY),
            fell("starttls-refused", messages.REFUSED.replace("REPLY",
                 "454 4.7.0 " + SHOWN),
                 "Cleartext", handshakes=0, clear_mails=1)),
    hostile("starttls-lines", B(starttls="454 4.7.0 no\n454 4.7.0 " + FORGED),
            fell("starttls-refused", messages.REFUSED.replace("REPLY",
                 "454-4.7.0 no 454 4.7.0 " + FORGED),
                 "Cleartext", handshakes=0, clear_mails=1)),
    hostile("common-name", B(cert=Cert(
        issuer="self", subject="x\n" + FORGED[:60])),
        fell("untrusted", messages.SELF_SIGNED, "Untrusted")),
    hostile("certificate-name", B(cert=Cert(
        names=("evil.example\n" + FORGED[:40],), subject="evil")),
        fell("mismatch", messages.WRONG_NAME, messages.NAMELESS)),
    hostile("final-reply", B(final_reply="250 2.0.0 " + NASTY,
                             starttls="absent"),
            fell("nostarttls", messages.NO_STARTTLS, "Cleartext",
                 handshakes=0, clear_mails=1)),
    hostile("final-lines", B(final_reply="250 2.0.0 ok\n250 2.0.0 " + FORGED,
                             starttls="absent"),
            fell("nostarttls", messages.NO_STARTTLS, "Cleartext",
                 handshakes=0, clear_mails=1)),
    hostile("greeting", B(greeting="220 " + NASTY + "\n220 " + FORGED,
                          starttls="absent"),
            fell("nostarttls", messages.NO_STARTTLS, "Cleartext",
                 handshakes=0, clear_mails=1)),
]


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.name)
def test_hostile_server(case, world):
    result = world.result(case)
    result.check(case.expect)
    own = {line.pid for line in result.agent_lines()}
    forged = [line for line in world.postfix.log.lines
              if line.program == "unparsable" or line.pid == 99999999
              or (line.pid in own and not line.text.isprintable())]
    assert forged == []


# Address probes.
PROBES = [Case(f"{agent}-probe", peers=(B(cert=Cert(issuer="other")),),
               policy=SECURE, fallback="secure=may", agent=agent)
          for agent in ("smtp", "lmtp")]


@pytest.mark.parametrize("case", PROBES, ids=lambda case: case.name)
def test_probe_has_no_audit_line(case, world):
    address = "probe@" + case.domain
    postfix.run("sendmail", "-f", "sender@sender.test", "-bv", address)
    log = world.postfix.log
    status = log.wait_for(lambda lines: [
        line for line in lines if f"to=<{address}>" in line.text], 60,
        "status of the probe")
    assert "status=deliverable" in status[0].text
    queue_id = status[0].text.split(":")[0]
    log.wait_for(lambda lines: [line for line in lines
                                if line.text == queue_id + ": removed"], 60,
                 "end of the probe")
    log.barrier()
    about = [line.text for line in log.lines if queue_id in line.text]
    assert any(": tls fallback: " in text for text in about)
    assert not any("tlsaudit" in text for text in about)
    server = world.behaviours[case.name][0]
    assert not [event for event
                in world.transcript.events(server.addr, server.port)
                if event["event"] == "message"]


# LMTP replies for each recipient; one transfer all the same.
LMTP_MIXED = dataclasses.replace(
    Case("lmtp-mixed-replies"), agent="lmtp", policy="encrypt",
    peers=(B(final_replies={"b": "550 5.2.1 full",
                            "c": "451 4.2.0 later"}),),
    recipients=("a", "b", "c"), expect=Expect(
        statuses=(("2.0.0", "sent"), ("5.2.1", "bounced"),
                  ("4.2.0", "deferred")),
        audit=(Audit("encrypt", "encrypt", "Trusted", nrcpt=3,
                     dsn="4.2.0"),)))
# The first recipient has the message, and that must be on record.
LMTP_LOST = dataclasses.replace(
    Case("lmtp-lost-between-replies"), agent="lmtp", policy="encrypt",
    peers=(B(final_replies={"b": GONE}),),
    recipients=("a", "b", "c"), expect=Expect(
        statuses=(("2.0.0", "sent"), ("4.4.2", "deferred"),
                  ("4.4.2", "deferred")),
        audit=(Audit("encrypt", "encrypt", "Trusted", nrcpt=3,
                     dsn="2.0.0"),)))
LMTP_ALL_REFUSED = Case(
    "lmtp-all-refused", agent="lmtp", policy="encrypt",
    peers=(B(final_reply="550 5.2.1 full"),), recipients=("a", "b"),
    expect=Expect(status="bounced", dsn="5.2.1", messages=0, audit=(
        Audit("encrypt", "encrypt", "Trusted", nrcpt=2, dsn="5.2.1"),)))


@pytest.mark.parametrize("case", [LMTP_MIXED, LMTP_LOST, LMTP_ALL_REFUSED],
                         ids=lambda case: case.name)
def test_one_line_for_all_lmtp_replies(case, world):
    world.result(case).check(case.expect)


def plain_cases():
    """The cases for a comparison with the unpatched Postfix."""
    return [*(case for agent in ("smtp", "lmtp")
              for case in sasl_cases(agent)), *HOSTILE, LMTP_MIXED,
            LMTP_LOST, LMTP_ALL_REFUSED]
