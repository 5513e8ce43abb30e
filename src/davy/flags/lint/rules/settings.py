"""What can be set: `davy-flags.yaml`."""

from collections.abc import Mapping

from davy.flags.lint.rules.table import PROFILES, RULES, Level
from davy.model.check import nearest
from davy.model.duration import BadDuration, parse_duration
from davy.model.finding import Finding
from davy.model.part import Part
from davy.model.settings import Settings

_DAY_S = 86400.0


class Expiry(Part, frozen=True):
    """How long before its end a flag is told of, and how long after it the build goes on; `14d`, `36h`."""

    warn: str = "14d"
    grace: str = "0d"


class Namespace(Part, frozen=True):
    """Who owns the flags whose keys begin with a namespace: a name of CODEOWNERS, or paths of code.

    `readers` are further paths that may read them.
    """

    owner: str = ""
    paths: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()


class Paths(Part, frozen=True):
    """Some paths, with `*`, `**` and `?`."""

    paths: tuple[str, ...] = ()


class Personal(Part, frozen=True):
    """Names of attributes that are personal beside those that are known, and those that are not."""

    attributes: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


class LintSettings(Part, frozen=True):
    """Everything that can be set.

    Args:
        flags: files and directories in which flags are declared.
        paths: files and directories of code.
        profile: how much is asked for.
        severity: of a rule, where it is to differ from the profile: none, note, warning or error.
        require: what every flag has to have, of owner, jira and expiry.
        without_expiry: kinds of flags that need no expiry.
        expiry: when an end is told of.
        namespaces: who owns what, by the beginning of keys.
        codeowners: a file of CODEOWNERS, which says who owns paths.
        client: code that runs in front of users.
        hot: code that runs so often that every read in it counts as one in a loop.
        elsewhere: keys that code reads which is not here, with `*`.
        personal: what is personal data in a context.
    """

    flags: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    profile: str = PROFILES[1]
    severity: Mapping[str, str] = {}
    require: tuple[str, ...] = ("owner", "jira", "expiry")
    without_expiry: tuple[str, ...] = ()
    expiry: Expiry = Expiry()
    namespaces: Mapping[str, Namespace] = {}
    codeowners: str = ""
    client: Paths = Paths()
    hot: Paths = Paths()
    elsewhere: tuple[str, ...] = ()
    personal: Personal = Personal()

    def level(self, code: str) -> Level:
        """Say how bad a rule is here."""
        chosen = self.severity.get(code)
        return chosen if chosen is not None else RULES[code].levels[PROFILES.index(self.profile)]  # type: ignore[return-value]

    @property
    def warn_s(self) -> float:
        """How long before its end a flag is told of."""
        return seconds(self.expiry.warn)

    @property
    def grace_s(self) -> float:
        """How long after its end a flag is only warned of."""
        return seconds(self.expiry.grace)


def seconds(text: str) -> float:
    """Read how long something lasts; `7d` is seven times 24 hours.

    Raises:
        BadDuration: it is no duration, or a negative one.
    """
    days = text.removesuffix("d")
    if days != text and days.isascii() and days.isdecimal() and len(days) < 6:
        return int(days) * _DAY_S
    found = parse_duration(text)
    if found < 0:
        raise BadDuration(f'time: negative duration "{text}"')
    return found


def check(read: Settings[LintSettings]) -> list[Finding]:
    """Find values that cannot be, each with its place."""
    value = read.value
    levels = ("none", "note", "warning", "error")
    found = [
        _unknown(read, f"severity.{code}", code, "rule", RULES) for code in value.severity if code not in RULES
    ]
    found += [
        _unknown(read, f"severity.{code}", level, "severity", levels)
        for code, level in value.severity.items()
        if level not in levels
    ]
    if value.profile not in PROFILES:
        found.append(_unknown(read, "profile", value.profile, "profile", PROFILES))
    fields = ("owner", "jira", "expiry")
    found += [
        _unknown(read, f"require[{at}]", field, "field", fields)
        for at, field in enumerate(value.require)
        if field not in fields
    ]
    for name, text in (("warn", value.expiry.warn), ("grace", value.expiry.grace)):
        try:
            seconds(text)
        except BadDuration:
            title = f"{text!r} is no duration"
            found.append(read.finding("DV008", f"expiry.{name}", title, fix="write 14d or 36h"))
    return found


def _unknown(read: Settings[LintSettings], path: str, name: str, what: str, known: object) -> Finding:
    names = [str(each) for each in known]  # type: ignore[attr-defined]
    meant = nearest(name, names)
    fix = f"did you mean `{meant}`?" if meant else f"there are: {', '.join(names)}"
    return read.finding("DV008", path, f"there is no {what} {name!r}", fix=fix)
