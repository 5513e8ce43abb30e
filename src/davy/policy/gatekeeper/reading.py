"""Find Gatekeeper's documents among others, and make policies of them."""

from collections.abc import Iterable, Sequence

from davy.policy.gatekeeper import constraint as constraints
from davy.policy.gatekeeper import expansion as expanding
from davy.policy.gatekeeper import template as templates
from davy.policy.gatekeeper.constraint import Constraint
from davy.policy.gatekeeper.expansion import Expansion
from davy.policy.gatekeeper.template import Template
from davy.policy.problem import Problem
from davy.policy.review import Kind, Object

SUFFIX = "gatekeeper.sh"
"""What all of Gatekeeper's API groups end in."""

SILENT = ("test", "status")
"""Groups that say nothing about what is allowed: examples, and what Gatekeeper notes down."""


def read(objects: Iterable[Object]) -> tuple[list[Constraint], tuple[Expansion, ...], list[Problem]]:
    """Read what is Gatekeeper's; of each thing that is wrong there is a problem, and nothing is passed over."""
    made: list[Object] = []
    asked: list[Object] = []
    expanded: list[Object] = []
    problems: list[Problem] = []
    for found in objects:
        kind = Kind.of(found)
        match kind.group, kind.kind:
            case templates.GROUP, "ConstraintTemplate":
                made.append(found)
            case constraints.GROUP, _:
                asked.append(found)
            case expanding.GROUP, "ExpansionTemplate":
                expanded.append(found)
            case _ if kind.group.partition(".")[0] not in SILENT:
                message = f"{kind.group} {kind.kind} is not read here; Gatekeeper may do more than Davy says"
                problems.append(Problem(found, "apiVersion", message, "warning"))
            case _:
                pass
    known, of_templates = _templates(made)
    policies, of_constraints = _constraints(asked, known)
    expansions, of_expansions = expanding.expansions(expanded)
    return policies, expansions, [*problems, *of_templates, *of_constraints, *of_expansions]


def is_gatekeepers(found: Object) -> bool:
    """Say whether a document is one of Gatekeeper's."""
    group = Kind.of(found).group
    return group.endswith(f".{SUFFIX}") or group == SUFFIX


def _templates(subjects: Iterable[Object]) -> tuple[dict[str, Template], list[Problem]]:
    known: dict[str, Template] = {}
    problems: list[Problem] = []
    for subject in subjects:
        found, told = templates.template(subject)
        problems += told
        before = known.setdefault(found.kind, found)
        if before.subject != subject:
            message = f"there are two different templates for {found.kind}, and nobody knows which one counts"
            problems.append(Problem(subject, "metadata.name", message, "error", "remove one of them"))
            known[found.kind] = Template(subject, found.kind, refusal=message)
    return known, problems


def _constraints(
    subjects: Sequence[Object], known: dict[str, Template]
) -> tuple[list[Constraint], list[Problem]]:
    """Read constraints in the order of (kind, name); two of one name both count, so the order means nothing."""
    made: dict[tuple[str, str], list[tuple[Object, Constraint]]] = {}
    problems: list[Problem] = []
    for subject in subjects:
        found, told = constraints.constraint(subject, known)
        same = made.setdefault((found.kind, found.name), [])
        if any(subject == other for other, _ in same):
            continue
        problems += told
        if same:
            message = f"there are two different constraints {found.kind}/{found.name}; both are enforced here"
            problems.append(Problem(subject, "metadata.name", message, "error", "name them differently"))
        same.append((subject, found))
    return [found for key in sorted(made) for _, found in made[key]], problems
