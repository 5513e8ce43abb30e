"""JSON Web Tokens, made and verified whole: `io.jwt.encode_sign`, `io.jwt.decode_verify`."""

import base64
import re
from collections.abc import Callable
from fractions import Fraction
from hmac import digest
from typing import Any

from davy.policy.rego.arithmetic import exact
from davy.policy.rego.builtin import Builtin, BuiltinError, Context, number, text
from davy.policy.rego.builtins import signatures, tokens
from davy.policy.rego.builtins.encoding import from_base64url, octets, parsed_json, readable
from davy.policy.rego.builtins.objects import mapping
from davy.policy.rego.values import Value, json_text, value_of

_ALGORITHM = re.compile("(?:HS|RS|PS|ES)(?:256|384|512)")
_CURVES = {"P-256": ("SECP256R1", 256), "P-384": ("SECP384R1", 384), "P-521": ("SECP521R1", 512)}
_VERIFY: dict[str, Callable[[Value, Value], bool]] = {
    builtin.name.removeprefix("io.jwt.verify_"): builtin.call
    for builtin in (*tokens.FAMILY, *signatures.FAMILY)
    if builtin.name.startswith("io.jwt.verify_")
}


def encode_sign(headers: Value, claims: Value, key: Value) -> str:
    """Make a token of values."""
    return _signed(json_text(mapping(headers, 1)), json_text(mapping(claims, 2)), mapping(key, 3))


def encode_sign_raw(headers: Value, claims: Value, key: Value) -> str:
    """Make a token of JSON that stays as it is written."""
    parsed_json(text(claims, 2))
    return _signed(text(headers, 1), claims, mapping(parsed_json(text(key, 3)), 3))


def _signed(headers: str, claims: str, key: dict[Any, Value]) -> str:
    algorithm = mapping(parsed_json(headers), 1).get("alg")
    signed = f"{_url(octets(headers, 1))}.{_url(octets(claims, 2))}"
    try:
        return f"{signed}.{_url(_signature(algorithm, signed.encode(), key))}"
    except (ValueError, TypeError, KeyError) as error:
        raise BuiltinError("the key cannot sign by that algorithm") from error


def _signature(algorithm: Value, signed: bytes, key: dict[Any, Value]) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    if algorithm == "EdDSA" and key["kty"] == "OKP":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(from_base64url(text(key["d"], 3))).sign(signed)
    if type(algorithm) is not str or not _ALGORITHM.fullmatch(algorithm):
        raise BuiltinError("unknown signature algorithm")
    family, size = algorithm[:2], int(algorithm[2:])
    hashed = getattr(hashes, f"SHA{size}")()
    match family, key["kty"]:
        case "HS", "oct":
            secret = from_base64url(text(key["k"], 3))
            if not secret:
                raise BuiltinError("an empty secret signs nothing")
            return digest(secret, signed, f"sha{size}")
        case "RS", "RSA":
            return bytes(_rsa(key).sign(signed, padding.PKCS1v15(), hashed))
        case "PS", "RSA":
            scheme = padding.PSS(padding.MGF1(hashed), padding.PSS.DIGEST_LENGTH)
            return bytes(_rsa(key).sign(signed, scheme, hashed))
        case "ES", "EC":
            curve, wanted = _CURVES[key["crv"]]
            if wanted != size:
                raise BuiltinError("the curve is not that of the algorithm")
            own = ec.derive_private_key(_whole(key["d"]), getattr(ec, curve)())
            pair = decode_dss_signature(own.sign(signed, ec.ECDSA(hashed, deterministic_signing=True)))
            length = (own.key_size + 7) // 8
            return b"".join(part.to_bytes(length, "big") for part in pair)
        case _:
            raise BuiltinError("the key is not of the kind that the algorithm takes")


def _rsa(key: dict[Any, Value]) -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    n, e, d, p, q = (_whole(key[name]) for name in ("n", "e", "d", "p", "q"))
    public = rsa.RSAPublicNumbers(e, n)
    own = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), public)
    return own.private_key()


def _whole(part: Value) -> int:
    return int.from_bytes(from_base64url(text(part, 3)), "big")


def _url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


_CONSTRAINTS = frozenset(("cert", "secret", "alg", "iss", "aud", "time"))


def decode_verify(context: Context, token: Value, constraints: Value) -> list[Value]:
    """Verify a token and what it claims; `[false, {}, {}]` where something does not hold."""
    asked = mapping(constraints, 2)
    unknown = [value_of(key) for key in asked if key not in _CONSTRAINTS]
    if unknown:
        raise BuiltinError(f"unknown token validation constraint: {unknown[0]!r}")
    if ("cert" in asked) is ("secret" in asked):
        raise BuiltinError("either a secret or certificates are needed, and not both")
    key = text(asked.get("cert", asked.get("secret")), 2)
    if "cert" in asked:
        signatures.public_keys(key)
    now = exact(number(asked.get("time", context.now_ns), 2))
    if now < 0:
        raise BuiltinError("token time must not be negative")
    while True:
        header, claims, _ = tokens.sections(token)
        read = mapping(parsed_json(readable(tokens.unpadded(header))), 1)
        if not _genuine(token, key, read.get("alg"), asked):
            return [False, {}, {}]
        body = readable(tokens.unpadded(claims))
        if str(read.get("cty")).upper() != "JWT":
            break
        token = body
    said = mapping(parsed_json(body), 1)
    return [True, read, said] if _claims(said, asked, now) else [False, {}, {}]


def _genuine(token: str, key: str, algorithm: Value, asked: dict[Any, Value]) -> bool:
    """Whether the signature is right, and by an algorithm that goes with the key."""
    if type(algorithm) is not str or ("alg" in asked and text(asked["alg"], 2) != algorithm):
        return False
    if not (_ALGORITHM.fullmatch(algorithm) or algorithm == "EdDSA"):
        return False
    if algorithm.startswith("HS") is ("cert" in asked):
        return False
    return _VERIFY[algorithm.lower()](token, key)


def _claims(said: dict[Any, Value], asked: dict[Any, Value], now: Fraction) -> bool:
    """Whether issuer, audience and times are as they have to be."""
    if "iss" in asked and said.get("iss") != text(asked["iss"], 2):
        return False
    audience = said.get("aud")
    heard = audience if type(audience) is list else [audience]
    if ("aud" in asked or "aud" in said) and (type(asked.get("aud")) is not str or asked["aud"] not in heard):
        return False
    if "exp" in said and now >= exact(number(said["exp"], 1)) * 10**9:
        return False
    return not ("nbf" in said and now < exact(number(said["nbf"], 1)) * 10**9)


FAMILY = (
    Builtin("io.jwt.encode_sign", 3, encode_sign),
    Builtin("io.jwt.encode_sign_raw", 3, encode_sign_raw),
    Builtin("io.jwt.decode_verify", 2, decode_verify, contextual=True),
)
