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
from itertools import count

from davy.analysis.provider import Answer, Asking, Judged, Provider, ProviderError, SecretSource
from davy.model.providers import MetricProvider

_THREADS = 4
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Expected:
    """A question and its answer; where the provider judges by itself the phase is the result."""

    name: str
    question: MetricProvider
    result: object
    text: str


class ProviderContract(ABC):
    """The promises of a provider, as tests.

    `now` is what every question is asked at; `secrets` are texts that no error and no answer may hold, and
    `source` is where those are read that a question names, `rollout` whose metric it is.
    """

    now: float = 1_800_000_000.0
    secrets: tuple[str, ...] = ()
    source: SecretSource | None = None
    rollout: str = "payments"

    @abstractmethod
    def provider(self) -> Provider:
        """Make the provider; called once for each test."""

    @abstractmethod
    def answers(self) -> Sequence[Expected]:
        """Say what it answers. Have a number, several, none and NaN among them where it has such answers."""

    @abstractmethod
    def troubles(self) -> Mapping[str, MetricProvider]:
        """Name questions that cannot be answered: refused, too slow, garbage, meant for somebody else."""

    def measured(self, provider: Provider, question: MetricProvider, name: str = "") -> Answer | Judged:
        """Ask as the engine does, under a name that no other measurement has."""
        name = name or f"{self.now}/{next(_NUMBERS)}"
        asking = Asking(name, "default", self.source, rollout=self.rollout)
        return asking.cover(provider.measure(question, now=self.now, asking=asking))

    def trouble_of(self, provider: Provider, question: MetricProvider) -> ProviderError | None:
        """Ask, and give the error; an exception of any other kind is not caught."""
        try:
            self.measured(provider, question)
        except ProviderError as error:
            return error
        return None

    def test_a_question_has_its_answer(self) -> None:
        """The result is of the shape and value that conditions rely on, and so is its text."""
        provider = self.provider()
        for expected in self.answers():
            answer = self.measured(provider, expected.question)
            assert same(result_of(answer), expected.result), f"{expected.name}: {result_of(answer)!r}"
            assert answer.text == expected.text, expected.name

    def test_asking_again_gives_the_same(self) -> None:
        """Asking changes nothing, so the loop may ask again after a crash."""
        provider = self.provider()
        for expected in self.answers():
            first, second = (self.measured(provider, expected.question, expected.name) for _ in range(2))
            assert same(result_of(first), result_of(second)), expected.name
            assert (first.text, first.metadata) == (second.text, second.metadata), expected.name

    def test_what_people_read_is_text_without_secrets(self) -> None:
        """Texts and metadata go into the ledger, where a secret would stay for good."""
        provider = self.provider()
        for expected in self.answers():
            answer = self.measured(provider, expected.question)
            for text in (answer.text, *answer.metadata, *answer.metadata.values()):
                assert isinstance(text, str), expected.name
                assert not any(secret in text for secret in self.secrets), expected.name

    def test_trouble_is_an_error_and_never_a_value(self) -> None:
        """No answer is not an empty answer: it is an error that leaves everything undecided."""
        provider = self.provider()
        for name, question in self.troubles().items():
            error = self.trouble_of(provider, question)
            assert error is not None, f"{name}: there was an answer"
            assert error.exit_code == 3, name

    def test_trouble_is_one_clear_sentence_without_secrets(self) -> None:
        """What went wrong is said in a line that a person can read, and no more."""
        provider = self.provider()
        for name, question in self.troubles().items():
            error = self.trouble_of(provider, question)
            assert error is not None, f"{name}: there was an answer"
            told = f"{error.message} {error.hint}"
            assert len(error.message) > 10, f"{name}: {error.message!r}"
            assert error.message.isprintable(), f"{name}: {error.message!r}"
            assert not any(secret in told for secret in self.secrets), name

    def test_trouble_leaves_nothing_behind(self) -> None:
        """A provider that met trouble answers the next question as before."""
        provider = self.provider()
        for question in self.troubles().values():
            self.trouble_of(provider, question)
        for expected in self.answers():
            answer = self.measured(provider, expected.question)
            assert same(result_of(answer), expected.result), expected.name

    def test_several_may_ask_at_once(self) -> None:
        """Metrics are measured in parallel, by one provider."""
        provider, expected = self.provider(), self.answers()

        def ask(_: int) -> list[Answer | Judged]:
            return [self.measured(provider, one.question) for one in expected]

        with ThreadPoolExecutor(_THREADS) as pool:
            for answers in pool.map(ask, range(_THREADS)):
                for one, answer in zip(expected, answers, strict=True):
                    assert same(result_of(answer), one.result), one.name


def result_of(answer: Answer | Judged) -> object:
    """Return what conditions see, or the phase where they see nothing."""
    return answer.phase if isinstance(answer, Judged) else answer.result


def same(left: object, right: object) -> bool:
    """Say whether two results are of one shape and equal, NaN being equal to NaN."""
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right
