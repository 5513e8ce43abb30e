"""The OpenFeature Remote Evaluation Protocol, 0.3: flags for SDKs in every language, one by one or all at once.

What a token does not see is not there for it. The client edge gets values and variants, and nothing of what
governs a flag: who owns it, its ticket and why it is held back is nothing for a browser.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec
from starlette.requests import Request as Call
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from davy.flags.details import Details, ErrorCode, Json, Reason
from davy.flags.remote import Changed, Instance
from davy.flags.token import Edge, Token
from davy.serve import flag_tickets
from davy.serve.flag_counts import Counts
from davy.serve.flag_documents import Documents, Ready
from davy.serve.flag_door import RETRY_S, Door, Refusal
from davy.serve.flag_streams import EventStream, Stream, Streams

PATH = "/ofrep/v1/evaluate/flags"
STREAM = "/ofrep/v1/stream"
ARTIFACT = "davy-artifact"
"""The header in which a program of ours says which artifact it is: gates open whose canary it passed."""

INACTIVITY_S = 120
_LONGEST_KEY = 256
_LONGEST_TAG = 512

_REASONS = frozenset((Reason.STATIC, Reason.TARGETING_MATCH, Reason.SPLIT, Reason.DISABLED, Reason.UNKNOWN))
"""All that the protocol knows; strict clients refuse others, so those become `UNKNOWN`."""

_CODES = frozenset(
    (
        ErrorCode.PARSE_ERROR,
        ErrorCode.TARGETING_KEY_MISSING,
        ErrorCode.INVALID_CONTEXT,
        ErrorCode.GENERAL,
        ErrorCode.FLAG_NOT_FOUND,
    )
)
Answer = Mapping[str, Any]


@dataclass(slots=True)
class Ofrep:
    """Answers whoever evaluates flags here.

    Args:
        door: lets requests in.
        documents: has the flags.
        streams: tells who wants to know that something changed.
        counts: counts what is answered.
    """

    door: Door
    documents: Documents
    streams: Streams
    counts: Counts
    _encode: msgspec.json.Encoder = field(default_factory=msgspec.json.Encoder)

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        each = self.door.open("ofrep", self.evaluate, refused)
        every = self.door.open("ofrep-bulk", self.evaluate_all, refused)
        stream = self.door.open("ofrep-stream", self.listen, refused)
        return [
            Route(PATH, every, methods=["POST", "OPTIONS"]),
            Route(PATH + "/{key:path}", each, methods=["POST", "OPTIONS"]),
            Route(STREAM, stream, methods=["GET", "OPTIONS"]),
        ]

    async def evaluate(self, call: Call) -> Response:
        """Answer one flag."""
        token = self.door.holder(call)
        key, context = str(call.path_params["key"]), await self._context(call)
        artifact = _artifact(call, token)
        ready = await self.documents.ready(artifact)
        if key not in ready.shown or not token.sees(key, ready.shown[key]):
            raise Refusal(404, ErrorCode.FLAG_NOT_FOUND, f"there is no flag {key[:_LONGEST_KEY]}")
        details = ready.answer(key, context)
        service = token.services[0] if len(token.services) == 1 else token.name
        instance = Instance(f"ofrep/{token.name}/{artifact}", service, artifact)
        self.counts.evaluated(instance, key, details, ready.document.version)
        body = _answer(key, details, token.edge)
        status = 200 if "errorCode" not in body else 404 if body["errorCode"] == "FLAG_NOT_FOUND" else 400
        return self._told(body, ready, status)

    async def evaluate_all(self, call: Call) -> Response:
        """Answer all flags that a token sees, or that they are what the caller has already."""
        token = self.door.holder(call)
        for name in ("flagConfigEtag", "flagConfigLastModified"):
            if len(call.query_params.get(name, "")) > _LONGEST_TAG:
                raise Refusal(400, ErrorCode.GENERAL, f"{name} is longer than {_LONGEST_TAG} characters")
        context = await self._context(call)
        ready = await self.documents.ready(_artifact(call, token))
        answers = await self.documents.aside(lambda: _visible(ready, token, context))
        body = self._encode.encode(
            {
                "flags": [_answer(key, details, token.edge) for key, details in answers],
                "metadata": _set_metadata(ready, token.edge),
                "eventStreams": [self._stream(token)],
            }
        )
        tag = _tag(ready.document.digest, token.name, self._encode.encode(sorted(context.items())), body)
        if _matches(call.headers.get("if-none-match", ""), tag):
            return Response(None, 304, {"ETag": tag, **_version(ready)})
        self.counts.handed_out(answers)
        return Response(body, 200, {"ETag": tag, **_version(ready)}, media_type="application/json")

    async def listen(self, call: Call) -> Response:
        """Open a stream that says when it is time to ask again."""
        now = self.door.wall()
        shown = call.query_params.get("ticket", "")
        token = flag_tickets.holder(shown, self.door.tokens(), now) if shown else self.door.holder(call)
        if token is None:
            raise Refusal(401, "ticket", "this URL is not good any more: evaluate all flags for another")
        if shown:
            self.door.admit(call, token)
        if self.streams.full("ofrep", token.name):
            raise Refusal(503, "busy", "too many streams are open", {"Retry-After": str(RETRY_S)})
        name = token.name

        def write(changed: Changed) -> bytes:
            if changed.flags and not any(token.lists(key) for key in changed.flags):
                return b""
            told = {"type": "refetchEvaluation", "etag": _tag(changed.digest)}
            return f"id: {changed.version}\ndata: {self._encode.encode(told).decode()}\n\n".encode()

        def allowed() -> bool:
            return self.door.tokens().named(name, self.door.wall()) == token

        def begin(stream: Stream) -> None:
            """Have whoever comes ask again once: something may have changed since it evaluated."""
            document = self.documents.current()
            if call.headers.get("last-event-id", "") != str(document.version):
                stream.tell(Changed(document.version, document.digest))

        stream = Stream("ofrep", name, "", write, allowed)
        return EventStream(self.streams, stream, begin, head=call.method == "HEAD")

    async def _context(self, call: Call) -> Mapping[str, Json]:
        limits = self.door.limits
        return read_context(await self.door.body(call, limits.context_bytes), limits.depth, limits.members)

    def _stream(self, token: Token) -> Answer:
        where = f"{STREAM}?ticket={flag_tickets.ticket(token, self.door.wall())}"
        return {"type": "sse", "endpoint": {"requestUri": where}, "inactivityDelaySec": INACTIVITY_S}

    def _told(self, body: Answer, ready: Ready, status: int) -> Response:
        return Response(self._encode.encode(body), status, _version(ready), media_type="application/json")


def read_context(body: bytes, depth: int, members: int) -> Mapping[str, Json]:
    """Read the context of a request: `{"context": {"targetingKey": "…", …}}`.

    A context without a targeting key is evaluated as flagd evaluates it: a job that works for nobody in
    particular has to be able to see a kill switch, too.

    Raises:
        Refusal: it is none, or larger than one may be.
    """
    try:
        read = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, ErrorCode.PARSE_ERROR, f"the body is no JSON: {error}") from None
    context = read.get("context", {}) if isinstance(read, dict) else None
    if not isinstance(context, dict):
        raise Refusal(400, ErrorCode.INVALID_CONTEXT, 'the body has to be {"context": {…}}')
    if not isinstance(context.get("targetingKey", ""), str):
        raise Refusal(400, ErrorCode.INVALID_CONTEXT, "targetingKey has to be a text")
    level: list[Any] = [context]
    seen = 0
    for _ in range(depth):
        level = [inner for value in level for inner in _inner(value)]
        seen += len(level)
        if seen > members:
            raise Refusal(400, ErrorCode.INVALID_CONTEXT, f"a context has at most {members} values")
        if not level:
            return context
    raise Refusal(400, ErrorCode.INVALID_CONTEXT, f"a context is nested at most {depth} deep")


def refused(call: Call, refusal: Refusal) -> Response:
    """Write a refusal as the protocol has it: with a code where it knows some, with details everywhere."""
    body: dict[str, Any] = {"errorDetails": refusal.message}
    if refusal.code in _CODES:
        body = {"errorCode": refusal.code, **body}
        if "key" in call.path_params:
            body = {"key": str(call.path_params["key"])[:_LONGEST_KEY], **body}
    return Response(
        msgspec.json.encode(body), refusal.status, dict(refusal.headers), media_type="application/json"
    )


def _answer(key: str, details: Details, edge: Edge) -> Answer:
    """Write an evaluation; the value is left out where it is what the caller has in its code."""
    metadata = details.metadata if edge is Edge.SERVER else {}
    if details.error_code is not None:
        code = details.error_code if details.error_code in _CODES else ErrorCode.GENERAL
        told = details.error_message if edge is Edge.SERVER else "it cannot be evaluated"
        return {
            "key": key,
            "errorCode": code,
            "errorDetails": told,
            **({"metadata": metadata} if metadata else {}),
        }
    known = details.reason in _REASONS
    body: dict[str, Any] = {"key": key, "reason": details.reason if known else Reason.UNKNOWN}
    if details.variant is not None:
        body |= {"value": details.value, "variant": details.variant}
    if edge is Edge.SERVER and not known:
        metadata = {**metadata, "evaluationReason": details.reason}
    return {**body, "metadata": metadata} if metadata else body


def _visible(ready: Ready, token: Token, context: Mapping[str, Json]) -> list[tuple[str, Details]]:
    seen = sorted(key for key, metadata in ready.shown.items() if token.sees(key, metadata))
    return [(key, ready.answer(key, context)) for key in seen]


def _set_metadata(ready: Ready, edge: Edge) -> Answer:
    return {**(ready.flags.metadata if edge is Edge.SERVER else {}), "version": ready.document.version}


def _version(ready: Ready) -> dict[str, str]:
    return {"Davy-Flags-Version": str(ready.document.version)}


def _artifact(call: Call, token: Token) -> str:
    """Return which artifact asks; in the hands of a user it could be any that somebody likes."""
    return call.headers.get(ARTIFACT, "")[:_LONGEST_KEY] if token.edge is Edge.SERVER else ""


def _inner(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _tag(digest: str, *parts: str | bytes) -> str:
    """Return an ETag over a document and what was made of it for whom."""
    hashed = sha256(digest.encode())
    for part in parts:
        text = part.encode() if isinstance(part, str) else part
        hashed.update(len(text).to_bytes(8, "big") + text)
    return f'"{hashed.hexdigest()[:40]}"'


def _matches(shown: str, tag: str) -> bool:
    """Say whether a caller has what it would be sent (RFC 9110, 13.1.2)."""
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in shown.split(","))
