"""Rules about reads of flags, each beside what is declared of it."""

from collections import Counter
from collections.abc import Iterator

from davy.flags.details import FlagType, Json
from davy.flags.governance import Exposure
from davy.flags.lint.rules.paths import among, owners
from davy.flags.lint.rules.view import Found, View
from davy.flags.lint.usage import How, Usage, Vendor
from davy.flags.registry import Declaration
from davy.model.check import nearest


def undeclared(view: View) -> Iterator[Found]:
    """F001: every key that code reads is declared."""
    known = view.registry.flags
    for usage in view.usages:
        for key in usage.keys:
            if key not in known and key not in view.registry.retired:
                meant = nearest(key, known)
                label = f"`{key}` is not declared"
                fix = f"did you mean `{meant}`? else declare it" if meant else "declare it in the registry"
                yield from view.at_key("F001", usage, label, fix, path=key)


def dynamic(view: View) -> Iterator[Found]:
    """F009: keys are written down."""
    for usage in view.usages:
        if usage.how is How.DYNAMIC:
            label = f"nobody knows which flag `{usage.function}` reads here"
            fix = "write the key, or name all that it may be in a comment: davy: flags checkout.a, checkout.b"
            yield from view.at_key("F009", usage, label, fix)


def unsafe_default(view: View) -> Iterator[Found]:
    """F005: the caller falls back on what is safe."""
    for usage, flag in _declared(view):
        variants, safe = flag.definition.variants, flag.governance.safe
        if usage.default is None or not usage.default.known or safe not in variants:
            continue
        if not _same(usage.default.value, variants[safe]):
            label = (
                f"the default is {_shown(usage.default.value)}, and {_shown(variants[safe])} is safe (`{safe}`)"
            )
            fix = f"write {_shown(variants[safe])} as the default"
            yield from view.at_key("F005", usage, label, fix, path=flag.key)


def wrong_type(view: View) -> Iterator[Found]:
    """F006: a flag is asked for as what it is; a whole number is a number, too."""
    for usage, flag in _declared(view):
        fits = {flag.type, FlagType.FLOAT} if flag.type is FlagType.INTEGER else {flag.type}
        if usage.types and not fits & set(usage.types):
            label = f"`{flag.key}` is {_of(flag.type)}, and `{usage.function}` asks for {_of(usage.types[0])}"
            yield from view.at_key("F006", usage, label, f"ask for {_of(flag.type)}", path=flag.key)


def exposed(view: View) -> Iterator[Found]:
    """F007: what is decided on servers is not read in front of users."""
    for usage, flag in _declared(view):
        if flag.governance.exposure is Exposure.SERVER and (why := view.client_side(usage)):
            label = f"`{flag.key}` is for servers, and this runs in front of users: {why}"
            fix = "read it on a server, and send what follows from it; or declare `exposure: client`"
            yield from view.at_key("F007", usage, label, fix, path=flag.key)


def foreign(view: View) -> Iterator[Found]:
    """F008: the flags of a namespace are read by the code of its owners."""
    for usage in view.usages:
        for key in usage.keys:
            if why := _foreign(view, usage.place.file, key):
                fix = "ask its owners for an interface, or name this path in `readers` of the namespace"
                yield from view.at_key("F008", usage, why, fix, path=key)


def _foreign(view: View, file: str, key: str) -> str:
    """Say why a file may not read a flag, or nothing."""
    names = [name for name in view.settings.namespaces if key == name or key.startswith(f"{name}.")]
    if not names:
        return ""
    name = max(names, key=len)
    namespace = view.settings.namespaces[name]
    if among(file, namespace.readers):
        return ""
    if namespace.paths:
        return "" if among(file, namespace.paths) else f"`{name}` is read by {', '.join(namespace.paths)}"
    found = owners(file, view.owned)
    if not namespace.owner or not view.owned or namespace.owner in found:
        return ""
    return f"`{name}` belongs to {namespace.owner}, and this file to {', '.join(found) or 'nobody'}"


def in_loop(view: View) -> Iterator[Found]:
    """F011: a flag is read once, before a loop."""
    for usage in view.usages:
        hot = among(usage.place.file, view.settings.hot.paths)
        if usage.in_loop or hot:
            label = "this code is hot" if hot and not usage.in_loop else "it is read anew each time round"
            yield from view.at_key("F011", usage, label, "read it once, before", path=_keys(usage))


def nested(view: View) -> Iterator[Found]:
    """F012: a flag does not depend on another."""
    for usage in view.usages:
        if others := [key for key in usage.inside if key not in usage.keys]:
            label = f"this is reached only as `{'`, `'.join(others)}` says"
            fix = "read both side by side, or make one flag with a variant for each case"
            yield from view.at_key("F012", usage, label, fix, path=_keys(usage))


def unlike(view: View) -> Iterator[Found]:
    """F016: all callers of a flag fall back on one value; those that differ from most are told of."""
    for key, usages in view.by_key.items():
        known = [(each, _shown(each.default.value)) for each in usages if each.default and each.default.known]
        if len({shown for _, shown in known}) < 2:
            continue
        usual = Counter(shown for _, shown in known).most_common(1)[0][0]
        first = next(each for each, shown in known if shown == usual)
        for usage, shown in known:
            if shown != usual:
                label = f"the default of `{key}` is {shown} here, and {usual} at {first.place}"
                yield from view.at_key("F016", usage, label, "write the same default everywhere", path=key)


def vendors(view: View) -> Iterator[Found]:
    """F017: flags are read through OpenFeature."""
    for usage in view.usages:
        if usage.vendor is not Vendor.OPENFEATURE:
            label = f"`{usage.function}` is {usage.vendor}'s own"
            fix = "read it through OpenFeature, with Davy's provider around that of the vendor"
            yield from view.at_key("F017", usage, label, fix, path=_keys(usage))


def _declared(view: View) -> Iterator[tuple[Usage, Declaration]]:
    """Go through every read beside what it reads."""
    for usage in view.usages:
        for key in usage.keys:
            if (flag := view.registry.flags.get(key)) is not None:
                yield usage, flag


def _keys(usage: Usage) -> str:
    return ",".join(usage.keys)


def _same(left: Json, right: Json) -> bool:
    return isinstance(left, bool) is isinstance(right, bool) and left == right


def _shown(value: Json) -> str:
    import msgspec

    return msgspec.json.encode(value, order="deterministic").decode()


def _of(type_: FlagType) -> str:
    return f"an {type_}" if type_[0] in "io" else f"a {type_}"
