"""What differs is told field by field."""

from pathlib import Path

from davy.flags.difference import FieldChange, FlagChange, between_environments, between_registries
from davy.flags.registry import Registry, read_registry

COMPLETE = (Path(__file__).parent.parent / "cases" / "complete" / "flags.yaml").read_bytes()


def read(text: bytes) -> Registry:
    registry, findings = read_registry([("flags.yaml", text)])
    assert findings == ()
    return registry


def test_environments_differ_in_what_their_overlays_say() -> None:
    registry = read(COMPLETE)
    (change,) = between_environments(registry, "staging", "production")
    assert [each.field for each in change.fields] == ["defaultVariant", "targeting"]
    assert change.fields[0] == FieldChange("defaultVariant", "on", "off")
    assert change.fields[1].after is None
    (change,) = between_environments(registry, "elsewhere", "load-test")
    assert change.fields == (
        FieldChange("state", "ENABLED", "DISABLED"),
        FieldChange("variants.extra", None, True),
    )
    assert between_environments(registry, "here", "there") == ()


def test_a_registry_differs_from_what_it_was() -> None:
    before = read(COMPLETE)
    assert between_registries(before, before) == ()
    after = read(
        COMPLETE.replace(b"owner: checkout", b"owner: shop", 1).replace(
            b'staging: {defaultVariant: "on"}', b"staging: {}"
        )
    )
    assert between_registries(before, after) == (
        FlagChange(
            "checkout.discount-enabled",
            "changed",
            (
                FieldChange("metadata.owner", "checkout", "shop"),
                FieldChange("environments.staging.defaultVariant", "on", None),
            ),
        ),
    )


def test_flags_come_and_go() -> None:
    one, retired = COMPLETE.split(b"---\n")
    assert between_registries(read(one), read(retired)) == (FlagChange("checkout.discount-enabled", "removed"),)
    added = FlagChange("checkout.discount-enabled", "added")
    woken = FlagChange("checkout.sums-in-words", "added")
    assert between_registries(Registry(), read(one)) == (added,)
    assert between_registries(read(COMPLETE), read(COMPLETE.replace(b"retired: true", b"retired: false"))) == (
        woken,
    )
    live = retired.replace(b"retired: true", b"retired: false")
    assert between_registries(read(live), read(retired)) == (FlagChange("checkout.sums-in-words", "retired"),)


def test_a_number_is_no_boolean() -> None:
    text = b"""apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: a.b}
spec: {owner: a, jira: AB-1, expiry: 2027-03-01, variants: {a: {k: 1}}, safeValue: {k: 1}}
"""
    (change,) = between_registries(read(text), read(text.replace(b"k: 1", b"k: true")))
    assert [each.field for each in change.fields] == ["variants.a"]
