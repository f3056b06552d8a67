"""A resolver that says what it is told, at once, and vouches for it.

A test that changes its mind about the DNS between two messages cannot wait
for a zone to be signed again.  To Postfix the AD bit from a resolver that
resolv.conf(5) trusts is all there is of DNSSEC; dnssec.py has the real thing.
"""

import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL = 3600


class Resolver:
    """Answers from a function: (name, type) to texts, or None for SERVFAIL."""

    def __init__(self, address, find):
        self.find = find
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            data, client = self._socket.recvfrom(4096)
            self._socket.sendto(self.answer(data), client)

    def answer(self, data):
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AD
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        texts = self.find(question.name.to_text(True).lower(), kind)
        if texts is None:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif texts:
            response.answer.append(dns.rrset.from_text(
                question.name, TTL, "IN", kind, *texts))
        return response.to_wire()
