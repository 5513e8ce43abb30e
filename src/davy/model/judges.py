"""Which Judge judges a rollout: the one that it names, that its analyses ask, or that is its service's."""

from collections.abc import Iterable
from typing import Any

from davy.model.analysis import Metric
from davy.model.judge import ANNOTATION, PLUGIN, Judge
from davy.model.origin import annotated
from davy.model.rollout import Rollout


def bound(rollout: Rollout, judges: Iterable[Judge], metrics: Iterable[Metric] = ()) -> Judge | None:
    """Return the Judge of a rollout; only canaries have one, there is nothing to compare others with.

    A Judge that is named and not there is none; no other takes its place.

    Args:
        rollout: whose.
        judges: all there are, of any namespace.
        metrics: those that the rollout's analyses measure.
    """
    if rollout.spec.strategy.canary is None:
        return None
    there = [judge for judge in judges if judge.key.namespace == rollout.key.namespace]
    name = rollout.metadata.annotations.get(ANNOTATION) or next(filter(None, map(asked, metrics)), "")
    if name:
        return next((judge for judge in there if judge.key.name == name), None)
    service = service_of(rollout)
    own = sorted((judge for judge in there if judge.spec.service == service), key=lambda judge: judge.key.name)
    return own[0] if own else None


def service_of(rollout: Rollout) -> str:
    """Return whose rollout this is: what the annotation `davy.dev/service` says, or else its own name."""
    return annotated(rollout, rollout.spec.template).get("service") or rollout.metadata.name


def asked(metric: Metric) -> str | None:
    """Return the name of the Judge whose verdict a metric is; empty is the service's, None is none."""
    if PLUGIN not in metric.provider.plugin:
        return None
    config: Any = metric.provider.plugin[PLUGIN]
    name = config.get("judge", "") if isinstance(config, dict) else ""
    return name if isinstance(name, str) else ""
