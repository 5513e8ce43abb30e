"""Numbers as Gatekeeper hands them to Rego: it reads the review and the parameters as JSON of Go's `float64`.

From a million on, a whole number is no whole number any more to the policy: `sprintf("%v", [1000660000])` says
`1.00066e+09`, and what is beyond 2**53 is rounded. A policy has to say in CI what it will say in the cluster.
"""

from davy.policy.review import Json

MILLION = 1_000_000
"""Where `strconv.FormatFloat(value, 'g', -1, 64)` begins to write an exponent."""

UNTOUCHED = frozenset((str, bool, type(None)))


def as_float64(value: Json) -> Json:
    """Return a value with its numbers as a policy sees them; one without such numbers is handed back itself."""
    kind = type(value)
    if kind is dict:
        changed: dict[str, Json] = {}
        for name, each in value.items():
            if type(each) not in UNTOUCHED and (found := as_float64(each)) is not each:
                changed[name] = found
        return {**value, **changed} if changed else value
    if kind is list:
        copy: list[Json] = []
        for at, each in enumerate(value):
            if type(each) not in UNTOUCHED and (found := as_float64(each)) is not each:
                copy = copy or list(value)
                copy[at] = found
        return copy or value
    if kind is int:
        return value if -MILLION < value < MILLION else _rounded(value)
    if kind is float and -MILLION < value < MILLION and value.is_integer():
        return int(value)
    return value


def _rounded(value: int) -> float | int:
    """Return the nearest float64; what is too large for one Go cannot read at all, and stays as it is."""
    try:
        return float(value)
    except OverflowError:
        return value
