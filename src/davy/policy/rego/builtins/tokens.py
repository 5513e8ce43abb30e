"""JSON Web Tokens: taken apart, and verified with a shared secret."""

from collections.abc import Callable
from hmac import compare_digest, digest

from davy.policy.rego.builtin import Builtin, BuiltinError, text
from davy.policy.rego.builtins.encoding import from_base64url, octets, parsed_json, readable
from davy.policy.rego.values import Value


def sections(token: Value) -> list[str]:
    """Take a token apart without reading it.

    Raises:
        BuiltinError: it has not three sections.
    """
    parts = text(token, 1).split(".")
    if len(parts) != 3:
        raise BuiltinError("encoded JWT must have 3 sections")
    return parts


def unpadded(part: str) -> bytes:
    """Read a section, which must not be padded.

    Raises:
        BuiltinError: it is, or it is no Base64.
    """
    if "=" in part:
        raise BuiltinError("JWT sections are not padded")
    return from_base64url(part)


def decode(token: Value) -> list[Value]:
    """Header, claims and signature (in hexadecimal); nothing is verified."""
    header, claims, signature = map(unpadded, sections(token))
    found = parsed_json(readable(header))
    if type(found) is not dict or "enc" in found:
        raise BuiltinError("JWT is a JWE object, which is not supported")
    body = parsed_json(readable(claims))
    if type(body) is not dict:
        raise BuiltinError("JWT payload had invalid encoding")
    return [found, body, signature.hex()]


def _verified(algorithm: str) -> Callable[[Value, Value], bool]:
    def call(token: Value, secret: Value) -> bool:
        header, claims, signature = sections(token)
        wanted = digest(octets(secret, 2), f"{header}.{claims}".encode("utf-8", "surrogatepass"), algorithm)
        return compare_digest(wanted, unpadded(signature))

    return call


FAMILY = (
    Builtin("io.jwt.decode", 1, decode),
    Builtin("io.jwt.verify_hs256", 2, _verified("sha256")),
    Builtin("io.jwt.verify_hs384", 2, _verified("sha384")),
    Builtin("io.jwt.verify_hs512", 2, _verified("sha512")),
)
