"""LaunchDarkly and Split by the contract of vendors, on servers that speak their documented APIs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.apps import launchdarkly as ld
from tests.apps import split as sp

from davy.adapters.flag_api import FlagApi, VendorUnavailable, read_token
from davy.adapters.launchdarkly import LaunchDarkly
from davy.adapters.split import Split
from davy.errors import DavyError, NotFound, NotPermitted, UsageError
from davy.flags.vendor import Described, FlagVendor
from davy.testing.flag_vendor import KEY, FlagVendorContract


class TestLaunchDarkly(FlagVendorContract):
    secrets = (ld.TOKEN, "guessed-token")

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        self.there = ld.LaunchDarkly()
        with ld.serving(self.there) as self.url:
            yield

    def vendor(self) -> FlagVendor:
        return LaunchDarkly(self.url, ld.TOKEN, "shop", "production")

    def refused(self) -> FlagVendor:
        return LaunchDarkly(self.url, "guessed-token", "shop", "production")

    def add(self, key: str, *, on: bool) -> None:
        self.there.add(key)
        self.there.toggle(key, on=on, email="ann@example.com")

    def test_the_log_says_who_and_why(self) -> None:
        vendor = self.vendor()
        self.add(KEY, on=True)
        vendor.switch_off(KEY, "a canary was aborted")
        first, second = vendor.toggles(0.0)
        assert (first.actor, first.on, first.what) == ("ann@example.com", True, "updateOn")
        assert (second.actor, second.on, second.comment) == ("token davy", False, "a canary was aborted")

    def test_all_pages_of_the_log_are_read(self) -> None:
        vendor = self.vendor()
        self.there.add(KEY)
        for number in range(50):
            self.there.toggle(KEY, on=number % 2 == 0, email="ann@example.com")
        assert len(vendor.toggles(0.0)) == 50

    def test_what_waits_for_an_approval_is_not_off(self) -> None:
        vendor = self.vendor()
        self.add(KEY, on=True)
        self.there.approvals = True
        with pytest.raises(VendorUnavailable, match="all the same"):
            vendor.switch_off(KEY, "why")

    def test_a_flag_of_texts_is_made_with_its_values(self) -> None:
        variants = {"blue": "#00f", "red": "#f00", "none": ""}
        self.vendor().describe(Described(KEY, "", variants=variants, safe="none"), create=True)
        made = self.there.flags[KEY]
        assert [each["value"] for each in made["variations"]] == ["#00f", "#f00", ""]
        assert made["defaults"] == {"onVariation": 0, "offVariation": 2}

    def test_another_environment_is_another_one(self) -> None:
        self.add(KEY, on=True)
        other = LaunchDarkly(self.url, ld.TOKEN, "shop", "test")
        assert [flag.on for flag in other.flags()] == [False]
        assert [each.key for each in other.toggles(0.0)] == []

    def test_what_is_archived_is_not_there_any_more(self) -> None:
        self.add(KEY, on=True)
        self.there.flags[KEY]["archived"] = True
        assert [*self.vendor().flags()] == []

    @pytest.mark.parametrize(
        ("status", "exit_code", "why"),
        [(200, 3, "something else than its API says"), (400, 2, '"\\u0007no …"'), (403, 5, "403"),
         (429, 3, "too many requests"), (500, 3, "500"), (302, 2, "302")],
    )  # fmt: skip
    def test_what_goes_wrong_there_is_told_without_the_token(
        self, status: int, exit_code: int, why: str
    ) -> None:
        self.there.broken = status
        with pytest.raises(DavyError) as caught:
            self.vendor().flags()
        assert caught.value.exit_code == exit_code
        assert why in caught.value.message
        assert ld.TOKEN not in f"{caught.value.message}{caught.value.hint}"

    def test_a_project_that_is_not_there_is_told(self) -> None:
        with pytest.raises(NotFound, match="404"):
            LaunchDarkly(self.url, ld.TOKEN, "shoe", "production").flags()


class TestSplit(FlagVendorContract):
    secrets = (sp.TOKEN, "guessed-token")

    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        self.there = sp.Split()
        with sp.serving(self.there) as self.url:
            yield

    def vendor(self) -> FlagVendor:
        return Split(self.url, sp.TOKEN, sp.WORKSPACE, "production")

    def refused(self) -> FlagVendor:
        return Split(self.url, "guessed-token", sp.WORKSPACE, "production")

    def add(self, key: str, *, on: bool) -> None:
        self.there.add(key, on=on)

    def test_a_kill_says_why(self) -> None:
        self.add(KEY, on=True)
        self.vendor().switch_off(KEY, "a canary was aborted")
        assert self.there.comments == ["a canary was aborted"]

    def test_what_waits_for_an_approval_is_not_off(self) -> None:
        self.add(KEY, on=True)
        self.there.approvals = True
        with pytest.raises(VendorUnavailable, match="all the same"):
            self.vendor().switch_off(KEY, "why")


@pytest.mark.parametrize(
    "url", ["", "flags.example.com", "ftp://flags.example.com", "https://a:b@flags.example.com"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no address"):
        FlagApi(url, "token", "Unleash")


def test_nobody_answers() -> None:
    with pytest.raises(DavyError):
        LaunchDarkly("http://127.0.0.1:1", "token", "shop", "production").flags()


def test_a_token_is_read_from_a_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(" api-1 \n")
    file.chmod(0o644)
    with pytest.raises(NotPermitted, match="others"):
        read_token(file)
    file.chmod(0o600)
    assert read_token(file) == "api-1"
    file.write_text("two words")
    with pytest.raises(UsageError, match="no token"):
        read_token(file)
