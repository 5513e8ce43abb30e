"""Who may ask for what: a token shows what is on its list, and to clients what is made for them."""

from hypothesis import given
from hypothesis import strategies as st

from davy.flags.token import Edge, Token, Tokens, hashed

SECRET = "davyf_secret"


def token(**fields: object) -> Token:
    return Token(**({"name": "web", "hash": hashed(SECRET), "edge": Edge.CLIENT, "created": 0.0} | fields))  # type: ignore[arg-type]


def test_a_token_is_found_by_its_secret_until_it_expires() -> None:
    tokens = Tokens([token(expires=10.0)])
    assert tokens.holder(SECRET, 9.9) == tokens.named("web", 9.9) == tokens.all[0]
    assert tokens.holder(SECRET, 10.0) is tokens.named("web", 10.0) is None
    assert tokens.holder("another", 1.0) is tokens.named("another", 1.0) is None
    assert Tokens([token()]).holder(SECRET, 1e12) is not None


@given(st.text())
def test_no_other_secret_finds_it(secret: str) -> None:
    found = Tokens([token()]).holder(secret, 0.0)
    assert (found is not None) == (secret == SECRET)


def test_a_secret_that_is_no_unicode_is_nobodys() -> None:
    assert Tokens([token()]).holder("\ud800", 0.0) is None


def test_a_list_names_keys_and_namespaces() -> None:
    one = token(keys=("checkout.*", "search.ranking"))
    assert [one.lists(key) for key in ("checkout.a", "checkout.a.b", "search.ranking")] == [True] * 3
    assert [one.lists(key) for key in ("checkout", "checkouts.a", "search.other", "search.ranking.x")] == [
        False
    ] * 4
    assert token(keys=("*",)).lists("anything.at-all")
    assert not token().lists("checkout.a")


def test_a_client_sees_what_is_on_its_list_and_made_for_clients() -> None:
    client, server = token(keys=("checkout.*",)), token(keys=("checkout.*",), edge=Edge.SERVER)
    assert client.sees("checkout.a", {"exposure": "client"})
    for metadata in ({}, {"exposure": "server"}, {"exposure": "Client"}, {"exposure": True}):
        assert not client.sees("checkout.a", metadata)
        assert server.sees("checkout.a", metadata)
    for one in (client, server):
        assert not one.sees("search.a", {"exposure": "client"})


def test_only_a_server_that_lists_everything_sees_all() -> None:
    assert token(keys=("*",), edge=Edge.SERVER).sees_all
    assert not token(keys=("*",)).sees_all
    assert not token(keys=("checkout.*",), edge=Edge.SERVER).sees_all


def test_a_server_speaks_for_its_services_and_a_client_for_none() -> None:
    assert token(edge=Edge.SERVER).speaks_for("any")
    one = token(edge=Edge.SERVER, services=("checkout",))
    assert [one.speaks_for(name) for name in ("checkout", "payments")] == [True, False]
    assert not token(services=("checkout",)).speaks_for("checkout")


def test_a_page_may_ask_where_some_living_token_is_for_its_origin() -> None:
    tokens = Tokens([token(origins=("https://shop.example",), expires=10.0), token(name="other")])
    assert tokens.allows_origin("https://shop.example", 9.0)
    assert not tokens.allows_origin("https://shop.example", 10.0)
    assert not tokens.allows_origin("https://evil.example", 9.0)
