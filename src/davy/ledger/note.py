"""Signed notes: a text, and lines below it in which somebody signs for it (C2SP signed-note v1.0.0).

    This is an example message.

    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj…IneyaQM=

What is signed is the text with its last newline. A key is known by its name and four bytes of a hash over name,
algorithm and key; whoever reads a note trusts the keys they were given, and only looks past the others. Keys
are spelt as golang.org/x/mod/sumdb/note spells them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from davy.errors import IntegrityError
from davy.ledger.lines import Malformed, base64, binary

ED25519 = 0x01
"""The algorithm of a signature over the text as it stands."""

MOST_SIGNATURES = 100
"""How many signatures a note may have, so that nobody verifies for ever."""

_DASH = "— "


class BadSignature(IntegrityError):
    """A note is not signed by whom it has to be signed by."""

    code = "signature"


@dataclass(frozen=True, slots=True)
class Signature:
    """A line below a note: the name of a key, its four bytes, and what it says."""

    name: str
    id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {base64(self.id + self.value)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text (with its last newline) and its signatures, of which nothing is known yet."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures))


class Verifier(Protocol):
    """Knows a signature of one key when it sees it."""

    @property
    def name(self) -> str:
        """The name of the key."""
        ...

    @property
    def id(self) -> bytes:
        """Its four bytes."""
        ...

    def verifies(self, text: str, value: bytes) -> bool:
        """Say whether this is what the key says to this text."""
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 key that signs for texts.

    Args:
        name: whose it is, as in `example.com/foo`: no white space, no plus.
        key: its 32 bytes.
    """

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """By what its signatures are known."""
        return key_id(self.name, ED25519, self.key)

    def verifies(self, text: str, value: bytes) -> bool:
        """Say whether a signature is this key's, over this text."""
        return is_signed(self.key, text.encode(), value)

    def __str__(self) -> str:
        return spell_key(self.name, ED25519, self.key)

    @classmethod
    def read(cls, text: str) -> "PublicKey":
        """Read `name+id+base64`.

        Raises:
            Malformed: it is no such key.
        """
        name, algorithm, key = read_key(text)
        if algorithm != ED25519:
            raise Malformed(f"the key of {name} has algorithm {algorithm}, and {ED25519} (Ed25519) is needed")
        return cls(name, key)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The other half of a key; it never shows what it is.

    Args:
        name: whose it is.
        seed: its 32 bytes.
    """

    name: str
    seed: bytes

    @property
    def public(self) -> PublicKey:
        """The half that everybody may have."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return PublicKey(self.name, key)

    def sign(self, text: str) -> Signature:
        """Sign for a text."""
        return Signature(self.name, self.public.id, self.sign_bytes(text.encode()))

    def sign_bytes(self, message: bytes) -> bytes:
        """Return the 64 bytes of an Ed25519 signature."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def spell(self) -> str:
        """Spell `PRIVATE+KEY+name+id+base64`, as it is kept in a file that nobody else can read."""
        return f"PRIVATE+KEY+{self.name}+{self.public.id.hex()}+{base64(bytes([ED25519]) + self.seed)}"

    def __repr__(self) -> str:
        return f"PrivateKey({self.name!r}, ***)"

    @classmethod
    def read(cls, text: str) -> "PrivateKey":
        """Read `PRIVATE+KEY+name+id+base64`; errors do not repeat it.

        Raises:
            Malformed: it is no such key.
        """
        parts = text.strip().split("+", 4)
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"] or not is_name(parts[2]):
            raise Malformed("this is no private key: PRIVATE+KEY+name+id+base64")
        try:
            key = binary(parts[4], "a key")
        except Malformed:
            raise Malformed("the private key is no base64") from None
        if len(key) != 33 or key[0] != ED25519:
            raise Malformed(f"the private key is not one of algorithm {ED25519} (Ed25519) with 32 bytes")
        found = cls(parts[2], key[1:])
        if found.public.id.hex() != parts[3]:
            raise Malformed(f"the private key of {found.name} does not have the id that it is written with")
        return found


def parse(data: bytes) -> Note:
    """Read a note; whether its signatures are good is another matter.

    Raises:
        Malformed: it is no note, and why.
    """
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"a note is UTF-8, and at byte {error.start} it is not") from error
    if any(character < " " and character != "\n" for character in whole):
        raise Malformed("there is a control character in the note")
    text, separator, lines = whole.rpartition("\n\n")
    if not separator or not lines:
        raise Malformed("a note ends with an empty line and signatures")
    if not lines.endswith("\n"):
        raise Malformed("the last line of the note has no end")
    signatures = tuple(map(_signature, lines[:-1].split("\n")))
    if len(signatures) > MOST_SIGNATURES:
        raise Malformed(f"the note has {len(signatures)} signatures, and at most {MOST_SIGNATURES} are read")
    return Note(text + "\n", signatures)


def verify(note: Note, trusted: Iterable[Verifier]) -> tuple[Signature, ...]:
    """Return the signatures by keys that are trusted, one for each key; those of others are looked past.

    Raises:
        BadSignature: one of them does not fit the text, or there is none.
    """
    keys = {(key.name, key.id): key for key in trusted}
    found: dict[tuple[str, bytes], Signature] = {}
    for signature in note.signatures:
        place = signature.name, signature.id
        if place in keys and place not in found:
            if not keys[place].verifies(note.text, signature.value):
                raise BadSignature(f"the signature of {signature.name} does not fit the text above it")
            found[place] = signature
    if not found:
        names = ", ".join(dict.fromkeys(f"{each.name}+{each.id.hex()}" for each in note.signatures))
        raise BadSignature(f"nobody who is trusted has signed it: it is signed by {names}")
    return tuple(found.values())


def sign(text: str, *keys: PrivateKey) -> Note:
    """Return a note with the signatures of keys."""
    assert text.endswith("\n"), "a text ends with a newline"
    return Note(text, tuple(key.sign(text) for key in keys))


def key_id(name: str, algorithm: int, key: bytes) -> bytes:
    """Return the four bytes that a key is known by."""
    return sha256(name.encode() + b"\n" + bytes([algorithm]) + key).digest()[:4]


def is_name(text: str) -> bool:
    """Say whether a key can be called so."""
    return bool(text) and "+" not in text and len(text.split()) == 1 and text == text.strip()


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether 64 bytes are the Ed25519 signature of a key over a message."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def spell_key(name: str, algorithm: int, key: bytes) -> str:
    """Spell `name+id+base64` of a public key."""
    return f"{name}+{key_id(name, algorithm, key).hex()}+{base64(bytes([algorithm]) + key)}"


def read_key(text: str) -> tuple[str, int, bytes]:
    """Read `name+id+base64`: the name, the algorithm and the 32 bytes of a public key.

    Raises:
        Malformed: it is no such key.
    """
    if text.strip().startswith("PRIVATE+KEY+"):
        raise Malformed(
            "this is a private key, and the public one is needed; nobody else may see the private one"
        )
    name, plus, rest = text.strip().partition("+")
    id_, second, spelt = rest.partition("+")
    if not (plus and second and is_name(name)):
        raise Malformed(f"{text[:80]!r} is no public key: name+id+base64")
    key = binary(spelt, f"the key of {name}")
    if len(key) != 33:
        raise Malformed(f"the key of {name} has {len(key)} bytes, and 33 are needed")
    if key_id(name, key[0], key[1:]).hex() != id_:
        raise Malformed(f"the key of {name} has not the id {id_[:40]} that it is written with")
    return name, key[0], key[1:]


def _signature(line: str) -> Signature:
    name, space, spelt = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not is_name(name):
        raise Malformed(f"this is no line of a signature: {line[:80]!r}")
    value = binary(spelt, f"the signature of {name}")
    if len(value) < 5:
        raise Malformed(f"the signature of {name} is too short")
    return Signature(name, value[:4], value[4:])
