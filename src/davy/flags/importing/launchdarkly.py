"""LaunchDarkly's flags as FeatureFlags.

Read are the data of its SDKs (`flags`, `segments`, `flagValues`, as in files for tests) and flags of its REST
API v2, one or a list in `items`, whose environments become overlays. A clause tests every item of an attribute
that is a list, and holds of nobody who lacks the attribute, negated or not (docs: "Target with flags").
"""

from collections.abc import Iterator, Mapping, Sequence
from math import gcd
from typing import Any

from davy.flags.details import Json
from davy.flags.importing.imported import (
    Imported,
    Overlay,
    Told,
    Untranslatable,
    all_of,
    answer,
    any_of,
    chosen,
    negated,
    one_type,
    safe_among,
)

_KEY: Json = {"var": "targetingKey"}
_ITEM: Json = {"var": ""}
_TEXTS = {"startsWith": "starts_with", "endsWith": "ends_with"}
_NUMBERS = {"lessThan": "<", "lessThanOrEqual": "<=", "greaterThan": ">", "greaterThanOrEqual": ">="}
_VERSIONS = {"semVerEqual": "=", "semVerLessThan": "<", "semVerGreaterThan": ">"}


def from_launchdarkly(export: Mapping[str, Any]) -> tuple[list[Imported], list[Told]]:
    """Translate an export; what cannot be said here matches nobody, and is told."""
    reading = _Reading(_flags_in(export), export.get("segments") or {})
    flags = [found for key, flag in sorted(reading.flags.items()) if (found := reading.flag(key, flag))]
    flags += [
        Imported(key, {"value": value}, "value", {"": Overlay("value")})
        for key, value in sorted((export.get("flagValues") or {}).items())
        if reading.can_be(key, {"value": value})
    ]
    return flags, list(dict.fromkeys(reading.told))


def _flags_in(export: Mapping[str, Any]) -> dict[str, Any]:
    if "variations" in export:
        return {str(export.get("key", "flag")): export}
    if isinstance(export.get("items"), list):
        return {str(flag.get("key")): flag for flag in export["items"] if isinstance(flag, dict)}
    return dict(export.get("flags") or {})


