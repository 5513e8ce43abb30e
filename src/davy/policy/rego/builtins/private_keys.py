"""Private keys: `crypto.parse_private_keys` and `crypto.x509.parse_rsa_private_key`."""

import base64
from typing import Any

from davy.policy.rego.builtin import Builtin, BuiltinError, text
from davy.policy.rego.builtins.pem import blocks
from davy.policy.rego.values import Value

KINDS = frozenset(("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"))


def read_all(written: str) -> list[Any]:
    """Read every private key; what is none is left out.

    Raises:
        BuiltinError: one is broken.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        return [load_der_private_key(one.der, None) for one in blocks(written) if one.kind in KINDS]
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BuiltinError("failed to parse a private key") from error


def parse_all(value: Value) -> Value:
    """Give the numbers that private keys are made of, as Go writes its structures."""
    written = text(value, 1)
    return list(map(struct, read_all(written))) if written else None


def parse_one(value: Value) -> dict[str, str]:
    """Give the first private key as a JWK."""
    found = read_all(text(value, 1))
    if not found:
        raise BuiltinError("failed to parse a private key: there is none")
    return jwk(found[0])


def struct(key: Any) -> Value:
    """Write a private key as Go's `encoding/json` does; one of Ed25519 is Base64."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case rsa.RSAPrivateKey():
            own = key.private_numbers()
            return {
                **public_struct(key.public_key()),
                "D": own.d,
                "Primes": [own.p, own.q],
                "Precomputed": {"Dp": own.dmp1, "Dq": own.dmq1, "Qinv": own.iqmp, "CRTValues": []},
            }
        case ec.EllipticCurvePrivateKey():
            return {**public_struct(key.public_key()), "D": key.private_numbers().private_value}
        case ed25519.Ed25519PrivateKey():
            raw = key.private_bytes_raw() + key.public_key().public_bytes_raw()
            return base64.b64encode(raw).decode()
        case _:
            raise BuiltinError("a private key that is neither RSA, ECDSA nor Ed25519")


_GO_CURVES = frozenset(("secp224r1", "secp256r1", "secp384r1", "secp521r1"))


def public_struct(key: Any) -> Value:
    """Write a public key as Go's `encoding/json` does."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case rsa.RSAPublicKey():
            return {"E": key.public_numbers().e, "N": key.public_numbers().n}
        case ec.EllipticCurvePublicKey() if key.curve.name in _GO_CURVES:
            return {"Curve": {}, "X": key.public_numbers().x, "Y": key.public_numbers().y}
        case ed25519.Ed25519PublicKey():
            return base64.b64encode(key.public_bytes_raw()).decode()
        case _:
            raise BuiltinError("a public key that is neither RSA, ECDSA nor Ed25519")


_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def jwk(key: Any) -> dict[str, str]:
    """Write a private key as a JWK (RFC 7518)."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match key:
        case rsa.RSAPrivateKey():
            own = key.private_numbers()
            parts = {"n": own.public_numbers.n, "e": own.public_numbers.e, "d": own.d, "p": own.p, "q": own.q}
            parts |= {"dp": own.dmp1, "dq": own.dmq1, "qi": own.iqmp}
            return {"kty": "RSA", **{name: _number(part) for name, part in parts.items()}}
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            size = (key.key_size + 7) // 8
            point = key.public_key().public_numbers()
            parts = {"x": point.x, "y": point.y, "d": key.private_numbers().private_value}
            named = {name: _url(part.to_bytes(size, "big")) for name, part in parts.items()}
            return {"kty": "EC", "crv": _CURVES[key.curve.name], **named}
        case ed25519.Ed25519PrivateKey():
            public = _url(key.public_key().public_bytes_raw())
            return {"kty": "OKP", "crv": "Ed25519", "x": public, "d": _url(key.private_bytes_raw())}
        case _:
            raise BuiltinError("a private key that is neither RSA, ECDSA nor Ed25519")


def _number(value: int) -> str:
    return _url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


FAMILY = (
    Builtin("crypto.parse_private_keys", 1, parse_all),
    Builtin("crypto.x509.parse_rsa_private_key", 1, parse_one),
)
