"""What is counted and told of evaluations: everything once, nobody by name."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.evaluation_context import EvaluationContext
from openfeature.track import TrackingEventDetails
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from tests.openfeature.documents import document, flag
from tests.openfeature.stand_in import StandIn, serving
from tests.openfeature.test_remote import remote

from davy.openfeature import AsgiRequests, Audit, Client, DavyProvider, WsgiRequests, request
from davy.openfeature.counting import UNREADABLE, Count, Counting
from davy.testing.patience import until
from openfeature import api


class Watched:
    """OpenTelemetry in memory."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        self.meters = MeterProvider([self.reader])
        self.loggers = LoggerProvider()
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))

    def audit(self, **options: Any) -> Audit:
        return Audit(meters=self.meters, loggers=self.loggers, interval_s=3600.0, **options)

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        data = self.reader.get_metrics_data()
        return [
            (dict(point.attributes or {}), getattr(point, "value", None))
            for resource in (data.resource_metrics if data is not None else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def events(self) -> list[tuple[str | None, dict[str, Any]]]:
        found = [each.log_record for each in self.exporter.get_finished_logs()]
        return [(each.event_name, dict(each.attributes or {})) for each in found]

    def everything(self) -> str:
        data = self.reader.get_metrics_data()
        return (data.to_json() if data is not None else "") + "".join(
            each.to_json() for each in self.exporter.get_finished_logs()
        )


def started(text: str, audit: Audit) -> DavyProvider:
    provider = DavyProvider.from_text(text, "staging", service="shop", audit=audit)
    api.set_provider_and_wait(provider)
    return provider


# -- counts ----------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.none(), st.integers(0, 50))))
def test_what_is_taken_is_what_was_added_since(steps: list[int | None]) -> None:
    count, added, taken = Count(), 0, 0
    for step in steps:
        if step is None:
            taken += count.take()
        else:
            for _ in range(step):
                count.add()
            added += step
    assert taken + count.take() == added


def test_nothing_is_lost_among_threads_while_it_is_reported() -> None:
    watched = Watched()
    provider = started(document(a__b=flag(), a__c=flag("off")), watched.audit())
    client = Client(provider)
    threads = [
        threading.Thread(target=lambda key=key: [client.get_boolean_value(key, False) for _ in range(5000)])
        for key in ("a.b", "a.c", "a.b", "a.c")
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        provider.flush()
        provider.put(document(a__b=flag(), a__c=flag("off"), a__d=flag()))
    provider.flush()
    counted: Counter[str] = Counter()
    for names, value in watched.points("feature_flag.evaluations"):
        counted[names["feature_flag.key"]] += value
    assert counted == {"a.b": 10000, "a.c": 10000}


def test_what_would_need_too_many_series_is_counted_as_dropped() -> None:
    watched = Watched()
    provider = started(document(a__b=flag()), watched.audit(series=3))
    client = Client(provider)
    for number in range(10):
        client.get_boolean_value(f"a.missing-{number}", False)
    provider.flush()
    assert len(watched.points("feature_flag.evaluations")) == 3
    assert watched.points("feature_flag.evaluations.dropped") == [({}, 7)]


def test_series_of_versions_that_are_gone_are_forgotten() -> None:
    counting = Counting(limit=2)
    for version in range(5):
        counts = counting.version(version)
        counting.open(counts, ("a.b", "on", "STATIC")).hit()
        assert [(each.version, each.evaluations) for each in counting.take()[0]] == [(version, 1)]
        assert counting.take() == ([], 0)


def test_metrics_have_todays_names() -> None:
    watched = Watched()
    provider = started(document(a__b=flag(), a__c=flag(state="DISABLED")), watched.audit())
    client = api.get_client()
    for key in ("a.b", "a.b", "a.c", "a.missing"):
        client.get_boolean_value(key, False)
    client.track("bought", EvaluationContext("u"), TrackingEventDetails(3.0))
    provider.flush()
    base = {
        "feature_flag.provider.name": "davy",
        "feature_flag.version": "0",
        "service.name": "shop",
        "deployment.environment.name": "staging",
    }
    points = watched.points("feature_flag.evaluations")
    assert sorted(points, key=lambda each: str(each[0]["feature_flag.key"])) == [
        (
            base
            | {
                "feature_flag.key": "a.b",
                "feature_flag.result.variant": "on",
                "feature_flag.result.reason": "static",
            },
            2,
        ),
        (base | {"feature_flag.key": "a.c", "feature_flag.result.reason": "disabled"}, 1),
        (
            base
            | {
                "feature_flag.key": "a.missing",
                "feature_flag.result.reason": "error",
                "error.type": "flag_not_found",
            },
            1,
        ),
    ]
    assert watched.points("feature_flag.tracked") == [({"event": "bought"}, 1)]
    assert watched.points("feature_flag.document.version") == [({}, 0)]
    assert watched.points("feature_flag.document.age")[0][1] >= 0


# -- events ----------------------------------------------------------------------------------------------------


def test_the_first_exposure_of_each_subject_to_each_variant_is_an_event() -> None:
    watched = Watched()
    rule = {"if": [{"==": [{"var": "plan"}, "pro"]}, "on", "off"]}
    text = document({"flagSetId": "shop", "version": "7"}, a__b=flag("off", targeting=rule))
    started(text, watched.audit(events=True, key=b"k" * 32, attributes=("plan",)))
    client = api.get_client()
    for subject, plan in (("u", "pro"), ("u", "pro"), ("v", "pro"), ("u", "free"), ("u", "free")):
        client.get_boolean_value("a.b", False, EvaluationContext(subject, {"plan": plan, "secret": "x"}))
    found = watched.events()
    assert [name for name, _ in found] == ["feature_flag.evaluation"] * 3
    first, second, third = (attributes for _, attributes in found)
    assert first.pop("feature_flag.context.id") != second.pop("feature_flag.context.id")
    subject = third.pop("feature_flag.context.id")
    assert len(subject) == 32
    assert first == {
        "feature_flag.key": "a.b",
        "feature_flag.provider.name": "davy",
        "feature_flag.result.reason": "targeting_match",
        "feature_flag.result.variant": "on",
        "feature_flag.version": "7",
        "feature_flag.set.id": "shop",
        "context.plan": "pro",
    }
    assert third["feature_flag.result.variant"] == "off"


def test_an_error_and_a_value_without_a_variant_are_told() -> None:
    watched = Watched()
    started(document(a__b=flag(state="DISABLED")), watched.audit(rate=1.0))
    client = api.get_client()
    client.get_boolean_value("a.b", True)
    client.get_boolean_value("a.missing", False)
    client.get_string_value("a.missing", "somebody@example.com")
    disabled, missing, text = (attributes for _, attributes in watched.events())
    assert disabled["feature_flag.result.value"] is True
    assert "feature_flag.result.variant" not in disabled
    assert (missing["error.type"], missing["feature_flag.error.message"]) == (
        "flag_not_found",
        "no such flag is declared",
    )
    assert "feature_flag.result.value" not in text


def test_events_beyond_the_limit_are_counted() -> None:
    watched = Watched()
    provider = started(document(a__b=flag()), watched.audit(rate=1.0, events_limit=2))
    for _ in range(5):
        api.get_client().get_boolean_value("a.b", False)
    provider.flush()
    assert len(watched.events()) == 2
    assert watched.points("feature_flag.events.dropped") == [({}, 3)]
    api.get_client().get_boolean_value("a.b", False)
    assert len(watched.events()) == 3


def test_subjects_have_another_name_in_each_process_unless_a_key_is_given() -> None:
    def named(**options: Any) -> str:
        watched = Watched()
        started(document(a__b=flag()), watched.audit(events=True, **options))
        api.get_client().get_boolean_value("a.b", False, EvaluationContext("u"))
        return str(watched.events()[0][1]["feature_flag.context.id"])

    assert named() != named()
    assert named(key=b"same") == named(key=b"same") != named(key=b"other")


def test_no_address_that_is_in_a_context_is_in_anything_that_leaves(tmp_path: Any) -> None:
    """Wherever a context can hold one: targeting key, attributes, nested, a key made of it, defaults, rules."""
    watched = Watched()
    rule = {"cat": [{"var": "email"}, ""]}
    ruled = flag("off", safe="off", targeting=rule)
    text = document(a__b=flag("off", safe="off"), a__c=flag("off", targeting=rule), a__d=ruled)
    who = "alice.secret@example.com"
    with serving(StandIn(text)) as it:
        provider = remote(
            it.url, audit=watched.audit(events=True, rate=1.0, attributes=("plan",)), keep=tmp_path / "k"
        )
        api.set_provider_and_wait(provider)
        client = api.get_client()
        context = EvaluationContext(who, {"email": who, "nested": {"email": [who]}, "plan": "pro"})
        with provider.request() as followed:
            for key in ("a.b", "a.c", "a.d", f"a.{who}"):
                client.get_boolean_value(key, False, context)
                client.get_string_value(key, who, context)
                client.get_object_value(key, {"who": who}, context)
            followed.failed()
        client.track("bought", context, TrackingEventDetails(1.0, {"email": who}))
        provider.flush()
        until(lambda: bool(it.reports))
        api.shutdown()
        sent = b"".join(it.bodies).decode() + json.dumps([each[1:] for each in it.requests])
    kept = "".join(each.read_text() for each in tmp_path.iterdir())
    for where in (sent, kept, watched.everything()):
        assert "secret" not in where.replace("secret-token", "")
        assert "example.com" not in where
    assert UNREADABLE in sent
    assert "context.plan" in watched.everything()


# -- reports to a server ---------------------------------------------------------------------------------------


def test_what_was_counted_is_reported_and_what_is_not_taken_waits() -> None:
    it = StandIn(document(a__b=flag()))
    it.refuse["/flags/v1/exposures"] = 503
    with serving(it):
        provider = remote(it.url, audit=Audit(interval_s=3600.0))
        api.set_provider_and_wait(provider)
        client = api.get_client()
        with provider.request():
            client.get_boolean_value("a.b", False)
            client.get_boolean_value("a.b", False)
        provider.flush()
        assert it.reports == []
        it.refuse.clear()
        client.get_boolean_value("a.missing", False)
        api.shutdown()
        assert [each["exposures"] for each in it.reports] == [
            [
                {
                    "flag": "a.b",
                    "variant": "on",
                    "reason": "STATIC",
                    "version": 1,
                    "count": 2,
                    "requests": 1,
                    "failed": 0,
                }
            ],
            [
                {
                    "flag": "a.missing",
                    "variant": "",
                    "reason": "ERROR",
                    "version": 1,
                    "count": 1,
                    "requests": 0,
                    "failed": 0,
                }
            ],
        ]
        first, second = it.reports
        assert first["since"] <= first["until"] == second["since"] <= second["until"]
        assert first["instance"]["service"] == "shop"


def test_reports_that_waited_too_long_and_ones_that_are_refused_count_as_dropped() -> None:
    it = StandIn(document(a__b=flag()))
    it.refuse["/flags/v1/exposures"] = 503
    with serving(it):
        provider = remote(it.url, audit=Audit(interval_s=3600.0))
        api.set_provider_and_wait(provider)
        for _ in range(15):
            api.get_client().get_boolean_value("a.b", False)
            provider.flush()
        it.refuse["/flags/v1/exposures"] = 400
        provider.flush()
        it.refuse.clear()
        api.get_client().get_boolean_value("a.b", False)
        provider.flush()
        told = it.reports[-1]
        assert told["dropped"] + sum(each["count"] for each in told["exposures"]) == 16


# -- requests --------------------------------------------------------------------------------------------------


def outcomes(watched: Watched, provider: DavyProvider) -> dict[tuple[str, str], int]:
    provider.flush()
    points = watched.points("feature_flag.requests")
    return {(names["feature_flag.key"], names["outcome"]): value for names, value in points}


def test_a_request_is_counted_once_for_each_variant_that_it_met() -> None:
    watched = Watched()
    provider = started(document(a__b=flag(), a__c=flag("off")), watched.audit())
    client = api.get_client()

    def fail(key: str, error: type[BaseException]) -> None:
        with provider.request():
            client.get_boolean_value(key, False)
            raise error

    with provider.request():
        client.get_boolean_value("a.b", False)
        with provider.request():
            client.get_boolean_value("a.b", False)
            client.get_boolean_value("a.c", False)
    with provider.request() as followed:
        client.get_boolean_value("a.b", False)
        followed.failed()
    for key, error in (("a.b", RuntimeError), ("a.c", KeyboardInterrupt)):
        with pytest.raises(error):
            fail(key, error)
    with provider.request():
        pass
    client.get_boolean_value("a.b", False)
    assert outcomes(watched, provider) == {
        ("a.b", "succeeded"): 1,
        ("a.b", "failed"): 2,
        ("a.c", "succeeded"): 2,
    }


def test_asgi_requests_fail_by_exception_and_by_status() -> None:
    watched = Watched()
    provider = started(document(a__b=flag()), watched.audit())
    client = api.get_client()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.to_thread(client.get_boolean_value, "a.b", False)
        if scope.get("path") == "/raises":
            raise RuntimeError("broken")
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": int(scope["path"][1:])})

    async def ask(kind: str, path: str) -> None:
        async def send(_: Any) -> None:
            return None

        async def receive() -> Any:
            return {}

        await AsgiRequests(app)({"type": kind, "path": path}, receive, send)

    async def all_of_them() -> None:
        await asyncio.gather(
            *(ask("http", path) for path in ("/200", "/404", "/500", "/503")), ask("lifespan", "")
        )
        with pytest.raises(RuntimeError):
            await ask("http", "/raises")

    asyncio.run(all_of_them())
    assert outcomes(watched, provider) == {("a.b", "succeeded"): 2, ("a.b", "failed"): 3}


def test_wsgi_requests_last_until_the_body_was_sent() -> None:
    watched = Watched()
    provider = started(document(a__b=flag(), a__c=flag()), watched.audit())
    client = api.get_client()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        client.get_boolean_value("a.b", False)
        if environ["path"] == "at once":
            raise RuntimeError("broken")
        start_response(environ["status"], [])

        def body() -> Iterable[bytes]:
            client.get_boolean_value("a.c", False)
            yield b"x"
            if environ["path"] == "later":
                raise RuntimeError("broken")

        return body()

    def ask(path: str, status: str = "200 OK") -> None:
        answer = WsgiRequests(app)({"path": path, "status": status}, lambda *_: None)
        try:
            assert list(answer) == [b"x"]
        finally:
            answer.close()
            answer.close()

    ask("fine")
    ask("fine", "503 Service Unavailable")
    for path in ("at once", "later"):
        with pytest.raises(RuntimeError):
            ask(path)
    assert outcomes(watched, provider) == {
        ("a.b", "succeeded"): 1,
        ("a.b", "failed"): 3,
        ("a.c", "succeeded"): 1,
        ("a.c", "failed"): 2,
    }
    with request() as outside:
        ask("fine")
    assert outside.met == set()
