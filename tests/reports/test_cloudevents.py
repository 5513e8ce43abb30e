"""CloudEvents are read as they are meant, or refused with their line and the place in it."""

import io
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.reports.cloudevents import LONGEST, MOST_TOLD, TYPES, BadEvent, BadEvents, decode, encode, read
from davy.reports.event import ChangeEvent

CHANGE = {"repo": "acme/payments", "commit": "c1"}


def line(type: str = "change.exposed", *, data: dict[str, Any] | None = None, **envelope: Any) -> bytes:
    given = {"change": CHANGE, "service": "payments"} if data is None else data
    full: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "ci", "type": f"dev.davy.{type}"}
    full |= {"time": "2026-03-02T10:00:00Z", "data": given, **envelope}
    return json.dumps(full).encode()


def about(**data: Any) -> dict[str, Any]:
    return {"change": CHANGE, "service": "payments", **data}


def test_an_event_is_read_into_whole_microseconds_and_millionths() -> None:
    data = about(weight=12.5, audience="public", receivedAt="2026-03-02T11:00:00.5+01:00", remediates="c0")
    assert decode(line(data=data), 7) == ChangeEvent(
        "ci",
        "1",
        "exposed",
        1772445600_000000,
        "acme/payments",
        "c1",
        "payments",
        attempt=0,
        weight=125_000,
        remediates=("acme/payments", "c0"),
        received=1772445600_500000,
        seq=7,
    )


