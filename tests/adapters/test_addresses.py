"""Which addresses are asked: whatever a URL looks like, nobody is reached who was not allowed."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.listening import Listening, Reply, listening

from davy.adapters.addresses import Addresses, BadEntry, Entry, read_entries
from davy.adapters.datadog import HOSTS
from davy.adapters.prometheus import HttpPrometheus
from davy.adapters.web import WebProvider
from davy.analysis.provider import Asking, ProviderError
from davy.model.providers import MetricProvider, PrometheusMetric, WebMetric

PORT = "{port}"
LOOPBACK = (
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://[::]:{port}/",
    "http://[::1]:{port}/",
    "http://good.example@127.0.0.1:{port}/",
    "http://good.example:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@good.example/",
    "http://127.0.0.1:{port}?@good.example/",
    "http://127.0.0.1:{port}\\@good.example/",
    "http://good.example\\@127.0.0.1:{port}/",
    "http://good.example%2f@127.0.0.1:{port}/",
    "http://127.0.0.1%2f.good.example:{port}/",
    "http://127.0.0.1:{port}/%2e%2e/good.example",
    "http:\\\\127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1 :{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: good.example",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
)
ALWAYS_REFUSED = (
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://169.254.170.2/v2/credentials",
    "http://224.0.0.1/",
    "http://[ff02::1]/",
    "http://0.0.0.0/",
    "http://0.1.2.3/",
    "http://[::]/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
)


@pytest.fixture
def server() -> Iterator[Listening]:
    with listening(lambda _: Reply(200, b"1")) as found:
        yield found


def ask(url: str, addresses: Addresses) -> object:
    question = MetricProvider(web=WebMetric(url=url, timeout_seconds=1))
    return WebProvider(addresses).measure(question, now=1.0, asking=Asking()).result


def allowing(directory: Path, *lines: str) -> Addresses:
    (directory / "list").write_text("\n".join(lines))
    return Addresses(directory / "list")


@pytest.mark.parametrize("url", LOOPBACK)
def test_a_listener_that_nobody_allowed_sees_nobody(url: str, server: Listening, tmp_path: Path) -> None:
    allowed = allowing(tmp_path, "good.example", "8.8.8.0/24", f"127.0.0.1:{server.server_port + 1}")
    with pytest.raises(ProviderError):
        ask(url.format(port=server.server_port), allowed)
    assert server.asked == []


@pytest.mark.parametrize("url", ALWAYS_REFUSED)
def test_some_are_never_asked_whoever_allows_them(url: str, tmp_path: Path) -> None:
    everything = allowing(tmp_path, "0.0.0.0/0", "::/0", "fe80::/10", "169.254.169.254")
    for addresses in (everything, Addresses(everything=True)):
        with pytest.raises(ProviderError, match="is not asked"):
            ask(url, addresses)
    question = MetricProvider(prometheus=PrometheusMetric(address=url, query="up"))
    with pytest.raises(ProviderError, match="is not asked"):
        HttpPrometheus().measure(question, now=1.0)


@pytest.mark.parametrize("line", ["127.0.0.1:{port}", "127.0.0.0/8", "127.0.0.1", "127.0.0.1:{port} # ours"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "localhost", "[::ffff:127.0.0.1]"])
def test_an_address_that_is_allowed_is_asked_however_it_is_written(
    line: str, host: str, server: Listening, tmp_path: Path
) -> None:
    allowed = allowing(tmp_path, "# a comment", "", line.format(port=server.server_port), "::1")
    assert ask(f"http://{host}:{server.server_port}/", allowed) == 1.0


def test_a_refusal_has_the_line_that_allows_it(tmp_path: Path) -> None:
    message = (
        r"127\.0\.0\.1:8080 \(127\.0\.0\.1, which is no public address\) is not on the list .* add the line "
    )
    with pytest.raises(ProviderError, match=message + r"127\.0\.0\.1:8080 to allowed-addresses"):
        ask("http://127.0.0.1:8080/", Addresses(tmp_path / "no list"))
    with pytest.raises(ProviderError, match=r"add the line \[::1\]:80 to"):
        ask("http://[::1]/", Addresses())
    with pytest.raises(ProviderError, match=r"api\.example:443 is not on the list .* line api\.example:443 to"):
        Addresses().admit("api.example", 443, ["8.8.8.8"])


def test_a_name_that_is_allowed_stands_for_its_public_addresses_only(tmp_path: Path) -> None:
    allowed = allowing(tmp_path, "API.Example.:443")
    allowed.admit("api.example", 443, ["8.8.8.8", "2606:4700::1111"])
    allowed.admit("api.example.", 443, ["8.8.8.8"])
    for host, port, found in (
        ("api.example", 443, "10.0.0.1"),
        ("api.example", 443, "127.0.0.1"),
        ("api.example", 443, "192.168.1.1"),
        ("api.example", 443, "100.64.0.1"),
        ("api.example", 443, "fc00::1"),
        ("api.example", 80, "8.8.8.8"),
        ("api.example.evil", 443, "8.8.8.8"),
        ("xapi.example", 443, "8.8.8.8"),
    ):
        with pytest.raises(ProviderError, match="is not on the list"):
            allowed.admit(host, port, [found])
    with pytest.raises(ProviderError, match="is not on the list"):
        allowed.admit("api.example", 443, ["8.8.8.8", "10.0.0.1"])
    allowing(tmp_path, "api.example", "10.0.0.0/8").admit("api.example", 443, ["8.8.8.8", "10.0.0.1"])


class Rebinding:
    """A resolver that answers otherwise each time it is asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int, **options: Any) -> Any:
        if options.get("flags"):
            raise socket.gaierror
        self.asked += 1
        address = self.answers[min(self.asked, len(self.answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


def test_the_address_that_was_checked_is_the_one_that_is_asked(
    server: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebinding = Rebinding("127.0.0.1", "127.0.0.2")
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = f"http://rebinding.example:{server.server_port}/"
    allowed = allowing(tmp_path, "rebinding.example", "127.0.0.1")
    assert ask(url, allowed) == 1.0
    assert rebinding.asked == 1
    assert server.asked[0].headers["Host"] == f"rebinding.example:{server.server_port}"
    with pytest.raises(ProviderError, match=r"127\.0\.0\.2, which is no public address"):
        ask(url, allowed)
    assert len(server.asked) == 1


def test_a_name_that_leads_inside_is_not_asked(
    server: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Rebinding("127.0.0.1"))
    with pytest.raises(ProviderError, match="is not on the list"):
        ask(f"http://inside.example:{server.server_port}/", allowing(tmp_path, "inside.example"))
    assert server.asked == []


def test_a_redirect_leads_nowhere(server: Listening, tmp_path: Path) -> None:
    moved = {"Location": f"{server.address}/secret"}
    allowed = allowing(tmp_path, "127.0.0.0/8")
    with (
        listening(lambda _: Reply(307, headers=moved)) as first,
        pytest.raises(ProviderError, match="redirects are not followed"),
    ):
        ask(first.address, allowed)
    assert server.asked == []


def test_a_list_that_cannot_be_read_allows_nothing(tmp_path: Path) -> None:
    for text in (
        "10.0.0.1/8",
        "http://api.example",
        "api.example:0",
        "api.example:x",
        "*.example",
        "[::1",
        "1.2.3",
    ):
        with pytest.raises(BadEntry, match=r"neither|no port"):
            read_entries(text)
        with pytest.raises(ProviderError, match="allowed-addresses in the state directory"):
            allowing(tmp_path, "8.8.8.8", text).admit("dns.example", 53, ["8.8.8.8"])
    with pytest.raises(ProviderError, match="cannot be read"):
        Addresses(tmp_path).admit("dns.example", 53, ["8.8.8.8"])
    assert Entry.read("[::1]").port is None


def test_the_hosts_of_a_vendor_are_asked_over_tls_only(tmp_path: Path) -> None:
    vendor = Addresses(tmp_path / "no list").with_vendors(HOSTS)
    vendor.admit("api.datadoghq.eu", 443, ["8.8.8.8"])
    with pytest.raises(ProviderError, match="is not on the list"):
        vendor.admit("api.datadoghq.eu", 80, ["8.8.8.8"])
