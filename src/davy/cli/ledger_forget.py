"""`davy ledger forget NAME`: erase the name of a person; what they did stays, and the ledger verifies."""

import os
from typing import TYPE_CHECKING

import click

from davy.cli.options import at_home, reason, required_reason
from davy.cli.setting import Setting, talk
from davy.errors import NotFound

if TYPE_CHECKING:
    from davy.cli.stores import AnyStore

FORGET = "forget"
"""The role of a lease that is taken to forget somebody."""


@click.command("forget")
@click.argument("name")
@reason
@at_home
@click.pass_obj
def command(setting: Setting, name: str, reason: str) -> None:
    """Erase the name of a person, as in "anna (uid 1000)".

    Entries have never had it: they have a pseudonym, and the name is in a table beside them. It is taken out
    of there and of what is kept of waivers, the file is written anew without it, and every root and proof stays
    what it was. No engine may run meanwhile. What people wrote in their own words is not touched, and neither
    are backups.
    """
    from davy.cli.stores import FILE, named, open_store

    home = setting.home
    why = required_reason(reason, "forget somebody")
    if not (named(home) or (home / FILE).is_file()):
        raise NotFound(f"there is no ledger in {home}", hint="davy up begins one; --home names another")
    store = open_store(home)
    try:
        _forget(store, name, why, setting.wall())
    finally:
        store.close()


def _forget(store: "AnyStore", name: str, why: str, now: float) -> None:
    from davy.cli.lease import take
    from davy.control.forgetting import forget
    from davy.serve.socket import Peer

    tenure = take(store, FORGET)
    try:
        entry = forget(store.under(tenure.lease), name, str(Peer(os.getuid())), why, now)
        store.purge()
    finally:
        tenure.end()
    talk(f"#{entry.seq}  {entry.detail['person']} is nobody's pseudonym any more")
