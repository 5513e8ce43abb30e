"""Every provider that asks a server, against one that answers as the vendor's documentation says."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import nan
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.listening import Asked, Listening, Reply, json_reply, listening

from davy.adapters.addresses import Addresses
from davy.adapters.datadog import DatadogProvider
from davy.adapters.honeycomb import HoneycombProvider
from davy.adapters.secret_files import SecretFiles
from davy.adapters.sentry import SentryProvider
from davy.adapters.web import WebProvider
from davy.analysis.provider import Answer, Asking, Judged, Provider, ProviderError
from davy.model.providers import (
    Authentication,
    DatadogMetric,
    Header,
    MetricProvider,
    OAuth2Config,
    SecretRef,
    WebMetric,
)
from davy.testing.provider import Expected
from davy.testing.vendor import VendorContract

CANARY = 'c4nary"token/+='
"""The secret; with characters in it that URLs, JSON and Base64 spell otherwise."""

TROUBLES: dict[str, Reply] = {
    "broken": Reply(500, f"internal: you sent {CANARY}".encode()),
    "unauthorised": Reply(401, json.dumps({"errors": [CANARY]}).encode()),
    "forbidden": Reply(403),
    "too many": Reply(429, headers={"Retry-After": "17"}),
    "elsewhere": Reply(302, headers={"Location": "http://169.254.169.254/latest"}),
    "slow": Reply(wait=True),
    "garbage": Reply(200, b'{"' + CANARY.encode()),
}


class Site:
    """A server, the list that allows it, and the secrets that sign in there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.replies: dict[str, Any] = {}

    def keep(self, name: str, key: str, value: str, namespace: str = "default") -> None:
        place = self.directory / "secrets" / namespace / name / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{value}\n")
        place.chmod(0o600)

    def allow(self, *lines: str) -> None:
        (self.directory / "allowed-addresses").write_text("\n".join(lines))

    @property
    def addresses(self) -> Addresses:
        return Addresses(self.directory / "allowed-addresses")

    @property
    def secrets(self) -> SecretFiles:
        return SecretFiles(self.directory / "secrets")

    def asking(self) -> Asking:
        return Asking("test", "default", self.secrets)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class OverHttp(VendorContract):
    """What the contracts of all vendors have in common: one server, told apart by the text of a question."""

    secrets = (CANARY, json.dumps(CANARY)[1:-1], CANARY[:6])
    server: Listening
    site: Site

    @pytest.fixture(autouse=True)
    def _serve(self, site: Site) -> Iterator[None]:
        self.site, self.source = site, site.secrets
        with listening(self.answer) as self.server:
            site.allow(f"127.0.0.1:{self.server.server_port}  # the test's own")
            self.sign_up()
            yield

    def sign_up(self) -> None:
        """Keep the secrets that sign in."""
        raise NotImplementedError

    def reply(self, asked: Asked, wanted: str) -> Reply:
        """Answer a question whose text is `wanted`."""
        raise NotImplementedError

    def wanted(self, asked: Asked) -> str:
        """Find the text of a question."""
        raise NotImplementedError

    def answer(self, asked: Asked) -> Reply:
        wanted = self.wanted(asked)
        return TROUBLES[wanted] if wanted in TROUBLES else self.reply(asked, wanted)

    def question(self, text: str, **fields: Any) -> MetricProvider:
        """Make a question of a text."""
        raise NotImplementedError

    def situations(self) -> Mapping[str, MetricProvider]:
        return {
            **{name: self.question(name) for name in TROUBLES if name != "slow"},
            "empty": self.question("empty"),
            "slow": self.question("slow", slow=True),
            "not allowed": self.question("x", elsewhere=True),
            "not for us": MetricProvider(),
        }


