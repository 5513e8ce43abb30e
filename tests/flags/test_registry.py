"""What is declared in Git: by FeatureFlags and by documents of flagd, each key once."""

from pathlib import Path

import pytest

from davy.flags.governance import Bucketing, Criticality, Exposure, FlagKind, Governance, OnError, governance_in
from davy.flags.registry import Registry, read_registry, registry_of
from davy.model.finding import Finding, Place
from davy.model.loader import load

CASES = Path(__file__).parent.parent / "cases"
COMPLETE = (CASES / "complete" / "flags.yaml").read_bytes()
FLAG = b"""apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: checkout.discount-enabled}
spec: {owner: checkout, jira: PAY-1, expiry: 2027-03-01, variants: {"on": true, "off": false},
  safeValue: false%s}
"""


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return [(each.severity, each.code, each.title) for each in findings]


def test_a_feature_flag_is_declared_with_its_governance_and_overlays() -> None:
    registry, findings = read_registry([("flags.yaml", COMPLETE)])
    assert findings == ()
    flag = registry.flags["checkout.discount-enabled"]
    assert flag.governance == Governance(
        owner="checkout",
        jira="PAY-123",
        expiry="2027-03-01",
        kind=FlagKind.RELEASE,
        exposure=Exposure.CLIENT,
        criticality=Criticality.HIGH,
        safe="off",
        on_error=OnError.LAST_KNOWN,
        bucketing=Bucketing.V2,
        rollout="shop/payments",
        rollout_weight=50,
        drill_every="720h",
        description="Ten percent off for everybody who pays by invoice.",
    )
    assert governance_in(flag.definition.metadata) == flag.governance
    assert flag.definition.metadata["dashboard"] == "https://example.com/d/1"
    assert flag.place == Place("flags.yaml", 3, 12)
    assert flag.type == "boolean"
    assert flag.ramp is not None
    staging, production, load_test = (
        flag.in_environment(name) for name in ("staging", "production", "load-test")
    )
    assert (staging.default_variant, staging.targeting) == ("on", flag.definition.targeting)
    assert (production.default_variant, production.targeting) == ("off", None)
    assert (load_test.enabled, load_test.variants["extra"]) == (False, True)
    assert flag.in_environment("elsewhere") == flag.definition


def test_targeting_is_json_with_lists() -> None:
    (flag,) = read_registry([("flags.yaml", COMPLETE)])[0].flags.values()
    assert flag.definition.targeting == {
        "if": [
            {"ends_with": [{"var": "email"}, "@example.com"]},
            "on",
            {"fractional": [{"var": "account"}, ["on", 10], ["off", 90]]},
        ]
    }


def test_without_a_default_a_flag_answers_what_is_safe() -> None:
    (flag,) = read_registry([("a.yaml", FLAG % b"")])[0].flags.values()
    assert flag.definition.default_variant == "off"
    assert "rolloutWeight" not in flag.definition.metadata


def test_a_retired_key_stays_taken() -> None:
    text = FLAG % b", retired: true" + b"---\n" + FLAG % b""
    registry, findings = read_registry([("a.yaml", text)])
    assert (dict(registry.flags), list(registry.retired)) == ({}, ["checkout.discount-enabled"])
    assert told(findings) == [
        (
            "error",
            "DV014",
            "the key 'checkout.discount-enabled' was retired (a.yaml:3:12): "
            "old code that reads it may still run",
        )
    ]


def test_a_set_has_the_name_of_its_environment() -> None:
    registry, _ = read_registry([("a.yaml", FLAG % b""), ("b.yaml", COMPLETE.split(b"---")[0])])
    definitions = registry.definitions("production")
    assert list(definitions.flags) == ["checkout.discount-enabled"]
    assert definitions.metadata == {"flagSetId": "production"}


FLAGD = b"""{"$evaluators": {"internal": {"ends_with": [{"var": "email"}, "@example.com"]}},
"metadata": {"owner": "search"},
"flags": {
 "search.fuzzy": {"state": "ENABLED", "variants": {"much": 2.5, "little": 1}, "defaultVariant": "little",
   "targeting": {"if": [{"$ref": "internal"}, "much", null]},
   "metadata": {"jira": "SEA-4", "expiry": "2027-01-31", "safe": "little", "kind": "permission"}},
 "search.limit": {"state": "DISABLED", "variants": {"a": 1, "b": 2}, "defaultVariant": null, "targeting": {}},
 "search.mode": {"state": "ENABLED", "variants": {"a": {"k": [1]}}},
 "plain": {"state": "ENABLED", "variants": {"a": "x"}, "defaultVariant": "a"}}}
"""


