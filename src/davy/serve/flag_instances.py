"""What instances of applications ask and tell (`davy.flags.remote`), for tokens that see every flag."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request as Call
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from davy.flags.remote import Acknowledgement, Changed, ExposureReport, Instance
from davy.flags.serving import Document, Flags
from davy.flags.token import Token
from davy.serve.flag_counts import label
from davy.serve.flag_door import RETRY_S, Door, Refusal
from davy.serve.flag_streams import EventStream, Stream, Streams

LONGEST_NAME = 256
"""Characters of the names that instances tell."""

VERSIONS = 5
"""Versions that have a line of their own in the metrics; instances of older ones are told of together."""

KNOWN = 10_000
"""Instances whose versions are known at once."""

LARGEST_COUNT = 2**53
"""What is counted beyond it was not counted."""

OUR_OWN = "ofrep/"
"""How the ids begin of those that evaluate for others in this process; nobody else is called so."""

Told = TypeVar("Told")


@dataclass(slots=True)
class Instances:
    """Answers instances.

    Args:
        door: lets requests in.
        flags: has the documents, and takes in what is told.
        streams: tells who wants to know that there is another document.
    """

    door: Door
    flags: Flags
    streams: Streams
    taken: Counter[str] = field(default_factory=Counter)
    versions: dict[str, int] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/flags/v1/document", self.door.open("document", self.document, refused), methods=["GET"]),
            Route("/flags/v1/stream", self.door.open("stream", self.listen, refused), methods=["GET"]),
            Route(
                "/flags/v1/acknowledgements",
                self.door.open("acknowledgements", self.acknowledge, refused),
                methods=["POST"],
            ),
            Route("/flags/v1/exposures", self.door.open("exposures", self.expose, refused), methods=["POST"]),
        ]

    async def document(self, call: Call) -> Response:
        """Hand out the document of an artifact, or say that it is what the caller has already."""
        self._all(call)
        document = self.flags.document(_named(call, "artifact"))
        headers = {"ETag": f'"{document.digest}"', "Davy-Flags-Version": str(document.version)}
        shown = (each.strip().removeprefix("W/") for each in call.headers.get("if-none-match", "").split(","))
        if headers["ETag"] in shown:
            return Response(None, 304, headers)
        return Response(document.text, 200, headers, media_type="application/json")

    async def listen(self, call: Call) -> Response:
        """Open a stream: an event says that there is another document, a comment that nothing is new."""
        token = self._all(call)
        artifact, instance = _named(call, "artifact"), _named(call, "instance")
        self._check_owner(token, instance, self.services.get(instance, ""))
        if self.streams.full("instance", token.name):
            raise Refusal(503, "busy", "too many streams are open", {"Retry-After": str(RETRY_S)})

        def document() -> Document:
            return self.flags.document(artifact)

        def write(changed: Changed) -> bytes:
            now = document()
            told = msgspec.json.encode(Changed(now.version, now.digest, changed.flags)).decode()
            return f"id: {now.version}\nevent: changed\ndata: {told}\n\n".encode()

        def allowed() -> bool:
            return self.door.tokens().named(token.name, self.door.wall()) == token

        def begin(stream: Stream) -> None:
            """Tell whoever has not seen the document of now that there is one."""
            now = document()
            if call.headers.get("last-event-id", "") != str(now.version):
                stream.tell(Changed(now.version, now.digest))

        stream = Stream("instance", token.name, instance, write, allowed)
        return EventStream(self.streams, stream, begin, head=call.method == "HEAD")

    async def acknowledge(self, call: Call) -> Response:
        """Take in which version an instance evaluates by."""
        token = self._all(call)
        told = await self._read(call, Acknowledgement)
        self._check(token, told.instance)
        if told.version < 0 or len(told.digest) > LONGEST_NAME:
            raise Refusal(400, "value", "that is no version, or no digest of a document")
        self.flags.acknowledge(told)
        self.taken["acknowledgements"] += 1
        self.versions.pop(told.instance.id, None)
        self.versions[told.instance.id] = told.version
        self.services[told.instance.id] = told.instance.service
        if len(self.versions) > KNOWN:  # the one that was heard of longest ago: it may never have listened
            oldest = next(iter(self.versions))
            del self.versions[oldest], self.services[oldest]
        return Response(status_code=204)

    async def expose(self, call: Call) -> Response:
        """Take in what an instance has counted."""
        token = self._all(call)
        report = await self._read(call, ExposureReport)
        self._check(token, report.instance)
        if not (0 <= report.since <= report.until < 1e11 and 0 <= report.dropped < LARGEST_COUNT):
            raise Refusal(400, "value", "the time of the report ends before it begins, or a count is negative")
        for each in report.exposures:
            sane = min(each.version, each.count, each.failed) >= 0 and each.failed <= each.requests
            if not sane or max(each.version, each.count, each.requests) >= LARGEST_COUNT:
                raise Refusal(400, "value", f"what is counted of {each.flag[:LONGEST_NAME]} cannot be")
            if max(len(each.flag), len(each.variant), len(each.reason)) > LONGEST_NAME:
                raise Refusal(400, "value", f"a name has at most {LONGEST_NAME} characters")
        self.flags.count(report)
        self.taken["exposures"] += 1
        return Response(status_code=204)

    def left(self, instance: str) -> None:
        """Take in that an instance listens no more."""
        self.versions.pop(instance, None)
        self.services.pop(instance, None)
        self.flags.left(instance)

    def lines(self) -> list[str]:
        """Write what instances told, as Prometheus reads it."""
        newest = sorted(set(self.versions.values()), reverse=True)[:VERSIONS]
        counted = Counter(str(each) if each in newest else "older" for each in self.versions.values())
        return [
            "# HELP davy_flags_told_total What instances told.",
            "# TYPE davy_flags_told_total counter",
            *(f'davy_flags_told_total{{what="{what}"}} {count}' for what, count in sorted(self.taken.items())),
            "# HELP davy_flags_acknowledged_instances Instances, by the version that they evaluate by.",
            "# TYPE davy_flags_acknowledged_instances gauge",
            *(
                f'davy_flags_acknowledged_instances{{version="{label(version)}"}} {count}'
                for version, count in sorted(counted.items())
            ),
        ]

    def _all(self, call: Call) -> Token:
        """Return the token of a program of ours from which no flag is kept, since a document has them all."""
        token = self.door.server(call)
        if not token.sees_all:
            message = "this token does not see every flag, and a document has them all: evaluate over OFREP"
            raise Refusal(403, "keys", message)
        return token

    def _check(self, token: Token, instance: Instance) -> None:
        """Make sure that a token may speak for an instance, and that it is the one that it was.

        Raises:
            Refusal: it may not.
        """
        if not instance.id or max(map(len, (instance.id, instance.service, instance.artifact))) > LONGEST_NAME:
            message = f"an instance has an id, and names of at most {LONGEST_NAME} characters"
            raise Refusal(400, "value", message)
        if not token.speaks_for(instance.service):
            raise Refusal(403, "service", f"this token does not speak for {instance.service}")
        self._check_owner(token, instance.id, instance.service)

    def _check_owner(self, token: Token, id_: str, service: str) -> None:
        """Make sure that an id is not somebody else's, who would be taken for gone or for told.

        Raises:
            Refusal: it is.
        """
        known = self.services.get(id_, service)
        if id_.startswith(OUR_OWN) or known != service or (service and not token.speaks_for(service)):
            raise Refusal(403, "instance", "an instance of that id is somebody else's")

    async def _read(self, call: Call, kind: type[Told]) -> Told:
        body = await self.door.body(call, self.door.limits.report_bytes)
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refusal(400, "payload", f"that is no {kind.__name__}: {error}") from None


def refused(call: Call, refusal: Refusal) -> Response:
    """Make an answer that says why not."""
    body: Mapping[str, Any] = {"error": {"code": refusal.code, "message": refusal.message}}
    return Response(
        msgspec.json.encode(body), refusal.status, dict(refusal.headers), media_type="application/json"
    )


def _named(call: Call, parameter: str) -> str:
    value = call.query_params.get(parameter, "")
    if len(value) > LONGEST_NAME:
        raise Refusal(400, "value", f"{parameter} is longer than {LONGEST_NAME} characters")
    return value
