"""The analysis runs of all rollouts: what is asked, of whom, and what came back.

Questions are asked in threads, since a provider may take its time; nothing else happens there. Those that were
answered late the last time are kept apart, so that a provider that hangs holds up nobody else. What is out is
known only in memory: after a crash it is asked again. Runs that have ended cost no more than their place, and
of those each rollout keeps the latest; the record has them all.
"""

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from types import MappingProxyType

import msgspec

from davy.analysis import run as analysis
from davy.analysis.arguments import Hashes
from davy.analysis.evidence import Evidence
from davy.analysis.metric import Measurement, effective_count
from davy.analysis.phase import Phase
from davy.analysis.provider import Asking, Lasting, NoSecrets, SecretSource
from davy.analysis.resolve import Templates, Unresolved, resolve
from davy.analysis.run import RunState, Task
from davy.control.held import Held
from davy.control.measuring import Providers, measure
from davy.control.ports import Clock
from davy.ledger.entry import Draft
from davy.model.key import Key
from davy.model.providers import shown
from davy.rollout.decision import RunKind, RunRequest, RunView, Verdict

THREADS = 16
LATE_THREADS = 4
LATE_S = 2.0
"""Real seconds after which an answer is late: the next time this is asked where it keeps no other waiting."""

KEPT = 10
"""How many runs that have ended are kept of each rollout beside those that it still refers to."""


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


