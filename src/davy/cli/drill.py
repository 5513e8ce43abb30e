"""`davy drill`: the real engine in a simulated world, and whether its invariants hold."""

from collections.abc import Iterator

import click

from davy.adapters.memory_platform import MemoryPlatform
from davy.adapters.memory_store import MemoryStore
from davy.cli.entries import sentence
from davy.cli.output import show_lines
from davy.cli.paint import Line as Painted
from davy.cli.paint import cell, span
from davy.cli.setting import talk
from davy.control.views import API_VERSION
from davy.errors import Refused, UsageError
from davy.ledger.entry import Entry
from davy.sim.drill import Report, drill
from davy.sim.faults import FAULTS
from davy.sim.ground import Parts
from davy.sim.story import Line

PARTS = Parts(MemoryStore, MemoryPlatform)

_LOOKS = {"entry": "", "traffic": "busy", "person": "strong", "fault": "bad", "engine": "wait", "call": "faint"}


@click.command()
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Which world to tell.  [default: 1]")
@click.option("--worlds", type=click.IntRange(1), metavar="N", help="Play so many worlds instead.")
@click.option(
    "--from", "first", type=click.IntRange(0), metavar="SEED", help="The first of them.  [default: 1]"
)
@click.option(
    "--faults",
    metavar="KINDS",
    help=f"Leave out all faults but these, or 'none': {', '.join(FAULTS)}.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell every call that an engine makes, too.")
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    seed: int | None, worlds: int | None, first: int | None, faults: str | None, *, verbose: bool, form: str
) -> None:
    """Play a simulated world and hold the engine to its invariants.

    The engine is the real one; its clock, platform, traffic, metrics and store are made up from the seed, and
    it is killed, kept waiting and lied to on the way. The same seed tells the same story, to the byte. Exits 1
    when an invariant is broken.
    """
    if seed is not None and (worlds is not None or first is not None):
        raise UsageError("--seed tells one world, --worlds plays many", hint="leave one of them out")
    if worlds is None and first is not None:
        raise UsageError(
            "--from is where --worlds begins", hint=f"--worlds N --from {first}, or --seed {first}"
        )
    allowed = _kinds(faults)
    if worlds is not None:
        _play_many(
            range(1 if first is None else first, (1 if first is None else first) + worlds), allowed, form
        )
        return
    report = drill(1 if seed is None else seed, PARTS, allowed, detailed=verbose)
    if form == "json":
        _show_data(report)
    else:
        show_lines(_told(report))
    if report.broken is not None:
        raise Refused(f"world {report.seed} breaks an invariant: {report.broken.invariant}")


def _kinds(faults: str | None) -> frozenset[str]:
    """Read the kinds of faults that may happen.

    Raises:
        UsageError: there is no such kind.
    """
    if faults is None:
        return frozenset(FAULTS)
    wanted = frozenset(kind for kind in faults.split(",") if kind and kind != "none")
    if unknown := sorted(wanted - FAULTS.keys()):
        raise UsageError(f"there is no fault {unknown[0]!r}", hint=f"known: none, {', '.join(FAULTS)}")
    return wanted


def _play_many(seeds: range, faults: frozenset[str], form: str) -> None:
    """Play worlds one after the other, and name those in which something is broken."""
    broken, events, seconds = [], 0, 0.0
    for seed in seeds:
        report = drill(seed, PARTS, faults)
        events, seconds = events + report.events, seconds + report.seconds
        if report.broken is not None:
            broken.append(seed)
            talk(f"world {seed}: {report.broken.invariant}: {report.broken.why}")
    if form == "json":
        import json

        named = {"kind": "DrillCampaign", "apiVersion": API_VERSION}
        counted = {"first": seeds[0], "worlds": len(seeds), "events": events, "seconds": round(seconds)}
        click.echo(json.dumps({**named, **counted, "broken": broken}, indent=2))
    else:
        click.echo(f"{len(seeds)} worlds from seed {seeds[0]}: {events} events in {_duration(seconds)}")
        click.echo(f"broken: {', '.join(map(str, broken)) or 'none'}")
    if broken:
        raise Refused(
            f"{len(broken)} of {len(seeds)} worlds break an invariant", hint=f"davy drill --seed {broken[0]}"
        )


def _told(report: Report) -> Iterator[Painted]:
    """Tell a world: what it is, what happened, what came of it."""
    yield cell(f"world {report.seed}: {', '.join(report.rollouts)}", "strong")
    yield cell(f"faults: {', '.join(report.faults) or 'none'}", "faint")
    yield ()
    for line in report.story:
        look = _LOOKS[line.tone]
        yield (span(f"  {_instant(line.at)}  ", "faint"), span(f"{line.tone:<7}  ", look), *_text(line))
    yield ()
    for ending in report.endings:
        look = {"promoted": "good", "taken back": "bad"}.get(ending.ended, "wait")
        images = ", ".join(ending.images)
        yield (span(f"  {ending.rollout} revision {ending.revision} ({images}): "), span(ending.ended, look))
    yield ()
    if report.broken is None:
        done = f"every invariant held: {report.events} events in {_duration(report.seconds)}"
        yield cell(done, "good")
        return
    yield cell(f"broken at {_instant(report.seconds)}: {report.broken.invariant}", "bad")
    yield cell(f"  promised: {report.broken.promise}")
    yield cell(f"  instead:  {report.broken.why}")


def _text(line: Line) -> Painted:
    """Write what a line says."""
    if line.entry is None:
        return (span(line.text),)
    entry: Entry = line.entry
    said = sentence(entry.kind, entry.detail)
    who = f"  by {entry.actor}: {entry.reason}" if entry.actor != "davy" else ""
    subject = entry.subject.partition(" ")[2]
    return (
        span(f"#{entry.seq} ", "faint"),
        span(entry.kind, "strong"),
        span(f"  {subject}  {said}".rstrip()),
        span(who),
    )


def _instant(at: float) -> str:
    """Write seconds since the world began."""
    tenths = round(at * 10)
    return f"{tenths // 36000:02}:{tenths // 600 % 60:02}:{tenths // 10 % 60:02}.{tenths % 10}"


def _duration(seconds: float) -> str:
    """Write how long a world lasted for those in it."""
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def _show_data(report: Report) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
