"""LaunchDarkly: what was done to flags there, by whom, signed over the body.

A delivery is an entry of its audit log, and is known by that: deliveries come in any order and more than once,
and `davy flag sync` reads the same entries. A source that is named like the project tells them as that does.
"""

import msgspec

from davy.analysis.secret import Secret
from davy.control.flags.vendor_toggles import toggled
from davy.control.hooks.delivery import Delivery, Meaning, Scheme, at_path, read, short
from davy.control.hooks.signatures import equal, hexadecimal
from davy.control.hooks.source import Source
from davy.flags.launchdarkly_log import LaunchDarklyEntry


def authentic(delivery: Delivery, secret: Secret) -> str:
    """Check `X-LD-Signature`."""
    right = equal(delivery.header("x-ld-signature"), hexadecimal(secret, delivery.body))
    return "hmac-sha256 (launchdarkly)" if right else ""


def means(delivery: Delivery, source: Source) -> Meaning:
    """Say what a delivery tells."""
    entry = read(delivery.body, LaunchDarklyEntry)
    if entry.kind != "flag":
        return Meaning(notes=(f"{short(entry.kind) or 'it'} is no flag",))
    toggle = entry.toggle()
    if not toggle.key:
        return Meaning(notes=("it is about no flag in an environment",))
    _, environment = entry.places()
    service = source.service or _said(delivery, source) or toggle.key.partition(".")[0]
    toggle = msgspec.structs.replace(toggle, comment=short(toggle.comment), actor=short(toggle.actor))
    draft = toggled(
        toggle,
        key=toggle.key,
        namespace="default",
        service=service,
        environment=environment,
        source=f"launchdarkly/{source.name}",
    )
    return Meaning((draft,))


def _said(delivery: Delivery, source: Source) -> str:
    return at_path(msgspec.json.decode(delivery.body), source.service_from) if source.service_from else ""


SCHEME = Scheme(authentic, means, frozenset({"flag_changed"}), about=frozenset({"services"}))
