"""A flag is taken out of JavaScript: in Node made-up programs do what they did with the flag at that value."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from davy.flags.lint.cleanup.clean import clean
from davy.flags.lint.scan import scan

NODE = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
HEAD = 'import { OpenFeature } from "@openfeature/server-sdk";\n'
READ = 'await client.getBooleanValue("shop.cheap", false)'

# % an expression, @ a variable, # a name of its own, $ a block, & the body of a loop, ~ that of a function
SIMPLE = ["true", "a", "b", "x", "FLAG", "FLAG", "FLAG", "see(1)", "see(0)", "!(FLAG)", "see(null)"]
JOINED = ["((%) && (%))", "(% || %)", "(!(%))", "(% ? % : %)", "((%) === true)", "Boolean(%)", "(% && % && %)"]
LEAVES = [
    "see(%);",
    "@ = %;",
    "// a remark\nsee(@);",
    "return %;",
    "const # = FLAG;\nsee(#);",
    "let # = %;",
    "var # = %;",
    "FLAG;",
    "see(`\n   text` + (%));",
    "see(typeof # === 'undefined');",
    "see(#);",
    "see(typeof inner);",
]
FORMS = [
    "if (%) {\n$}",
    "if (FLAG) { // why\n$} else {\n$}",
    "if (FLAG) {\n$}",
    "if (%) {\n$} else if (FLAG) {\n$} else {\n$}",
    "if (!(FLAG)) {\n$} else if (%) {\n$}",
    "if (FLAG) see(5);\nelse if (%) see(6);",
    "for (@ of [1, 2]) {\n&}",
    "for (const y of [1, 2]) if (FLAG) see(y);",
    "try {\n$} finally {\n  see(5);\n}",
    "async function inner() {\n~}\nsee(await inner());",
    "while (%) {\n  see(6);\n&  break;\n}",
    "switch (see(1)) {\n  case 1:\n    if (FLAG) {\n$    }\n    see(7);\n}",
]
RUNNER = """
const client = (value) => ({ getBooleanValue: async () => value });
async function trace(text, value) {
  const seen = [];
  const see = (what) => {
    seen.push(String(what));
    if (seen.length > 200) throw new RangeError();
    return what;
  };
  try {
    const program = new Function("return (" + text + ")")();
    seen.push(String(await program(see, client(value))));
  } catch (error) { seen.push(error.constructor.name); }
  return seen;
}
const programs = JSON.parse(require("fs").readFileSync(0));
(async () => {
  const told = [];
  for (const [before, after, value] of programs) {
    told.push([await trace(before, value), await trace(after, value)]);
  }
  console.log(JSON.stringify(told));
})();
"""


class Author:
    """Makes programs up."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)

    def program(self) -> str:
        return (
            f"{HEAD}export async function program(see, client) {{\n"
            f"  let a = see(0), b = see(1), x = see(0);\n{self.block(2)}}}\n"
        ).replace("FLAG", READ)

    def block(self, depth: int, *, loop: bool = False) -> str:
        count = self.draw.randint(1, 3)
        return "".join(f"{self.statement(depth, loop)}\n" for _ in range(count))

    def statement(self, depth: int, loop: bool) -> str:
        form = self.draw.choice(
            LEAVES + (["continue;", "break;"] if loop else []) + (FORMS * 2 if depth else [])
        )
        name, written = self.draw.choice("pqr"), ""
        for part in re.split(r"([%@#$&~])(?![&])", form):
            match part:
                case "%":
                    written += self.expression(2)
                case "@":
                    written += self.draw.choice("abx")
                case "#":
                    written += name
                case "$" | "&" | "~":
                    written += self.block(depth - 1, loop=part == "&" or (part == "$" and loop))
                case _:
                    written += part
        return written

    def expression(self, depth: int) -> str:
        first, *rest = self.draw.choice(SIMPLE + JOINED if depth else SIMPLE).split("%")
        return first + "".join(self.expression(depth - 1) + part for part in rest)


def function(text: str) -> str:
    return text[text.index("async function program") :]


@pytest.mark.skipif(NODE is None, reason="there is no node on this machine")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_program_does_what_it_did_with_the_flag_at_that_value(seed: int) -> None:
    assert NODE is not None
    author = Author(seed)
    programs = []
    for number in range(150):
        before = author.program()
        value = number % 2 == 0
        found = clean(scan(before.encode(), "a.ts"), before.encode(), "shop.cheap", value)
        programs.append((function(before), function(found.text.decode()), value))
    ran = subprocess.run(
        [NODE, "-e", RUNNER], input=json.dumps(programs), capture_output=True, text=True, check=True
    )
    traces = json.loads(ran.stdout)
    able = [
        pair
        for pair in zip(programs, traces, strict=True)
        if pair[1][0][-1] not in ("SyntaxError", "ReferenceError")
    ]
    assert len(able) > 75, "most programs can be run"
    for (before, after, value), (then, now) in able:
        assert now == then, f"{value}\n{before}\n{after}"
