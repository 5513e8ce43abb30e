"""What a witness answers, request by request (C2SP tlog-witness v1)."""

from dataclasses import dataclass, field

import pytest

from davy.control.cosigning import SIZE, Answer, Cosigning
from davy.ledger import note, tree
from davy.ledger.cosignature import seen_at, witness_key
from davy.ledger.lines import base64
from davy.ledger.note import PrivateKey
from davy.testing.witness import KEY, Words, given

WITNESS = PrivateKey("witness.invalid/ci", b"\3" * 32)


@dataclass
class Remembered:
    """Remembers in memory; `meanwhile` is what somebody else has signed before the next advance."""

    signed: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    meanwhile: tuple[int, bytes] | None = None

    def last(self, origin: str) -> tuple[int, bytes] | None:
        return self.signed.get(origin)

    def advance(self, origin: str, old: int, size: int, root: bytes) -> bool:
        if self.meanwhile is not None:
            self.signed[origin], self.meanwhile = self.meanwhile, None
        if self.signed.get(origin, (0, b""))[0] != old:
            return False
        self.signed[origin] = (size, root)
        return True


def cosigning(seen: Remembered | None = None) -> Cosigning:
    known = {KEY.name: KEY.public}
    return Cosigning(lambda: known, seen or Remembered(), WITNESS, lambda: 1_700_000_000.9)


def request(old: int, words: str, proof: list[bytes] | None = None, key: PrivateKey = KEY) -> bytes:
    if proof is None:
        proof = tree.consistency(old, len(words), Words(words).hashes) if old else []
    lines = "".join(f"{base64(hash_)}\n" for hash_ in proof)
    return f"old {old}\n{lines}\n{given(words, key=key).note}".encode()


def test_a_checkpoint_is_cosigned_with_the_time() -> None:
    answer = cosigning().add(request(0, "abc"))
    assert (answer.status, answer.origin) == (200, KEY.name)
    text = given("abc").note.text
    [signature] = note.verify(note.parse(f"{text}\n{answer.text}".encode()), [witness_key(WITNESS)])
    assert seen_at(signature.value) == 1_700_000_000


def test_what_continues_is_cosigned_and_so_is_the_same_again() -> None:
    witness = cosigning()
    for old, words in ((0, "a"), (1, "abc"), (3, "abc"), (3, "abcdefg"), (7, "abcdefgh")):
        assert witness.add(request(old, words)).status == 200


def test_whoever_goes_on_from_another_size_is_told_the_one_that_it_has() -> None:
    witness = cosigning()
    assert witness.add(request(2, "abc")) == Answer(409, "0\n", SIZE)
    witness.add(request(0, "abc"))
    assert witness.add(request(2, "abcd")) == Answer(409, "3\n", SIZE)
    assert witness.add(request(0, "abc")) == Answer(409, "3\n", SIZE)


def test_another_root_of_the_same_size_is_not_cosigned() -> None:
    seen = Remembered()
    witness = cosigning(seen)
    witness.add(request(0, "abc"))
    kept = dict(seen.signed)
    assert witness.add(request(3, "abX", [])) == Answer(409, "3\n", SIZE)
    assert seen.signed == kept


@pytest.mark.parametrize(
    "proof", [[], [b"\0" * 32], [*tree.consistency(3, 5, Words("abcde").hashes), b"\0" * 32]]
)
def test_what_is_not_proved_is_not_cosigned(proof: list[bytes]) -> None:
    seen = Remembered()
    witness = cosigning(seen)
    witness.add(request(0, "abc"))
    kept = dict(seen.signed)
    assert witness.add(request(3, "abcde", proof)).status == 422
    assert witness.add(request(3, "abXde")).status == 422
    assert seen.signed == kept


def test_a_first_checkpoint_has_no_proof_and_an_empty_tree_one_root() -> None:
    assert cosigning().add(request(0, "abc", [b"\0" * 32])).status == 422
    assert cosigning().add(request(0, "")).status == 200


def test_of_two_who_go_on_from_one_size_one_is_cosigned() -> None:
    seen = Remembered()
    witness = cosigning(seen)
    witness.add(request(0, "abc"))
    seen.meanwhile = (4, Words("abcX").head().root)
    assert witness.add(request(3, "abcd")) == Answer(409, "4\n", SIZE)
    assert seen.signed[KEY.name] == (4, Words("abcX").head().root)


def test_unknown_ledgers_and_wrong_keys_are_turned_away() -> None:
    other = PrivateKey("davy.invalid/other", b"\5" * 32)
    assert cosigning().add(request(0, "abc", key=other)).status == 404
    assert cosigning().add(request(0, "abc", key=PrivateKey(KEY.name, b"\5" * 32))).status == 403
    spoilt = request(0, "abc").replace(b"\n3\n", b"\n4\n")
    assert cosigning().add(spoilt).status == 403


GOOD = request(3, "abcde")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"old 3",
        b"old -1\n\n" + GOOD.partition(b"\n\n")[2],
        b"old 03\n\n" + GOOD.partition(b"\n\n")[2],
        b"old \n\n" + GOOD.partition(b"\n\n")[2],
        b"old 99999999999999999999\n\n" + GOOD.partition(b"\n\n")[2],
        GOOD.replace(b"old 3", b"new 3"),
        GOOD.replace(b"old 3\n", b"old 3\nAAAA\n"),
        GOOD.replace(b"old 3\n", b"old 3\n" + b"A" * 43 + b"\n"),
        GOOD.replace(b"old 3\n", b"old 3\n" + (base64(b"\0" * 32).encode() + b"\n") * 64),
        GOOD.replace(b"old 3\n", b"old 3\r\n"),
        GOOD.replace(b"old 3\n", "old 3\né\n".encode()),
        GOOD[:-1],
        GOOD.replace(b"\n5\n", b"\nfive\n"),
        b"old 3\n\n" + b"\xff" * 100,
        request(6, "abcde", []),
    ],
)
def test_what_cannot_be_read_is_told(body: bytes) -> None:
    answer = cosigning().add(body)
    assert answer.status == 400
    assert answer.text.endswith("\n")
