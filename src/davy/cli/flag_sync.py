"""`davy flag sync`: hold another vendor's flags against Git, and what must be off to being off there, too."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec

from davy.cli.engine_ledger import Ledger
from davy.cli.flag_registry import declared, environment_of
from davy.cli.flag_vendors import VENDORS, There, vendor
from davy.cli.options import common, output, store
from davy.cli.output import show_data, show_lines
from davy.cli.paint import cell, columns
from davy.cli.setting import Setting, talk
from davy.cli.watch import leaving
from davy.control.flags.vendor_toggles import toggled
from davy.control.requests import FlagList
from davy.control.views import API_VERSION, FlagListView, FlagView
from davy.errors import DavyError, Refused, Undecided, UsageError
from davy.flags.declaration import Declaration
from davy.flags.registry import Registry
from davy.flags.syncing import Difference, Standing, compare, described, name_there, standing_in_files
from davy.flags.vendor import FlagVendor, Toggle
from davy.ledger.entry import Draft
from davy.model.duration import BadDuration, parse_duration
from davy.serve.client import NotRunning

LOOK_S = 0.2
"""Real seconds between two looks at what the engine says: a kill is at the vendor that much later."""

_LOOKS = {"killed": "bad", "closed": "bad", "retired": "bad"}


class Outcome(msgspec.Struct, frozen=True):
    """What a sync did about a difference: nothing, or what it says is done; `failed` is why it is not."""

    difference: Difference
    done: str = ""
    failed: str = ""


@click.command("sync")
@click.argument("name", metavar="unleash|launchdarkly|split", type=click.Choice(tuple(VENDORS)))
@click.option(
    "--url", default="", help="Where its API is; needed for unleash, the vendor's own for the others."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Holds a token for the API, and nobody else may read it.",
)
@click.option(
    "--client-token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="For unleash: a token as SDKs have it, to read back what they get.",
)
@click.option(
    "--project", default="", metavar="NAME", help="The project there, `default` without it; the workspace."
)
@click.option("--environment", default="production", show_default=True, metavar="NAME", help="Whose flags.")
@click.option(
    "--vendor-environment", default="", metavar="NAME", help="What the vendor calls that environment."
)
@click.option(
    "--flags",
    "sources",
    multiple=True,
    default=(".",),
    metavar="FILE|DIR",
    help="Where flags are declared, the working directory without it; may be given again.",
)
@click.option(
    "--since", default="720h", show_default=True, metavar="DURATION", help="How far back its log is read."
)
@click.option("--apply/--dry-run", "apply", default=False, help="Mend what differs, or only say what does.")
@click.option("--watch", is_flag=True, help="Go on: what the engine kills is switched off there, too.")
@click.option(
    "--every", default="60s", show_default=True, metavar="DURATION", help="How long between two whole looks."
)
@output("text", "json", "yaml")
@store
@common
@click.pass_obj
def command(
    setting: Setting,
    /,
    name: str,
    url: str,
    token_file: Path,
    client_token_file: Path | None,
    project: str,
    environment: str,
    vendor_environment: str,
    sources: tuple[str, ...],
    since: str,
    every: str,
    form: str,
    store: str,
    *,
    apply: bool,
    watch: bool,
) -> None:
    """Say what differs between the flags that Git declares and those that a vendor has, and mend it.

    Missing flags are created, off. What may not be on is switched off: what was killed, and what waits for a
    canary, by the engine where one runs; without one, what is linked to a rollout is shut in production.
    Nothing is ever switched on. What was toggled there goes into the record, once, with who did it.

    Exits 1 when something differs that was not mended.
    """
    if watch and not apply:
        raise UsageError("--watch mends what differs", hint="--apply --watch")
    registry = declared(setting, sources)
    there = There(url, token_file, project, vendor_environment or environment, client_token_file)
    sync = Sync(
        setting, vendor(name, there), registry, environment_of(registry, environment), Ledger(setting, store)
    )
    back_s, every_s = _seconds(since, "--since"), _seconds(every, "--every")
    if watch:
        with leaving("flags stay as they are there"):
            sync.follow(back_s, every_s)
    outcomes, standings = sync.once(apply=apply)
    toggles = sync.record(back_s, dry_run=not apply)
    _show(outcomes, standings, toggles, form)
    left = [each for each in outcomes if not each.done]
    if left:
        raise Refused(
            f"{len(left)} differences between Git and {name}" + (" are left" if apply else ""),
            hint="" if apply else "--apply mends those that can be mended",
        )


class Sync:
    """One environment of a vendor, and what Git and the engine say of it."""

    def __init__(
        self, setting: Setting, vendor: FlagVendor, registry: Registry, environment: str, ledger: Ledger
    ) -> None:
        self._setting, self._vendor, self._registry = setting, vendor, registry
        self._environment, self._ledger = environment, ledger
        self._served: Mapping[str, FlagView] = {}
        self._needs_engine = False

    def standings(self) -> dict[str, Standing]:
        """Say of each flag whether it may be on: by the engine, where one runs and has it.

        Raises:
            NotRunning: none runs, and one is needed.
        """
        try:
            found = self._setting.ask(FlagList(), FlagListView)
        except NotRunning:
            if self._needs_engine:  # one that restarts must not switch off what its canaries have opened
                raise
            self._served = {}
        else:
            if found.environment != self._environment:
                raise UsageError(
                    f"the engine serves {found.environment}, and this is about {self._environment}",
                    hint=f"--environment {found.environment}",
                )
            self._served = {flag.key: flag for flag in found.items}
        return {key: self._standing(declaration) for key, declaration in self._registry.flags.items()}

    def once(self, *, apply: bool) -> tuple[list[Outcome], dict[str, Standing]]:
        """Compare, and mend what can be mended."""
        standings = self.standings()
        found = compare(self._registry, standings, self._vendor.flags(), self._setting.wall())
        outcomes = [self._mend(each, standings) if apply and each.mend else Outcome(each) for each in found]
        return outcomes, standings

    def record(self, back_s: float, *, dry_run: bool) -> list[tuple[Draft, str]]:
        """Write down what was toggled there, and return it with what became of each."""
        drafts = [
            self._draft(toggle) for toggle in self._vendor.toggles(max(0.0, self._setting.wall() - back_s))
        ]
        if dry_run:
            return [(draft, "not written") for draft in drafts]
        return [(draft, told.outcome) for draft, told in zip(drafts, self._ledger.write(drafts), strict=True)]

    def follow(self, back_s: float, every_s: float) -> None:
        """Mend what differs again and again; what the engine kills is switched off within a moment."""
        self._needs_engine = True
        pace, due, trouble = self._setting.pace, 0.0, ""
        before: dict[str, bool] = {}
        while True:
            try:
                now = pace.now()
                may = {key: each.open for key, each in self.standings().items()}
                if may != before or now >= due:
                    outcomes, _ = self.once(apply=True)
                    _tell(outcomes)
                    for draft, outcome in self.record(back_s, dry_run=False):
                        if outcome == "written":
                            talk(f"toggled: {draft.detail['flag']} by {draft.actor}")
                    if not any(each.failed for each in outcomes):
                        before, due = may, now + every_s
                trouble = ""
            except (Undecided, UsageError) as error:
                if error.message != trouble:
                    talk(f"davy: {error.message}")
                trouble = error.message
            pace.sleep(LOOK_S)

    def _standing(self, declaration: Declaration) -> Standing:
        served = self._served.get(declaration.key)
        if served is None:
            return standing_in_files(declaration, self._environment)
        return Standing(not served.killed and served.gate.state != "closed", served.why, served.killed)

    def _mend(self, difference: Difference, standings: Mapping[str, Standing]) -> Outcome:
        """Do something about a difference; what fails keeps nothing else from being done."""
        try:
            if difference.mend == "switch off":
                known = standings.get(difference.key)
                why = known.why if known else difference.message
                return Outcome(difference, f"switched off, {self._vendor.switch_off(difference.there, why)}")
            wanted = described(self._registry.flags[difference.key], self._setting.wall())
            self._vendor.describe(wanted, create=difference.mend == "create")
        except DavyError as error:
            return Outcome(difference, failed=error.message)
        return Outcome(difference, "created, off" if difference.mend == "create" else "said there")

    def _draft(self, toggle: Toggle) -> Draft:
        named = {name_there(each): each for each in self._registry.flags.values()}
        declaration = named.get(toggle.key)
        key = declaration.key if declaration else toggle.key
        served = self._served.get(key)
        rollout = declaration.governance.rollout if declaration else ""
        return toggled(
            toggle,
            key=key,
            namespace=served.namespace if served else self._setting.namespace,
            service=rollout.rpartition("/")[2] or key.partition(".")[0],
            environment=self._environment,
            source=self._vendor.source,
        )


def _tell(outcomes: Sequence[Outcome]) -> None:
    for each in outcomes:
        if each.done or each.failed:
            talk(f"{each.difference.key}: {each.difference.message}: {each.done or f'FAILED: {each.failed}'}")


def _show(
    outcomes: Sequence[Outcome],
    standings: Mapping[str, Standing],
    toggles: Sequence[tuple[Draft, str]],
    form: str,
) -> None:
    if form != "text":
        items = [
            {"key": each.difference.key, "kind": each.difference.kind, "message": each.difference.message}
            | {"mend": each.difference.mend, "done": each.done, "failed": each.failed}
            for each in outcomes
        ]
        told = [
            {"flag": draft.detail["flag"], "event": draft.detail["vendor"]["event"], "actor": draft.actor}
            | {"at": draft.at, "id": draft.id, "source": draft.source, "outcome": outcome}
            for draft, outcome in toggles
        ]
        may = {key: {"mayBeOn": each.open, "why": each.why} for key, each in sorted(standings.items())}
        body = {"flags": may, "differences": items, "toggles": told}
        show_data({"apiVersion": API_VERSION, "kind": "FlagSync", **body}, form)
        return
    titles = tuple(cell(title, "faint") for title in ("FLAG", "DIFFERENCE", "WHAT", "DONE"))
    rows = [
        (
            cell(each.difference.key, "strong"),
            cell(each.difference.kind, _LOOKS.get(each.difference.kind, "wait")),
            cell(each.difference.message),
            cell(each.done or (f"FAILED: {each.failed}" if each.failed else "-"), "bad" if each.failed else ""),
        )
        for each in outcomes
    ]
    if rows:
        show_lines(columns([titles, *rows]))
    else:
        talk("nothing differs")
    new = sum(outcome in ("written", "not written") for _, outcome in toggles)
    talk(
        f"{len(toggles)} toggles there, {new} of them new"
        if rows or toggles
        else "and nothing was toggled there"
    )


def _seconds(text: str, option: str) -> float:
    try:
        return parse_duration(text)
    except BadDuration as error:
        raise UsageError(f"{option} {text!r} is no duration", hint=f"{option} 720h") from error
