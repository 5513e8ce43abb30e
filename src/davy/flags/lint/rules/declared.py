"""Rules about what is declared, beside where it is read."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from davy.flags.details import FlagType
from davy.flags.governance import FlagKind, OnError
from davy.flags.lint.rules.paths import key_among
from davy.flags.lint.rules.view import Found, View
from davy.flags.lint.usage import How
from davy.flags.registry import Declaration
from davy.model.instant import BadInstant, lasting, parse_end, written

_STOPS = ("kill", "killed", "disable", "disabled", "off", "block", "blocked", "stop", "deny")
_GOES = ("enable", "enabled", "on", "allow", "allowed", "active", "available")


def incomplete(view: View) -> Iterator[Found]:
    """F002: an owner, a ticket and an expiry are there."""
    for flag in view.registry.flags.values():
        missing = [name for name in view.settings.require if not getattr(flag.governance, name)]
        if flag.governance.kind in view.settings.without_expiry:
            missing = [name for name in missing if name != "expiry"]
        if missing:
            label = f"`{flag.key}` has no {' and no '.join(missing)}"
            fix = "write " + ", ".join(f"`{name}: {_EXAMPLES[name]}`" for name in missing)
            yield from view.at(
                "F002", flag.place, label, fix, path=flag.key, length=len(flag.key) + len("name: ")
            )


_EXAMPLES = {"owner": "team-payments", "jira": "PAY-123", "expiry": "2027-03-01"}


def expired(view: View) -> Iterator[Found]:
    """F003: a flag is taken out before its end; a while before and, in its grace, behind it this only warns."""
    for flag in view.registry.flags.values():
        try:
            end = parse_end(flag.governance.expiry) if flag.governance.expiry else None
        except BadInstant:
            end = None  # the registry tells of it
        if end is None or view.now < end - view.settings.warn_s:
            continue
        late = view.now - end
        for found in view.at(
            "F003", flag.place, _told(flag, late, end, view), _way_out(flag, view), path=flag.key
        ):
            harsh = late >= view.settings.grace_s
            severity = found.finding.severity
            title = found.finding.title if late >= 0 else "a flag expires soon"
            softer = severity if harsh or severity == "note" else "warning"
            yield found._replace(finding=replace(found.finding, severity=softer, title=title))


def _told(flag: Declaration, late: float, end: float, view: View) -> str:
    if late < 0:
        return f"`{flag.key}` expires in {lasting(-late)}, on {written(end)}"
    grace = view.settings.grace_s - late
    more = f"; the build fails in {lasting(grace)}" if grace > 0 else ""
    return f"`{flag.key}` expired {lasting(late)} ago, on {written(end)}{more}"


def _way_out(flag: Declaration, view: View) -> str:
    """Name who takes a flag out, the ticket, the command and every place."""
    who = flag.governance.owner or "its owner, who is not named"
    ticket = f" ({flag.governance.jira})" if flag.governance.jira else ""
    places = ", ".join(str(usage.place) for usage in view.by_key.get(flag.key, ()))
    where = f"it is read at {places}" if places else "no code reads it"
    return f"{who}{ticket} takes it out: davy flag cleanup {flag.key} --variant VARIANT; {where}"


def unread(view: View) -> Iterator[Found]:
    """F004: some code reads every flag; only all of the code can show that none does."""
    if not view.whole:
        return
    dynamic = [usage.place for usage in view.usages if usage.how is How.DYNAMIC]
    unless = f"; keys that are put together at {_few(dynamic)} may be it" if dynamic else ""
    for flag in view.registry.flags.values():
        if flag.key not in view.by_key and not key_among(flag.key, view.settings.elsewhere):
            label = f"nothing reads `{flag.key}`{unless}"
            fix = f"take it out: davy flag cleanup {flag.key} --variant VARIANT; or name it in `elsewhere`"
            yield from view.at(
                "F004", flag.place, label, fix, path=flag.key, length=len(flag.key) + len("name: ")
            )


def _few(places: Iterable[object]) -> str:
    shown = [str(place) for place in places]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more places" if len(shown) > 3 else "")


def polarity(view: View) -> Iterator[Found]:
    """F010: a kill switch that nobody can ask stops what it guards."""
    for flag in view.registry.flags.values():
        word = flag.key.rpartition(".")[2].rpartition("-")[2]
        kill = flag.governance.kind is FlagKind.KILL_SWITCH
        if not kill and not (word in ("kill", "killed") and flag.governance.kind is FlagKind.RELEASE):
            continue
        if problem := _fails_open(flag, word, kill):
            label, fix = problem
            yield from view.at(
                "F010",
                flag.place,
                f"`{flag.key}` {label}",
                fix,
                path=flag.key,
                length=len(flag.key) + len("name: "),
            )


def _fails_open(flag: Declaration, word: str, kill: bool) -> tuple[str, str] | None:
    if not kill:
        return "is called like a kill switch, and is a release flag", "write `kind: kill-switch`"
    if flag.governance.on_error is OnError.CODE:
        return "answers with the caller's default on errors", "write `onError: safe`"
    if flag.type is not FlagType.BOOLEAN:
        return None
    safe = flag.definition.variants.get(flag.governance.safe)
    if safe is None:
        return "does not say what is safe", "name the variant that stops what it guards as the safe one"
    if word in _STOPS and safe is not True:
        positive = flag.key.removesuffix(word) + "enabled"
        return (
            "is false where nothing can be known, and what it guards goes on",
            f"turn it round: `{positive}`, whose safe value is false; or make true the safe value",
        )
    if word in _GOES and safe is not False:
        return "is true where nothing can be known, and what it guards goes on", "make false the safe value"
    if word not in _STOPS and word not in _GOES:
        return "does not say by its name which value stops what it guards", f"call it `{flag.key}.enabled`"
    return None


def retired(view: View) -> Iterator[Found]:
    """F013: a key that was used once means what it meant then, wherever that still runs."""
    for key, place in view.registry.retired.items():
        label, fix = f"`{key}` was retired at {place}", "take a key that never was"
        if (flag := view.registry.flags.get(key)) is not None:
            yield from view.at("F013", flag.place, label, fix, path=key, length=len(key))
        for usage in view.by_key.get(key, ()):
            yield from view.at_key("F013", usage, label, fix, path=key)
