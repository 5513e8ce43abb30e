"""The registry: every flag that is declared in Git, where, and as what."""

from collections.abc import Mapping

import msgspec

from davy.flags.definition import Definition
from davy.flags.details import FlagType
from davy.flags.governance import Governance
from davy.model.finding import Place


class Declaration(msgspec.Struct, frozen=True):
    """A flag as it is declared, in a FeatureFlag or in a document of flagd.

    Args:
        definition: the flag without any environment's overlay; governance is in its metadata, too.
        type: what its variants are.
        governance: what governs it.
        place: where it is declared.
        environments: the flag as it is in each environment that has an overlay.
    """

    definition: Definition
    type: FlagType
    governance: Governance
    place: Place
    environments: Mapping[str, Definition] = {}

    @property
    def key(self) -> str:
        """The name of the flag."""
        return self.definition.key


class Registry(msgspec.Struct, frozen=True):
    """What is declared, by key; `retired` are keys that were used once and must not be used again."""

    flags: Mapping[str, Declaration] = {}
    retired: Mapping[str, Place] = {}
