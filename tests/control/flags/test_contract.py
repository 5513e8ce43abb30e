"""The flags of an engine keep what everything promises that serves flags."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.control.flags.conftest import SWITCH, FlagLab

from davy.control import requests
from davy.flags.serving import Flags
from davy.testing.flags import KEY, FlagsContract


class TestFlagsOfAnEngine(FlagsContract):
    def made(self) -> tuple[Flags, Callable[[bool], None]]:
        with TemporaryDirectory() as directory:
            lab = FlagLab(Path(directory))
        text = SWITCH.replace("checkout.cards-enabled", KEY).replace("high", "low")
        lab.declare(text.replace('  defaultVariant: "on"\n', ""))

        def toggle(on: bool) -> None:
            lab.ask(requests.SetFlag(KEY, "because", on=on))

        return lab.engine.flags, toggle
