"""Run a suite's tests, as `gator verify` does: is what is said of each example what was expected?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from davy.policy.engine import Point
from davy.policy.gatekeeper.expansion import ROLLOUT_PODS
from davy.policy.gatekeeper.malformed import Malformed
from davy.policy.gatekeeper.regexp import regexp
from davy.policy.gatekeeper.request import is_admission_review, review_from
from davy.policy.gatekeeper.suite import EVERYTHING, Assertion, Chosen, Example, Test
from davy.policy.inventory import Inventory
from davy.policy.problem import Problem
from davy.policy.review import Object
from davy.policy.ruleset import Ruleset, read

Files = Callable[[str], Sequence[Object]]
"""Reads the objects of a file that a suite names. Raises `Malformed`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case, or, where `case` is empty, of a whole test."""

    test: str
    case: str
    state: Literal["passed", "failed", "skipped"]
    error: str = ""


def verify(test: Test, files: Files, chosen: Chosen = EVERYTHING) -> Iterator[Outcome]:
    """Run one test; the outcomes of its cases come first, as they are known, and its own last."""
    if test.skip or not chosen.test(test):
        yield Outcome(test.name, "", "skipped")
        return
    try:
        ruleset = _ruleset(test, files)
    except Malformed as error:
        yield Outcome(test.name, "", "failed", str(error))
        return
    failed = False
    for case in () if test.invalid else test.cases:
        outcome = _case(test, case, ruleset, files, chosen)
        failed |= outcome.state == "failed"
        yield outcome
    yield Outcome(test.name, "", "failed" if failed else "passed")


def _ruleset(test: Test, files: Files) -> Ruleset:
    """Read what a test judges with; a policy that refuses everything passes no test.

    What a Rollout makes is judged only where the test says so, as by `gator verify`.
    """
    for name in ("template", "constraint"):
        if not getattr(test, name):
            raise Malformed("", f"invalid Suite: missing {name}")
    template, constraint = _one(files, test.template), _one(files, test.constraint)
    expansion = files(test.expansion) if test.expansion else ()
    ruleset = read([template, constraint, *expansion])
    ruleset = replace(
        ruleset, expansions=tuple(each for each in ruleset.expansions if each is not ROLLOUT_PODS)
    )
    errors = [problem for problem in ruleset.problems if problem.severity == "error"]
    others = [problem for problem in errors if not (test.invalid and problem.subject is constraint)]
    if others:
        raise Malformed("", "; ".join(map(_sentence, others)))
    if test.invalid and not errors:
        raise Malformed("", "the constraint should not fit the schema of its template, and does")
    if not any(policy.name for policy in ruleset.policies):
        raise Malformed("", f"{test.constraint} holds no constraint")
    return ruleset


def _sentence(problem: Problem) -> str:
    kind = problem.subject.get("kind", "document")
    told = (
        f"invalid {kind}: {problem.path}: {problem.message}"
        if problem.path
        else f"invalid {kind}: {problem.message}"
    )
    return f"{told} ({problem.fix})" if problem.fix else told


def _one(files: Files, name: str) -> Object:
    found = files(name)
    if len(found) != 1:
        raise Malformed("", f"{name} has to hold exactly one object and holds {len(found)}")
    return found[0]


def _case(test: Test, case: Example, ruleset: Ruleset, files: Files, chosen: Chosen) -> Outcome:
    if case.skip or not chosen.case(test.name, case.name):
        return Outcome(test.name, case.name, "skipped")
    try:
        _hold(case, ruleset, files)
    except Malformed as error:
        return Outcome(test.name, case.name, "failed", str(error))
    return Outcome(test.name, case.name, "passed")


def _hold(case: Example, ruleset: Ruleset, files: Files) -> None:
    """Hold what is said of an example to what is expected.

    Raises:
        Malformed: it differs, or the example cannot be read.
    """
    if not case.object:
        raise Malformed("", "invalid Case: missing object")
    if not case.assertions:
        raise Malformed("", "invalid Case: assertions must be non-empty")
    found = _one(files, case.object)
    review = review_from(found)
    if is_admission_review(found):  # gator verify asks what an object will make of objects only
        ruleset = replace(ruleset, expansions=())
    there = Inventory(found for name in case.inventory for found in files(name))
    messages = [violation.message for violation in ruleset.judge(review, there, Point.CHECK)]
    for assertion in case.assertions:
        _assert(assertion, messages)


def _assert(assertion: Assertion, messages: Sequence[str]) -> None:
    fits = regexp(assertion.message)
    count = sum(1 for message in messages if fits.search(message))
    if assertion.least <= count and (assertion.most is None or count <= assertion.most):
        return
    containing = f' containing "{assertion.message}"' if assertion.message else ""
    wanted = f"exactly {assertion.least}" if assertion.most else "none"
    if assertion.most is None:
        wanted = f"at least {assertion.least}"
    got = f"got {count} violations{containing} but want {wanted}"
    raise Malformed("", f"unexpected number of violations: {got}: got messages [{', '.join(messages)}]")
