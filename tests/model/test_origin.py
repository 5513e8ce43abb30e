"""Which change a version is, by its annotations."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.model.origin import Origin, annotated, origin_of, repository_name, wrong
from davy.model.rollout import Rollout

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 64


def made(own: dict[str, str], template: dict[str, str]) -> Rollout:
    written = [{f"davy.dev/{name}": value for name, value in each.items()} for each in (own, template)]
    spec = {"strategy": {"canary": {}}, "template": {"metadata": {"annotations": written[1]}}}
    return msgspec.convert({"metadata": {"name": "payments", "annotations": written[0]}, "spec": spec}, Rollout)


def origin(own: dict[str, str], template: dict[str, str]) -> Origin:
    rollout = made(own, template)
    return origin_of(rollout, rollout.spec.template)


def test_what_stands_in_the_template_is_the_version_s_own() -> None:
    own = {"repository": "github.com/acme/shop", "commit": OTHER, "kind": "config", "team": "shop"}
    found = origin(own, {"commit": COMMIT, "remediates": OTHER})
    assert found == Origin("github.com/acme/shop", COMMIT, "config", OTHER)
    rollout = made(own, {"team": "pay"})
    assert annotated(rollout, rollout.spec.template) == {**own, "team": "pay"}


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"commit": COMMIT},
        {"repository": "github.com/acme/shop"},
        {"repository": "github.com/acme/shop", "commit": "main"},
    ],
)
def test_a_commit_without_repository_or_the_other_way_round_is_none(written: dict[str, str]) -> None:
    assert origin(written, {"kind": "flag"}) == Origin(kind="flag")


@pytest.mark.parametrize(
    "written",
    [
        "https://github.com/acme/payments.git",
        "https://anna:secret@GitHub.com/acme/payments",
        "git@github.com:acme/payments.git",
        "github.com:/acme/payments.git",
        "ssh://git@github.com:22/acme/payments/",
        "github.com/acme/payments",
    ],
)
def test_a_repository_has_one_name_however_its_address_is_written(written: str) -> None:
    assert repository_name(written) == "github.com/acme/payments"


def test_a_name_that_is_no_address_stays() -> None:
    for name in ("payments", "acme/payments", "/srv/git/payments", ".git"):
        assert repository_name(name) == name
    assert repository_name("https://git.acme.example:8443/shop") == "git.acme.example:8443/shop"


@given(st.text(max_size=60))
def test_the_name_of_a_name_is_that_name_for_what_people_write(text: str) -> None:
    once = repository_name(text)
    assert once or not text.strip()
    assert len(once) <= len(text)


def test_annotations_that_mean_nothing_are_told_each_with_a_way_out() -> None:
    found = wrong(
        {
            "davy.dev/commit": "0123456",
            "davy.dev/remediates": COMMIT.upper(),
            "davy.dev/kind": "rollback",
            "davy.dev/service": " ",
            "davy.dev/team": "a\nb",
            "davy.dev/target": "x" * 513,
            "davy.dev/environment": "prod-eu",
            "example.com/commit": "0123456",
        }
    )
    assert {name.removeprefix("davy.dev/"): title.split(", ", 1)[1] for name, (title, _) in found.items()} == {
        "commit": "which is not the whole name of a commit",
        "remediates": "which is not the whole name of a commit",
        "kind": "which no change is",
        "service": "which is no name",
        "team": "which is no name",
        "target": "which is no name",
    }
    assert all(fix for _, fix in found.values())