WEB: dict[str, tuple[bytes, str, object, str]] = {
    "a number": (b"0.25", "", 0.25, "0.25"),
    "a whole number": (b"3", "{$}", 3.0, "3"),
    "a member": (b'{"data": {"ok": true, "n": [1, 2]}}', "{$.data.ok}", True, "true"),
    "the first of several": (b'{"items": [{"n": 1}, {"n": 2}]}', "{.items[*].n}", 1.0, "1"),
    "a filter": (b'{"items": [{"k": "a", "n": 1}, {"k": "b", "n": 2}]}', '{.items[?(@.k=="b")].n}', 2.0, "2"),
    "an object": (b'{"b": 1e-7, "a": ["<"]}', "", {"a": ["<"], "b": 1e-7}, '{"a":["\\u003c"],"b":1e-7}'),
    "an empty object": (b"{}", "", {}, "{}"),
    "a text in JSON": (b'"fine"', "", "fine", '"fine"'),
    "no JSON": (b"fine", "{$.data}", "fine", "fine"),
    "NaN, which JSON has not": (b"NaN", "", "NaN", "NaN"),
    "too large": (b"1e999", "", "1e999", "1e999"),
    "nothing": (b"", "", "", ""),
    "null": (b"null", "", None, "null"),
}  # fmt: skip


class TestWeb(OverHttp):
    credentials = "the metric's headers"
    empty = (None, "")

    def provider(self) -> Provider:
        return WebProvider(self.site.addresses)

    def sign_up(self) -> None:
        self.site.keep("api", "token", CANARY)

    def measured(self, provider: Provider, question: MetricProvider, name: str = "") -> Answer | Judged:
        asking = Asking(name, "default", self.source)
        asking.secret("api", "token")  # as the engine does for an argument in the header
        return asking.cover(provider.measure(question, now=self.now, asking=asking))

    def wanted(self, asked: Asked) -> str:
        return asked.fields["q"][0]

    def reply(self, asked: Asked, wanted: str) -> Reply:
        if wanted == "echo":
            return json_reply({"you sent": asked.headers["X-Token"]})
        return Reply(201, WEB[wanted][0] if wanted in WEB else b"null")

    def question(self, text: str, **fields: Any) -> MetricProvider:
        address = "http://127.0.0.2:1" if fields.get("elsewhere") else self.server.address
        url = f"{address}/?q={text.replace(' ', '%20')}"
        path = {**{name: row[1] for name, row in WEB.items()}, "garbage": "{.nowhere}"}.get(text, "")
        timeout = 1 if fields.get("slow") else 0
        return MetricProvider(web=WebMetric(url=url, json_path=path, timeout_seconds=timeout))

    def answers(self) -> Sequence[Expected]:
        return [Expected(name, self.question(name), result, text) for name, (_, _, result, text) in WEB.items()]

    def troubles(self) -> Mapping[str, MetricProvider]:
        # A body that is no JSON is a text to this provider, as to Argo.
        found = {name: question for name, question in super().troubles().items() if name != "garbage"}
        missing = MetricProvider(web=WebMetric(url=f"{self.server.address}/?q=null", json_path="{.a.b}"))
        user = MetricProvider(web=WebMetric(url=f"http://ada:{CANARY}@127.0.0.1/"))
        return {**found, "a path to nowhere": missing, "a user in the URL": user}


def ask_web(site: Site, metric: WebMetric) -> Answer:
    return WebProvider(site.addresses).measure(MetricProvider(web=metric), now=1.0, asking=site.asking())


@pytest.mark.parametrize(
    ("metric", "body", "kind"),
    [
        ({"method": "POST", "json_body": {"a": [1]}}, b'{"a": [1]}', "application/json"),
        ({"method": "PUT", "body": "a=1", "headers": (Header("content-type", "x/y"),)}, b"a=1", "x/y"),
    ],
)
def test_a_body_is_sent_as_it_was_written(site: Site, metric: dict[str, Any], body: bytes, kind: str) -> None:
    with listening(lambda asked: Reply(200, b"1")) as server:
        site.allow("127.0.0.0/8")
        ask_web(site, WebMetric(url=f"{server.address}/a%2e%2e/b?c=%20", **metric))
    [asked] = server.asked
    headers = {name.lower(): value for name, value in asked.headers.items()}
    assert (asked.method, asked.body, headers["content-type"]) == (metric["method"], body, kind)
    assert asked.path == "/a%2e%2e/b"


