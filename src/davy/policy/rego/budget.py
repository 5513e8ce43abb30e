"""How much a policy may do: steps, and the size of what it makes. Policies come from people we do not know."""

from dataclasses import dataclass

LARGEST_TEXT = 8 * 1024 * 1024
"""Characters that one builtin may give back: eight times the largest object that an API server takes."""

LARGEST_COLLECTION = 1_000_000
"""Elements that one builtin may give back."""

LARGEST_NUMBER = 4096
"""Decimal digits of a number that is written with an exponent; `1e999999999` is nine letters."""

MOST_COMPARISONS = 20_000_000
"""Comparisons that one builtin may make of all with all."""


class BudgetExceeded(Exception):
    """A policy did more than it may. It ends the evaluation, which refuses: it never becomes undefined."""


@dataclass(slots=True)
class Budget:
    """What is left to one evaluation. `steps` go with every turn of a loop, `size` with what builtins make."""

    steps: int = 10_000_000
    size: int = 64 * 1024 * 1024

    def spend(self, steps: int = 1) -> None:
        """Take steps off.

        Raises:
            BudgetExceeded: there were not as many left, or too much was made before.
        """
        self.steps -= steps
        if self.steps < 0:
            raise BudgetExceeded("the policy takes more steps than an evaluation may")
        self.grow(0)

    def grow(self, size: int) -> None:
        """Take characters or elements off.

        Raises:
            BudgetExceeded: there were not as many left.
        """
        self.size -= size
        if self.size < 0:
            raise BudgetExceeded("the policy makes more text than an evaluation may")


def check_text(size: int) -> None:
    """Ask before a builtin makes a text of so many characters.

    Raises:
        BudgetExceeded: it is too long.
    """
    if size > LARGEST_TEXT:
        raise BudgetExceeded(
            f"a builtin would make a text of {size} characters, {LARGEST_TEXT} at most are allowed"
        )


def check_collection(size: int) -> None:
    """Ask before a builtin makes a collection of so many elements.

    Raises:
        BudgetExceeded: it is too large.
    """
    if size > LARGEST_COLLECTION:
        raise BudgetExceeded(f"a builtin would make {size} elements, {LARGEST_COLLECTION} at most are allowed")


def check_comparisons(count: int) -> None:
    """Ask before a builtin compares all of one thing with all of another.

    Raises:
        BudgetExceeded: these are too many.
    """
    if count > MOST_COMPARISONS:
        raise BudgetExceeded(f"a builtin would compare {count} times, {MOST_COMPARISONS} at most are allowed")
