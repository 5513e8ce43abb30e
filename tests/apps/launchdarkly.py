"""A LaunchDarkly in miniature: its REST API v2 and its endpoints for SDKs, as they are documented, in memory.

Real SDKs connect to it (`Config(base_uri=…, stream_uri=…, events_uri=…)`), and a change by the REST API
reaches them by the stream. It knows one project, `shop`, with the environments `production` and `test`.
"""

import hmac
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN, SDK_KEY, PROJECT = "api-0123456789", "sdk-0123456789", "shop"
ENVIRONMENTS = ("production", "test")
SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"


@dataclass
class LaunchDarkly:
    """What is there; with `approvals` a patch waits for somebody, `broken` is the status of every answer."""

    flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    streams: list["queue.SimpleQueue[bytes | None]"] = field(default_factory=list)
    approvals: bool = False
    broken: int = 0
    now_ms: int = 1_772_445_000_000
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add(
        self, key: str, *, on: bool = False, description: str = "", variations: Any = (True, False)
    ) -> None:
        """Add a flag whose last variation is the one of off."""
        values = [{"value": value} for value in variations]
        where = {name: {"on": on and name == "production", "version": 1} for name in ENVIRONMENTS}
        self.flags[key] = {
            "key": key,
            "name": key,
            "description": description,
            "archived": False,
            "variations": values,
            "defaults": {"onVariation": 0, "offVariation": len(values) - 1},
            "environments": where,
            "_version": 1,
        }

    def toggle(self, key: str, *, on: bool, email: str = "", token: str = "", comment: str = "") -> None:
        """Turn a flag on or off in production, as somebody does by the pages or by the API."""
        with self.lock:
            where = self.flags[key]["environments"]["production"]
            if where["on"] == on:
                return
            where["on"] = on
            where["version"] += 1
            self._tell(key, "updateOn", f"turned {'on' if on else 'off'} the flag", email, token, comment)
            patch = {"path": f"/flags/{key}", "data": self.for_sdks(key)}
            for stream in self.streams:
                stream.put(b"event: patch\ndata: " + json.dumps(patch).encode() + b"\n\n")

    def webhook(self, number: int, secret: str) -> tuple[bytes, str]:
        """Return the body of the webhook for an entry of the log, and its `X-LD-Signature`."""
        body = json.dumps({**self.log[number], "currentVersion": {"kind": "flag"}}).encode()
        return body, hmac.new(secret.encode(), body, sha256).hexdigest()

    def for_sdks(self, key: str) -> dict[str, Any]:
        """Return a flag as SDKs evaluate it."""
        flag = self.flags[key]
        where = flag["environments"]["production"]
        return {
            "key": key,
            "version": where["version"],
            "on": where["on"],
            "prerequisites": [],
            "targets": [],
            "rules": [],
            "fallthrough": {"variation": flag["defaults"]["onVariation"]},
            "offVariation": flag["defaults"]["offVariation"],
            "variations": [each["value"] for each in flag["variations"]],
            "salt": "salt",
        }

    def _tell(self, key: str, action: str, verb: str, email: str, token: str, comment: str) -> None:
        self.now_ms += 1000
        resource = f"proj/{PROJECT}:env/production:flag/{key}"
        entry: dict[str, Any] = {
            "_id": f"{len(self.log) + 1:024x}",
            "_accountId": "57be1db38b75bf0772d11384",
            "date": self.now_ms,
            "accesses": [{"action": action, "resource": resource}],
            "kind": "flag",
            "name": key,
            "description": "",
            "comment": comment,
            "titleVerb": verb,
            "title": f"{email or token} {verb} {key} in Production",
            "target": {"name": key, "resources": [resource]},
        }
        entry |= {"member": {"email": email}} if email else {"token": {"name": token}}
        self.log.append(entry)


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    it: LaunchDarkly

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path, query = self._where()
        match path:
            case ["all"] if self._may(SDK_KEY):
                self._stream()
            case ["sdk", "latest-all"] if self._may(SDK_KEY):
                self._answer(200, self._all())
            case ["api", "v2", "flags", str(project)] if self._may(TOKEN):
                found = list(self.it.flags.values())
                offset, limit = int(query.get("offset", "0")), int(query.get("limit", "20"))
                page = [self._rest(flag, query) for flag in found[offset : offset + limit]]
                known = project == PROJECT
                self._answer(200 if known else 404, {"items": page, "totalCount": len(found)})
            case ["api", "v2", "flags", "shop", str(key)] if self._may(TOKEN):
                flag = self.it.flags.get(key)
                self._answer(200 if flag else 404, self._rest(flag, query) if flag else {})
            case ["api", "v2", "auditlog"] if self._may(TOKEN):
                after, before = int(query.get("after", "0")), int(query.get("before", "9" * 14))
                newest = [each for each in reversed(self.it.log) if after <= each["date"] < before]
                self._answer(200, {"items": newest[: min(20, int(query.get("limit", "10")))]})
            case _:
                self._refuse()

    def do_POST(self) -> None:
        path, _ = self._where()
        body = self._body()
        match path:
            case ["bulk"] | ["diagnostic"]:
                self.it.events.append(json.loads(body))
                self._answer(202, None)
            case ["api", "v2", "flags", "shop"] if self._may(TOKEN):
                new = json.loads(body)
                if new["key"] in self.it.flags:
                    self._answer(409, {"code": "optimistic_locking_error"})
                    return
                self.it.add(new["key"], description=new.get("description", ""))
                self.it.flags[new["key"]] |= {name: new[name] for name in ("variations", "defaults")}
                self._answer(201, self.it.flags[new["key"]])
            case _:
                self._refuse()

    def do_PATCH(self) -> None:
        path, _ = self._where()
        wanted = json.loads(self._body())
        known = path[:4] == ["api", "v2", "flags", PROJECT] and path[-1] in self.it.flags
        if not known or not self._may(TOKEN):
            self._refuse()
        elif self.headers["Content-Type"] != SEMANTIC:
            self._answer(400, {"message": "not a semantic patch"})
        elif self.it.approvals:
            self._answer(200, self.it.flags[path[-1]])  # it is asked for, and done when somebody agrees
        else:
            for each in wanted["instructions"]:
                self._instruct(path[-1], each, wanted.get("comment", ""))
            self._answer(200, self.it.flags[path[-1]])

    def _instruct(self, key: str, instruction: dict[str, Any], comment: str) -> None:
        match instruction:
            case {"kind": "turnFlagOff"}:
                self.it.toggle(key, on=False, token="davy", comment=comment)
            case {"kind": "turnFlagOn"}:
                self.it.toggle(key, on=True, token="davy", comment=comment)
            case {"kind": "updateDescription", "value": str(text)}:
                self.it.flags[key]["description"] = text

    def _stream(self) -> None:
        told: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        with self.it.lock:
            self.it.streams.append(told)
            first = {"path": "/", "data": self._all()}
        told_first = b"event: put\ndata: " + json.dumps(first).encode() + b"\n\n"
        try:
            self._chunk(told_first)
            while (event := told.get()) is not None:
                self._chunk(event)
        except OSError:
            return

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _all(self) -> dict[str, Any]:
        return {"flags": {key: self.it.for_sdks(key) for key in self.it.flags}, "segments": {}}

    def _rest(self, flag: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        only = query.get("env")
        where = {name: each for name, each in flag["environments"].items() if only in (None, name)}
        return {**flag, "environments": where}

    def _where(self) -> tuple[list[str], dict[str, str]]:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return [unquote(part) for part in parts.path.strip("/").split("/")], query

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _may(self, secret: str) -> bool:
        return self.headers.get("Authorization") == secret

    def _refuse(self) -> None:
        known = self.headers.get("Authorization") in (TOKEN, SDK_KEY)
        self._answer(404 if known else 401, {"message": f"no {self.headers.get('Authorization')}"})

    def _answer(self, status: int, body: Any) -> None:
        if self.it.broken:
            status, body = self.it.broken, f"\x07no {self.headers.get('Authorization')}"
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(it: LaunchDarkly) -> Iterator[str]:
    """Serve it on this machine, and say where."""
    handler = type("Handler", (_Answers,), {"it": it})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            for stream in it.streams:
                stream.put(None)
            server.shutdown()
            thread.join()
