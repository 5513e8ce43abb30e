"""What an API server asks: an AdmissionReview (`admission.k8s.io/v1`), read into a review, or a refusal.

Nothing that is read here is believed to be well-meant or well-formed. What cannot be read in one way only is
refused with a sentence, since a review that is misread is one that is passed: of two equal keys a policy would
see the last and the cluster perhaps the first, and `NaN` is larger than no limit.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from davy.policy.review import Json, Kind, Object, Operation, Resource, Review

LONGEST = 3 << 20
"""Bytes of the longest review that is read; an API server's own limit for an object is half of that."""

DEEPEST = 128
"""How many objects and lists may be in one another."""

API_VERSION = "admission.k8s.io/v1"

_UID = re.compile(
    rb'\A[^"]*(?:"(?:kind|apiVersion)"\s*:\s*"[^"]*"\s*,\s*)*"request"\s*:\s*\{\s*"uid"\s*:\s*"([\w.-]{1,128})"'
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONGEST_UID = 128


class BadReview(Exception):
    """A review that cannot be judged. It is denied, and this is the sentence.

    `uid` is that of the request where one could be read: the answer has to repeat it.
    """

    def __init__(self, sentence: str, uid: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.uid = sentence, uid


@dataclass(frozen=True, slots=True)
class Request:
    """A review with what is needed to answer it."""

    uid: str
    review: Review


def read(body: bytes) -> Request:
    """Read the body of a request.

    Raises:
        BadReview: it is not an AdmissionReview that can be judged.
    """
    if len(body) > LONGEST:
        raise BadReview(f"the review is longer than {LONGEST} bytes", _uid_of(body))
    try:
        document = _parsed(body)
        _check_depth(document)
    except BadReview as error:
        raise BadReview(error.sentence, _uid_of(body)) from None
    if not isinstance(document, dict):
        raise BadReview("the body is no AdmissionReview: it is not a JSON object")
    request = document.get("request")
    uid = _uid(request)
    try:
        _check_kind(document)
        if not isinstance(request, dict):
            raise BadReview("the AdmissionReview has no request")
        if not uid:
            raise BadReview("the request has no uid of 1 to 128 characters, and the answer has to repeat it")
        return Request(uid, _review(request, uid))
    except BadReview as error:
        raise BadReview(error.sentence, uid) from None


def _parsed(body: bytes) -> Json:
    """Read JSON in the one way that leaves nothing to guess."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadReview(f"the body is no AdmissionReview: byte {error.start} is not UTF-8") from None
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
        if _SURROGATE.search(body):
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadReview(f"the body is no AdmissionReview: not JSON at {place}: {error.msg}") from None
    except UnicodeEncodeError:
        raise BadReview("a text holds half of a surrogate pair, which is no character") from None
    except ValueError:
        raise BadReview("a number has too many digits to be read") from None
    return document


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadReview(f"the key {twice[:100]!r} is there twice, and which one counts is anybody's guess")
    return found


def _no_constant(name: str) -> Json:
    raise BadReview(f"{name} is not JSON, and compares with nothing")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise BadReview(f"the number {text[:40]} is larger than any that can be compared")
    return number


def _too_deep() -> BadReview:
    return BadReview(f"the review is nested more than {DEEPEST} deep")


def _check_depth(document: Json) -> None:
    level = [document] if isinstance(document, (dict, list)) else []
    for _ in range(DEEPEST + 1):
        level = [
            below
            for each in level
            for below in (each.values() if isinstance(each, dict) else each)
            if isinstance(below, (dict, list))
        ]
        if not level:
            return
    raise _too_deep()


def _check_kind(document: Mapping[str, Any]) -> None:
    kind, version = document.get("kind"), document.get("apiVersion")
    if kind != "AdmissionReview":
        raise BadReview(f"the body is no AdmissionReview: its kind is {_short(kind)}")
    if version != API_VERSION:
        raise BadReview(
            f"AdmissionReview {_short(version)} is not spoken here, only {API_VERSION}: "
            "write admissionReviewVersions: [v1] into the webhook configuration"
        )


def _review(request: Mapping[str, Any], uid: str) -> Review:
    operation = _operation(request.get("operation"))
    kind = _kind(request.get("kind"), "kind")
    resource = _resource(request.get("resource"), "resource")
    if kind is None or resource is None:
        raise BadReview(f"the request has no {'kind' if kind is None else 'resource'}")
    found, old = (_mapping(request, name) for name in ("object", "oldObject"))
    namespace = _text(request, "namespace")
    if operation == "DELETE":
        found = None
    for name, each in (("object", found), ("oldObject", old)):
        if each is not None:
            _check_object(name, each, kind)
    missing = "oldObject" if operation == "DELETE" else "object"
    if (old if operation == "DELETE" else found) is None:
        raise BadReview(f"a {operation} without {missing}: there is nothing to judge")
    if operation == "UPDATE" and old is None:
        raise BadReview("an UPDATE without oldObject: what changes cannot be judged")
    placed = "" if kind == Kind("", "v1", "Namespace") else namespace
    return Review(
        kind=kind,
        object=None if found is None else _in_namespace(found, placed, "object"),
        old_object=None if old is None else _in_namespace(old, placed, "oldObject"),
        operation=operation,
        name=_text(request, "name"),
        namespace=namespace,
        resource=resource,
        sub_resource=_text(request, "subResource"),
        request_kind=_kind(request.get("requestKind"), "requestKind"),
        request_resource=_resource(request.get("requestResource"), "requestResource"),
        user=_user(request),
        options=_mapping(request, "options"),
        dry_run=_dry_run(request.get("dryRun")),
        uid=uid,
    )


def _check_object(name: str, found: Object, kind: Kind) -> None:
    """Hold an object to the kind it is said to be: policies match by what it says itself."""
    if Kind.of(found) != kind:
        own = Kind.of(found)
        raise BadReview(
            f"{name} is {own.api_version} {own.kind or 'of no kind'}, but the request is about "
            f"{kind.api_version} {kind.kind}"
        )
    if not isinstance(found.get("metadata", {}), dict):
        raise BadReview(f"{name}.metadata is not an object")


def _in_namespace(found: Object, namespace: str, name: str) -> Object:
    """Write the request's namespace into an object that names none; policies look for it there."""
    metadata = found.get("metadata") or {}
    own = metadata.get("namespace")
    if own == namespace or not namespace:
        return found
    if own not in (None, ""):
        raise BadReview(f"{name} is in namespace {_short(own)}, but the request is about {_short(namespace)}")
    return {**found, "metadata": {**metadata, "namespace": namespace}}


def _operation(value: Json) -> Operation:
    known: tuple[Operation, ...] = get_args(Operation)
    found = next((each for each in known if each and each == value), None)
    if found is None:
        raise BadReview(f"the operation is {_short(value)}, not one of {', '.join(filter(None, known))}")
    return found


def _kind(value: Json, name: str) -> Kind | None:
    found = _triple(value, name, "kind")
    return None if found is None else Kind(*found)


def _resource(value: Json, name: str) -> Resource | None:
    found = _triple(value, name, "resource")
    return None if found is None else Resource(*found)


def _triple(value: Json, name: str, last: str) -> tuple[str, str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadReview(f"request.{name} is not an object")
    group, version, what = (value.get(each, "") for each in ("group", "version", last))
    if not (isinstance(group, str) and isinstance(version, str) and isinstance(what, str) and version and what):
        raise BadReview(f"request.{name} does not name group, version and {last}")
    return group, version, what


def _user(request: Mapping[str, Any]) -> Object:
    user = _mapping(request, "userInfo")
    if user is None or not isinstance(user.get("username"), str):
        raise BadReview("request.userInfo has no username: nobody knows who asks")
    groups, extra = user.get("groups") or [], user.get("extra") or {}
    if not (isinstance(groups, list) and all(isinstance(each, str) for each in groups)):
        raise BadReview("request.userInfo.groups is not a list of texts")
    if not isinstance(extra, dict) or not isinstance(user.get("uid", ""), str):
        raise BadReview("request.userInfo is not in the form of authentication.k8s.io/v1")
    return user


def _dry_run(value: Json) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BadReview("request.dryRun is neither true nor false")


def _mapping(request: Mapping[str, Any], name: str) -> Object | None:
    found = request.get(name)
    if found is None or isinstance(found, dict):
        return found
    raise BadReview(f"request.{name} is not an object")


def _text(request: Mapping[str, Any], name: str) -> str:
    found = request.get(name)
    if found is None:
        return ""
    if isinstance(found, str):
        return found
    raise BadReview(f"request.{name} is not a text")


def _uid(request: Json) -> str:
    found = request.get("uid") if isinstance(request, dict) else None
    return found if isinstance(found, str) and 0 < len(found) <= _LONGEST_UID else ""


def _uid_of(body: bytes) -> str:
    """Find the uid where an API server writes it, in a body that cannot be read as a whole."""
    found = _UID.match(body[:4096])
    return found[1].decode() if found else ""


def _short(value: Json) -> str:
    """Quote something that was sent, without repeating all of it."""
    if value is None:
        return "missing"
    text = json.dumps(value) if isinstance(value, (str, int, float, bool)) else f"a {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:100]}…"
