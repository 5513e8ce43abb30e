"""An `opa` on this machine says of every example what Davy's engine says, word for word."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.policy.pack.asking import CASES, said

from davy.policy import pack
from davy.policy.gatekeeper.candidate import namespace_of
from davy.policy.gatekeeper.document import document
from davy.policy.inventory import Inventory

OPA = shutil.which("opa")
MAIN = """\
package main

answers = [answer |
    case := data.cases[_]
    answer := [found |
        package := data.packages[_]
        found := data[package].violation[_] with input as case.input with data.inventory as case.inventory
    ]
]
"""


@pytest.mark.live
@pytest.mark.skipif(OPA is None, reason="there is no opa on the PATH")
def test_opa_and_davy_say_the_same_of_every_example(tmp_path: Path) -> None:
    cases: list[Any] = []
    for _, example in CASES:
        inventory = Inventory(example.inventory)
        review = document(example.review, namespace_of(example.review, inventory))
        cases.append(
            {
                "input": {"review": review, "parameters": dict(example.parameters)},
                "inventory": inventory.document,
            }
        )
    packages = [section.kind.lower() for section in pack.SECTIONS]
    (tmp_path / "data.json").write_text(json.dumps({"cases": cases, "packages": packages}))
    (tmp_path / "lib.rego").write_text(pack.library())
    (tmp_path / "main.rego").write_text(MAIN.replace("package :=", "name :=").replace("[package]", "[name]"))
    for section in pack.SECTIONS:
        (tmp_path / f"{section.name}.rego").write_text(pack.rego(section.name))
    assert OPA
    arguments = ["eval", "--v0-compatible", "-f", "raw", "-d", str(tmp_path), "data.main.answers"]
    ran = subprocess.run([OPA, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for (rule, example), theirs in zip(CASES, json.loads(ran.stdout), strict=True):
        ours = {(found.message, found.path) for found in said(example)}
        assert ours == {(found["msg"], found["details"]["path"]) for found in theirs}, f"{rule}: {example.note}"
