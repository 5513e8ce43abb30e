"""Ramps as rollouts see them: users of a flag in the place of replicas, acknowledgements in that of a router.

What was decided of a ramp is in its flag in the same transaction (`davy.control.flags.ramped`); so there is
nothing to steer here, only to see how much of it is in force. A share that an instance has not acknowledged is
not.
"""

from collections.abc import Callable, Mapping

import msgspec

from davy.analysis.tally import Tally
from davy.control.flags.exposures import Exposures
from davy.control.flags.instances import Heard, Instances
from davy.control.flags.interlock import Interlock
from davy.control.flags.state import EVERYBODY, NOBODY, Ramp
from davy.control.flags.table import Flag, Table
from davy.control.ports import Traffic
from davy.flags.ramp import flag_of, is_ramp
from davy.model.images import ImageMap
from davy.model.key import Key
from davy.model.pod import PodTemplateSpec
from davy.rollout.platform import Desired, Launch, Platform, Pod, Seen
from davy.rollout.state import RolloutState

MOST_NAMED = 5
REMEMBERED = 50
"""How many shares are remembered of a flag, for instances that evaluate by an earlier document."""


class Ramps:
    """The platform and the traffic of ramps.

    Args:
        interlock: the flags.
        instances: who evaluates by which document.
        exposures: what they counted.
    """

    def __init__(self, interlock: Interlock, instances: Instances, exposures: Exposures) -> None:
        self._interlock, self._instances, self._exposures = interlock, instances, exposures
        self.changed: Callable[[Key], None] = lambda _: None
        """Called when what stands for the users of a ramp is there."""
        self._replicas: dict[Key, dict[str, int]] = {}
        self._weights: dict[Key, dict[str, int]] = {}
        self._shares: dict[Key, list[tuple[int, int]]] = {}
        for name, body in interlock.load("rollout").items():
            namespace, _, rest = name.partition("/")
            if is_ramp(key := Key(namespace, rest)):
                state = msgspec.json.decode(body, type=RolloutState)
                self._replicas[key] = {each.hash: each.replicas for each in state.revisions}
                self._weights[key] = dict(state.weights)
        for flag in interlock.table.flags.values():
            self._remember(flag)
        interlock.told.append(self._take_in)

    def look(self, key: Key) -> Seen:
        """Say which share of the users has the variant, by what every instance has said."""
        replicas = self._replicas.get(key, {})
        table = self._interlock.table
        flag = table.flags.get(flag_of(key))
        since = 0.0 if flag is None else flag.state.since
        pods = tuple(
            Pod(f"{key.name}-{hash_}-{number}", hash_, "Running", True, True, 0, since, 0)
            for hash_, count in replicas.items()
            for number in range(count)
        )
        if flag is None or flag.state.ramp is None:
            return Seen(pods, self._weights.get(key), alarm=f"flag {flag_of(key).name} was taken away")
        ramp = flag.state.ramp
        if ramp.over:
            return Seen(pods, self._weights.get(key), alarm=_taken(flag))
        share, trouble = self._in_force(table, flag)
        weights = None if share is None else {ramp.old: EVERYBODY - share, ramp.new: share}
        return Seen(pods, weights, trouble=trouble)

    def steer(self, key: Key, desired: Desired) -> None:
        """Note what stands for the users; the share is in the flag since it was decided."""
        replicas = {each.hash: each.replicas for each in desired.replica_sets}
        news = (replicas, desired.weights) != (self._replicas.get(key), self._weights.get(key))
        self._replicas[key], self._weights[key] = replicas, dict(desired.weights)
        if news:
            self.changed(key)

    def forget(self, key: Key) -> None:
        """Forget a ramp."""
        self._replicas.pop(key, None)
        self._weights.pop(key, None)

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        """Return what was counted of users with the variant and of the others since the ramp began."""
        flag = self._interlock.table.flags.get(flag_of(key))
        ramp = None if flag is None else flag.state.ramp
        if flag is None or ramp is None:
            return self._exposures.counted_at, {}
        sums = {ramp.new: [0, 0, 0], ramp.old: [0, 0, 0]}
        for row, each in self._exposures.of(flag.key.name).items():
            if row.version >= ramp.generation:
                found = sums[ramp.new if row.variant == ramp.variant else ramp.old]
                found[0] += each.requests
                found[1] += each.failed
                found[2] += max(0, each.count - each.requests)
        if self._met(flag, ramp):
            sums[ramp.new][2] += 1
        return self._exposures.counted_at, {
            hash_: Tally(requests, errors, met) for hash_, (requests, errors, met) in sums.items()
        }

    def _met(self, flag: Flag, ramp: Ramp) -> bool:
        """Say whether an instance has said that it gives the variant to some users."""
        if ramp.over:
            return False
        table = self._interlock.table
        return any(self._share(table, flag, heard) for heard in self._instances.connected)

    def _in_force(self, table: Table, flag: Flag) -> tuple[int | None, str]:
        """Return the share that is in force, over all instances, and what keeps it from being the one decided.

        It is that share only when every instance has said so. Whoever asks the engine itself has it at once, of
        which what was counted since is proof where no instance is connected.
        """
        wanted, generation, name = flag.state.settings.share or NOBODY, flag.state.generation, flag.key.name
        connected = self._instances.connected
        if not connected:
            if any(row.version >= generation for row in self._exposures.of(name)):
                return (wanted, "") if _open(table, flag, "") else (NOBODY, table.verdict(flag).why)
            return None, f"no instance has said that it evaluates by version {generation} of the document"
        shares = [self._share(table, flag, heard) for heard in connected]
        if all(share == wanted for share in shares):
            if self._instances.is_incomplete and wanted:
                return wanted - 1, "there are more instances than can be known"
            return wanted, ""
        mean = sum(shares) // len(shares)
        mean = max(mean, min(1, max(shares)))
        if mean >= wanted:
            mean = wanted - 1
        return max(mean, NOBODY), _lacking(table, flag, connected, shares)

    def _share(self, table: Table, flag: Flag, heard: Heard) -> int:
        """Say for how many percent of its users an instance evaluates the flag to the variant."""
        if heard.version < flag.state.generation:
            known = [share for since, share in self._shares.get(flag.key, ()) if since <= heard.version]
            return known[-1] if known else NOBODY
        if flag.state.dead or not _open(table, flag, heard.instance.artifact):
            return NOBODY
        return flag.state.settings.share or NOBODY

    def _take_in(self, before: Table, after: Table) -> None:
        for key, flag in after.flags.items():
            known = before.flags.get(key)
            if known is None or known.state.generation != flag.state.generation:
                self._remember(flag)

    def _remember(self, flag: Flag) -> None:
        if flag.manifest.spec.ramp is not None:
            share = NOBODY if flag.state.dead else flag.state.settings.share or NOBODY
            shares = self._shares.setdefault(flag.key, [])
            shares.append((flag.state.generation, share))
            del shares[:-REMEMBERED]


