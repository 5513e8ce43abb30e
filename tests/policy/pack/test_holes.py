"""The seed's policy denies what it names, and lets every hole through that the pack closes."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from davy.model.loader import load_raw
from davy.policy import pack
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.review import review_of
from davy.policy.ruleset import Ruleset, read

ROOT = Path(__file__).parents[3]
SEED = [
    ROOT / "tests" / "cases" / "seed" / f"require-progressive-{name}.yaml"
    for name in ("template", "constraint")
]


def holes() -> Iterator[tuple[str, str, pack.Example]]:
    table = tomllib.loads((ROOT / "docs" / "explanation" / "holes.toml").read_text())
    for section in table["section"]:
        for hole in section["holes"]:
            if "rule" in hole:
                for example in pack.examples()[hole["rule"]].firing:
                    if example.note == hole["example"]:
                        yield hole["how"], hole["rule"], example


HOLES = list(holes())


@pytest.fixture(scope="module")
def seed() -> Ruleset:
    """The two policies of the seed, word for word."""
    return read([found.value for path in SEED for found in load_raw(path.read_text(), str(path))])


@pytest.fixture(scope="module")
def strict() -> Ruleset:
    return read(pack.objects("strict"))


def test_the_seed_denies_a_deployment_in_prod(seed: Ruleset) -> None:
    example = pack.examples()["PD001"].firing[0]
    for point in Point:
        (found,) = seed.judge(example.review, Inventory(), point)
        assert found.action == "deny"
        assert found.message == "Use Rollout with analysis in prod; Deployments are not allowed"
    assert (
        seed.judge(review_of(pack.examples()["PD020"].passing[0].review.subject), Inventory(), Point.CHECK)
        == ()
    )


@pytest.mark.parametrize(("how", "rule", "example"), HOLES, ids=[how for how, _, _ in HOLES])
def test_a_hole_passes_the_seed_and_not_the_pack(
    how: str, rule: str, example: pack.Example, seed: Ruleset, strict: Ruleset
) -> None:
    inventory = Inventory(example.inventory)
    denied = {
        found.rule
        for found in strict.judge(example.review, inventory, Point.ADMISSION)
        if found.action == "deny"
    }
    assert rule in denied
    assert seed.judge(example.review, inventory, Point.ADMISSION) == ()
