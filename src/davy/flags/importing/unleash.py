"""Unleash's features as FeatureFlags.

Read are exports of a project (`features`, `featureStrategies`, `featureEnvironments` …), whose environments
become overlays, and what its SDKs get (`features` with their `strategies`, `segments`). A feature is on for
whom any of its strategies is, and every constraint of it holds (docs: "Activation strategies", "Strategy
constraints").
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from json import loads
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
)

_KEY: Json = {"var": "targetingKey"}
_KINDS = {
    "release": "release",
    "experiment": "experiment",
    "kill-switch": "kill-switch",
    "operational": "kill-switch",
    "permission": "permission",
}
_TEXTS = {"STR_STARTS_WITH": "starts_with", "STR_ENDS_WITH": "ends_with"}
_NUMBERS = {"NUM_EQ": "==", "NUM_GT": ">", "NUM_GTE": ">=", "NUM_LT": "<", "NUM_LTE": "<="}
_VERSIONS = {"SEMVER_EQ": "=", "SEMVER_GT": ">", "SEMVER_GTE": ">=", "SEMVER_LT": "<", "SEMVER_LTE": "<="}
_DATES = {"DATE_AFTER": ">", "DATE_BEFORE": "<"}
_NOTHING: Mapping[str, Json] = {"string": "", "csv": "", "number": 0, "json": {}}
OFF = "disabled"
"""The variant of a feature that is off, where its variants are not just on and off."""


def from_unleash(export: Mapping[str, Any]) -> tuple[list[Imported], list[Told]]:
    """Translate an export; what cannot be said here is off for everybody, and told."""
    reading = _Reading(_by_environment(export), export.get("segments") or ())
    names = sorted({name for features in reading.environments.values() for name in features})
    flags = [found for name in names if (found := reading.flag(name))]
    return flags, list(dict.fromkeys(reading.told))


def _by_environment(export: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the features of each environment as an SDK gets them; the empty name is for all of them."""
    features = {str(each["name"]): each for each in export.get("features") or () if not each.get("archived")}
    if "featureEnvironments" not in export:
        return {"": features}
    found: dict[str, dict[str, Any]] = {}
    for each in export["featureEnvironments"]:
        name, environment = str(each["featureName"]), str(each["environment"])
        if name in features:
            strategies = [
                strategy
                for strategy in export.get("featureStrategies") or ()
                if strategy.get("featureName") == name
                and strategy.get("environment", environment) == environment
            ]
            strategies.sort(key=lambda strategy: strategy.get("sortOrder") or 0)
            own = {"enabled": each.get("enabled", False), "strategies": strategies}
            depends = [
                {**dependency, "feature": dependency.get("parent") or dependency.get("feature")}
                for group in export.get("dependencies") or ()
                if group.get("feature") == name
                for dependency in group.get("dependencies") or ()
            ]
            variants = each.get("variants") or features[name].get("variants") or []
            found.setdefault(environment, {})[name] = {
                **features[name],
                **own,
                "variants": variants,
                "dependencies": depends,
            }
    return found


