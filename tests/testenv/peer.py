#!/usr/bin/python3
"""A scriptable SMTP and LMTP server that misbehaves on request.

One process is every remote mail server of a test run.  It listens on the
wildcard address of a few ports; which server a client has reached follows
from the local address and port of the connection (all of 127.0.0.0/8 is
local).  What a server does is data (Behaviour).  Everything that happened on
a connection is recorded as events (Transcript), in memory and as JSON lines:

    connect     addr, port
    reply       text, tls           what the server said
    command     text, tls           what the client said
    handshake   ok, protocol, cipher, kex, sni, resumed, cert_digest,
                spki_digest, signature, error
    login       user, ok, tls       an AUTH command with its outcome
    message     tls, sender, recipients, message_id, sha256, size, text
    close       by                  client, or why the server closed

"tls" says whether the bytes travelled inside TLS.  A "message" event is
written only when the server has answered the end of data with a 2xx reply for
at least one recipient: it is the server's claim to have the message.

TLS runs over memory buffers, so that the server sees the handshake's bytes:
the key exchange group is read from its own ServerHello or ServerKeyExchange,
and does not have to be taken from what the client logs.
"""

import argparse
import base64
import hashlib
import itertools
import json
import selectors
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

from testenv import pki, rpk

TIMEOUT = 600                           # seconds a peer waits for its client


@dataclass(frozen=True)
class Behaviour:
    """What one server is and does.  Every default is a well-behaved server."""

    addr: str = ""
    port: int = 25
    host: str = ""
    # How it does TLS.
    cert: pki.Cert = pki.Cert()
    tls: tuple = ("TLSv1_2", "TLSv1_3")     # oldest and newest protocol
    curve: str = ""                         # the only key exchange group it has
    ciphers: str = ""                       # TLS 1.2 cipher list
    wrapper: bool = False                   # TLS from the first byte
    starttls: str = "offer"                 # offer, absent, or a reply to it
    handshake: str = "complete"             # complete, close, alert, garbage, stall
    tickets: bool = True                    # lets clients resume sessions
    raw_key: bool = False                   # no certificate for who wants none
    # How it talks.
    lmtp: bool = False
    greeting: str = ""                      # instead of 220 HOST ESMTP|LMTP
    pipelining: bool = True
    features: tuple = ()                    # more EHLO keywords
    # Replies, by command: a fixed reply to MAIL, DATA, ... for everyone; by
    # recipient (local part): to RCPT and to the end of data (LMTP).
    replies: dict = field(default_factory=dict)
    rcpt_replies: dict = field(default_factory=dict)
    final_reply: str = "250 2.0.0 accepted"
    final_replies: dict = field(default_factory=dict)
    # The command (EHLO, MAIL, RCPT, DATA, RSET, dot, body) at which it hangs
    # up instead of replying, when inside TLS or when not.
    lose_in_tls: str = ""
    lose_in_clear: str = ""
    # Passwords by user; advertised inside TLS only, or always.
    passwords: dict = field(default_factory=dict)
    auth: str = ""                          # "", tls, always
    # What to do to the client's machine at each moment of the dialogue,
    # before going on: a function of the moment, which is a command (dot: the
    # end of data), "hello" when the client is in the middle of the TLS
    # handshake, or "connect"; and of whether that was inside TLS.
    meanwhile: object = None


PORTS = (24, 25, 465)


