from pathlib import Path

import msgspec

from davy.adapters.envoy_files import Documents
from davy.adapters.fence import Fence


def open_(directory: Path) -> Documents:
    return Documents(directory, Fence.take(directory / "terms"))


def test_versions_grow_over_all_files_and_restarts(tmp_path: Path) -> None:
    documents = open_(tmp_path)
    route, cluster = documents.routes("default/pay"), documents.endpoints("default/pay|5d9")
    assert documents.version(route) == 0
    assert [documents.tell(path, []) for path in (route, cluster, route)] == [1, 2, 3]
    again = open_(tmp_path)
    assert (again.version(route), again.version(cluster)) == (3, 2)
    assert again.tell(cluster, []) == 4


def test_what_was_told_can_be_read_after_a_restart(tmp_path: Path) -> None:
    documents = open_(tmp_path)
    path = documents.routes("default/pay")
    documents.tell(path, [{"name": "default/pay"}])
    assert msgspec.json.decode(path.read_bytes()) == {
        "version_info": "1",
        "resources": [{"name": "default/pay"}],
    }
    assert open_(tmp_path).told(path) == [{"name": "default/pay"}]


def test_a_file_that_cannot_be_read_counts_as_absent(tmp_path: Path) -> None:
    documents = open_(tmp_path)
    for number, text in enumerate(("", "{", "[]", "{}", '{"version_info": "x", "resources": []}')):
        documents.routes(str(number)).write_text(text)
    documents.listeners.mkdir()
    assert open_(tmp_path).told(documents.routes("0")) == []
    assert open_(tmp_path).tell(documents.clusters, []) == 1


def test_what_is_dropped_is_gone(tmp_path: Path) -> None:
    documents = open_(tmp_path)
    path = documents.endpoints("default/pay|5d9")
    documents.drop(path)
    documents.tell(path, [])
    documents.drop(path)
    assert (documents.version(path), path.exists()) == (0, False)
