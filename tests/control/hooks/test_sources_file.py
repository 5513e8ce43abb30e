"""The file of sources: what makes no sense is refused where it is written."""

import pytest
from tests.serve.hooking import Secrets

from davy.adapters.memory_store import MemoryStore
from davy.analysis.provider import ProviderError
from davy.control.hooks.desk import Desk
from davy.control.hooks.sources_file import read_sources
from davy.errors import UsageError
from davy.model.finding import BadManifest

GOOD = """
sources:
- name: acme-github
  scheme: github
  secrets:
  - {name: github, key: webhook}
  repos: ["github.com/acme/*"]
"""


def test_a_file_that_makes_sense_is_read() -> None:
    (source,) = read_sources(GOOD.encode(), "hooks.yaml")
    assert (source.name, source.scheme, source.per_minute) == ("acme-github", "github", 600)
    assert source.secrets[0].namespace == "default"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "scheme: github",
            "scheme: gitbuh",
            "hooks.yaml:4:11: `sources[0].scheme` is 'gitbuh', which means nothing",
        ),
        ("acme-github", "Acme GitHub", "hooks.yaml:3:9: `sources[0].name` is 'Acme GitHub'"),
        ("repos", "repositories", "hooks.yaml:7:3: `sources[0]` has no field `repositories`"),
        (
            'repos: ["github.com/acme/*"]',
            "repos: []",
            "hooks.yaml:7:10: `sources[0].repos` is missing or empty",
        ),
        ('  repos: ["github.com/acme/*"]', "", "`sources[0].repos` is missing or empty"),
        ("secrets:\n  - {name: github, key: webhook}", "secrets: []", "`sources[0].secrets` is empty: anybody"),
        ("{name: github, key: webhook}", "{name: github}", "`sources[0].secrets[0].key` is missing"),
        (
            "scheme: github",
            "scheme: github\n  kinds: [incident_opened]",
            "github does not say 'incident_opened'",
        ),
        ("scheme: github", "scheme: github\n  perMinute: 0", "`sources[0].perMinute` is 0: at least 1"),
        ("scheme: github", "scheme: github\n  workflows: [x]", "only CircleCI has workflows"),
        (
            "scheme: github",
            "scheme: github\n  service: a\n  serviceFrom: b",
            "either all of it is about one service",
        ),
        ("scheme: github", "scheme: alertmanager", "`sources[0].services` is missing or empty"),
        (GOOD, "sources: []", "hooks.yaml:1:10: `sources` is empty"),
        (GOOD, GOOD + GOOD.replace("\nsources:\n", ""), "there is a source 'acme-github' already"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(old: str, new: str, said: str) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    with pytest.raises(BadManifest) as caught:
        read_sources(text.encode(), "hooks.yaml")
    assert said in caught.value.message


def desk(text: str, **secrets: str) -> Desk:
    found = {("github", key): secret for key, secret in secrets.items()}
    return Desk(read_sources(text.encode(), "f"), Secrets(found), MemoryStore(), lambda: 0.0)


def test_secrets_are_looked_for_before_anybody_comes() -> None:
    desk(GOOD, webhook="s").check_secrets()
    with pytest.raises(ProviderError, match="there is no secret default/github with a key webhook"):
        desk(GOOD).check_secrets()
    with pytest.raises(ProviderError, match="may be read by others"):
        desk(GOOD, webhook="unreadable").check_secrets()


def test_two_sources_with_one_secret_could_not_be_told_from_each_other() -> None:
    second = (
        GOOD.replace("\nsources:\n", "").replace("acme-github", "other").replace("key: webhook", "key: other")
    )
    with pytest.raises(UsageError, match="acme-github and other have the same secret") as caught:
        desk(GOOD + second, webhook="same-secret", other="same-secret").check_secrets()
    assert "same-secret" not in f"{caught.value.message} {caught.value.hint}"
    desk(GOOD + second, webhook="one", other="two").check_secrets()
