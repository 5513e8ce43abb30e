"""A flag as somebody set it in an environment: settings on top of what is declared there."""

from typing import Any

from msgspec.structs import replace

from davy.control.flags.state import EVERYBODY, NOBODY, Settings
from davy.errors import UsageError
from davy.flags.definition import Definition
from davy.flags.gate import safe_variant
from davy.flags.ramp import DRAWN_BY


def settled(definition: Definition, settings: Settings) -> Definition:
    """Return a flag with its settings in it.

    Off is the safe variant for everybody. A variant takes the place of the default: who gets something by
    targeting keeps it. A share of the rest gets the variant, drawn by `targetingKey`, and a smaller share is
    part of a larger one.
    """
    safe = safe_variant(definition)
    if settings.enabled is False:
        return replace(definition, enabled=safe is not None, default_variant=safe, targeting=None)
    found = replace(definition, enabled=True) if settings.enabled else definition
    if not settings.variant:
        return found
    if settings.share is None or settings.share >= EVERYBODY:
        return replace(found, default_variant=settings.variant)
    drawn: Any = drawing(settings.variant, settings.share, safe, settings.bucket_by)
    if found.targeting:
        drawn = {"if": [{"===": [found.targeting, None]}, drawn, found.targeting]}
    return replace(found, default_variant=safe, targeting=drawn)


def drawing(variant: str, share: int, safe: str | None, bucket_by: str = "") -> Any:
    """Return the rule that gives a share of users a variant and the others what is safe.

    The share comes first and the total is always the same, so whoever is in a smaller share is in a larger one.
    Buckets are seeded with the flag's key. Of whom the attribute is not known, what is safe is the answer.
    """
    buckets: list[Any] = [[variant, share], [safe, EVERYBODY - share]]
    if bucket_by in ("", DRAWN_BY):
        return {"fractional": buckets}
    seeded = {"cat": [{"var": "$flagd.flagKey"}, {"var": bucket_by}]}
    return {"if": [{"var": bucket_by}, {"fractional": [seeded, *buckets]}]}


def reach(definition: Definition, settings: Settings, *, dead: bool) -> int:
    """Say which share of users, in percent, can get something else than what is safe."""
    served = settled(definition, settings)
    if dead or not served.enabled or settings.enabled is False:
        return NOBODY
    safe = safe_variant(definition)
    if settings.share is not None and not definition.targeting:
        return settings.share
    return NOBODY if served.default_variant in (safe, None) and not served.targeting else EVERYBODY


def chosen(
    definition: Definition, before: Settings, *, on: bool | None, variant: str, share: int | None
) -> Settings:
    """Work out what somebody wants a flag to be set to.

    Raises:
        UsageError: it makes no sense, or nobody can tell which variant is meant.
    """
    if on is False:
        if variant or share is not None:
            raise UsageError("--off is the safe variant for everybody", hint="leave out --variant and --share")
        return Settings(enabled=False)
    if on is None and not variant and share is None:
        raise UsageError("nothing is to be set", hint="--on, --off, --variant NAME or --share PERCENT")
    if variant and variant not in definition.variants:
        known = ", ".join(sorted(definition.variants))
        raise UsageError(f"{definition.key} has no variant {variant!r}", hint=f"its variants are {known}")
    if share is not None and not NOBODY <= share <= EVERYBODY:
        raise UsageError(f"{share} is no share of users", hint="--share 25 is a quarter of them")
    if not variant:
        variant = _meant(definition, before, share)
    return Settings(enabled=True, variant=variant, share=share, bucket_by=before.bucket_by)


def _meant(definition: Definition, before: Settings, share: int | None) -> str:
    """Say which variant `--on` or `--share` alone means: as set, as declared, or the only one not safe."""
    safe = safe_variant(definition)
    declared = definition.default_variant
    if before.variant and before.variant != safe:
        return before.variant
    if declared not in (None, safe):
        return declared or ""
    others = [name for name in definition.variants if name != safe]
    if len(others) == 1:
        return others[0]
    if share is None and definition.targeting:
        return ""
    raise UsageError(
        f"{definition.key} has {len(others)} variants that are not the safe one",
        hint=f"--variant says which: {', '.join(sorted(others))}",
    )