class Transcript:
    """What happened, in order, for everybody to read and to wait for."""

    def __init__(self, path=None):
        self._by_server = {}
        self.open = {}                  # connections, by address and port
        self._file = open(path, "w", encoding="utf-8") if path else None
        self._changed = threading.Condition()

    def add(self, **event):
        with self._changed:
            event["time"] = round(time.time(), 4)
            server = event["addr"], event["port"]
            self._by_server.setdefault(server, []).append(event)
            self._follow(server, event)
            if self._file:
                self._file.write(json.dumps(event) + "\n")
                self._file.flush()
            self._changed.notify_all()

    def events(self, addr, port):
        """What one server has seen so far."""
        with self._changed:
            return list(self._by_server.get((addr, port), ()))

    def _follow(self, server, event):
        """Keep account of open connections."""
        if event["event"] == "connect":
            self.open.setdefault(server, set()).add(event["connection"])
        elif event["event"] == "close":
            self.open[server].discard(event["connection"])
            if not self.open[server]:
                del self.open[server]

    def wait_for(self, condition, timeout):
        """Wait until condition() is true; return whether it is."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)


GONE = None                     # in place of a reply: the server goes away


class Gone(Exception):
    """The conversation is over; the argument says by whom or why."""


# Names of TLS key exchange groups, by number (RFC 8446 and the TLS registry).
GROUPS = {
    0x0017: "secp256r1", 0x0018: "secp384r1", 0x0019: "secp521r1",
    0x001d: "X25519", 0x001e: "X448", 0x0100: "FFDHE2048",
    0x0101: "FFDHE3072", 0x11ec: "X25519MLKEM768",
}
SERVER_HELLO, SERVER_KEY_EXCHANGE = 2, 12
EXT_KEY_SHARE = 51


def key_exchange_group(flight):
    """The group in the server's first flight, as sent over the wire."""
    for message, body in _handshake_messages(flight):
        if message == SERVER_HELLO:
            after_session = 35 + body[34]
            extensions = body[after_session + 3 + 2:]
            while len(extensions) >= 4:
                number, length = struct.unpack("!HH", extensions[:4])
                if number == EXT_KEY_SHARE:
                    group = struct.unpack("!H", extensions[4:6])[0]
                    return GROUPS.get(group, f"group-{group}")
                extensions = extensions[4 + length:]
        elif message == SERVER_KEY_EXCHANGE and body[0] == 3:   # named curve
            group = struct.unpack("!H", body[1:3])[0]
            return GROUPS.get(group, f"group-{group}")
    return ""


def _handshake_messages(flight):
    """The cleartext handshake messages in a flight of TLS records."""
    stream = b""
    while len(flight) >= 5:
        kind, _, length = struct.unpack("!BHH", flight[:5])
        if kind != 22:                  # from here on it is encrypted
            break
        stream += flight[5:5 + length]
        flight = flight[5 + length:]
    while len(stream) >= 4:
        length = int.from_bytes(stream[1:4], "big")
        yield stream[0], stream[4:4 + length]
        stream = stream[4 + length:]


class Wire:
    """Bytes to and from one client, in cleartext or in TLS."""

    def __init__(self, sock):
        self.sock = sock
        self.tls = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._buffer = b""

    def _receive(self):
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise Gone("timeout") from None
        except OSError as error:
            raise Gone(f"client: {error.strerror}") from None
        if not data:
            raise Gone("client")
        return data

    def _flush(self):
        data = self._outgoing.read()
        if data:
            try:
                self.sock.sendall(data)
            except OSError as error:
                raise Gone(f"client: {error.strerror}") from None
        return data

    def raw(self, data):
        """Send bytes as they are."""
        self.sock.sendall(data)

    def wait_for_client_hello(self):
        self._incoming.write(self._receive())

    def start_tls(self, context):
        """Do the handshake; return the server's first flight."""
        self._buffer = b""              # nothing sent in clear counts inside
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        flight = b""
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                flight += self._flush()
                self._incoming.write(self._receive())
            except ssl.SSLError:
                self._flush()           # the alert
                raise
        flight += self._flush()
        self.tls = tls
        return flight

    def send(self, data):
        if self.tls is None:
            self._outgoing.write(data)
        else:
            self.tls.write(data)
        self._flush()

    def _more(self):
        if self.tls is None:
            return self._receive()
        while True:
            try:
                data = self.tls.read(65536)
                if not data:
                    raise Gone("client")
                return data
            except ssl.SSLWantReadError:
                self._flush()
                self._incoming.write(self._receive())
            except ssl.SSLZeroReturnError:
                raise Gone("client") from None
            except ssl.SSLError as error:
                raise Gone(f"client: {error.reason}") from None

    def line(self):
        while b"\n" not in self._buffer:
            self._buffer += self._more()
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def some(self):
        """At least one byte of message body."""
        data = self._buffer or self._more()
        self._buffer = b""
        return data

    def body(self):
        """A message up to its final dot, dots removed."""
        lines = []
        while (line := self.line()) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(line + b"\r\n" for line in lines)

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


