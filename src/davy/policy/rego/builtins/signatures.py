"""Public keys as policies bring them (PEM, a certificate, JWK, a set of JWK), and what they have signed."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from davy.policy.rego.builtin import Builtin, BuiltinError, text
from davy.policy.rego.builtins.encoding import from_base64url, octets, parsed_json
from davy.policy.rego.builtins.tokens import sections, unpadded
from davy.policy.rego.values import Value

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----[ \t\r]*\n?", re.DOTALL)
_CURVES = {"P-256": "SECP256R1", "P-384": "SECP384R1", "P-521": "SECP521R1"}


def public_keys(written: str) -> list[Any]:
    """Read a certificate or a public key in PEM, a JWK or a set of them; what is no public key is left out.

    Raises:
        BuiltinError: it is none of these, or broken.
    """
    from cryptography.exceptions import UnsupportedAlgorithm

    block = _BLOCK.search(written)
    try:
        if block is not None:
            return [_pem(block, written)]
        found = parsed_json(written)
        many = found.get("keys", [found])
        return [key for key in map(_jwk, many) if key is not None]
    except (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm) as error:
        raise BuiltinError("failed to parse a PEM or JWK public key") from error


def _pem(block: re.Match[str], written: str) -> Any:
    if written[block.end() :]:
        raise BuiltinError("extra data after a PEM certificate block")
    encoded = block[0].encode("utf-8", "surrogatepass")
    if block[1] == "CERTIFICATE":
        from cryptography.x509 import load_pem_x509_certificate

        return load_pem_x509_certificate(encoded).public_key()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return load_pem_public_key(encoded)


def _jwk(found: Value) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match found["kty"]:
        case "RSA":
            return rsa.RSAPublicNumbers(_whole(found["e"]), _whole(found["n"])).public_key()
        case "EC":
            curve = getattr(ec, _CURVES[found["crv"]])()
            return ec.EllipticCurvePublicNumbers(_whole(found["x"]), _whole(found["y"]), curve).public_key()
        case "OKP":
            return ed25519.Ed25519PublicKey.from_public_bytes(from_base64url(found["x"]))
        case _:
            return None


def _whole(part: Value) -> int:
    return int.from_bytes(from_base64url(part), "big")


Check = Callable[[Any, bytes, bytes, "HashAlgorithm"], None]


def _rsa(key: Any, signature: bytes, signed: bytes, algorithm: "HashAlgorithm") -> None:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), algorithm)
    else:
        raise ValueError("no RSA key")


def _pss(key: Any, signature: bytes, signed: bytes, algorithm: "HashAlgorithm") -> None:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    if isinstance(key, rsa.RSAPublicKey):
        scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
        key.verify(signature, signed, scheme, algorithm)
    else:
        raise ValueError("no RSA key")


def _ecdsa(key: Any, signature: bytes, signed: bytes, algorithm: "HashAlgorithm") -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    size = (key.key_size + 7) // 8 if isinstance(key, ec.EllipticCurvePublicKey) else 0
    if not size or len(signature) != 2 * size:
        raise ValueError("no key of that curve")
    pair = (int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
    key.verify(encode_dss_signature(*pair), signed, ec.ECDSA(algorithm))


def _ed25519(key: Any, signature: bytes, signed: bytes, algorithm: "HashAlgorithm") -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, signed)
    else:
        raise ValueError("no Ed25519 key")


def _verified(check: Check, digest: str) -> Callable[[Value, Value], bool]:
    """Make a builtin that says whether one of the keys has signed a token."""

    def call(token: Value, key: Value) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes

        header, claims, signature = sections(token)
        given, algorithm = unpadded(signature), getattr(hashes, digest)()
        signed = octets(f"{header}.{claims}", 1)
        for one in public_keys(text(key, 2)):
            try:
                check(one, given, signed, algorithm)
            except (InvalidSignature, ValueError):
                continue
            return True
        return False

    return call


FAMILY = (
    *(
        Builtin(f"io.jwt.verify_{name}{size}", 2, _verified(check, f"SHA{size}"))
        for name, check in (("rs", _rsa), ("ps", _pss), ("es", _ecdsa))
        for size in (256, 384, 512)
    ),
    Builtin("io.jwt.verify_eddsa", 2, _verified(_ed25519, "SHA512")),
)
