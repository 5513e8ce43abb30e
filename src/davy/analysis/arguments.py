"""Arguments of analysis templates: where their values come from, and how they are put into metrics."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from davy.model.analysis import Argument
from davy.model.meta import ObjectMeta
from davy.model.rollout import AnalysisRunArgument, Rollout

T = TypeVar("T")

_SEPARATORS = re.compile(r"[.\[\]]+")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class Unresolvable(Exception):
    """An argument has no value; the message says which, in Argo's words where it has words for it.

    Never leaves `davy.analysis.resolve`, which returns it as a value.
    """


class Hashes(msgspec.Struct, frozen=True):
    """The pod template hashes of the two versions."""

    stable: str
    latest: str


def merge(declared: Iterable[Argument]) -> dict[str, Argument]:
    """Put the arguments of several templates together: one value each.

    Raises:
        Unresolvable: two templates give one argument different values.
    """
    merged: dict[str, Argument] = {}
    for argument in declared:
        known = merged.setdefault(argument.name, argument)
        if known.value is None:
            merged[argument.name] = msgspec.structs.replace(
                known, value=argument.value, value_from=known.value_from or argument.value_from
            )
        elif argument.value is not None and argument.value != known.value:
            raise Unresolvable(
                f"Argument `{argument.name}` specified multiple times with different values: "
                f"'{known.value}', '{argument.value}'"
            )
    return merged


def given_values(arguments: Sequence[AnalysisRunArgument], rollout: Rollout, hashes: Hashes) -> dict[str, str]:
    """Evaluate what a rollout hands to its templates.

    Raises:
        Unresolvable: a field that it refers to is not there.
    """
    return {argument.name: _given(argument, rollout, hashes) for argument in arguments}


def declared_value(argument: Argument, rollout: Rollout) -> str:
    """Evaluate an argument that a rollout says nothing about: its default, or where the template takes it from.

    Raises:
        Unresolvable: it has neither.
    """
    source = argument.value_from
    if argument.value is not None:
        return argument.value
    if source and source.field_ref:
        return field_value(rollout, source.field_ref.field_path)
    raise Unresolvable(f"args.{argument.name} was not resolved")


def field_value(rollout: Rollout, path: str) -> str:
    """Read a field of a Rollout: `metadata.…` as the downward API does, everything else by its JSON path.

    Raises:
        Unresolvable: there is no such field, or it is not a single value.
    """
    if path.startswith("metadata"):
        return _metadata_value(rollout.metadata, path)
    value: Any = msgspec.to_builtins(rollout)
    for section in filter(None, _SEPARATORS.split(path)):
        match value:
            case list() | tuple() if not section.isdecimal():
                raise Unresolvable(f"invalid index '{section}' in {path}")
            case list() | tuple() if int(section) >= len(value):
                raise Unresolvable(f"index {section} out of range in {path}")
            case list() | tuple():
                value = value[int(section)]
            case dict():
                value = value.get(section)
            case _:
                value = None
    match value:
        case None:
            raise Unresolvable(f"invalid path {path} in rollout")
        case list() | tuple() | dict():
            raise Unresolvable(f"path {path} in rollout must terminate in a primitive value")
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def substitute(part: T, values: Mapping[str, str]) -> T:
    """Replace every `{{args.name}}` in the texts of a part of a manifest.

    Raises:
        Unresolvable: a name is not known, or a `{{` is not closed.
    """
    return msgspec.convert(_substitute(msgspec.to_builtins(part), values), type(part))


def _given(argument: AnalysisRunArgument, rollout: Rollout, hashes: Hashes) -> str:
    source = argument.value_from
    if source and source.pod_template_hash_value:
        match source.pod_template_hash_value:
            case "Stable":
                return hashes.stable
            case "Latest":
                return hashes.latest
            case other:
                raise Unresolvable(
                    f"args.{argument.name}: podTemplateHashValue is Stable or Latest, not {other}"
                )
    if source and source.field_ref:
        return field_value(rollout, source.field_ref.field_path)
    return argument.value


def _metadata_value(metadata: ObjectMeta, path: str) -> str:
    if found := _SUBSCRIPT.fullmatch(path):
        return {"labels": metadata.labels, "annotations": metadata.annotations}[found[1]].get(found[2], "")
    match path:
        case "metadata.name":
            return metadata.name
        case "metadata.namespace":
            return metadata.namespace
        case "metadata.uid":
            return metadata.uid
        case "metadata.labels":
            return _lines(metadata.labels)
        case "metadata.annotations":
            return _lines(metadata.annotations)
        case _:
            raise Unresolvable(f"unsupported fieldPath: {path}")


def _lines(texts: Mapping[str, str]) -> str:
    """Write a map as the downward API does."""
    return "\n".join(f"{key}={msgspec.json.encode(texts[key]).decode()}" for key in sorted(texts))


def _substitute(value: object, values: Mapping[str, str]) -> object:
    match value:
        case str():
            return _fill(value, values)
        case list() | tuple():
            return [_substitute(item, values) for item in value]
        case dict():
            return {_fill(key, values): _substitute(item, values) for key, item in value.items()}
        case _:
            return value


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Fill in one text, from left to right, without looking at what was filled in."""
    filled, rest = "", text
    while "{{" in rest:
        before, _, rest = rest.partition("{{")
        tag, closed, rest = rest.partition("}}")
        if not closed:
            raise Unresolvable(f"'{{{{{tag}' is not closed")
        name = tag.strip().removeprefix("args.")
        if name == tag.strip() or name not in values:
            raise Unresolvable(f"failed to resolve {{{{{tag}}}}}")
        filled += before + values[name]
    return filled + rest
