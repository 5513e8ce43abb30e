"""`davy ledger witness add NAME PLACE`: name somebody who is given checkpoints."""

from pathlib import Path

import click

from davy.cli.options import at_home
from davy.cli.setting import Setting, talk
from davy.errors import Conflict, UsageError
from davy.model.duration import BadDuration, parse_duration


@click.command("add")
@click.argument("name")
@click.argument("place")
@click.option(
    "--key", default="", metavar="KEY", help="PLACE is a URL of HTTP; its cosignatures are of this key."
)
@click.option(
    "--branch", default="", metavar="NAME", help="The branch of a Git repository.  [default: davy-ledger]"
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The authority of a witness's certificate.",
)
@click.option(
    "--every", default="60s", show_default=True, metavar="DURATION", help="How often it is given one."
)
@at_home
@click.pass_obj
def command(
    setting: Setting, name: str, place: str, key: str, branch: str, ca: Path | None, every: str
) -> None:
    """Name somebody who remembers what this ledger was.

    PLACE is a Git repository (a path, or a URL that Git can push to), or with --key the URL of whoever answers
    add-checkpoint: a second Davy (davy serve --witness), or any witness of tlog-witness.
    """
    import msgspec

    from davy.adapters.witness_file import (
        BRANCH,
        AnyWitness,
        GitWitness,
        HttpWitness,
        read_witnesses,
        write_witnesses,
    )
    from davy.adapters.witness_http import HttpWitnessing

    if (key and branch) or (ca and not key):
        raise UsageError(
            "--branch is for Git repositories, --ca and --key for witnesses that are asked over HTTP"
        )
    witnesses = read_witnesses(setting.home)
    if name in witnesses:
        raise Conflict(f"there is a witness {name} already", hint=f"davy ledger witness remove {name}")
    every_s = _seconds(every)
    try:
        witness: AnyWitness
        if key:
            witness = HttpWitness(place, key, str(ca.absolute()) if ca else "", every_s)
            HttpWitnessing(name, witness)
        else:
            at = str(Path(place).absolute()) if Path(place).exists() else place
            witness = GitWitness(at, branch or BRANCH, every_s)
        msgspec.json.decode(msgspec.json.encode(witness), type=type(witness))
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError(str(error), hint="davy ledger witness add --help") from error
    setting.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_witnesses(setting.home, {**witnesses, name: witness})
    talk(f"witness {name} added: a running engine gives it a checkpoint every {every}, if there is a new one")
    if key:
        _introduce(setting)


def _introduce(setting: Setting) -> None:
    """Say what whoever runs the witness has to be given."""
    from davy.adapters.ledger_key import public_key

    spelt = public_key(setting.home)
    if spelt:
        talk(f"  it has to know this ledger: {spelt}")


def _seconds(every: str) -> float:
    try:
        return parse_duration(every)
    except BadDuration as error:
        raise UsageError(f"--every {every}: {error}", hint="--every 60s") from error
