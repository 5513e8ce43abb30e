"""A set of flags that can be asked: immutable, compiled, answering what flagd answers.

Whoever has a newer document makes a new set and puts it in the place of the old one; an evaluation is by one
set from its beginning to its end.
"""

from collections.abc import Callable, Mapping, Set
from typing import Any, TypeAlias

import msgspec

from davy.errors import UsageError
from davy.flags.clock import wall
from davy.flags.definition import Definition, Definitions
from davy.flags.details import Details, ErrorCode, FlagType, Json, Metadata, Reason
from davy.flags.gate import is_baked
from davy.flags.governance import Bucketing
from davy.flags.targeting import BadRule, Choose, RuleError, compile_rule, references
from davy.flags.targeting.values import text

Asked: TypeAlias = "FlagType | str | type | None"
"""The type that a caller asks for: a `FlagType`, its name, a usual other name, Python's type; None is any."""

Answer: TypeAlias = Callable[[Asked, Any, Mapping[str, Any] | None], Details]
"""From the type, the caller's default and the context to the answer of one flag."""

_Context: TypeAlias = (
    Mapping[str, Any] | None
)  # by a name: annotations are made with each of the functions below

_NOBODY: Mapping[str, Any] = {}

_TYPES: dict[Any, FlagType | None] = {
    None: None,
    "any": None,
    **{kind.value: kind for kind in FlagType},
    "bool": FlagType.BOOLEAN,
    "str": FlagType.STRING,
    "int": FlagType.INTEGER,
    "number": FlagType.FLOAT,
    "double": FlagType.FLOAT,
    "dict": FlagType.OBJECT,
    "list": FlagType.OBJECT,
    "json": FlagType.OBJECT,
    "structure": FlagType.OBJECT,
    bool: FlagType.BOOLEAN,
    str: FlagType.STRING,
    int: FlagType.INTEGER,
    float: FlagType.FLOAT,
    dict: FlagType.OBJECT,
    list: FlagType.OBJECT,
}


def flag_type(asked: Asked) -> FlagType | None:
    """Return the type that is meant, None for any.

    Raises:
        UsageError: it is none.
    """
    name = asked.strip().lower() if isinstance(asked, str) else asked
    if name not in _TYPES:
        known = ", ".join(kind.value for kind in FlagType)
        raise UsageError(f"flags have no type {asked!r}", hint=f"the types are {known}")
    return _TYPES[name]


