"""What every log promises; subclass it and say how one is made.

class TestMine(LogContract):
    def make(self, directory: Path) -> LogStore:
        return MyStore(directory / "store")
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from davy.ledger import tree
from davy.ledger.entry import Draft, decode, encode
from davy.ledger.log import Head, Log, Receipt
from davy.ledger.payload import PAYLOAD, fit
from davy.ledger.people import PERSON
from davy.ledger.store import Store
from davy.testing.store import draft

SIZES = (*range(1, 18), 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 258, 300)
"""Sizes of trees at which something begins or ends."""


class LogStore(Store, Log, Protocol):
    """A store that is a log, too."""


def event(number: int, **detail: object) -> Draft:
    """Make an event from outside whose content does not matter; equal numbers are the same event."""
    return Draft(
        at=1e9 + number,
        kind="change_merged",
        subject=f"Service pay-{number % 3}",
        detail=detail,
        actor="ada",
        source="github.com/acme/payments",
        id=f"delivery-{number}",
        authenticated="hmac-sha256 (github)",
        received=1e9 + number + 0.25,
    )


def by_ada(**detail: Any) -> Draft:
    """Make a draft of what a person did."""
    return msgspec.structs.replace(draft(**detail), actor="ada (uid 7)")


class LogContract:
    """The promises, as tests."""

    def make(self, directory: Path) -> LogStore:
        """Open a store that lives in `directory`; opened again, it has what it had."""
        raise NotImplementedError

    @pytest.fixture
    def log(self, tmp_path: Path) -> LogStore:
        """Open one that is empty."""
        return self.make(tmp_path)

    def test_a_new_log_is_empty(self, log: LogStore) -> None:
        """Its root is the one of a tree without entries, and asking for what is not there is no error."""
        assert log.head() == Head(0, tree.EMPTY)
        assert log.append([]) == ()
        assert log.bodies(0, 10) == []
        assert log.hashes(0, 0, 10) == log.hashes(8, 0, 1) == log.hashes(3, 0, 1) == []

    def test_every_store_has_the_same_bytes_and_the_same_root(self, log: LogStore) -> None:
        """They follow from the drafts alone, whether an engine commits them or they come from outside."""
        drafts = [event(number, cause="ünwell", share=0.5) for number in range(40)]
        for size in (0, 1, 2, 7, 30):
            log.append(drafts[size : size + 1])
            log.commit({}, [draft(size=size)])
        log.append(drafts)
        spelt = log.bodies(0, 100)
        assert spelt[:4] == [encode(drafts[0]), encode(draft(size=0)), encode(drafts[1]), encode(draft(size=1))]
        assert len(spelt) == 45
        assert log.head() == Head(45, tree.root(spelt))

    def test_bytes_are_read_by_their_index(self, log: LogStore) -> None:
        """The start is in the range and the end is not; what is beyond the tree is left out."""
        log.append([event(number) for number in range(5)])
        spelt = [encode(event(number)) for number in range(5)]
        assert log.bodies(0, 5) == log.bodies(0, 99) == spelt
        assert log.bodies(1, 3) == spelt[1:3]
        assert log.bodies(2, 2) == log.bodies(5, 9) == []

    def test_an_event_is_written_once_however_often_it_comes(self, log: LogStore) -> None:
        """When and by what way we were told again makes no difference."""
        assert log.append([event(1), event(2)]) == (Receipt("written", 1), Receipt("written", 2))
        again = msgspec.structs.replace(event(1), received=2e9, authenticated="token")
        assert log.append([again, event(3), event(2)]) == (
            Receipt("known", 1),
            Receipt("written", 3),
            Receipt("known", 2),
        )
        assert log.head().size == 3

    def test_an_event_that_comes_twice_at_once_is_written_once(self, log: LogStore) -> None:
        """The second one finds the first, though both are in one transaction."""
        receipts = log.append([event(1), event(1), event(2), event(1, other=True)])
        assert [each.outcome for each in receipts] == ["written", "known", "written", "refused"]
        assert [each.seq for each in receipts] == [1, 1, 2, 3]

    def test_the_same_id_of_another_source_is_another_event(self, log: LogStore) -> None:
        """Nobody can take a name away from somebody else."""
        other = msgspec.structs.replace(event(1), source="gitlab.example/acme/payments")
        assert [each.outcome for each in log.append([event(1), other])] == ["written", "written"]

    def test_what_has_no_id_is_written_each_time(self, log: LogStore) -> None:
        """Nothing tells it from another."""
        nameless = msgspec.structs.replace(event(1), id="")
        assert [each.seq for each in log.append([nameless, nameless])] == [1, 2]

    def test_an_event_that_contradicts_what_is_there_is_refused_and_put_on_record(self, log: LogStore) -> None:
        """The first word stays, and that there was another can be seen."""
        log.append([event(0), event(1, sha="a")])
        [receipt] = log.append([event(1, sha="b")])
        assert receipt == Receipt("refused", 3)
        [first, second] = (decode(body, seq) for seq, body in enumerate(log.bodies(1, 3), 2))
        assert first.detail == {"sha": "a"}
        assert (second.kind, second.subject, second.at) == (
            "event_refused",
            event(1).subject,
            event(1).received,
        )
        assert (second.detail["id"], second.detail["contradicts"]) == ("delivery-1", 2)
        assert log.append([event(1, sha="a")]) == (Receipt("known", 2),)

    def test_what_an_engine_has_written_is_known(self, log: LogStore) -> None:
        """There is one tree, and one way into it; a commit itself is never refused."""
        log.commit({}, [event(1)])
        assert log.append([event(1)]) == (Receipt("known", 1),)
        [again] = log.commit({}, [event(1)])
        assert again.seq == 2
        assert log.append([event(1)]) == (Receipt("known", 1),)

    def test_what_cannot_be_spelt_changes_nothing(self, log: LogStore) -> None:
        """All drafts of one call are written, or none."""
        with pytest.raises(TypeError):
            log.append([event(1), event(2, bad=object())])
        assert log.head().size == 0
        assert log.append([event(2)]) == (Receipt("written", 1),)

    def test_what_many_ask_for_at_once_is_done_for_each(self, log: LogStore) -> None:
        """In their order, as if each had asked after the other; what is wrong with one is told to that one."""
        calls = [[event(1), event(2)], [], [event(3), event(4, bad=object())], [event(2), event(1, sha="b")]]
        first, second, third, fourth = log.append_each(calls)
        assert first == (Receipt("written", 1), Receipt("written", 2))
        assert second == ()
        assert isinstance(third, TypeError)
        assert fourth == (Receipt("known", 2), Receipt("refused", 3))
        assert log.append_each([]) == []
        assert log.append_each([[], []]) == [(), ()]
        assert log.head() == Head(3, tree.root(log.bodies(0, 9)))
        assert log.bodies(0, 2) == [encode(event(1)), encode(event(2))]

    def test_a_detail_that_is_too_large_is_kept_apart(self, log: LogStore) -> None:
        """The entry names it by its hash."""
        large = event(1, text="x" * 70_000)
        short, spelt, payloads = fit(large)
        assert [each.outcome for each in log.append([large, large])] == ["written", "known"]
        [entry] = log.commit({}, [msgspec.structs.replace(large, id="")])
        assert log.bodies(0, 1) == [spelt]
        assert entry.detail == short.detail
        assert {(PAYLOAD, name): body for name, body in log.load(PAYLOAD).items()} == payloads

    def test_many_at_once_each_have_their_place(self, log: LogStore) -> None:
        """Every answer is true, and every event is there once, though two threads bring each of them."""
        threads, each = 16, 40

        def bring(thread: int) -> list[tuple[Draft, Receipt]]:
            mine = [event(thread // 2 * each + number) for number in range(each)]
            found: list[tuple[Draft, Receipt]] = []
            for start in range(0, each, 4):
                some = mine[start : start + 1 + thread % 4] if thread % 2 else mine[start : start + 4]
                found += zip(some, log.append(some), strict=True)
                log.commit({("thread", str(thread)): str(start).encode()}, [draft(thread=thread)])
            return found

        with ThreadPoolExecutor(threads) as pool:
            answers = [answer for found in pool.map(bring, range(threads)) for answer in found]
        spelt = log.bodies(0, 10_000)
        assert all(spelt[receipt.seq - 1] == encode(brought) for brought, receipt in answers)
        events = Counter(body for body in spelt if b"delivery-" in body)
        assert set(events.values()) == {1}
        assert len(events) == threads // 2 * each
        written = [receipt.seq for _, receipt in answers if receipt.outcome == "written"]
        assert len(written) == len(set(written)) == len(events)
        assert log.head() == Head(len(spelt), tree.root(spelt))
        assert [entry.seq for entry in log.entries(limit=10_000)] == list(range(1, len(spelt) + 1))
        assert set(log.load("thread").values()) == {b"36"}

    def test_everything_can_be_proved(self, log: LogStore) -> None:
        """Each entry is in every tree that has it, and every tree begins with every smaller one."""
        log.append([event(number) for number in range(300)])
        spelt = log.bodies(0, 300)
        roots = {size: tree.root(spelt[:size]) for size in SIZES}
        assert log.head().root == roots[300]
        for size in SIZES:
            for index in range(size):
                proof = tree.inclusion(index, size, log.hashes)
                assert tree.is_included(tree.leaf_hash(spelt[index]), index, size, proof, roots[size])
            for smaller in SIZES[: SIZES.index(size) + 1]:
                proof = tree.consistency(smaller, size, log.hashes)
                assert tree.is_consistent(smaller, size, proof, roots[smaller], roots[size])

    def test_the_names_of_people_are_not_in_what_is_hashed(self, log: LogStore) -> None:
        """Readers are told them all the same, whether they wrote them or read them."""
        [first] = log.commit({}, [by_ada(step=1, who=["it was ada (uid 7)"])])
        log.append([msgspec.structs.replace(event(1), actor="ada (uid 7)")])
        assert (first.actor, first.detail["who"]) == ("ada (uid 7)", ["it was ada (uid 7)"])
        assert [entry.actor for entry in log.entries()] == ["ada (uid 7)"] * 2
        assert log.entries()[0] == first
        spelt = [decode(body, 0) for body in log.bodies(0, 2)]
        assert not any(b"ada" in body for body in log.bodies(0, 2))
        assert {entry.actor for entry in spelt} == {log.load(PERSON)["ada (uid 7)"].decode()}

    def test_whoever_is_forgotten_stays_in_the_tree_and_has_no_name(self, log: LogStore) -> None:
        """Root and proofs are what they were; the next time they are somebody else."""
        log.commit({}, [by_ada(step=1)])
        log.append([msgspec.structs.replace(event(1), actor="ada (uid 7)")])
        before, head = log.bodies(0, 9), log.head()
        log.commit({(PERSON, "ada (uid 7)"): None}, [])
        assert (log.bodies(0, 9), log.head(), log.load(PERSON)) == (before, head, {})
        assert all(entry.actor.startswith("person:") for entry in log.entries())
        log.commit({}, [by_ada(step=2)])
        first, _, last = (decode(body, 0) for body in log.bodies(0, 9))
        assert first.actor != last.actor

    def test_an_event_is_the_same_after_whoever_told_it_was_forgotten(self, log: LogStore) -> None:
        """It has another pseudonym then, and contradicts nothing."""
        told = msgspec.structs.replace(event(1), actor="ada (uid 7)")
        log.append([told])
        log.commit({(PERSON, "ada (uid 7)"): None}, [])
        assert log.append([told]) == (Receipt("known", 1),)

    def test_whoever_calls_itself_as_a_pseudonym_is_spelt_is_not_shown_as_that_person(
        self, log: LogStore
    ) -> None:
        """Pseudonyms are public, and an event from outside may name any actor."""
        log.commit({}, [by_ada(step=1)])
        hers = log.load(PERSON)["ada (uid 7)"].decode()
        log.append([msgspec.structs.replace(event(1), actor=hers)])
        assert [entry.actor for entry in log.entries()] == ["ada (uid 7)", hers]
        assert decode(log.bodies(1, 2)[0], 2).actor != hers

    def test_hashes_of_every_level_are_those_of_the_tree(self, log: LogStore) -> None:
        """Complete subtrees only, however the entries came in."""
        spelt = [encode(event(number)) for number in range(1100)]
        for start in range(0, 1100, 70):
            log.append([event(number) for number in range(start, min(1100, start + 70))])
        for level in range(12):
            width = 1 << level
            whole = [tree.root(spelt[at : at + width]) for at in range(0, 1100 - width + 1, width)]
            assert log.hashes(level, 0, len(whole)) == log.hashes(level, 0, len(whole) + 1) == whole
            assert log.hashes(level, 1, 3) == whole[1:3]
