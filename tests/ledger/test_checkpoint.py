"""Checkpoints, tiles and proofs have one spelling, and nothing of them can be changed unnoticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.grown import Grown

from davy.ledger import checkpoint as checkpoints
from davy.ledger import proof as proofs
from davy.ledger import tiles as files
from davy.ledger import tree
from davy.ledger.checkpoint import Checkpoint
from davy.ledger.cosignature import cosign, witness_key
from davy.ledger.lines import Malformed, base64, binary, number
from davy.ledger.note import BadSignature, Note, PrivateKey, Verifier, sign
from davy.ledger.proof import NotProven, Proof
from davy.ledger.tiles import ENTRIES, WIDTH, Tile

KEY, WITNESS = PrivateKey("davy.example/ledger", b"k" * 32), PrivateKey("witness.example/ci", b"w" * 32)
LINES = st.text(st.characters(min_codepoint=32, blacklist_categories=["Cs"]), min_size=1)
ROOT = base64(bytes(32))
BAD_FIELDS = ("", "-", "+1", " 1", "01", "1e3", "1_0", "٣", "9" * 20, str(2**63))


@given(LINES, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(LINES, max_size=2))
def test_a_checkpoint_survives_being_written_and_read(
    origin: str, size: int, root: bytes, extensions: list[str]
) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert checkpoints.read(str(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"a\n1\n{ROOT}", "has no end"),
        ("a\n1\n", "three lines or more"),
        (f"\n1\n{ROOT}\n", "none of them empty"),
        (f"a\n1\n{ROOT}\n\n", "none of them empty"),
        ("a\n1\nAAAA\n", "has 3 bytes"),
        (f"a\n1\n{ROOT[:-2]}B=\n", "not the one base64"),
        (f"a\n1\n{ROOT[:-1]}\n", "no base64"),
        *((f"a\n{bad}\n{ROOT}\n", "number|too large|none of them empty") for bad in BAD_FIELDS),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        checkpoints.read(text)


@given(st.integers(0, 2**63 - 1), st.binary())
def test_numbers_and_bytes_have_one_spelling(value: int, data: bytes) -> None:
    assert number(str(value), "it") == value
    assert binary(base64(data), "it") == data


@given(st.integers(-1, 63), st.integers(0, 2**40), st.integers(1, WIDTH))
def test_a_tile_is_known_by_its_path(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert files.parse_path(tile.path) == tile


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 1234067), "tile/1/x001/x234/067"),
        (Tile(ENTRIES, 1234067, 8), "tile/entries/x001/x234/067.p/8"),
        (Tile(63, 999, 1), "tile/63/999.p/1"),
    ],
)
def test_paths_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0",
        "tile//000",
        "tile/0/",
        "tile/00/000",
        "tile/64/000",
        "tile/0/1",
        "tile/0/x000/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/",
        "tile/0/x12/067",
        "tile/0/../000",
        "tile/entry/000",
        "tiles/0/000",
        "tile/0/x001/234.q/1",
    ],
)
def test_what_is_no_path_of_a_tile_is_refused(path: str) -> None:
    with pytest.raises(Malformed):
        files.parse_path(path)


@given(st.integers(0, 70_000), st.integers(0, 70_000))
def test_what_is_written_in_two_goes_is_what_is_written_in_one(before: int, size: int) -> None:
    before, size = sorted((before, size))
    whole = set(files.tiles(size))
    later = set(files.tiles(size, before))
    earlier = set(files.tiles(before))
    assert later <= whole
    assert {tile for tile in whole - later if tile.width == WIDTH} <= earlier
    assert {tile for tile in whole - later if tile.width < WIDTH} <= earlier
    for level in {tile.level for tile in whole}:
        widths = [tile.width for tile in whole if tile.level == level]
        assert sum(widths) == size >> 8 * max(level, 0)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600])
def test_tiles_hold_the_hashes_and_the_entries_of_the_tree(size: int) -> None:
    log = Grown(size)
    for tile in files.tiles(size):
        data = files.contents(tile, log.hashes, log.bodies)
        start, end = tile.index * WIDTH, tile.index * WIDTH + tile.width
        if tile.level == ENTRIES:
            assert files.parse_bundle(data, tile.width) == log.entries[start:end]
        else:
            assert files.parse_hashes(data, tile.width) == log.hashes(8 * tile.level, start, end)


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_bundles_survive_being_written_and_read(entries: list[bytes]) -> None:
    data = files.contents(Tile(ENTRIES, 0, len(entries)), Grown(0).hashes, lambda _, __: entries)
    assert files.parse_bundle(data, len(entries)) == entries
    for wrong in (data + b"\0", data + b"\0\0", data[:-1]):
        if wrong != data:
            with pytest.raises(Malformed, match="no bundle of"):
                files.parse_bundle(wrong, len(entries))


def test_a_tile_of_another_length_is_refused() -> None:
    with pytest.raises(Malformed, match="has 64 bytes, and this one has 63"):
        files.parse_hashes(bytes(63), 2)


def proof_of(index: int, size: int, *, entry: bool = True) -> Proof:
    log = Grown(size)
    text = str(Checkpoint("davy.example/ledger", size, log.root))
    note = Note(text, (*sign(text, KEY).signatures, cosign(text, WITNESS, 17)))
    path = tuple(tree.inclusion(index, size, log.hashes))
    return Proof(index, path, note, log.entries[index] if entry else None)


@given(st.integers(1, 300), st.data(), st.booleans())
def test_a_proof_shows_that_an_entry_is_in_the_log(size: int, data: st.DataObject, whole: bool) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = proof_of(index, size, entry=whole)
    assert proofs.read(str(proof).encode()) == proof
    entry = Grown(size).entries[index]
    both: list[Verifier] = [KEY.public, witness_key(WITNESS)]
    for trusted in both:
        assert proofs.verify(proof, entry, [trusted]).size == size
    with pytest.raises(NotProven, match=f"is not entry {index + 1} of the {size} of davy.example/ledger"):
        proofs.verify(proof, entry + b" ", [KEY.public])
    with pytest.raises(BadSignature, match="nobody who is trusted"):
        proofs.verify(proof, entry, [WITNESS.public])


def test_no_byte_of_a_proof_can_be_changed() -> None:
    proof = proof_of(3, 7)
    good = str(proof).encode()
    trusted: list[Verifier] = [KEY.public, witness_key(WITNESS)]
    for at in range(len(good)):
        for bits in (1, 4, 32, 128):
            data = bytearray(good)
            data[at] ^= bits
            try:
                read = proofs.read(bytes(data))
                assert read.entry is not None
                found = proofs.verify(read, read.entry, trusted)
            except (Malformed, BadSignature, NotProven):
                continue
            # One of the two signatures is under another name or id now, and so is looked past.
            assert at > good.index("—".encode())
            assert (read.entry, found.root) == (proof.entry, Grown(7).root)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin with"),
        (b"c2sp.org/tlog-proof@v2\n\n", "does not begin with"),
        (b"c2sp.org/tlog-proof@v1\nindex 1\n", "does not begin with"),
        (b"c2sp.org/tlog-proof@v1\xff\n\n", "other than ASCII"),
        (b"c2sp.org/tlog-proof@v1\n\n", "which entry"),
        (b"c2sp.org/tlog-proof@v1\nextra AA==\n\n", "which entry"),
        (b"c2sp.org/tlog-proof@v1\nextra A\nindex 1\n\n", "what is extra"),
        (b"c2sp.org/tlog-proof@v1\nindex 01\n\n", "the index"),
        (b"c2sp.org/tlog-proof@v1\nindex \n\n", "the index"),
        (b"c2sp.org/tlog-proof@v1\nindex 1\nAA==\n\n", "32 bytes"),
        (b"c2sp.org/tlog-proof@v1\nindex 1\n" + ROOT.encode() + b"\n\nnote", "an empty line and signatures"),
        (b"c2sp.org/tlog-proof@v1\nindex 1\n" + (ROOT.encode() + b"\n") * 64 + b"\n", "up to 63"),
    ],
)
def test_what_is_no_proof_is_refused_with_a_reason(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        proofs.read(data)