Place = tuple[Key, str]
"""What a question is about: a run, or whose it is, and one of its metrics."""


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
        threads: who asks, threads of its own unless given; a simulation answers in an order of its choosing.
        secrets: where secrets are kept.
    """

    def __init__(
        self,
        providers: Providers,
        templates: Callable[[str], Templates],
        clock: Clock,
        answered: Callable[[], None],
        *,
        watch_first_s: float = 0.0,
        threads: Executor | None = None,
        secrets: SecretSource | None = None,
    ) -> None:
        self._not_before = clock.now() + watch_first_s
        self._providers, self._templates, self._clock, self._answered = providers, templates, clock, answered
        self._secrets = NoSecrets() if secrets is None else secrets
        self._lasting = {name: each for name, each in providers.items() if isinstance(each, Lasting)}
        self._threads = threads or ThreadPoolExecutor(THREADS, thread_name_prefix="measure")
        self._late_threads = threads or ThreadPoolExecutor(LATE_THREADS, thread_name_prefix="measure-late")
        self._late: set[Place] = set()  # by rollout, since its next run has another name
        self._runs: dict[Key, RunRecord] = {}
        self._of: dict[Key, dict[str, RunRecord]] = {}
        self._views: dict[Key, dict[str, RunView]] = {}
        self._due_at: dict[Key, float] = {}
        self._times: list[tuple[float, Key]] = []  # a heap; what `_due_at` does not confirm is out of date
        self._out: dict[Key, dict[str, Future[None]]] = {}
        self._came = deque[tuple[Place, Measurement]]()

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
                request.name,
                resolved.metrics,
                resolved.dry_run,
                resolved.retention,
                resolved.secrets,
                now=now,
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
        for run in runs:
            self._runs[run.key] = run
            self._of.setdefault(run.owner, {})[run.name] = run
            self._views.setdefault(run.owner, {})[run.name] = view(run.state)
            self._schedule(run)

    def get(self, key: Key) -> RunRecord | None:
        """Return a run that is kept."""
        return self._runs.get(key)

    def of(self, owner: Key) -> list[RunRecord]:
        """Return the runs of a rollout, oldest first."""
        return sorted(self._of.get(owner, {}).values(), key=lambda run: run.state.started_at)

    def views(self, owner: Key) -> Mapping[str, RunView]:
        """Return the runs of a rollout as it sees them."""
        return MappingProxyType(self._views.get(owner, {}))

    def surplus(self, owner: Key, names: Iterable[str]) -> list[RunRecord]:
        """Return the runs of a rollout that need not be kept: ended, not among these, and old."""
        kept = self._of.get(owner, {})
        if len(kept) <= KEPT:
            return []
        wanted = set(names)
        ended = [run for run in self.of(owner) if run.state.completed and run.name not in wanted]
        return ended[:-KEPT]

    def forget(self, *runs: RunRecord) -> None:
        """Let go of runs; they are out of the store by then."""
        for run in runs:
            self._runs.pop(run.key, None)
            self._due_at.pop(run.key, None)
            self._of.get(run.owner, {}).pop(run.name, None)
            self._views.get(run.owner, {}).pop(run.name, None)

    def ask_due(self, now: float) -> float | None:
        """Ask what is due and return when the next question is, None for never."""
        if now < self._not_before:
            return self._not_before
        while (at := self._next_time()) is not None and at <= now:
            _, key = heapq.heappop(self._times)
            del self._due_at[key]
            run = self._runs[key]
            for task in analysis.due(run.state, now):
                self._ask(run, task, now)
            self._schedule(run)
        self._end_unwanted()
        return at

    def collect(self) -> list[tuple[RunRecord, list[Draft]]]:
        """Take in the answers that have come: the runs as they are with them, and what to write down.

        What came together is judged together, so that a failure is never hidden by something inconclusive.
        """
        came: dict[Key, dict[str, Measurement]] = {}
        while self._came:
            (key, metric), measurement = self._came.popleft()
            self._out[key].pop(metric)
            if not self._out[key]:
                del self._out[key]
            if key in self._runs:
                came.setdefault(key, {})[metric] = measurement
        return [self._record(self._runs[key], measurements) for key, measurements in came.items()]

    def settle(self) -> None:
        """Wait until everything that was asked has been answered."""
        wait([future for asked in self._out.values() for future in asked.values()])

    def close(self) -> None:
        """Ask nothing any more."""
        for threads in (self._threads, self._late_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    def _record(self, run: RunRecord, measurements: Mapping[str, Measurement]) -> tuple[RunRecord, list[Draft]]:
        """Put measurements into a run; one that was ended meanwhile stays as it is."""
        if run.state.completed:
            return run, []
        run = msgspec.structs.replace(run, state=analysis.record_all(run.state, measurements))
        ended_at = run.state.completed_at
        return run, [] if ended_at is None else [ended_entry(run, ended_at)]

    def _schedule(self, run: RunRecord) -> None:
        """Note when there is something to ask for a run that is not being asked already."""
        at = analysis.next_due(run.state, without=self._out.get(run.key, ()))
        if at is None:
            self._due_at.pop(run.key, None)
        elif self._due_at.get(run.key) != at:
            self._due_at[run.key] = at
            heapq.heappush(self._times, (at, run.key))

    def _next_time(self) -> float | None:
        while self._times and self._due_at.get(self._times[0][1]) != self._times[0][0]:
            heapq.heappop(self._times)
        return self._times[0][0] if self._times else None

    def _ask(self, run: RunRecord, task: Task, now: float) -> None:
        """Ask one question, unless it is out already."""
        out = self._out.setdefault(run.key, {})
        if task.name not in out:
            out[task.name] = self._submit(run, task, now)

    def _submit(self, run: RunRecord, task: Task, now: float) -> "Future[None]":
        """Have a question asked in a thread: its own where it may last, so that it is in nobody's way."""
        name, owner = measurement_name(run, task.name), run.owner
        asking = Asking(name, owner.namespace, self._secrets, rollout=owner.name)
        place = (run.owner, task.name)

        def ask() -> None:
            began = self._clock.now()
            measured = measure(
                task.metric, run.state.secrets, asking, self._providers, self._clock.now, asked_at=now
            )
            late = self._clock.real_seconds(self._clock.now() - began) > LATE_S
            (self._late.add if late else self._late.discard)(place)
            self._came.append(((run.key, task.name), measured))
            self._answered()

        if task.provider.name not in self._lasting:
            return (self._late_threads if place in self._late else self._threads).submit(ask)
        future: Future[None] = Future()

        def ask_alone() -> None:
            ask()
            future.set_result(None)

        threading.Thread(target=ask_alone, name=f"measure-{task.name}", daemon=True).start()
        return future

    def _end_unwanted(self) -> None:
        """Let the measurements that last end, where their run has ended or is not known."""
        if not self._lasting:
            return
        wanted = [
            measurement_name(self._runs[key], metric)
            for key, asked in self._out.items()
            if key in self._runs and not self._runs[key].state.completed
            for metric in asked
        ]
        for provider in self._lasting.values():
            provider.end_all_but(wanted)


def measurement_name(run: RunRecord, metric: str) -> str:
    """Name the next measurement of a metric; it keeps its name until it is recorded, over any crash.

    When the run began is part of it: a rollout that was deleted and made again has runs of the same names, and
    must not be judged by what was measured of its namesake.
    """
    [state] = [state for state in run.state.metrics if state.name == metric]
    return f"{run.key}@{run.state.started_at!r}/{metric}/{state.count + state.error + 1}"


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
            "provider": shown(metric.metric.provider),
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
