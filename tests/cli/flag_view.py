"""A flag as an engine shows it, for tests of what is said of it."""

from typing import Any

from davy.control import views


def flag_view(key: str, **changes: Any) -> views.FlagView:
    """Return one that is on for everybody; `changes` are what else it is."""
    drill = views.FlagDrillView("", "", "", 0.0, overdue=False, under_way="")
    shown: dict[str, Any] = {
        **dict.fromkeys(("owner", "flag_kind", "criticality", "digest", "serves", "killed_by"), ""),
        **dict.fromkeys(("killed_reason", "killed_at", "confirmation"), ""),
        **dict.fromkeys(("instances", "missing", "exposures", "proposals"), ()),
        **{"namespace": "shop", "environment": "production", "version": 1, "document": 1, "killed": False},
        **{"why": f"{key} answers on for everybody", "gate": views.FlagGateView("open", "it passed")},
    }
    return views.FlagView(key=key, drill=drill, **{**shown, **changes})
