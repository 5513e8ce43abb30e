"""A flag as somebody declared it: what it is, what governs it, where it stands, and what is different where."""

from collections.abc import Mapping

import msgspec

from davy.flags.definition import Definition
from davy.flags.details import FlagType
from davy.flags.governance import Governance
from davy.model.finding import Place
from davy.model.flag import FlagRamp


class Declaration(msgspec.Struct, frozen=True):
    """A flag as it is declared, in a FeatureFlag or in a document of flagd.

    Args:
        definition: the flag without any environment's overlay; governance is in its metadata, too.
        type: what its variants are.
        governance: what governs it.
        place: where it is declared.
        environments: the flag as it is in each environment that has an overlay.
        ramp: how it goes from nobody to everybody.
    """

    definition: Definition
    type: FlagType
    governance: Governance
    place: Place
    environments: Mapping[str, Definition] = {}
    ramp: FlagRamp | None = None

    @property
    def key(self) -> str:
        """The name of the flag."""
        return self.definition.key

    def in_environment(self, environment: str) -> Definition:
        """Return the flag as it is in one environment."""
        return self.environments.get(environment, self.definition)
