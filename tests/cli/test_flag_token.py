"""`davy flag token`: a secret that is shown once, and what is said where a token makes no sense."""

import json

import pytest
from tests.cli.conftest import Run

from davy.flags.token import hashed


def test_a_token_is_made_listed_and_revoked_and_its_secret_is_shown_once(run: Run) -> None:
    made = run(
        "flag", "token", "new", "web", "--edge", "client", "--keys", "shop.*", "--for", "24h", wall=lambda: 0.0
    )
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert secret.startswith("davyf_")
    assert secret not in made.stderr
    listed = run("flag", "token", "list", "-o", "json")
    [token] = json.loads(listed.stdout)["tokens"]
    assert token["expires"] == "1970-01-02T00:00:00Z"
    assert token["expired"] is True
    for text in (listed.stdout, run("flag", "token", "list").stdout):
        assert secret not in text
        assert hashed(secret) not in text
    assert run("flag", "token", "revoke", "web").exit_code == 0
    assert run("flag", "token", "revoke", "web").exit_code == 2
    assert "there are no tokens" in run("flag", "token", "list").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["web", "--edge", "client"], "only what it lists"),
        (["web", "--edge", "client", "--keys", "a.*", "--service", "s"], "speaks for no service"),
        (["Web", "--edge", "server"], "cannot be a token"),
        (["web", "--edge", "server", "--for", "soon"], "--for soon"),
        (["web", "--edge", "server", "--until", "soon"], "--until soon"),
        (["web", "--edge", "server", "--until", "2001-01-01T00:00:00Z"], "over already"),
        (["web", "--edge", "server", "--for", "1h", "--until", "2030-01-01T00:00:00Z"], "ends at one time"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(run: Run, arguments: list[str], said: str) -> None:
    refused = run("flag", "token", "new", *arguments)
    assert refused.exit_code == 2, refused.output
    assert said in refused.stderr
    assert refused.stdout == ""
