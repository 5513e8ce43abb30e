"""LaunchDarkly's log of what was done to flags, as its API lists it and as its webhooks send it.

Both have the same fields, so an entry means the same whichever way it comes, and is one event in the record.
"""

import msgspec

from davy.flags.vendor import Toggle

ON, OFF = "turned on the flag", "turned off the flag"


class _Access(msgspec.Struct):
    action: str = ""
    resource: str = ""


class _Member(msgspec.Struct):
    email: str = ""


class _Token(msgspec.Struct):
    name: str = ""


class LaunchDarklyEntry(msgspec.Struct, rename={"id": "_id", "title_verb": "titleVerb"}):
    """An entry of the audit log.

    Args:
        id: its name, that of no other one.
        date: when, in milliseconds since the epoch.
        kind: what it is about.
        accesses: what was done to which resource, as in `proj/shop:env/production:flag/checkout.discount`.
        title_verb: what was done, in words.
        comment: why, where somebody said so.
        member: who did it, where it was a person.
        token: by which access token, where it was a program.
    """

    id: str
    date: int
    kind: str = ""
    accesses: list[_Access] = []
    title_verb: str = msgspec.field(default="")
    comment: str = ""
    member: _Member | None = None
    token: _Token | None = None

    def toggle(self, project: str = "", environment: str = "") -> Toggle:
        """Return what it says of a flag; without a key where it is about none in that environment."""
        found = [place for each in self.accesses if (place := _place(each.resource))]
        where = next((each for each in found if _is_in(each, project, environment)), ("", "", ""))
        action = next((each.action for each in self.accesses if each.action), "")
        verb = self.title_verb.strip()
        return Toggle(
            self.id,
            where[2],
            self.date / 1000,
            self._actor(),
            action or verb or self.kind,
            True if verb == ON else False if verb == OFF else None,
            self.comment,
        )

    def places(self) -> tuple[str, str]:
        """Return the project and the environment that it is about, empty where it is about none."""
        found = [place for each in self.accesses if (place := _place(each.resource))]
        return found[0][:2] if found else ("", "")

    def _actor(self) -> str:
        if self.member is not None and self.member.email:
            return self.member.email
        if self.token is not None and self.token.name:
            return f"token {self.token.name}"
        return "launchdarkly"


def _place(resource: str) -> tuple[str, str, str] | None:
    """Read a resource: project, environment and key of a flag, None where it is no flag of an environment."""
    parts = [part.split(";", 1)[0].partition("/") for part in resource.split(":")]
    if [kind for kind, _, _ in parts] != ["proj", "env", "flag"]:
        return None
    project, environment, flag = (name for _, _, name in parts)
    return (project, environment, flag) if flag and flag != "*" else None


def _is_in(place: tuple[str, str, str], project: str, environment: str) -> bool:
    return (not project or place[0] == project) and (not environment or place[1] == environment)
