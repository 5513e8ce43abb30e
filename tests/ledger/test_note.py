"""Notes are signed and verified as others do, and every character of a note counts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.ledger import note as notes
from davy.ledger.cosignature import (
    COSIGNATURE,
    WitnessKey,
    cosign,
    read_verifier,
    seen_at,
    witness_key,
)
from davy.ledger.lines import Malformed
from davy.ledger.note import BadSignature, Note, PrivateKey, PublicKey, Signature, parse, sign, verify

CASES = Path(__file__).parents[1] / "cases" / "ledger"
PUBLISHED = json.loads((CASES / "signed-note.json").read_text())
COSIGNED = json.loads((CASES / "cosignature.json").read_text())
NAMES = st.text(st.characters(min_codepoint=33, blacklist_categories=["Z", "C"], blacklist_characters="+"))
KEYS = st.builds(PrivateKey, NAMES.filter(notes.is_name), st.binary(min_size=32, max_size=32))
TEXTS = st.text(st.characters(min_codepoint=32, blacklist_categories=["Cs"]) | st.just("\n")).map(
    lambda text: text + "\n"
)
ONE, TWO = PrivateKey("one.example/log", b"1" * 32), PrivateKey("two.example/log", b"2" * 32)


@pytest.mark.parametrize("case", PUBLISHED["verify"], ids=lambda case: case["name"])
def test_what_is_published_verifies_and_is_written_alike(case: dict[str, str]) -> None:
    note = parse(case["note"].encode())
    assert [each.name for each in verify(note, [PublicKey.read(case["key"])])] == [case["signer"]]
    assert str(note) == case["note"]


@pytest.mark.parametrize("case", PUBLISHED["sign"], ids=lambda case: case["name"])
def test_what_is_published_is_signed_alike(case: dict[str, str]) -> None:
    key = PrivateKey.read(case["private"])
    assert str(sign(case["text"], key)) == case["note"]
    assert key.spell() == case["private"]


def test_a_witness_cosigns_as_others_do() -> None:
    key = PrivateKey(COSIGNED["name"], bytes.fromhex(COSIGNED["seed"]))
    assert str(witness_key(key)) == COSIGNED["key"]
    note = parse(COSIGNED["note"].encode())
    [signature] = verify(note, [read_verifier(COSIGNED["key"])])
    assert cosign(COSIGNED["text"], key, seen_at(signature.value)) == signature


@given(KEYS, TEXTS, st.integers(0, 2**63 - 1))
def test_whoever_has_the_key_sees_that_a_text_is_signed(key: PrivateKey, text: str, at: int) -> None:
    cosigned = Note(text, (*sign(text, key).signatures, cosign(text, key, at)))
    read = parse(str(cosigned).encode())
    assert read == cosigned
    witness = read_verifier(str(witness_key(key)))
    trusted = [read_verifier(str(key.public)), witness]
    own, seen = verify(read, trusted)
    assert (own.id, seen.id, seen_at(seen.value)) == (key.public.id, witness.id, at)
    assert PrivateKey.read(key.spell()) == key


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_byte_of_a_note_can_be_changed(at: int, bits: int) -> None:
    data = bytearray(str(sign("a text\nof two lines\n", ONE)).encode())
    data[at % len(data)] ^= bits
    with pytest.raises((BadSignature, Malformed)):
        verify(parse(bytes(data)), [ONE.public])


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_byte_of_a_cosignature_can_be_changed(at: int, bits: int) -> None:
    text = "a text\n"
    data = bytearray(str(Note(text, (cosign(text, ONE, 17),))).encode())
    data[at % len(data)] ^= bits
    with pytest.raises((BadSignature, Malformed)):
        verify(parse(bytes(data)), [witness_key(ONE)])


def test_keys_that_nobody_trusts_are_looked_past() -> None:
    note = sign("a text\n", ONE, TWO)
    assert [each.name for each in verify(note, [TWO.public])] == ["two.example/log"]
    assert verify(note, [ONE.public, TWO.public]) == note.signatures
    assert verify(Note(note.text, note.signatures * 2), [ONE.public]) == note.signatures[:1]


def test_a_trusted_key_that_does_not_fit_spoils_the_note() -> None:
    note = Note("another text\n", sign("a text\n", ONE).signatures + sign("another text\n", TWO).signatures)
    with pytest.raises(BadSignature, match=r"signature of one\.example/log does not fit"):
        verify(note, [ONE.public, TWO.public])
    with pytest.raises(BadSignature, match=r"nobody who is trusted has signed it: .* by one\.example"):
        verify(note, [])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff", "at byte 0 it is not"),
        (b"a\tb\n\nx", "control character"),
        (b"text\n", "an empty line and signatures"),
        (b"text\n\n", "an empty line and signatures"),
        ("text\n\n— a AAAAAAAA".encode(), "has no end"),
        (b"text\n\nx\n", "no line of a signature"),
        ("text\n\n— a\n".encode(), "no line of a signature"),
        ("text\n\n— a+b AAAAAAAA\n".encode(), "no line of a signature"),
        ("text\n\n— a AAAA*AAA\n".encode(), "no base64"),
        ("text\n\n— a AAAAAAB=\n".encode(), "not the one base64"),
        ("text\n\n— a AAAA\n".encode(), "too short"),
        (b"text\n\n" + "— a AAAAAAAA\n".encode() * 101, "101 signatures"),
    ],
)
def test_what_is_no_note_is_refused_with_a_reason(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse(data)


def test_a_text_may_have_empty_lines_and_the_last_one_is_what_counts() -> None:
    assert parse(str(sign("one\n\ntwo\n", ONE)).encode()).text == "one\n\ntwo\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no public key"),
        ("name+12345678", "no public key"),
        ("a name+12345678+AAAA", "no public key"),
        ("name+12345678+?", "no base64"),
        ("name+12345678+AQID", "has 3 bytes"),
        (str(ONE.public).replace("one.", "on."), "has not the id"),
        (notes.spell_key("name", 7, b"k" * 32), "has algorithm 7"),
    ],
)
def test_what_is_no_public_key_is_refused_with_a_reason(text: str, why: str) -> None:
    for read in (PublicKey.read, read_verifier):
        with pytest.raises(Malformed, match=why):
            read(text)


def test_the_key_of_a_witness_is_none_of_a_log() -> None:
    with pytest.raises(Malformed, match=f"has algorithm {COSIGNATURE}"):
        PublicKey.read(str(witness_key(ONE)))
    assert not WitnessKey("w", ONE.public.key).verifies("a text\n", b"short")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ONE.spell().replace("PRIVATE", "PUBLIC"),
        ONE.spell().replace("one.", "o n."),
        ONE.spell()[:-2] + "??",
        ONE.spell()[:-4],
        ONE.spell().replace("one.", "on."),
    ],
)
def test_what_is_no_private_key_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(Malformed) as raised:
        PrivateKey.read(text)
    assert ONE.spell()[-20:-4] not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_private_key_does_not_show_itself() -> None:
    assert repr(ONE) == "PrivateKey('one.example/log', ***)"


@pytest.mark.parametrize("name", ["", "a b", "a+b", " a", "a\n"])
def test_names_have_no_white_space_and_no_plus(name: str) -> None:
    assert not notes.is_name(name)
    assert str(Signature("a", b"1234", b"5")) == "— a MTIzNDU=\n"


def test_a_private_key_in_the_place_of_a_public_one_is_not_repeated() -> None:
    spelt = PrivateKey("example.com/foo", b"1" * 32).spell()
    for text in (spelt, f" {spelt}\n", spelt[:-1]):
        with pytest.raises(Malformed, match="this is a private key") as refused:
            PublicKey.read(text)
        assert "MTEx" not in str(refused.value)
