"""The analysis runs of all rollouts: what is asked, of whom, and what came back.

Questions are asked in threads, since a provider may take its time; nothing else happens there. What is out is
known only in memory: after a crash it is asked again.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import msgspec

from davy.analysis import run as analysis
from davy.analysis.arguments import Hashes
from davy.analysis.evidence import Evidence
from davy.analysis.metric import Measurement, blind, effective_count, judge
from davy.analysis.phase import Phase
from davy.analysis.provider import Provider, ProviderError
from davy.analysis.resolve import Templates, Unresolved, resolve
from davy.analysis.run import RunState, Task
from davy.control.held import Held
from davy.control.ports import Clock
from davy.ledger.entry import Draft
from davy.model.key import Key
from davy.model.providers import MetricProvider
from davy.rollout.decision import RunKind, RunRequest, RunView, Verdict

THREADS = 8


class RunRecord(msgspec.Struct, frozen=True):
    """An analysis run and whom it belongs to; stored as it is."""

    owner: Key
    kind: RunKind
    hash: str
    step: int | None
    state: RunState

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.state.name

    @property
    def key(self) -> Key:
        """What the run is stored under."""
        return Key(self.owner.namespace, self.state.name)


@dataclass(frozen=True, slots=True)
class Question:
    """A measurement that is out: of which run and metric, and since when."""

    run: Key
    metric: str
    asked_at: float


class Runs:
    """Starts, measures and ends analysis runs; whoever calls stores what changed and then lets it be kept.

    Args:
        providers: whom to ask, by name.
        templates: the analysis templates that a namespace may use.
        clock: tells the time.
        answered: called when an answer has come.
        watch_first_s: seconds of the clock before anything is asked. Samples that are scraped in process are
            lost with the process; a query over the last minute needs a minute to mean something again, and
            must not be taken for a service without traffic.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        templates: Callable[[str], Templates],
        clock: Clock,
        answered: Callable[[], None],
        *,
        watch_first_s: float = 0.0,
    ) -> None:
        self._not_before = clock.now() + watch_first_s
        self._providers, self._templates, self._clock, self._answered = providers, templates, clock, answered
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="measure")
        self._runs: dict[Key, RunRecord] = {}
        self._out: dict[tuple[Key, str], tuple[Question, Future[Measurement]]] = {}

    def load(self, records: Mapping[str, bytes]) -> None:
        """Take up the runs that were stored."""
        self.keep(*(msgspec.json.decode(body, type=RunRecord) for body in records.values()))

    def start(self, request: RunRequest, held: Held, now: float) -> RunRecord:
        """Make the run that a rollout asks for; one that cannot even begin is in Error."""
        hashes = Hashes(stable=held.state.stable, latest=held.state.current)
        resolved = resolve(request.analysis, self._templates(held.key.namespace), held.manifest, hashes)
        if isinstance(resolved, Unresolved):
            state = analysis.broken(request.name, resolved.message, now=now)
        else:
            state = analysis.start(
                request.name, resolved.metrics, resolved.dry_run, resolved.retention, now=now
            )
        return RunRecord(held.key, request.kind, held.state.current, request.step, state)

    def end_all_but(self, owner: Key, names: Iterable[str], now: float) -> list[RunRecord]:
        """End the runs of a rollout that it needs no longer."""
        wanted = set(names)
        return [
            msgspec.structs.replace(run, state=analysis.terminate(run.state, now))
            for run in self.of(owner)
            if not run.state.completed and run.name not in wanted
        ]

    def keep(self, *runs: RunRecord) -> None:
        """Remember runs as they are now; they are in the store by then."""
        self._runs |= {run.key: run for run in runs}

    def forget(self, owner: Key) -> None:
        """Forget the runs of a rollout that is no more, with the answers that are still to come."""
        self._runs = {key: run for key, run in self._runs.items() if run.owner != owner}
        self._out = {place: out for place, out in self._out.items() if place[0] in self._runs}

    def get(self, key: Key) -> RunRecord:
        """Return a run that is kept."""
        return self._runs[key]

    def of(self, owner: Key) -> list[RunRecord]:
        """Return the runs of a rollout, oldest first."""
        return sorted(
            (run for run in self._runs.values() if run.owner == owner), key=lambda run: run.state.started_at
        )

    def views(self, owner: Key) -> dict[str, RunView]:
        """Return the runs of a rollout as it sees them."""
        return {run.name: view(run.state) for run in self.of(owner)}

    def ask_due(self, now: float) -> float | None:
        """Ask what is due and return when the next question is, None for never."""
        if now < self._not_before:
            return self._not_before
        wakes = []
        for run in self._runs.values():
            if run.state.completed:
                continue
            for task in analysis.due(run.state, now):
                self._ask(run, task, now)
            pending = {metric for key, metric in self._out if key == run.key}
            if len(pending) < sum(not metric.completed for metric in run.state.metrics):
                wakes.append(analysis.next_due(run.state, now))
        return min((wake for wake in wakes if wake is not None and wake > now), default=None)

    def collect(self) -> list[tuple[RunRecord, list[Draft]]]:
        """Take in the answers that have come: the runs as they are with them, and what to write down.

        What came together is judged together, so that a failure is never hidden by something inconclusive.
        """
        came: dict[Key, dict[str, Measurement]] = {}
        for place, (question, future) in list(self._out.items()):
            if future.done():
                del self._out[place]
                came.setdefault(question.run, {})[question.metric] = future.result()
        return [self._record(self._runs[key], measurements) for key, measurements in came.items()]

    def settle(self) -> None:
        """Wait until everything that was asked has been answered."""
        wait([future for _, future in self._out.values()])

    def close(self) -> None:
        """Ask nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _record(self, run: RunRecord, measurements: Mapping[str, Measurement]) -> tuple[RunRecord, list[Draft]]:
        """Put measurements into a run; one that was ended meanwhile stays as it is."""
        if run.state.completed:
            return run, []
        run = msgspec.structs.replace(run, state=analysis.record_all(run.state, measurements))
        ended_at = run.state.completed_at
        return run, [] if ended_at is None else [ended_entry(run, ended_at)]

    def _ask(self, run: RunRecord, task: Task, now: float) -> None:
        """Ask one question, unless it is out already."""
        place = (run.key, task.name)
        if place not in self._out:
            future = self._threads.submit(self._measure, task, now)
            future.add_done_callback(lambda _: self._answered())
            self._out[place] = (Question(run.key, task.name, now), future)

    def _measure(self, task: Task, asked_at: float) -> Measurement:
        """Ask a provider and judge its answer; whatever goes wrong is a measurement that saw nothing."""
        kind = provider_kind(task.provider)
        provider = self._providers.get(kind)
        try:
            if provider is None:
                raise ProviderError(f"the provider {kind} is not installed")
            answer = provider.measure(task.provider, now=asked_at)
        except Exception as error:  # noqa: BLE001  a plug-in may raise anything; it is never a pass
            return blind(error, self._clock.now(), started_at=asked_at)
        return judge(task.metric, answer, self._clock.now(), started_at=asked_at)


def provider_kind(provider: MetricProvider) -> str:
    """Name the provider that a metric asks, by the field that is set."""
    fields = msgspec.structs.asdict(provider)
    return next((name for name, value in fields.items() if value is not None), "none")


def verdict(state: RunState) -> Verdict:
    """Say what a run means for its rollout: Argo's phases, but for runs that judged nothing."""
    if not state.completed:
        return Verdict.RUNNING
    match state.phase:
        case Phase.FAILED:
            return Verdict.FAILED
        case Phase.ERROR:
            return Verdict.ERROR
        case _:
            return Verdict.PASSED if state.evidence is Evidence.PASS else Verdict.UNKNOWN


