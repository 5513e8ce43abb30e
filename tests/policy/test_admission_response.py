"""Decisions as an API server reads them, in Gatekeeper's form."""

import json

from hypothesis import given
from hypothesis import strategies as st

from davy.policy.admission_response import LONGEST_MESSAGE, Edition, answer, encoded, passed, refused
from davy.policy.decision import Decision, Excused
from davy.policy.engine import Violation
from davy.policy.waivers import Waiver

EDITION = Edition(7, "f00d")
WAIVER = Waiver(
    id="w-7f3a21",
    rule="PD022",
    kind="Rollout",
    namespace="prod",
    name="payments",
    digest="sha256:0",
    reason="a fix",
    ticket="OPS-1",
    requester="alice",
    requested_at=0.0,
    expires_at=100.0,
)


def test_every_denial_is_a_line_of_the_message() -> None:
    decision = Decision(
        (Violation("no-deployments", "R1", "use a Rollout"), Violation("digests", "R2", "pin the image"))
    )
    assert answer("u", decision, EDITION) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "u",
            "allowed": False,
            "status": {
                "reason": "Forbidden",
                "code": 403,
                "message": "[no-deployments] use a Rollout\n[digests] pin the image",
            },
            "auditAnnotations": {"generation": "7", "digest": "f00d"},
        },
    }


def test_nothing_wrong_is_200() -> None:
    response = answer("u", Decision(), EDITION)["response"]
    assert (response["allowed"], response["status"], "warnings" in response) == (True, {"code": 200}, False)


def test_a_warning_is_allowed_with_299_and_one_line() -> None:
    response = answer("u", Decision((Violation("slow", "R", "a\n\x00 b", "warn"),)), EDITION)["response"]
    assert (response["allowed"], response["status"]) == (True, {"code": 299})
    assert response["warnings"] == ["[slow] a b"]


def test_a_dry_run_of_a_policy_is_only_for_the_audit_log() -> None:
    response = answer("u", Decision((Violation("new", "R", "hm", "dryrun"),)), EDITION)["response"]
    assert (response["status"], "warnings" in response) == ({"code": 200}, False)
    assert response["auditAnnotations"]["dryrun"] == "[new] hm"


def test_what_is_waived_stays_visible_with_the_time_that_is_left() -> None:
    excused = Excused(Violation("first-step", "PD022", "60 % at once"), WAIVER, 3 * 86400.0)
    response = answer("u", Decision((), (excused,), ("w-1 ends soon",)), EDITION)["response"]
    assert response["status"] == {"code": 299}
    assert response["warnings"][0].startswith("[first-step] 60 % at once")
    assert "w-7f3a21" in response["warnings"][0]
    assert "3 days" in response["warnings"][0]
    assert response["warnings"][1] == "w-1 ends soon"
    assert response["auditAnnotations"]["waivers"] == "w-7f3a21"


def test_what_could_not_be_judged_is_denied() -> None:
    response = refused("u", "no")["response"]
    assert response == {
        "uid": "u",
        "allowed": False,
        "status": {"reason": "Forbidden", "code": 403, "message": "[davy] no"},
    }


def test_the_audit_log_says_why_something_passed() -> None:
    response = passed("u", "abort", EDITION)["response"]
    assert (response["allowed"], response["auditAnnotations"]["passed"]) == (True, "abort")


@given(st.lists(st.text(max_size=9000), min_size=1, max_size=12))
def test_a_message_is_bounded_however_much_policies_say(messages: list[str]) -> None:
    decision = Decision(tuple(Violation("p", "R", message) for message in messages))
    message = answer("u", decision, EDITION)["response"]["status"]["message"]
    assert len(message) <= LONGEST_MESSAGE + 30
    if len("".join(messages)) < LONGEST_MESSAGE - 20 * len(messages):
        assert message == "\n".join(f"[p] {each}" for each in messages)


def test_what_does_not_fit_is_counted() -> None:
    decision = Decision(tuple(Violation("p", "R", "m" * 10_000) for _ in range(5)))
    message = answer("u", decision, EDITION)["response"]["status"]["message"]
    assert message.endswith("…\n… and 3 more")


def test_any_text_can_be_sent() -> None:
    review = refused("u", "\ud800 \x00 ❌")
    assert json.loads(encoded(review)) == review
    assert encoded(review).isascii()
