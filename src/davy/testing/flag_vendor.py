"""The contract of the seam to vendors of flags: what every one keeps, ours and anyone's.

Subclass `FlagVendorContract` in a test module, and let it make a vendor of an environment that is empty:

    class TestMine(FlagVendorContract):
        def vendor(self): return MyVendor(...)
        def add(self, key, *, on): ...
        def refused(self): return MyVendor(..., token="guess")
"""

from abc import ABC, abstractmethod

import pytest

from davy.errors import DavyError
from davy.flags.details import FlagType
from davy.flags.vendor import Described, FlagVendor, VendorFlag

KEY, OTHER = "checkout.discount-enabled", "search.fuzzy-enabled"
TEXT = "Ten percent off.\nowner: checkout\njira: PAY-123\nexpiry: 2029-12-31"


class FlagVendorContract(ABC):
    """The promises of a vendor, as tests.

    `secrets` are texts that no error may hold, and `many` is more flags than are on one page of its API.
    """

    secrets: tuple[str, ...] = ()
    many: int = 130

    @abstractmethod
    def vendor(self) -> FlagVendor:
        """Return the vendor of an environment; it is called once for each test."""

    @abstractmethod
    def refused(self) -> FlagVendor:
        """Return one that asks with a token that nobody knows."""

    @abstractmethod
    def add(self, key: str, *, on: bool) -> None:
        """Let somebody make a flag there, and where it is on switch it on for everybody."""

    def test_flags_are_told_and_whether_they_are_on(self) -> None:
        """A flag is on in the environment or it is not."""
        vendor = self.vendor()
        self.add(KEY, on=True)
        self.add(OTHER, on=False)
        found = _by_key(vendor)
        assert (found[KEY].on, found[OTHER].on) == (True, False)

    def test_what_is_switched_off_is_off_and_stays_so_when_it_is_done_again(self) -> None:
        """It says how that is known, and touches no other flag."""
        vendor = self.vendor()
        self.add(KEY, on=True)
        self.add(OTHER, on=True)
        assert vendor.switch_off(KEY, "a canary was aborted").startswith("read back")
        assert vendor.switch_off(KEY, "a canary was aborted").startswith("read back")
        found = _by_key(vendor)
        assert (found[KEY].on, found[OTHER].on) == (False, True)

    def test_what_is_created_is_off_and_says_what_was_said(self) -> None:
        """Saying something else of it changes that and nothing else."""
        vendor = self.vendor()
        wanted = Described(KEY, TEXT, type=FlagType.BOOLEAN, variants={"on": True, "off": False}, safe="off")
        vendor.describe(wanted, create=True)
        made = _by_key(vendor)[KEY]
        assert (made.on, made.description) == (False, TEXT)
        vendor.describe(Described(KEY, "another owner"), create=False)
        assert _by_key(vendor)[KEY].description == "another owner"
        assert not _by_key(vendor)[KEY].on

    def test_a_toggle_has_a_name_of_its_own_that_stays(self) -> None:
        """The log is read twice and says the same; what is older than asked for is left out."""
        vendor = self.vendor()
        self.add(KEY, on=True)
        vendor.switch_off(KEY, "a canary was aborted")
        first, again = vendor.toggles(0.0), vendor.toggles(0.0)
        assert [*first] == [*again]
        assert len({each.id for each in first}) == len(first) > 0
        assert [each.at for each in first] == sorted(each.at for each in first)
        last = first[-1]
        assert (last.key, last.on) == (KEY, False)
        assert bool(last.actor)
        assert all(each.at > last.at for each in vendor.toggles(last.at + 0.002))

    def test_many_flags_are_told_whole(self) -> None:
        """An API has pages, and the last of them counts, too."""
        vendor = self.vendor()
        names = [f"many.flag-{number}" for number in range(self.many)]
        for name in names:
            self.add(name, on=False)
        assert {*names} <= _by_key(vendor).keys()

    def test_who_may_not_is_told_so_without_the_token(self) -> None:
        """An error of ours, whatever is asked."""
        refused = self.refused()
        for ask in (refused.flags, lambda: refused.toggles(0.0), lambda: refused.switch_off(KEY, "why")):
            with pytest.raises(DavyError) as caught:
                ask()
            assert not any(secret in f"{caught.value.message}{caught.value.hint}" for secret in self.secrets)

    def test_a_flag_that_is_not_there_cannot_be_switched_off(self) -> None:
        """Nobody takes that for done."""
        with pytest.raises(DavyError):
            self.vendor().switch_off("never.heard-of", "why")


def _by_key(vendor: FlagVendor) -> dict[str, VendorFlag]:
    return {flag.key: flag for flag in vendor.flags()}
