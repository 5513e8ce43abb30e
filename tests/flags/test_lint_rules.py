"""Every rule ships with an example that fires and one that passes; the page about them shows these files."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from davy.flags.governance import Governance
from davy.flags.lint.rules import RULES, LintSettings, View, baseline, lint
from davy.flags.lint.rules.every import CHECKS
from davy.flags.lint.rules.excuses import excused, excuses
from davy.flags.lint.rules.paths import Ownership, among, codeowners, owners
from davy.flags.lint.rules.settings import Personal, check, seconds
from davy.flags.lint.rules.view import Found
from davy.flags.lint.scan import scan_texts
from davy.flags.registry import read_registry
from davy.model.duration import BadDuration
from davy.model.finding import Place
from davy.model.instant import parse_instant
from davy.model.settings import load_settings

CASES = Path(__file__).parents[1] / "cases" / "flag_rules"
NOW = parse_instant("2026-06-01T00:00:00Z")


def example(code: str) -> dict[str, Any]:
    found = YAML(typ="safe").load(CASES / f"{code}.yaml")
    assert isinstance(found, dict)
    return found


def viewed(side: dict[str, Any], now: float = NOW) -> View:
    registry, findings = read_registry([("flags.yaml", side["flags"].encode())])
    assert not [each for each in findings if each.severity == "error"], findings
    settings = LintSettings()
    if "settings" in side:
        read = load_settings(side["settings"].encode(), "davy-flags.yaml", LintSettings)
        assert not check(read)
        settings = read.value
    texts = {"flags.yaml": side["flags"], **side["files"]}

    def line(place: Place) -> str:
        lines: list[str] = texts.get(place.file, "").splitlines()
        return lines[place.line - 1] if lines else ""

    scans = tuple(scan_texts({name: text.encode() for name, text in side["files"].items()}))
    return View(registry, scans, settings, now, line=line)


def told(side: dict[str, Any], now: float = NOW) -> list[Found]:
    view = viewed(side, now)
    given = [each for name, text in side["files"].items() for each in excuses(name, text)]
    return excused(view, lint(view), given, CHECKS)


EXAMPLES = [code for code in RULES if code != "F021"]
"""A baseline is no code; its rule is shown by the command."""


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_rule_fires_where_its_example_says(code: str) -> None:
    side = example(code)["firing"]
    assert [str(each.finding.place) for each in told(side) if each.finding.code == code] == side["told"]


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_finding_says_why_and_how_to_mend_it(code: str) -> None:
    for each in told(example(code)["firing"]):
        finding = each.finding
        assert finding.title
        assert finding.label
        assert finding.why
        assert finding.fix
        assert finding.source_line


@pytest.mark.parametrize("code", EXAMPLES)
def test_a_rule_is_quiet_where_its_example_passes(code: str) -> None:
    assert [each.finding for each in told(example(code)["passing"])] == []


def test_every_rule_has_an_example() -> None:
    assert sorted(path.stem for path in CASES.glob("*.yaml")) == EXAMPLES


def flag(key: str, **spec: str) -> str:
    told = {
        "owner": "team-shop",
        "jira": "SHOP-1",
        "expiry": '"2027-03-01"',
        "variants": "{reduced: true, full: false}",
        "safeValue": "false",
        "defaultVariant": "full",
        **spec,
    }
    lines = "".join(f"  {name}: {value}\n" for name, value in told.items() if value)
    return f"apiVersion: davy.dev/v1alpha1\nkind: FeatureFlag\nmetadata:\n  name: {key}\nspec:\n{lines}"


PLAIN = "flags:\n  {key}:\n    state: ENABLED\n    variants: {{a: false}}\n    metadata: {{{metadata}}}\n"
READ = 'client.get_boolean_value("shop.cheap", False)\n'


def codes(flags: str, now: float = NOW, settings: str = "", **files: str) -> list[str]:
    texts = {name.replace("__", "/") + ".py": text for name, text in files.items()} or {"a.py": READ}
    side = {"flags": flags, "files": texts, **({"settings": settings} if settings else {})}
    return [f"{each.finding.severity[0]}{each.finding.code[1:]}" for each in told(side, now)]


@pytest.mark.parametrize(
    ("key", "spec", "fires"),
    [
        ("shop.kill", {"kind": "kill-switch"}, True),
        ("shop.kill", {"kind": "kill-switch", "safeValue": "true"}, False),
        ("shop.enabled", {"kind": "kill-switch"}, False),
        ("shop.enabled", {"kind": "kill-switch", "safeValue": "true"}, True),
        ("shop.payments-disabled", {"kind": "kill-switch"}, True),
        ("shop.payments", {"kind": "kill-switch"}, True),
        ("shop.enabled", {"kind": "kill-switch", "onError": "code"}, True),
        ("shop.enabled", {"kind": "kill-switch", "variants": "{reduced: 1, full: 2}", "safeValue": "1"}, False),
        ("shop.kill", {}, True),
        ("shop.kill", {"kind": "permission"}, False),
    ],
)
def test_the_polarity_of_a_kill_switch(key: str, spec: dict[str, str], fires: bool) -> None:
    found = [each.finding.code for each in lint(viewed({"flags": flag(key, **spec), "files": {}}), ["F010"])]
    assert found == ["F010"] * fires


def test_a_kill_switch_of_flagd_says_what_is_safe() -> None:
    text = PLAIN.format(key="shop.enabled", metadata="kind: kill-switch")
    assert [each.finding.label for each in lint(viewed({"flags": text, "files": {}}), ["F010"])] == [
        "`shop.enabled` does not say what is safe"
    ]


def test_some_kinds_may_do_without_an_end() -> None:
    text = PLAIN.format(key="shop.cheap", metadata="owner: a, jira: SHOP-1, safe: a")
    assert codes(text) == ["e002"]
    assert codes(text, settings="withoutExpiry: [release]\n") == []
    assert codes(text, settings="require: [owner]\n") == []


def test_an_end_is_told_of_before_it_in_its_grace_and_behind_it() -> None:
    text = flag("shop.cheap")
    end = parse_instant("2027-03-02T00:00:00Z")  # a day is over when it is over
    day = 86400.0
    assert codes(text, end - 15 * day) == []
    assert codes(text, end - 1) == ["w003"]
    assert codes(text, end) == ["e003"]
    assert codes(text, end, "expiry: {grace: 2d}\n") == ["w003"]
    assert codes(text, end + 2 * day, "expiry: {grace: 48h}\n") == ["e003"]
    assert codes(text, end, "severity: {F003: note}\n") == ["n003"]
    assert codes(text, end, "severity: {F003: none}\n") == []


def test_what_has_no_end_that_is_one_is_for_the_registry_to_tell() -> None:
    view = viewed({"flags": flag("shop.cheap"), "files": {"a.py": READ}})
    odd = msgspec.structs.replace(
        view.registry.flags["shop.cheap"], governance=Governance(owner="a", jira="A-1", expiry="soon")
    )
    view.registry = msgspec.structs.replace(view.registry, flags={"shop.cheap": odd})
    assert list(lint(view, ["F003"])) == []
    none = msgspec.structs.replace(odd, governance=Governance(expiry="2026-01-01"))
    view.registry = msgspec.structs.replace(view.registry, flags={"shop.cheap": none})
    fix = lint(view, ["F003"])[0].finding.fix
    assert fix.startswith("its owner, who is not named takes it out")


def test_only_all_of_the_code_shows_that_nothing_reads_a_flag() -> None:
    side: dict[str, Any] = {
        "flags": flag("shop.cheap"),
        "files": {"a.py": "client.get_boolean_value(key(), False)\n" * 5},
    }
    view = viewed(side)
    label = lint(view, ["F004"])[0].finding.label
    assert label.endswith("a.py:1:1, a.py:2:1, a.py:3:1 and 2 more places may be it")
    view.whole = False
    assert lint(view, ["F004"]) == []
    assert codes(side["flags"], settings='elsewhere: ["shop.*"]\n', a="x = 1\n") == []


def test_a_whole_number_is_a_number() -> None:
    text = flag("shop.cheap", variants="{a: 1, b: 2}", safeValue="1", defaultVariant="a")
    assert codes(text, a='client.get_float_value("shop.cheap", 1)\n') == []
    assert codes(text, a='client.get_integer_value("shop.cheap", 1)\n') == []
    assert codes(text, a='client.get_string_value("shop.cheap", "x")\n') == ["e005", "e006"]


def test_a_default_that_nobody_knows_is_not_held_against_the_safe_value() -> None:
    assert codes(flag("shop.cheap"), a='client.get_boolean_value("shop.cheap", whatever())\n') == []


def test_paths_of_the_settings_are_client_code_and_hot_code() -> None:
    text = flag("shop.cheap")
    assert codes(text, settings='client: {paths: ["web/"]}\n', web__a=READ) == ["e007"]
    assert codes(text, settings='hot: {paths: ["core/*.py"]}\n', core__a=READ) == ["w011"]


@pytest.mark.parametrize(
    ("namespace", "file", "owned", "fires"),
    [
        ("{paths: [src/shop]}", "src/shop/a.py", "", False),
        ("{paths: [src/shop]}", "src/other/a.py", "", True),
        ("{paths: [src/shop], readers: [src/other]}", "src/other/a.py", "", False),
        ('{owner: "@shop"}', "src/other/a.py", "", False),
        ('{owner: "@shop"}', "src/other/a.py", "* @all\n/src/other @other\n", True),
        ('{owner: "@shop"}', "src/other/a.py", "* @all\n/src/other @shop @other\n", False),
        ('{owner: "@shop"}', "src/other/a.py", "# nobody\nsrc/other/\n", True),
        ("{}", "src/other/a.py", "* @all\n", False),
    ],
)
def test_a_namespace_is_read_by_its_owners(namespace: str, file: str, owned: str, fires: bool) -> None:
    side = {
        "flags": flag("shop.cheap"),
        "files": {file: READ},
        "settings": f"namespaces: {{shop: {namespace}}}\n",
    }
    view = viewed(side)
    view.owned = codeowners(owned)
    assert [each.finding.code for each in lint(view, ["F008"])] == ["F008"] * fires


def test_a_key_of_no_namespace_belongs_to_nobody() -> None:
    assert codes(flag("shop.cheap"), settings="namespaces: {sho: {paths: [nowhere]}}\n") == []


@pytest.mark.parametrize(
    ("pattern", "file", "meant"),
    [
        ("*.py", "a/b.py", True),
        ("/*.py", "a/b.py", False),
        ("a/", "a/b.py", True),
        ("a/", "c/a/b.py", True),
        ("a/b", "a/b/c.py", True),
        ("a/b", "a/bc.py", False),
        ("a/**", "a/b/c.py", True),
        ("**/b", "a/b", True),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/b/c", True),
        ("a/?.py", "a/b.py", True),
        ("a/?.py", "a//.py", False),
        ("docs/*", "docs/a/b", False),
        ("a+b", "a+b", True),
    ],
)
def test_patterns_of_paths_mean_what_they_mean_to_a_forge(pattern: str, file: str, meant: bool) -> None:
    assert among(file, [pattern]) is meant


def test_codeowners_are_read_as_forges_do() -> None:
    text = "# all\n* @all\n\n[Section]\n^[Other][2] @x\na\\ b @space # why\n"
    assert codeowners(text) == (Ownership("*", ("@all",)), Ownership("a b", ("@space",)))
    assert owners("c", codeowners("")) == ()


def test_personal_data_is_known_by_its_words() -> None:
    code = (
        "from openfeature.evaluation_context import EvaluationContext\n"
        "EvaluationContext(attributes={'userEmail': 1, 'plan': x.ip_address, 'IPAddress': 2,"
        " 'team': 'email', 'code': q})\n"
    )
    view = viewed({"flags": flag("shop.cheap"), "files": {"a.py": code}})
    assert [each.finding.path for each in lint(view, ["F015"])] == ["userEmail", "plan", "IPAddress"]
    view.settings = LintSettings(personal=Personal(attributes=("team",), allow=("user_email", "plan")))
    assert [each.finding.path for each in lint(view, ["F015"])] == ["IPAddress", "team"]


def test_an_attribute_is_told_of_once() -> None:
    code = (
        "from openfeature.evaluation_context import EvaluationContext\n"
        'client.get_boolean_value("shop.cheap", False, EvaluationContext(user.email))\n'
    )
    assert codes(flag("shop.cheap"), a=code).count("e015") == 1


ALLOW = "davy: allow F001 until 2026-07-01 because it goes"
WRONG = 'client.get_boolean_value("shop.gone", False)'


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (f"# {ALLOW}\n{WRONG}", []),
        (f"{WRONG}  # {ALLOW}", []),
        (f"# {ALLOW}\n# more\n\n{WRONG}", []),
        (f"# {ALLOW}\nx = 1\n{WRONG}", ["F001", "F019"]),
        (f"# {ALLOW.replace('2026-07-01', '2026-06-01T00:00:00Z')}\n{WRONG}", ["F001", "F019"]),
        (f"# {ALLOW.replace('2026-07-01', 'soon')}\n{WRONG}", ["F001", "F019"]),
        (f"# {ALLOW.replace('F001', 'F099')}\n{WRONG}", ["F001", "F019"]),
        (f"# {ALLOW.replace('F001', 'F777, F001')}\n{WRONG}", ["F001", "F019"]),
        (f"# {ALLOW.replace('F001', 'F019')}\n{WRONG}", ["F001", "F019"]),
        (f"# davy: allow F001\n{WRONG}", ["F001", "F019"]),
        (f"# davy: allow F001 until 2026-07-01\n{WRONG}", ["F001", "F019"]),
        (f"# {ALLOW.replace('F001', 'F001, F011')}\n{WRONG}", ["F019"]),
        (f"# {ALLOW}", ["F019"]),
        (f"x = '{ALLOW}'\n{WRONG}", ["F001"]),
    ],
)
def test_an_exception_has_rules_an_end_and_a_reason(code: str, found: list[str]) -> None:
    side = {"flags": flag("shop.cheap"), "files": {"a.py": READ + code + "\n"}}
    assert sorted(each.finding.code for each in told(side)) == found


def test_an_exception_from_a_rule_that_was_not_asked_may_be_needed() -> None:
    view = viewed({"flags": flag("shop.cheap"), "files": {"a.py": WRONG}})
    given = list(excuses("a.py", f"# {ALLOW}\n"))
    assert excused(view, [], given, ["F002"]) == []


def test_a_baseline_comes_back_as_it_was_written() -> None:
    found = [each.finding for each in told(example("F016")["firing"])]
    text = baseline.write([(each, str(number)) for number, each in enumerate(found)])
    read = baseline.read(text.encode())
    assert {entry.fingerprint for entry in read.findings} == {str(number) for number in range(len(found))}
    view = viewed(example("F016")["firing"])
    met = {"0"}
    gone = list(baseline.gone(view, "known.json", text, read, met))
    assert [each.finding.code for each in gone] == ["F021"] * (len(found) - 1)
    assert all(text.splitlines()[each.line - 1].count(each.finding.path) for each in gone)
    assert baseline.read(baseline.write([]).encode()).findings == ()


def test_a_negative_or_wild_duration_is_none() -> None:
    assert seconds("7d") == 7 * 86400
    assert seconds("36h") == 36 * 3600
    for text in ("-1h", "soon", "999999d"):
        with pytest.raises(BadDuration):
            seconds(text)


def test_settings_that_cannot_be_are_each_found() -> None:
    text = "profile: lax\nseverity: {F01: none, F002: of}\nrequire: [owners]\nexpiry: {warn: x, grace: z}\n"
    found = check(load_settings(text.encode(), "davy-flags.yaml", LintSettings))
    assert [each.path for each in found] == [
        "severity.F01",
        "severity.F002",
        "profile",
        "require[0]",
        "expiry.warn",
        "expiry.grace",
    ]


def test_a_baseline_of_another_version_is_not_read() -> None:
    with pytest.raises(msgspec.ValidationError, match="version 2 is not known"):
        baseline.read(b'{"version": 2, "findings": []}')


def test_a_key_that_was_retired_is_not_declared_again() -> None:
    view = viewed({"flags": flag("shop.cheap"), "files": {"a.py": READ}})
    view.registry = msgspec.structs.replace(view.registry, retired={"shop.cheap": Place("old.yaml", 1, 1)})
    found = [str(each.finding.place) for each in lint(view, ["F013"])]
    assert found == ["a.py:1:26", "flags.yaml:4:3"]


def test_code_that_nests_too_deep_is_told_of() -> None:
    side = example("F020")["passing"]
    read = 'client.get_boolean_value("checkout.discount-enabled", False)'
    deep = f"{'f(' * 100}{read}{')' * 100}\n"
    [found] = [each for each in told({**side, "files": {"deep.py": deep}}) if each.finding.code == "F020"]
    assert "nests so deep" in found.finding.label
    assert found.finding.fix
