"""What holders of tokens try who want to be taken for others, or to be the only ones who are served."""

from typing import Any

from tests.serve.flagging import ANYBODY, CLIENT, SERVER, Serving, serving, shown, token

from davy.flags.token import Edge, Tokens
from davy.serve.flag_door import Limits

STREAM, OFREP_STREAM = "/flags/v1/stream", "/ofrep/v1/stream"
FOREIGN = token("search", Edge.SERVER, keys=("*",), services=("search",))


def acknowledge(server: Serving, who: Any, service: str, id_: str = "i-1") -> int:
    held = server.flags.document()
    instance = {"id": id_, "service": service, "artifact": ""}
    told = {"instance": instance, "version": held.version, "digest": held.digest}
    return server.ask("POST", "/flags/v1/acknowledgements", told, shown(who)).status


def test_nobody_acknowledges_for_the_instance_of_another_service() -> None:
    with serving() as server:
        server.known.tokens = Tokens([*server.known.tokens.all, FOREIGN])
        assert acknowledge(server, SERVER, "checkout") == 204
        assert acknowledge(server, FOREIGN, "search") == 403
        assert acknowledge(server, ANYBODY, "another") == 403
        assert server.flags.acknowledged["i-1"].instance.service == "checkout"


def test_nobody_is_taken_for_gone_because_another_one_hung_up_under_its_id() -> None:
    with serving() as server:
        server.known.tokens = Tokens([*server.known.tokens.all, FOREIGN])
        assert acknowledge(server, SERVER, "checkout") == 204
        refused = server.listen(f"{STREAM}?instance=i-1&service=search", FOREIGN)
        assert refused.answer.status == 403
        assert server.listen(f"{STREAM}?instance=i-1", FOREIGN).answer.status == 403
        assert server.listen(f"{STREAM}?instance=i-1", SERVER).answer.status == 200
        assert "i-1" in server.flags.acknowledged


def test_nobody_reports_what_this_server_evaluates_itself() -> None:
    with serving() as server:
        assert acknowledge(server, ANYBODY, "checkout", "ofrep/web/") == 403
        report = {
            "instance": {"id": "ofrep/web/", "service": "checkout"},
            "since": 1,
            "until": 2,
            "exposures": [],
        }
        assert server.ask("POST", "/flags/v1/exposures", report, shown(ANYBODY)).status == 403


def test_those_who_hold_the_token_of_a_page_keep_no_instance_from_listening() -> None:
    other = token("other", Edge.CLIENT, keys=("checkout.*",))
    with serving(Limits(streams=8)) as server:
        server.known.tokens = Tokens([*server.known.tokens.all, other])
        pages = [server.listen(OFREP_STREAM, CLIENT) for _ in range(5)]
        assert [page.answer.status for page in pages] == [200] * 4 + [503]
        others = [server.listen(OFREP_STREAM, other) for _ in range(3)]
        assert [page.answer.status for page in others] == [200] * 2 + [503]
        instances = [server.listen(f"{STREAM}?instance=i-{number}") for number in range(3)]
        assert [instance.answer.status for instance in instances] == [200] * 2 + [503]
        assert all("Retry-After" in each.answer.headers for each in (pages[4], others[2], instances[2]))


def test_counts_are_no_larger_than_anybody_counts() -> None:
    with serving() as server:
        row = {"flag": "checkout.discount", "variant": "on", "reason": "STATIC", "version": 1, "count": 2**60}
        report = {"instance": {"id": "i-1", "service": "checkout"}, "since": 1, "until": 2, "exposures": [row]}
        assert server.ask("POST", "/flags/v1/exposures", report, shown(SERVER)).status == 400
