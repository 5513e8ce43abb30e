"""What a person asks for, applied to what is held: pure, so that whoever asks decides when to write it down."""

from typing import assert_never

import msgspec

from davy.control import requests
from davy.control.held import Held
from davy.errors import NotFound, Refused
from davy.model.rollout import Rollout
from davy.rollout import actions
from davy.rollout.actions import Outcome

Action = requests.Promote | requests.Abort | requests.Retry | requests.Pause | requests.Resume


def with_images(rollout: Rollout, images: dict[str, str]) -> Rollout:
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
    spec = msgspec.structs.replace(rollout.spec, template=msgspec.structs.replace(template, spec=pod))
    return msgspec.structs.replace(rollout, spec=spec)


def perform(action: Action, held: Held, now: float) -> tuple[str, str, Outcome, Rollout]:
    """Apply an action to what is held: its verb, what to say, its outcome and the manifest afterwards."""
    rollout, state, name = held.manifest, held.state, held.key.name
    match action:
        case requests.Promote():
            if rollout.spec.paused:
                return "promote", f"rollout '{name}' promoted", (state, ()), _paused(rollout, paused=False)
            return "promote", f"rollout '{name}' promoted", actions.promote(rollout, state, now), rollout
        case requests.Abort():
            return "abort", f"rollout '{name}' aborted", actions.abort(rollout, state, now), rollout
        case requests.Retry():
            return "retry", f"rollout '{name}' retried", actions.retry(rollout, state, now), rollout
        case requests.Pause():
            if rollout.spec.paused:
                raise Refused(f"rollout '{name}' is paused already", hint=f"davy resume {name}")
            return "pause", f"rollout '{name}' paused", (state, ()), _paused(rollout, paused=True)
        case requests.Resume():
            if not rollout.spec.paused:
                raise Refused(
                    f"rollout '{name}' is not paused by hand",
                    hint="a pause of its own steps is ended by davy promote",
                )
            return "resume", f"rollout '{name}' resumed", (state, ()), _paused(rollout, paused=False)
        case _:
            assert_never(action)


def _paused(rollout: Rollout, *, paused: bool) -> Rollout:
    """Return the manifest frozen or not."""
    return msgspec.structs.replace(rollout, spec=msgspec.structs.replace(rollout.spec, paused=paused))
