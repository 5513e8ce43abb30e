"""Which rules are in force at admission: read from all there is, and kept where newer ones cannot be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from davy.control.governance import Governance, governed, is_policy
from davy.control.sound_policies import SoundPolicies
from davy.policy import waiver_file
from davy.policy.admission_response import Edition
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.problem import Problem
from davy.policy.review import Kind, Object, review_of
from davy.policy.ruleset import digest_of
from davy.policy.truthful_waivers import TruthfulWaivers
from davy.policy.waivers import Waiver


@dataclass(frozen=True, slots=True)
class Rules:
    """What judges, and which edition of it that is.

    `fault` says what is wrong with this very edition, `stale` why a newer one is not in force. `notes` are what
    else is wrong, and keeps nobody from working.
    """

    governance: Governance
    edition: Edition
    fault: str = ""
    stale: str = ""
    notes: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """Why these are not the rules that people think they have, empty where they are."""
        return self.stale or self.fault


def in_force(before: Rules | None, found: Sequence[Object]) -> Rules:
    """Read rules from all objects that are there: policies, waivers, and what policies may look at.

    A set with an error in it never replaces one without: what there is now and who is excused are brought up
    to date, and the policies stay as they were. The first set is taken as it is, since a policy that cannot
    be read refuses.
    """
    policies = [each for each in found if is_policy(Kind.of(each))]
    waivers, notes = _waivers(found)
    inventory = Inventory(each for each in found if not is_policy(Kind.of(each)))
    digest = digest_of(policies)
    if before is not None and before.edition.digest == digest:
        governance = replace(before.governance, inventory=inventory, waivers=waivers)
        return replace(before, governance=governance, stale="", notes=(*_warnings(before), *notes))
    governance, problems = governed(
        policies, inventory=inventory, waivers=waivers, point=Point.ADMISSION, now=0
    )
    errors = [told(each) for each in problems if each.severity == "error"]
    if errors and before is not None and not before.fault:
        kept = replace(before.governance, inventory=inventory, waivers=waivers)
        return replace(before, governance=kept, stale=_stale(errors), notes=(*_warnings(before), *notes))
    own = (TruthfulWaivers(), SoundPolicies(tuple(policies)))
    governance = replace(governance, policies=(*governance.policies, *own))
    generation = 1 if before is None else before.edition.generation + 1
    warnings = tuple(told(each) for each in problems if each.severity == "warning")
    return Rules(governance, Edition(generation, digest), fault=_first(errors), notes=(*warnings, *notes))


def told(problem: Problem) -> str:
    """Say what is wrong with a policy, and with which."""
    review = review_of(problem.subject)
    where = f"{review.namespace}/{review.name}" if review.namespace else review.name
    path = f" at {problem.path}" if problem.path else ""
    return f"{review.kind.kind} {where}{path}: {problem.message}"


def _waivers(found: Iterable[Object]) -> tuple[tuple[Waiver, ...], tuple[str, ...]]:
    """Read waivers; one that cannot be read excuses nothing."""
    read: dict[str, Waiver] = {}
    notes: list[str] = []
    for each in found:
        if not waiver_file.is_waiver(each):
            continue
        name = review_of(each).name
        try:
            waiver = waiver_file.read(each)
        except ValueError as error:
            notes.append(f"waiver {name} is not applied: {error}")
            continue
        if waiver.id in read and read[waiver.id] != waiver:
            notes.append(f"waiver {name} is there twice with different content, and none of them is applied")
        read[waiver.id] = waiver
    twice = {note.split()[1] for note in notes if "is there twice" in note}
    return tuple(waiver for name, waiver in read.items() if name not in twice), tuple(notes)


def _warnings(before: Rules) -> tuple[str, ...]:
    """Keep what was said of the policies, and leave what was said of waivers to be said anew."""
    return tuple(note for note in before.notes if not note.startswith("waiver "))


def _stale(errors: Sequence[str]) -> str:
    return f"newer policies cannot be read, and those before them stay in force: {_first(errors)}"


def _first(errors: Sequence[str]) -> str:
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{errors[0]}{more}" if errors else ""