def view(state: RunState) -> RunView:
    """Show a run as its rollout sees it."""
    counted = [metric for metric in state.metrics if not metric.dry_run]
    return RunView(
        verdict(state),
        _message(state),
        finite=all(effective_count(metric.metric) is not None for metric in state.metrics),
        passing=bool(counted) and all(metric.successful > 0 for metric in counted),
    )


def started_entry(run: RunRecord, now: float) -> Draft:
    """Write down that a run began, and what it measures."""
    metrics = [
        {
            "name": metric.name,
            "successCondition": metric.metric.success_condition,
            "failureCondition": metric.metric.failure_condition,
            "provider": msgspec.to_builtins(metric.metric.provider),
        }
        for metric in run.state.metrics
    ]
    detail: dict[str, object] = {**_naming(run), "metrics": metrics}
    return Draft(now, "analysis_started", f"Rollout {run.owner}", detail)


def ended_entry(run: RunRecord, now: float) -> Draft:
    """Write down how a run ended, and on what."""
    metrics = [
        {
            "name": metric.name,
            "phase": metric.phase,
            "successful": metric.successful,
            "failed": metric.failed,
            "inconclusive": metric.inconclusive,
            "errors": metric.error,
            "value": metric.measurements[-1].value if metric.measurements else "",
        }
        for metric in run.state.metrics
    ]
    detail: dict[str, object] = {
        **_naming(run),
        "phase": run.state.phase,
        "evidence": run.state.evidence,
        "message": run.state.message,
        "sentence": analysis.sentence(run.state),
        "metrics": metrics,
    }
    return Draft(now, "analysis_finished", f"Rollout {run.owner}", detail)


def _naming(run: RunRecord) -> dict[str, object]:
    return {"run": run.name, "type": run.kind, "hash": run.hash, "step": run.step}


def _message(state: RunState) -> str:
    """Explain a run: Argo's message where it has one, else our sentence."""
    return state.message or analysis.sentence(state)
