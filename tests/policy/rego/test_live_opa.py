"""Programs by chance, held to the `opa` on this machine."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.policy.rego.programs import DATA, INPUT, program

from davy.policy.rego import BadRego, EvaluationError, compile

OPA = shutil.which("opa")


@pytest.mark.skipif(OPA is None, reason="there is no opa on this machine")
@pytest.mark.parametrize("seed", range(40))
def test_a_program_says_what_opa_says(seed: int, tmp_path: Path) -> None:
    assert OPA is not None
    text = program(seed)
    (tmp_path / "m.rego").write_text(text)
    (tmp_path / "data.json").write_text(json.dumps(DATA))
    (tmp_path / "input.json").write_text(json.dumps(INPUT))
    words = [OPA, "eval", "-f", "json", "-d", "m.rego", "-d", "data.json", "-i", "input.json", "data.a"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    theirs = json.loads(ran.stdout)
    try:
        ours = compile({"m.rego": text}, "v1").query("data.a", INPUT, DATA)
    except BadRego:
        assert "errors" in theirs
        return
    except EvaluationError:
        return  # OPA does not look into a rule whose input is not there: docs/reference/rego.md
    if "errors" in theirs:
        assert theirs["errors"][0]["code"] == "rego_type_error"
        return
    assert json.dumps(ours, sort_keys=True) == json.dumps(
        theirs["result"][0]["expressions"][0]["value"], sort_keys=True
    )
