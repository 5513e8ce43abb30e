"""How keys are looked up: in files that are near, in files that were not told of, and never by a guess."""

from collections.abc import Mapping

import pytest

from davy.flags.lint import extract as extracting
from davy.flags.lint.extract import extract
from davy.flags.lint.linking import MemorySources, link
from davy.flags.lint.modules import Files
from davy.flags.lint.scan import scan, scan_texts
from davy.flags.lint.terms import Facts
from davy.flags.lint.usage import How, Language, Scan

READS = "from flags import KEY\nclient.get_boolean_value(KEY, False)\n"


def keys(texts: Mapping[str, str], file: str) -> list[tuple[str, ...]]:
    scans = scan_texts({name: text.encode() for name, text in texts.items()})
    return [usage.keys for each in scans if each.file == file for usage in each.usages]


def test_of_several_files_the_nearest_is_meant() -> None:
    texts = {
        "a/flags.py": "KEY = 'a.key'",
        "b/flags.py": "KEY = 'b.key'",
        "a/x/read.py": READS,
        "read.py": READS,
    }
    assert keys(texts, "a/x/read.py") == [("a.key",)]
    assert keys(texts, "read.py") == [()]
    assert keys({**texts, "b/flags.py": "KEY = 'a.key'"}, "read.py") == [("a.key",)]


def test_a_name_within_hides_one_without_only_where_it_is_known() -> None:
    text = "KEY = 'outer.key'\ndef f():\n    KEY = computed()\n    client.get_boolean_value(KEY, False)\n"
    assert keys({"a.py": text}, "a.py") in ([()], [("outer.key",)])
    again = "def f():\n    K = 'in.f'\n    def g():\n        client.get_boolean_value(K, False)\n"
    assert keys({"a.py": again}, "a.py") == [("in.f",)]


def test_a_package_of_go_that_is_not_here_says_nothing() -> None:
    text = (
        'package a\nimport "fmt"\nvar unset int\nfunc f() { client.BooleanValue(ctx, fmt.Key, false, ec)\n'
        "client.BooleanValue(ctx, unset, false, ec)\nclient.BooleanValue(ctx, x.Key, false, ec) }"
    )
    assert keys({"a.go": text}, "a.go") == [(), (), ()]


def test_wrappers_of_files_that_are_not_told_of_are_known_by_their_import() -> None:
    texts = {
        "wrap.py": b"def is_off(key):\n    return client.get_boolean_value(key, False)\n"
        b"def is_on(key):\n    return client.get_boolean_value(key, False)\n",
        "read.py": b"import other\nfrom wrap import is_on\nfrom wrap import gone\nimport wrap as w\n"
        b"is_on('a.b')\nw.is_on('c.d')\nx.is_on('e.f')\nother.is_on('g.h')\n",
        "other.py": b"",
    }
    facts = extract(texts["read.py"], "read.py", frozenset(("is_on",)))
    assert facts is not None
    (found,) = link([facts], MemorySources(texts))
    assert [(usage.keys, usage.how) for usage in found.usages] == [
        (("a.b",), How.WRAPPER),
        (("c.d",), How.WRAPPER),
    ]


def test_a_wrapper_is_called_by_its_own_language_and_by_somebody_who_may_know_it() -> None:
    texts = {
        "wrap.py": "def is_on(key):\n    return client.get_boolean_value(key, False)\n",
        "wrap.rb": "def is_on(key)\n  client.fetch_boolean_value(flag_key: key, default_value: false)\nend\n",
        "far/read.py": "from openfeature import api\nflags.is_on('by.receiver')\nlamp.is_on('by.nobody')\n"
        "is_on('by.none')\n",
    }
    assert keys(texts, "far/read.py") == [("by.receiver",)]


def test_a_wrapper_may_be_called_as_a_call_of_openfeature() -> None:
    text = (
        "def get_boolean_value(key, default):\n    return client.get_boolean_value(key, default)\n"
        "client.get_boolean_value('a.b', False)\n"
    )
    assert keys({"a.py": text}, "a.py") == [(), ("a.b",)]


def test_a_file_that_cannot_be_read_says_nothing() -> None:
    class Gone:
        files = Files(["flags.py", "read.py"])

        def facts(self, file: str) -> Facts | None:
            return None

    facts = extract(READS.encode(), "read.py")
    assert facts is not None
    assert [usage.keys for usage in link([facts], Gone())[0].usages] == [()]
    sites = extract(b"from flags import is_on\nis_on('a.b')", "read.py", frozenset(("is_on",)))
    assert sites is not None
    assert link([sites], Gone())[0].usages == ()


def test_nothing_is_found_where_nothing_is() -> None:
    assert scan(b"x = 1", "a.py") == Scan("a.py", Language.PYTHON)
    assert scan(b"client openfeature", "a.txt") == Scan("a.txt")
    assert extract(b"", "a.txt") is None


def test_a_context_without_a_name_is_of_the_file() -> None:
    text = b"from openfeature import api\napi.set_evaluation_context(EvaluationContext('u'))\n"
    assert [each.name for each in scan(text, "a.py").attributes] == ["targetingKey"]


def test_a_file_has_only_so_many_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "CONSTANTS", 1)
    text = b"A = 'a.a'\nB = 'b.b'\nclient.get_boolean_value(A, False)\nclient.get_boolean_value(B, False)\n"
    assert [usage.keys for usage in scan(text, "a.py").usages] == [("a.a",), ()]


def test_names_that_go_round_in_circles_end() -> None:
    texts = {"a.py": "from b import KEY\nclient.get_boolean_value(KEY, False)\n", "b.py": "from a import KEY\n"}
    assert keys(texts, "a.py") == [()]
