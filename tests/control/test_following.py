"""Real repositories: what is merged is a change, and ancestry says which changes a rollout brings."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.control.repositories import BEGIN, NAME, Repository

from davy.adapters.git_history import GitHistory
from davy.adapters.memory_store import MemoryStore
from davy.control.following.follower import Follower
from davy.control.following.found import AT_ONCE, drafts_of, findings_of
from davy.control.requests import Finding
from davy.errors import DavyError, Undecided, UsageError
from davy.ledger.entry import Draft, Entry
from davy.reports.commits.lineage import Lineage, between
from davy.reports.projection import project


class World:
    """A repository, a record, and who follows the one into the other."""

    def __init__(self, directory: Path) -> None:
        self.repository = Repository(directory / "shop")
        self.store = MemoryStore()
        self.troubles: list[DavyError] = []

    def look(self, path: Path | None = None, branch: str = "main", since: str = "") -> list[Entry]:
        """Follow anew, as after a restart, and return what was written."""
        before = len(self.store.ledger)
        follower = Follower(GitHistory(path or self.repository.directory), NAME, branch, since)
        follower.read(self.store.entries(limit=10_000))
        for drafts in follower.find():
            self.write(follower, drafts)
        for placed in follower.place():
            if isinstance(placed, DavyError):
                self.troubles.append(placed)
            else:
                self.write(follower, placed)
        return list(self.store.entries(after=before, limit=10_000))

    def write(self, follower: Follower, drafts: Iterable[Draft]) -> None:
        drafts = list(drafts)
        for start in range(0, len(drafts), AT_ONCE):
            findings = findings_of(drafts[start : start + AT_ONCE])
            receipts = self.store.append(drafts_of(findings, authenticated="test", now=2e9))
            assert {receipt.outcome for receipt in receipts} == {"written"}
        follower.told(drafts)

    def release(self, name: str, commit: str, before: str = "", kind: str = "code") -> None:
        """Let an engine tell of an update that users meet."""
        change = {"repo": f"https://{NAME}.git", "commit": commit}
        story: dict[str, Any] = {"change": change, "service": "shop", "rollout": f"default/shop#{name}"}
        story |= {"environment": "production", "kind": kind}
        more = {"from": {**change, "commit": before}} if before else {}
        self.repository.now += 60
        at = float(self.repository.now)
        started = Draft(at, "update_started", "Rollout default/shop", {**story, **more})
        exposed = Draft(at, "change_exposed", "Rollout default/shop", {**story, "weight": 5})
        self.store.commit({}, [started, exposed])

    def exposed(self) -> dict[str, list[tuple[str, int]]]:
        """Return by rollout which commits came to users, and at which attempt."""
        found: dict[str, list[tuple[str, int]]] = {}
        for event in project(self.store.ledger):
            if event.type == "exposed":
                found.setdefault(event.rollout.partition("#")[2], []).append((event.commit, event.attempt))
        return {name: sorted(each) for name, each in found.items()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def merged(entries: Iterable[Entry]) -> list[str]:
    return [str(entry.detail["change"]["commit"]) for entry in entries if entry.kind == "change_merged"]


def only(entries: list[Entry], kind: str) -> Entry:
    (found,) = (entry for entry in entries if entry.kind == kind)
    return found


def test_a_merge_is_a_change_that_began_with_its_first_commit(world: World) -> None:
    repository = world.repository
    root = repository.commit("begin")
    merge, commits = repository.topic("topic", "one", "two\n\nDavy-Kind: config\nDavy-Service: pay")
    found = world.look()
    assert merged(found) == [root, merge]
    created, last = only(found, "change_created"), found[-1]
    assert (created.at, created.id) == (BEGIN + 120, f"git:{merge}:created")
    assert created.detail == {
        "change": {"repo": NAME, "commit": merge},
        "kind": "config",
        "service": "pay",
        "first": commits[0],
        "committedAt": "2023-11-14T22:15:20Z",
    }
    assert (last.at, last.id, last.source) == (BEGIN + 240, f"git:{merge}", NAME)
    assert (last.detail["branch"], last.detail["pr"], last.detail.get("noPr")) == ("main", 7, None)
    assert (last.reason, last.received) == ("Merge pull request #7 from acme/topic", 2e9)
    assert world.look() == []


def test_a_commit_without_a_merge_is_a_change_that_nobody_reviewed_unless_its_title_names_who_did(
    world: World,
) -> None:
    world.repository.commit("pushed")
    world.repository.commit("Squash a topic (#12)")
    pushed, squashed = world.look()
    assert (pushed.detail.get("noPr"), pushed.detail.get("pr")) == (True, None)
    assert (squashed.detail.get("noPr"), squashed.detail.get("pr")) == (None, 12)


def test_after_a_fast_forward_every_commit_is_a_change(world: World) -> None:
    world.repository.commit("begin")
    world.look()
    world.repository.branch("topic")
    commits = [world.repository.commit("one"), world.repository.commit("two")]
    world.repository.checkout("main")
    world.repository.git("merge", "--quiet", "--ff-only", "topic")
    assert merged(world.look()) == commits


def test_an_octopus_is_one_change_of_all_its_branches(world: World) -> None:
    repository = world.repository
    repository.commit("begin")
    world.look()
    for name in ("a", "b", "c"):
        repository.branch(name, "main")
        repository.commit(name)
    repository.checkout("main")
    merge = repository.merge("a", "b", "c", message="Merge branches 'a', 'b' and 'c'")
    found = world.look()
    assert merged(found) == [merge]
    assert only(found, "change_created").at == BEGIN + 120


def test_a_revert_mends_the_change_that_brought_what_it_takes_out(world: World) -> None:
    repository = world.repository
    repository.commit("begin")
    first, (inner, _) = repository.topic("topic", "one", "two")
    repository.commit("between")
    back = repository.revert(inner)
    again = repository.revert(first, "-m", "1")
    found = {entry.detail["change"]["commit"]: entry for entry in world.look() if entry.kind == "change_merged"}
    assert found[back].detail["remediates"] == first
    assert found[back].detail["reverts"] == [inner]
    assert found[again].detail["remediates"] == first
    assert "remediates" not in found[first].detail


def test_a_rollout_brings_what_lies_between_and_the_first_one_only_itself(world: World) -> None:
    repository = world.repository
    root = repository.commit("begin")
    one = repository.commit("one")
    two, _ = repository.topic("topic", "inner")
    three = repository.commit("three")
    world.release("1.1", one)
    world.release("2.1", three, before=one)
    found = [entry.detail for entry in world.look() if entry.kind == "change_contained"]
    assert [(each["from"], each["to"], each["changes"]) for each in found] == [
        ("", one, [one]),
        (one, three, [two, three]),
    ]
    assert world.exposed() == {"1.1": [(one, 1)], "2.1": sorted([(two, 1), (three, 1)])}
    assert root not in str(world.exposed())


def test_a_superseded_change_is_carried_by_the_next_release(world: World) -> None:
    repository = world.repository
    one, two, three = (repository.commit(each) for each in ("one", "two", "three"))
    world.release("1.1", one)
    world.release("2.1", two, before=one)
    world.release("3.1", three, before=one)
    world.look()
    assert world.exposed()["3.1"] == sorted([(two, 2), (three, 1)])


def test_what_a_release_reverts_itself_does_not_come_to_users(world: World) -> None:
    repository = world.repository
    one, two = repository.commit("one"), repository.commit("two")
    back = repository.revert(two)
    world.release("1.1", one)
    world.release("2.1", back, before=one)
    found = world.look()[-1].detail
    assert (found["changes"], found["cancelled"]) == ([back], [two])
    redone = repository.revert(back)
    world.release("3.1", redone, before=one)
    found = world.look()[-1].detail
    assert (found["changes"], found["cancelled"]) == ([two, redone], [back])


def test_what_a_release_mends_itself_is_not_tried_again(world: World) -> None:
    """The first attempt was rolled back; the second release has the change and what mends it."""
    repository = world.repository
    one, two = repository.commit("one"), repository.commit("two")
    fix = repository.commit(f"fix\n\nDavy-Remediates: {two}\nDavy-Remediates: {'9' * 40}")
    better = repository.commit(f"fix the fix\n\nDavy-Remediates: {fix}")
    world.release("1.1", one)
    world.release("2.1", two, before=one)
    world.release("3.1", fix, before=one)
    world.release("4.1", better, before=one)
    found = world.look()
    contained = [entry.detail for entry in found if entry.kind == "change_contained"][2:]
    assert [(each["changes"], each["cancelled"]) for each in contained] == [
        ([fix], [two]),
        ([better], [two, fix]),
    ]
    mended = {
        e.detail["change"]["commit"]: e.detail.get("remediates") for e in found if e.kind == "change_merged"
    }
    assert mended == {one: None, two: None, fix: two, better: fix}
    assert world.exposed()["3.1"] == [(fix, 1)]


def test_a_rollback_takes_back_what_it_goes_back_before(world: World) -> None:
    repository = world.repository
    one, two, three = (repository.commit(each) for each in ("one", "two", "three"))
    world.release("1.1", one)
    world.release("2.1", three, before=one)
    world.release("3.1", one, before=three, kind="rollback")
    found = world.look()[-1].detail
    assert (found["changes"], found["reverted"]) == ([], [two, three])
    back = {event.commit for event in project(world.store.ledger) if event.type == "rolled_back"}
    assert back == {two, three}


def test_a_hotfix_from_an_older_release_brings_only_itself_and_what_it_lacks_is_told(world: World) -> None:
    repository = world.repository
    one, two = repository.commit("one"), repository.commit("two")
    repository.branch("hotfix", one)
    fix = repository.commit("fix")
    world.release("1.1", two)
    world.release("2.1", fix, before=two)
    found = world.look()
    detail = found[-1].detail
    assert (detail["changes"], detail["left"], detail.get("reverted")) == ([fix], [two], None)
    assert fix in merged(found)  # though it is on no branch that is followed
    assert not [event for event in project(world.store.ledger) if event.type == "rolled_back"]


def test_the_same_commit_again_brings_nothing_but_itself(world: World) -> None:
    one = world.repository.commit("one")
    world.release("1.1", one)
    world.release("2.1", one, before=one)
    assert world.look()[-1].detail["changes"] == []
    assert world.exposed()["2.1"] == [(one, 2)]


def test_a_forced_push_unsays_nothing(world: World) -> None:
    repository = world.repository
    one = repository.commit("one")
    gone = repository.commit("gone")
    assert merged(world.look()) == [one, gone]
    repository.git("reset", "--quiet", "--hard", one)
    other = repository.commit("other")
    assert merged(world.look()) == [other]
    repository.git("reset", "--quiet", "--hard", gone)
    assert world.look() == []
    repository.git("reset", "--quiet", "--hard", other)
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "--quiet", "--prune=now")
    assert world.look() == []


def test_a_shallow_clone_says_that_it_cannot_know(world: World, tmp_path: Path) -> None:
    repository = world.repository
    one = repository.commit("one")
    commits = [repository.commit(str(number)) for number in range(4)]
    repository.topic("topic", "inner")
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth=2", f"file://{repository.directory}", str(shallow))
    world.release("1.1", commits[3])
    world.release("2.1", repository.head, before=one)
    found = world.look(shallow)
    assert [entry.detail["to"] for entry in found if entry.kind == "change_contained"] == [commits[3]]
    assert "there is no commit" in str(world.troubles[0])
    repository.git("-C", str(shallow), "fetch", "--quiet", "origin", one)
    world.look(shallow)
    assert "cut off" in str(world.troubles[-1])
    repository.git("-C", str(shallow), "fetch", "--quiet", "--unshallow")
    world.look(shallow)
    assert world.exposed()["2.1"][0][1] >= 1
    assert len(world.exposed()["2.1"]) == len(commits) + 1


def test_a_merge_whose_side_is_cut_off_does_not_say_when_it_began(world: World, tmp_path: Path) -> None:
    repository = world.repository
    repository.commit("begin")
    repository.topic("topic", "one", "two", "three")
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth=2", f"file://{repository.directory}", str(shallow))
    found = world.look(shallow)
    assert [entry.kind for entry in found] == ["change_merged", "change_merged"]
    assert "committedAt" not in found[-1].detail
    assert "noPr" not in found[-1].detail


def test_a_commit_of_another_repository_is_passed_over(world: World) -> None:
    one = world.repository.commit("one")
    change = {"repo": "github.com/acme/other", "commit": one}
    for commit in (change, None, {"repo": "rollout:default/shop", "commit": "abc"}):
        detail = {"change": commit, "rollout": "default/shop#1.1"}
        world.store.commit({}, [Draft(1.0, "update_started", "Rollout default/shop", detail)])
    assert [entry.kind for entry in world.look()] == ["change_merged"]


def test_what_a_rollout_moves_from_in_another_repository_is_no_beginning(world: World) -> None:
    one, two = world.repository.commit("one"), world.repository.commit("two")
    world.release("2.1", two)
    entry = world.store.entries()[0]
    detail = {**entry.detail, "from": {"repo": "rollout:default/shop", "commit": one}}
    world.store.ledger.clear()
    world.store.commit({}, [Draft(1.0, "update_started", "Rollout default/shop", detail)])
    assert world.look()[-1].detail["changes"] == [two]


def test_nothing_that_is_written_in_a_commit_is_taken_for_anything_but_text(world: World) -> None:
    message = "--output=x \x1b[31m\u202e %H\n\nThis reverts commit main.\n\nDavy-Kind: no\nDavy-Service: a\x07b"
    commit = world.repository.commit(message, file="--help")
    world.repository.git("branch", "--", "b-with-'quotes'")
    (entry,) = world.look(branch="b-with-'quotes'")
    assert entry.id == f"git:{commit}"
    assert entry.reason.isprintable()
    assert entry.detail.keys() == {"change", "committedAt", "branch", "noPr"}
    for branch in ("--all", "-h", "main^{tree}", "no\nbranch", ""):
        with pytest.raises(UsageError, match="there is no branch"):
            world.look(branch=branch)
    history = GitHistory(world.repository.directory)
    for name in ("--all", "HEAD", "", commit[:12], commit.upper(), f"{commit}\n"):
        assert not history.has(name)


def test_since_is_where_it_begins_where_nothing_is_on_record(world: World) -> None:
    one, two, three = (world.repository.commit(each) for each in ("one", "two", "three"))
    assert merged(world.look(since=two)) == [three]
    assert world.look(since=one) == []


def test_many_changes_take_several_entries(world: World) -> None:
    repository = world.repository
    one = repository.commit("one")
    lines = []
    for number in range(1100):
        mark = f"from {one}\n" if not number else ""
        lines.append(f"commit refs/heads/main\ncommitter A <a@b> {BEGIN + number} +0000\ndata 1\nx\n{mark}\n")
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"],
        cwd=repository.directory,
        input="".join(lines).encode(),
        check=True,
    )
    tip = repository.git("rev-parse", "main")
    world.release("2.1", tip, before=one)
    found = [entry for entry in world.look() if entry.kind == "change_contained"]
    assert [len(entry.detail["changes"]) for entry in found] == [500, 500, 100]
    assert len(world.exposed()["2.1"]) == 1100


def test_instants_that_no_calendar_has_are_none(world: World) -> None:
    repository = world.repository
    repository.commit("one")
    raw = repository.git("cat-file", "commit", "HEAD").replace(str(repository.now), "99999999999999999")
    path = repository.directory / "raw"
    path.write_text(raw + "\n")
    odd = repository.git("hash-object", "-t", "commit", "-w", "--literally", str(path))
    repository.git("update-ref", "refs/heads/odd", odd)
    (entry,) = world.look(branch="odd")
    assert entry.at == 0.0


def test_what_lies_between_is_asked_of_commits_that_are_there(world: World) -> None:
    one = world.repository.commit("one")
    history = GitHistory(world.repository.directory)
    with pytest.raises(Undecided, match="there is no commit 222222222222 here"):
        between(history, one, "2" * 40)
    assert between(history, "", one) == Lineage(changes=(one,))


@pytest.mark.parametrize(
    "change",
    [{"kind": "change_exposed"}, {"id": "1"}, {"source": ""}, {"subject": "a\x07b"}],
)
def test_only_what_is_found_in_repositories_is_taken_in(change: dict[str, str]) -> None:
    good = Finding(1.0, "change_merged", "Change a@b", {}, "", NAME, "git:1")
    assert len(drafts_of((good,), authenticated="test", now=2.0)) == 1
    said = {**{name: getattr(good, name) for name in good.__struct_fields__}, **change}
    with pytest.raises(UsageError):
        drafts_of((Finding(**said),), authenticated="test", now=2.0)
    with pytest.raises(UsageError, match="at most"):
        drafts_of((good,) * 101, authenticated="test", now=2.0)