class FlagSet:
    """The flags of one document.

    Flags are compiled when they are first asked for; `prepare` does it beforehand. It may be asked from any
    number of threads. `fixed` are the flags that answer the same whoever is asked about.

    Args:
        definitions: what was read.
        bucketing: how flags draw that do not say so in their metadata.
        clock: what `$flagd.timestamp` looks at, in seconds since the epoch.
    """

    __slots__ = ("_answers", "_bucketing", "_clock", "definitions", "fixed")

    def __init__(
        self,
        definitions: Definitions,
        *,
        bucketing: Bucketing | str = Bucketing.V3,
        clock: Callable[[], float] = wall,
    ) -> None:
        self.definitions = definitions
        self._bucketing = _bucketing_of(bucketing)
        self._clock = clock
        self.fixed = frozenset(key for key, flag in definitions.flags.items() if _is_fixed(flag))
        self._answers: dict[str, Answer | None] = dict.fromkeys((*definitions.flags, *definitions.broken))

    def evaluate(
        self, key: str, type: Asked, default: Any, context: Mapping[str, Any] | None = None
    ) -> Details:
        """Answer for one flag; whatever is wrong is an answer, too, with the default.

        Args:
            key: the name of the flag.
            type: what the caller can do with.
            default: what is answered where there is nothing else.
            context: attributes of whom it is answered for; `targetingKey` is who.

        Raises:
            UsageError: there is no such type.
        """
        answer = self._answers.get(key)
        if answer is None:
            answer = self._prepared(key)
        return answer(type, default, context)

    def keys(self) -> list[str]:
        """Name the flags, those that cannot be evaluated, too."""
        return list(self._answers)

    def __contains__(self, key: object) -> bool:
        return key in self._answers

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def metadata(self) -> Metadata:
        """What is said of the set."""
        return self.definitions.metadata

    @property
    def version(self) -> str:
        """The version of the set, empty where it does not say."""
        return str(self.metadata.get("version", ""))

    @property
    def flag_set_id(self) -> str:
        """The name of the set, empty where it does not say."""
        return str(self.metadata.get("flagSetId", ""))

    def prepare(self, like: "FlagSet | None" = None) -> None:
        """Compile flags, so that nobody who asks waits for it: all, or those that another set had compiled."""
        for key in self._answers:
            if like is None or like._answers.get(key) is not None:
                self._prepared(key)

    def changed(self, newer: "FlagSet") -> list[str]:
        """Name the flags that may answer differently in a newer set, in the order of their names.

        What shared rules say counts for the flags that use them, and what is said of the set for all of them;
        its version does not, which only tells one document from another.
        """
        keys = {*self._answers, *newer._answers}
        if self._bucketing != newer._bucketing or _common(self.metadata) != _common(newer.metadata):
            return sorted(keys)
        old, new = self.definitions, newer.definitions
        names = {*old.evaluators, *new.evaluators}
        rules = {name for name in names if _written(old, name) != _written(new, name)}
        same = set() if rules else {key for key, flag in new.flags.items() if old.flags.get(key) is flag}
        return sorted(key for key in keys - same if _told(old, key, rules) != _told(new, key, frozenset()))

    def _prepared(self, key: str) -> Answer:
        definitions = self.definitions
        if key in definitions.broken:
            answer = _failing(ErrorCode.PARSE_ERROR, definitions.broken[key], definitions.metadata)
        elif key in definitions.flags:
            answer = self._compiled(definitions.flags[key])
        else:
            return _failing(ErrorCode.FLAG_NOT_FOUND, f"there is no flag `{key}`", definitions.metadata)
        self._answers[key] = answer  # two threads may both come here: they write what answers the same
        return answer

    def _compiled(self, flag: Definition) -> Answer:
        metadata = {**self.metadata, **flag.metadata}
        if not flag.enabled:
            return lambda type, default, _: Details(default, None, Reason.DISABLED, None, "", metadata)
        if is_baked(flag):
            return _fixed(flag, metadata, Reason.DISABLED)
        if not flag.targeting:
            return _fixed(flag, metadata, Reason.STATIC)
        try:
            drawing = _bucketing_of(metadata.get("bucketing", self._bucketing))
            rule, shared = flag.targeting, self.definitions.evaluators
            return _targeted(flag, metadata, compile_rule(rule, flag.key, drawing, shared, self._clock))
        except (BadRule, UsageError) as error:
            return _failing(ErrorCode.PARSE_ERROR, f"flag `{flag.key}`: {error}", metadata)


def _bucketing_of(name: object) -> Bucketing:
    try:
        return Bucketing(str(name))
    except ValueError:
        known = " or ".join(each.value for each in Bucketing)
        raise UsageError(f"there is no bucketing `{name}`", hint=f"it is {known}") from None


def _is_fixed(flag: Definition) -> bool:
    return not flag.enabled or not flag.targeting or is_baked(flag)


def _common(metadata: Metadata) -> bytes:
    return _ENCODE({name: value for name, value in metadata.items() if name != "version"})


def _written(definitions: Definitions, name: str) -> bytes:
    """Return a shared rule as text: true is no 1 there, whatever Python says."""
    return _ENCODE(definitions.evaluators[name]) if name in definitions.evaluators else b""


def _told(definitions: Definitions, key: str, rules: Set[str]) -> bytes | str | None:
    """Return a flag as text, which is empty where it uses one of the rules; None where there is none."""
    flag = definitions.flags.get(key)
    if flag is None:
        return definitions.broken.get(key)
    return b"" if rules and not rules.isdisjoint(references(flag.targeting)) else _ENCODE(flag)


_ENCODE = msgspec.json.Encoder(order="deterministic").encode


def _failing(code: ErrorCode, message: str, metadata: Metadata) -> Answer:
    def answer(asked: Asked, default: Any, _: _Context) -> Details:
        return _failed(code, message, default, metadata)

    return answer


def _failed(code: ErrorCode, message: str, default: Any, metadata: Metadata) -> Details:
    return Details(default, None, Reason.ERROR, code, message, metadata)


