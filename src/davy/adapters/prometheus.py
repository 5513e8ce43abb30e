"""Measures with PromQL: of the samples that Davy scraped itself, or of a Prometheus that answers.

A template's address names a Prometheus of the cluster it was written for. Where that answers it is asked;
elsewhere the same query is evaluated here. Which of the two is decided once for each address and written into
every measurement, so that nobody has to wonder whose numbers a verdict rests on.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from davy.adapters.http import Unreachable, redacted, request
from davy.adapters.prometheus_api import ANYWHERE, Reply, ask
from davy.adapters.tools import Tools
from davy.analysis.expression import EvaluationError, ExpressionError, compile
from davy.analysis.expression.moments import SECOND, Instant
from davy.analysis.numbers import numbers, printed
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.matching import QueryError
from davy.analysis.provider import Answer, Asking, ProviderError
from davy.model.duration import BadDuration, parse_duration
from davy.model.providers import MetricProvider, PrometheusMetric

DEFAULT_TIMEOUT_S = 30.0
"""How long a Prometheus may take for an answer where the metric does not say; Argo's default."""

PROBE_S = 1.0
"""How long a Prometheus may take to show that it is there."""

_PROBE_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Span:
    """The instants of a range query, in seconds."""

    start_s: float
    end_s: float
    step_s: float


def provider(tools: Tools) -> "InProcessPrometheus | PrometheusProvider":
    """Make the provider for an engine. Any address may be asked but those that nobody asks."""
    if tools.in_process:
        return InProcessPrometheus(tools.queries)
    return PrometheusProvider(tools.queries, speed=tools.clock.speed)


class InProcessPrometheus:
    """Evaluates queries over the samples of this process; a metric's address, headers and time-out are moot."""

    source = "in process"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking | None = None) -> Answer:
        """Evaluate the query at `now`, or over the range that it asks for."""
        metric = question(provider)
        span = range_of(metric, now)
        try:
            if span is None:
                result = self._engine.instant(metric.query, now)
            else:
                result = self._engine.range(metric.query, span.start_s, span.end_s, span.step_s)
        except QueryError as error:
            raise ProviderError(f"the query cannot be answered: {error.message}", hint=error.hint) from error
        return answer(metric, Reply(numbers(result)), self.source)


class HttpPrometheus:
    """Asks the Prometheus at the metric's address. `now` has to be the time that Prometheus lives in."""

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking | None = None) -> Answer:
        """Ask once, for at most as long as the metric's time-out."""
        metric = question(provider)
        if metric.timeout is not None and metric.timeout < 0:
            raise ProviderError("the time-out of a query cannot be negative")
        timeout_s = DEFAULT_TIMEOUT_S if metric.timeout is None else float(metric.timeout)
        span = range_of(metric, now)
        hide = asking.hide if asking else str
        if span is None:
            form = {"query": metric.query, "time": f"{now:.3f}"}
            reply = ask(metric, "query", form, timeout_s=timeout_s, hide=hide)
        else:
            form = {
                "query": metric.query,
                "start": f"{span.start_s:.3f}",
                "end": f"{span.end_s:.3f}",
                "step": f"{span.step_s:.3f}",
            }
            reply = ask(metric, "query_range", form, timeout_s=timeout_s, hide=hide)
        return answer(metric, reply, redacted(metric.address))


@dataclass(frozen=True, slots=True)
class Source:
    """Who answers for an address, and for a person why it is this one."""

    provider: InProcessPrometheus | HttpPrometheus
    why: str