class Dispatching:
    """The platform and the traffic of everything: ramps are led one way, and what runs the other."""

    def __init__(self, ramps: Ramps, platform: Platform, traffic: Traffic) -> None:
        self._ramps, self._platform, self._traffic = ramps, platform, traffic

    def use_images(self, images: ImageMap) -> None:
        """Take in what stands behind images."""
        self._platform.use_images(images)

    def resolve(self, key: Key, template: PodTemplateSpec) -> Launch:
        """Say how an image is started."""
        return self._platform.resolve(key, template)

    def look(self, key: Key) -> Seen:
        """Say what there is."""
        return self._ramps.look(key) if is_ramp(key) else self._platform.look(key)

    def steer(self, key: Key, desired: Desired) -> None:
        """Make it so."""
        (self._ramps if is_ramp(key) else self._platform).steer(key, desired)

    def forget(self, key: Key) -> None:
        """Stop everything that belongs to a rollout."""
        (self._ramps if is_ramp(key) else self._platform).forget(key)

    def counters(self, key: Key) -> tuple[float, Mapping[str, Tally]]:
        """Return what users got, version by version."""
        return self._ramps.counters(key) if is_ramp(key) else self._traffic.counters(key)


def _open(table: Table, flag: Flag, artifact: str) -> bool:
    return not table.gated(flag) or artifact in table.opened(flag)


def _taken(flag: Flag) -> str:
    """Say why a ramp does not decide any more who gets what."""
    killed, name = flag.state.killed, flag.key.name
    if killed is not None:
        return f"{name} was killed by {killed.by}: {killed.reason}"
    return f"{name} was set by hand"


def _lacking(table: Table, flag: Flag, connected: tuple[Heard, ...], shares: list[int]) -> str:
    """Say who does not give users the share that was decided, and why."""
    generation, wanted = flag.state.generation, flag.state.settings.share
    late = [each.instance.id for each in connected if each.version < generation]
    if late:
        more = f" and {len(late) - MOST_NAMED} more" if len(late) > MOST_NAMED else ""
        return (
            f"{', '.join(late[:MOST_NAMED])}{more} has not said yet that it evaluates by version {generation}"
        )
    if flag.state.dead:
        return f"{flag.key.name} is killed for practice"
    shut = sorted(
        {each.instance.artifact for each, share in zip(connected, shares, strict=True) if share != wanted}
    )
    return f"the gate is shut for {', '.join(shut) or 'nobody'}: {table.verdict(flag, shut[0]).why}"
