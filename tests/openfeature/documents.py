"""Documents of flags for tests."""

import json
from collections.abc import Mapping
from typing import Any

SWITCH = {"on": True, "off": False}


def flag(
    default: str | None = "on",
    *,
    variants: Mapping[str, Any] = SWITCH,
    targeting: Mapping[str, Any] | None = None,
    state: str = "ENABLED",
    **metadata: bool | int | float | str,
) -> dict[str, Any]:
    """Return a flag as flagd has it."""
    body: dict[str, Any] = {"state": state, "variants": variants, "defaultVariant": default}
    return {**body, **({"targeting": targeting} if targeting else {}), "metadata": metadata}


def document(metadata: Mapping[str, Any] | None = None, **flags: Any) -> str:
    """Return a document; `__` in the name of a flag is a dot in its key."""
    return json.dumps(
        {"flags": {name.replace("__", "."): each for name, each in flags.items()}, "metadata": metadata or {}}
    )


BY_MAIL = {"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "on", "off"]}
