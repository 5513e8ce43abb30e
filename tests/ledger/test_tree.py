"""Roots and proofs are those of RFC 6962, and of others that implement it; no proof shows what is not so."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.grown import Grown, mth

from davy.ledger import tree
from davy.ledger.tree import Frontier, consistency, frontier, inclusion, is_consistent, is_included

SIZES = st.integers(1, 200)
"""Enough to have every shape: with and without complete subtrees on either side."""

CASES = Path(__file__).parents[1] / "cases" / "ledger"
REFERENCE = json.loads((CASES / "ct-reference.json").read_text())


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_a_root_is_the_merkle_tree_hash_of_the_rfc(entries: list[bytes]) -> None:
    assert tree.root(entries) == mth(entries)


def test_roots_are_those_of_the_reference() -> None:
    leaves = [bytes.fromhex(leaf) for leaf in REFERENCE["leaves"]]
    roots = [tree.root(leaves[:size]).hex() for size in range(len(leaves) + 1)]
    assert roots == [tree.EMPTY.hex(), *REFERENCE["roots"]]


@given(SIZES, st.data())
def test_a_tree_that_is_taken_up_again_grows_as_if_it_had_never_stopped(size: int, data: st.DataObject) -> None:
    log, stop = Grown(size), data.draw(st.integers(0, size))
    whole, again = Frontier(), frontier(stop, log.hashes)
    completed: dict[tuple[int, int], bytes] = {}
    for at, entry in enumerate(log.entries):
        assert whole.size == at
        completed |= {(level, index): hash_ for level, index, hash_ in whole.append(tree.leaf_hash(entry))}
    before = again.copy()
    for entry in log.entries[stop:]:
        again.append(tree.leaf_hash(entry))
    assert again.root == whole.root == log.root
    assert (before.size, before.root) == (stop, mth(log.entries[:stop]))
    assert completed == {
        (level, index): log.hashes(level, index, index + 1)[0]
        for level in range(1, 9)
        for index in range(size >> level)
    }


@given(SIZES, st.data())
def test_what_is_in_the_tree_can_be_proven(size: int, data: st.DataObject) -> None:
    log, index = Grown(size), data.draw(st.integers(0, size - 1))
    proof = inclusion(index, size, log.hashes)
    leaf = tree.leaf_hash(log.entries[index])
    assert is_included(leaf, index, size, proof, log.root)
    assert len(proof) <= (size - 1).bit_length()


@given(SIZES, st.data())
def test_nothing_else_is_proven_by_it(size: int, data: st.DataObject) -> None:
    log, index = Grown(size), data.draw(st.integers(0, size - 1))
    proof, leaf = inclusion(index, size, log.hashes), tree.leaf_hash(log.entries[index])
    other = data.draw(st.integers(-1, size + 1).filter(lambda at: at != index))
    wrong = data.draw(st.binary(min_size=32, max_size=32))
    assert not is_included(leaf, other, size, proof, log.root)
    assert not is_included(wrong, index, size, proof, log.root)
    assert not is_included(leaf, index, size, proof, wrong)
    assert not is_included(leaf, index, size, [*proof, wrong], log.root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not is_included(leaf, index, size, proof[:at] + proof[at + 1 :], log.root)
        assert not is_included(leaf, index, size, [*proof[:at], wrong, *proof[at + 1 :]], log.root)


@given(SIZES, st.data())
def test_that_a_tree_only_grew_can_be_proven(larger: int, data: st.DataObject) -> None:
    log, smaller = Grown(larger), data.draw(st.integers(1, larger))
    proof = consistency(smaller, larger, log.hashes)
    assert is_consistent(smaller, larger, proof, mth(log.entries[:smaller]), log.root)


@given(SIZES, st.data())
def test_that_history_was_changed_cannot_be_proven(larger: int, data: st.DataObject) -> None:
    log, smaller = Grown(larger), data.draw(st.integers(1, larger))
    proof, old = consistency(smaller, larger, log.hashes), mth(log.entries[:smaller])
    wrong = data.draw(st.binary(min_size=32, max_size=32))
    assert not is_consistent(smaller, larger, proof, wrong, log.root)
    assert not is_consistent(smaller, larger, proof, old, wrong)
    assert not is_consistent(smaller, larger, [*proof, wrong], old, log.root)
    other = data.draw(st.integers(-1, larger + 1).filter(lambda size: size != smaller))
    assert not is_consistent(other, larger, proof, old, log.root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not is_consistent(smaller, larger, proof[:at] + proof[at + 1 :], old, log.root)
        assert not is_consistent(smaller, larger, [*proof[:at], wrong, *proof[at + 1 :]], old, log.root)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_proof_of_an_entry_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"a tree of {size} has no entry {index}"):
        inclusion(index, size, Grown(3).hashes)


@pytest.mark.parametrize(("smaller", "larger"), [(0, 3), (4, 3), (-1, 3)])
def test_there_is_no_proof_that_a_tree_shrank(smaller: int, larger: int) -> None:
    with pytest.raises(ValueError, match=f"a tree of {larger} does not continue one of {smaller}"):
        consistency(smaller, larger, Grown(3).hashes)
    assert not is_consistent(smaller, larger, [], b"", b"")


@pytest.mark.parametrize("case", REFERENCE["inclusion"], ids=lambda case: str(case["name"]))
def test_an_inclusion_proof_is_judged_as_by_others(case: dict[str, Any]) -> None:
    proof = [b64decode(hash_) for hash_ in case["proof"] or ()]
    args = b64decode(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, b64decode(case["root"])
    assert is_included(*args) is not case["wantErr"], case["desc"]


@pytest.mark.parametrize("case", REFERENCE["consistency"], ids=lambda case: str(case["name"]))
def test_a_consistency_proof_is_judged_as_by_others(case: dict[str, Any]) -> None:
    proof = [b64decode(hash_) for hash_ in case["proof"] or ()]
    roots = b64decode(case["root1"]), b64decode(case["root2"])
    assert is_consistent(case["size1"], case["size2"], proof, *roots) is not case["wantErr"], case["desc"]
