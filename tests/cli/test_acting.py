"""`apply`, `set image`, `promote` and the like: what is asked for, by whom and why."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from davy.cli import options
from davy.control import requests, views
from davy.testing.scripted import Scripted


def finding(code: str, severity: str = "error") -> views.FindingView:
    text = f"{severity}[{code}]: this cannot fail\n --> a.yaml:1:1"
    return views.FindingView(
        code=code, severity=severity, title="t", file="a.yaml", line=1, column=1, text=text
    )


def created(name: str, url: str = "") -> views.Applied:
    return views.Applied(object_kind="Rollout", namespace="default", name=name, outcome="created", url=url)


@pytest.fixture(autouse=True)
def tree_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with manifests and other things in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy" / "more").mkdir(parents=True)
    (tmp_path / "deploy" / ".git").mkdir()
    for name in ("b.yaml", "a.yml", "more/c.json", ".hidden.yaml", ".git/x.yaml", "README.md"):
        (tmp_path / "deploy" / name).write_text(f"# {name}\n")
    (tmp_path / "empty").mkdir()
    return tmp_path


def asked(engine: Scripted) -> requests.AnyRequest:
    [(request, actor)] = engine.asked
    assert f"(uid {os.getuid()})" in actor
    return request


def test_directories_are_applied_with_all_below_them(
    run: Any, engine: Scripted, shelf: Any, tree_of_files: Path
) -> None:
    shelf.applied = views.ApplyView(accepted=True, applied=(created("payments"),), findings=())
    assert run("apply", "-f", "deploy", "-f", "deploy/b.yaml", "-f", "-", stdin="# piped\n").exit_code == 0
    request = asked(engine)
    assert request == requests.Apply(
        (
            ("deploy/a.yml", "# a.yml\n"),
            ("deploy/b.yaml", "# b.yaml\n"),
            ("deploy/more/c.json", "# more/c.json\n"),
            ("stdin", "# piped\n"),
        ),
        str(tree_of_files),
    )


def test_what_was_applied_is_said_as_kubectl_does(run: Any, engine: Scripted, shelf: Any) -> None:
    applied = (created("payments", "http://127.0.0.1:80/"), created("catalog"))
    shelf.applied = views.ApplyView(accepted=True, applied=applied, findings=(finding("PD060", "warning"),))
    ran = run("apply", "-f", "deploy", "--reason", "first one")
    assert (ran.exit_code, ran.stdout) == (0, 'rollout "payments" created\nrollout "catalog" created\n')
    assert "warning[PD060]: this cannot fail\n --> a.yaml:1:1\n" in ran.stderr
    assert "payments answers at http://127.0.0.1:80/" in ran.stderr
    request = asked(engine)
    assert isinstance(request, requests.Apply)
    assert (request.reason, request.dry_run) == ("first one", False)


def test_a_dry_run_says_that_it_is_one(run: Any, engine: Scripted, shelf: Any) -> None:
    shelf.applied = views.ApplyView(accepted=True, applied=(created("payments"),), findings=())
    assert run("apply", "-f", "deploy", "--dry-run").stdout == 'rollout "payments" created (dry run)\n'
    request = asked(engine)
    assert isinstance(request, requests.Apply)
    assert request.dry_run


@pytest.mark.parametrize(
    ("codes", "exit_code", "last"),
    [
        (["PD050"], 1, "error[refused]: 1 error; nothing was changed"),
        (["PD050", "PD051"], 1, "error[refused]: 2 errors; nothing was changed"),
        (["DV005"], 2, "error[bad-manifest]: 1 error; nothing was changed"),
        (["PD050", "DV005"], 2, "error[bad-manifest]: 2 errors; nothing was changed"),
    ],
)
def test_a_refusal_says_whether_it_was_a_gate(
    run: Any, engine: Scripted, shelf: Any, codes: list[str], exit_code: int, last: str
) -> None:
    shelf.applied = views.ApplyView(accepted=False, applied=(), findings=tuple(map(finding, codes)))
    ran = run("apply", "-f", "deploy")
    assert (ran.exit_code, ran.stdout) == (exit_code, "")
    assert ran.stderr.splitlines()[-1] == last
    assert all(f"error[{code}]: this cannot fail" in ran.stderr for code in codes)


def test_a_refusal_as_data_has_the_same_exit_code(run: Any, engine: Scripted, shelf: Any) -> None:
    shelf.applied = views.ApplyView(accepted=False, applied=(), findings=(finding("PD050"),))
    ran = run("apply", "-f", "deploy", "-o", "json")
    assert (ran.exit_code, json.loads(ran.stdout)["accepted"]) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-f", "nowhere"], "there is no nowhere"),
        (["-f", "empty"], "there is no manifest in empty"),
        (["-f", "/dev/zero"], "neither a file nor a pipe"),
        (["-f", "/dev/full"], "neither a file nor a pipe"),
        (["-f", "loop"], "loop cannot be read"),
        (["-f", "x\0y"], "cannot be read"),
        (["-f", "latin"], "latin:2: this is not UTF-8"),
        (["-f", "large"], "this is too much"),
        (["-f", "a" * 300], "cannot be read"),
        ([], "Missing option"),
    ],
)
def test_what_cannot_be_read_is_named(
    run: Any, engine: Scripted, tree_of_files: Path, arguments: list[str], says: str
) -> None:
    (tree_of_files / "loop").symlink_to("loop")
    (tree_of_files / "latin").write_bytes(b"a: b\nc: \xe4\n")
    with (tree_of_files / "large").open("wb") as large:
        large.truncate(100 << 20)
    ran = run("apply", *arguments)
    assert (ran.exit_code, ran.stdout, engine.asked) == (2, "", [])
    assert says in ran.stderr


def test_nothing_at_all_is_not_applied_in_silence(run: Any, engine: Scripted, tree_of_files: Path) -> None:
    for command in ("apply", "check"):
        ran = run(command, "-f", "deploy/b.yaml", "-f", "deploy/a.yml")
        assert (ran.exit_code, ran.stdout) == (2, "")
        assert ran.stderr.startswith("error[usage]: there is no manifest in deploy/b.yaml, deploy/a.yml\n")


def test_a_pipe_can_be_applied(run: Any, engine: Scripted, shelf: Any) -> None:
    shelf.applied = views.ApplyView(accepted=True, applied=(created("payments"),), findings=())
    reader, writer = os.pipe()
    os.write(writer, b"# from a process substitution\n")
    os.close(writer)
    assert run("apply", "-f", f"/dev/fd/{reader}").exit_code == 0
    os.close(reader)
    request = asked(engine)
    assert isinstance(request, requests.Apply)
    assert request.texts[0][1] == "# from a process substitution\n"


def test_a_byte_order_mark_is_no_part_of_a_manifest(run: Any, engine: Scripted, tree_of_files: Path) -> None:
    (tree_of_files / "bom.yaml").write_bytes(b"\xef\xbb\xbfkind: Rollout\n")
    run("apply", "-f", "bom.yaml")
    request = asked(engine)
    assert isinstance(request, requests.Apply)
    assert request.texts == (("bom.yaml", "kind: Rollout\n"),)


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (
            ["promote", "payments", "--reason", "looks good"],
            requests.Promote("default", "payments", "looks good"),
        ),
        (
            ["abort", "rollout/payments", "--reason", " it smells "],
            requests.Abort("default", "payments", "it smells"),
        ),
        (["pause", "payments"], requests.Pause("default", "payments")),
        (["resume", "payments", "--reason", "x"], requests.Resume("default", "payments", "x")),
        (["retry", "payments"], requests.Retry("default", "payments")),
        (["retry", "rollout", "payments"], requests.Retry("default", "payments")),
        (["retry", "rollout/payments", "--reason", "fixed"], requests.Retry("default", "payments", "fixed")),
        (["undo", "payments"], requests.Undo("default", "payments")),
        (
            ["undo", "rollout/payments", "--to-revision", "3", "--reason", "x"],
            requests.Undo("default", "payments", 3, "x"),
        ),
        (["undo", "payments", "--to-revision", "0"], requests.Undo("default", "payments")),
        (["restart", "payments", "--reason", "x"], requests.Restart("default", "payments", "x")),
        (["scale", "payments", "--replicas", "0"], requests.Scale("default", "payments", 0)),
        (
            ["scale", "ro/payments", "--replicas", "4", "--reason", "sale"],
            requests.Scale("default", "payments", 4, "sale"),
        ),
        (
            ["delete", "rollout", "payments", "--reason", "replaced"],
            requests.Delete("default", "payments", "replaced"),
        ),
        (["delete", "ro/payments", "--reason", "x"], requests.Delete("default", "payments", "x")),
        (
            ["set", "image", "payments", "app=payments:1.4.2", "*=x=y"],
            requests.SetImage("default", "payments", {"app": "payments:1.4.2", "*": "x=y"}),
        ),
    ],
)
def test_an_action_reaches_the_engine_as_it_was_meant(
    run: Any, engine: Scripted, arguments: list[str], request_: requests.AnyRequest
) -> None:
    ran = run(*arguments)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout == f"rollout 'payments' {type(request_).__name__.lower()}\n"
    assert asked(engine) == request_
    assert json.loads(run(*arguments, "-o", "json").stdout)["kind"] == "ActionView"


@pytest.mark.parametrize("verb", ["promote", "abort", "delete"])
@pytest.mark.parametrize("reason", [[], ["--reason", ""], ["--reason", "  "]])
def test_somebody_has_to_say_why(run: Any, engine: Scripted, verb: str, reason: list[str]) -> None:
    ran = run(verb, "rollout/payments", *reason)
    assert (ran.exit_code, engine.asked) == (2, [])
    assert ran.stderr.startswith(
        f"error[usage]: --reason is missing: the record keeps why somebody chose to {verb}\n"
    )


def test_a_person_at_a_terminal_is_asked_why(
    run: Any, engine: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "both_terminals", lambda: True)
    ran = run("abort", "payments", stdin="it smells\n")
    assert ran.exit_code == 0
    assert ran.stdout == "rollout 'payments' abort\n"
    assert asked(engine) == requests.Abort("default", "payments", "it smells")


def test_there_is_no_force(run: Any, engine: Scripted) -> None:
    ran = run("promote", "payments", "--full", "--reason", "hurry")
    assert (ran.exit_code, engine.asked) == (1, [])
    assert ran.stderr.startswith("error[refused]: --full would let through exactly the release that")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["delete", "payments", "--reason", "x"], "'payments' is no kind of which something can be deleted"),
        (["delete", "service", "x", "--reason", "x"], "hint: davy delete rollout x"),
        (["delete", "rollout", "--reason", "x"], "one name at a time"),
        (["delete", "rollout", "a", "b", "--reason", "x"], "one name at a time"),
        (["delete", "rollout/", "--reason", "x"], "a rollout's name is missing"),
        (["scale", "payments"], "Missing option '--replicas'"),
        (["scale", "payments", "--replicas", "-1"], "-1 is not in the range"),
        (["scale", "payments", "--replicas", "2147483648"], "is not in the range"),
        (["undo", "payments", "--to-revision", "-1"], "-1 is not in the range"),
    ],
)
def test_what_makes_no_sense_reaches_nobody(
    run: Any, engine: Scripted, arguments: list[str], says: str
) -> None:
    ran = run(*arguments)
    assert (ran.exit_code, ran.stdout, engine.asked) == (2, "", [])
    assert says in ran.stderr
