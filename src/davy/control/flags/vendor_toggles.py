"""What was done to a flag at another vendor, as it is written down: whoever tells it, it is the same event."""

from hashlib import sha256

from davy.flags.vendor import Toggle
from davy.ledger.entry import Draft

PREFIX = "toggle:"
"""What the id of such an event begins with; what follows is the vendor's own."""


def toggled(toggle: Toggle, *, key: str, namespace: str, service: str, environment: str, source: str) -> Draft:
    """Return the entry of a toggle. It is a change of its own, and reaches all users: vendors say no more.

    Args:
        toggle: what the vendor says.
        key: the flag as it is called here.
        namespace: of the flag.
        service: whose users it concerns.
        environment: in which environment, as it is called here.
        source: who says so, as of `davy.flags.vendor.FlagVendor`.
    """
    commit = sha256(f"{source}\n{toggle.id}".encode()).hexdigest()
    serves = {True: "on at the vendor", False: "off at the vendor", None: "other rules at the vendor"}[
        toggle.on
    ]
    detail: dict[str, object] = {
        "flag": key,
        "action": "toggled",
        "after": {"serves": serves},
        "change": {"repo": f"flag:{key}", "commit": commit},
        "service": service,
        "environment": environment,
        "vendor": {"event": toggle.what} | ({} if toggle.on is None else {"on": toggle.on}),
    }
    actor = f"{toggle.actor} ({source.partition('/')[0]})"  # nobody there is taken for somebody of ours
    subject = f"FeatureFlag {namespace}/{key}"
    return Draft(toggle.at, "flag_changed", subject, detail, actor, toggle.comment, source, PREFIX + toggle.id)
