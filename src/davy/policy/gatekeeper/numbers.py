"""Numbers as Gatekeeper hands them to Rego: it reads the review and the parameters as JSON of Go's `float64`.

From a million on, a whole number is no whole number any more to the policy: `sprintf("%v", [1000660000])` says
`1.00066e+09`, and what is beyond 2**53 is rounded. A policy has to say in CI what it will say in the cluster.
"""

from davy.policy.review import Json

MILLION = 1_000_000
"""Where `strconv.FormatFloat(value, 'g', -1, 64)` begins to write an exponent."""


def as_float64(value: Json) -> Json:
    """Return a value with its numbers as a policy sees them; one without such numbers is handed back itself."""
    kind = type(value)
    if kind is dict:
        return _of_object(value)
    if kind is list:
        found = [as_float64(each) for each in value]
        return found if any(map(_differ, found, value)) else value
    if kind is int:
        return value if -MILLION < value < MILLION else _rounded(value)
    if kind is float and -MILLION < value < MILLION and value.is_integer():
        return int(value)
    return value


def _of_object(value: dict[str, Json]) -> dict[str, Json]:
    changed: dict[str, Json] = {}
    for name, each in value.items():
        if type(each) is str:
            continue
        found = as_float64(each)
        if found is not each:
            changed[name] = found
    return {**value, **changed} if changed else value


def _rounded(value: int) -> float | int:
    """Return the nearest float64; what is too large for one Go cannot read at all, and stays as it is."""
    try:
        return float(value)
    except OverflowError:
        return value


def _differ(one: Json, other: Json) -> bool:
    return one is not other