@pytest.mark.parametrize("in_form", [False, True])
def test_client_credentials_become_a_token_that_nobody_sees(site: Site, in_form: bool) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            if in_form and "Authorization" in asked.headers:
                return Reply(401)
            return json_reply({"access_token": "t0ken-of-the-hour", "token_type": "bearer"})
        return Reply(500, f"{asked.headers['Authorization']} is too old".encode())

    with listening(answer) as server:
        site.allow("127.0.0.0/8")
        config = OAuth2Config(f"{server.address}/token", "me", CANARY, ("read", "write"))
        metric = WebMetric(url=server.address, authentication=Authentication(oauth2=config))
        with pytest.raises(ProviderError, match=r"500: Bearer \*\*\* is too old"):
            ask_web(site, metric)
    assert len(server.asked) == 3 if in_form else 2
    last = server.asked[-2].body.decode()
    assert last.startswith("grant_type=client_credentials&scope=read+write")
    assert ("client_secret=c4nary%22token%2F%2B%3D" in last) is in_form


def _always(reply: Reply, _: Asked) -> Reply:
    return reply


def test_a_token_that_is_not_given_is_told_without_the_secret(site: Site) -> None:
    for reply in (Reply(400, CANARY.encode()), Reply(200, CANARY.encode()), json_reply({"access_token": 1})):
        with listening(partial(_always, reply)) as server:
            site.allow("127.0.0.0/8")
            config = OAuth2Config(server.address, "me", CANARY)
            with pytest.raises(ProviderError) as caught:
                ask_web(site, WebMetric(url="http://127.0.0.1:1", authentication=Authentication(oauth2=config)))
        assert CANARY not in caught.value.message
    config = OAuth2Config("http://127.0.0.1:1", "me")
    with pytest.raises(ProviderError, match="no client_secret"):
        ask_web(site, WebMetric(url="http://127.0.0.1:1", authentication=Authentication(oauth2=config)))


V1: dict[str, tuple[object, object, str]] = {
    "a point": ({"series": [{"pointlist": [[1, 7], [2, 0.02]]}, {"pointlist": [[1, 9]]}]}, 0.02, "0.02"),
    "no series": ({"series": []}, None, "[]"),
    "no point": ({"series": [{"pointlist": []}]}, None, '[{"pointlist":[]}]'),
    "a point without value": ({"series": [{"pointlist": [[1, 3], [2, None]]}]}, None, "null"),
    "empty": ({"series": []}, None, "[]"),
}
V2: dict[str, tuple[object, object, str]] = {
    "a number": ([{"type": "number", "values": [0.5]}], 0.5, "0.5"),
    "groups": (
        [{"type": "group", "values": [["a"], ["b"]]}, {"type": "number", "values": [1, None]}],
        (1.0, nan),
        "[1,NaN]",
    ),
    "no column": ([], None, "[]"),
    "no value": ([{"type": "number", "values": []}], None, "[]"),
    "a value that is not there": ([{"type": "number", "values": [None]}], None, "null"),
    "empty": ([], None, "[]"),
}


class Datadog(OverHttp):
    credentials = "api-key and app-key of the secret default/dd"

    def provider(self) -> Provider:
        return DatadogProvider(self.site.addresses, wall=lambda: 1000.0)

    def sign_up(self) -> None:
        for name in ("dd", "elsewhere"):
            self.site.keep(name, "api-key", CANARY)
            self.site.keep(name, "app-key", "0th3r-canary")
        self.site.keep("dd", "address", f"{self.server.address}/")
        self.site.keep("elsewhere", "address", "http://127.0.0.2:1")

    def fields(self, more: Mapping[str, Any]) -> dict[str, Any]:
        timeout = {"request_timeout": "100ms"} if more.get("slow") else {}
        name = "elsewhere" if more.get("elsewhere") else "dd"
        return {"secret_ref": SecretRef(name, namespaced=True), **timeout}


