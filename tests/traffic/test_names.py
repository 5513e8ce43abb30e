from hypothesis import given, settings
from hypothesis import strategies as st

from davy.model.key import Key
from davy.traffic.names import (
    ClusterName,
    cluster_name,
    file_name,
    read_cluster_name,
    read_route_name,
    route_name,
    side_cluster_name,
)

texts = st.text(max_size=30) | st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?", fullmatch=True)
keys = st.builds(Key, texts, texts)


@given(keys, texts)
@settings(max_examples=100)
def test_a_cluster_name_can_be_taken_apart_again(key: Key, hash_: str) -> None:
    assert read_cluster_name(cluster_name(key, hash_)) == ClusterName(key, hash_)
    assert read_cluster_name(side_cluster_name(key, hash_)) == ClusterName(key, hash_, side=True)


@given(keys, st.none() | texts)
@settings(max_examples=100)
def test_the_name_of_a_listener_can_be_taken_apart_again(key: Key, service: str | None) -> None:
    assert read_route_name(route_name(key, service)) == (key, service)


@given(keys, texts)
@settings(max_examples=100)
def test_a_cluster_name_has_no_character_that_statistics_take_apart(key: Key, hash_: str) -> None:
    assert not set('.:"\n\\ ') & set(side_cluster_name(key, hash_) + route_name(key, hash_))


@given(st.lists(st.tuples(keys, texts), unique=True, min_size=2, max_size=4))
@settings(max_examples=100)
def test_every_cluster_has_a_file_of_its_own_that_any_file_system_takes(
    clusters: list[tuple[Key, str]],
) -> None:
    names = [
        file_name(name(key, hash_)) for key, hash_ in clusters for name in (cluster_name, side_cluster_name)
    ]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name.encode()) < 255
        assert "/" not in name
        assert not name.startswith(".")


def test_plain_names_stay_readable() -> None:
    key = Key("default", "payments")
    assert route_name(key) == "default/payments"
    assert route_name(key, "payments-preview") == "default/payments/payments-preview"
    assert side_cluster_name(key, "6f7c9") == "default/payments|6f7c9|side"
    assert cluster_name(key, "6f7c9") == "default/payments|6f7c9"
    assert cluster_name(Key("shop", "cart.v2"), "a") == "shop/cart~2e~v2|a"
    assert file_name("default/payments|6f7c9") == "default+payments+6f7c9.json"


def test_long_names_that_differ_at_the_end_only_keep_their_own_files() -> None:
    one, other = (cluster_name(Key("n" * 63, "r" * 253), hash_) for hash_ in ("a", "b"))
    assert file_name(one) != file_name(other)


def test_what_is_no_cluster_of_ours_has_no_key() -> None:
    assert read_cluster_name("xds") is None
    assert read_cluster_name("a/b|c|d") is None


def test_what_is_no_listener_of_ours_has_no_key() -> None:
    assert read_route_name("") is None
    assert read_route_name("a/b/c/d") is None
    assert read_route_name("a/b|c") is None