class _Reading:
    """Reads the flags of one export."""

    def __init__(self, flags: Mapping[str, Any], segments: Mapping[str, Any]) -> None:
        self.flags = flags
        self.segments = segments
        self.told: list[Told] = []

    def tell(self, key: str, message: str, severity: Any = "error") -> None:
        self.told.append(Told(key, severity, message))

    def can_be(self, key: str, variants: Mapping[str, Json]) -> bool:
        if one_type(variants):
            return True
        self.tell(key, "its variations are not of one type (boolean, text, number, object): it is left out")
        return False

    def flag(self, key: str, flag: Mapping[str, Any]) -> Imported | None:
        names = _names(flag)
        variants = dict(zip(names, (_value(each) for each in flag.get("variations") or ()), strict=True))
        if not self.can_be(key, variants):
            return None
        environments = flag.get("environments")
        found: Mapping[str, Any] = (
            environments if isinstance(environments, dict) and environments else {"": flag}
        )
        off = next(iter(found.values())).get("offVariation")
        safe = names[off] if isinstance(off, int) and off < len(names) else safe_among(variants)
        if off is None:
            self.tell(
                key, f"it has no off variation, where code decides; {safe!r} is what is safe here", "warning"
            )
        answers = {
            name: answer(self.rule(key, {**flag, **each}, names, ()), safe) for name, each in found.items()
        }
        return Imported(
            key=key,
            variants=variants,
            safe=safe,
            answers=answers,
            description=str(flag.get("description") or flag.get("name") or ""),
            kind="release" if flag.get("temporary", True) else "permission",
            exposure="client" if _for_clients(flag) else "server",
        )

    def rule(self, key: str, flag: Mapping[str, Any], names: Sequence[str], above: tuple[str, ...]) -> Json:
        """Return what a flag answers: the name of a variant, or a rule."""
        off = flag.get("offVariation")
        otherwise = names[off] if isinstance(off, int) and off < len(names) else None
        if not flag.get("on"):
            if not above and (flag.get("rules") or flag.get("targets")):
                self.tell(key, "it is off, so what it would do when it is on is left out", "warning")
            return otherwise
        branches: list[tuple[Json, Json]] = [
            (negated(self.holds(key, each, above)), otherwise) for each in flag.get("prerequisites") or ()
        ]
        branches += self.targets(key, flag, names)
        for each in flag.get("rules") or ():
            try:
                condition = all_of([self.clause(key, clause, ()) for clause in each.get("clauses") or ()])
            except Untranslatable as why:
                self.tell(key, f"a rule that cannot be said here matches nobody: {why}")
                continue
            branches.append((condition, self.served(key, each, names)))
        return chosen(branches, self.served(key, flag.get("fallthrough") or {}, names))

    def holds(self, key: str, wanted: Mapping[str, Any], above: tuple[str, ...]) -> Json:
        """Say when a prerequisite is met: its flag is on, and answers with a variation."""
        other = str(wanted.get("key"))
        flag = self.flags.get(other)
        if flag is None or other in (*above, key):
            self.tell(
                key, f"its prerequisite {other!r} is not in this export, or needs it in turn: it is always off"
            )
            return False
        flag = {**flag, **next(iter((flag.get("environments") or {"": {}}).values()))}
        names = _names(flag)
        if not flag.get("on"):
            return False
        rule = self.rule(other, flag, names, (*above, key))
        name = names[int(wanted.get("variation", 0))]
        self.tell(
            key, f"its prerequisite {other!r} is written out in it: a change there is no change here", "warning"
        )
        return rule == name if isinstance(rule, str) else {"===": [rule, name]}

    def targets(self, key: str, flag: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[Json, Json]]:
        """Give those who are named, in the order in which LaunchDarkly looks.

        Where there are targets by kind, they say the order, and those of users are among the others.
        """
        users = flag.get("targets") or ()
        for each in flag.get("contextTargets") or users:
            variation = int(each["variation"])
            if each.get("contextKind", "user") != "user":
                self.tell(
                    key, f"targets of the kind {each['contextKind']!r} are left out: there is one key here"
                )
                continue
            named = (same.get("values") or () for same in users if same["variation"] == variation)
            if values := list(each.get("values") or next(named, ())):
                yield {"in": [_KEY, values]}, names[variation]

    def served(self, key: str, served: Mapping[str, Any], names: Sequence[str]) -> Json:
        """Return a variation, or the weights of several."""
        if isinstance(served.get("variation"), int):
            return names[int(served["variation"])]
        rollout = served.get("rollout") or {}
        weights: dict[str, int] = {}
        for each in rollout.get("variations") or ():
            name = names[int(each["variation"])]
            weights[name] = weights.get(name, 0) + int(each.get("weight", 0))
        weights = {name: weight for name, weight in weights.items() if weight}
        if len(weights) <= 1:
            return next(iter(weights), names[-1])
        if rollout.get("contextKind", "user") != "user":
            self.tell(key, f"users are drawn by their key, and not by the kind {rollout['contextKind']!r}")
        self.tell(
            key, "another hash draws the users of a percentage: others than there get each variation", "warning"
        )
        by, size = rollout.get("bucketBy") or "key", gcd(*weights.values())
        drawn: list[Json] = [] if by == "key" else [{"cat": [{"var": "$flagd.flagKey"}, {"var": by}]}]
        shares: list[Json] = [[name, weight // size] for name, weight in weights.items()]
        return {"fractional": [*drawn, *shares]}

    def clause(self, key: str, clause: Mapping[str, Any], within: tuple[str, ...]) -> Json:
        """Translate a condition.

        Raises:
            Untranslatable: it cannot be said here.
        """
        op, values = str(clause.get("op")), list(clause.get("values") or ())
        negate = bool(clause.get("negate"))
        if op == "segmentMatch":
            found = any_of([self.segment(key, str(each), within) for each in values])
            return negated(found) if negate else found
        name = str(clause.get("attribute"))
        if clause.get("contextKind", "user") != "user":
            raise Untranslatable(f"{name!r} of a context of the kind {clause['contextKind']!r}")
        if name == "key":
            tested = any_of([_test(op, _KEY, values, name)])
            return all_of([{"!==": [_KEY, None]}, negated(tested)]) if negate else tested
        if "." in name or "/" in name:
            raise Untranslatable(f"the attribute {name!r}, whose name would be a path here")
        found = {"some": [{"merge": [{"var": name}]}, _test(op, _ITEM, values, name)]}
        return all_of([{"!==": [{"var": name}, None]}, negated(found)]) if negate else found

    def segment(self, key: str, name: str, within: tuple[str, ...]) -> Json:
        """Write a segment out.

        Raises:
            Untranslatable: it is not in the export, or draws users by a hash.
        """
        found = self.segments.get(name)
        if found is None or name in within:
            raise Untranslatable(f"the segment {name!r} is not in this export, or is in itself")
        if found.get("unbounded") or found.get("includedContexts") or found.get("excludedContexts"):
            raise Untranslatable(f"the segment {name!r} names its members elsewhere, or by other kinds")
        rules = []
        for rule in found.get("rules") or ():
            if rule.get("weight") is not None:
                raise Untranslatable(f"the segment {name!r} draws a percentage of users")
            rules.append(
                all_of([self.clause(key, each, (*within, name)) for each in rule.get("clauses") or ()])
            )
        included, excluded = list(found.get("included") or ()), list(found.get("excluded") or ())
        by_rule = all_of([negated({"in": [_KEY, excluded]}) if excluded else True, any_of(rules)])
        return any_of([{"in": [_KEY, included]} if included else False, by_rule])


def _test(op: str, item: Json, values: list[Any], name: str) -> Json:
    """Test one value.

    Raises:
        Untranslatable: flagd has no such operator.
    """
    if op == "in":
        return {"in": [item, values]}
    if op in _TEXTS:
        return any_of([{_TEXTS[op]: [item, each]} for each in values if isinstance(each, str)])
    if op == "contains":
        return any_of([{"in": [each, item]} for each in values if isinstance(each, str)])
    if op in _NUMBERS:
        numbers = [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
        is_number: Json = {"===": [{"+": [item]}, item]}
        return all_of([is_number, any_of([{_NUMBERS[op]: [item, each]} for each in numbers])])
    if op in _VERSIONS:
        return any_of([{"sem_ver": [item, _VERSIONS[op], each]} for each in values if isinstance(each, str)])
    what = {"matches": "a regular expression", "before": "a date", "after": "a date"}.get(
        op, f"operator {op!r}"
    )
    raise Untranslatable(f"{name!r} is compared by {what}, which flagd has no word for")


def _value(variation: Any) -> Any:
    """Return the value of a variation; the REST API has it in a mapping with its name."""
    is_rest = isinstance(variation, dict) and "value" in variation and variation.keys() <= _REST
    return variation["value"] if is_rest else variation


_REST = frozenset({"_id", "value", "name", "description"})


def _names(flag: Mapping[str, Any]) -> list[str]:
    """Name the variations: as their author did, on and off, or by their number."""
    names: list[str] = []
    for index, variation in enumerate(flag.get("variations") or ()):
        value = _value(variation)
        name = variation.get("name") if value is not variation else None
        if not name:
            name = ("on" if value else "off") if isinstance(value, bool) else f"variation-{index}"
        names.append(name if name not in names else f"{name}-{index}")
    return names


def _for_clients(flag: Mapping[str, Any]) -> bool:
    said = flag.get("clientSideAvailability") or {}
    return bool(flag.get("clientSide") or said.get("usingEnvironmentId") or said.get("usingMobileKey"))