@pytest.mark.parametrize("type", TYPES.values())
def test_what_a_type_has_no_use_for_is_left_out(type: str) -> None:
    family = "incident" if type in ("opened", "restored") else "change"
    data = about(
        target="eu",
        rollout="r",
        attempt=2,
        kind="flag",
        weight=1,
        audience="shadow",
        remediates="c0",
        cause="c",
    )
    data |= {
        "incident": "i",
        "committedAt": "2026-01-01T00:00:00Z",
        "requests": 1,
        "badRequests": 1,
        "waiver": "w",
    }
    found = decode(line(f"{family}.{type}", data=data))
    told = {
        field
        for field, default in zip(found.__struct_fields__[8:-1], found.__struct_defaults__[4:-1], strict=True)
        if getattr(found, field) != default
    }
    assert (
        told
        == {
            "created": {"kind", "remediates", "committed", "waiver"},
            "merged": {"kind", "remediates", "committed", "waiver"},
            "exposed": {"target", "rollout", "attempt", "kind", "weight", "audience", "remediates", "waiver"},
            "promoted": {"target", "rollout", "attempt", "kind", "remediates", "requests", "bad", "waiver"},
            "rolled_back": {
                "target",
                "rollout",
                "attempt",
                "kind",
                "weight",
                "cause",
                "requests",
                "bad",
                "waiver",
            },
            "aborted_unexposed": {"target", "rollout", "attempt", "kind", "cause", "waiver"},
            "opened": {"cause", "incident"},
            "restored": {"cause", "incident"},
        }[type]
    )


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (line(specversion="0.3"), "$.specversion: Invalid enum value '0.3' (known: 1.0)"),
        (
            line("change.deployed"),
            "$.type: Invalid enum value 'dev.davy.change.deployed' (known: dev.davy.change.c",
        ),
        (line(time="2026-03-02T10:00:00"), "$.time: Expected `datetime` with a timezone component"),
        (line(time="2026-03-02"), "$.time: Invalid RFC3339 encoded datetime"),
        (line(time="1969-12-31T23:59:59Z"), "$.time: an instant before 1970"),
        (line(time=1772445600), "$.time: Expected `datetime`, got `int`"),
        (line(id=""), "$.id: Expected `str` of length >= 1"),
        (line(source=""), "$.source: Expected `str` of length >= 1"),
        (line(id="x" * 1025), "$.id: Expected `str` of length <= 1024"),
        (line(id="a\nb"), "`id` has the control character U+000A"),
        (line(data=about(service="pay\u202ements")), "`service` has the control character U+202E"),
        (line(data=about(wieght=5)), "$.data: Object contains unknown field `wieght` (known: change, service"),
        (line(data=about(weight=100.5)), "$.data.weight: Expected `float` <= 100.0"),
        (line(data=about(weight="5")), "$.data.weight: Expected `float | null`, got `str`"),
        (line(data=about(attempt=0)), "$.data.attempt: Expected `int` >= 1"),
        (line(data=about(attempt=True)), "$.data.attempt: Expected `int | null`, got `bool`"),
        (line(data=about(attempt=1.5)), "$.data.attempt: Expected `int | null`, got `float`"),
        (line(data=about(requests=2**53)), "$.data.requests: Expected `int` <= 9007199254740991"),
        (line(data=about(kind="hotfix")), "$.data.kind: Invalid enum value 'hotfix' (known: code, config"),
        (
            line(data=about(audience="cats")),
            "$.data.audience: Invalid enum value 'cats' (known: users, external",
        ),
        (
            line(data=about(remediates={"repo": "r"})),
            "$.data.remediates: Object missing required field `commit`",
        ),
        (line(data=about(remediates="")), "$.data.remediates: Expected `str` of length >= 1"),
        (line(data=about(change="c1")), "$.data.change: Expected `object | null`, got `str`"),
        (line(data={"service": "payments"}), "$.data: `change` is missing"),
        (line(data={"change": CHANGE}), "$.data: `service` is missing"),
        (line("change.rolled_back", data={"change": CHANGE}), "$.data: `service` is missing"),
        (line("incident.opened"), "$.data: `incident` is missing"),
        (line("incident.restored", data={"incident": "i"}), "$.data: `service` is missing"),
        (line(data=about()).replace(b'"c1"', b'"\xff"'), "byte 174 is no UTF-8"),
        (line(data=about(weight=1)).replace(b": 1}", b": NaN}"), "JSON is malformed"),
        (line(data=about(weight=1)).replace(b": 1}", b": 1e999}"), "$.data.weight: Number out of range"),
        (line(data=about(weight=1)).replace(b": 1}", b': 1, "weight": 2}'), "the key 'weight' is there twice"),
        (line(x=1).replace(b'"x": 1', b'"x": 1, "x": 1'), "the key 'x' is there twice"),
        (line(x=[]).replace(b"[]", b"[" * 20_000 + b"]" * 20_000), "nested too deeply"),
        (line(x="y" * LONGEST), "an event has at most 65536 bytes"),
        (line(x="\udc00"), "JSON is malformed"),
        (line() + line(), "trailing characters"),
        (b"[]", "$: Expected `object`, got `array`"),
        (b"{", "truncated"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(bad: bytes, told: str) -> None:
    with pytest.raises(BadEvent) as caught:
        decode(bad)
    assert told in str(caught.value)
    with pytest.raises(BadEvents) as all_of_it:
        read(io.BytesIO(line() + b"\n\n" + bad + b"\n"), "a.jsonl")
    assert str(all_of_it.value).startswith(f"a.jsonl:3: {caught.value}")


def test_what_others_add_to_the_envelope_is_not_looked_at() -> None:
    extended = line(datacontenttype="application/json", subject="s", partitionkey={"any": ["thing", None]})
    assert decode(extended) == decode(line()) == decode(line(data=about(rollout=None)))


def test_all_bad_lines_are_told_up_to_a_number() -> None:
    with pytest.raises(BadEvents) as caught:
        read(io.BytesIO(b"{}\n" * (MOST_TOLD + 3) + line() + b"\n"), "-")
    assert [number for number, _ in caught.value.problems] == list(range(1, MOST_TOLD + 1))
    assert str(caught.value).endswith("and 3 more")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("last", [b"", b"\n", b"\r\n", b"\n\n \t\n"])
def test_marks_and_ends_of_lines_of_other_systems_are_passed_over(last: bytes) -> None:
    text = b"\xef\xbb\xbf" + line() + b"\r\n\r\n" + line(id="2") + last
    assert [(event.id, event.seq) for event in read(io.BytesIO(text), "-")] == [("1", 1), ("2", 3)]
    with pytest.raises(BadEvents, match=r":2: .*malformed"):
        read(io.BytesIO(b"\n" + text), "-")


def test_nothing_is_no_event() -> None:
    assert read(io.BytesIO(b""), "-") == read(io.BytesIO(b"\n \n"), "-") == []


def test_a_file_of_one_endless_line_is_not_read_into_memory() -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            assert size > 0
            return b" " * size

    with pytest.raises(BadEvents, match=":1: an event has at most"):
        read(Endless(), "-")  # type: ignore[arg-type]


texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf"]), min_size=1, max_size=9)
instants = st.integers(0, 253402300799_999999)


@st.composite
def change_events(draw: st.DrawFn) -> ChangeEvent:
    """Draw any event that a line can say."""
    type = draw(st.sampled_from(list(TYPES.items())))
    data = draw(
        st.fixed_dictionaries(
            {
                "change": st.fixed_dictionaries({"repo": texts, "commit": texts}),
                "service": texts,
                "incident": texts,
            },
            optional={
                "environment": texts,
                "target": texts,
                "rollout": texts,
                "attempt": st.integers(1, 9),
                "kind": st.sampled_from(["code", "flag", "rollback"]),
                "weight": st.floats(0, 100),
                "audience": st.sampled_from(["users", "public", "shadow"]),
                "remediates": texts,
                "cause": texts,
                "requests": st.integers(0, 2**53 - 1),
                "badRequests": st.integers(0, 2**53 - 1),
                "waiver": texts,
                "team": texts,
            },
        )
    )
    read = decode(line(type[0].removeprefix("dev.davy."), data=data, id=draw(texts), source=draw(texts)))
    committed = draw(instants) if type[1] in ("created", "merged") else None
    received = draw(st.none() | instants)
    return msgspec.structs.replace(read, time=draw(instants), received=received, committed=committed)


@given(st.lists(change_events(), max_size=5))
def test_an_event_that_is_written_is_read_as_the_same(events: list[ChangeEvent]) -> None:
    text = b"\n".join(map(encode, events))
    found = read(io.BytesIO(text), "-")
    assert [msgspec.structs.replace(event, seq=0) for event in found] == events
    assert found == [decode(each, seq) for seq, each in enumerate(text.split(b"\n") if text else [], 1)]
