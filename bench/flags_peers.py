"""The peers, asked about the same flags: `python -m bench.flags_peers` in an environment that has them.

Each is asked in process and by its own engine, as far as it has one, without network, events and metrics.
Prints one object: by the name of a peer its times by kind, or why there are none.
"""

import importlib.metadata
import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.flags_corpus import (
    ATTRIBUTES,
    COUNTRIES,
    EACH,
    KINDS,
    NAMES,
    SUFFIX,
    VERSION,
    Ask,
    flagd,
    microseconds,
    wrong,
)

ENDS = "@example\\.com$"
TEXTS = [{name: str(value) for name, value in each.items()} for each in ATTRIBUTES]


def main() -> None:
    """Ask all peers, one after another; what one of them does must not stop the others."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {}
    for package, make in PEERS.items():
        try:
            name = f"{package} {importlib.metadata.version(package)}"
            ask = make()
            if mistakes := wrong(ask):
                found[name] = f"it answers otherwise: {'; '.join(mistakes[:3])}"
            else:
                found[name] = microseconds(ask)
        except Exception as error:  # noqa: BLE001 - a peer may raise whatever it likes
            found[package] = f"{type(error).__name__}: {error}"[:200]
    print(json.dumps(found), flush=True)
    os._exit(0)  # some leave threads behind that never end


def _flagd() -> Ask:
    from openfeature.contrib.tools.flagd.core import FlagdCore
    from openfeature.evaluation_context import EvaluationContext

    core = FlagdCore()
    core.set_flags(json.dumps(flagd()))
    contexts = [EvaluationContext(name, about) for name, about in zip(NAMES, ATTRIBUTES, strict=True)]
    return lambda key, user: bool(core.resolve_boolean_value(key, False, contexts[user]).value)


def _launchdarkly() -> Ask:
    import ldclient
    from ldclient.config import Config
    from ldclient.integrations import Files

    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(_launchdarkly_flags(), file)
    source = Files.new_data_source(paths=[file.name])
    client = ldclient.LDClient(Config("sdk", update_processor_class=source, send_events=False), start_wait=5)
    contexts = []
    for name, about in zip(NAMES, ATTRIBUTES, strict=True):
        builder = ldclient.Context.builder(name)
        for attribute, value in about.items():
            builder.set(attribute, value)
        contexts.append(builder.build())
    return lambda key, user: bool(client.variation(key, contexts[user], False))


def _launchdarkly_flags() -> dict[str, Any]:
    def clause(attribute: str, op: str, *values: Any) -> dict[str, Any]:
        return {"attribute": attribute, "op": op, "values": list(values), "contextKind": "user"}

    ends = clause("email", "endsWith", SUFFIX)
    five = [
        clause("country", "in", *COUNTRIES),
        clause("plan", "in", "pro"),
        clause("age", "greaterThanOrEqual", 18),
        {**clause("version", "semVerLessThan", VERSION), "negate": True},
        ends,
    ]
    halves = {
        "rollout": {"contextKind": "user", "variations": [{"variation": v, "weight": 50_000} for v in (0, 1)]}
    }
    shapes: dict[str, dict[str, Any]] = {
        "s": {"fallthrough": {"variation": 0}},
        "e": {"rules": [{"id": "r", "variation": 0, "clauses": [ends]}], "fallthrough": {"variation": 1}},
        "f": {"fallthrough": halves},
        "g": {"rules": [{"id": "r", "variation": 0, "clauses": five}], "fallthrough": {"variation": 1}},
    }
    flag = {"version": 1, "on": True, "variations": [True, False], "offVariation": 1, "salt": "salt"}
    return {"flags": {key: {"key": key, **flag, **shapes[key[0]]} for key in _keys()}}


def _unleash() -> Ask:
    from yggdrasil_engine.engine import UnleashEngine  # type: ignore[import-untyped]

    def constraint(name: str, operator: str, *values: str, **more: Any) -> dict[str, Any]:
        return {"contextName": name, "operator": operator, "values": list(values), **more}

    five = [
        constraint("country", "IN", *COUNTRIES),
        constraint("plan", "IN", "pro"),
        constraint("age", "NUM_GTE", value="18"),
        constraint("version", "SEMVER_LT", value=VERSION, inverted=True),
        constraint("email", "STR_ENDS_WITH", SUFFIX),
    ]
    strategies: dict[str, Callable[[str], dict[str, Any]]] = {
        "s": lambda _: {"name": "default"},
        "e": lambda _: {"name": "default", "constraints": five[-1:]},
        "f": lambda key: {
            "name": "flexibleRollout",
            "parameters": {"rollout": "50", "stickiness": "userId", "groupId": key},
        },
        "g": lambda _: {"name": "default", "constraints": five},
    }
    features = [{"name": key, "enabled": True, "strategies": [strategies[key[0]](key)]} for key in _keys()]
    engine = UnleashEngine()
    engine.take_state(json.dumps({"version": 2, "features": features}))
    contexts = [{"userId": name, "properties": about} for name, about in zip(NAMES, TEXTS, strict=True)]

    def ask(key: str, user: int) -> bool:
        found = engine.is_enabled(key, contexts[user])
        return bool(getattr(found, "is_enabled", getattr(found, "value", found)))

    return ask


def _growthbook() -> Ask:
    from growthbook import GrowthBook  # type: ignore[import-not-found]

    five = {
        "country": {"$in": COUNTRIES},
        "plan": "pro",
        "age": {"$gte": 18},
        "version": {"$vgte": VERSION},
        "email": {"$regex": ENDS},
    }
    shapes: dict[str, dict[str, Any]] = {
        "s": {"defaultValue": True},
        "e": {"defaultValue": False, "rules": [{"condition": {"email": {"$regex": ENDS}}, "force": True}]},
        "f": {"defaultValue": False, "rules": [{"force": True, "coverage": 0.5, "hashAttribute": "id"}]},
        "g": {"defaultValue": False, "rules": [{"condition": five, "force": True}]},
    }
    features = {key: shapes[key[0]] for key in _keys()}
    users = [
        GrowthBook(attributes={"id": name, **about}, features=features)
        for name, about in zip(NAMES, ATTRIBUTES, strict=True)
    ]
    return lambda key, user: bool(users[user].is_on(key))


def _go_feature_flag() -> Ask:
    from gofeatureflag_python_provider.wasm import (  # type: ignore[import-not-found]
        EvaluateWasm,
        WasmFlagContext,
        WasmInput,
    )

    ends = f'email ew "{SUFFIX}"'
    countries = json.dumps(COUNTRIES)
    five = f'country in {countries} and plan eq "pro" and age ge 18 and version ge {VERSION} and {ends}'
    off = {"variation": "off"}
    shapes: dict[str, dict[str, Any]] = {
        "s": {"defaultRule": {"variation": "on"}},
        "e": {"targeting": [{"query": ends, "variation": "on"}], "defaultRule": off},
        "f": {"defaultRule": {"percentage": {"on": 50, "off": 50}}},
        "g": {"targeting": [{"query": five, "variation": "on"}], "defaultRule": off},
    }
    flags = {key: {"variations": {"on": True, "off": False}, **shapes[key[0]]} for key in _keys()}
    contexts = [{"targetingKey": name, **about} for name, about in zip(NAMES, ATTRIBUTES, strict=True)]
    engine = EvaluateWasm(pool_size=1)
    engine.initialize()
    code = WasmFlagContext(defaultSdkValue=False)

    def ask(key: str, user: int) -> bool:
        given = WasmInput(flagKey=key, flag=flags[key], evalContext=contexts[user], flagContext=code)
        return bool(engine.evaluate(given).value)

    return ask


def _flagsmith() -> Ask:
    from flag_engine.engine import get_evaluation_result  # type: ignore[import-not-found]

    def condition(operator: str, name: str, value: Any) -> dict[str, Any]:
        return {"operator": operator, "property": name, "value": value}

    ends = condition("REGEX", "email", f".*{ENDS}")
    rules: dict[str, list[dict[str, Any]]] = {
        "e": [ends],
        "g": [
            condition("IN", "country", COUNTRIES),
            condition("EQUAL", "plan", "pro"),
            condition("GREATER_THAN_INCLUSIVE", "age", "18"),
            condition("GREATER_THAN_INCLUSIVE", "version", f"{VERSION}:semver"),
            ends,
        ],
    }

    def context(key: str, user: int) -> Any:
        kind, name = key[0], NAMES[user]
        conditions = (
            [condition("PERCENTAGE_SPLIT", "$.identity.key", "50")] if kind == "f" else rules.get(kind, [])
        )
        flag = {"key": key, "feature_key": key, "name": key, "enabled": kind == "s", "value": None}
        on = {**flag, "enabled": True, "priority": 1}
        segment = {
            "key": key,
            "name": key,
            "rules": [{"type": "ALL", "conditions": conditions}],
            "overrides": [on],
        }
        return {
            "environment": {"key": "e", "name": "e"},
            "identity": {"identifier": name, "key": name, "traits": ATTRIBUTES[user]},
            "features": {key: flag},
            "segments": {key: segment} if conditions else {},
        }

    contexts = {(key, user): context(key, user) for key in _keys() for user in range(len(NAMES))}
    return lambda key, user: bool(get_evaluation_result(contexts[key, user])["flags"][key]["enabled"])


def _split() -> Ask:
    from splitio import get_factory  # type: ignore[import-untyped]

    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(_split_flags(), file)
    factory = get_factory("localhost", config={"splitFile": file.name, "impressionsMode": "NONE"})
    factory.block_until_ready(5)
    client = factory.client()
    return lambda key, user: bool(client.get_treatment(NAMES[user], key, ATTRIBUTES[user]) == "on")


def _split_flags() -> dict[str, Any]:
    def matcher(name: str, kind: str, **data: Any) -> dict[str, Any]:
        return {
            "keySelector": {"trafficType": "user", "attribute": name},
            "matcherType": kind,
            "negate": False,
            **data,
        }

    def texts(*values: str) -> dict[str, Any]:
        return {"whitelistMatcherData": {"whitelist": list(values)}}

    def rule(matchers: list[dict[str, Any]], on: int) -> dict[str, Any]:
        shares = [{"treatment": "on", "size": on}, {"treatment": "off", "size": 100 - on}]
        return {
            "conditionType": "ROLLOUT",
            "label": "rule",
            "matcherGroup": {"combiner": "AND", "matchers": matchers},
            "partitions": shares,
        }

    everybody = [{"keySelector": None, "matcherType": "ALL_KEYS", "negate": False}]
    ends = matcher("email", "ENDS_WITH", **texts(SUFFIX))
    five = [
        matcher("country", "WHITELIST", **texts(*COUNTRIES)),
        matcher("plan", "WHITELIST", **texts("pro")),
        matcher(
            "age",
            "GREATER_THAN_OR_EQUAL_TO",
            unaryNumericMatcherData={"dataType": "NUMBER", "value": 18},
        ),
        matcher("version", "GREATER_THAN_OR_EQUAL_TO_SEMVER", stringMatcherData=VERSION),
        ends,
    ]
    rules = {
        "s": [rule(everybody, 100)],
        "e": [rule([ends], 100), rule(everybody, 0)],
        "f": [rule(everybody, 50)],
        "g": [rule(five, 100), rule(everybody, 0)],
    }
    flag = {
        "trafficTypeName": "user",
        "trafficAllocation": 100,
        "trafficAllocationSeed": 7,
        "status": "ACTIVE",
        "killed": False,
        "defaultTreatment": "off",
        "changeNumber": 1,
        "algo": 2,
        "configurations": {},
        "sets": [],
    }
    flags = [
        {**flag, "name": key, "seed": at + 1, "conditions": rules[key[0]]} for at, key in enumerate(_keys())
    ]
    return {"ff": {"d": flags, "s": -1, "t": 1}, "rbs": {"d": [], "s": -1, "t": 1}}


def _keys() -> list[str]:
    return [f"{kind}_{at}" for kind in KINDS for at in range(EACH)]


PEERS: dict[str, Callable[[], Ask]] = {
    "openfeature-flagd-core": _flagd,
    "launchdarkly-server-sdk": _launchdarkly,
    "yggdrasil-engine": _unleash,
    "growthbook": _growthbook,
    "gofeatureflag-python-provider": _go_feature_flag,
    "flagsmith-flag-engine": _flagsmith,
    "splitio-client": _split,
}
"""By the name of the package: what makes a function that asks it."""

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
