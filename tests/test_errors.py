"""The tree of errors is the public contract of exit codes."""

import pytest

from davy import errors, plugins


def tree(root: type[errors.DavyError]) -> list[type[errors.DavyError]]:
    return [root, *(below for child in root.__subclasses__() for below in tree(child))]


@pytest.mark.parametrize("error", tree(errors.DavyError), ids=lambda error: error.__name__)
def test_every_error_has_a_code_and_an_exit_code_that_is_not_success(error: type[errors.DavyError]) -> None:
    assert error.code
    assert error.exit_code in {1, 2, 3, 5, 6, 7, 8, 9, 70}


def test_an_unknown_plug_in_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(errors.NotFound, match="'nope'") as caught:
        plugins.load("providers", "nope")
    assert "prometheus" in caught.value.hint
