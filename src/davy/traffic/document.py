"""What a data plane reads, as values that JSON has."""

from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]
