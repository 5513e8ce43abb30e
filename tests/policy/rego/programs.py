"""Small Rego programs by chance: the same seed makes the same program."""

import random
from collections.abc import Callable
from typing import Any

INPUT: dict[str, Any] = {
    "a": 1,
    "b": [1, 2, 3],
    "c": {"x": 1, "y": [2, {"z": "s"}], "w": None},
    "s": "text",
    "t": True,
    "f": False,
    "m": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "x", "v": 3}, {"v": 4}],
    "e": [],
}
DATA: dict[str, Any] = {"base": {"n": [3, 1, 2], "o": {"p": 1, "q": {"r": "x"}}}}

PLACES = (
    "input.a", "input.b", "input.c", "input.s", "input.t", "input.f", "input.m", "input.nope", "input.c.y",
    "input.c.x", "input.b[0]", "input.b[9]", "input.m[0].k", "input.e", "input.c.w", "data.base.n", "data.base.o.q.r",  # noqa: E501
    "input.nope.deep", "data.base.nope", "input.m[1]",
)  # fmt: skip


class Program:
    """One program in the making."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rules: list[str] = []
        self.count = 0

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def fresh(self) -> str:
        self.count += 1
        return f"x{self.count}"

    def scalar(self) -> str:
        return str(self.pick("0", "1", "2", "3", '"x"', '"text"', "true", "false", "null", "1.5"))

    def known(self, names: list[str]) -> str:
        """A rule or a variable that has a value at this place."""
        rules = [f"r{at}" for at in range(len(self.rules))]
        return str(self.pick(*names, *names, *rules, *PLACES[:8]))

    def term(self, names: list[str], depth: int = 2) -> str:
        kinds: tuple[Callable[[], str], ...] = (
            self.scalar,
            lambda: self.known(names),
            lambda: self.pick(*PLACES),
            lambda: self.known(names) + "." + self.pick("x", "k", "v", "y"),
            lambda: f"{self.known(names)}[{self.term(names, 0)}]",
        )
        if depth:
            inner = depth - 1
            kinds += (
                lambda: f"[{self.term(names, inner)}, {self.term(names, inner)}]",
                lambda: f"{{{self.term(names, inner)}, {self.term(names, inner)}}}",
                lambda: f'{{"k": {self.term(names, inner)}}}',
                lambda: self.call(names, inner),
                lambda: self.comprehension(names, inner),
            )
        return str(self.pick(*kinds)())

    def call(self, names: list[str], depth: int) -> str:
        left, right = self.term(names, depth), self.term(names, depth)
        return str(
            self.pick(
                f"count({left})", f"is_string({left})", f"object.get({left}, {right}, 7)", f"f1({left})",
                f"f2({left}, {right})", f"f3({left})", f'sprintf("%v", [{left}])', f"type_name({left})",
            )
        )  # fmt: skip

    def comprehension(self, names: list[str], depth: int) -> str:
        inner = list(names)
        body = "; ".join(self.statement(inner, depth) for _ in range(self.random.randint(1, 2)))
        head = self.pick(*inner, "1") if inner else "1"
        return str(self.pick(f"[{head} | {body}]", f"{{{head} | {body}}}", f'{{"h": {head} | {body}}}'))

    def statement(self, names: list[str], depth: int = 2) -> str:
        place = self.pick("input.b", "input.m", "input.c", "data.base.n", self.known(names))
        kind = self.random.randint(0, 13)
        if kind <= 2:
            term, name = self.term(names, depth), self.fresh()
            names.append(name)
            return f"{name} := {term}"
        if kind == 3:
            name = self.fresh()
            names.append(name)
            return f"some {name} in {place}"
        if kind == 4:
            key, value = self.fresh(), self.fresh()
            names += [key, value]
            return f"some {key}, {value} in {place}"
        if kind == 5:
            name, index = self.fresh(), self.fresh()
            names += [name, index]
            return f"{name} = {place}[{index}]"
        if kind == 6:
            one, two = self.fresh(), self.fresh()
            left = self.term(names, 1)
            names += [one, two]
            return f"[{one}, {two}] = [{left}, {self.pick(one, self.term(names[:-2], 1))}]"
        if kind == 7:
            return f"not {self.test(names, depth)}"
        if kind == 8:
            return f"not {self.term(names, 1)}"
        if kind == 9:
            name = self.fresh()
            return f"every {name} in {place} {{ {self.pick(name, f'{name} != 9', f'not {name} == 2')}; {self.test(names, 1)} }}"  # noqa: E501
        if kind == 10:
            with_ = self.pick(
                "input.a as 2", 'input.b as ["q"]', "input as {}", "data.base.n as [9]", "f1 as 5", "count as 3"
            )
            return f"{self.test(names, 1)} with {with_}"
        if kind == 11:
            return f"{place}[_]{self.pick('', '.k', '.v')} == {self.term(names, 1)}"
        return self.test(names, depth)

    def test(self, names: list[str], depth: int) -> str:
        left, right = self.term(names, min(depth, 1)), self.term(names, min(depth, 1))
        operator = self.pick("==", "==", "!=", "<", ">", "<=", "in", "=")
        return str(self.pick(f"{left} {operator} {right}", left, f"{left} {operator} {right}"))

    def body(self, names: list[str]) -> str:
        lines = [self.statement(names) for _ in range(self.random.randint(1, 4))]
        if self.random.random() < 0.3:
            self.random.shuffle(lines)
        return "\n  ".join(lines)

    def rule(self, name: str) -> str:
        names: list[str] = []
        body = self.body(names)
        value = self.term(names, 1)
        key = self.pick(*names, '"k"') if names else '"k"'
        return str(
            self.pick(
                f"{name} := {value} if {{\n  {body}\n}}",
                f"{name} if {{\n  {body}\n}}",
                f"{name} contains {value} if {{\n  {body}\n}}",
                f"{name}[{key}] := {value} if {{\n  {body}\n}}",
                f"{name}.p[{key}] contains {value} if {{\n  {body}\n}}",
                f"default {name} := 0\n\n{name} := {value} if {{\n  {body}\n}}",
                f"{name} := {value} if {{\n  {body}\n}} else := {self.scalar()} if {{\n  {self.test([], 1)}\n}} else := 4",  # noqa: E501
                f"{name} := {self.comprehension([], 2)}",
            )
        )

    def text(self) -> str:
        functions = (
            "f1(x) := y if y := x + 1\n\nf1(x) := x if is_string(x)\n\n"
            'f2(x, y) := [x, y] if x != y\n\nf3([x, _]) := x\n\nf3({"k": x}) := x\n'
        )
        for at in range(self.random.randint(1, 4)):
            self.rules.append(self.rule(f"r{at}"))
        return "package a\n\n" + functions + "\n" + "\n\n".join(self.rules) + "\n"


def program(seed: int) -> str:
    """Make the program of a seed."""
    return Program(seed).text()
