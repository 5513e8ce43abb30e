"""Every rule: what is wrong in a few words, how bad that is, and why it matters; the documentation has all."""

from typing import Literal, NamedTuple

Level = Literal["none", "note", "warning", "error"]

PROFILES = ("starter", "standard", "strict")
"""How much is asked for, the least first; the names are those of the rule pack's profiles."""


class Rule(NamedTuple):
    """A rule; `levels` are those of the profiles, in their order."""

    title: str
    levels: tuple[Level, Level, Level]
    why: str


RULES: dict[str, Rule] = {
    "F001": Rule(
        "code reads a flag that is not declared",
        ("error", "error", "error"),
        "a flag that nobody declares has no owner and no end, and answers with the caller's default",
    ),
    "F002": Rule(
        "a flag lacks an owner, a ticket or an expiry",
        ("error", "error", "error"),
        "without an owner, a ticket and an end it is never taken out, and nobody knows what happens if it is",
    ),
    "F003": Rule(
        "a flag has expired",
        ("error", "error", "error"),
        "a flag after its time is a branch that nobody tests, and that somebody will take one day by mistake",
    ),
    "F004": Rule(
        "a flag is declared that no code reads",
        ("warning", "error", "error"),
        "a toggle of it does nothing, and whoever relies on it finds that out during an incident",
    ),
    "F005": Rule(
        "the caller's default is not the safe value",
        ("warning", "error", "error"),
        "while the provider cannot answer users get the caller's default, and not what was declared to be safe",
    ),
    "F006": Rule(
        "a flag is read as a type that it is not",
        ("error", "error", "error"),
        "every evaluation fails with TYPE_MISMATCH and answers with the caller's default, whatever is served",
    ),
    "F007": Rule(
        "code that runs in front of users reads a flag for servers only",
        ("error", "error", "error"),
        "what a browser evaluates its user can read and change; payments and access are decided on a server",
    ),
    "F008": Rule(
        "a flag is read by code that does not own its namespace",
        ("note", "warning", "error"),
        "its owners change it and take it out, and do not know who else depends on it",
    ),
    "F009": Rule(
        "the key of a flag is put together when the code runs",
        ("warning", "error", "error"),
        "nobody can say which flags such code reads, so none of them can be taken out",
    ),
    "F010": Rule(
        "a kill switch fails open",
        ("error", "error", "error"),
        "while nothing can be known it answers that what it guards may go on, just when it is needed",
    ),
    "F011": Rule(
        "a flag is read again and again in a loop",
        ("note", "warning", "warning"),
        "every evaluation costs, and users may get both variants within one request when it changes half-way",
    ),
    "F012": Rule(
        "a flag is read under another flag",
        ("note", "warning", "warning"),
        "two flags are four programs, most of them never tested; the inner one works only if the outer does",
    ),
    "F013": Rule(
        "the key of a retired flag is used again",
        ("error", "error", "error"),
        "an old instance that still knows it wakes up what was dead: Knight Capital lost 440 million dollars",
    ),
    "F014": Rule(
        "a provider is set without waiting until it is ready",
        ("error", "error", "error"),
        "evaluations right behind it fail with PROVIDER_NOT_READY and answer with the caller's default",
    ),
    "F015": Rule(
        "the evaluation context carries personal data",
        ("warning", "error", "error"),
        "a context goes to providers, into logs and spans, and nobody takes personal data out of those again",
    ),
    "F016": Rule(
        "callers of one flag have different defaults",
        ("warning", "error", "error"),
        "while the provider cannot answer one part of a program is on and another is off: nobody tested that",
    ),
    "F017": Rule(
        "code calls the interface of one vendor",
        ("note", "warning", "error"),
        "what governs flags sits in the provider behind OpenFeature, and such a call goes past it",
    ),
    "F018": Rule(
        "code imports a module that is dead",
        ("error", "error", "error"),
        "`@openfeature/js-sdk` ended at 1.6.1: it has none of the fixes, and no provider is made for it",
    ),
    "F019": Rule(
        "an exception is not one",
        ("error", "error", "error"),
        "an exception says which rules, until when and why; without an end, or behind it, it excuses nothing",
    ),
    "F020": Rule(
        "part of the code could not be read",
        ("note", "warning", "warning"),
        "there may be flags in it that nobody sees, and more to say than is said here",
    ),
    "F021": Rule(
        "the baseline excuses what is not there any more",
        ("error", "error", "error"),
        "an excuse that is left lying about excuses the next one who makes the same mistake",
    ),
}
