"""What a judge says, as people read it: what is done and why, the evidence against one limit, the counts."""

from collections.abc import Iterator

import msgspec

from davy.analysis.judge.bets import exponent
from davy.analysis.judge.settings import ERROR_RATIO, Judge
from davy.analysis.judge.state import start
from davy.analysis.judge.verdict import Action, MetricView, Verdict
from davy.analysis.judge.verdict import verdict as judge_says
from davy.control import views
from davy.control.court.asked import WORDS
from davy.control.held import Held, is_compared
from davy.control.verdicts import said

_DOES = {
    Action.CONTINUE: "waits",
    Action.HOLD: "holds",
    Action.ADVANCE: "goes on",
    Action.ABORT: "aborts",
    Action.ROLLBACK: "rolls back",
}
_CALLED = {ERROR_RATIO: "errors"}


def judged(held: Held, name: str, now: float) -> views.JudgeView | None:
    """Draw the judge while an update is held to it, and after an abort, for whoever asks why."""
    found = said(held, held.watch, now)
    if found is None or held.watch is None or held.watch.hash != held.state.current:
        return None
    alarm = found.action in (Action.ABORT, Action.ROLLBACK)
    return views.JudgeView(name=name, sentence=_sentence(found), alarm=alarm, verdict=answer(found))


def verdict(held: Held, settings: Judge, now: float) -> views.VerdictView:
    """Answer whoever asks for a verdict; where there is nothing to judge, it is to continue."""
    found = said(held, held.watch, now)
    if found is None:
        found = judge_says(start(settings), now)
    if not is_compared(held.state) and found.action not in (Action.ABORT, Action.ROLLBACK):
        quiet = "no update is under way"
        found = msgspec.structs.replace(found, action=Action.CONTINUE, reason=quiet)
    return answer(found)


def answer(found: Verdict) -> views.VerdictView:
    """Return a verdict as it leaves Davy."""
    return views.VerdictView(
        verdict=WORDS[found.action],
        action=found.action,
        weight=_in_percent(found.weight),
        next_weight=_in_percent(found.next_weight),
        reason=found.reason,
        evidence=views.EvidenceView(**msgspec.structs.asdict(found.evidence)),
        assurance=views.AssuranceView(**msgspec.structs.asdict(found.assurance)),
        metrics={
            name: views.JudgedMetricView(**msgspec.structs.asdict(each)) for name, each in found.metrics.items()
        },
        data=views.JudgedDataView(**msgspec.structs.asdict(found.data)),
    )


def sentences(said: views.VerdictView) -> Iterator[str]:
    """Say of each metric what speaks against the canary."""
    for name, metric in said.metrics.items():
        counts = f", {_counts(metric)}" if metric.canary and metric.stable else ""
        clumps = f", in clumps of {metric.phi:.1f}" if metric.phi is not None and metric.phi > 1.05 else ""
        yield f"{name}: evidence 10^{exponent(metric.log10)}{counts}{clumps}"


def _sentence(found: Verdict) -> str:
    """Say what it does and why before the numbers: a narrow terminal cuts off the end."""
    evidence = found.evidence
    limit = f"evidence 10^{exponent(evidence.log10)} of the 10^{exponent(evidence.abort_at)} that abort"
    shown = evidence.driver if found.metrics[evidence.driver].canary else ERROR_RATIO
    if shown != evidence.driver:
        limit += f" ({evidence.driver})"
    parts = [f"{_DOES[found.action]}: {found.reason}", limit]
    metric = found.metrics.get(shown)
    if metric is not None and metric.canary is not None:
        parts.append(f"{_CALLED.get(shown, shown)} {_counts(metric)}")
    return " · ".join(parts)


def _counts(metric: MetricView | views.JudgedMetricView) -> str:
    return f"{_share(metric.canary)}, stable {_share(metric.stable)}"


def _share(counts: tuple[int, int] | None) -> str:
    tried, happened = counts or (0, 0)
    ratio = f"{100.0 * happened / tried:.2g} %" if tried else "-"
    return f"{ratio} ({_number(happened)} of {_number(tried)})"


def _in_percent(weight: float) -> float:
    return round(100.0 * weight, 3)


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")
