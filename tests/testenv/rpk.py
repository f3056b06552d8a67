"""Raw public keys (RFC 7250), which Python's ssl module does not know.

The OpenSSL library under it does, from version 3.2 on; it is asked directly,
with the pointers to its objects that the module's have behind their header.
"""

import ctypes
import ssl

LIBRARY = ctypes.CDLL("libssl.so.3")
AVAILABLE = hasattr(LIBRARY, "SSL_CTX_set1_server_cert_type")
TYPES = bytes((2, 0))                   # raw public key, X.509
HEADER, POINTER = object.__basicsize__, ctypes.sizeof(ctypes.c_void_p)


def _ssl_ctx(context):
    return ctypes.c_void_p.from_address(id(context) + HEADER)


def _ssl(tls):
    """Before it stands the socket."""
    return ctypes.c_void_p.from_address(id(tls._sslobj) + HEADER + POINTER)


def offer(context):
    """Let the server show its bare key to clients that prefer that."""
    if LIBRARY.SSL_CTX_set1_server_cert_type(
            _ssl_ctx(context), TYPES, ctypes.c_size_t(len(TYPES))) != 1:
        raise ssl.SSLError("no raw public keys")


def agreed(tls):
    """Whether this handshake was made with a raw public key."""
    return LIBRARY.SSL_get_negotiated_server_cert_type(_ssl(tls)) == TYPES[0]


def signature_name(name):
    """What Postfix says of the key instead of the certificate's key."""
    return name.replace(" bits)", " bit)").replace(")", " raw public key)")
