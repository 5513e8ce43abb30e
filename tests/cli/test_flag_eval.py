"""`davy flag eval`: the answer, its reason, and the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

FLAGS = """
flags:
  pay.new:
    state: ENABLED
    variants: {"on": true, "off": false}
    defaultVariant: "off"
    targeting: {if: [{"==": [{var: plan}, pro]}, "on"]}
    metadata: {owner: payments, limit: 5}
  pay.limits: {state: ENABLED, variants: {a: {most: 5}, b: 7, c: 0.5, d: x}, defaultVariant: a}
  pay.off: {state: DISABLED, variants: {"on": true}}
  pay.split:
    {state: ENABLED, variants: {"on": true, "off": false}, targeting: {fractional: [["on"], ["off"]]}}
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flags.yaml").write_text(FLAGS)


def asked(run: Any, *words: str) -> Any:
    return run("flag", "eval", "-f", "flags.yaml", *words)


def test_an_answer_says_why(run: Any) -> None:
    ran = asked(run, "pay.new", "--context", '{"plan": "pro"}')
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == [
        "value      true",
        "variant    on",
        "reason     TARGETING_MATCH",
        "  limit    5",
        "  owner    payments",
    ]


def test_an_answer_is_data(run: Any) -> None:
    ran = asked(run, "pay.limits", "--type", "object", "-o", "json")
    told: dict[str, Any] = {
        "key": "pay.limits",
        "value": {"most": 5},
        "variant": "a",
        "reason": "STATIC",
        "metadata": {},
    }
    told |= {"error_code": None, "error_message": ""}
    assert (ran.exit_code, json.loads(ran.stdout)) == (0, told)


def test_an_error_is_an_answer_with_the_default_and_exits_3(run: Any) -> None:
    ran = asked(run, "pay.limits", "--type", "integer", "--default", "4", "-o", "json")
    told = json.loads(ran.stdout)
    assert (ran.exit_code, told["value"], told["error_code"]) == (3, 4, "TYPE_MISMATCH")
    assert asked(run, "pay.limits", "--type", "Object").exit_code == 0
    ran = asked(run, "nobody", "--type", "Float")
    assert ran.exit_code == 3
    assert ran.stdout.splitlines() == [
        "value      0.0",
        "reason     ERROR",
        "error      FLAG_NOT_FOUND: there is no flag `nobody`",
    ]


def test_a_flag_that_is_disabled_is_no_error(run: Any) -> None:
    ran = asked(run, "pay.off", "--default", "true")
    assert (ran.exit_code, ran.stdout.splitlines()) == (0, ["value      true", "reason     DISABLED"])


def test_who_is_asked_for_and_how_is_drawn_can_be_said(run: Any) -> None:
    drawn = [
        json.loads(
            asked(run, "pay.split", "--targeting-key", f"user-{at}", "--bucketing", by, "-o", "json").stdout
        )["value"]
        for by in ("v2", "v3")
        for at in range(12)
    ]
    assert drawn[:12] != drawn[12:]


def test_a_document_may_come_from_standard_input(run: Any) -> None:
    ran = run("flag", "eval", "pay.off", "-f", "-", stdin=FLAGS)
    assert ran.exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a", "--default", "5"), "--default 5: this is no boolean"),
        (("a", "--type", "integer", "--default", "x"), "--default x: this is no integer"),
        (("a", "--type", "object", "--default", "5"), "--default has to be an object or a list"),
        (("a", "--type", "object", "--default", "[" * 100_000), "--default: this is not JSON"),
        (("a", "--context", "{"), "--context: this is not JSON"),
        (("a", "-f", "nowhere.json"), "nowhere.json: cannot be read: No such file or directory"),
    ],
)
def test_what_makes_no_sense_exits_2(run: Any, words: tuple[str, ...], said: str) -> None:
    ran = asked(run, *words)
    assert ran.exit_code == 2
    assert said in ran.stderr


@pytest.mark.parametrize(("given", "value"), [("x", "x"), ('"x"', "x"), ('"', '"'), ('x"', 'x"'), ("", "")])
def test_a_string_is_given_as_it_is_or_as_in_json(run: Any, given: str, value: str) -> None:
    ran = asked(run, "a", "--type", "string", "--default", given, "-o", "json")
    assert json.loads(ran.stdout)["value"] == value


@pytest.mark.parametrize("given", ["[]", '["a", {"b": 1}]', '{"most": 5}'])
def test_an_object_is_a_list_as_well(run: Any, given: str) -> None:
    ran = asked(run, "nobody", "--type", "object", "--default", given, "-o", "json")
    assert (ran.exit_code, json.loads(ran.stdout)["value"]) == (3, json.loads(given))


FEATURE_FLAG = """
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: pay.discount}
spec:
  owner: payments
  jira: PAY-1
  expiry: 2029-12-31
  variants: {"on": true, "off": false}
  safeValue: false
  defaultVariant: "on"
  rollout: {name: pay}
"""


@pytest.mark.parametrize(
    ("environment", "value", "reason"), [("staging", True, "STATIC"), ("production", False, "DISABLED")]
)
def test_a_feature_flag_is_what_it_is_in_an_environment(
    run: Any, environment: str, value: bool, reason: str
) -> None:
    Path("pay.yaml").write_text(FEATURE_FLAG)
    words = ("flag", "eval", "-f", "pay.yaml", "pay.discount", "--default", "true", "-o", "json")
    told = json.loads(run(*words, "--environment", environment).stdout)
    assert (told["value"], told["reason"]) == (value, reason)


def test_feature_flags_ask_for_an_environment(run: Any) -> None:
    Path("pay.yaml").write_text(FEATURE_FLAG)
    ran = run("flag", "eval", "-f", "pay.yaml", "pay.discount")
    assert (ran.exit_code, "--environment production" in ran.stderr) == (2, True)
