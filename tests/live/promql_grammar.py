"""Queries drawn from the grammar, over the series of `exposition_pages`.

Two evaluators that are both right may differ in the last digit of a sum, and a last digit decides what a
comparison, a floor or a count of values gives. So there are two kinds of vectors here. Those that are *exact*
are the same to the last bit however they are worked out, and may go anywhere. Those that are *rounded* go only
where a last digit stays one: into sums, averages and quantiles, and into comparisons with numbers that no
value comes near.

Instants are relative to the first scrape: `@ AT(3.2)` is for `placed` to fill in.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from hypothesis import strategies as st

Queries = st.SearchStrategy[str]

APPS = ("payments", "orders")
SERIES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "http_requests_total": {"app": APPS, "code": ("200", "404", "500"), "method": ("GET", "POST")},
    "duration_seconds_bucket": {"path": ("/a", "/b"), "le": ("0.25", "1", "+Inf")},
    "duration_seconds_sum": {"path": ("/a", "/b")},
    "duration_seconds_count": {"path": ("/a", "/b")},
    "rpc_seconds": {"quantile": ("0.5", "0.9")},
    "rpc_seconds_count": {},
    "temperature": {"app": APPS, "room": ("a", "b", "c")},
    "app_info": {"app": APPS, "version": ("v0", "v1", "v2")},
    "ready": {"app": APPS},
    "twin_one": {"app": APPS},
    "specials": {"kind": ("mixed", "nan", "infinite")},
    "odd": {
        "text": (
            "line\\nbreak",
            "München 日本 🔥",
            'quote\\"back\\\\slash',
            "a # no comment } , =",
            "{}",
            "blanks",
        )
    },
    "clashing": {"exported_exported_pod": ("theirs", "mine"), "exported_pod": ("mine", "theirs")},
    "with_a_timestamp": {},
    "repeated": {"x": ("1",)},
    "strange_bucket": {"le": ("-5", "1e0", "2.0", "many")},
    "endless_bucket": {"le": ("1", "2")},
    "only_infinity_bucket": {},
    "flapping": {"every": ("7",)},
    "flapping_total": {},
    "passing": {"phase": ("early", "late")},
    "rare": {},
    "up": {"pod": ("pages-0",)},
    "page_number": {},
    "nothing_at_all": {"app": APPS},
}
"""What there is to select, and the values that labels have."""

PATTERNS = (".*", ".+", "", "5..|404", "(?i)PAY.*", "[a-b]", "p.*s", "[^a]*", "/a|/b", "v[01]", "un|bal.nced")
ODD_PATTERNS = ("(?s).*", "(?s).+", "[^a]*", "München [^ ]+ .", "[{}]{2}", "(?i)QUOTE[^x]*")
"""For a value with a line break, which the dot matches in Prometheus 3 and not in 2.x."""

DURATIONS = {"200ms": 0.2, "400ms": 0.4, "700ms": 0.7, "1s": 1, "1s300ms": 1.3, "2s": 2, "5s": 5, "20s": 20}
STEPS = {"200ms": 0.2, "500ms": 0.5, "": 1, "3s": 3}
"""Of subqueries; the one that is not written is that of the configuration."""

LABELS = ("app", "code", "method", "room", "path", "le", "kind", "version", "pod", "nolabel")
OFF_GRID = ("0.3713", "-1.0371", "7.7331", "101.01703", "1e-3")
"""Numbers that no value of a series, and no sum or rate of such values, comes near."""

DATES = ("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year")
SMOOTH = ("exp", "sqrt", "ln", "log2", "log10", "sin", "cos", "tan", "atan", "asin", "acos", "sinh", "cosh")
MORE_SMOOTH = ("tanh", "asinh", "acosh", "atanh", "deg", "rad")

durations = st.sampled_from(tuple(DURATIONS))
numbers = st.sampled_from(("0", "1", "2", "-1", "0x10", ".5", "1e1", "NaN", "Inf", "-Inf", *OFF_GRID))
ranks = st.sampled_from(("0.3713", "0.9", "0", "1", "-0.5", "1.5", "NaN", "0.05"))
groupings = st.one_of(
    st.just(""),
    st.builds(
        "{} ({})".format,
        st.sampled_from((" by", " without")),
        st.lists(st.sampled_from((*LABELS, "__name__")), max_size=3, unique=True).map(", ".join),
    ),
)
label_lists = st.lists(st.sampled_from(LABELS), max_size=3, unique=True).map(", ".join)


def placed(query: str, start_s: float) -> str:
    """Put the instants of a query behind the first scrape."""
    return re.sub(r"AT\((-?[0-9.]+)\)", lambda found: f"{start_s + float(found[1]):.3f}", query)


@st.composite
def bare_selectors(draw: st.DrawFn, names: tuple[str, ...] = tuple(SERIES)) -> str:
    """Draw a name and matchers of it; sometimes the name is a matcher itself."""
    name = draw(st.sampled_from(names))
    matchers = []
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2)))):
        label = draw(st.sampled_from((*SERIES[name], *SERIES[name], "nolabel")))
        operator = draw(st.sampled_from(("=", "!=", "=~", "!~")))
        known = (*SERIES[name].get(label, ()), "")
        patterns = ODD_PATTERNS if label == "text" else PATTERNS
        value = draw(st.sampled_from(known if operator in ("=", "!=") else patterns))
        matchers.append(f'{label}{operator}"{value}"')
    match draw(st.sampled_from(("plain",) * 6 + ("matcher", "pattern"))):
        case "matcher":
            name, matchers = "", [f'__name__="{name}"', *matchers]
        case "pattern":
            name, matchers = "", [f'__name__=~"{name}|{draw(st.sampled_from(names))}"', *matchers]
    return f"{name}{{{','.join(matchers)}}}" if matchers or not name else name


@st.composite
def modifiers(draw: st.DrawFn) -> str:
    """Draw an offset, a pin, both in either order, or neither."""
    chosen = draw(st.sampled_from(("", "", "", "offset", "at", "both", "swapped")))
    offset = f" offset {draw(st.sampled_from(('', '-')))}{draw(durations)}"
    at = " @ " + draw(
        st.one_of(st.sampled_from(("start()", "end()")), st.integers(0, 60).map(lambda n: f"AT({n / 5})"))
    )
    return {"": "", "offset": offset, "at": at, "both": offset + at, "swapped": at + offset}[chosen]


selectors = st.builds("{}{}".format, bare_selectors(), modifiers())
windows = st.builds("{}[{}]{}".format, bare_selectors(), durations, modifiers())
summable = st.builds(
    "{}{}".format, bare_selectors(tuple(name for name in SERIES if name != "specials")), modifiers()
)
"""Not that with a zero below zero: its sum keeps the sign in Prometheus and loses it here."""

sparse = st.builds("({})[{}:3s]".format, bare_selectors(), durations)
buckets = st.builds(
    "{}{}".format,
    bare_selectors(("duration_seconds_bucket", "strange_bucket", "endless_bucket", "only_infinity_bucket")),
    modifiers(),
)
bucket_rates = st.builds(
    "{}({}[{}])".format,
    st.sampled_from(("rate", "increase")),
    bare_selectors(("duration_seconds_bucket",)),
    durations,
)
gauges = st.builds("{}{}".format, bare_selectors(("temperature",)), modifiers())


def movable(pinned: Queries) -> Queries:
    """Draw without `@`: in `timestamp` and `predict_linear` 2.x lets what it pins move along a range."""
    return pinned.filter(lambda query: "@" not in query)


@st.composite
def subqueries(draw: st.DrawFn, inner: Queries) -> str:
    """Draw a subquery of an expression, with a step at least within its time.

    2.x evaluates much of what it has no step for, and refuses what it meets there; `sparse` has some of those.
    And it forgets what `@` pins in a subquery that is moved so that it begins when what is around it does.
    """
    expression, duration = draw(inner), draw(st.sampled_from(tuple(DURATIONS)))
    fitting = [step for step, step_s in STEPS.items() if step_s <= DURATIONS[duration]]
    moved = st.one_of(st.just(""), st.builds(" offset {}".format, durations))
    modifier = draw(moved if "@" in expression else modifiers())
    return f"({expression})[{duration}:{draw(st.sampled_from(fitting))}]{modifier}"


@cache
def scalars(depth: int) -> Queries:
    """Draw numbers, and what makes one of a vector."""
    computed = st.one_of(
        st.sampled_from(("time()", "pi()", "-2 ^ 2", "5 % 3", "1 > bool 2", "2 ^ 3 ^ 2", "1 / 0")),
        st.builds("scalar({})".format, selectors),
    )
    if depth:
        computed |= st.builds("scalar({})".format, exact(depth - 1))
    return st.one_of(numbers, numbers, computed)


matchings = st.one_of(
    st.just(""),
    st.builds(" {}({})".format, st.sampled_from(("on", "ignoring")), label_lists),
)
grouped_matchings = st.builds(
    " {}({}) {}({})".format,
    st.sampled_from(("on", "ignoring")),
    label_lists,
    st.sampled_from(("group_left", "group_right")),
    st.lists(st.sampled_from(LABELS), max_size=2, unique=True).map(", ".join),
)
matched_operators = st.one_of(
    st.builds(
        "{}{}".format,
        st.sampled_from(("+", "-", "*", "/", "%", "==", "!=", ">", "<=", "> bool", "== bool")),
        st.one_of(matchings, grouped_matchings),
    ),
    st.builds("{}{}".format, st.sampled_from(("and", "or", "unless")), matchings),
)
joinable = st.sampled_from(
    (
        "http_requests_total * on(app) group_left(version) app_info",
        "app_info * on(app) group_right(version) temperature",
        'http_requests_total{code="500"} / ignoring(code) http_requests_total{code="200"}',
        "temperature > on(app) group_left ready",
        "temperature and on(app) ready == 1",
        "temperature unless on(app) (ready == 0)",
        "sum by (app) (http_requests_total) - on(app) ready",
        "sum by (app) (http_requests_total) / ignoring(room) group_right temperature",
    )
)
"""Pairs that match, since most of those that are drawn do not."""


@cache
def exact(depth: int) -> Queries:
    """Draw vectors that are the same to the last bit whoever evaluates them."""
    leaves = st.one_of(
        selectors,
        selectors,
        st.builds(
            "{}({})".format,
            st.sampled_from(
                [f"{name}_over_time" for name in ("count", "last", "max", "min", "present", "sum", "absent")]
                + ["changes", "resets", "idelta"]
            ),
            windows,
        ),
        st.builds("{}({})".format, st.sampled_from(("count_over_time", "last_over_time")), sparse),
        st.builds("sum{}({})".format, groupings, summable),
        st.builds("{}{}({}, {})".format, st.sampled_from(("topk", "bottomk")), groupings, numbers, gauges),
        st.builds("vector({})".format, numbers),
        joinable,
    )
    if not depth:
        return leaves
    inner = exact(depth - 1)
    return st.one_of(
        leaves,
        st.builds("{}{}({})".format, st.sampled_from(("min", "max", "count", "group")), groupings, inner),
        st.builds('count_values("app", {})'.format, inner),
        # a label that does not sort behind those of `by` gives groups of chance in 2.x
        st.builds('count_values{}("zero", {})'.format, groupings, inner),
        st.builds("{}({})".format, st.sampled_from(("abs", "ceil", "floor", "sgn", "absent")), inner),
        st.builds("timestamp({})".format, movable(inner)),
        st.builds("{}({})".format, st.sampled_from(DATES), finite(depth - 1)),
        st.builds("{}({}, {})".format, st.sampled_from(("round", "clamp_min", "clamp_max")), inner, scalars(0)),
        st.builds("clamp({}, {}, {})".format, inner, scalars(0), scalars(0)),
        st.builds("{}({})".format, st.sampled_from(("-", "+", "round", "sort")), inner),
        st.builds(
            "({}) {} {}".format,
            inner,
            st.sampled_from(("+", "-", "*", "/", "%", "==", "!=", ">", "<", ">=", "<=", "> bool", "!= bool")),
            scalars(depth - 1),
        ),
        st.builds("{} {} ({})".format, numbers, st.sampled_from(("-", "/", "%", "<", ">= bool")), inner),
        st.builds("({}) {} ({})".format, inner, matched_operators, inner),
        st.builds("({}) {} ({})".format, inner, matched_operators, inner),
        st.builds(
            "label_replace({}, {}, {}, {}, {})".format,
            inner,
            st.sampled_from(('"app"', '"new"', '"room"', '"not a name"')),
            st.sampled_from(('"$1"', '"x-${1}-$$"', '""', '"$nothing"')),
            st.sampled_from(('"app"', '"code"', '"nolabel"')),
            st.sampled_from(('"(.*)"', '"(.).*"', '"pay(.*)"', '"("')),
        ),
        st.builds('label_join({}, {}, "-", "app", "code")'.format, inner, st.sampled_from(('"new"', '"app"'))),
        st.builds(
            "{}({})".format,
            st.sampled_from(["count_over_time", "last_over_time", "max_over_time", "min_over_time", "changes"]),
            subqueries(inner),
        ),
        st.builds("absent_over_time({})".format, subqueries(inner)),
    )


@cache
def finite(depth: int) -> Queries:
    """Draw exact vectors without NaN and infinities.

    Go's conversion makes a date of these that depends on the machine, where Davy says NaN; and of a single one
    Prometheus 2.x says that it deviates by 0, which 3 does not.
    """
    return st.builds("({}) >= -1e10 <= 1e10".format, exact(depth))


@cache
def rounded(depth: int) -> Queries:
    """Draw vectors of which the last digits are nobody's business."""
    leaves = st.one_of(
        st.builds(
            "{}({})".format,
            st.sampled_from(
                ["rate", "increase", "irate", "delta", "deriv", "rate", "increase"]
                + [f"{name}_over_time" for name in ("avg", "stddev", "stdvar")]
            ),
            windows,
        ),
        st.builds("quantile_over_time({}, {})".format, ranks, windows),
        st.builds("predict_linear({}, {})".format, movable(windows), scalars(0)),
        st.builds("histogram_quantile({}, {})".format, ranks, buckets),
        st.builds("histogram_quantile(0.3713, {})".format, bucket_rates),
        st.builds(
            "histogram_quantile(0.9137, sum by (le{}) ({}))".format,
            st.sampled_from(("", ", path")),
            bucket_rates,
        ),
        st.builds("{}({})".format, st.sampled_from((*SMOOTH, *MORE_SMOOTH)), selectors),
        st.builds("({}) ^ {}".format, selectors, numbers),
    )
    if not depth:
        return leaves
    inner = rounded(depth - 1)
    return st.one_of(
        leaves,
        exact(depth),
        st.builds("{}{}({})".format, st.sampled_from(("sum", "avg", "min", "max", "count")), groupings, inner),
        st.builds("{}{}({})".format, st.sampled_from(("stddev", "stdvar")), groupings, finite(depth - 1)),
        st.builds("quantile{}({}, {})".format, groupings, ranks, inner),
        st.builds("({}) {} {}".format, inner, st.sampled_from(("+", "*", "-")), scalars(0)),
        st.builds("({}) / {}".format, inner, st.sampled_from(OFF_GRID)),
        st.builds("({}) {} {}".format, inner, st.sampled_from((">", "<", "> bool")), st.sampled_from(OFF_GRID)),
        st.builds("({}) +{} ({})".format, inner, st.one_of(matchings, grouped_matchings), inner),
        st.builds("({}) {}{} ({})".format, inner, st.sampled_from(("and", "or", "unless")), matchings, inner),
        st.builds(
            "{}({})".format,
            st.sampled_from([f"{name}_over_time" for name in ("avg", "sum", "max", "min", "last")]),
            subqueries(inner),
        ),
        st.builds(
            "{}({})".format, st.sampled_from(("rate", "increase", "delta")), subqueries(exact(depth - 1))
        ),
    )


queries = st.one_of(exact(0), exact(1), exact(2), rounded(0), rounded(1), rounded(2), scalars(1))