def test_a_document_of_flagd_declares_flags() -> None:
    registry, findings = read_registry([("flags.json", FLAGD)])
    fuzzy = registry.flags["search.fuzzy"]
    assert (fuzzy.type, fuzzy.governance.owner, fuzzy.governance.safe) == ("float", "search", "little")
    assert fuzzy.place == Place("flags.json", 4, 2)
    limit = registry.flags["search.limit"]
    assert (limit.type, limit.definition.enabled, limit.definition.default_variant) == ("integer", False, None)
    assert limit.definition.targeting is None
    assert registry.flags["search.mode"].type == "object"
    assert registry.definitions("any").evaluators == {
        "internal": {"ends_with": [{"var": "email"}, "@example.com"]}
    }
    assert told(findings) == [("warning", "DV008", "the key 'plain' has no namespace: nobody owns it")]


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("7", ("DV006", 'flags["a.b"]', "has to be a mapping")),
        (
            '{"variants": {"on": true}}',
            ("DV007", 'flags["a.b"].state', "`state` has to be ENABLED or DISABLED"),
        ),
        ('{"state": "ON", "variants": {"on": true}}', ("DV008", 'flags["a.b"].state', "ENABLED or DISABLED")),
        ('{"state": "ENABLED"}', ("DV007", 'flags["a.b"].variants', "at least one variant")),
        ('{"state": "ENABLED", "variants": []}', ("DV006", 'flags["a.b"].variants', "at least one variant")),
        ('{"state": "ENABLED", "variants": {"a": 1, "b": ""}}', ("DV006", 'flags["a.b"].variants', "one type")),
        ('{"state": "ENABLED", "variants": {"a": null}}', ("DV006", 'flags["a.b"].variants', "one type")),
        (
            '{"state": "ENABLED", "variants": {"a": 1}, "defaultVariant": 1}',
            ("DV006", 'flags["a.b"].defaultVariant', "the name of a variant"),
        ),
        (
            '{"state": "ENABLED", "variants": {"variant": 1}, "defaultVariant": "varaint"}',
            ("DV008", 'flags["a.b"].defaultVariant', "there is no variant 'varaint'"),
        ),
        (
            '{"state": "ENABLED", "variants": {"a": 1}, "targeting": "a"}',
            ("DV006", 'flags["a.b"].targeting', "has to be a mapping"),
        ),
        (
            '{"state": "ENABLED", "variants": {"a": 1}, "targeting": {"if": [true, "x"]}}',
            ("DV008", 'flags["a.b"].targeting.if[1]', "there is no variant 'x'"),
        ),
        (
            '{"state": "ENABLED", "variants": {"a": 1}, "owner": "me"}',
            ("DV005", 'flags["a.b"].owner', "a flag has no field `owner`"),
        ),
        (
            '{"state": "ENABLED", "variants": {"a": 1}, "varants": {}}',
            ("DV005", 'flags["a.b"].varants', "a flag has no field `varants`"),
        ),
        (
            '{"state": "ENABLED", "variants": {"a": 1}, "metadata": []}',
            ("DV006", 'flags["a.b"].metadata', "`metadata` has to be a mapping"),
        ),
        *(
            (f'{{"state": "ENABLED", "variants": {{"a": 1}}, "metadata": {{{pair}}}}}', (code, path, title))
            for pair, code, path, title in [
                ('"owner": ["a"]', "DV006", 'flags["a.b"].metadata.owner', "metadata is flat"),
                ('"ownr": "a"', "DV005", 'flags["a.b"].metadata.ownr', "`ownr` governs nothing"),
                ('"gate": "open"', "DV008", 'flags["a.b"].metadata.gate', "only Davy writes that"),
                ('"owner": 7', "DV008", 'flags["a.b"].metadata.owner', "`owner` cannot be: Expected `str`"),
                ('"kind": "x"', "DV008", 'flags["a.b"].metadata.kind', "`kind` cannot be: Invalid enum"),
                ('"jira": "x"', "DV008", 'flags["a.b"].metadata.jira', "no ticket"),
                ('"safe": "x"', "DV008", 'flags["a.b"].metadata.safe', "no variant has this name"),
                ('"rollout": "x"', "DV008", 'flags["a.b"].metadata.rollout', "write namespace/name"),
                ('"rolloutWeight": 0', "DV008", 'flags["a.b"].metadata.rolloutWeight', "between 1 and 100"),
                ('"expiry": "soon"', "DV008", 'flags["a.b"].metadata.expiry', "`expiry` is 'soon'"),
            ]
        ),
    ],
)
def test_what_is_wrong_in_a_document_of_flagd_is_told_where_it_stands(
    flag: str, expected: tuple[str, str, str]
) -> None:
    registry, (finding,) = read_registry([("flags.json", b'{"flags": {"a.b": %s}}' % flag.encode())])
    code, path, title = expected
    assert (finding.severity, finding.code, finding.path) == ("error", code, path)
    assert title in finding.title
    assert registry == Registry()


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("on", 'quote it, and the variants: "on", "off"'),
        ('"on"', 'write `"on":` under variants, too: without quotes it is a boolean there'),
    ],
)
@pytest.mark.parametrize("form", ["flagd", "FeatureFlag"])
def test_variants_without_quotes_are_told_what_to_write(form: str, name: str, fix: str) -> None:
    variants = f"{{variants: {{on: true, off: false}}, defaultVariant: {name}, "
    if form == "flagd":
        text = f"flags: {{a.b: {variants} state: ENABLED}}}}"
    else:
        head = "apiVersion: davy.dev/v1alpha1\nkind: FeatureFlag\nmetadata: {name: a.b}\nspec: "
        text = f"{head}{variants} owner: a, jira: A-1, expiry: 2029-01-01, safeValue: false}}"
        fix = fix if name == '"on"' else 'quote it: "on"'
    _, findings = read_registry([("flags.yaml", text.encode())])
    assert fix in [finding.fix for finding in findings]
    assert 'quote it: "off"' in [finding.fix for finding in findings if finding.code == "DV004"]