class _Reading:
    """Reads the features of one export."""

    def __init__(self, environments: dict[str, dict[str, Any]], segments: Iterable[Mapping[str, Any]]) -> None:
        self.environments = environments
        self.segments = {each.get("id"): each for each in segments}
        self.told: list[Told] = []

    def tell(self, name: str, message: str, severity: Any = "error") -> None:
        self.told.append(Told(name, severity, message))

    def flag(self, name: str) -> Imported | None:
        found = {where: features[name] for where, features in self.environments.items() if name in features}
        feature = next(iter(found.values()))
        variants: dict[str, Json] = {}
        for each in found.values():
            variants |= _variants(each)
        if not variants:
            variants, off = {"on": True, "off": False}, "off"
        else:
            off = OFF
            payloads = [each.get("payload") or {} for each in _all_variants(feature)]
            variants[OFF] = _NOTHING.get(payloads[0].get("type", "string") if payloads else "string", "")
            self.tell(
                name, "it has variants: code that asks whether it is on has to ask for the value", "warning"
            )
        if not one_type(variants):
            self.tell(name, "the payloads of its variants are not of one type: it is left out")
            return None
        answers: dict[str, Overlay] = {}
        for where, each in found.items():
            answers[where] = answer(self.rule(name, each, where, off, ()), off)
        if feature.get("impressionData"):
            self.tell(name, "impression data is not asked for here: evaluations are counted", "note")
        return Imported(
            key=name,
            variants=variants,
            safe=off,
            answers=answers,
            description=str(feature.get("description") or ""),
            kind=_KINDS.get(str(feature.get("type")), "release"),
            metadata={"project": feature["project"]} if isinstance(feature.get("project"), str) else {},
        )

    def rule(self, name: str, feature: Mapping[str, Any], where: str, off: str, above: tuple[str, ...]) -> Json:
        """Return what a feature answers: the name of a variant, or a rule."""
        if not feature.get("enabled"):
            if feature.get("strategies") and not above:
                self.tell(name, "it is off, so what its strategies say is left out", "warning")
            return off
        branches: list[tuple[Json, Json]] = [
            (negated(self.depends(name, each, where, above)), off) for each in feature.get("dependencies") or ()
        ]
        strategies = feature.get("strategies") or [{"name": "default"}]
        for each in strategies:
            try:
                condition = self.strategy(name, each)
            except Untranslatable as why:
                self.tell(name, f"a strategy that cannot be said here is off for everybody: {why}")
                continue
            drawn = each.get("variants") or feature.get("variants") or ()
            branches += self.served(name, condition, drawn, off)
        return chosen(branches, off)

    def served(
        self, name: str, condition: Json, variants: Sequence[Mapping[str, Any]], off: str
    ) -> list[tuple[Json, Json]]:
        """Return what those get for whom a strategy is on: a variant of theirs, or one that is drawn."""
        if not variants:
            return [(condition, "on" if off == "off" else off)]
        branches: list[tuple[Json, Json]] = [
            (
                all_of([condition, {"in": [_attribute(override["contextName"]), list(override["values"])]}]),
                each["name"],
            )
            for each in variants
            for override in each.get("overrides") or ()
        ]
        weights: list[Json] = [[each["name"], int(each["weight"])] for each in variants if each.get("weight")]
        if len(weights) > 1:
            self.tell(name, "another hash draws its variants: others than there get each of them", "warning")
        by = self.drawn_by(name, str(variants[0].get("stickiness") or "default"))
        return [*branches, (condition, {"fractional": [*by, *weights]} if weights else off)]

    def depends(self, name: str, wanted: Mapping[str, Any], where: str, above: tuple[str, ...]) -> Json:
        """Say when a parent allows a feature."""
        other = str(wanted.get("feature"))
        parent = self.environments[where].get(other)
        if parent is None or other in (*above, name) or wanted.get("variants"):
            self.tell(
                name, f"it depends on {other!r} in a way that cannot be said here: it is off for everybody"
            )
            return False
        self.tell(
            name, f"its parent {other!r} is written out in it: a change there is no change here", "warning"
        )
        rule = self.rule(other, {**parent, "variants": []}, where, "off", (*above, name))
        on: Json = rule == "on" if isinstance(rule, str) else {"===": [rule, "on"]}
        return on if wanted.get("enabled", True) else negated(on)

    def strategy(self, name: str, strategy: Mapping[str, Any]) -> Json:
        """Translate a strategy.

        Raises:
            Untranslatable: it, or one of its constraints, cannot be said here.
        """
        constraints = list(strategy.get("constraints") or ())
        for each in strategy.get("segments") or ():
            if each not in self.segments:
                raise Untranslatable(f"the segment {each!r} is not in this export")
            constraints += self.segments[each].get("constraints") or ()
        told = [_constraint(each) for each in constraints]
        return all_of(
            [*told, self.activation(name, str(strategy.get("name")), strategy.get("parameters") or {})]
        )

    def activation(self, name: str, kind: str, parameters: Mapping[str, Any]) -> Json:
        """Say for whom a strategy is on.

        Raises:
            Untranslatable: there is no such strategy here.
        """
        match kind:
            case "default":
                return True
            case "userWithId":
                return {"in": [_KEY, _words(parameters.get("userIds"))]}
            case "remoteAddress":
                addresses = _words(parameters.get("IPs"))
                if any("/" in each for each in addresses):
                    raise Untranslatable("ranges of addresses, which flagd has no word for")
                return {"in": [{"var": "remoteAddress"}, addresses]}
            case "flexibleRollout":
                return self.share(
                    name, parameters.get("rollout"), str(parameters.get("stickiness") or "default")
                )
            case "gradualRolloutUserId":
                return self.share(name, parameters.get("percentage"), "userId")
            case "gradualRolloutSessionId":
                return self.share(name, parameters.get("percentage"), "sessionId")
            case "gradualRolloutRandom":
                return self.share(name, parameters.get("percentage"), "random")
            case _:
                raise Untranslatable(f"the strategy {kind!r}, which flagd has no word for")

    def share(self, name: str, percentage: Any, stickiness: str) -> Json:
        """Say for which share of users it is on."""
        percent = int(percentage or 0)
        if percent >= 100:
            return True
        if percent <= 0:
            return False
        self.tell(name, "another hash draws the users of a percentage: others than there have it on", "warning")
        weights: list[Json] = [["in", percent], ["out", 100 - percent]]
        return {"===": [{"fractional": [*self.drawn_by(name, stickiness), *weights]}, "in"]}

    def drawn_by(self, name: str, stickiness: str) -> list[Json]:
        """Return the expression that users are drawn by, none for their key."""
        if stickiness == "random":
            self.tell(name, "it drew anew for each request: here a user stays where the user is")
        if stickiness in ("default", "userId", "random"):
            return []
        return [{"cat": [{"var": "$flagd.flagKey"}, _attribute(stickiness)]}]


