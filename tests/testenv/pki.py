"""Certificates for the peers: two certification authorities and what they issue.

The authority "trusted" is the one that the Postfix under test is told to
trust; "other" is one that it has never heard of; "self" stands for a
certificate that signed itself.  A certificate is asked for by its properties
(Cert); the same properties always give the same certificate within one run.
"""

import datetime
import hashlib
import ipaddress
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ONE_DAY = datetime.timedelta(days=1)

# Python 3.13 asks for what RFC 5280 asks for: an authority that may sign
# certificates, and certificates that say whose key has signed them.

AUTHORITY_USAGE = x509.KeyUsage(
    key_cert_sign=True, crl_sign=True,
    digital_signature=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False,
    decipher_only=False)


@dataclass(frozen=True)
class Cert:
    """What a certificate is to be like."""

    issuer: str = "trusted"             # trusted, other, self
    names: tuple = ()                   # DNS names; empty: the peer's host name
    subject: str = ""                   # common name; empty: the first DNS name
    expired: bool = False
    key: str = "ec"                     # ec, rsa, weak
    serial: int = 0                     # tells two otherwise equal ones apart
    not_yet: bool = False               # valid from tomorrow on
    client_only: bool = False           # not to be used by servers
    sha1: bool = False                  # signed with what nobody trusts now
    intermediates: int = 0              # between the authority and this one
    alternative: bool = True            # names are in subjectAltName, too
    addresses: tuple = ()               # IP addresses, besides the names
    raw: bytes = b""                    # bytes of the common name, as they are

    @property
    def weak(self):
        return self.key == "weak" or self.sha1


@dataclass(frozen=True)
class Issued:
    """A certificate as it lies on disk, with the digests that Postfix logs."""

    chain_file: Path
    key_file: Path
    cert_digest: str
    spki_digest: str
    signature: str                      # key type and size, as Postfix names it
    der: bytes = b""
    spki: bytes = b""
    weak: bool = False
    expires: str = ""                   # RFC 3339


