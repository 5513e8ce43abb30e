"""Certificates: `crypto.x509.parse_…`, and whether a chain of them holds."""

from typing import Any

from davy.policy.rego.builtin import Builtin, BuiltinError, Context, text
from davy.policy.rego.builtins.certificate_fields import b64, certificate, request
from davy.policy.rego.builtins.chain import Wanted, chain, wanted
from davy.policy.rego.builtins.pem import blocks, in_a_row, plain
from davy.policy.rego.builtins.private_keys import read_all, struct
from davy.policy.rego.values import Value


def _loaded(written: str) -> list[Any]:
    """Read certificates, at least those that there are.

    Raises:
        BuiltinError: something is broken, or is no certificate.
    """
    from cryptography.x509 import load_der_x509_certificate

    found = blocks(written)
    if any(one.kind != "CERTIFICATE" for one in found):
        raise BuiltinError("PEM-encoded certificates contain a block that is none")
    der = [one.der for one in found] or in_a_row(plain(written))
    try:
        return [load_der_x509_certificate(one) for one in der]
    except ValueError as error:
        raise BuiltinError("x509: malformed certificate") from error


def _written(one: Any, *, strings: bool = True) -> dict[str, Value]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import DuplicateExtension, UnsupportedGeneralNameType

    try:
        return certificate(one, strings=strings)
    except (ValueError, UnsupportedAlgorithm, DuplicateExtension, UnsupportedGeneralNameType) as error:
        raise BuiltinError("x509: malformed certificate") from error


def parse(value: Value) -> list[Value]:
    """Read certificates."""
    return list(map(_written, _loaded(text(value, 1))))


def parse_request(value: Value) -> dict[str, Value]:
    """Read a request for a certificate."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import DuplicateExtension, UnsupportedGeneralNameType, load_der_x509_csr

    written = text(value, 1)
    found = blocks(written)
    if found and found[0].kind != "CERTIFICATE REQUEST":
        raise BuiltinError("invalid PEM-encoded certificate signing request")
    try:
        return request(load_der_x509_csr(found[0].der if found else plain(written)))
    except (ValueError, UnsupportedAlgorithm, DuplicateExtension, UnsupportedGeneralNameType) as error:
        raise BuiltinError("x509: malformed certificate request") from error


def parse_pair(certificates: Value, key: Value) -> dict[str, Value]:
    """Read certificates and the private key of the first."""
    from cryptography.hazmat.primitives.serialization import Encoding

    loaded, keys = _loaded(text(certificates, 1)), read_all(text(key, 2))
    if not loaded or not keys or loaded[0].public_key() != keys[0].public_key():
        raise BuiltinError("tls: private key does not match public key")
    return {
        "Certificate": [b64(one.public_bytes(Encoding.DER)) for one in loaded],
        "PrivateKey": struct(keys[0]),
        "Leaf": _written(loaded[0], strings=False),
        "OCSPStaple": None,
        "SignedCertificateTimestamps": None,
        "SupportedSignatureAlgorithms": None,
    }


def verify(context: Context, value: Value) -> list[Value]:
    """Read a root, those between and a certificate, and say whether they are a chain."""
    return _verified(text(value, 1), Wanted(now_ns=context.now_ns), strings=True)


def verify_with_options(context: Context, value: Value, options: Value) -> list[Value]:
    """Do so for a name, a time or a purpose."""
    return _verified(text(value, 1), wanted(options, context.now_ns), strings=False)


def _verified(written: str, asked: Wanted, *, strings: bool) -> list[Value]:
    from cryptography.x509 import DuplicateExtension, UnsupportedGeneralNameType

    try:
        found = chain(_loaded(written), asked)
        return [bool(found), [_written(one, strings=strings) for one in found]]
    except (BuiltinError, ValueError, DuplicateExtension, UnsupportedGeneralNameType):
        return [False, []]


FAMILY = (
    Builtin("crypto.x509.parse_certificates", 1, parse),
    Builtin("crypto.x509.parse_certificate_request", 1, parse_request),
    Builtin("crypto.x509.parse_keypair", 2, parse_pair),
    Builtin("crypto.x509.parse_and_verify_certificates", 1, verify, contextual=True),
    Builtin("crypto.x509.parse_and_verify_certificates_with_options", 2, verify_with_options, contextual=True),
)
