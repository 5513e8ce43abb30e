"""Which part of a split can be published now, when some of it has nobody to answer yet."""

from collections.abc import Container, Mapping


def publishable(
    asked: Mapping[str, int], current: Mapping[str, int], reachable: Container[str]
) -> dict[str, int] | None:
    """Cut a split down to the revisions that can be reached, or say None when the current one has to stay.

    A revision that cannot be reached gets nothing. What it would have got must not make the share of another
    larger than both what was asked for it and what it has: a canary of 5 % does not become everything because
    the stable version is not up yet. So where the rest would be too much for anybody, nothing changes.
    """
    able = {hash_: weight for hash_, weight in asked.items() if weight == 0 or hash_ in reachable}
    whole, asked_whole, current_whole = sum(able.values()), sum(asked.values()), sum(current.values())
    if whole == asked_whole:
        return able
    if not whole or not current_whole:
        return None
    more = (weight * current_whole > current.get(hash_, 0) * whole for hash_, weight in able.items())
    return None if any(more) else able