class TestDatadog1(Datadog):
    def wanted(self, asked: Asked) -> str:
        assert asked.headers["DD-API-KEY"] == CANARY
        assert asked.headers["DD-APPLICATION-KEY"] == "0th3r-canary"
        assert (asked.fields["from"], asked.fields["to"]) == (["700"], ["1000"])
        return asked.fields["query"][0]

    def reply(self, asked: Asked, wanted: str) -> Reply:
        if wanted == "refused":
            return json_reply({"status": "error", "error": f"cannot parse {CANARY}"})
        return json_reply(V1[wanted][0] if wanted in V1 else {"series": [{"pointlist": [[1, "2"]]}]})

    def question(self, text: str, **fields: Any) -> MetricProvider:
        return MetricProvider(datadog=DatadogMetric(query=text, **self.fields(fields)))

    def answers(self) -> Sequence[Expected]:
        return [Expected(name, self.question(name), result, text) for name, (_, result, text) in V1.items()]

    def troubles(self) -> Mapping[str, MetricProvider]:
        more = {name: self.question(name) for name in ("refused", "a text")}
        return {**super().troubles(), **more}


class TestDatadog2(Datadog):
    def wanted(self, asked: Asked) -> str:
        assert asked.path == "/api/v2/query/scalar"
        attributes = asked.json["data"]["attributes"]
        assert (attributes["from"], attributes["to"]) == (940_000, 1_000_000)
        wanted: str = attributes["queries"][0]["query"]
        return wanted

    def reply(self, asked: Asked, wanted: str) -> Reply:
        if wanted == "refused":
            return json_reply({"errors": f"cannot parse {CANARY}"})
        columns = V2[wanted][0] if wanted in V2 else [{"type": "number", "values": ["x"]}]
        return json_reply({"data": {"attributes": {"columns": columns}}})

    def question(self, text: str, **fields: Any) -> MetricProvider:
        more = self.fields(fields)
        return MetricProvider(datadog=DatadogMetric(query=text, api_version="v2", interval="1m", **more))

    def answers(self) -> Sequence[Expected]:
        return [Expected(name, self.question(name), result, text) for name, (_, result, text) in V2.items()]

    def troubles(self) -> Mapping[str, MetricProvider]:
        more = {name: self.question(name) for name in ("refused", "a text")}
        return {**super().troubles(), **more}


def test_several_queries_and_a_formula_are_asked_together(site: Site) -> None:
    with listening(lambda _: json_reply({"data": {"attributes": {"columns": []}}})) as server:
        site.allow("127.0.0.0/8")
        for key in ("api-key", "app-key"):
            site.keep("datadog", key, CANARY, namespace="argo-rollouts")
        site.keep("datadog", "address", server.address, namespace="argo-rollouts")
        metric = DatadogMetric(
            queries={"a": "sum:x{*}", "b": "sum:y{*}"}, formula="a / b", api_version="v2", aggregator="sum"
        )
        provider = DatadogProvider(site.addresses)
        provider.measure(MetricProvider(datadog=metric), now=1.0, asking=site.asking())
    attributes = server.asked[0].json["data"]["attributes"]
    assert attributes["formulas"] == [{"formula": "a / b"}]
    assert [(each["name"], each["query"], each["aggregator"]) for each in attributes["queries"]] == [
        ("a", "sum:x{*}", "sum"),
        ("b", "sum:y{*}", "sum"),
    ]