class PrometheusProvider:
    """The provider `prometheus`: chooses for each address who is asked, once, and keeps to it.

    A Prometheus that was chosen and goes away later is an error of every measurement from then on. Numbers from
    elsewhere would be a switch that nobody decided.

    Args:
        engine: evaluates over the samples of this process.
        speed: of the clock that `measure` is told. A Prometheus lives at speed 1, so at any other speed the
            answers come from this process, whatever the address.
    """

    def __init__(self, engine: Engine, *, speed: float = 1.0) -> None:
        self._in_process = InProcessPrometheus(engine)
        self._http = HttpPrometheus()
        self._speed = speed
        self._chosen: dict[str, Source] = {}
        self._locks: dict[str, threading.Lock] = {}

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking | None = None) -> Answer:
        """Ask whoever answers for the metric's address."""
        metric = question(provider)
        source = self.choose(metric.address)
        said = source.provider.measure(provider, now=now, asking=asking)
        return Answer(said.result, said.text, {**said.metadata, "source": source.why})

    def choose(self, address: str) -> Source:
        """Say who answers for an address: asked of the address itself the first time, remembered afterwards."""
        with self._locks.setdefault(address, threading.Lock()):
            if address not in self._chosen:
                self._chosen[address] = self._look(address)
            return self._chosen[address]

    def _look(self, address: str) -> Source:
        inside, place = self._in_process.source, redacted(address)
        if not address:
            return Source(self._in_process, inside)
        if self._speed != 1.0:
            why = f"{inside}: the clock runs at speed {self._speed:g}, and {place} at 1"
            return Source(self._in_process, why)
        try:
            if is_prometheus(address):
                return Source(self._http, place)
            return Source(self._in_process, f"{inside}: {place} is no Prometheus")
        except Unreachable as error:
            return Source(self._in_process, f"{inside}: {error.message}")


def is_prometheus(address: str) -> bool:
    """Say whether a Prometheus is there, or something that guards or moves one.

    Everything that speaks HTTP counts but what knows neither of the two pages: one that wants credentials, is
    not ready yet or redirects has to be heard of as an error of the measurement, not passed over. Certificates
    are not looked at, for nothing secret is sent.

    Raises:
        Unreachable: nothing there speaks HTTP, or not within `PROBE_S`.
    """
    for page in ("/-/ready", "/api/v1/status/buildinfo"):
        url = f"{address.rstrip('/')}{page}"
        seen = request(
            "GET", url, timeout_s=PROBE_S, max_bytes=_PROBE_BYTES, verify=False, admit=ANYWHERE.admit
        )
        if seen.status != 404:
            return True
    return False


def question(provider: MetricProvider) -> PrometheusMetric:
    """Take the question that is meant for Prometheus.

    Raises:
        ProviderError: it is for somebody else, or empty.
    """
    if provider.prometheus is None:
        raise ProviderError("this metric does not ask Prometheus")
    if not provider.prometheus.query.strip():
        raise ProviderError("the metric has no query")
    return provider.prometheus


def range_of(metric: PrometheusMetric, now: float) -> Span | None:
    """Work out the instants of a range query, or None where the metric asks for one instant.

    Raises:
        ProviderError: its start, its end or its step cannot be read.
    """
    asked = metric.range_query
    if asked is None:
        return None
    try:
        step = parse_duration(asked.step)
    except BadDuration as error:
        raise ProviderError(f"the step of the metric's rangeQuery cannot be read: {error}") from error
    start, end = _moment("start", asked.start, now), _moment("end", asked.end, now)
    if step <= 0 or end < start:
        raise ProviderError("the metric's rangeQuery has no step, or ends before it starts")
    return Span(start, end, step)


def _moment(field: str, expression: str, now: float) -> float:
    """Evaluate `now() - duration("1h")` and its like, as Argo does (`EvalTime`, utils/evaluate)."""
    hint = 'write now(), now() - duration("1h") or date("2026-01-31T12:00:00Z")'
    try:
        value = compile(expression).evaluate({}, now=now)
    except (ExpressionError, EvaluationError) as error:
        reason = error.message.partition("\n")[0]
        raise ProviderError(f"the {field} of the metric's rangeQuery: {reason}", hint=hint) from error
    if not isinstance(value, Instant):
        raise ProviderError(f"the {field} of the metric's rangeQuery is not a time", hint=hint)
    return value.nanoseconds / SECOND


def answer(metric: PrometheusMetric, reply: Reply, source: str) -> Answer:
    """Put a reply into the words of a measurement, the keys of its metadata being Argo's but for `source`."""
    metadata: Mapping[str, str] = {"ResolvedPrometheusQuery": metric.query, "source": source}
    if reply.warnings:
        metadata = {**metadata, "warnings": ", ".join(f'"{warning}"' for warning in reply.warnings)}
    return Answer(reply.numbers, printed(reply.numbers), metadata)
