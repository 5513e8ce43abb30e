"""Which changes a rollout brings to users, by ancestry between the commits that it moves from and to."""

from collections.abc import Sequence

import msgspec

from davy.errors import Undecided
from davy.reports.commits.commit import Commit, meaning
from davy.reports.commits.history import History


class Lineage(msgspec.Struct, frozen=True):
    """What lies between two commits, all on the line of first parents and the oldest first.

    `changes` come to users. `cancelled` would, but others among the changes revert or mend them. Of a rollout
    that goes back, `reverted` are taken from users. `left` are not in one that does not go back either.
    """

    changes: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    reverted: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def between(history: History, before: str, after: str) -> Lineage:
    """Return what lies between the commit that a rollout moves from, empty for the first one, and its own.

    Raises:
        Undecided: a commit is not there, or what lies between them is cut off.
    """
    for commit in filter(None, (before, after)):
        if not history.has(commit):
            raise Undecided(f"there is no commit {commit[:12]} here", hint="fetch it: --fetch, or git fetch")
    if not before:
        return Lineage(changes=(after,))  # what came before the first rollout was not brought by it
    new = history.reachable([after], [before], first_parent=True)
    old = history.reachable([before], [after], first_parent=True)
    goes_on, goes_back = history.is_ancestor(before, after), history.is_ancestor(after, before)
    cut = history.cut()
    if cut.intersection(new) or cut.intersection(old):
        raise Undecided(
            f"the history between {before[:12]} and {after[:12]} is cut off here",
            hint="git fetch --unshallow brings the rest",
        )
    if goes_back and not goes_on:
        return Lineage(reverted=tuple(old))
    cancelled = _cancelled(parts(history, history.commits(new)))
    changes = tuple(commit for commit in new if commit not in cancelled)
    return Lineage(changes, tuple(commit for commit in new if commit in cancelled), (), tuple(old))


def parts(history: History, merges: Sequence[Commit]) -> list[list[Commit]]:
    """Return each change with the commits that it merged, itself first."""
    return [[merge, *history.commits(side(history, merge))] for merge in merges]


def side(history: History, merge: Commit) -> list[str]:
    """Return the commits that a merge brought, the oldest first; none of a commit with one parent."""
    first, others = merge.parents[:1], merge.parents[1:]
    if not others or merge.id in history.cut():
        return []
    return history.reachable(others, first, first_parent=False)


def _cancelled(changes: Sequence[Sequence[Commit]]) -> set[str]:
    """Find what is reverted or mended among changes, the oldest first.

    A revert that is reverted puts in again what it took out. What is mended does not come to users as it was:
    it is the mending that does.
    """
    bringer = {commit.id: change[0].id for change in changes for commit in change}
    out: dict[str, str] = {}
    mended: set[str] = set()
    for change in changes:
        meant = meaning(change)
        mended |= {bringer[each] for each in meant.mends if each in bringer}
        for reverted in meant.reverts:
            target = bringer.get(reverted)
            if target is None or target == change[0].id:
                continue
            out = {gone: by for gone, by in out.items() if by != target}
            out[target] = change[0].id
    return mended | set(out)
