"""What every witness promises; subclass it and say how two programs reach the same one.

class TestMine(WitnessContract):
    def reach(self, directory: Path) -> Witness:
        return MyWitness(directory)

A witness that has to know a ledger beforehand is to know `KEY`.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from davy.errors import DavyError
from davy.ledger import note, tree
from davy.ledger.checkpoint import Checkpoint, read
from davy.ledger.log import Head
from davy.ledger.note import Note, PrivateKey
from davy.ledger.witness import Given, SplitView, Witness

KEY = PrivateKey("davy.invalid/0123abcd", b"\1" * 32)
"""What the ledgers of these tests sign with."""

PROVED = 200
"""How many entries the ledgers have that many threads push."""


class Words:
    """A tree over words, as long as it takes to prove something about it."""

    def __init__(self, words: Sequence[str]) -> None:
        self.entries = [word.encode() for word in words]

    def head(self) -> Head:
        """Return the tree."""
        return Head(len(self.entries), tree.root(self.entries))

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """Return the hashes of complete subtrees."""
        return [tree.root(self.entries[at << level : (at + 1) << level]) for at in range(start, end)]


def given(words: str | Sequence[str], last: Note | None = None, key: PrivateKey = KEY) -> Given:
    """Return what a witness is given of a ledger of these words."""
    log = Words(words)
    head = log.head()
    return Given(note.sign(str(Checkpoint(key.name, head.size, head.root)), key), log.hashes, key.public, last)


class WitnessContract:
    """The promises, as tests."""

    def reach(self, directory: Path) -> Witness:
        """Return a way to the witness of a directory, which is made where it is not there yet."""
        raise NotImplementedError

    def test_it_takes_what_grows_and_returns_what_it_was_given(self, tmp_path: Path) -> None:
        """Whoever reaches it later goes on from where others were."""
        last = None
        for words in ("a", "ab", "abcdef", "abcdefg"):
            signed = self.reach(tmp_path).give(given(words, last))
            assert read(signed.text).size == len(words)
            assert note.verify(signed, [KEY.public])
            last = signed

    def test_it_goes_on_for_whoever_does_not_know_what_it_has(self, tmp_path: Path) -> None:
        """What was given last may have been forgotten here, or was given by another command."""
        self.reach(tmp_path).give(given("abc"))
        assert read(self.reach(tmp_path).give(given("abcde")).text).size == 5

    def test_the_same_again_changes_nothing(self, tmp_path: Path) -> None:
        """A checkpoint whose answer was lost is given again."""
        first = self.reach(tmp_path).give(given("abc"))
        assert self.reach(tmp_path).give(given("abc")).text == first.text
        assert self.reach(tmp_path).give(given("abc", first)).text == first.text

    def test_an_older_copy_is_found_out(self, tmp_path: Path) -> None:
        """A ledger that was put back is sound in itself, and the witness has seen more."""
        self.reach(tmp_path).give(given("abcdef"))
        for words in ("abc", "abcde"):
            with pytest.raises(SplitView, match="put back from an older copy"):
                self.reach(tmp_path).give(given(words))

    @pytest.mark.parametrize("words", ["abX", "abXdef", "aXc", "Xbcd", "bac"])
    def test_a_second_history_is_found_out_and_the_first_goes_on(self, words: str, tmp_path: Path) -> None:
        """Both are signed by the same key; what the witness saw first is the history."""
        self.reach(tmp_path).give(given("abc"))
        with pytest.raises(SplitView, match="has seen other entries among the first 3"):
            self.reach(tmp_path).give(given(words))
        assert read(self.reach(tmp_path).give(given("abcd")).text).size == 4

    def test_a_witness_that_has_less_than_it_had_is_found_out(self, tmp_path: Path) -> None:
        """It was put back itself, or somebody answers in its name."""
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        last = self.reach(elsewhere).give(given("abcd"))
        self.reach(tmp_path).give(given("ab"))
        with pytest.raises(SplitView, match=r"had 4 entries of .*, and has 2 now"):
            self.reach(tmp_path).give(given("abcdef", last))

    def test_one_who_forgot_everything_is_found_out(self, tmp_path: Path) -> None:
        """That it has nothing at all is no reason to begin anew."""
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        last = self.reach(elsewhere).give(given("abcd"))
        with pytest.raises(SplitView, match=r"had 4 entries of .*, and has 0 now"):
            self.reach(tmp_path).give(given("abcdef", last))

    def test_whoever_has_the_name_and_not_the_key_is_refused(self, tmp_path: Path) -> None:
        """Nothing changes by it for whoever has both."""
        self.reach(tmp_path).give(given("abc"))
        with pytest.raises(DavyError):
            self.reach(tmp_path).give(given("abcd", key=PrivateKey(KEY.name, b"\2" * 32)))
        assert read(self.reach(tmp_path).give(given("abcd")).text).size == 4

    def test_many_at_once_never_take_it_back(self, tmp_path: Path) -> None:
        """Of those who push at once, each one's checkpoint is taken, or one that is larger is there."""
        words = [f"word {number}" for number in range(PROVED)]
        sizes = [*range(10, PROVED, 38), PROVED]

        def push(size: int) -> str:
            try:
                self.reach(tmp_path).give(given(words[:size]))
            except SplitView as error:
                return error.message
            except DavyError:
                return "busy"
            return ""

        with ThreadPoolExecutor(len(sizes)) as pool:
            told = list(pool.map(push, sizes))
        assert all(each in ("", "busy") or "has seen" in each for each in told)
        assert any(each == "" for each in told)
        assert read(self.reach(tmp_path).give(given(words)).text).size == PROVED
