"""An AdmissionReview as a file holds it, for examples in suites."""

from typing import get_args

from davy.policy.gatekeeper.candidate import text_of
from davy.policy.gatekeeper.malformed import Malformed, mapping
from davy.policy.review import Json, Kind, Object, Operation, Resource, Review, review_of


def review_from(found: Object) -> Review:
    """Make a review of what a file holds: of an object, or of a whole AdmissionReview.

    Raises:
        Malformed: it is an AdmissionReview that reviews nothing.
    """
    if not is_admission_review(found):
        return review_of(found)
    request = mapping(found.get("request"), "request")
    operation = next((known for known in get_args(Operation) if known == request.get("operation", "")), None)
    if operation is None:
        raise Malformed("request.operation", f"there is no operation {request.get('operation')!r}")
    new, old = (_object(request.get(name), f"request.{name}") for name in ("object", "oldObject"))
    if operation == "DELETE" and old is None:
        raise Malformed("request.oldObject", "what is deleted has to be there")
    if new is None and old is None:
        raise Malformed("request", "there is neither an object nor an oldObject to review")
    return Review(
        kind=_kind(request.get("kind")),
        object=new,
        old_object=old,
        operation=operation,
        name=text_of(request, "name"),
        namespace=text_of(request, "namespace"),
        namespace_object=_object(request.get("namespaceObject"), "request.namespaceObject"),
        resource=_resource(request.get("resource")),
        sub_resource=text_of(request, "subResource"),
        request_kind=_kind(request["requestKind"]) if request.get("requestKind") else None,
        request_resource=_resource(request["requestResource"]) if request.get("requestResource") else None,
        user=mapping(request.get("userInfo"), "request.userInfo"),
        options=_object(request.get("options"), "request.options"),
        dry_run=request.get("dryRun") is True,
        uid=text_of(request, "uid"),
    )


def is_admission_review(found: Object) -> bool:
    """Say whether it is an AdmissionReview."""
    return Kind.of(found)[::2] == ("admission.k8s.io", "AdmissionReview")


def _object(value: Json, path: str) -> Object | None:
    return None if value is None else mapping(value, path)


def _kind(value: Json) -> Kind:
    known = mapping(value, "request.kind")
    return Kind(*(text_of(known, name) for name in Kind._fields))


def _resource(value: Json) -> Resource:
    known = mapping(value, "request.resource")
    return Resource(*(text_of(known, name) for name in Resource._fields))
