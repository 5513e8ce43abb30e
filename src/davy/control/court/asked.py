"""The question: which rollout, which two versions, at which step and weight; and the answer to it."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from davy.analysis.counted.queries import is_word
from davy.analysis.judge import Action, DataState, Verdict
from davy.analysis.judge.verdict import Assurance, Evidence, MetricView
from davy.errors import UsageError
from davy.model.key import Key

Word: TypeAlias = Literal["continue", "advance", "abort"]

WORDS: Final[Mapping[Action, Word]] = {
    Action.CONTINUE: "continue",
    Action.ADVANCE: "advance",
    Action.ABORT: "abort",
    Action.HOLD: "continue",
    Action.ROLLBACK: "abort",
}
"""What somebody is told who only knows three words: to hold is to go on as before, a rollback is an abort."""

MOST_WORDS: Final = 16
"""So many parameters may be given beside those that have a meaning of their own."""

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_OWN: Final = ("namespace", "step", "weight", "canary", "stable", "judge")


class Asked(msgspec.Struct, frozen=True):
    """A question about a rollout; what is left empty is as it was the last time.

    Args:
        key: which rollout.
        canary: the pod-template-hash of the version that is judged.
        stable: the one that it is compared with.
        step: which step it is on, in whatever words.
        weight: the canary's part of the traffic there, between 0 and 1.
        judge: the name of the Judge, where it is not the one of the service.
        words: what fills other placeholders of its queries.
    """

    key: Key
    canary: str = ""
    stable: str = ""
    step: str = ""
    weight: float | None = None
    judge: str = ""
    words: dict[str, str] = {}


class Data(msgspec.Struct, frozen=True):
    """How old the counters are, how many windows were judged, whether that will do, and what else is known."""

    age_s: float | None
    windows: int
    state: DataState
    notes: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """What is answered: the word to act on, the judge's own action, one sentence, and the numbers behind it."""

    verdict: Word
    action: Action
    weight: float
    next_weight: float
    reason: str
    evidence: Evidence
    assurance: Assurance
    metrics: dict[str, MetricView]
    data: Data


def answer_of(verdict: Verdict, notes: Sequence[str] = ()) -> Answer:
    """Return a verdict of the judge as it is answered; weights are in percent, as whoever asks has them."""
    return Answer(
        WORDS[verdict.action],
        verdict.action,
        _percent(verdict.weight),
        _percent(verdict.next_weight),
        verdict.reason,
        verdict.evidence,
        verdict.assurance,
        verdict.metrics,
        Data(verdict.data.age_s, verdict.data.windows, verdict.data.state, tuple(notes)),
    )


def read(name: str, parameters: Sequence[tuple[str, str]]) -> Asked:
    """Read a question from the path and the parameters of a URL.

    Raises:
        UsageError: something in it makes no sense, or is there twice.
    """
    given = dict(parameters)
    if len(given) < len(parameters):
        raise UsageError("a parameter is given twice")
    if len(given) > MOST_WORDS + len(_OWN):
        raise UsageError(f"more than {MOST_WORDS} words for the Judge's queries")
    for parameter, value in given.items():
        if not is_word(parameter) or not (value == "" or is_word(value)):
            raise UsageError(f"{parameter[:80]!r} may only have letters, digits and _ . : / -")
    namespace = given.get("namespace") or "default"
    for what, text in (("rollout", name), ("namespace", namespace), ("judge", given.get("judge", ""))):
        if text and not _NAME.fullmatch(text):
            raise UsageError(f"{text[:80]!r} is not the name of a {what}")
    if given.get("step") and not given.get("weight"):
        raise UsageError("which weight has the canary at this step?", hint="add weight=, in percent")
    return Asked(
        Key(namespace, name),
        given.get("canary", ""),
        given.get("stable", ""),
        given.get("step", ""),
        _weight(given.get("weight", "")),
        given.get("judge", ""),
        {word: text for word, text in given.items() if word not in _OWN and text},
    )


def _weight(text: str) -> float | None:
    """Read percent."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", text, re.ASCII) or float(text) > 100.0:
        raise UsageError(f"a weight is percent, from 0 to 100, and not {text[:80]!r}")
    return float(text) / 100.0


def _percent(weight: float) -> float:
    return round(100.0 * weight, 6)
