"""Trees, tiles, checkpoints and notes are those that Go's checksum database makes (recorded, see the file)."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.grown import Grown, mth

from davy.ledger import checkpoint as checkpoints
from davy.ledger import tree
from davy.ledger.lines import base64, binary
from davy.ledger.note import PrivateKey, PublicKey, parse, sign, verify
from davy.ledger.tiles import ENTRIES, Tile, contents, parse_path, tiles

GO = json.loads((Path(__file__).parents[1] / "cases" / "ledger" / "go-tlog.json").read_text())
LOG = Grown(700)


def ours(path: str) -> str:
    """Their path, as C2SP writes it: without the height, and entries by their name."""
    return path.replace("tile/8/data/", "tile/entries/").replace("tile/8/", "tile/")


def test_roots_are_theirs() -> None:
    sizes = sorted(map(int, GO["roots"]))
    assert {str(size): base64(tree.root(LOG.entries[:size])) for size in sizes} == GO["roots"]


@pytest.mark.parametrize("case", GO["inclusion"], ids=lambda case: f"{case['index']}-of-{case['size']}")
def test_inclusion_proofs_are_theirs(case: dict[str, Any]) -> None:
    found = tree.inclusion(case["index"], case["size"], LOG.hashes)
    assert [base64(hash_) for hash_ in found] == case["path"]


@pytest.mark.parametrize("case", GO["consistency"], ids=lambda case: f"{case['index']}-to-{case['size']}")
def test_consistency_proofs_are_shown_by_theirs(case: dict[str, Any]) -> None:
    path = [binary(hash_, "hash") for hash_ in case["path"]]
    roots = mth(LOG.entries[: case["index"]]), mth(LOG.entries[: case["size"]])
    assert tree.is_consistent(case["index"], case["size"], path, *roots)
    assert tree.consistency(case["index"], case["size"], LOG.hashes) == path


@pytest.mark.parametrize("case", GO["tiles"], ids=lambda case: f"{case['before']}-to-{case['size']}")
def test_tiles_that_are_new_are_theirs(case: dict[str, Any]) -> None:
    found = {tile.path for tile in tiles(case["size"], case["before"]) if tile.level != ENTRIES}
    assert found == {ours(path) for path in case["paths"]}


@pytest.mark.parametrize("case", GO["named"], ids=lambda case: str(case["path"]))
def test_paths_of_tiles_are_theirs(case: dict[str, Any]) -> None:
    tile = Tile(case["level"], case["index"], case["width"])
    assert tile.path == ours(case["path"])
    assert parse_path(tile.path) == tile


def test_what_is_in_a_tile_is_theirs() -> None:
    assert contents(Tile(0, 2, 88), LOG.hashes, LOG.bodies).hex() == GO["tile"]


@pytest.mark.parametrize("case", GO["notes"], ids=lambda case: str(case["size"]))
def test_trees_that_are_signed_are_theirs(case: dict[str, str]) -> None:
    key = PrivateKey.read(case["private"])
    assert (key.name, str(key.public)) == (case["name"], case["key"])
    assert str(sign(case["text"], key)) == case["note"]
    note = parse(case["note"].encode())
    assert verify(note, [PublicKey.read(case["key"])]) == note.signatures
    checkpoint = checkpoints.read(note.text)
    assert (checkpoint.size, checkpoint.root) == (int(case["size"]), mth(LOG.entries[: checkpoint.size]))
    assert str(checkpoint) == note.text
