"""All rollouts under judgement where no engine runs: what is asked about is looked at from then on.

Counters are read in threads of their own, every interval, for as long as somebody asks. A question is answered
from what is known and never waits for a store of metrics.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import msgspec

from davy.analysis.counted.look import VersionCounters
from davy.analysis.judge import Judge as Settings
from davy.analysis.judge.declared import settings_of
from davy.control.court.asked import Answer, Asked
from davy.control.court.case import HISTORY_S, Case
from davy.errors import DavyError, NotFound, Refused, UsageError
from davy.ledger.entry import Draft
from davy.ledger.log import Receipt
from davy.ledger.store import Record
from davy.model.judge import Judge
from davy.model.key import Key

BUCKET = "verdict"
"""Where cases are kept."""

INTERVAL_S = 5.0
"""How often counters are read where a Judge does not say."""

TICK_S = 0.25
"""Real seconds between two looks at whose counters are due."""

READERS = 4
"""So many rollouts have their counters read at once."""

MOST = 500
"""So many rollouts are under judgement at once."""

BEGINS = "judging begins; nothing was counted yet"


class Verdicts(Protocol):
    """Whoever can say what to do with a canary."""

    def verdict(self, asked: Asked) -> Answer:
        """Answer a question about a rollout.

        Raises:
            NotFound: no Judge judges it.
            UsageError: the question makes no sense.
            DavyError: it cannot be answered now.
        """
        ...


class Kept(Protocol):
    """Where cases are kept, and aborts are written down."""

    def load(self, bucket: str) -> dict[str, bytes]:
        """Read all the records of a bucket."""
        ...

    def commit(self, changes: Mapping[Record, bytes | None], drafts: list[Draft]) -> object:
        """Write records."""
        ...

    def append(self, drafts: list[Draft]) -> tuple[Receipt, ...]:
        """Append events, each once."""
        ...


class Docket:
    """A `Verdicts` for Judges that have a Prometheus.

    Args:
        judges: each with `spec.prometheus`.
        source: returns who knows the counters of a Judge's versions.
        kept: where cases are kept.
        now: seconds since the epoch, by the clock that samples have, too.
    """

    def __init__(
        self,
        judges: Iterable[Judge],
        source: Callable[[Judge], VersionCounters],
        kept: Kept,
        now: Callable[[], float],
    ) -> None:
        self._judges = {judge.key: judge for judge in judges}
        self._sources = {key: source(judge) for key, judge in self._judges.items()}
        self._kept, self._now = kept, now
        self._guard = threading.Lock()
        self._cases: dict[Key, Case] = {}
        self._troubles: dict[Key, str] = {}
        self._due: dict[Key, float] = {}
        self._reading: set[Key] = set()
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="davy-verdict")
        self._thread = threading.Thread(target=self._run, name="davy-verdicts", daemon=True)
        self._take_up()

    @property
    def troubles(self) -> dict[Key, str]:
        """Why counters could not be read the last time, of each rollout that this is so of."""
        with self._guard:
            return dict(self._troubles)

    @property
    def cases(self) -> dict[Key, Case]:
        """All that is known."""
        with self._guard:
            return dict(self._cases)

    def start(self) -> None:
        """Read counters from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more; what is being read is waited for."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def verdict(self, asked: Asked) -> Answer:
        """Answer a question, from what is known."""
        judge, now = self._judge(asked), self._now()
        with self._guard:
            known = self._cases.get(asked.key)
            if known is None:
                self._make_room(now)
            asked = msgspec.structs.replace(asked, judge=judge.key.name)
            case = Case.opened(asked, _settings(judge), now) if known is None else known.ask(asked, now)
            if case.asked.canary == case.asked.stable:
                raise UsageError("canary and stable are the same version: there is nothing to compare")
            self._cases[asked.key] = case
            return case.answer(now, self._troubles.get(asked.key) or ("" if case.begun else BEGINS))

    def look(self) -> list[Key]:
        """Have the counters read that are due, and return whose; forget rollouts that nobody asks about."""
        now = self._now()
        with self._guard:
            due = [
                key
                for key, case in self._cases.items()
                if key not in self._reading and case.attended(now) and self._due.get(key, 0.0) <= now
            ]
            for key in due:
                self._due[key] = now + self._cases[key].interval_s
            self._reading.update(due)
        return due

    def read(self, key: Key) -> None:
        """Read the counters of a rollout once, and let the judge take them in."""
        try:
            with self._guard:
                case = self._cases[key]
            after = self._read(case)
        except DavyError as error:
            with self._guard:
                self._troubles[key] = f"the counters cannot be read: {error.message}"
        else:
            with self._guard:
                self._troubles.pop(key, None)
                current = self._cases.get(key, after)
                if _same_attempt(case, current):
                    # What was asked meanwhile is kept, and only what was counted is taken over.
                    moving = current.moving if current.moving != case.moving else after.moving
                    after = msgspec.structs.replace(
                        after, asked=current.asked, asked_at=current.asked_at, moving=moving
                    )
                    self._cases[key] = after
                else:
                    after = current
            self._keep(key, after)
        finally:
            with self._guard:
                self._reading.discard(key)

    def _read(self, case: Case) -> Case:
        """Ask for what both versions have counted."""
        asked, now = case.asked, self._now()
        source = self._sources[Key(asked.key.namespace, asked.judge)]
        words = {**asked.words, "name": asked.key.name}
        if not case.begun:
            case = case.learn(source.history(asked.stable, words, now=now, span_s=HISTORY_S))
        canary = source.look(asked.canary, words, now=now)
        return case.look(canary, source.look(asked.stable, words, now=now))

    def _keep(self, key: Key, case: Case) -> None:
        """Store a case; an abort is written down once for each attempt."""
        answer = case.answer(self._now())
        try:
            if answer.verdict == "abort" and not case.told:
                self._kept.append([_aborted(case, answer, self._now())])
                case = msgspec.structs.replace(case, told=True)
                with self._guard:
                    if key in self._cases and _same_attempt(case, self._cases[key]):
                        self._cases[key] = msgspec.structs.replace(self._cases[key], told=True)
            self._kept.commit({(BUCKET, str(key)): msgspec.json.encode(case)}, [])
        except DavyError as error:
            with self._guard:
                self._troubles[key] = f"what is known cannot be kept: {error.message}"

    def _run(self) -> None:
        while not self._ended.wait(TICK_S):
            for key in self.look():
                self._pool.submit(self.read, key)

    def _make_room(self, now: float) -> None:
        """Forget the rollout that nobody has asked about for longest, where there are too many.

        Raises:
            Refused: somebody asks about all of them.
        """
        if len(self._cases) < MOST:
            return
        oldest = min(self._cases.values(), key=lambda case: case.asked_at)
        if oldest.attended(now):
            raise Refused(f"{MOST} rollouts are under judgement already", hint="ask another server")
        del self._cases[oldest.asked.key]
        self._kept.commit({(BUCKET, str(oldest.asked.key)): None}, [])

    def _take_up(self) -> None:
        """Go on with cases where they were, as far as they can be read and their Judge is still there."""
        for body in self._kept.load(BUCKET).values():
            try:
                case = msgspec.json.decode(body, type=Case)
            except msgspec.DecodeError:
                continue  # another version of Davy wrote it; judging begins anew
            judge = self._judges.get(Key(case.asked.key.namespace, case.asked.judge))
            if judge is not None:
                self._cases[case.asked.key] = case.under(_settings(judge))

    def _judge(self, asked: Asked) -> Judge:
        """Return the Judge of a rollout: the one that is named, that has its name, or that is its service's.

        Raises:
            NotFound: there is none.
        """
        namespace = asked.key.namespace
        named = self._judges.get(Key(namespace, asked.judge or asked.key.name))
        if named is not None:
            return named
        own = [
            judge
            for key, judge in sorted(self._judges.items(), key=lambda each: str(each[0]))
            if key.namespace == namespace and judge.spec.service == asked.key.name
        ]
        if own and not asked.judge:
            return own[0]
        what = f"no Judge {asked.judge}" if asked.judge else f"no Judge of {asked.key.name}"
        raise NotFound(
            f"there is {what} in the namespace {namespace}",
            hint="a Judge is found by its name or its service; name another with judge=",
        )


def _settings(judge: Judge) -> Settings:
    return settings_of(judge, scrape_s=INTERVAL_S)


def _same_attempt(one: Case, other: Case) -> bool:
    return one.attempt == other.attempt and one.asked.canary == other.asked.canary


def _aborted(case: Case, answer: Answer, now: float) -> Draft:
    """Write down that the judge says no, and on what that rests."""
    asked = case.asked
    source = f"/judges/{asked.key.namespace}/{asked.judge}"
    name = f"{asked.key.name}/{asked.canary}/{case.attempt}"
    detail = {
        "run": f"davy/judge {asked.judge}",
        "type": "judge",
        "hash": asked.canary,
        "stable": asked.stable,
        "step": asked.step,
        "weight": answer.weight,
        "phase": "Failed",
        "evidence": "fail",
        "message": answer.reason,
        "sentence": answer.reason,
        "metrics": [
            {"name": metric, **msgspec.to_builtins(seen)} for metric, seen in sorted(answer.metrics.items())
        ],
    }
    return Draft(now, "analysis_finished", f"Rollout {asked.key}", detail, source=source, id=name, received=now)
