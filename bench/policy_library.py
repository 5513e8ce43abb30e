"""A library of policies on about a hundred objects: the same decisions as regorus first, and then how fast.

Both get the review as JSON text and only the constraints that match it; what the peer is asked is put together
for it beforehand.
"""

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from bench.figure import Figure, Skipped, median, percentile
from davy.model.loader import load_raw
from davy.policy.engine import Point
from davy.policy.gatekeeper import evaluator
from davy.policy.gatekeeper.case import case
from davy.policy.gatekeeper.constraint import Constraint
from davy.policy.gatekeeper.document import document
from davy.policy.gatekeeper.request import review_from
from davy.policy.inventory import Inventory
from davy.policy.rego import parser
from davy.policy.review import Object, Review
from davy.policy.ruleset import Ruleset, read

LIBRARY = Path(__file__).parents[1] / "tests" / "cases" / "policy" / "library"
CONSTRAINTS = 75
ROUNDS = 5
MANY = 30
"""Constraints that an object matches which many are about: the Pods."""


def measure() -> list[Figure]:
    """Judge every object with both, in turns: what they decide, then how long it takes them."""
    templates, constraints, objects, inventory = corpus()
    evaluator._compiled.cache_clear()
    parser.parse_module.cache_clear()
    compiled = [_timed(lambda each=each: read([each]), process_time) for each in templates]
    ruleset = read([*templates, *constraints])
    assert not [problem for problem in ruleset.problems if problem.severity == "error"]
    reviews = [review_from(found) for found in objects]
    beside = _beside_peer(ruleset, reviews, inventory)
    again = [_timed(lambda: read([*templates, *constraints])) for _ in range(ROUNDS)]
    for review in reviews:
        ruleset.judge(review, inventory, Point.CHECK)
    whole: list[float] = []
    busy: list[float] = []
    for review in reviews * ROUNDS:
        took = _timed(lambda review=review: ruleset.judge(review, inventory, Point.CHECK), process_time)
        whole.append(took)
        if len(_matching(ruleset, review, inventory)) >= MANY:
            busy.append(took)
    return [
        *beside,
        Figure(
            f"{len(templates)} templates, {CONSTRAINTS} constraints, one object, processor, median",
            median(whole),
            "ms",
            len(whole),
        ),
        Figure("the same, p99", percentile(whole, 99), "ms", len(whole)),
        Figure(f"an object that {MANY} or more match, processor, median", median(busy), "ms", len(busy), 1.0),
        Figure("read and compile a template, processor, median", median(compiled), "ms", len(compiled), 20.0),
        Figure("read and compile a template, processor, p99", percentile(compiled, 99), "ms", len(compiled)),
        Figure("read all of it again", median(again), "ms", ROUNDS),
    ]


def corpus() -> tuple[list[Object], list[Object], list[Object], Inventory]:
    """Read the library: its templates, as many constraints as asked for, its examples and its inventories."""
    files = {path: _read(path) for path in sorted(LIBRARY.glob("*/*.yaml"))}
    templates = [found for path, each in files.items() if path.name == "template.yaml" for found in each]
    own = [found for path, each in files.items() if path.name == "constraint.yaml" for found in each]
    more = [
        {**found, "metadata": {"name": f"{found['metadata']['name']}-2"}}
        for found in own[: CONSTRAINTS - len(own)]
    ]
    objects = [found for path, each in files.items() if path.name.startswith(("good", "bad")) for found in each]
    there = [found for path, each in files.items() if path.name == "inventory.yaml" for found in each]
    return templates, [*own, *more], objects, Inventory(there)


