"""The cases of tests/cases/promql.yaml, and the notation that they are written in."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.exposition import parse_exposition
from davy.analysis.promql.result import Matrix, Result, Scalar, String, Vector
from davy.analysis.promql.series import NAME, STALE, SeriesStore
from davy.errors import UsageError

PATH = Path(__file__).parent.parent.parent / "cases" / "promql.yaml"
_TOKEN = re.compile(r"(_|stale|NaN|[+-]?Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)(?:([+-][0-9.]+))?(?:x([0-9]+))?")


@dataclass(frozen=True)
class Group:
    """Series, and what is asked of them; `only` groups have answers that Prometheus 2.x does not give."""

    name: str
    step_s: int
    load: Mapping[str, str]
    cases: tuple[tuple[str, float, Any], ...]
    only: bool

    def samples(self) -> Iterator[tuple[Mapping[str, str], int, float]]:
        """Give labels, milliseconds and value of every sample."""
        for series, notation in self.load.items():
            (parsed,) = parse_exposition(f"{series} 0")
            labels = {**parsed.labels, NAME: parsed.name}
            for index, value in enumerate(expand(notation)):
                if value is not None:
                    yield labels, index * self.step_s * 1000, value

    def engine(self, *, prometheus_2: bool = False) -> Engine:
        store = SeriesStore()
        for sample in self.samples():
            store.append(*sample)
        return Engine(store, prometheus_2=prometheus_2)


def expand(notation: str) -> Iterator[float | None]:
    """Give the values that `0+10x3 _ 5 stale` stands for, None where there is no sample."""
    for token in notation.split():
        match = _TOKEN.fullmatch(token)
        assert match is not None, token
        repeated = int(match[3] or 0)
        if match[1] == "_":
            yield from [None] * max(repeated, 1)
            continue
        value = STALE if match[1] == "stale" else float(match[1])
        yield value
        for index in range(1, repeated + 1):
            yield value + float(match[2]) * index if match[2] else value


def groups() -> tuple[Group, ...]:
    loaded = YAML(typ="safe", pure=True).load(PATH.read_text(encoding="utf-8"))
    return tuple(
        Group(
            name=group["group"],
            step_s=group["step"],
            load=group["load"],
            cases=tuple((query, float(at), answer) for query, at, answer in group["cases"]),
            only=group.get("only", False),
        )
        for group in loaded
    )


def answer(engine: Engine, query: str, at_s: float) -> Any:
    """Ask, and give the answer as it is written in the cases."""
    try:
        return written(engine.instant(query, at_s))
    except UsageError as error:
        return {"error": error.message}


def written(result: Result) -> Any:
    match result:
        case Scalar(value):
            return value
        case String(text):
            return {"string": text}
        case Vector(samples):
            return {repr(sample.labels): sample.value for sample in samples}
        case Matrix(series):
            return {
                "matrix": {
                    repr(points.labels): {
                        at / 1000: value for at, value in zip(points.timestamps_ms, points.values, strict=True)
                    }
                    for points in series
                }
            }


def agree(expected: Any, given: Any) -> bool:
    """Tell whether an answer is the expected one: in this order, but for the last digits of numbers."""
    if isinstance(expected, Mapping):
        if not isinstance(given, Mapping):
            return False
        if "error" in expected:
            return expected["error"] in given.get("error", "")
        return [str(key) for key in expected] == [_key(key) for key in given] and all(
            map(agree, expected.values(), given.values())
        )
    if isinstance(expected, str):
        return bool(expected == given)
    return isinstance(given, float) and close(float(expected), given)


def _key(key: object) -> str:
    return f"{key:g}" if isinstance(key, float) else str(key)


def close(a: float, b: float) -> bool:
    return (a != a and b != b) or math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-15)
