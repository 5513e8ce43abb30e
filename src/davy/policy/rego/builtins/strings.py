"""Builtins over strings. Positions and lengths count characters, as OPA counts runes."""

from collections.abc import Callable

from davy.policy.rego.arithmetic import exact
from davy.policy.rego.budget import check_collection, check_comparisons, check_text
from davy.policy.rego.builtin import Builtin, BuiltinError, number, place, refuse, text
from davy.policy.rego.builtins.patterns import compiled, escape
from davy.policy.rego.values import RegoSet, Value, value_of

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_DIGITS = {2: "b", 8: "o", 10: "d", 16: "x"}


def texts(value: Value, position: int) -> list[str]:
    """Take an argument that has to be an array or a set of strings."""
    if type(value) is not list and type(value) is not RegoSet:
        refuse(position, value, "array", "set")
    found = list(value)
    for element in found:
        if type(element) is not str:
            refuse(position, element, "string")
    return found


def concat(delimiter: Value, parts: Value) -> str:
    """Join strings; those of a set in its order."""
    between, found = text(delimiter, 1), texts(parts, 2)
    check_text(sum(map(len, found)) + len(between) * len(found))
    return between.join(found)


def contains(searched: Value, part: Value) -> bool:
    """Whether a string has another in it."""
    return text(part, 2) in text(searched, 1)


def startswith(searched: Value, prefix: Value) -> bool:
    """Whether a string starts with another."""
    if type(searched) is str and type(prefix) is str:
        return searched.startswith(prefix)
    return text(searched, 1).startswith(text(prefix, 2))


def endswith(searched: Value, suffix: Value) -> bool:
    """Whether a string ends with another."""
    return text(searched, 1).endswith(text(suffix, 2))


def format_int(value: Value, base: Value) -> str:
    """Print the whole part of a number to base 2, 8, 10 or 16."""
    found, letter = number(value, 1), _DIGITS.get(base) if type(base) is int else None
    if letter is None:
        raise BuiltinError("operand 2 must be one of {2, 8, 10, 16}")
    return format(int(exact(found)), letter)


def indexof(searched: Value, part: Value) -> int:
    """Where a string has another first, -1 where it has not."""
    return text(searched, 1).find(_sought(part))


def indexof_n(searched: Value, part: Value) -> list[int]:
    """Everywhere that a string has another, overlaps included."""
    found, sought, places = text(searched, 1), _sought(part), []
    here = found.find(sought)
    while here >= 0:
        places.append(here)
        check_comparisons(len(places) * len(sought) >> 6)
        here = found.find(sought, here + 1)
    return places


def _sought(part: Value) -> str:
    if not text(part, 2):
        raise BuiltinError("empty search character")
    return part  # type: ignore[no-any-return]


def _by_letter(convert: Callable[[str], str]) -> Callable[[Value], str]:
    """Change case letter by letter as Go does, never one letter into two."""

    def letter(found: str) -> str:
        changed = convert(found)
        return changed if len(changed) == 1 else changed[0] if found == "\u0130" else found

    def call(value: Value) -> str:
        found = text(value, 1)
        return convert(found) if found.isascii() else "".join(map(letter, found))

    return call


def replace(searched: Value, old: Value, new: Value) -> str:
    """Put a string in place of another, everywhere."""
    found, before, after = text(searched, 1), text(old, 2), text(new, 3)
    check_text(len(found) + found.count(before) * max(0, len(after) - len(before)))
    return found.replace(before, after)


def replace_n(pairs: Value, searched: Value) -> str:
    """Put strings in place of others, all at once; where several fit, the first of the sorted keys wins."""
    if type(pairs) is not dict:
        refuse(1, pairs, "object")
    found = text(searched, 2)
    named = {text(value_of(key), 1): text(value, 1) for key, value in pairs.items()}
    empty = named.pop("", None)
    if named:
        pattern = compiled("|".join(map(escape, sorted(named))))
        places = [(one.start(), one.end()) for one in pattern.finditer(found)]
    else:
        places = []
    pieces, end = [], 0
    for start, stop in [*places, (len(found), len(found))]:
        pieces += [empty + letter for letter in found[end:start]] if empty is not None else [found[end:start]]
        pieces.append(named[found[start:stop]] if stop > start else empty or "")
        end = stop
        check_collection(len(pieces))
    check_text(sum(map(len, pieces)))
    return "".join(pieces)


def split(searched: Value, delimiter: Value) -> list[str]:
    """Take a string apart; with an empty delimiter into its characters."""
    found, between = text(searched, 1), text(delimiter, 2)
    check_collection(found.count(between))
    return found.split(between) if between else list(found)


def split_n(searched: Value, delimiter: Value, count: Value) -> list[str]:
    """Take the first pieces of a string that is taken apart, the last ones where the count is negative."""
    pieces, wanted = split(searched, delimiter), place(count, 3)
    if wanted >= 0:
        return pieces[:wanted]
    return pieces[wanted:]


def substring(value: Value, offset: Value, length: Value) -> str:
    """Take a part of a string; a negative length takes the rest."""
    found, start, size = text(value, 1), place(offset, 2), place(length, 3)
    if start < 0:
        raise BuiltinError("negative offset")
    return found[start:] if size < 0 else found[start : start + size]


def _matches_any(test: Callable[[str, tuple[str, ...]], bool]) -> Callable[[Value, Value], bool]:
    def several(value: Value, position: int) -> tuple[str, ...]:
        return (value,) if type(value) is str else tuple(texts(value, position))

    def call(searched: Value, sought: Value) -> bool:
        wanted, found = several(sought, 2), several(searched, 1)
        check_comparisons(len(found) * len(wanted))
        return any(test(one, wanted) for one in found)

    return call


def _stripped(strip: Callable[[str, str], str]) -> Callable[[Value, Value], str]:
    def call(value: Value, letters: Value) -> str:
        found, wanted = text(value, 1), text(letters, 2)
        if strip in (str.strip, str.lstrip, str.rstrip):
            wanted = "".join(set(wanted))
            check_comparisons(len(found) * len(wanted) >> 6)
        return strip(found, wanted)

    return call


FAMILY = (
    Builtin("concat", 2, concat),
    Builtin("contains", 2, contains),
    Builtin("startswith", 2, startswith),
    Builtin("endswith", 2, endswith),
    Builtin("format_int", 2, format_int),
    Builtin("indexof", 2, indexof),
    Builtin("indexof_n", 2, indexof_n),
    Builtin("lower", 1, _by_letter(str.lower)),
    Builtin("upper", 1, _by_letter(str.upper)),
    Builtin("replace", 3, replace),
    Builtin("split", 2, split),
    Builtin("substring", 3, substring),
    Builtin("trim", 2, _stripped(str.strip)),
    Builtin("trim_left", 2, _stripped(str.lstrip)),
    Builtin("trim_right", 2, _stripped(str.rstrip)),
    Builtin("trim_prefix", 2, _stripped(str.removeprefix)),
    Builtin("trim_suffix", 2, _stripped(str.removesuffix)),
    Builtin("trim_space", 1, lambda value: text(value, 1).strip(_SPACE)),
    Builtin("strings.any_prefix_match", 2, _matches_any(str.startswith)),
    Builtin("strings.any_suffix_match", 2, _matches_any(str.endswith)),
    Builtin("strings.count", 2, lambda value, part: text(value, 1).count(text(part, 2))),
    Builtin("strings.replace_n", 2, replace_n),
    Builtin("strings.reverse", 1, lambda value: text(value, 1)[::-1]),
    Builtin("strings.split_n", 3, split_n),
)