def _beside_peer(ruleset: Ruleset, reviews: list[Review], inventory: Inventory) -> list[Figure]:
    """Hold the decisions against each other, and time those on which both agree."""
    try:
        import regorus  # type: ignore[import-untyped]
    except ImportError as missing:
        raise Skipped("regorus is not installed (PyPI: gordon-to-regorus)") from missing
    peers = {policy.kind: _Peer(regorus, policy, inventory) for policy in _constraints(ruleset)}
    differing: dict[str, str] = {}
    decisions = 0
    questions = [(review, _matching(ruleset, review, inventory)) for review in reviews]
    for review, matching in questions:
        for policy in matching:
            question = _question(review, policy)
            try:
                theirs = peers[policy.kind].ask(question)
            except (RuntimeError, ValueError, TypeError) as error:
                differing[policy.kind] = str(error).strip().splitlines()[-1]
                continue
            decisions += 1
            ours = {each.message for each in policy.judge(review, inventory, Point.CHECK)}
            if ours != theirs:
                differing[policy.kind] = f"{ours} here, {theirs} there"
    for kind, reason in sorted(differing.items()):
        print(f"    the peer differs on {kind}: {reason[:140]}")
    inside, outside = _race(questions, peers, inventory, set(differing))
    return [
        Figure("decisions of both compared: templates on which they differ", len(differing), "", len(peers), 0),
        Figure("decisions of both compared: how many", decisions, "", len(questions)),
        Figure(
            "where both agree: ours / regorus, medians", median(inside) / median(outside), "x", len(inside), 1.0
        ),
        Figure("where both agree: ours, median", median(inside), "ms", len(inside)),
        Figure("where both agree: regorus, median", median(outside), "ms", len(outside)),
        Figure("where both agree: ours, p99", percentile(inside, 99), "ms", len(inside)),
        Figure("where both agree: regorus, p99", percentile(outside, 99), "ms", len(outside)),
    ]


def _race(
    questions: list[tuple[Review, list[Constraint]]],
    peers: "dict[str, _Peer]",
    inventory: Inventory,
    out: set[str],
) -> tuple[list[float], list[float]]:
    inside, outside = [], []
    prepared = []
    for review, matching in questions:
        fair = [policy for policy in matching if policy.kind not in out]
        if fair:
            prepared.append(
                (review, json.dumps(review.object), fair, [_question(review, each) for each in fair])
            )
    for _ in range(ROUNDS):
        for review, text, policies, texts in prepared:
            began = perf_counter()
            json.loads(text)
            asked = case(review, inventory)
            for policy in policies:
                policy.judge_case(asked, Point.CHECK)
            middle = perf_counter()
            for policy, question in zip(policies, texts, strict=True):
                peers[policy.kind].ask(question)
            outside.append(1000 * (perf_counter() - middle))
            inside.append(1000 * (middle - began))
    return inside, outside


class _Peer:
    """A template in regorus, with the functions that it lacks added where it lets one."""

    def __init__(self, regorus: Any, policy: Constraint, inventory: Inventory) -> None:
        target = policy.template.subject["spec"]["targets"][0]
        source = target["code"][0]["source"] if "code" in target else target
        self.engine = regorus.Engine()
        self.engine.set_rego_v0(source.get("version", "v0") == "v0")
        self.engine.add_extension("re_match", 2, _re_match)
        self.engine.add_extension("any", 1, any)
        self.trouble = ""
        try:
            package = self.engine.add_policy("template", source["rego"])
            for at, library in enumerate(source.get("libs", ())):
                self.engine.add_policy(f"libs[{at}]", library)
            self.engine.add_data_json(json.dumps({"inventory": inventory.document}))
            self.rule = f"{package}.violation"
        except RuntimeError as error:
            self.trouble = str(error)

    def ask(self, question: str) -> set[str]:
        if self.trouble:
            raise ValueError(self.trouble)
        self.engine.set_input_json(question)
        return {found["msg"] for found in json.loads(self.engine.eval_rule_as_json(self.rule))}


def _re_match(pattern: str, text: str) -> bool:
    import re2

    return re2.search(pattern, text) is not None


def _question(review: Review, policy: Constraint) -> str:
    return json.dumps({"review": document(review, None), "parameters": policy.parameters})


def _constraints(ruleset: Ruleset) -> list[Constraint]:
    return [policy for policy in ruleset.policies if isinstance(policy, Constraint)]


def _matching(ruleset: Ruleset, review: Review, inventory: Inventory) -> list[Constraint]:
    return [policy for policy in _constraints(ruleset) if policy.matches(review, inventory, Point.CHECK)]


def _read(path: Path) -> list[Object]:
    return [found.value for found in load_raw(path.read_bytes(), path.name)]


def _timed(ask: Any, clock: Callable[[], float] = perf_counter) -> float:
    began = clock()
    ask()
    return 1000 * (clock() - began)
