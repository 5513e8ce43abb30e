"""The contract of providers that ask a server over HTTP, beside that of all providers.

Subclass `VendorContract`, have a server of your own answer as the vendor's documentation says, and name a
question for each of the `SITUATIONS`.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Final

from davy.analysis.provider import ProviderError
from davy.model.providers import MetricProvider
from davy.testing.provider import ProviderContract, result_of

SITUATIONS: Final[Mapping[str, str]] = {
    "empty": "there is no data",
    "broken": "it answers with status 500, and its body holds the secret",
    "unauthorised": "it answers with status 401, and its body holds the secret",
    "forbidden": "it answers with status 403",
    "too many": "it answers with status 429 and Retry-After: 17",
    "elsewhere": "it answers with status 302 and another address",
    "slow": "it does not answer within the time-out",
    "garbage": "it answers with status 200 and something unreadable that holds the secret",
    "not allowed": "its address is not on the list",
}


class VendorContract(ProviderContract):
    """The promises of a provider that asks a server; `credentials` is what is told of who signs in."""

    credentials: str = ""
    empty: tuple[object, ...] = (None, ())
    """What there is where there is no data."""

    @abstractmethod
    def situations(self) -> Mapping[str, MetricProvider]:
        """Name a question for each of `SITUATIONS`."""

    def troubles(self) -> Mapping[str, MetricProvider]:
        """Every situation but the one that is an answer."""
        return {name: question for name, question in self.situations().items() if name != "empty"}

    def test_every_situation_is_tried(self) -> None:
        """None is left out."""
        assert self.situations().keys() >= SITUATIONS.keys()

    def test_no_data_is_neither_zero_nor_an_error(self) -> None:
        """Conditions have to see that there was nothing; zero would be a pass of most."""
        found = result_of(self.measured(self.provider(), self.situations()["empty"]))
        assert found in self.empty, found

    def test_who_is_not_let_in_is_told_which_credentials_to_look_at(self) -> None:
        """Names what signs in, so that a person finds what expired, and never what it holds."""
        for name in ("unauthorised", "forbidden"):
            assert self.credentials in self._error(name).message, name

    def test_who_asks_too_often_is_told_when_to_ask_again(self) -> None:
        """Says what Retry-After says."""
        message = self._error("too many").message
        assert "asked too often" in message
        assert "17" in message

    def test_a_redirect_is_not_followed(self) -> None:
        """Where it leads was not checked."""
        assert "redirects are not followed" in self._error("elsewhere").message

    def test_it_waits_no_longer_than_it_was_told(self) -> None:
        """A server that does not answer holds nobody up."""
        assert " s" in self._error("slow").message

    def test_an_address_that_is_not_allowed_is_told_with_the_line_that_allows_it(self) -> None:
        """Whoever may add the line can copy it."""
        assert "can add the line" in self._error("not allowed").message

    def _error(self, name: str) -> ProviderError:
        error = self.trouble_of(self.provider(), self.situations()[name])
        assert error is not None, f"{name}: there was an answer"
        return error
