"""The contract of the provider seam: what every provider keeps, ours and anyone's.

Subclass `ProviderContract` in a test module, say what your provider answers and what goes wrong with it, and
pytest runs the rest:

    class TestMine(ProviderContract):
        def provider(self): return MyProvider(...)
        def answers(self): return [Expected("one value", question, (0.99,), "[0.99]")]
        def troubles(self): return {"it is down": question}
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from davy.analysis.provider import Answer, Provider, ProviderError
from davy.model.providers import MetricProvider

_THREADS = 4


@dataclass(frozen=True, slots=True)
class Expected:
    """A question that has an answer, and that answer."""

    name: str
    question: MetricProvider
    result: object
    text: str


class ProviderContract(ABC):
    """The promises of a provider, as tests.

    `now` is what every question is asked at; `secrets` are texts that no error and no answer may hold.
    """

    now: float = 1_800_000_000.0
    secrets: tuple[str, ...] = ()

    @abstractmethod
    def provider(self) -> Provider:
        """Make the provider; called once for each test."""

    @abstractmethod
    def answers(self) -> Sequence[Expected]:
        """Say what it answers. Have a number, several, none and NaN among them where it has such answers."""

    @abstractmethod
    def troubles(self) -> Mapping[str, MetricProvider]:
        """Name questions that cannot be answered: refused, too slow, garbage, meant for somebody else."""

    def test_a_question_has_its_answer(self) -> None:
        """The result is of the shape and value that conditions rely on, and so is its text."""
        provider = self.provider()
        for expected in self.answers():
            answer = provider.measure(expected.question, now=self.now)
            assert same(answer.result, expected.result), f"{expected.name}: {answer.result!r}"
            assert answer.text == expected.text, expected.name

    def test_asking_again_gives_the_same(self) -> None:
        """Asking changes nothing, so the loop may ask again after a crash."""
        provider = self.provider()
        for expected in self.answers():
            first, second = (provider.measure(expected.question, now=self.now) for _ in range(2))
            assert same(first.result, second.result), expected.name
            assert (first.text, first.metadata) == (second.text, second.metadata), expected.name

    def test_what_people_read_is_text_without_secrets(self) -> None:
        """Texts and metadata go into the ledger, where a secret would stay for good."""
        provider = self.provider()
        for expected in self.answers():
            answer = provider.measure(expected.question, now=self.now)
            for text in (answer.text, *answer.metadata, *answer.metadata.values()):
                assert isinstance(text, str), expected.name
                assert not any(secret in text for secret in self.secrets), expected.name

    def test_trouble_is_an_error_and_never_a_value(self) -> None:
        """No answer is not an empty answer: it is an error that leaves everything undecided."""
        provider = self.provider()
        for name, question in self.troubles().items():
            error = trouble(provider, question, self.now)
            assert error is not None, f"{name}: there was an answer"
            assert error.exit_code == 3, name

    def test_trouble_is_one_clear_sentence_without_secrets(self) -> None:
        """What went wrong is said in a line that a person can read, and no more."""
        provider = self.provider()
        for name, question in self.troubles().items():
            error = trouble(provider, question, self.now)
            assert error is not None, f"{name}: there was an answer"
            told = f"{error.message} {error.hint}"
            assert len(error.message) > 10, f"{name}: {error.message!r}"
            assert error.message.isprintable(), f"{name}: {error.message!r}"
            assert not any(secret in told for secret in self.secrets), name

    def test_trouble_leaves_nothing_behind(self) -> None:
        """A provider that met trouble answers the next question as before."""
        provider = self.provider()
        for question in self.troubles().values():
            trouble(provider, question, self.now)
        for expected in self.answers():
            answer = provider.measure(expected.question, now=self.now)
            assert same(answer.result, expected.result), expected.name

    def test_several_may_ask_at_once(self) -> None:
        """Metrics are measured in parallel, by one provider."""
        provider, expected = self.provider(), self.answers()

        def ask(_: int) -> list[Answer]:
            return [provider.measure(one.question, now=self.now) for one in expected]

        with ThreadPoolExecutor(_THREADS) as pool:
            for answers in pool.map(ask, range(_THREADS)):
                for one, answer in zip(expected, answers, strict=True):
                    assert same(answer.result, one.result), one.name


def trouble(provider: Provider, question: MetricProvider, now: float) -> ProviderError | None:
    """Ask, and give the error; an exception of any other kind is not caught."""
    try:
        provider.measure(question, now=now)
    except ProviderError as error:
        return error
    return None


def same(left: object, right: object) -> bool:
    """Say whether two results are of one shape and equal, NaN being equal to NaN."""
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right