def _fixed(flag: Definition, metadata: Metadata, reason: Reason) -> Answer:
    """Answer everybody with the default variant."""
    row = _row(flag, flag.default_variant, reason, metadata)

    def answer(asked: Asked, default: Any, _: _Context) -> Details:
        return row.get(asked) or _answered(flag, flag.default_variant, reason, metadata, asked, default)

    return answer


def _targeted(flag: Definition, metadata: Metadata, choose: Choose) -> Answer:
    """Answer with the variant that the rule names, or with the default one where it names none."""
    rows = {name: _row(flag, name, Reason.TARGETING_MATCH, metadata) for name in flag.variants}
    otherwise = _row(flag, flag.default_variant, Reason.DEFAULT, metadata)

    def answer(asked: Asked, default: Any, context: _Context) -> Details:
        try:
            found = choose(_NOBODY if context is None else context)
        except RuleError as error:
            return _failed(ErrorCode.PARSE_ERROR, f"flag `{flag.key}`: {error}", default, metadata)
        if found is None:
            variant, reason, row = flag.default_variant, Reason.DEFAULT, otherwise
        elif type(found) is str:
            variant, reason, row = found, Reason.TARGETING_MATCH, rows.get(found, _NOBODY)
        elif isinstance(found, list | tuple | Mapping):
            message = f"flag `{flag.key}`: its rule says a list or an object, and no variant"
            return _failed(ErrorCode.GENERAL, message, default, metadata)
        else:
            variant = text(found)
            reason, row = Reason.TARGETING_MATCH, rows.get(variant, _NOBODY)
        return row.get(asked) or _answered(flag, variant, reason, metadata, asked, default)

    return answer


def _row(flag: Definition, variant: str | None, reason: Reason, metadata: Metadata) -> Mapping[Any, Details]:
    """Return the answers of a variant by the type that is asked for, as far as they can be made beforehand."""
    value = None if variant is None else flag.variants.get(variant)
    return {
        kind: Details(_as(kind, value), variant, reason, None, "", metadata)
        for kind in (*FlagType, None)
        if not isinstance(value, dict | list) and _fits(kind, value)
    }


def _answered(
    flag: Definition, variant: str | None, reason: Reason, metadata: Metadata, asked: Asked, default: Any
) -> Details:
    """Answer with a variant, or say why not."""
    kind = flag_type(asked)
    if variant is None:
        reason = Reason.DEFAULT if reason is Reason.STATIC else reason
        return Details(default, None, reason, None, "", metadata)
    if variant not in flag.variants:
        message = f"flag `{flag.key}` has no variant `{variant}`"
        return _failed(ErrorCode.GENERAL, message, default, metadata)
    value = flag.variants[variant]
    if not _fits(kind, value):
        message = f"flag `{flag.key}` is asked for as {kind}, and its variant `{variant}` is {_named(value)}"
        return _failed(ErrorCode.TYPE_MISMATCH, message, default, metadata)
    return Details(_as(kind, value), variant, reason, None, "", metadata)


_FITTING: Mapping[FlagType | None, tuple[type, ...]] = {
    FlagType.BOOLEAN: (bool,),
    FlagType.STRING: (str,),
    FlagType.INTEGER: (int,),
    FlagType.FLOAT: (int, float),
    FlagType.OBJECT: (dict, list),
    None: (bool, str, int, float, dict, list),
}


def _fits(kind: FlagType | None, value: Json) -> bool:
    if kind is FlagType.FLOAT and type(value) is int:
        return -_LARGEST < value < _LARGEST
    return type(value) in _FITTING[kind]


_LARGEST = 2**1023
"""Integers beyond are no floats."""


def _as(kind: FlagType | None, value: Any) -> Any:
    """Return a value as it is handed out: a float where one is asked for, an object as a copy."""
    if kind is FlagType.FLOAT:
        return float(value)
    return _copy(value) if isinstance(value, dict | list) else value


def _copy(value: Json) -> Json:
    """Copy lists and objects, which callers may change as they like."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _named(value: Json) -> str:
    names = {bool: "a boolean", str: "a string", int: "an integer", float: "a float", type(None): "null"}
    return names.get(type(value), "an object")
