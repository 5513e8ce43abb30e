"""Short names of what a manifest says, so that a change is noticed."""

import hashlib

import msgspec

from davy.model.rollout import PodTemplateSpec
from davy.rollout.platform import Launch

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""The safe alphabet of Kubernetes: without vowels no hash spells a word."""


def fingerprint(value: object, *more: str) -> str:
    """Hash a part of a manifest to ten characters, as short names of revisions."""
    text = msgspec.json.encode(value, order="sorted") + "\0".join(more).encode()
    digest = int.from_bytes(hashlib.sha256(text).digest())
    letters = ""
    while len(letters) < 10:
        digest, rest = divmod(digest, len(_ALPHABET))
        letters += _ALPHABET[rest]
    return letters


def template_hash(template: PodTemplateSpec, launch: Launch) -> str:
    """Name a version by what it runs: the template and what its image resolved to."""
    return fingerprint(template, launch.digest)
