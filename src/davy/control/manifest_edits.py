"""What the verbs change in a manifest: each a function from manifest to manifest."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from davy.errors import NotFound
from davy.model.rollout import PodTemplateSpec, Rollout


def with_images(rollout: Rollout, images: Mapping[str, str]) -> Rollout:
    """Return the manifest with other images in it; `*` stands for every container.

    Raises:
        NotFound: the pod template has no container of that name.
    """
    template = rollout.spec.template
    containers = template.spec.containers
    names = [container.name for container in containers]
    unknown = [name for name in images if name not in (*names, "*")]
    if unknown:
        raise NotFound(
            f'rollout "{rollout.metadata.name}" has no container "{unknown[0]}"',
            hint=f"its containers: {', '.join(names)}",
        )
    changed = tuple(
        msgspec.structs.replace(container, image=images.get(container.name, images.get("*", container.image)))
        for container in containers
    )
    pod = msgspec.structs.replace(template.spec, containers=changed)
    return with_template(rollout, msgspec.structs.replace(template, spec=pod))


def with_template(rollout: Rollout, template: PodTemplateSpec) -> Rollout:
    """Return the manifest with another pod template."""
    return _changing(rollout, template=template)


def with_replicas(rollout: Rollout, replicas: int) -> Rollout:
    """Return the manifest with another number of replicas."""
    return _changing(rollout, replicas=replicas)


def with_restart(rollout: Rollout, now: float) -> Rollout:
    """Return the manifest that wants every replica to be younger than now.

    It is written in milliseconds, upwards: in whole seconds, as Argo writes it, a replica that started within
    the same second would be taken for one that is younger.
    """
    at = datetime.fromtimestamp(math.ceil(now * 1000) / 1000, UTC)
    return _changing(rollout, restart_at=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def paused(rollout: Rollout, *, paused: bool) -> Rollout:
    """Return the manifest frozen or not."""
    return _changing(rollout, paused=paused)


def _changing(rollout: Rollout, **changes: object) -> Rollout:
    return msgspec.structs.replace(rollout, spec=msgspec.structs.replace(rollout.spec, **changes))