def colon_digest(data):
    """The SHA-256 of data in the notation that Postfix logs."""
    return hashlib.sha256(data).digest().hex(":").upper()


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _new_key(kind):
    if kind == "weak":                  # the library has no such key
        return serialization.load_pem_private_key(subprocess.run(
            ["openssl", "genrsa", "768"], check=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout, None)
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


SIGNATURE_NAME = {"rsa": "RSA-PSS (2048 bits)", "ec": "ECDSA (prime256v1)",
                  "weak": "RSA-PSS (768 bits)"}
PLACEHOLDER = "placeholder-"


def _asn1(tag, *contents):
    """One element in DER."""
    body = b"".join(contents)
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    if len(body) > 127:
        size = bytes([0x80 + len(size)]) + size
    return bytes([tag]) + size + body


# ECDSA with a digest, as in a certificate.
ECDSA = {"sha256": (hashes.SHA256, _asn1(0x30, bytes.fromhex(
             "06082a8648ce3d040302"))),
         "sha1": (hashes.SHA1, _asn1(0x30, bytes.fromhex(
             "06072a8648ce3d0401")))}


def _signed_again(leaf, key, digest, old_text, new_text):
    """A certificate that the library would not make."""
    make_digest, algorithm = ECDSA[digest]
    tbs = leaf.tbs_certificate_bytes
    header = 2 if tbs[1] < 128 else 2 + tbs[1] - 128
    body = tbs[header:].replace(ECDSA["sha256"][1], algorithm, 1)
    assert len(old_text) == len(new_text)
    tbs = _asn1(0x30, body.replace(old_text, new_text))
    signature = key.sign(tbs, ec.ECDSA(make_digest()))
    return _asn1(0x30, tbs, algorithm, _asn1(0x03, b"\0", signature))


def _authority(name, issuer_name, key):
    """A certification authority, not yet signed."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return (x509.CertificateBuilder()
            .subject_name(name).issuer_name(issuer_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - ONE_DAY)
            .not_valid_after(now + 30 * ONE_DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None),
                           critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(
                key.public_key()), critical=False)
            .add_extension(AUTHORITY_USAGE, critical=True))


class Pki:
    """Issues certificates into a directory."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._issued = {}
        self._authority = {}
        for authority in ("trusted", "other"):
            self._make_authority(authority)

    @property
    def ca_file(self):
        """The authority that the Postfix under test trusts."""
        return self.directory / "trusted-ca.pem"

    @property
    def authority_spki(self):
        """The digest of the trusted authority's public key, for the DNS."""
        key = self._authority["trusted"][1].public_key()
        return hashlib.sha256(key.public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    def _make_authority(self, authority):
        key = _new_key("ec")
        name = _name(f"End-to-end test authority ({authority})")
        cert = _authority(name, name, key).sign(key, hashes.SHA256())
        self._authority[authority] = (cert, key)
        (self.directory / (authority + "-ca.pem")).write_bytes(
            cert.public_bytes(serialization.Encoding.PEM))

    def get(self, cert, host):
        """The certificate with these properties for this host."""
        names = cert.names or (host,)
        wanted = (cert, names)
        if wanted not in self._issued:
            self._issued[wanted] = self._issue(cert, names)
        return self._issued[wanted]

    def _issue(self, cert, names):
        key = _new_key(cert.key)
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = _name(cert.subject or names[0][:64])
        placeholder = (PLACEHOLDER * len(cert.raw))[:len(cert.raw)]
        if cert.raw:
            subject = x509.Name([x509.NameAttribute(
                NameOID.COMMON_NAME, placeholder, _validate=False)])
        between = []
        if cert.issuer == "self":
            issuer_name, issuer_key = subject, key
        else:
            issuer_cert, issuer_key = self._authority[cert.issuer]
            for number in range(cert.intermediates):
                issuer_cert, issuer_key = self._intermediate(
                    number, issuer_cert.subject, issuer_key)
                between.insert(0, issuer_cert)
            issuer_name = issuer_cert.subject
        first, last = ((now - 20 * ONE_DAY, now - 10 * ONE_DAY) if cert.expired
                       else (now + ONE_DAY, now + 10 * ONE_DAY) if cert.not_yet
                       else (now - ONE_DAY, now + 10 * ONE_DAY))
        builder = (x509.CertificateBuilder()
                .subject_name(subject).issuer_name(issuer_name)
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(first).not_valid_after(last)
                .add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_public_key(
                        issuer_key.public_key()), critical=False))
        if cert.alternative:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [x509.DNSName(name) for name in names]
                + [x509.IPAddress(ipaddress.ip_address(address))
                   for address in cert.addresses]), critical=False)
        if cert.client_only:
            builder = builder.add_extension(x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        leaf = builder.sign(issuer_key, hashes.SHA256())
        der = leaf.public_bytes(serialization.Encoding.DER)
        if cert.raw or cert.sha1:
            der = _signed_again(leaf, issuer_key,
                                "sha1" if cert.sha1 else "sha256",
                                placeholder.encode(), cert.raw)
        stem = self.directory / (f"leaf-{len(self._issued):03}")
        chain_file, key_file = stem.with_suffix(".pem"), stem.with_suffix(".key")
        chain_file.write_text(ssl.DER_cert_to_PEM_cert(der) + "".join(
            ca.public_bytes(serialization.Encoding.PEM).decode()
            for ca in between))
        key_file.write_bytes(key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption()))
        key_file.chmod(0o600)
        spki = key.public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)
        return Issued(chain_file, key_file, colon_digest(der),
                      colon_digest(spki), SIGNATURE_NAME[cert.key], der, spki,
                      cert.weak, last.strftime("%Y-%m-%dT%H:%M:%SZ"))

    @staticmethod
    def _intermediate(number, issuer_name, issuer_key):
        """A certification authority that another one vouches for."""
        key = _new_key("ec")
        return (_authority(_name(f"Intermediate {number}"), issuer_name, key)
                .add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_public_key(
                        issuer_key.public_key()), critical=False)
                .sign(issuer_key, hashes.SHA256())), key

    def context(self, issued, minimum, maximum):
        """A server-side TLS context that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if issued.weak:                 # or it would not show such a thing
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(issued.chain_file, issued.key_file)
        context.minimum_version = getattr(ssl.TLSVersion, minimum)
        context.maximum_version = getattr(ssl.TLSVersion, maximum)
        return context