def remember_sni(tls, name, _context):
    """The server name that the client asked for; contexts are shared."""
    tls.asked_for = name


class Conversation:
    """One connection, from the greeting to the end."""

    def __init__(self, peers, behaviour, sock, number):
        self.peers = peers
        self.behaviour = behaviour
        self.wire = Wire(sock)
        self.number = number
        self.login = None
        self.forget()

    def forget(self):
        self.sender, self.recipients = None, []

    def record(self, event, **what):
        self.peers.transcript.add(connection=self.number,
                                  addr=self.behaviour.addr,
                                  port=self.behaviour.port,
                                  event=event, **what)

    def reply(self, text):
        """Send a reply; a newline inside text separates its lines."""
        self.record("reply", text=text, tls=self.in_tls)
        lines = text.split("\n")
        out = []
        for line in lines[:-1]:
            out.append(line[:3] + "-" + line[4:])
        out.append(lines[-1])
        self.wire.send("".join(line + "\r\n" for line in out)
                       .encode("latin-1"))

    @property
    def in_tls(self):
        return self.wire.tls is not None

    @property
    def lose_at(self):
        return (self.behaviour.lose_in_tls if self.in_tls
                else self.behaviour.lose_in_clear)

    def reached(self, moment):
        if self.behaviour.meanwhile is not None:
            self.behaviour.meanwhile(moment, self.in_tls)

    def run(self):
        try:
            self.record("connect")
            self.reached("connect")
            if self.behaviour.wrapper:
                self.start_tls()
            protocol = "LMTP" if self.behaviour.lmtp else "ESMTP"
            self.reply(self.behaviour.greeting or f"220 {self.behaviour.host} {protocol}")
            while True:
                self.command(self.wire.line())
        except Gone as gone:
            self.record("close", by=str(gone))
        except OSError as error:
            self.record("close", by=f"client: {error}")
        finally:
            self.wire.close()

    def command(self, line):
        text = line.decode("latin-1")
        self.record("command", text=text, tls=self.in_tls)
        verb, _, rest = text.partition(" ")
        verb = verb.upper()
        self.reached(verb)
        if verb == self.lose_at or (verb in ("EHLO", "LHLO")
                                    and self.lose_at == "EHLO"):
            raise Gone(f"server at {verb}")
        handler = getattr(self, "do_" + verb.lower(), None)
        if handler is None:
            self.reply("502 5.5.1 not implemented")
        elif verb in self.behaviour.replies:
            self.reply(self.behaviour.replies[verb])
        else:
            handler(rest)

    def do_ehlo(self, _):
        me = self.behaviour
        lines = [me.host, "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8"]
        if me.pipelining:
            lines.append("PIPELINING")
        if me.starttls != "absent" and not self.in_tls:
            lines.append("STARTTLS")
        if me.auth == "always" or (me.auth == "tls" and self.in_tls):
            lines.append("AUTH PLAIN LOGIN")
        lines.extend(me.features)
        self.reply("\n".join("250 " + line for line in lines))

    do_lhlo = do_ehlo

    def do_helo(self, _):
        self.reply("250 " + self.behaviour.host)

    def do_starttls(self, _):
        if self.behaviour.starttls != "offer":
            self.reply(self.behaviour.starttls)
            return
        self.reply("220 2.0.0 go ahead")
        self.forget()
        self.start_tls()

    def start_tls(self):
        behaviour = self.behaviour
        if behaviour.handshake == "stall":
            self.wire.wait_for_client_hello()
            self.record("handshake", ok=False, error="stall")
            self.wire.line()            # until the client gives up
        elif behaviour.handshake != "complete":
            self.wire.wait_for_client_hello()
            self.record("handshake", ok=False, error=behaviour.handshake)
            if behaviour.handshake == "alert":
                self.wire.raw(bytes.fromhex("15030300020228"))
            elif behaviour.handshake == "garbage":
                self.wire.raw(b"554 5.3.0 what was that?\r\n")
            raise Gone("server in handshake: " + behaviour.handshake)
        if behaviour.meanwhile is not None:
            self.wire.wait_for_client_hello()
            self.reached("hello")
        context, issued = self.peers.tls_context(behaviour)
        context.sni_callback = remember_sni
        try:
            flight = self.wire.start_tls(context)
        except ssl.SSLError as error:
            self.record("handshake", ok=False, error=error.reason)
            raise Gone(f"handshake failed: {error.reason}") from None
        tls = self.wire.tls
        signature, cert_digest = issued.signature, issued.cert_digest
        if behaviour.raw_key and rpk.agreed(tls):
            signature, cert_digest = rpk.signature_name(signature), ""
        self.record("handshake", ok=True, protocol=tls.version(),
                    cipher=tls.cipher()[0], kex=key_exchange_group(flight),
                    sni=getattr(tls, "asked_for", None) or "", resumed=tls.session_reused,
                    cert_digest=cert_digest, spki_digest=issued.spki_digest,
                    signature=signature)

    def do_auth(self, rest):
        """AUTH PLAIN or LOGIN, checked against the real passwords."""
        mechanism, _, initial = rest.partition(" ")
        if mechanism.upper() == "PLAIN":
            given = initial or self._ask("")
            _, user, password = base64.b64decode(given).decode().split("\0")
        else:
            user = base64.b64decode(initial or self._ask("Username:")).decode()
            password = base64.b64decode(self._ask("Password:")).decode()
        good = self.behaviour.passwords.get(user) == password
        self.record("login", user=user, ok=good, tls=self.in_tls)
        self.login = user if good else None
        self.reply("235 2.7.0 welcome" if good else "535 5.7.8 wrong password")

    def _ask(self, prompt):
        self.reply("334 " + base64.b64encode(prompt.encode()).decode())
        answer = self.wire.line().decode("latin-1")
        self.record("command", text=answer, tls=self.in_tls)
        return answer

    def do_mail(self, rest):
        self.forget()
        self.sender = rest
        self.reply("250 2.1.0 sender ok")

    def do_rcpt(self, rest):
        address = rest.partition("<")[2].partition(">")[0]
        reply = self.behaviour.rcpt_replies.get(
            address.partition("@")[0], "250 2.1.5 recipient ok")
        if reply.startswith("2"):
            self.recipients.append(address)
        self.reply(reply)

    def do_data(self, _):
        if not self.recipients:
            self.reply("554 5.5.1 no valid recipients")
            return
        self.reply("354 go on")
        if self.lose_at == "body":
            self.wire.some()
            raise Gone("server in body")
        text = self.wire.body()
        self.reached("dot")
        if self.lose_at == "dot":
            self.record("command", text=".", tls=self.in_tls)
            raise Gone("server at dot")
        if self.behaviour.lmtp:
            replies = [(address, self.behaviour.final_replies.get(
                address.partition("@")[0], self.behaviour.final_reply))
                for address in self.recipients]
        else:
            replies = [(address, self.behaviour.final_reply)
                       for address in self.recipients]
        accepted = [address for address, reply in replies
                    if reply is not GONE and reply.startswith("2")]
        if accepted:
            self.record("message", tls=self.in_tls, sender=self.sender,
                        recipients=accepted, login=self.login,
                        message_id=header(text, "Message-Id"),
                        sha256=hashlib.sha256(text).hexdigest(),
                        size=len(text),
                        text=text.decode("latin-1") if len(text) < 65536
                        else "")
        for _, reply in replies if self.behaviour.lmtp else replies[:1]:
            if reply is GONE:
                raise Gone("server between replies")
            self.reply(reply)
        self.forget()

    def do_rset(self, _):
        self.forget()
        self.reply("250 2.0.0 ok")

    def do_noop(self, _):
        self.reply("250 2.0.0 ok")

    def do_quit(self, _):
        self.reply("221 2.0.0 bye")
        raise Gone("quit")