def test_parts_of_a_document_that_are_no_mappings_are_told_of() -> None:
    _, findings = read_registry([("a.json", b'{"metadata": 1, "$evaluators": [], "flags": {}}')])
    assert [finding.title for finding in findings] == [
        "`$evaluators` has to be a mapping",
        "`metadata` has to be a mapping",
    ]


def test_a_key_is_declared_once_whatever_by() -> None:
    flagd = b'{"flags": {"checkout.discount-enabled": {"state": "ENABLED", "variants": {"a": 1}}}}'
    registry, findings = read_registry([("a.yaml", FLAG % b""), ("b.json", flagd), ("c.yaml", FLAG % b"")])
    assert registry.flags["checkout.discount-enabled"].place.file == "a.yaml"
    title = "'checkout.discount-enabled' is declared already (a.yaml:3:12)"
    assert told(findings) == [("error", "DV014", title), ("error", "DV014", title)]
    assert [finding.place.file for finding in findings] == ["c.yaml", "b.json"]


def test_shared_rules_have_one_meaning() -> None:
    one, other = (
        b'{"flags": {}, "$evaluators": {"r": {"var": "a"}}}',
        b'{"flags": {}, "$evaluators": {"r": true}}',
    )
    registry, findings = read_registry([("a.json", one), ("b.json", one), ("c.json", other)])
    assert registry.evaluators == {"r": {"var": "a"}}
    assert told(findings) == [("error", "DV014", "the rule 'r' is another one in another file")]


def test_other_documents_are_left_alone() -> None:
    texts = [
        ("values.yaml", b"flags: [a]\nreplicas: 2\nreplicas: 3\n"),
        ("rollout.yaml", b"# flags\nkind: Rollot\nspec: {on: yes}\n---\n- FeatureFlag\n"),
        ("broken.yaml", b"{{ nothing that is YAML }}"),
    ]
    registry, findings = read_registry(texts)
    assert registry == Registry()
    assert told(findings) == [("error", "DV003", "the key `replicas` is here twice")]
    documents = load((CASES / "complete" / "kubectl.yaml").read_text(), "kubectl.yaml")
    assert registry_of(documents) == (Registry(), ())


def test_a_flag_that_is_not_valid_is_left_out() -> None:
    wrong = FLAG.replace(b"PAY-1", b"pay") % b""
    registry, findings = read_registry([("a.yaml", wrong), ("b.yaml", COMPLETE)])
    assert list(registry.flags) == ["checkout.discount-enabled"]
    assert told(findings) == [("error", "DV008", "`spec.jira` is 'pay', which is no ticket")]
