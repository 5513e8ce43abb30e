"""What the guide shows runs as it is shown."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.openfeature.stand_in import TOKEN, StandIn, serving

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "use-flags-in-python.md"


def test_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"^```(json|python)\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (text,) = [body for language, body in blocks if language == "json"]
    Path("flags.json").write_text(text)
    with serving(StandIn(text)) as it:
        scope: dict[str, Any] = {"url": it.url, "token": TOKEN}
        for body in (body for language, body in blocks if language == "python"):
            exec(compile(body, str(GUIDE), "exec"), scope)
    assert Path("flags.kept").exists()
