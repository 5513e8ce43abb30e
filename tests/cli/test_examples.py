"""The examples are what the article published, word for word where it says something."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from davy.cli.demo import examples


def first(path: Path) -> Any:
    return next(iter(YAML(typ="safe").load_all(path.read_text())))


@pytest.mark.parametrize(
    ("name", "published"), [("payments", "payments-canary.yaml.txt"), ("catalog", "catalog-bluegreen.yaml.txt")]
)
def test_the_strategy_is_the_articles_own(name: str, published: str) -> None:
    ours = first(examples() / name / "rollout.yaml")
    theirs = first(examples() / name / "seed" / published)
    assert ours["metadata"]["name"] == theirs["metadata"]["name"] == name
    for field in ("replicas", "strategy"):
        assert ours["spec"][field] == theirs["spec"][field]