class TestHoneycomb(OverHttp):
    credentials = "api-key of the secret default/hc"
    found: Mapping[str, tuple[object, object, str]] = {
        "a row": ([{"data": {"P95(ms)": 120.5}}], 120.5, "120.5"),
        "rows": ([{"data": {"P95(ms)": n, "host": f"h{n}"}} for n in (1, 2)], (1.0, 2.0), "[1,2]"),
        "one of two": ([{"data": {"P95(ms)": 1, "COUNT": 7}}], 7.0, "7"),
        "empty": ([], None, "null"),
    }  # fmt: skip

    def provider(self) -> Provider:
        return HoneycombProvider(self.site.addresses, pause=lambda _: None)

    def sign_up(self) -> None:
        for name, address in {"hc": self.server.address, "elsewhere": "http://127.0.0.2:1"}.items():
            self.site.keep(name, "api-key", CANARY)
            self.site.keep(name, "address", address)
        self.looks = 0

    def wanted(self, asked: Asked) -> str:
        assert asked.headers["X-Honeycomb-Team"] == CANARY
        if asked.path == "/1/queries/shop":
            wanted: str = asked.json["name"]
            return wanted
        return ""

    def reply(self, asked: Asked, wanted: str) -> Reply:
        if wanted:
            return json_reply({"id": wanted.replace(" ", "-")})
        if asked.method == "POST":
            return json_reply({"id": f"r-{asked.json['query_id']}", "complete": False}, 201)
        self.looks += 1
        if self.looks % 2:
            return json_reply({"id": "r", "complete": False})
        name = asked.path.rpartition("/r-")[2].replace("-", " ")
        rows = self.found[name][0] if name in self.found else [{"data": {"P95(ms)": None}}]
        return json_reply({"id": "r", "complete": True, "data": {"results": rows}})

    def question(self, text: str, **fields: Any) -> MetricProvider:
        query: dict[str, Any] = {
            "name": text,
            "calculations": [{"op": "P95", "column": "ms"}],
            "time_range": 60,
        }
        if text == "rows":
            query["breakdowns"] = ["host"]
        config = {
            "dataset": "shop",
            "query": query,
            "secretRef": {"name": "elsewhere" if fields.get("elsewhere") else "hc"},
            "timeout": "100ms" if fields.get("slow") else "",
            "result": "COUNT" if text == "one of two" else "",
        }
        return MetricProvider(plugin={"davy.dev/honeycomb": config})

    def answers(self) -> Sequence[Expected]:
        return [
            Expected(name, self.question(name), result, text) for name, (_, result, text) in self.found.items()
        ]

    def troubles(self) -> Mapping[str, MetricProvider]:
        return {
            **super().troubles(),
            "no number": self.question("no number"),
            "no fields": MetricProvider(plugin={"davy.dev/honeycomb": {}}),
        }

    def test_several_may_ask_at_once(self) -> None:
        """The stub counts looks; who asks at once is tested with the other providers."""


def totals(sessions: int, **rates: float | None) -> object:
    rated = {f"crash_free_rate({name})": rate for name, rate in rates.items()}
    return [{"by": {}, "totals": {"sum(session)": sessions, **rated}}]


