import socket

import pytest

from davy.adapters import ports
from davy.errors import Undecided
from davy.testing.patience import until


def test_a_port_is_given_out_once() -> None:
    given = [ports.free_port() for _ in range(50)]
    assert len(set(given)) == 50
    assert all(ports.is_free(port) for port in given)
    for port in given:
        ports.give_back(port)


def test_a_port_that_is_kept_or_in_use_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        used = server.getsockname()[1]
        assert not ports.is_free(used)
        monkeypatch.setattr(ports, "_FIRST", used)
        monkeypatch.setattr(ports, "_LAST", used)
        with pytest.raises(Undecided, match="is in use"):
            ports.free_port()
    ports.keep(used)
    with pytest.raises(Undecided):
        ports.free_port()
    ports.give_back(used)
    assert ports.free_port() == used
    ports.give_back(used)


def test_connections_are_counted_at_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ports.connections(port) == 0
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            until(lambda: ports.connections(port) == 1)
            accepted.close()
        until(lambda: ports.connections(port) == 0)
