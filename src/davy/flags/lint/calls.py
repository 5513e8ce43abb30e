"""Which calls read flags: OpenFeature's in each language, and those of vendors where the code says so."""

import re
from collections.abc import Mapping

import msgspec

from davy.flags.details import FlagType
from davy.flags.lint.usage import Language, Vendor


class Meaning(msgspec.Struct, frozen=True):
    """What a call of this name asks for, and where its arguments are; -1 is the last, None is nowhere.

    A `bare` name is one that others use, too: it takes an import of OpenFeature to mean it.
    """

    types: tuple[FlagType, ...]
    details: bool = False
    vendor: Vendor = Vendor.OPENFEATURE
    key: int = 0
    default: int | None = 1
    context: int | None = 2
    hook: bool = False
    bare: bool = False


KEY = frozenset(("flag_key", "flagKey", "key", "flag"))
DEFAULT = frozenset(("default_value", "defaultValue", "default", "fallback_value"))
CONTEXT = frozenset(("evaluation_context", "evaluationContext", "context", "ctx"))
"""Keywords that arguments are handed over by."""

_TYPES: Mapping[str, tuple[FlagType, ...]] = {
    "boolean": (FlagType.BOOLEAN,),
    "bool": (FlagType.BOOLEAN,),
    "string": (FlagType.STRING,),
    "integer": (FlagType.INTEGER,),
    "int": (FlagType.INTEGER,),
    "float": (FlagType.FLOAT,),
    "double": (FlagType.FLOAT,),
    "number": (FlagType.INTEGER, FlagType.FLOAT),
    "object": (FlagType.OBJECT,),
    "json": (FlagType.OBJECT,),
    "jsonvalue": (FlagType.OBJECT,),
}
_SCRIPT = (
    r"get(?P<type>Boolean|String|Number|Object)(?:Value|(?P<details>Details))",
    r"(?P<hook>use)(?:Suspense)?(?P<type>Boolean|String|Number|Object)Flag(?:Value|(?P<details>Details))",
    r"(?P<hook>use)(?:Suspense)?Flag",
)
OPENFEATURE: Mapping[Language, tuple[str, ...]] = {
    Language.PYTHON: (
        r"get_(?P<type>boolean|string|integer|float|object)_(?:value|(?P<details>details))(?:_async)?",
    ),
    Language.JAVASCRIPT: _SCRIPT,
    Language.TYPESCRIPT: _SCRIPT,
    Language.TSX: _SCRIPT,
    Language.GO: (r"(?P<type>Boolean|String|Float|Int|Object)(?:Value(?P<details>Details)?|(?P<bare>))",),
    Language.JAVA: (r"get(?P<type>Boolean|String|Integer|Double|Object)(?:Value|(?P<details>Details))",),
    Language.CSHARP: (r"Get(?P<type>Boolean|String|Integer|Double|Object)(?:Value|(?P<details>Details))Async",),
    Language.RUBY: (
        r"fetch_(?P<type>boolean|string|number|integer|float|object)_(?:value|(?P<details>details))",
    ),
}
"""Names of calls, as patterns."""

_VENDORS: Mapping[Vendor, str] = {
    Vendor.LAUNCHDARKLY: r"(?i:(?P<type>bool|string|int|float|double|number|json|jsonvalue)?_?variation"
    r"(?P<details>_?details?)?(?P<context>ctx)?)",
    Vendor.UNLEASH: r"is_?[eE]nabled\??|IsEnabled|enabled\?|useFlag|(?P<details>[gG]et_?[vV]ariant|useVariant)",
    Vendor.SPLIT: r"[gG]et_?[tT]reatment(?P<details>_?[wW]ith_?[cC]onfig)?(?:Async|_async)?",
}
OF_VENDORS: Mapping[Vendor, re.Pattern[str]] = {
    Vendor.LAUNCHDARKLY: re.compile(r"(?i)launch[-_]?darkly|^ldclient|ld_?client|^_?ld$"),
    Vendor.UNLEASH: re.compile(r"(?i)unleash"),
    Vendor.SPLIT: re.compile(r"(?i)split(?:io|software)|split_?client|^split$|split[-_.]io"),
}
"""How modules and receivers of vendors are called."""

PROVIDERS = re.compile(r"(?i)set_?(?:named_?)?provider(?P<waits>_?and_?wait|async|_?with_?context_?and_?wait)?")
"""Names of calls that put a provider in place."""

OF_OPENFEATURE = re.compile(r"(?i)open[-_]?feature|^davy(?:\.|$)")
"""How modules of OpenFeature and its providers are called."""

SPEAKING = re.compile(
    r"(?i)open_?feature|feature|flag|toggle|client(?!s\w)|experiment|evaluator|^_?(?:of|ff)$|provider|^api$"
)
"""Receivers whose name says that they know of flags."""

FOREIGN = re.compile(
    r"(?i)config|setting|propert|prefs|preference|json|row|record|cell|result|request|node|env|args"
)
"""Receivers that keep values of other sorts, and are asked for them by the same names."""

_OPENFEATURE = {
    language: tuple(re.compile(each) for each in patterns) for language, patterns in OPENFEATURE.items()
}
_OF_VENDOR = {vendor: re.compile(pattern) for vendor, pattern in _VENDORS.items()}


def meaning(language: Language, name: str) -> Meaning | None:
    """Return what a call of this name asks OpenFeature for."""
    found = next((found for each in _OPENFEATURE[language] if (found := each.fullmatch(name))), None)
    if found is None:
        return None
    said = {group: text for group, text in found.groupdict().items() if text is not None}
    first = 1 if language is Language.GO else 0
    hook = "hook" in said
    return Meaning(
        types=_TYPES.get(said.get("type", "").lower(), ()),
        details="details" in said or (hook and "type" not in said),
        key=first,
        default=first + 1,
        context=None if hook else first + 2,
        hook=hook,
        bare="bare" in said,
    )


def meaning_of_vendor(vendor: Vendor, name: str, count: int) -> Meaning | None:
    """Return what a call of this name, with so many arguments, asks a vendor for."""
    found = _OF_VENDOR[vendor].fullmatch(name)
    if found is None or count == 0:
        return None
    said = found.groupdict()
    details = bool(said.get("details"))
    match vendor:
        case Vendor.LAUNCHDARKLY:
            first = 1 if said["context"] else 0
            default = -1 if count > first + 1 else None
            context = first + 1 if count > first + 2 else None
            return Meaning(
                _TYPES.get((said["type"] or "").lower(), ()), details, vendor, first, default, context
            )
        case Vendor.UNLEASH:
            types = (FlagType.BOOLEAN,) if not details else ()
            return Meaning(types, details, vendor, 0, None, 1)
        case _:
            return Meaning((FlagType.STRING,), details, vendor, min(1, count - 1), None, None)
