"""Ask a rule, or a flag that is nothing but a rule."""

from collections.abc import Mapping
from typing import Any

import msgspec

from davy.flags import FlagSet, load
from davy.flags.governance import Bucketing
from davy.flags.targeting import compile_rule

NOW = 1_700_000_000.75


def said(rule: Any, context: Mapping[str, Any] | None = None, drawing: str = "v3", **shared: Any) -> Any:
    """Return what a rule says of a context."""
    return compile_rule(rule, "pay.new", Bucketing(drawing), shared, lambda: NOW)(context or {})


def flag(**fields: Any) -> dict[str, Any]:
    """Make a flag that is on or off."""
    return {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", **fields}


def flags(metadata: dict[str, Any] | None = None, evaluators: Any = None, **named: Any) -> FlagSet:
    """Make a set of flags."""
    document = {"flags": named, "$evaluators": evaluators, "metadata": metadata}
    return load(
        msgspec.json.encode({name: value for name, value in document.items() if value is not None}),
        clock=lambda: NOW,
    )