def header(text, name):
    """The value of a message header, or an empty string."""
    for line in text.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n"):
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return ""


class Peers:
    """All the servers of a test run."""

    def __init__(self, authority, transcript):
        self.pki = authority
        self.transcript = transcript
        self._behaviours = {}
        self._contexts = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._selector = selectors.DefaultSelector()
        self._sockets = []

    def add(self, behaviour):
        """Put up a server, or change what a present one does from now on."""
        with self._lock:
            self._behaviours[(behaviour.addr, behaviour.port)] = behaviour

    def issued(self, behaviour):
        with self._lock:
            return self.pki.get(behaviour.cert, behaviour.host)

    def tls_context(self, behaviour):
        issued = self.issued(behaviour)
        # Who has no tickets has nothing that others may not share.
        place = (behaviour.addr, behaviour.port) if behaviour.tickets else ()
        wanted = (issued, place, behaviour.tls,
                  behaviour.curve, behaviour.ciphers, behaviour.tickets,
                  behaviour.raw_key)
        with self._lock:
            if wanted not in self._contexts:
                context = self.pki.context(issued, *behaviour.tls)
                if behaviour.curve:
                    context.set_ecdh_curve(behaviour.curve)
                if behaviour.ciphers:
                    context.set_ciphers(behaviour.ciphers)
                if not behaviour.tickets:
                    context.num_tickets = 0
                    context.options |= ssl.OP_NO_TICKET
                if behaviour.raw_key:
                    rpk.offer(context)
                self._contexts[wanted] = context
            return self._contexts[wanted], issued

    def listen(self, ports=PORTS):
        for port in ports:
            for family, wildcard in ((socket.AF_INET, "0.0.0.0"),
                                     (socket.AF_INET6, "::1")):
                sock = socket.socket(family, socket.SOCK_STREAM)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((wildcard, port))
                sock.listen(256)
                self._selector.register(sock, selectors.EVENT_READ)
                self._sockets.append(sock)

    def start(self):
        self.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            for key, _ in self._selector.select():
                sock, _ = key.fileobj.accept()
                addr, port = sock.getsockname()[:2]
                with self._lock:
                    behaviour = self._behaviours.get((addr, port))
                if behaviour is None:
                    sock.close()        # nobody lives there
                    continue
                sock.settimeout(TIMEOUT)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                conversation = Conversation(self, behaviour, sock,
                                            next(self._numbers))
                threading.Thread(target=conversation.run, daemon=True).start()


