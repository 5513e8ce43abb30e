"""The page about the rules of the flag linter is what the linter is, and its settings are all told."""

import msgspec
from tests.docs.generated_flag_rules import PAGE, flag_rules

from davy.flags.lint.rules.settings import LintSettings


def test_the_page_is_what_the_table_and_the_examples_say() -> None:
    page = PAGE.read_text()
    assert page == flag_rules(page), "run ./dev docs"


def test_every_setting_is_told() -> None:
    page = PAGE.read_text()
    for field in msgspec.structs.fields(LintSettings):
        assert f"| `{field.encode_name}" in page