def _all_variants(feature: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    own = list(feature.get("variants") or ())
    return own + [
        each for strategy in feature.get("strategies") or () for each in strategy.get("variants") or ()
    ]


def _variants(feature: Mapping[str, Any]) -> dict[str, Json]:
    return {str(each["name"]): _payload(each) for each in _all_variants(feature)}


def _payload(variant: Mapping[str, Any]) -> Any:
    payload = variant.get("payload") or {"type": "string", "value": variant["name"]}
    if payload.get("type") in ("json", "number"):
        return loads(payload["value"])
    return payload["value"]


def _words(text: Any) -> list[Any]:
    return [word.strip() for word in str(text or "").split(",") if word.strip()]


def _attribute(name: str) -> Json:
    """Return the attribute of a context; properties are beside the others here."""
    return _KEY if name == "userId" else {"var": name.removeprefix("properties.")}


def _constraint(constraint: Mapping[str, Any]) -> Json:
    """Translate a constraint.

    Raises:
        Untranslatable: flagd has no such operator.
    """
    name, operator = str(constraint.get("contextName")), str(constraint.get("operator"))
    value = constraint.get("value")
    values: list[Any] = [str(each) for each in constraint.get("values") or ()]
    if name != "userId" and "." in name.removeprefix("properties."):
        raise Untranslatable(f"the attribute {name!r}, whose name would be a path here")
    found = _condition(operator, _attribute(name), name, values, value, constraint)
    return negated(found) if constraint.get("inverted") else found


def _condition(
    operator: str, item: Json, name: str, values: list[Any], value: Any, constraint: Mapping[str, Any]
) -> Json:
    if operator in ("IN", "NOT_IN"):
        found: Json = {"in": [item, values]}
        return negated(found) if operator == "NOT_IN" else found
    if operator in _TEXTS or operator == "STR_CONTAINS":
        if constraint.get("caseInsensitive"):
            raise Untranslatable(f"{name!r} is compared without regard to case, which flagd has no word for")
        if operator == "STR_CONTAINS":
            return any_of([{"in": [each, item]} for each in values])
        return any_of([{_TEXTS[operator]: [item, each]} for each in values])
    if operator in _NUMBERS:
        return all_of([{"!==": [item, None]}, {_NUMBERS[operator]: [item, float(value)]}])
    if operator in _VERSIONS:
        return {"sem_ver": [item, _VERSIONS[operator], str(value)]}
    if operator in _DATES and name == "currentTime":
        at = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return {_DATES[operator]: [{"var": "$flagd.timestamp"}, at.timestamp()]}
    raise Untranslatable(f"{name!r} is compared by {operator}, which flagd has no word for")
