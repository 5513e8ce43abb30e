"""Secrets are shown to nobody, however they come back."""

import copy
import json
import pickle
from base64 import b64encode
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.phase import Phase
from davy.analysis.provider import Answer, Asking, Judged, NoSecrets, ProviderError
from davy.analysis.secret import Secret

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


class Box:
    """A source with one secret."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[tuple[str, str, str]] = []

    def find(self, namespace: str, name: str, key: str) -> Secret | None:
        self.asked.append((namespace, name, key))
        return Secret(self.text) if key == "token" else None

    def place(self, namespace: str, name: str, key: str) -> str:
        return f"put {key} into the box"


def knowing(text: str) -> Asking:
    asking = Asking("name", "shop", Box(text))
    asking.secret("api", "token")
    return asking


def test_a_secret_shows_asterisks() -> None:
    secret = Secret("hunter2")
    assert [str(secret), repr(secret), f"{secret:>5}", f"{secret!r}", secret.encode().decode()] == [
        "***",
        "***",
        "  ***",
        "***",
        "***",
    ]
    assert repr([secret]) == "[***]"
    assert secret.reveal() == "hunter2"


def test_a_secret_is_not_stored() -> None:
    for store in (pickle.dumps, copy.deepcopy, json.dumps, msgspec.json.encode):
        with pytest.raises(TypeError):
            store(Secret("hunter2"))


@given(texts, texts)
def test_no_spelling_of_a_secret_is_left(secret: str, around: str) -> None:
    hidden = knowing(secret).hide
    for spelled in (
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        b64encode(secret.encode()).decode(),
    ):
        found = hidden(spelled)
        assert "***" in found
        if len(secret) > 3 and secret not in "***":
            assert secret not in hidden(around + spelled)


def test_the_longest_secret_is_hidden_first() -> None:
    asking = Asking()
    asking.learn("hunter")
    asking.learn("hunter2")
    asking.learn("")
    assert asking.hide("hunter2 hunter") == "*** ***"


def test_answers_are_covered_whatever_they_are_made_of() -> None:
    asking = knowing("hunter2")
    answer = Answer({"hunter2": ["hunter2", 1.0, None, ("hunter2",)]}, "hunter2", {"hunter2": "a hunter2"})
    assert Asking().cover(answer) is answer
    assert asking.cover(answer) == Answer({"***": ["***", 1.0, None, ("***",)]}, "***", {"***": "a ***"})
    judged = Judged(Phase.FAILED, "hunter2", "hunter2", {"log": "hunter2"})
    assert asking.cover(judged) == Judged(Phase.FAILED, "***", "***", {"log": "***"})


def test_a_secret_is_that_of_the_namespace_unless_another_is_named() -> None:
    box = Box("hunter2")
    asking = Asking("name", "shop", box)
    asking.secret("api", "token")
    asking.secret("api", "token", namespace="other")
    assert asking.plain("api", "token", namespace="third") == "hunter2"
    assert asking.plain("api", "address") == ""
    assert box.asked == [
        ("shop", "api", "token"),
        ("other", "api", "token"),
        ("third", "api", "token"),
        ("shop", "api", "address"),
    ]


def test_a_secret_that_is_not_there_is_an_error_that_says_what_to_make() -> None:
    with pytest.raises(ProviderError, match="the secret shop/api has no key other: put other into the box"):
        Asking("name", "shop", Box("hunter2")).secret("api", "other")
    with pytest.raises(ProviderError, match="nothing here keeps secrets"):
        Asking().secret("api", "token")
    assert NoSecrets().find("a", "b", "c") is None
