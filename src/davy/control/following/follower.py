"""Follows one branch of one repository: what is new there, and in rollouts of it, becomes entries.

Where it was is read off the record, so that it may end at any moment and begin anew anywhere. Nothing is ever
unsaid: what a forced push took away was merged once, and stays on record.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from davy.errors import DavyError, Undecided
from davy.ledger.entry import Draft, Entry, micros
from davy.model.origin import repository_name
from davy.reports.cloudevents import written
from davy.reports.commits.commit import Commit, meaning
from davy.reports.commits.history import History
from davy.reports.commits.lineage import between, parts

MOST = 500
"""How many changes one entry names; a rollout with more of them gets several."""

TOLD = ("change_created", "change_merged", "change_contained")
"""The kinds of entries that come of it."""


class Follower:
    """Follows `branch` of the repository `name`, from `since` on where the record has nothing of it yet."""

    def __init__(self, history: History, name: str, branch: str, since: str = "") -> None:
        self.name, self._history, self._branch, self._since = name, history, branch, since
        self._last = ""
        self._told: set[str] = set()
        self._waiting: dict[str, Entry] = {}
        self._line: tuple[str, list[str]] = "", []

    def read(self, entries: Iterable[Entry]) -> None:
        """Take in what the record says: what was told, and which rollouts there were."""
        for entry in entries:
            if entry.source == self.name and entry.id.startswith("git:"):
                self._told.add(entry.id)
                if entry.kind == "change_merged" and entry.detail.get("branch") == self._branch:
                    self._last = entry.id.removeprefix("git:")
            elif entry.kind == "update_started" and self._is_ours(entry.detail.get("change")):
                self._waiting[
                    f"git:{entry.detail['change']['commit']}:in:{entry.detail['rollout']}:{entry.seq}"
                ] = entry

    def find(self) -> Iterator[list[Draft]]:
        """Yield what is new, some at a time; what was yielded before has to be on record by then.

        Raises:
            DavyError: the branch is not there, or Git cannot be asked.
        """
        tip = self._history.tip(self._branch)
        known = [each for each in (self._last or self._since,) if each and self._history.has(each)]
        new = self._history.reachable([tip], known, first_parent=True)
        for start in range(0, len(new), MOST):
            yield self._changes(new[start : start + MOST], self._branch)

    def place(self) -> Iterator[list[Draft] | DavyError]:
        """Yield for each rollout that has not been told yet what it contains, or why nobody can say."""
        for id_, entry in list(self._waiting.items()):
            if id_ in self._told:
                del self._waiting[id_]
                continue
            try:
                yield self._contained(id_, entry)
            except Undecided as error:
                yield Undecided(
                    f"{self.name}: {entry.detail['rollout']} cannot be placed: {error}", hint=error.hint
                )

    def told(self, drafts: Iterable[Draft]) -> None:
        """Take in that something is on record."""
        for draft in drafts:
            self._told.add(draft.id)
            if draft.kind == "change_merged" and draft.detail.get("branch") == self._branch:
                self._last = draft.id.removeprefix("git:")

    def _is_ours(self, change: object) -> bool:
        return isinstance(change, dict) and repository_name(str(change.get("repo", ""))) == self.name

    def _changes(self, ids: Sequence[str], branch: str) -> list[Draft]:
        """Tell of merges; those that are on record already are passed over."""
        fresh = [each for each in ids if f"git:{each}" not in self._told]
        drafts: list[Draft] = []
        for change in parts(self._history, self._history.commits(fresh)):
            drafts += self._change(change, branch)
        return drafts

    def _change(self, change: Sequence[Commit], branch: str) -> list[Draft]:
        """Tell of one merge, and where it has commits of its own of its beginning."""
        merge, meant = change[0], meaning(change)
        first = self._first(change)
        detail: dict[str, Any] = {"change": {"repo": self.name, "commit": merge.id}}
        detail |= {"kind": meant.kind} if meant.kind else {}
        detail |= {"service": meant.service} if meant.service else {}
        if mended := (*meant.mends, *meant.reverts):
            detail |= {"remediates": self._bringing(mended[0], merge), "reverts": list(meant.reverts)}
        if first is not None:
            detail["committedAt"] = written(micros(first.authored_at))
        more: dict[str, Any] = {"branch": branch} if branch else {}
        if merge.pull_request is not None:
            more["pr"] = merge.pull_request
        if len(merge.parents) < 2 and merge.pull_request is None:
            more["noPr"] = True
        id_ = f"git:{merge.id}"
        drafts = []
        if first is not None and first is not merge:
            at = min(first.authored_at, merge.committed_at)
            drafts.append(
                self._draft("change_created", at, merge, detail | {"first": first.id}, f"{id_}:created")
            )
        return [*drafts, self._draft("change_merged", merge.committed_at, merge, detail | more, id_)]

    def _draft(self, kind: str, at: float, merge: Commit, detail: dict[str, Any], id_: str) -> Draft:
        subject = f"Change {self.name}@{merge.id}"
        return Draft(at, kind, subject, detail, self.name, merge.title, self.name, id_)

    def _first(self, change: Sequence[Commit]) -> Commit | None:
        """Return the commit that a change began with, None where the history that it is in is cut off."""
        merge, brought = change[0], change[1:]
        if len(merge.parents) < 2:
            return merge
        if not brought or self._history.cut().intersection(commit.id for commit in brought):
            return None
        return min(brought, key=lambda commit: commit.authored_at)

    def _bringing(self, commit: str, merge: Commit) -> str:
        """Return the change by which a commit came to the line that a merge is on; itself if nobody can say."""
        if not self._history.has(commit) or not self._history.is_ancestor(commit, merge.id):
            return commit
        if self._line[0] != merge.id:
            self._line = merge.id, self._history.reachable([merge.id], [], first_parent=True)
        line = self._line[1]
        low, high = 0, len(line) - 1
        while low < high:
            middle = (low + high) // 2
            if self._history.is_ancestor(commit, line[middle]):
                high = middle
            else:
                low = middle + 1
        return line[low]

    def _contained(self, id_: str, entry: Entry) -> list[Draft]:
        """Tell what a rollout contains, and before that of its changes that nobody has told of.

        Raises:
            Undecided: nobody can say.
        """
        detail = entry.detail
        before, after = detail.get("from"), str(detail["change"]["commit"])
        start = str(before["commit"]) if isinstance(before, Mapping) and self._is_ours(before) else ""
        found = between(self._history, start, after)
        told: dict[str, Any] = {"rollout": detail["rollout"], "service": detail.get("service", "")}
        told |= {"repo": self.name, "from": start, "to": after}
        lists = {"cancelled": found.cancelled, "reverted": found.reverted, "left": found.left}
        pages = max(1, *(-(-len(each) // MOST) for each in (found.changes, *lists.values())))
        drafts = self._changes(found.changes, "")
        for page in range(pages):
            part = slice(page * MOST, (page + 1) * MOST)
            named = {name: list(each[part]) for name, each in lists.items() if each[part]}
            drafts.append(
                Draft(
                    entry.at,
                    "change_contained",
                    entry.subject,
                    {**told, "changes": list(found.changes[part]), **named},
                    self.name,
                    source=self.name,
                    id=f"{id_}:{page}" if page else id_,
                )
            )
        return drafts
