"""Who did it, without their names: entries hold a pseudonym for each person, and a table beside them the names.

Entries are never edited, and people may ask to be forgotten. So the bytes that are hashed have no name of a
person who acts: they have a pseudonym, which says nothing by itself. Once the name is taken out of the table,
nobody can tell any more who it was, and every hash, root and proof is what it was before.

What people write in their own words (`reason`), and what others call their repositories and branches, is kept
as it is.
"""

from collections.abc import Iterable, Mapping

import msgspec

from davy.ledger.entry import Draft, Entry

PERSON = "person"
"""The bucket of the pseudonyms, by the names of the people."""

PREFIX = "person:"
"""What every pseudonym begins with."""


def is_person(actor: str) -> bool:
    """Say whether whoever acts is a person: they are called by a name and where that is theirs.

    As in `anna (uid 1000)` and `octocat (github.com)`. Davy itself and the systems that tell it something have
    names without that. What calls itself as pseudonyms are spelt gets one of its own: nobody is shown under
    the name of another.
    """
    return (actor.endswith(")") and " (" in actor) or actor.startswith(PREFIX)


def people(drafts: Iterable[Draft]) -> set[str]:
    """Return the names of the people in some drafts."""
    return {draft.actor for draft in drafts if is_person(draft.actor)}


def pseudonym(token: str) -> str:
    """Return the pseudonym that a random token makes."""
    return PREFIX + token


def hidden(draft: Draft, pseudonyms: Mapping[str, str]) -> Draft:
    """Put the pseudonym of whoever acts in the place of the name, wherever the draft has it.

    Args:
        draft: what is to be written.
        pseudonyms: of all people in it, by their names.
    """
    name = draft.actor
    if not is_person(name):
        return draft
    instead = pseudonyms[name]
    detail, reason = _replaced(draft.detail, name, instead), draft.reason.replace(name, instead)
    return msgspec.structs.replace(draft, actor=instead, detail=detail, reason=reason)


def shown(entry: Entry, names: Mapping[str, str]) -> Entry:
    """Put the name of whoever acted in the place of the pseudonym, where it is still known.

    Args:
        entry: as it was written.
        names: by the pseudonyms.
    """
    name = names.get(entry.actor)
    if name is None:
        return entry
    detail, reason = _replaced(entry.detail, entry.actor, name), entry.reason.replace(entry.actor, name)
    return msgspec.structs.replace(entry, actor=name, detail=detail, reason=reason)


def by_pseudonym(bucket: Mapping[str, bytes]) -> dict[str, str]:
    """Return the names by the pseudonyms, as the records of the bucket `person` have them."""
    return {found.decode(): name for name, found in bucket.items()}


def _replaced(value: dict[str, object], old: str, new: str) -> dict[str, object]:
    return {key: _each(item, old, new) for key, item in value.items()}


def _each(value: object, old: str, new: str) -> object:
    match value:
        case str():
            return value.replace(old, new)
        case dict():
            return _replaced(value, old, new)
        case list() | tuple():
            return [_each(item, old, new) for item in value]
        case _:
            return value