class TestSentry(OverHttp):
    credentials = "token of the secret default/sentry"
    found: Mapping[str, tuple[str, object, object, str]] = {
        "healthy": ("crash-free-sessions", totals(50, session=0.99), 0.99, "0.99"),
        "users": ("crash-free-users", totals(50, user=1), 1.0, "1"),
        "sessions": ("sessions", totals(0), 0.0, "0"),
        "nobody": ("crash-free-sessions", totals(0, session=1), None, "null"),
        "unknown": ("crash-free-sessions", totals(5, session=None), None, "null"),
        "empty": ("crash-free-sessions", [], None, "null"),
        "errors": ("errors", [{"count()": 3}], 3.0, "3"),
        "no rows": ("errors", [], None, "null"),
    }  # fmt: skip

    def provider(self) -> Provider:
        return SentryProvider(self.site.addresses)

    def sign_up(self) -> None:
        for name, address in {"sentry": self.server.address, "elsewhere": "http://127.0.0.2:1"}.items():
            self.site.keep(name, "token", CANARY)
            self.site.keep(name, "address", address)

    def wanted(self, asked: Asked) -> str:
        assert asked.headers["Authorization"] == f"Bearer {CANARY}"
        assert asked.path.startswith("/api/0/organizations/acme/")
        assert asked.fields["statsPeriod"] == ["10m"]
        assert asked.fields["project"] == ["1", "2"]
        return asked.fields["query"][0].partition('"')[2].partition('"')[0]

    def reply(self, asked: Asked, wanted: str) -> Reply:
        metric, rows, *_ = self.found.get(wanted, ("sessions", [{"totals": {}}]))
        if metric == "errors":
            assert asked.fields["query"] == [f'release:"{wanted}" level:fatal']
            return json_reply({"data": rows})
        return json_reply({"groups": rows})

    def question(self, text: str, **fields: Any) -> MetricProvider:
        metric = self.found[text][0] if text in self.found else "crash-free-sessions"
        config = {
            "organization": "acme",
            "projects": ["1", "2"],
            "environment": "production",
            "release": text,
            "metric": metric,
            "window": "10m",
            "query": "level:fatal" if metric == "errors" else "",
            "timeout": "100ms" if fields.get("slow") else "",
            "secretRef": {"name": "elsewhere" if fields.get("elsewhere") else "sentry"},
        }
        return MetricProvider(plugin={"davy.dev/sentry": config})

    def answers(self) -> Sequence[Expected]:
        return [
            Expected(name, self.question(name), result, text)
            for name, (_, _, result, text) in self.found.items()
        ]

    def troubles(self) -> Mapping[str, MetricProvider]:
        return {**super().troubles(), "no totals": self.question("no totals"), "a quote": self.question('"')}


@pytest.mark.parametrize("made", [DatadogProvider, HoneycombProvider, SentryProvider])
def test_nobody_else_lives_at_another_speed(made: Any, site: Site) -> None:
    sentry = {"organization": "a", "metric": "errors", "window": "1m", "secretRef": {"name": "s"}}
    honeycomb = {"dataset": "d", "query": {}, "secretRef": {"name": "s"}}
    plugin = {"davy.dev/sentry": sentry, "davy.dev/honeycomb": honeycomb}
    question = MetricProvider(datadog=DatadogMetric(query="x"), plugin=plugin)
    with pytest.raises(ProviderError, match=r"runs at speed 20, and .* lives at 1"):
        made(site.addresses, speed=20.0).measure(question, now=1.0, asking=site.asking())


def test_a_secret_that_is_not_there_is_told_with_the_file_to_make(site: Site) -> None:
    with pytest.raises(
        ProviderError, match=r"make the file secrets/argo-rollouts/datadog/api-key in the state"
    ):
        DatadogProvider(site.addresses).measure(
            MetricProvider(datadog=DatadogMetric(query="x")), now=1.0, asking=site.asking()
        )


def test_a_point_without_a_value_is_no_data_and_not_zero(site: Site) -> None:
    reply = json_reply({"series": [{"pointlist": [[1, 5], [2, None]]}]})
    with listening(partial(_always, reply)) as server:
        site.allow("127.0.0.0/8")
        for key, value in {"api-key": CANARY, "app-key": CANARY, "address": server.address}.items():
            site.keep("datadog", key, value)
        metric = DatadogMetric(query="x", secret_ref=SecretRef("datadog", namespaced=True))
        asking = site.asking()
        found = DatadogProvider(site.addresses).measure(MetricProvider(datadog=metric), now=1.0, asking=asking)
    assert found.result is None


def test_the_first_value_at_the_path_counts_and_no_json_is_a_text(site: Site) -> None:
    for body, result in ((b'{"items": [{"n": 1}, {"n": 2}]}', 1.0), (b"fine", "fine")):
        with listening(partial(_always, Reply(200, body))) as server:
            site.allow("127.0.0.0/8")
            assert ask_web(site, WebMetric(url=server.address, json_path="{.items[*].n}")).result == result
