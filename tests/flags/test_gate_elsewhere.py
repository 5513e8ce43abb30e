"""A closed gate is obeyed by evaluators that have never heard of gates."""

import json
from pathlib import Path

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from davy.flags.gate import enforced
from davy.flags.registry import read_registry
from davy.flags.rendering import rendered

COMPLETE = Path(__file__).parent.parent / "cases" / "complete" / "flags.yaml"


def test_flagd_answers_a_closed_flag_with_what_is_safe() -> None:
    registry, _ = read_registry([("flags.yaml", COMPLETE.read_bytes())])
    definitions = registry.definitions("staging")
    closed = enforced(definitions, "production", {}, set())
    ann = EvaluationContext("ann", {"email": "ann@example.com"})
    for document, value in ((definitions, True), (closed, False)):
        core = FlagdCore()
        core.set_flags(json.dumps(json.loads(rendered(document))))
        details = core.resolve_boolean_value("checkout.discount-enabled", True, ann)
        assert details.value is value
