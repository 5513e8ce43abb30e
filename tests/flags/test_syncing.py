"""What differs between Git and a vendor, and that only what is safe is ever switched."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from davy.flags.registry import Registry, read_registry
from davy.flags.syncing import Standing, compare, described, name_there, standing_in_files
from davy.flags.vendor import VendorFlag

NOW = 1_772_445_000.0  # 2026-03-02T09:50:00Z
GATED, PLAIN, OLD = "checkout.discount-enabled", "checkout.page-size", "search.fuzzy-enabled"

FLAGS = b"""
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: checkout.discount-enabled}
spec:
  owner: checkout
  jira: PAY-123
  expiry: 2027-03-01
  description: Ten percent off.
  variants: {"on": true, "off": false}
  safeValue: false
  rollout: {name: payments, weight: 20}
---
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: checkout.page-size}
spec:
  owner: checkout
  jira: PAY-124
  expiry: 2027-03-01
  variants: {"small": 10, "large": 50}
  safeValue: 10
  metadata: {importedAs: pageSize}
---
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: search.fuzzy-enabled}
spec:
  owner: search
  jira: SEA-4
  expiry: 2026-01-31
  variants: {"on": true, "off": false}
  safeValue: false
---
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: checkout.power-peg}
spec:
  owner: checkout
  jira: PAY-1
  expiry: 2012-08-01
  retired: true
  variants: {"on": true, "off": false}
  safeValue: false
"""


def registry() -> Registry:
    found, findings = read_registry([("flags.yaml", FLAGS)])
    assert not [each for each in findings if each.severity == "error"], findings
    return found


REGISTRY = registry()
OPEN = {key: Standing(open=True, why="no rollout is linked") for key in REGISTRY.flags}


def there(key: str, *, on: bool = False, stale: bool | None = False, said: str | None = None) -> VendorFlag:
    """Return a flag as a vendor has it, saying what Git says of it."""
    declaration = REGISTRY.flags[key]
    text = described(declaration, NOW).description if said is None else said
    return VendorFlag(name_there(declaration), on, text, stale)


def found(*flags: VendorFlag, standings: dict[str, Standing] | None = None) -> list[tuple[str, str, str]]:
    differences = compare(REGISTRY, {**OPEN, **(standings or {})}, flags, NOW)
    return [(each.key, each.kind, each.mend) for each in differences]


AS_DECLARED = (there(GATED), there(PLAIN), there(OLD, stale=True))


def test_nothing_differs_where_all_is_as_declared() -> None:
    assert found(*AS_DECLARED) == []


def test_owner_ticket_and_end_are_said_there() -> None:
    said = described(REGISTRY.flags[GATED], NOW)
    assert said.description == "Ten percent off.\nowner: checkout\njira: PAY-123\nexpiry: 2027-03-01"
    assert (said.key, said.safe, said.stale) == (GATED, "off", False)
    assert described(REGISTRY.flags[PLAIN], NOW).key == "pageSize"


def test_a_flag_that_is_missing_is_created() -> None:
    assert found(*AS_DECLARED[1:]) == [(GATED, "missing", "create")]


def test_what_waits_for_a_canary_or_was_killed_is_switched_off_there() -> None:
    rest = AS_DECLARED[1:]
    closed = Standing(open=False, why="no canary of default/payments has passed yet")
    killed = Standing(open=False, why="it was killed", killed=True)
    assert found(there(GATED, on=True), *rest, standings={GATED: closed}) == [(GATED, "closed", "switch off")]
    assert found(there(GATED, on=True), *rest, standings={GATED: killed}) == [(GATED, "killed", "switch off")]
    assert found(there(GATED), *rest, standings={GATED: killed}) == []
    assert found(there(GATED, on=True), *rest) == []


def test_the_end_of_a_flag_is_marked_where_there_is_such_a_mark() -> None:
    rest = AS_DECLARED[:2]
    assert found(*rest, there(OLD, stale=False)) == [(OLD, "expired", "describe")]
    assert found(*rest, there(OLD, stale=None)) == [(OLD, "expired", "")]
    assert found(there(GATED, stale=True), *AS_DECLARED[1:]) == [(GATED, "stale", "")]
    assert found(there(GATED, stale=None), *AS_DECLARED[1:]) == []


def test_what_is_said_otherwise_there_is_said_again() -> None:
    assert found(there(GATED, said="my flag"), *AS_DECLARED[1:]) == [(GATED, "described", "describe")]


def test_what_git_does_not_know_is_for_people_and_a_retired_key_wakes_nothing_up() -> None:
    more = (VendorFlag("theirs", on=True), VendorFlag("theirs.too", on=False))
    assert found(*AS_DECLARED, *more) == [("theirs", "undeclared", ""), ("theirs.too", "undeclared", "")]
    woken = VendorFlag("checkout.power-peg", on=True)
    assert found(*AS_DECLARED, woken) == [("checkout.power-peg", "retired", "switch off")]
    asleep = VendorFlag("checkout.power-peg", on=False)
    assert found(*AS_DECLARED, asleep) == [("checkout.power-peg", "retired", "")]


def test_without_an_engine_what_is_linked_stays_off_in_production_and_nowhere_else() -> None:
    gated, plain = REGISTRY.flags[GATED], REGISTRY.flags[PLAIN]
    assert not standing_in_files(gated, "production").open
    assert standing_in_files(gated, "staging").open
    assert standing_in_files(plain, "production").open


FLAG = st.builds(
    VendorFlag,
    st.sampled_from([*REGISTRY.flags, "pageSize", "checkout.power-peg", "theirs"]),
    st.booleans(),
    st.text(max_size=3),
    st.sampled_from([True, False, None]),
)
STANDING = st.builds(Standing, st.booleans(), st.just("why"), st.booleans())


@given(st.lists(FLAG, unique_by=lambda each: each.key), st.fixed_dictionaries(dict.fromkeys(OPEN, STANDING)))
def test_only_what_is_on_and_may_not_be_is_switched_and_every_flag_that_may_not_is(
    flags: list[VendorFlag], standings: dict[str, Standing]
) -> None:
    named = {name_there(each): key for key, each in REGISTRY.flags.items()}
    shut = {name for name, key in named.items() if not standings[key].open}
    on = {flag.key for flag in flags if flag.on}
    must = on & {*REGISTRY.retired, *shut}
    differences = compare(REGISTRY, standings, flags, NOW)
    assert {each.there for each in differences if each.mend == "switch off"} == must
    assert all(each.message for each in differences)


def test_the_example_can_be_compared() -> None:
    file = Path(__file__).parents[2] / "examples" / "payments" / "flags.yaml"
    example, _ = read_registry([("flags.yaml", file.read_bytes())])
    standings = {key: standing_in_files(each, "production") for key, each in example.flags.items()}
    kinds = [each.kind for each in compare(example, standings, [], NOW)]
    assert kinds == ["missing"] * len(example.flags)
