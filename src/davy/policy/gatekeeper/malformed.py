"""Reading parts of a policy document: what is not as it should be is told with its place."""

import difflib
from collections.abc import Collection, Mapping

from davy.policy.review import Json, Object


class Malformed(Exception):
    """A part of a policy document cannot be read; as far as it says whom it is about, it refuses those."""

    def __init__(self, path: str, message: str, fix: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path, self.message, self.fix = path, message, fix


def mapping(value: Json, path: str, known: Collection[str] = ()) -> Object:
    """Read a mapping, nothing standing for an empty one; `known` are all the keys there may be, if it is given.

    Raises:
        Malformed: it is something else, or has a key that nobody knows.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Malformed(path, f"this has to be a mapping and is {named(value)}")
    if known:
        for key in value:
            if key not in known:
                raise Malformed(join(path, key), f"there is no field {key!r}", nearest(key, known))
    return value


def listed(value: Json, path: str) -> list[Json]:
    """Read a list, nothing standing for an empty one.

    Raises:
        Malformed: it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise Malformed(path, f"this has to be a list and is {named(value)}")
    return list(value)


def text(value: Json, path: str) -> str:
    """Read a text.

    Raises:
        Malformed: it is something else.
    """
    if not isinstance(value, str):
        raise Malformed(path, f"this has to be a text and is {named(value)}")
    return value


def texts(value: Json, path: str) -> list[str]:
    """Read a list of texts.

    Raises:
        Malformed: it is something else.
    """
    return [text(each, f"{path}[{at}]") for at, each in enumerate(listed(value, path))]


def join(path: str, key: str) -> str:
    """Write a path one key further."""
    return f"{path}.{key}" if path else key


def nearest(key: str, known: Collection[str]) -> str:
    """Say what may have been meant."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def named(value: Json) -> str:
    """Say what sort of value it is, in words."""
    if value is None:
        return "nothing"
    names = {bool: "a truth value", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "a mapping")
