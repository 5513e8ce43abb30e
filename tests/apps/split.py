"""A Split (Harness FME) in miniature: as much of its admin API v2 as is documented of flags, in memory."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN, WORKSPACE = "admin-0123456789", "ws-1"


@dataclass
class Split:
    """What is there: descriptions, and definitions in `production`."""

    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    approvals: bool = False
    now_ms: int = 1_772_445_000_000

    def add(self, name: str, *, on: bool = False, description: str = "") -> None:
        """Add a flag, and where it is on a definition of it."""
        self.splits[name] = {"name": name, "description": description}
        if on:
            self.now_ms += 1000
            self.definitions[name] = {"name": name, "killed": False, "lastUpdateTime": self.now_ms}

    def set_killed(self, name: str, *, killed: bool) -> None:
        """Kill a flag, or restore it."""
        if not self.approvals and name in self.definitions and self.definitions[name]["killed"] != killed:
            self.now_ms += 1000
            self.definitions[name] |= {"killed": killed, "lastUpdateTime": self.now_ms}


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    it: Split

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def do_PUT(self) -> None:
        self._handle("PUT")

    def _handle(self, method: str) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = [unquote(part) for part in parts.path.strip("/").split("/")]
        length = int(self.headers.get("Content-Length", "0"))
        body: Any = json.loads(self.rfile.read(length)) if length else None
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"message": f"no {self.headers.get('Authorization')}"})
            return
        if path[:6] != ["internal", "api", "v2", "splits", "ws", WORKSPACE]:
            self._answer(404, {"message": "no such workspace"})
            return
        match method, path[6:]:
            case "GET", []:
                self._answer(200, self._page(list(self.it.splits.values()), query))
            case "GET", ["environments", "production"]:
                self._answer(200, self._page(list(self.it.definitions.values()), query))
            case "POST", ["trafficTypes", "user"] if body["name"] not in self.it.splits:
                self.it.add(body["name"], description=body["description"])
                self._answer(200, self.it.splits[body["name"]])
            case "PUT", [str(name), "updateDescription"] if name in self.it.splits:
                self.it.splits[name]["description"] = body
                self._answer(200, self.it.splits[name])
            case "PUT", [str(name), "environments", "production", "kill"] if name in self.it.splits:
                self.it.comments.append(body["comment"])
                self.it.set_killed(name, killed=True)
                self._answer(200, self.it.definitions.get(name, {}))
            case _:
                self._answer(404, {"message": "there is nothing"})

    def _page(self, found: list[Any], query: dict[str, str]) -> dict[str, Any]:
        offset, limit = int(query.get("offset", "0")), min(50, int(query.get("limit", "20")))
        page = found[offset : offset + limit]
        return {"objects": page, "offset": offset, "limit": limit, "totalCount": len(found)}

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(it: Split) -> Iterator[str]:
    """Serve it on this machine, and say where."""
    handler = type("Handler", (_Answers,), {"it": it})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