def behaviour_from_json(data):
    """A Behaviour from its JSON form; lists become tuples."""
    known = {item.name for item in fields(Behaviour)}
    unknown = set(data) - known
    if unknown:
        raise SystemExit(f"peer: unknown key: {', '.join(sorted(unknown))};"
                         f" known are: {', '.join(sorted(known))}")
    data = {key: tuple(value) if isinstance(value, list) else value
            for key, value in data.items()}
    if "cert" in data:
        data["cert"] = pki.Cert(**{key: tuple(value) if isinstance(value, list)
                                   else value
                                   for key, value in data["cert"].items()})
    return Behaviour(**data)


def main():
    parser = argparse.ArgumentParser(
        description="Mail servers that do what they are told, for tests and "
        "demonstrations. Says 'ready' on standard output when they listen.")
    parser.add_argument("--pki", required=True, metavar="DIR",
                        help="where to create certificates; trusted-ca.pem "
                        "is the authority to trust")
    parser.add_argument("--transcript", metavar="FILE",
                        help="where to write what happened, as JSON lines")
    parser.add_argument("servers", metavar="SERVERS.json",
                        help="a list of servers, each with the fields of "
                        f"Behaviour: {', '.join(item.name for item in fields(Behaviour))}")
    options = parser.parse_args()
    peers = Peers(pki.Pki(options.pki), Transcript(options.transcript))
    for data in json.loads(Path(options.servers).read_text()):
        peers.add(behaviour_from_json(data))
    peers.listen()
    print("ready", flush=True)
    peers.serve()


if __name__ == "__main__":
    main()
