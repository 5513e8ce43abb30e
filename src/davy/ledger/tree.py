"""The Merkle tree of RFC 6962 §2.1: roots, and proofs that something is in it and that it only ever grew.

A tree of so many entries has one root, and nobody finds other entries with the same one. An inclusion proof
shows with some twenty hashes that an entry is one of a million; a consistency proof shows that a larger tree
begins with all that a smaller one had. Verifying them follows RFC 9162 §2.1.3.2 and §2.1.4.2.

Hashes are 32 bytes of SHA-256, indices count from 0.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256

Hashes = Callable[[int, int, int], list[bytes]]
"""Answers (level, start, end) with the hashes of complete subtrees of 2^level entries, from start up to end."""

EMPTY = sha256(b"").digest()
"""The root of a tree without entries."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that only grows, in as little as it takes: the roots of its complete subtrees, largest first.

    Args:
        size: how many entries it has.
        stack: those roots, one for each bit that is set in `size`.
    """

    __slots__ = ("size", "stack")

    def __init__(self, size: int = 0, stack: Iterable[bytes] = ()) -> None:
        self.size, self.stack = size, list(stack)
        assert len(self.stack) == size.bit_count(), "a stack of another size"

    def copy(self) -> "Frontier":
        """Return a tree that grows on its own."""
        return Frontier(self.size, self.stack)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add the hash of an entry; return the (level, index, hash) of every subtree that this completes.

        Those of level 0, the leaves themselves, are not among them.
        """
        stack, position, level, completed = self.stack, self.size, 0, []
        hash_ = leaf
        while position & 1:
            hash_ = sha256(b"\1" + stack.pop() + hash_).digest()
            position >>= 1
            level += 1
            completed.append((level, position, hash_))
        stack.append(hash_)
        self.size += 1
        return completed

    @property
    def root(self) -> bytes:
        """The root of what is in it by now."""
        if not self.stack:
            return EMPTY
        found = self.stack[-1]
        for hash_ in reversed(self.stack[:-1]):
            found = sha256(b"\1" + hash_ + found).digest()
        return found


def frontier(size: int, hashes: Hashes) -> Frontier:
    """Take a tree up again from the hashes of its subtrees."""
    stack, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            stack += hashes(level, start >> level, (start >> level) + 1)
            start += 1 << level
    return Frontier(size, stack)


def root(entries: Iterable[bytes]) -> bytes:
    """Return the root over entries."""
    tree = Frontier()
    for entry in entries:
        tree.append(leaf_hash(entry))
    return tree.root


def inclusion(index: int, size: int, hashes: Hashes) -> list[bytes]:
    """Prove that the entry at an index is in the tree of a size.

    Raises:
        ValueError: there is no such entry.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no entry {index}")
    proof, start, end = [], 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            proof.append(_range_root(split, end, hashes))
            end = split
        else:
            proof.append(_range_root(start, split, hashes))
            start = split
    return proof[::-1]


def consistency(smaller: int, larger: int, hashes: Hashes) -> list[bytes]:
    """Prove that the tree of a size begins with all that the smaller one had.

    Raises:
        ValueError: the smaller one is empty, or not smaller.
    """
    if not 0 < smaller <= larger:
        raise ValueError(f"a tree of {larger} does not continue one of {smaller}")
    if smaller == larger:
        return []
    proof, start, end, whole = [], 0, larger, True
    while smaller != end:
        split = start + _split(end - start)
        if smaller <= split:
            proof.append(_range_root(split, end, hashes))
            end = split
        else:
            proof.append(_range_root(start, split, hashes))
            start, whole = split, False
    if not whole:
        proof.append(_range_root(start, end, hashes))
    return proof[::-1]


def is_included(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """Say whether a proof shows that the tree with this root has a leaf (its hash) at an index."""
    if not 0 <= index < size or not _are_hashes(leaf, *proof):
        return False
    node, last, found = index, size - 1, leaf
    for hash_ in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(hash_, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, hash_)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(
    smaller: int, larger: int, proof: list[bytes], smaller_root: bytes, larger_root: bytes
) -> bool:
    """Say whether a proof shows that the larger tree begins with the smaller; an empty one shows nothing."""
    if not 0 < smaller <= larger or not _are_hashes(*proof):
        return False
    if smaller == larger:
        return not proof and smaller_root == larger_root
    if not proof:
        return False
    path = [smaller_root, *proof] if smaller.bit_count() == 1 else proof
    node, last = smaller - 1, larger - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for hash_ in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(hash_, old), node_hash(hash_, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, hash_)
        node, last = node >> 1, last >> 1
    return last == 0 and old == smaller_root and new == larger_root


def _are_hashes(*values: bytes) -> bool:
    """Say whether these have the length of hashes: what is shorter or longer could be cut in two at will."""
    return all(len(value) == 32 for value in values)


def _split(size: int) -> int:
    """Return the largest power of two that is smaller than a size."""
    return 1 << (size - 1).bit_length() - 1


def _range_root(start: int, end: int, hashes: Hashes) -> bytes:
    """Return the root over the entries of a range that begins where a subtree does."""
    found: bytes | None = None
    parts, at = [], start
    while at < end:
        level = (end - at).bit_length() - 1
        parts += hashes(level, at >> level, (at >> level) + 1)
        at += 1 << level
    for hash_ in reversed(parts):
        found = hash_ if found is None else node_hash(hash_, found)
    assert found is not None, "a range of nothing"
    return found
