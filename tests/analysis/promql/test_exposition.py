"""Reading what targets expose."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.analysis.promql.expressions import promise

from davy.analysis.promql import exposition
from davy.analysis.promql.exposition import ExposedSample, Exposition, ExpositionError, parse_exposition
from davy.analysis.promql.series import NAME, Labels, SeriesStore

PAGE = """\
# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200"} 10
requests_total{code="500"} 0.5

up 1
"""


def one(line: str) -> ExposedSample:
    (sample,) = parse_exposition(line)
    return sample


def test_a_page_is_read_in_order() -> None:
    assert parse_exposition(PAGE) == [
        ExposedSample("requests_total", Labels({"code": "200"}), 10.0, None),
        ExposedSample("requests_total", Labels({"code": "500"}), 0.5, None),
        ExposedSample("up", Labels({}), 1.0, None),
    ]
    assert parse_exposition("") == []


@pytest.mark.parametrize(
    ("line", "name", "labels", "value"),
    [
        ("a 1", "a", {}, 1.0),
        ("a:b_1 -1.5e-3", "a:b_1", {}, -0.0015),
        ("a{} 1", "a", {}, 1.0),
        ('a{b="c"} +Inf', "a", {"b": "c"}, math.inf),
        ('a{b="c",} -inf', "a", {"b": "c"}, -math.inf),
        ('a{b="c"}1', "a", {"b": "c"}, 1.0),
        ('  a { b = "c" , d="e" }\t 1.  ', "a", {"b": "c", "d": "e"}, 1.0),
        ('a{b="x y\\n\\"\\\\ \\t",c="é"} .5', "a", {"b": 'x y\n"\\ \\t', "c": "é"}, 0.5),
        ('a{b=""} 1', "a", {}, 1.0),
        ('a{b="} 1"} 2', "a", {"b": "} 1"}, 2.0),
        ('{"my.metric","my label"="c"} 1', "my.metric", {"my label": "c"}, 1.0),
        ('{b="c","my.metric"} 1', "my.metric", {"b": "c"}, 1.0),
        ('a_bucket{le="1"} 5 # {trace_id="x"} 0.67 1234', "a_bucket", {"le": "1"}, 5.0),
    ],
)
def test_a_line_is_read(line: str, name: str, labels: dict[str, str], value: float) -> None:
    assert one(line) == ExposedSample(name, Labels(labels), value, None)


def test_a_value_may_be_no_number() -> None:
    assert math.isnan(one("a NaN").value)
    assert math.isnan(one("a nan").value)


def test_a_timestamp_is_milliseconds_and_in_openmetrics_seconds() -> None:
    assert one("a 1 1700000000123").timestamp_ms == 1_700_000_000_123
    assert one("a 1 -5").timestamp_ms == -5
    (sample,) = parse_exposition("a 1 1700000000.1234 # {} 1\n# EOF\n", openmetrics=True)
    assert sample.timestamp_ms == 1_700_000_000_123


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a", "expected a value"),
        ("a x", "expected a value"),
        ("a 1_0", "expected a value"),
        ("a ١", "expected a value"),
        ("a 0x1", "expected a value"),
        ("a 1\r", "expected a value"),
        ("a 1#", "expected a value"),
        ("a1.5 2", "expected a value"),
        ("a b 1", "expected a value"),
        ("a {count:3,sum:4.5,schema:0} 1", "native histograms"),
        ('a{b="c"} {count:3,sum:4.5}', "native histograms"),
        ("a {{schema:0 count:3}}", "expected a label"),
        ("a 1 x", "expected nothing more"),
        ("a 1 2 3", "expected nothing more"),
        ("a 1 1.5", "expected a timestamp"),
        ("a 1 1e5", "expected a timestamp"),
        ("a 1 5#", "expected a timestamp"),
        ("a 1 " + "9" * 400, "expected a timestamp"),
        ("1a 2", "expected the name of a metric"),
        ('{b="c"} 1', "expected the name of a metric"),
        ("{} 1", "expected the name of a metric"),
        ('a{b="c" d="e"} 1', "expected a comma or the closing brace"),
        ('a{b="c"', "expected a comma or the closing brace"),
        ("a{", "expected a label"),
        ("a{b} 1", "expected a label"),
        ('a{"b"} 1', "expected a label"),
        ('{"a","b"} 1', "expected a label"),
        ('a{""="b"} 1', "expected a label"),
        ('a{,b="c"} 1', "expected a label"),
        ("a{b=c} 1", "in quotes"),
        ('a{b="c} 1', "in quotes"),
        ('a{b="c",b="d"} 1', "the label b stands twice"),
        ('a{__name__="b"} 1', "the label __name__ stands twice"),
        ("a " + "1" * 70_000, "more than 65536 characters"),
        ('a{b="\ud800"} 1', "surrogate"),
    ],
)
def test_garbage_is_refused_with_its_line(line: str, reason: str) -> None:
    with pytest.raises(ExpositionError, match=reason) as caught:
        parse_exposition(f"# fine\nfine 1\n{line}\nfine 2\n")
    assert caught.value.line == 3
    assert caught.value.message.startswith("line 3: ")
    assert (caught.value.code, caught.value.exit_code) == ("exposition", 2)


@pytest.mark.parametrize("digits", ["1_0", "١", "x", "0x1", "1\r", ""])
def test_garbage_is_refused_after_a_series_that_is_known(digits: str) -> None:
    reader = Exposition(lambda name, labels: name)
    reader.read("a 1\n")
    with pytest.raises(ExpositionError, match="expected a value"):
        reader.read(f"a {digits}\n")


@pytest.mark.parametrize("text", ["", "\n", "a 1\n", "a 1\n# EOF\na 2\n", "# EOFF\n"])
def test_openmetrics_that_was_cut_short_is_refused(text: str) -> None:
    with pytest.raises(ExpositionError, match="cut short"):
        parse_exposition(text, openmetrics=True)


def test_openmetrics_ends_with_its_mark() -> None:
    assert parse_exposition("# EOF\n\n", openmetrics=True) == []
    assert len(parse_exposition("a 1\n# EOF", openmetrics=True)) == 1


def test_a_series_is_made_once_and_comes_back_with_every_sample() -> None:
    made: list[str] = []

    def make(name: str, labels: Labels) -> str:
        made.append(name)
        return f"{name}{len(labels)}"

    reader = Exposition(make)
    assert reader.read('a{b="c"} 1\nb 2\n') == [("a1", 1.0, None), ("b0", 2.0, None)]
    assert reader.read('a{b="c"} 3\n a{b="c"}  4 1000\nb 5\n') == [
        ("a1", 3.0, None),
        ("a1", 4.0, 1000),
        ("b0", 5.0, None),
    ]
    assert made == ["a", "b"]


def test_a_reader_feeds_a_store() -> None:
    store = SeriesStore()
    reader = Exposition(lambda name, labels: store.series({**labels, NAME: name}))
    for scrape in range(3):
        for series, value, _ in reader.read(f'requests_total{{code="200"}} {scrape * 10}\n'):
            series.append(scrape * 5000, value)
    ((timestamps, values),) = (series.columns for series in store.select(()))
    assert (list(timestamps), list(values)) == ([0, 5000, 10_000], [0.0, 10.0, 20.0])


def test_a_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "SAMPLE_LIMIT", 3)
    monkeypatch.setattr(exposition, "TEXT_LIMIT", 100)
    assert len(parse_exposition("a 1\n" * 3)) == 3
    with pytest.raises(ExpositionError, match="more than 3 samples"):
        parse_exposition("a 1\n" * 4)
    with pytest.raises(ExpositionError, match="more than 100 characters"):
        parse_exposition("a" * 101)


def test_ever_new_series_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "CACHE_LIMIT", 10)
    reader = Exposition(lambda name, labels: name)
    for number in range(100):
        assert reader.read(f"a{number} 1\n") == [(f"a{number}", 1.0, None)]
    assert len(reader._known) <= 10


names = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
label_names = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
exposed = st.tuples(
    names, st.dictionaries(label_names, texts, max_size=4), st.floats(), st.none() | st.integers(0, 2**53)
)


def line_of(sample: tuple[str, dict[str, str], float, int | None]) -> str:
    name, labels, value, at = sample
    escaped = {
        label: text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        for label, text in labels.items()
    }
    inner = ",".join(f'{label}="{text}"' for label, text in escaped.items())
    return f"{name}{{{inner}}} {value!r}" + ("" if at is None else f" {at}")


@promise
@given(st.lists(exposed, max_size=5))
def test_what_was_written_is_read_every_time(
    samples: list[tuple[str, dict[str, str], float, int | None]],
) -> None:
    page = "".join(f"{line_of(sample)}\n" for sample in samples)
    expected = [ExposedSample(name, Labels(labels), value, at) for name, labels, value, at in samples]
    reader = Exposition(lambda name, labels: (name, labels))
    for _ in range(2):
        read = [ExposedSample(*key, value, at) for key, value, at in reader.read(page)]
        assert repr(read) == repr(expected)


@promise
@given(st.text(alphabet='a{}="\\,# 1.eN+\n\t', max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        samples = parse_exposition(text)
    except ExpositionError:
        return
    assert len(samples) <= text.count("\n") + 1
