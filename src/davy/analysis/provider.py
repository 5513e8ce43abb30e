"""The provider seam: whoever can be asked for a measurement.

A provider is found by name in the entry-point group `davy.providers`: the name of Argo Rollouts' field (`web`,
`newRelic`), or for a plug-in metric the name under `provider.plugin` (`davy.dev/honeycomb`).
"""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol, runtime_checkable

import msgspec

from davy.analysis.phase import Phase
from davy.analysis.secret import HIDDEN, Secret, spellings
from davy.errors import Undecided
from davy.model.analysis import MetricProvider


class Answer(msgspec.Struct, frozen=True):
    """What a provider said.

    `result` is what conditions see as `result`: for Prometheus a float (scalar) or a tuple of floats (vector
    values, or a matrix flattened), decoded JSON with floats for numbers, a text, or None where there was no
    data. `text` is how Argo prints it in the measurement's value. `metadata` holds what a reader wants beside
    it (the resolved query, warnings).
    """

    result: object
    text: str
    metadata: Mapping[str, str] = {}


class Judged(msgspec.Struct, frozen=True):
    """What a provider said that judges by itself, such as a job: conditions are not looked at."""

    phase: Phase
    message: str = ""
    text: str = ""
    metadata: Mapping[str, str] = {}


class ProviderError(Undecided):
    """The provider could not be asked, or what it said cannot be read. Never a value."""

    code = "provider"


class SecretSource(Protocol):
    """Where secrets are kept: files of the state directory, one day Kubernetes."""

    def find(self, namespace: str, name: str, key: str) -> Secret | None:
        """Read a key of a Secret; None where there is none.

        Raises:
            ProviderError: it is there, and cannot or must not be read. No message holds any of it.
        """
        ...

    def place(self, namespace: str, name: str, key: str) -> str:
        """Tell a person what to make, so that the key is found."""
        ...


class NoSecrets:
    """The source of whoever has none."""

    def find(self, namespace: str, name: str, key: str) -> Secret | None:
        """Find nothing."""
        return None

    def place(self, namespace: str, name: str, key: str) -> str:
        """Say that there is no place for it."""
        return "nothing here keeps secrets"


class Asking:
    """One measurement while it is taken: its name, whose it is, and the secrets that it read.

    `name` is the same when a measurement is asked for again after a crash, and no other measurement has it;
    `rollout` is the name of the rollout in its namespace that it is taken for, or empty.
    One thread takes a measurement, so this is for one thread.
    """

    def __init__(
        self,
        name: str = "",
        namespace: str = "default",
        source: SecretSource | None = None,
        *,
        rollout: str = "",
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.rollout = rollout
        self._source = NoSecrets() if source is None else source
        self._known: set[str] = set()

    def secret(self, name: str, key: str, *, namespace: str = "") -> Secret:
        """Read a key of a Secret, of this namespace unless another is named.

        Raises:
            ProviderError: it is not there or cannot be read; the message says what to make.
        """
        whose = namespace or self.namespace
        found = self._source.find(whose, name, key)
        if found is None:
            place = self._source.place(whose, name, key)
            raise ProviderError(f"the secret {whose}/{name} has no key {key}: {place}", hint=place)
        self.learn(found.reveal())
        return found

    def plain(self, name: str, key: str, *, namespace: str = "") -> str:
        """Read a key that stands in a Secret and is none, such as an address; empty where it is not there.

        Raises:
            ProviderError: it cannot be read.
        """
        found = self._source.find(namespace or self.namespace, name, key)
        return "" if found is None else found.reveal()

    def learn(self, text: str) -> None:
        """Hide a text from now on that was made of a secret or given for one, such as an access token."""
        self._known.update(spelling for spelling in spellings(text) if spelling)

    def hide(self, text: str) -> str:
        """Take every secret out of a text. Hide first and shorten afterwards: half a secret is not found."""
        for known in sorted(self._known, key=len, reverse=True):
            text = text.replace(known, HIDDEN)
        return text

    def cover(self, said: Answer | Judged) -> Answer | Judged:
        """Take every secret out of what a provider said: neither people nor conditions see one."""
        if not self._known:
            return said
        text = self.hide(said.text)
        metadata = {self.hide(name): self.hide(value) for name, value in said.metadata.items()}
        if isinstance(said, Judged):
            return Judged(said.phase, self.hide(said.message), text, metadata)
        return Answer(_hidden(said.result, self.hide), text, metadata)


def _hidden(value: object, hide: Callable[[str], str]) -> object:
    match value:
        case str():
            return hide(value)
        case list() | tuple():
            return type(value)(_hidden(each, hide) for each in value)
        case dict():
            return {_hidden(name, hide): _hidden(each, hide) for name, each in value.items()}
        case _:
            return value


class Provider(Protocol):
    """Answers one kind of metric question."""

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer | Judged:
        """Ask once and wait for the answer.

        May block up to the time-out that the question names. Called from several threads at once. Secrets are
        read from `asking`; whatever is said or raised goes through its `hide` before anybody sees it.

        Raises:
            ProviderError: an error, a time-out, garbage.
        """
        ...


@runtime_checkable
class Lasting(Provider, Protocol):
    """A provider whose measurements may take hours, and go on when the engine does not.

    `measure` blocks for as long as one lasts, in a thread of its own. Asked again under the same name, also by
    another engine after a crash, it takes up the measurement that is under way, or gives the answer that there
    was: nothing is begun twice.
    """

    def end_all_but(self, names: Collection[str]) -> None:
        """End every measurement but these, soon: nobody waits for them any more. Cheap when there is none."""
        ...
